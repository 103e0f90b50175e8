#include "service/demand.h"
#include "base/clock.h"
#include "service/call.h"
#include "service/rights.h"

#include <stdlib.h>
#include <string.h>

#define WITHIN_DEFAULT_US INT64_C(3600000000)

struct approval *consent_approval(struct execution *x, struct consent c)
{
	return c.call ? &c.call->approval : &x->steps[c.step].approval;
}

/* ---- what is demanded ---- */

static void words_of_who(struct buf *b, const struct demand *d)
{
	if (b->len) buf_str(b, " and ");
	buf_printf(b, "%u of ", d->needed);
	for (size_t i = 0; i < d->who_count; i++) buf_printf(b, "%s%s", i ? ", " : "", d->who[i].text);
}

static enum err add_demand(struct demands *all, struct demand d, struct error *e)
{
	if (all->count == DEMAND_PEOPLE_MAX || all->needed + d.needed > DEMAND_PEOPLE_MAX)
		return error_set(e, ERR_DENIED, "it needs more approvals than %d", DEMAND_PEOPLE_MAX);
	all->list[all->count++] = d;
	all->needed += d.needed;
	if (d.within_us < all->within_us) all->within_us = d.within_us;
	words_of_who(&all->from, &d);
	return ERR_OK;
}

/* So many of a group that is named, or of everybody. */
static enum err demand_of_group(const struct execution *x, size_t step, struct demands *all, const char *from, struct demand d, struct arena *a,
                                struct error *e)
{
	const struct book_step *s = &x->book->steps[step];
	struct policy_who *who = arena_alloc(a, sizeof *who);
	*who = (struct policy_who){.kind = WHO_ANY_USER, .text = "user:*"};
	if (!all->policy)
		return error_set(e, ERR_DENIED,
		                 "step %s needs the approval of %u others%s%s, and there is no policy that says who they are: write .rung/policy.yaml", s->id,
		                 d.needed, from ? " from " : "", from ? from : "");
	enum err err = from ? policy_who_find(all->policy, arena_strdup(a, from), who, e) : ERR_OK;
	if (err) {
		error_context(e, "%s:%d", x->book_path, s->line);
		if (e) e->kind = ERR_DENIED;
		return ERR_DENIED;
	}
	d.who = who;
	d.who_count = 1;
	return add_demand(all, d, e);
}

enum err demands_check(struct execution *x, size_t step, const struct policy *p, struct error *e)
{
	const struct book_step *s = &x->book->steps[step];
	struct demands all = {.policy = p, .within_us = INT64_MAX};
	struct arena *a = arena_new();
	enum err err = ERR_OK;
	buf_init(&all.from, 900);
	if (s->approve > 0) err = demand_of_group(x, step, &all, s->from, (struct demand){.needed = (uint32_t)s->approve}, a, e);
	size_t people = !err && all.count ? policy_count(p, all.list[0].who, all.list[0].who_count, x->driver) : SIZE_MAX;
	if (people < (size_t)all.needed)
		err = error_set(e, ERR_DENIED, "it needs the approval of %s, and %s has only %zu others", all.from.data, p->file, people);
	buf_clear(&all.from);
	arena_free(a);
	return err;
}

static enum err demand_of_call(struct execution *x, struct consent c, struct demands *all, struct arena *a, struct error *e)
{
	json_t *form = call_arguments(x, c.call), *arguments = json_obj(form, "arguments");
	struct demand d = {.needed = (uint32_t)json_int(arguments, "needed", 1), .within_us = json_int(arguments, "within_us", WITHIN_DEFAULT_US)};
	enum err err = demand_of_group(x, c.step, all, json_str(arguments, "from", NULL), d, a, e);
	json_decref(form);
	return err;
}

static enum err demands_of_rules(struct execution *x, size_t step, struct demands *all, struct arena *a, struct error *e)
{
	struct policy_request q = rights_request(x, step, a);
	struct policy_decision d = policy_decide(all->policy, &q, a);
	enum err err = ERR_OK;
	for (size_t i = 0; i < d.require_count && !err; i++) {
		const struct policy_rule *r = d.requires[i];
		struct demand one = {.who = r->from, .who_count = r->from_count, .needed = (uint32_t)r->approvals, .within_us = r->within_us, .rule = r->id};
		err = add_demand(all, one, e);
	}
	return err;
}

enum err demands_find(struct execution *x, struct consent c, struct demands *all, struct arena *a, struct error *e)
{
	*all = (struct demands){.within_us = INT64_MAX};
	buf_init(&all->from, 900);
	enum err err = rights_policy(x, &all->policy, e);
	if (err) return err;
	if (c.call) return demand_of_call(x, c, all, a, e);
	const struct book_step *s = &x->book->steps[c.step];
	struct demand of_book = {.needed = (uint32_t)s->approve, .within_us = WITHIN_DEFAULT_US};
	if (s->approve > 0) err = demand_of_group(x, c.step, all, s->from, of_book, a, e);
	return err || !all->policy ? err : demands_of_rules(x, c.step, all, a, e);
}

/* ---- who may fill what: each person one slot ---- */

struct seating {
	const struct demands *all;
	const char *people[DEMAND_PEOPLE_MAX];
	size_t person_count;
	int seat[DEMAND_PEOPLE_MAX]; /* slot -> person, or -1 */
	bool is_tried[DEMAND_PEOPLE_MAX];
};

static const struct demand *demand_of_slot(const struct demands *all, size_t slot)
{
	for (size_t i = 0; i < all->count; slot -= all->list[i++].needed)
		if (slot < all->list[i].needed) return &all->list[i];
	return NULL;
}

/* Whoever sits there moves where they can. */
static bool seat_one(struct seating *s, size_t person)
{
	for (size_t slot = 0; slot < s->all->needed; slot++) {
		const struct demand *d = demand_of_slot(s->all, slot);
		if (s->is_tried[slot] || !policy_is_among(s->all->policy, s->people[person], d->who, d->who_count)) continue;
		s->is_tried[slot] = true;
		if (s->seat[slot] >= 0 && !seat_one(s, (size_t)s->seat[slot])) continue;
		s->seat[slot] = (int)person;
		return true;
	}
	return false;
}

/* Can all of these people count, each once? */
static bool can_be_seated(const struct demands *all, const struct approval *given, const char *one_more)
{
	struct seating s = {.all = all};
	for (size_t i = 0; i < DEMAND_PEOPLE_MAX; i++) s.seat[i] = -1;
	for (size_t i = 0; i < given->given_count && s.person_count < DEMAND_PEOPLE_MAX - 1; i++)
		if (!clock_has_passed(&given->given[i].until)) s.people[s.person_count++] = given->given[i].by;
	if (one_more) s.people[s.person_count++] = one_more;
	for (size_t i = 0; i < s.person_count; i++) {
		memset(s.is_tried, 0, sizeof s.is_tried);
		if (!seat_one(&s, i)) return false;
	}
	return true;
}

bool demands_hold(const struct demands *all, const struct approval *given)
{
	return can_be_seated(all, given, NULL);
}

static bool has_given(const struct approval *p, const char *who)
{
	for (size_t i = 0; i < p->given_count; i++)
		if (!clock_has_passed(&p->given[i].until) && strcmp(p->given[i].by, who) == 0) return true;
	return false;
}

enum err demands_accept(struct execution *x, struct consent c, const struct demands *all, const char *who, struct error *e)
{
	const struct approval *p = consent_approval(x, c);
	const char *step = x->book->steps[c.step].id;
	if (strncmp(who, "user:", 5) != 0) return error_set(e, ERR_DENIED, "%s is no person: approvals are given by people", who);
	if (rights_has_driven(x, who)) return error_set(e, ERR_DENIED, "%s started or drove this execution, and so does not approve anything of it", who);
	if (rights_is_author(x, who)) return error_set(e, ERR_DENIED, "%s wrote this book, and so does not approve anything of it", who);
	if (has_given(p, who)) return error_set(e, ERR_CONFLICT, "%s has approved step %s already: another person is needed", who, step);
	if (all->policy && can_be_seated(all, p, who)) return ERR_OK;
	return error_set(e, ERR_DENIED, "step %s waits for %s, and %s cannot be one of them", step, all->from.data ? all->from.data : "nobody", who);
}
