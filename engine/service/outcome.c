#include "base/failpoint.h"
#include "base/log.h"
#include "sandbox/wire.h"
#include "service/attempt.h"
#include "service/call.h"

#include <stdlib.h>
#include <string.h>

/* What became of a call: its record, and behind that the answer to the worker, in the order of the records. */

static const char *const stream_names[2] = {"stdout", "stderr"};

_Static_assert((int)CALLS_IN_RANGE == (int)WIRE_CALLS_MAX, "a range holds all calls of an attempt");

struct flow_call call_seen(const struct call *c)
{
	return (struct flow_call){.number = c->number,
	                          .attempt = c->attempt,
	                          .order = c->order,
	                          .effect = c->effect,
	                          .state = c->state,
	                          .is_question = c->is_question,
	                          .is_child = c->child != NULL,
	                          .is_in_verify = c->is_in_verify,
	                          .has_terminal = c->client != 0,
	                          .is_intended = c->is_intended,
	                          .is_dispatched = c->is_dispatched,
	                          .is_cancelled = c->is_cancelled,
	                          .has_left_before = c->intents > 1};
}

/* What a host's answer says beside its output. */
static void add_details(struct execution *x, const struct call *c, json_t *value)
{
	const char *name = json_str(c->finished, "details", NULL);
	size_t n;
	char *text = name ? execution_read_blob(x, name, &n) : NULL;
	json_t *details = text ? json_loadb(text, n, JSON_ALLOW_NUL, NULL) : NULL;
	if (json_obj(details, "data")) json_object_update(value, json_obj(details, "data"));
	json_decref(details);
	free(text);
}

static void send_answer(struct attempt *a, struct call *c)
{
	struct buf payload;
	size_t lengths[2] = {0, 0};
	buf_init(&payload, WIRE_PAYLOAD_BYTES_MAX * 2);
	int number = (int)(c->number - a->replay.first_call);
	json_t *head = json_pack("{s:s,s:i,s:I}", "t", "answer", "c", number, "now_us", (json_int_t)c->finished_us);
	if (strcmp(c->outcome, "ok") == 0) {
		json_object_set_new(head, "ok", json_true());
		for (int s = 0; s < 2; s++) lengths[s] = output_add(a->x, c, s, &payload);
		json_t *value = json_object();
		static const char *const keys[][2] = {{"code", "code"}, {"signal", "signal"}, {"is_truncated", "truncated"}, {"is_redacted", "redacted"}};
		for (int i = 0; i < 4; i++)
			if (json_object_get(c->finished, keys[i][0])) json_object_set(value, keys[i][1], json_object_get(c->finished, keys[i][0]));
		add_details(a->x, c, value);
		if (c->answer_blob) {
			json_decref(value);
			size_t n;
			char *text = execution_read_blob(a->x, c->answer_blob, &n);
			value = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
			free(text);
			if (!value) value = json_null();
		}
		json_object_set_new(head, "value", value);
		/* A person's answer has no output, nor the engine's own: a table that it gives stays as it is. */
		if (!c->is_question && !c->is_of_engine) {
			json_object_set_new(head, "stdout", json_integer((json_int_t)lengths[0]));
			json_object_set_new(head, "stderr", json_integer((json_int_t)lengths[1]));
		}
	} else {
		char *why = execution_read_blob(a->x, json_str(c->finished, "error", NULL), NULL);
		json_object_set_new(head, "ok", json_false());
		json_object_set_new(head, "kind", json_string(c->outcome));
		json_object_set_new(head, "why", json_text(why));
		free(why);
	}
	failpoint(CALL_ANSWER);
	link_send_new(a->worker->link, head, payload.data, payload.len);
	failpoint(CALL_ANSWERED);
	buf_clear(&payload);
	for (int s = 0; s < 2; s++) buf_clear(&c->out[s]), c->out[s].max = 0;
}

void attempt_deliver(struct attempt *a)
{
	struct step_data *s = &a->x->steps[a->step];
	for (bool found = true; found && a->worker;) {
		found = false;
		for (size_t i = s->call_count; i-- > 0 && !found;) {
			struct flow_call c = call_seen(s->calls[i]);
			found = replay_gets_next(&a->replay, &c);
			if (!found) continue;
			replay_delivered(&a->replay);
			send_answer(a, s->calls[i]);
		}
	}
}

static void outcome_durable(struct execution *x, json_t *data)
{
	size_t step = (size_t)json_int(data, "step", 0);
	struct attempt *a = x->steps[step].live;
	struct flow_call c = {
	    .attempt = (uint32_t)json_int(data, "attempt", 0), .number = (uint32_t)json_int(data, "call", 0), .order = (uint32_t)json_int(data, "order", 0)};
	failpoint(CALL_OUTCOME_DURABLE);
	if (a && replay_recorded(&a->replay, &c)) attempt_deliver(a);
}

void call_finish(struct execution *x, struct call *c, const char *outcome, json_t *data)
{
	output_whole(c);
	json_object_set_new(data, "outcome", json_string(outcome));
	for (int s = 0; s < 2; s++) {
		json_t *names = output_blobs(x, c, s);
		if (names) json_object_set_new(data, stream_names[s], names);
		if (c->seen_bytes[s]) json_object_set_new(data, s ? "stderr_bytes" : "stdout_bytes", json_integer((json_int_t)c->seen_bytes[s]));
		if (c->seen_bytes[s] > c->out[s].len) json_object_set_new(data, "is_truncated", json_true());
	}
	if (c->is_redacted) json_object_set_new(data, "is_redacted", json_true());
	struct error e;
	struct emit em = {.kind = RECORD_CALL_FINISHED, .step = c->step, .attempt = c->attempt, .call = c->number, .data = data};
	if (execution_emit(x, em, &e)) log_line(LOG_ERROR, "execution %s: %s", x->id, e.text);
	failpoint(CALL_FINISHED);
	output_forget(x, c);
	execution_later(x, outcome_durable,
	                json_pack("{s:I,s:I,s:I,s:I}", "step", (json_int_t)c->step, "attempt", (json_int_t)c->attempt, "call", (json_int_t)c->number, "order",
	                          (json_int_t)c->order));
}

void call_unknown(struct execution *x, struct call *c, const char *why)
{
	call_unknown_because(x, c, why, NULL);
}

void call_unknown_because(struct execution *x, struct call *c, const char *why, const char *sentence)
{
	failpoint(CALL_UNKNOWN);
	output_whole(c);
	json_t *data =
	    json_pack("{s:s,s:s,s:o*,s:o*}", "why", why, "effect", effect_word(c->effect), "stdout", output_blobs(x, c, 0), "stderr", output_blobs(x, c, 1));
	if (c->seen_bytes[0] + c->seen_bytes[1])
		json_object_set_new(data, "output_bytes", json_integer((json_int_t)c->seen_bytes[0] + (json_int_t)c->seen_bytes[1]));
	if (sentence && *sentence) json_object_set_new(data, "error", json_string(execution_blob_text(x, sentence)));
	execution_emit(x, (struct emit){.kind = RECORD_CALL_UNKNOWN, .step = c->step, .attempt = c->attempt, .call = c->number, .data = data}, NULL);
	c->is_dispatched = false;
	output_forget(x, c);
}

void call_not_made(struct execution *x, struct call *c, const char *outcome, const char *why)
{
	struct flow_call seen = call_seen(c);
	if (call_fate_unmade(&seen) == FATE_UNKNOWN)
		call_unknown(x, c, strcmp(outcome, "denied") == 0 ? "denied" : "not_asked");
	else
		call_finish(x, c, outcome, json_pack("{s:s?}", "error", execution_blob_text(x, why)));
}
