#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "service/approval.h"
#include "service/attempt.h"
#include "service/configure.h"
#include "service/operations.h"
#include "service/rights.h"
#include "service/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Operations that move an execution. */

static void emit_or_fail(struct request *q, struct emit em, json_t *value)
{
	struct error e;
	em.by = q->client->principal;
	if (execution_emit(q->x, em, &e)) {
		request_fail(q, &e);
		json_decref(value);
		return;
	}
	request_answer_durable(q, value);
}

void op_run(struct request *q)
{
	struct execution *x;
	struct error e;
	struct execution_wish w = wish_of(q);
	struct inventory_at *awaited = NULL;
	w.is_start = true;
	w.awaited = &awaited;
	if (!w.book) {
		request_refuse(q, ERR_USAGE, "run needs a book: its absolute path");
		return;
	}
	if (execution_new(q->engine, &w, &x, &e)) {
		if (awaited)
			request_await_inventory(q, awaited, op_run);
		else
			request_fail(q, &e);
	} else {
		engine_add(q->engine, x);
		/* Attached before anything runs: the client misses nothing between this answer and its attach. */
		q->x = x;
		json_t *answer = json_pack("{s:s}", "execution", x->id);
		if (json_bool(q->args, "attach", false)) client_attach(q->client, x->id);
		request_answer_durable(q, answer);
	}
}

void op_go(struct request *q)
{
	size_t step = request_step(q);
	if (step != SIZE_MAX) emit_or_fail(q, (struct emit){.kind = RECORD_STEP_REQUESTED, .step = step, .data = json_object()}, NULL);
}

/* Before a person settles a step, what is under way for it must be known. */
static bool nothing_under_way(struct request *q, size_t step)
{
	const struct flow_step *f = &q->x->flow->steps[step];
	if (!q->x->steps[step].live && !((f->open_calls || f->open_terminal) && f->state != STEP_UNKNOWN)) return true;
	request_refuse(q, ERR_CONFLICT, "step %s is under way", q->x->book->steps[step].id);
	return false;
}

void op_settle(struct request *q)
{
	size_t step = request_step(q);
	if (step == SIZE_MAX || !nothing_under_way(q, step)) return;
	struct execution *x = q->x;
	const char *outcome = json_str(q->args, "outcome", ""), *note = json_str(q->args, "note", NULL);
	const struct book_step *b = &x->book->steps[step];
	if (strcmp(outcome, "succeeded") != 0 && strcmp(outcome, "failed") != 0 && strcmp(outcome, "skipped") != 0) {
		request_refuse(q, ERR_USAGE, "a step is settled as succeeded, failed or skipped");
		return;
	}
	if (x->flow->steps[step].state == STEP_UNKNOWN) {
		request_refuse(q, ERR_CONFLICT, "a call of step %s has an unknown outcome: resolve it, with a reason", b->id);
		return;
	}
	/* What nobody has begun is done by hand under the rules under which it would begin; what ended badly is a person's word. */
	struct error e;
	bool is_begun = x->flow->steps[step].is_in_attempt || flow_is_over(x->flow->steps[step].state);
	if (strcmp(outcome, "succeeded") == 0 && !is_begun && approval_check_by_hand(x, step, &e)) {
		request_fail(q, &e);
		execution_step_on(x);
		return;
	}
	bool is_waiting_manual = b->is_manual && x->flow->steps[step].state == STEP_WAITING;
	if (strcmp(outcome, "succeeded") == 0 && is_waiting_manual && step_fence(b, FENCE_VERIFY)) {
		/* A person's word, and then the step's own proof. */
		if (note && *note) {
			const char *name = execution_blob_text(x, note);
			x->steps[step].note_blob = arena_strdup(x->arena, name);
			struct emit em = {.kind = RECORD_NOTE_ADDED, .step = step, .by = q->client->principal, .data = json_pack("{s:s}", "note", name)};
			execution_emit(x, em, NULL);
		}
		attempt_verify_manual(x, step, q->client->principal);
		request_answer_durable(q, json_pack("{s:b}", "verifying", 1));
		return;
	}
	json_t *d = json_pack("{s:s,s:s,s:s?}", "outcome", outcome, "why", "person", "note", execution_blob_text(x, note));
	if (strcmp(outcome, "skipped") == 0 && !flow_is_over(x->flow->steps[step].state)) {
		json_object_del(d, "note");
		json_object_del(d, "outcome");
		if (note) json_object_set_new(d, "reason", json_string(execution_blob_text(x, note)));
		emit_or_fail(q, (struct emit){.kind = RECORD_STEP_SKIPPED, .step = step, .data = d}, NULL);
		return;
	}
	emit_or_fail(q, (struct emit){.kind = RECORD_STEP_SETTLED, .step = step, .data = d}, NULL);
}

void op_again(struct request *q)
{
	size_t step = request_step(q);
	if (step == SIZE_MAX || !nothing_under_way(q, step)) return;
	for (size_t i = 0; i < q->x->graph->count; i++) q->x->steps[i].is_dirty = true;
	attempt_drop_conditions(q->x);
	emit_or_fail(q, (struct emit){.kind = RECORD_STEP_RESET, .step = step, .data = json_pack("{s:s}", "why", "again")}, NULL);
}

static bool fits(const struct request *q, const struct call *c, const json_t *value, struct error *e)
{
	bool good = true;
	size_t n;
	char *text = execution_read_blob(q->x, c->arguments_blob, &n);
	json_t *form = json_loadb(text, n, JSON_ALLOW_NUL, NULL), *arguments = json_obj(form, "arguments"), *choices = json_arr(arguments, "choices");
	const char *type = json_str(arguments, "type", "string");
	int64_t us;
	if (strcmp(type, "bool") == 0)
		good = json_is_boolean(value);
	else if (strcmp(type, "int") == 0)
		good = json_is_integer(value);
	else if (strcmp(type, "enum") == 0) {
		good = false;
		size_t i;
		json_t *v;
		json_array_foreach(choices, i, v) good = good || json_equal(v, value);
	} else if (strcmp(type, "number") == 0)
		good = json_is_number(value);
	else
		good = json_is_string(value) && (strcmp(type, "duration") != 0 || clock_parse_duration(json_string_value(value), &us, NULL) == ERR_OK);
	if (!good) error_set(e, ERR_INVALID, "the answer does not fit: the question asks for %s", strcmp(type, "enum") == 0 ? "one of its choices" : type);
	json_decref(form);
	free(text);
	return good;
}

void op_answer(struct request *q)
{
	size_t step = request_step(q);
	if (step == SIZE_MAX) return;
	struct call *c = execution_call(q->x, step, q->x->flow->steps[step].attempt, request_call(q));
	json_t *value = json_object_get(q->args, "value");
	struct error e;
	if (!c || !c->is_question || c->state != CALL_STARTED || strcmp(c->module, "approve") == 0)
		request_refuse(q, ERR_CONFLICT, "step %s has no such open question", q->x->book->steps[step].id);
	else if (!value || !fits(q, c, value, &e))
		request_fail(q, &e);
	else if (call_answered(q->x, c, value, q->client->principal, &e))
		request_fail(q, &e);
	else
		request_answer_durable(q, NULL);
}

/* --- the whole execution ------------------------------------------------------------------------------------------------------------- */

void op_pause(struct request *q)
{
	emit_or_fail(q, (struct emit){.kind = RECORD_EXECUTION_PAUSED, .step = SIZE_MAX, .data = json_pack("{s:s}", "why", "person")}, NULL);
}

void op_resume(struct request *q)
{
	struct error e;
	/* Who does not drive it, and does not want to, takes it up as it was: a pause is its driver's. */
	bool keeps = json_bool(q->args, "keep_driver", false);
	if (q->x) {
		bool is_other = strcmp(q->client->principal, q->x->driver) != 0, steers = !is_other || !keeps;
		is_other = is_other && !keeps;
		if (rights_resume(q->x, q->client->principal, &e) || (is_other && operate_take_over(q, &e)))
			request_fail(q, &e);
		else if (is_other && !q->x->flow->is_paused)
			request_answer_durable(q, json_pack("{s:s}", "execution", q->x->id));
		else if (q->x->flow->is_paused && steers)
			emit_or_fail(q, (struct emit){.kind = RECORD_EXECUTION_RESUMED, .step = SIZE_MAX, .data = json_pack("{s:s}", "why", "person")}, NULL);
		else
			request_answer(q, json_pack("{s:s}", "execution", q->x->id), NULL, 0);
		return;
	}
	struct execution *x;
	if (execution_load(q->engine, q->engine->reader, q->execution, &x, &e)) {
		request_fail(q, &e);
		return;
	}
	if (engine_check_workspace(q->engine, x->workspace, &e)) {
		request_fail(q, &e);
		execution_free(x);
		return;
	}
	if (x->flow->is_finished) {
		request_refuse(q, ERR_CONFLICT, "execution %s is over (%s)", x->id, run_state_name(x->flow->state));
		execution_free(x);
		return;
	}
	if (rights_resume(x, q->client->principal, &e)) {
		request_fail(q, &e);
		execution_free(x);
		return;
	}
	if (secret_give_params(x, json_obj(q->args, "secrets"), &e)) {
		request_fail(q, &e);
		execution_free(x);
		return;
	}
	engine_add(q->engine, x);
	q->x = x;
	execution_take_up(x, q->client->principal);
	if (!keeps) operate_take_over(q, NULL);
	if (strcmp(q->client->principal, x->driver) == 0 && x->flow->is_paused && json_bool(q->args, "go_on", true)) {
		struct emit em = {.kind = RECORD_EXECUTION_RESUMED, .step = SIZE_MAX, .by = q->client->principal, .data = json_pack("{s:s}", "why", "person")};
		execution_emit(x, em, NULL);
	}
	request_answer_durable(q, json_pack("{s:s}", "execution", x->id));
}

void op_cancel(struct request *q)
{
	const char *reason = json_str(q->args, "reason", NULL);
	json_t *d = json_pack("{s:s,s:s?}", "why", "person", "reason", execution_blob_text(q->x, reason));
	emit_or_fail(q, (struct emit){.kind = RECORD_EXECUTION_CANCELLED, .step = SIZE_MAX, .data = d}, NULL);
}

void op_stop(struct request *q)
{
	struct execution *x = q->x;
	enum run_state state = RUN_SUCCEEDED;
	for (size_t i = 0; i < x->graph->count; i++) {
		enum step_state s = x->flow->steps[i].state;
		if (s == STEP_RUNNING || x->flow->steps[i].open_calls || x->flow->steps[i].open_terminal) {
			request_refuse(q, ERR_CONFLICT, "step %s is under way: cancel the execution instead, or wait for it", x->book->steps[i].id);
			return;
		}
		if (s != STEP_SUCCEEDED && s != STEP_SKIPPED) state = RUN_FAILED;
	}
	json_t *d =
	    json_pack("{s:s,s:s,s:s?}", "state", run_state_name(state), "why", "person", "reason", execution_blob_text(x, json_str(q->args, "note", NULL)));
	emit_or_fail(q, (struct emit){.kind = RECORD_EXECUTION_FINISHED, .step = SIZE_MAX, .data = d}, NULL);
}

void op_note(struct request *q)
{
	const char *id = json_str(q->args, "step", NULL), *text = json_str(q->args, "text", "");
	size_t step = id ? request_step(q) : SIZE_MAX;
	if (id && step == SIZE_MAX) return;
	if (!*text) {
		request_refuse(q, ERR_USAGE, "an empty note");
		return;
	}
	struct execution *x = q->x;
	json_array_append_new(x->notes,
	                      json_pack("{s:s?,s:s,s:s,s:I}", "step", id, "by", q->client->principal, "text", text, "t_us", (json_int_t)clock_now_us()));
	engine_broadcast(x->engine, x,
	                 json_pack("{s:s,s:s,s:s?,s:s,s:s}", "ev", "note", "execution", x->id, "step", id, "by", q->client->principal, "text", text), NULL, 0);
	emit_or_fail(q, (struct emit){.kind = RECORD_NOTE_ADDED, .step = step, .data = json_pack("{s:s}", "note", execution_blob_text(x, text))}, NULL);
}

void op_allow(struct request *q)
{
	struct error e;
	json_t *patterns = json_arr(q->args, "patterns");
	const struct policy *p = NULL;
	if (rights_policy(q->x, &p, &e))
		request_fail(q, &e);
	else if (p)
		request_refuse(q, ERR_DENIED, "a policy governs this execution, and it alone says what is allowed: rung policy explain");
	else if (!patterns || execution_allow(q->x, patterns, &e)) {
		if (!patterns) error_set(&e, ERR_USAGE, "allow needs patterns");
		request_fail(q, &e);
	} else {
		json_t *d = json_pack("{s:b,s:s,s:s}", "allowed", 1, "by", "person", "patterns", execution_blob_json(q->x, patterns));
		emit_or_fail(q, (struct emit){.kind = RECORD_RIGHT_DECIDED, .step = SIZE_MAX, .data = d}, NULL);
	}
}

/* --- commands of a shell fence on the person's own terminal --------------------------------------------------------------------------- */

void op_shell_start(struct request *q)
{
	size_t step = request_step(q);
	const char *command = json_str(q->args, "command", "");
	if (step == SIZE_MAX) return;
	struct execution *x = q->x;
	struct flow_step *f = &x->flow->steps[step];
	if (x->steps[step].live || !*command) {
		request_refuse(q, ERR_CONFLICT, x->steps[step].live ? "step %s is under way" : "step %s: an empty command", x->book->steps[step].id);
		return;
	}
	struct error e;
	if (!f->is_in_attempt && approval_check_by_hand(x, step, &e)) {
		request_fail(q, &e);
		execution_step_on(x);
		return;
	}
	uint32_t attempt = f->attempt ? f->attempt : 1, number = execution_next_call(x, step, attempt, CALLS_OF_TERMINAL);
	json_t *form = json_pack("{s:s,s:s,s:I}", "command", command, "cwd", json_str(q->args, "cwd", ""), "fence", json_int(q->args, "fence", 0));
	json_t *d = json_pack("{s:s,s:s,s:s,s:s}", "module", "shell", "function", json_bool(q->args, "terminal", false) ? "terminal" : "command", "effect",
	                      "once", "arguments", execution_blob_json(x, form));
	json_decref(form);
	if (execution_emit(
	        x, (struct emit){.kind = RECORD_CALL_STARTED, .step = step, .attempt = attempt, .call = number, .by = q->client->principal, .data = d}, &e)) {
		request_fail(q, &e);
		return;
	}
	struct call *c = execution_call(x, step, attempt, number);
	c->client = q->client->id;
	c->words = arena_strdup(x->arena, command);
	char *lock = lock_terminal_path(x);
	int fd = open(lock, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	/* Beside a shared socket whoever drives opens it, and its folder lets in no others. */
	if (fd >= 0 && x->engine->terminal_locks && fchmod(fd, 0660) != 0) log_line(LOG_WARN, "%s: %s", lock, strerror(errno));
	if (fd >= 0) close(fd);
	request_answer_durable(q, json_pack("{s:i,s:i,s:s}", "call", (int)number, "attempt", (int)attempt, "lock", lock));
	free(lock);
}

static struct call *shell_call(struct request *q)
{
	size_t step = request_step(q);
	if (step == SIZE_MAX) return NULL;
	/* The step may be at a later attempt by now. */
	struct step_data *s = &q->x->steps[step];
	for (size_t i = s->call_count; i-- > 0;)
		if (s->calls[i]->number == request_call(q) && s->calls[i]->client == q->client->id && s->calls[i]->state == CALL_STARTED) return s->calls[i];
	request_refuse(q, ERR_CONFLICT, "no such command of this terminal is open");
	return NULL;
}

void op_shell_output(struct request *q)
{
	struct call *c = shell_call(q);
	if (!c) return;
	call_output(q->x, c, strcmp(json_str(q->args, "stream", "stdout"), "stderr") == 0, q->payload, q->payload_len);
	request_answer(q, NULL, NULL, 0);
}

void op_shell_finish(struct request *q)
{
	struct call *c = shell_call(q);
	if (!c) return;
	json_t *d = json_object();
	if (json_is_integer(json_object_get(q->args, "code"))) json_object_set(d, "code", json_object_get(q->args, "code"));
	if (json_is_integer(json_object_get(q->args, "signal"))) json_object_set(d, "signal", json_object_get(q->args, "signal"));
	c->client = 0;
	call_finish(q->x, c, "ok", d);
	request_answer_durable(q, NULL);
}
