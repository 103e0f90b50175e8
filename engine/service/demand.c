#include "service/demand.h"
#include "service/call.h"
#include "service/rights.h"

struct approval *consent_approval(struct execution *x, struct consent c)
{
	return c.call ? &c.call->approval : &x->steps[c.step].approval;
}

struct approval_insiders execution_insiders(const struct execution *x, const struct policy *p)
{
	return (struct approval_insiders){.drivers = x->drivers,
	                                  .driver_count = x->driver_count,
	                                  .forebears = x->forebears,
	                                  .forebear_count = x->forebear_count,
	                                  .book = x->book,
	                                  .policy = p};
}

enum err demands_check(struct execution *x, size_t step, const struct policy *p, struct error *e)
{
	struct demands all;
	struct arena *a = arena_new();
	demands_init(&all, p);
	enum err err = demands_add_step(&all, &x->book->steps[step], x->book_path, a, e);
	size_t people = !err && all.count ? policy_count(p, all.list[0].who, all.list[0].who_count, x->driver) : SIZE_MAX;
	if (people < (size_t)all.needed)
		err = error_set(e, ERR_DENIED, "it needs the approval of %s, and %s has only %zu others", all.from.data, p->file, people);
	demands_clear(&all);
	arena_free(a);
	return err;
}

static enum err demand_of_call(struct execution *x, struct consent c, struct demands *all, struct arena *a, struct error *e)
{
	json_t *form = call_arguments(x, c.call), *arguments = json_obj(form, "arguments");
	struct demand d = {.needed = (uint32_t)json_int(arguments, "needed", 1), .within_us = json_int(arguments, "within_us", demand_within_us())};
	enum err err = demands_add_code(all, &x->book->steps[c.step], x->book_path, json_str(arguments, "from", NULL), d, a, e);
	json_decref(form);
	return err;
}

enum err demands_find(struct execution *x, struct consent c, struct demands *all, struct arena *a, struct error *e)
{
	demands_init(all, NULL);
	enum err err = rights_policy(x, &all->policy, e);
	if (err) return err;
	if (c.call) return demand_of_call(x, c, all, a, e);
	err = demands_add_step(all, &x->book->steps[c.step], x->book_path, a, e);
	if (err || !all->policy) return err;
	struct policy_request q = rights_request(x, c.step, a);
	return demands_add_rules(all, &q, a, e);
}

enum err demands_accept(struct execution *x, struct consent c, const struct demands *all, const char *who, struct error *e)
{
	struct approval_insiders in = execution_insiders(x, all->policy);
	const char *step = x->book->steps[c.step].id;
	switch (approval_judge(consent_approval(x, c), all, &in, who, clock_times_now())) {
	case APPROVAL_COUNTS:
		return ERR_OK;
	case APPROVAL_BY_NO_PERSON:
		return error_set(e, ERR_DENIED, "%s is no person: approvals are given by people", who);
	case APPROVAL_BY_DRIVER:
		return error_set(e, ERR_DENIED, "%s started or drove this execution, and so does not approve anything of it", who);
	case APPROVAL_BY_AUTHOR:
		return error_set(e, ERR_DENIED, "%s wrote this book, and so does not approve anything of it", who);
	case APPROVAL_IS_SECOND:
		return error_set(e, ERR_CONFLICT, "%s has approved step %s already: another person is needed", who, step);
	case APPROVAL_BY_OTHER:
		break;
	}
	return error_set(e, ERR_DENIED, "step %s waits for %s, and %s cannot be one of them", step, all->from.data ? all->from.data : "nobody", who);
}
