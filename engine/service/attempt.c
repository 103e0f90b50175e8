#include "service/attempt.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "sandbox/wire.h"
#include "service/diverged.h"
#include "service/engine_state.h"
#include "service/inventory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TARGETS_MAX = 10000,
	LOG_BYTES_MAX = 65536,
	EVALUATION_US_MAX = 300000000 /* of a condition or a proof, where the step has no time of its own */
};

const struct book_step *attempt_step(const struct attempt *a)
{
	return &a->x->book->steps[a->step];
}

static void failed_to_start(struct attempt *a, const struct error *e)
{
	struct execution *x = a->x;
	log_line(LOG_ERROR, "execution %s: no worker: %s", x->id, e->text);
	worker_release(a, false);
	attempt_fail(a, "%s", e->text);
	execution_step_on(x);
}

/* Which attempt an inventory that comes later was asked for. */
struct awaited_start {
	struct engine *engine;
	char execution[27];
	size_t step;
	uint64_t serial;
};

static void run_worker(struct attempt *a);

/* Where there is no inventory, each call that needs one says why. */
static void inventory_is_there(void *arg, const struct inventory *inv, const struct error *e)
{
	struct awaited_start *w = arg;
	struct execution *x = inv || e ? engine_find(w->engine, w->execution) : NULL;
	struct attempt *a = x ? x->steps[w->step].live : NULL;
	if (a && a->serial == w->serial && !a->worker && !a->is_stopping) run_worker(a);
	free(w);
}

/* A step that may call other hosts has to know them: in an engine that was just started, or for a book without a parameter that names hosts, the inventory's
 * command may not have been run yet. */
static bool awaits_inventory(struct attempt *a)
{
	struct execution *x = a->x;
	struct inventory_at *at = engine_inventory(x->engine, x->policy_root);
	const struct inventory *inv;
	const struct book_step *s = attempt_step(a);
	bool may_call = false;
	for (size_t i = 0; i < s->fence_count; i++) may_call = may_call || strstr(s->fences[i].source, "ssh") || strstr(s->fences[i].source, "require");
	if (!may_call || inventory_known(at, &inv, NULL) != ERR_WAITING) return false;
	struct awaited_start *w = mem_zero(sizeof *w);
	*w = (struct awaited_start){.engine = x->engine, .step = a->step, .serial = a->serial};
	memcpy(w->execution, x->id, sizeof w->execution);
	inventory_ask(at, inventory_is_there, w);
	return true;
}

static void start_worker(struct execution *x, json_t *data)
{
	struct attempt *a = x->steps[json_int(data, "step", 0)].live;
	/* One that was dropped meanwhile speaks for none that began after it. */
	if (!a || a->serial != (uint64_t)json_int(data, "serial", 0) || a->worker || a->is_stopping) return;
	if (!awaits_inventory(a)) run_worker(a);
}

static void run_worker(struct attempt *a)
{
	struct error e;
	struct buf sources;
	if (worker_acquire(a, &e)) {
		failed_to_start(a, &e);
		return;
	}
	json_t *message = attempt_message(a, &sources, &e);
	failpoint(WORKER_ATTEMPT);
	if (message)
		link_send_new(a->worker->link, message, sources.data, sources.len);
	else
		failed_to_start(a, &e);
	buf_clear(&sources);
}

/* When what was recorded of its beginning is durable. */
static void start_later(struct execution *x, size_t step)
{
	execution_later(x, start_worker, json_pack("{s:I,s:I}", "step", (json_int_t)step, "serial", (json_int_t)x->steps[step].live->serial));
}

/* --- beginnings ------------------------------------------------------------------------------------------------------------------------ */

static const enum call_range ranges[] = {
    [ATTEMPT_ACTION] = CALLS_OF_ACTION,
    [ATTEMPT_CONDITION] = CALLS_OF_CONDITION,
    [ATTEMPT_TARGETS] = CALLS_OF_CONDITION,
    [ATTEMPT_VERIFICATION] = CALLS_OF_PROOF,
};

static struct attempt *attempt_new(struct execution *x, size_t step, enum attempt_purpose purpose)
{
	struct attempt *a = mem_zero(sizeof *a);
	a->x = x;
	a->step = step;
	a->purpose = purpose;
	a->serial = ++x->attempt_serial;
	bool is_before = ranges[purpose] == CALLS_OF_CONDITION; /* of an attempt that has not begun */
	replay_begin(&a->replay, x->flow->steps[step].attempt + is_before, ranges[purpose], call_range_base(ranges[purpose]));
	a->now_us = x->flow->steps[step].started_us;
	if (purpose != ATTEMPT_ACTION) {
		int64_t timeout_us = attempt_step(a)->timeout_us;
		a->ends_us = clock_monotonic_us() + (timeout_us ? timeout_us : EVALUATION_US_MAX);
	}
	buf_init(&a->log, LOG_BYTES_MAX);
	x->steps[step].live = a;
	return a;
}

/* What the record holds of this run of an attempt. A proof is never run over its record: it stands behind the proofs before it; an evaluation behind those
 * that are over. */
static void over_the_record(struct attempt *a)
{
	const struct step_data *s = &a->x->steps[a->step];
	if (a->purpose == ATTEMPT_VERIFICATION) a->replay.first_call = execution_next_call(a->x, a->step, a->replay.attempt, CALLS_OF_PROOF) - 1;
	if (a->purpose == ATTEMPT_CONDITION && s->condition_attempt == a->replay.attempt) a->replay.first_call = s->condition_end;
	for (size_t i = 0; i < s->call_count; i++) {
		struct flow_call c = call_seen(s->calls[i]);
		replay_take(&a->replay, &c);
	}
}

void attempt_drop_conditions(struct execution *x)
{
	for (size_t i = 0; i < x->graph->count; i++) {
		struct attempt *a = x->steps[i].live;
		if (a && (a->purpose == ATTEMPT_CONDITION || a->purpose == ATTEMPT_TARGETS) && !x->flow->steps[i].open_calls) attempt_drop(a);
	}
}

void attempt_begin(struct execution *x, size_t step)
{
	if (x->steps[step].live) return;
	struct error e;
	failpoint(ATTEMPT_BEGIN);
	struct emit em = {.kind = RECORD_ATTEMPT_STARTED, .step = step, .attempt = x->flow->steps[step].attempt + 1, .data = json_object()};
	if (execution_emit(x, em, &e)) {
		log_line(LOG_WARN, "execution %s: %s", x->id, e.text);
		return;
	}
	x->steps[step].worker_losses = 0;
	over_the_record(attempt_new(x, step, ATTEMPT_ACTION));
	start_later(x, step);
}

void attempt_evaluate(struct execution *x, size_t step)
{
	if (x->steps[step].live) return;
	failpoint(ATTEMPT_CONDITION);
	over_the_record(attempt_new(x, step, ATTEMPT_CONDITION));
	start_later(x, step);
}

void attempt_evaluate_targets(struct execution *x, size_t step)
{
	if (x->steps[step].live) return;
	failpoint(ATTEMPT_TARGETS);
	attempt_new(x, step, ATTEMPT_TARGETS);
	start_later(x, step);
}

void attempt_revive(struct execution *x, size_t step)
{
	failpoint(ATTEMPT_REVIVE);
	struct attempt *a = attempt_new(x, step, ATTEMPT_ACTION);
	x->steps[step].needs_run = false;
	over_the_record(a);
	start_later(x, step);
}

void attempt_verify_manual(struct execution *x, size_t step, const char *by)
{
	struct emit em = {
	    .kind = RECORD_ATTEMPT_STARTED, .step = step, .attempt = x->flow->steps[step].attempt + 1, .by = by, .data = json_pack("{s:s}", "why", "verify")};
	if (execution_emit(x, em, NULL)) return;
	over_the_record(attempt_new(x, step, ATTEMPT_ACTION));
	start_later(x, step);
}

void attempt_settle_by_verify(struct execution *x, size_t step, const char *by)
{
	x->steps[step].is_verify_tried = true;
	failpoint(ATTEMPT_PROOF);
	struct attempt *a = attempt_new(x, step, ATTEMPT_VERIFICATION);
	over_the_record(a);
	json_t *data = json_pack("{s:s}", "why", by ? "person" : "unknown");
	execution_emit(x, (struct emit){.kind = RECORD_VERIFICATION_STARTED, .step = step, .attempt = a->replay.attempt, .by = by, .data = data}, NULL);
	start_later(x, step);
}

/* A proof that nobody waits for any more. */
void attempt_end_proof(struct execution *x, size_t step, const char *why)
{
	struct attempt *a = x->steps[step].live;
	uint32_t number = x->flow->steps[step].attempt;
	if (a && a->purpose == ATTEMPT_VERIFICATION) {
		call_cancel_open(x, step);
		attempt_drop(a);
	}
	if (!x->flow->steps[step].is_verifying) return;
	json_t *data = json_pack("{s:s,s:s}", "outcome", "failed", "why", why);
	execution_emit(x, (struct emit){.kind = RECORD_VERIFICATION_FINISHED, .step = step, .attempt = number, .data = data}, NULL);
}

/* --- endings --------------------------------------------------------------------------------------------------------------------------- */

void attempt_drop(struct attempt *a)
{
	if (a->x->steps[a->step].live == a) a->x->steps[a->step].live = NULL;
	worker_release(a, false);
	json_decref(a->end);
	json_decref(a->diverged_asked);
	buf_clear(&a->log);
	free(a);
}

/* Gone, with its worker kept for the next one. */
static void attempt_retire(struct attempt *a)
{
	/* A worker that reached a limit says so and ends. */
	bool is_clean = a->has_ended && !a->is_stopping && strcmp(json_str(a->end, "kind", ""), "limit") != 0;
	worker_release(a, is_clean);
	attempt_drop(a);
}

static void finish(struct attempt *a, enum step_state outcome, const char *to, const char *why, const json_t *result)
{
	struct execution *x = a->x;
	size_t step = a->step;
	const char *log_name = a->log.len ? execution_blob(x, a->log.data, a->log.len) : NULL;
	json_t *kept = result && !json_is_null(result) ? json_incref((json_t *)result) : NULL;
	json_t *data =
	    json_pack("{s:s,s:s?,s:s?,s:s?,s:o*,s:i}", "outcome", step_state_name(outcome), "to", to, "result", kept ? execution_blob_json(x, kept) : NULL,
	              "error", execution_blob_text(x, why), "log", log_name ? json_pack("[s]", log_name) : NULL, "calls", (int)a->replay.asked);
	if (outcome == STEP_DIVERGED && a->diverged_call) json_object_set_new(data, "diverged", json_integer((json_int_t)a->diverged_call));
	if (outcome == STEP_DIVERGED && a->diverged_asked) json_object_set_new(data, "asked", json_string(execution_blob_json(x, a->diverged_asked)));
	struct emit em = {.kind = RECORD_ATTEMPT_FINISHED, .step = step, .attempt = a->replay.attempt, .data = data};
	struct error e;
	failpoint(ATTEMPT_FINISH);
	char *kept_why = mem_strdup(why);
	attempt_retire(a);
	if (execution_emit(x, em, &e)) {
		log_line(LOG_ERROR, "execution %s: %s", x->id, e.text);
		json_decref(kept);
	} else {
		x->steps[step].result = kept;
		x->steps[step].why = arena_strdup(x->arena, kept_why);
	}
	free(kept_why);
}

static size_t count_open(const struct attempt *a)
{
	size_t n = 0;
	for (size_t i = 0; i < a->x->steps[a->step].call_count; i++) {
		struct flow_call c = call_seen(a->x->steps[a->step].calls[i]);
		n += replay_awaits(&a->replay, &c);
	}
	return n;
}

static bool was_denied(const struct attempt *a)
{
	uint32_t number = (uint32_t)json_int(a->end, "call", 0);
	struct call *c = number ? execution_call(a->x, a->step, a->replay.attempt, a->replay.first_call + number) : NULL;
	return c && c->outcome && strcmp(c->outcome, "denied") == 0;
}

/* "sentence (runbooks/x.md:12)" */
static char *why_of(const json_t *end)
{
	const char *why = json_str(end, "why", NULL);
	const json_t *at = json_obj(end, "at");
	if (!why) return NULL;
	if (!at || strstr(why, json_str(at, "chunk", "\n"))) return mem_strdup(why);
	return mem_printf("%s (%s:%d)", why, json_str(at, "chunk", "?"), (int)json_int(at, "line", 0));
}

static void conclude_condition(struct attempt *a)
{
	struct execution *x = a->x;
	size_t step = a->step;
	const char *word = json_str(a->end, "outcome", "failed");
	const json_t *value = json_object_get(a->end, "value");
	bool holds = value && !json_is_null(value) && !json_is_false(value), raised = strcmp(word, "succeeded") != 0;
	char *why = raised ? why_of(a->end) : NULL;
	json_t *data = json_pack("{s:s,s:b,s:s?}", "outcome",
	                         raised  ? "failed"
	                         : holds ? "succeeded"
	                                 : "skipped",
	                         "value", holds, "error", execution_blob_text(x, why));
	attempt_retire(a);
	failpoint(ATTEMPT_CONDITION_END);
	execution_emit(x, (struct emit){.kind = RECORD_CONDITION_EVALUATED, .step = step, .data = data}, NULL);
	if (why) x->steps[step].why = arena_strdup(x->arena, why);
	free(why);
}

/* A list of texts: hosts, names of what the step touches. */
static bool are_texts(const json_t *v)
{
	size_t i;
	json_t *item;
	if (!json_is_array(v) || json_array_size(v) > TARGETS_MAX) return false;
	json_array_foreach(v, i, item) if (!json_is_string(item)) return false;
	return true;
}

/* What is no list of texts counts as not to be known: rules on targets count against the step then. */
static void conclude_targets(struct attempt *a)
{
	struct execution *x = a->x;
	size_t step = a->step;
	json_t *value = json_incref(json_object_get(a->end, "value"));
	/* An empty table of Lua has no shape. */
	if (json_is_object(value) && json_object_size(value) == 0) json_decref(value), value = json_array();
	bool is_list = strcmp(json_str(a->end, "outcome", "failed"), "succeeded") == 0 && are_texts(value);
	char *why = is_list ? NULL : why_of(a->end);
	if (!is_list && !why) why = mem_printf("targets gives no list of at most %d texts", TARGETS_MAX);
	json_t *data = json_pack("{s:s,s:s,s:s?,s:s?}", "what", "targets", "outcome", is_list ? "succeeded" : "failed", "result",
	                         is_list ? execution_blob_json(x, value) : NULL, "error", execution_blob_text(x, why));
	if (is_list) json_object_set_new(data, "count", json_integer((json_int_t)json_array_size(value)));
	attempt_retire(a);
	failpoint(ATTEMPT_TARGETS_END);
	execution_emit(x, (struct emit){.kind = RECORD_CONDITION_EVALUATED, .step = step, .data = data}, NULL);
	json_decref(value);
	free(why);
}

/* True settles the step; false proves nothing, and a person answers. */
static void conclude_verification(struct attempt *a)
{
	struct execution *x = a->x;
	size_t step = a->step;
	const json_t *value = json_object_get(a->end, "value");
	bool holds = strcmp(json_str(a->end, "outcome", "failed"), "succeeded") == 0 && !json_is_false(value);
	json_t *result = holds && json_is_object(value) ? json_incref((json_t *)value) : NULL;
	char *why = why_of(a->end);
	uint32_t number = a->replay.attempt;
	json_t *data = json_pack("{s:s,s:s?}", "outcome", holds ? "succeeded" : "failed", "error", execution_blob_text(x, why));
	attempt_retire(a);
	failpoint(ATTEMPT_PROOF_END);
	execution_emit(x, (struct emit){.kind = RECORD_VERIFICATION_FINISHED, .step = step, .attempt = number, .data = data}, NULL);
	if (holds) {
		data = json_pack("{s:s,s:s,s:s?}", "outcome", "succeeded", "why", "verify", "result", result ? execution_blob_json(x, result) : NULL);
		if (!execution_emit(x, (struct emit){.kind = RECORD_STEP_SETTLED, .step = step, .attempt = number, .data = data}, NULL))
			x->steps[step].result = json_incref(result);
	}
	json_decref(result);
	free(why);
}

/* It is over before it asked them again. False: an earlier try of one may have had its effect, and a person says what became of it. */
static bool abandon_calls(struct attempt *a)
{
	struct execution *x = a->x;
	for (size_t i = 0; i < x->steps[a->step].call_count; i++) {
		struct call *c = x->steps[a->step].calls[i];
		struct flow_call seen = call_seen(c);
		if (!replay_abandons(&a->replay, &seen)) continue;
		if (call_fate_of(&seen, LOSS_STEP, 0) == FATE_UNKNOWN)
			call_unknown(x, c, "not_made_again");
		else
			call_finish(x, c, "failed",
			            json_pack("{s:s?}", "error", execution_blob_text(x, "the step was stopped before the call was made again")));
	}
	return x->flow->steps[a->step].state != STEP_UNKNOWN;
}

static void conclude_action(struct attempt *a)
{
	const char *word = json_str(a->end, "outcome", "failed"), *to = json_str(a->end, "to", NULL);
	enum step_state outcome = STEP_FAILED;
	char *why = why_of(a->end);
	if (strcmp(word, "succeeded") == 0)
		outcome = STEP_SUCCEEDED;
	else if (strcmp(word, "skipped") == 0)
		outcome = STEP_SKIPPED;
	else if (strcmp(word, "go") == 0)
		outcome = STEP_SUCCEEDED;
	else if (was_denied(a))
		outcome = STEP_DENIED;
	if (strcmp(word, "go") != 0) to = NULL;
	if (to && graph_find(a->x->graph, to) == SIZE_MAX) {
		free(why);
		why = mem_printf("go(\"%.*s\"): the book has no step with that id", (int)text_cut(to, strlen(to), 100), to);
		outcome = STEP_FAILED;
		to = NULL;
	}
	if (to && graph_find(a->x->graph, to) <= a->step && a->x->flow->steps[a->step].goto_used >= a->x->book->steps[a->step].goto_max) {
		free(why);
		why = mem_printf("go(\"%.*s\"): the step has gone back %d times, its most", (int)text_cut(to, strlen(to), 100), to,
		                 a->x->book->steps[a->step].goto_max);
		outcome = STEP_FAILED;
		to = NULL;
	}
	for (size_t i = 0; i < a->x->steps[a->step].call_count && outcome != STEP_DIVERGED; i++) {
		const struct call *c = a->x->steps[a->step].calls[i];
		struct flow_call seen = call_seen(c);
		if (a->is_cut_off || !replay_left_out(&a->replay, &seen)) continue;
		free(why);
		why = diverged_why(a->x, c, NULL);
		a->diverged_call = c->number;
		outcome = STEP_DIVERGED;
		to = NULL;
	}
	if ((outcome == STEP_DIVERGED || a->is_cut_off) && !abandon_calls(a)) {
		attempt_drop(a);
		free(why);
		return;
	}
	json_t *end = json_incref(a->end);
	finish(a, outcome, to, why, outcome == STEP_SUCCEEDED && !to ? json_object_get(end, "value") : NULL);
	json_decref(end);
	free(why);
}

static void conclude(struct attempt *a)
{
	if (a->purpose == ATTEMPT_CONDITION)
		conclude_condition(a);
	else if (a->purpose == ATTEMPT_TARGETS)
		conclude_targets(a);
	else if (a->purpose == ATTEMPT_VERIFICATION)
		conclude_verification(a);
	else
		conclude_action(a);
}

void attempt_calls_changed(struct execution *x, size_t step)
{
	struct attempt *a = x->steps[step].live;
	if (!a) return;
	switch (replay_follow(&a->replay, x->flow->steps[step].state, count_open(a), a->is_stopping, a->has_ended)) {
	case REPLAY_GOES_ON:
		break;
	case REPLAY_IS_DROPPED:
		attempt_drop(a);
		break;
	case REPLAY_LOSES_WORKER:
		worker_release(a, false);
		break;
	case REPLAY_PROVES_NOTHING:
		attempt_end_proof(x, step, "cancelled");
		break;
	case REPLAY_IS_STOPPED:
		if (!abandon_calls(a))
			attempt_drop(a);
		else
			finish(a, a->stop_outcome, NULL, a->stop_outcome == STEP_TIMED_OUT ? "the step's deadline passed" : a->stop_why, NULL);
		break;
	case REPLAY_CONCLUDES:
		conclude(a);
		break;
	}
}

void attempt_fail(struct attempt *a, const char *fmt, ...)
{
	char text[2 * ERROR_TEXT_BYTES];
	struct buf why;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_init(&why, 8 * sizeof text);
	/* A sentence may quote what a peer sent. */
	text_visible(&why, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1, TEXT_KEEP_NOTHING);
	a->end = json_pack("{s:s,s:s}", "outcome", "failed", "why", why.data ? why.data : "");
	buf_clear(&why);
	a->has_ended = a->is_cut_off = true;
	call_cancel_open(a->x, a->step);
	attempt_calls_changed(a->x, a->step);
}

void attempt_stop(struct execution *x, size_t step, enum step_state outcome)
{
	struct attempt *a = x->steps[step].live;
	if (!a) {
		/* A question was open, or a condition's call, or commands on a person's terminal: nothing of ours is under way. */
		call_cancel_open(x, step);
		/* Its worker has just ended, and what it asked for goes on: we are asked again when that is known. */
		if (call_any_under_way(x, step)) return;
		call_settle_open(x, step, "cancelled", LOSS_STEP);
		attempt_end_proof(x, step, "cancelled");
		const struct flow_step *f = &x->flow->steps[step];
		if (f->state == STEP_UNKNOWN || (!f->is_in_attempt && f->state != STEP_WAITING)) return;
		json_t *data = json_pack("{s:s}", "outcome", step_state_name(outcome));
		struct emit em = {.kind = RECORD_ATTEMPT_FINISHED, .step = step, .attempt = f->attempt ? f->attempt : 1, .data = data};
		execution_emit(x, em, NULL);
		return;
	}
	if (a->is_stopping) return;
	a->is_stopping = true;
	a->stop_outcome = outcome;
	worker_release(a, false);
	call_cancel_open(x, step);
	attempt_calls_changed(x, step);
}
