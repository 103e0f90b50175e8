#include "base/clock.h"
#include "base/failpoint.h"
#include "service/approval.h"
#include "service/call.h"
#include "service/rights.h"

#include <stdlib.h>
#include <string.h>

/* Operations of those who agree, or do not. */

/* What is meant: in the step that is named, or the only one that waits. False with the request failed. */
static bool waiting_one(struct request *q, struct consent *out)
{
	struct consent waiting[APPROVALS_MAX];
	if (!q->x->is_loaded_for_reading) approvals_refresh(q->x);
	size_t n = approvals_waiting(q->x, waiting, APPROVALS_MAX), found = 0;
	const char *step = json_str(q->args, "step", NULL);
	size_t named = step ? request_step(q) : SIZE_MAX;
	if (step && named == SIZE_MAX) return false;
	for (size_t i = n; i-- > 0;)
		if (!step || waiting[i].step == named) *out = waiting[i], found++;
	if (found && (step || found == 1)) return true;
	if (found)
		request_refuse(q, ERR_USAGE, "%zu steps wait for an approval: name one", found);
	else if (step)
		request_refuse(q, ERR_CONFLICT, "step %s waits for no approval (it is %s)", step, step_state_name(q->x->flow->steps[named].state));
	else
		request_refuse(q, ERR_CONFLICT, "execution %s waits for no approval", q->x->id);
	return false;
}

static json_t *permissions_of(const struct execution *x, size_t step)
{
	const struct book_step *b = &x->book->steps[step];
	json_t *list = json_array();
	for (size_t i = 0; i < b->permission_count; i++) json_array_append_new(list, json_string(b->permissions[i]));
	for (size_t i = 0; i < x->book->permission_count && !b->permission_count; i++)
		json_array_append_new(list, json_string(x->book->permissions[i].pattern));
	return list;
}

void op_approval_show(struct request *q)
{
	struct execution *x = q->x;
	struct consent c;
	if (!waiting_one(q, &c)) return;
	json_t *drivers = json_array(), *o = approval_view(x, c);
	for (size_t i = 0; i < x->driver_count; i++) json_array_append_new(drivers, json_string(x->drivers[i]));
	json_t *rest = json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:O,s:o,s:O,s:o}", "execution", x->id, "book", x->book_path, "book_title", x->book->title, "digest",
	                         x->book->digest, "plan", x->plan_digest, "drivers", drivers, "params", x->params, "permissions", permissions_of(x, c.step),
	                         "allowed", x->allow, "view", execution_step_view(x, c.step));
	must(o && rest);
	json_object_update(o, rest);
	json_decref(rest);
	request_answer(q, o, NULL, 0);
}

/* Everything that can be wrong with giving it, before anything is recorded. */
static enum err check_giving(const struct request *q, struct consent c, const struct demands *all, struct error *e)
{
	struct execution *x = q->x;
	const struct step_data *s = &x->steps[c.step];
	const char *id = x->book->steps[c.step].id;
	enum err err = demands_accept(x, c, all, q->client->principal, e);
	if (err) return err;
	if (!approval_is_as_shown(consent_approval(x, c), json_str(q->args, "binding", ""), approval_why_void(x, c, all)))
		return error_set(e, ERR_CONFLICT, "what step %s would do has changed since it was shown: look at it again", id);
	if (!*json_str(q->args, "reason", "")) return error_set(e, ERR_USAGE, "an approval needs a reason");
	bool is_destructive = x->book->steps[c.step].risk == RISK_DESTRUCTIVE;
	if (is_destructive && s->targets && json_int(q->args, "targets", -1) != s->target_count)
		return error_set(e, ERR_USAGE, "step %s destroys: say how many targets it has, as they were shown", id);
	return ERR_OK;
}

/* The code that asked goes on with the names of those who agreed. */
static enum err answer_call(struct request *q, struct consent c, struct error *e)
{
	const struct approval *p = &c.call->approval;
	json_t *by = json_array();
	for (size_t i = 0; i < p->given_count; i++) json_array_append_new(by, json_string(p->given[i].by));
	json_t *value = json_pack("{s:o}", "by", by);
	enum err err = call_answered(q->x, c.call, value, q->client->principal, e);
	json_decref(value);
	return err;
}

static enum err give(struct request *q, struct consent c, const struct demands *all, size_t *missing, struct error *e)
{
	struct execution *x = q->x;
	const struct approval *p = consent_approval(x, c);
	json_int_t until_us = clock_now_us() + all->within_us;
	json_t *d = json_pack("{s:s,s:s?,s:I}", "binding", p->binding, "reason", execution_blob_text(x, json_str(q->args, "reason", "")), "until_us", until_us);
	failpoint(APPROVAL_GIVE);
	enum err err = execution_emit(x, approval_emit(c, RECORD_APPROVAL_GIVEN, q->client->principal, d), e);
	if (err) return err;
	*missing = approval_missing(p);
	return c.call && !*missing ? answer_call(q, c, e) : ERR_OK;
}

void op_approve(struct request *q)
{
	struct error e;
	struct demands all;
	struct consent c;
	size_t missing = 0;
	if (!waiting_one(q, &c)) return;
	struct arena *a = arena_new();
	enum err err = demands_find(q->x, c, &all, a, &e);
	if (!err) err = check_giving(q, c, &all, &e);
	if (!err) err = give(q, c, &all, &missing, &e);
	demands_clear(&all);
	arena_free(a);
	if (err)
		request_fail(q, &e);
	else
		request_answer_durable(q, json_pack("{s:s,s:I}", "step", q->x->book->steps[c.step].id, "missing", (json_int_t)missing));
}

static enum err refuse(struct request *q, struct consent c, const char *reason, struct error *e)
{
	struct execution *x = q->x;
	char *why = mem_printf("%s does not agree: %s", q->client->principal, reason);
	const char *blob = execution_blob_text(x, why);
	free(why);
	enum err err = execution_emit(x, approval_emit(c, RECORD_APPROVAL_REFUSED, q->client->principal, json_pack("{s:s}", "reason", blob)), e);
	if (err || !c.call) return err;
	err = execution_emit(x, approval_emit(c, RECORD_QUESTION_ANSWERED, q->client->principal, json_pack("{s:s}", "outcome", "refused")), e);
	if (err) return err;
	x->steps[c.step].needs_run = true;
	call_finish(x, c.call, "denied", json_pack("{s:s}", "error", blob));
	return ERR_OK;
}

void op_refuse(struct request *q)
{
	struct error e;
	struct demands all;
	struct consent c;
	if (!waiting_one(q, &c)) return;
	const char *reason = json_str(q->args, "reason", "");
	struct arena *a = arena_new();
	enum err err = demands_find(q->x, c, &all, a, &e);
	if (!err) err = demands_accept(q->x, c, &all, q->client->principal, &e);
	demands_clear(&all);
	arena_free(a);
	if (!err && !*reason) err = error_set(&e, ERR_USAGE, "a refusal needs a reason");
	if (!err) err = refuse(q, c, reason, &e);
	if (err)
		request_fail(q, &e);
	else
		request_answer_durable(q, NULL);
}
