#include "base/failpoint.h"
#include "service/attempt.h"
#include "service/operations.h"
#include "service/unknown.h"

#include <stdlib.h>
#include <string.h>

/* What became of calls whose outcome nobody saw: what is known of them, the step's proof run for it, a person's answer. DESIGN.md 5 (4). */

/* Why nothing of the step waits for an answer, where somebody may have been quicker. */
static void refuse_settled(struct request *q, size_t step)
{
	const struct execution *x = q->x;
	const struct step_data *s = &x->steps[step];
	const char *id = x->book->steps[step].id, *state = step_state_name(x->flow->steps[step].state);
	bool is_settled = s->settled_as && flow_is_over(x->flow->steps[step].state);
	if (is_settled && strcmp(s->settled_as, "verify") == 0)
		request_refuse(q, ERR_CONFLICT, "step %s is %s: its verify held meanwhile, and nothing of it waits to be resolved", id, state);
	else if (is_settled)
		request_refuse(q, ERR_CONFLICT, "step %s is %s: %s settled it meanwhile, and nothing of it waits to be resolved", id, state,
		               s->settled_by ? s->settled_by : "somebody");
	else
		request_refuse(q, ERR_CONFLICT, "step %s is %s: nothing of it waits to be resolved", id, state);
}

/* Can anything be said of the step now? Else the request is refused. */
static bool is_open(struct request *q, size_t step)
{
	if (step == SIZE_MAX) return false;
	if (step_is_resolvable(q->x->flow, step, call_any_under_way(q->x, step))) return true;
	refuse_settled(q, step);
	return false;
}

static bool read_selection(struct request *q, size_t step, struct selection *out)
{
	const json_t *named = json_object_get(q->args, "call"), *host = json_object_get(q->args, "host");
	*out = (struct selection){.step = step, .call = request_call(q), .host = json_is_string(host) ? json_string_value(host) : NULL};
	if (named && !json_is_null(named) && !out->call) {
		request_refuse(q, ERR_USAGE, "call is a call's number, or null for all");
		return false;
	}
	if (!host || json_is_null(host) || json_is_string(host)) return true;
	request_refuse(q, ERR_USAGE, "host is a host's name, or null for all");
	return false;
}

/* Nothing unknown is selected: what was named is not there, or somebody has answered it. */
static void refuse_selection(struct request *q, const struct selection *s)
{
	const struct execution *x = q->x;
	const char *id = x->book->steps[s->step].id;
	const struct call *c = s->call ? execution_call(q->x, s->step, x->flow->steps[s->step].attempt, s->call) : NULL;
	if (s->host)
		request_refuse(q, ERR_NOT_FOUND, "step %s has no unknown call on %s%s", id, s->host, s->call ? " with that number" : "");
	else if (c && c->resolved_by)
		request_refuse(q, ERR_CONFLICT, "call %u of step %s is not unknown any more: %s has answered it meanwhile (%s)", s->call, id, c->resolved_by,
		               c->resolved_as);
	else if (c && c->state != CALL_UNKNOWN)
		request_refuse(q, ERR_CONFLICT, "call %u of step %s has an outcome: nothing is to be resolved", s->call, id);
	else
		request_refuse(q, ERR_NOT_FOUND, "step %s has no unknown call %u", id, s->call);
}

/* What stands now. NULL with the request refused; the caller releases it. */
static json_t *look(struct request *q, struct selection *out)
{
	size_t step = request_step(q);
	if (!is_open(q, step) || !read_selection(q, step, out)) return NULL;
	json_t *shown = unknown_shown(q->x, out);
	if (!shown) refuse_selection(q, out);
	return shown;
}

void op_resolve_show(struct request *q)
{
	struct selection s;
	json_t *shown = look(q, &s);
	if (shown) request_answer(q, shown, NULL, 0);
}

void op_resolve_verify(struct request *q)
{
	size_t step = request_step(q);
	if (!is_open(q, step)) return;
	struct execution *x = q->x;
	const char *id = x->book->steps[step].id;
	if (!step_fence(&x->book->steps[step], FENCE_VERIFY))
		request_refuse(q, ERR_CONFLICT, "step %s has no {verify} in its book: look at the target yourself", id);
	else if (x->flow->steps[step].is_verifying || x->steps[step].live)
		request_refuse(q, ERR_CONFLICT, "the verify of step %s runs already", id);
	else if (x->flow->is_cancelling)
		request_refuse(q, ERR_CONFLICT, "the execution is being cancelled: nothing new starts");
	else if (x->is_waiting_for_lock)
		request_refuse(q, ERR_CONFLICT, "commands of this execution are still being ended: ask again in a moment");
	else {
		attempt_settle_by_verify(x, step, q->client->principal);
		request_answer_durable(q, json_pack("{s:I}", "started_us", (json_int_t)x->steps[step].proof.started_us));
	}
}

/* --- the answer ---------------------------------------------------------------------------------------------------------------------------- */

/* An answer, and what goes into the record beside it. */
struct word {
	const char *answer, *reason;
	const char *shown; /* the blob of what stood when it was given */
	bool is_seen;      /* the client had got exactly that, and says so */
};

/* What is in every record of an answer. */
static json_t *word_data(struct execution *x, const struct word *w)
{
	return json_pack("{s:s?,s:s,s:b}", "reason", execution_blob_text(x, w->reason), "shown", w->shown, "is_seen", w->is_seen);
}

static void resolve_done(struct request *q, size_t step, const struct word *w)
{
	struct execution *x = q->x;
	const json_t *result = json_object_get(q->args, "result");
	json_t *d = word_data(x, w);
	json_object_set_new(d, "outcome", json_string("succeeded"));
	json_object_set_new(d, "why", json_string("resolved"));
	if (result) json_object_set_new(d, "result", json_string(execution_blob_json(x, result)));
	struct error e;
	if (x->steps[step].live) attempt_drop(x->steps[step].live);
	struct emit em = {.kind = RECORD_STEP_SETTLED, .step = step, .attempt = x->flow->steps[step].attempt, .by = q->client->principal, .data = d};
	if (execution_emit(x, em, &e)) {
		request_fail(q, &e);
		return;
	}
	if (result) x->steps[step].result = json_deep_copy(result);
	request_answer_durable(q, NULL);
}

static void resolve_call(struct request *q, struct call *c, const struct word *w)
{
	struct execution *x = q->x;
	json_t *d = word_data(x, w);
	json_object_set_new(d, "answer", json_string(w->answer));
	execution_emit(
	    x, (struct emit){.kind = RECORD_CALL_RESOLVED, .step = c->step, .attempt = c->attempt, .call = c->number, .by = q->client->principal, .data = d},
	    NULL);
	if (strcmp(w->answer, "failed") != 0) return;
	char *why = mem_printf("%s says that the call failed: %s", q->client->principal, w->reason);
	call_finish(x, c, "failed", json_pack("{s:s?,s:s}", "error", execution_blob_text(x, why), "why", "resolved"));
	free(why);
}

static void resolve_calls(struct request *q, const struct selection *s, const struct word *w)
{
	struct execution *x = q->x;
	struct step_data *d = &x->steps[s->step];
	json_int_t found = 0;
	if (d->live) attempt_drop(d->live);
	d->needs_run = true;
	d->is_verify_tried = false;
	for (size_t i = 0; i < d->call_count; i++) {
		if (!selection_has(x, s, d->calls[i])) continue;
		resolve_call(q, d->calls[i], w);
		found++;
	}
	request_answer_durable(q, json_pack("{s:I}", "resolved", found));
}

/* Is the answer one that can be given? Else the request is refused. */
static bool is_answer(struct request *q, const struct word *w)
{
	bool is_done = strcmp(w->answer, "done") == 0;
	if (!is_done && strcmp(w->answer, "again") != 0 && strcmp(w->answer, "failed") != 0)
		request_refuse(q, ERR_USAGE, "the answer is again, failed or done");
	else if (!*w->reason)
		request_refuse(q, ERR_USAGE, "a reason is needed: how do you know?");
	else if (!is_done && json_object_get(q->args, "result"))
		request_refuse(q, ERR_USAGE, "a result belongs to done: with %s the step's code says itself what it returns", w->answer);
	else
		return true;
	return false;
}

void op_resolve(struct request *q)
{
	struct selection s;
	struct word w = {.answer = json_str(q->args, "answer", ""), .reason = json_str(q->args, "reason", "")};
	const char *seen = json_str(q->args, "shown", NULL);
	if (!is_answer(q, &w)) return;
	json_t *shown = look(q, &s);
	if (!shown) return;
	if (seen && strcmp(seen, json_str(shown, "digest", "")) != 0) {
		request_refuse(q, ERR_CONFLICT, "what is known of step %s has changed since it was shown: nothing was recorded; look again",
		               q->x->book->steps[s.step].id);
		json_decref(shown);
		return;
	}
	failpoint(CALL_RESOLVED);
	w.is_seen = seen;
	w.shown = execution_blob_json(q->x, shown);
	json_decref(shown);
	attempt_end_proof(q->x, s.step, "resolved");
	if (strcmp(w.answer, "done") == 0)
		resolve_done(q, s.step, &w);
	else
		resolve_calls(q, &s, &w);
}
