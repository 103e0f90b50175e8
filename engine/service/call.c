#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "sandbox/wire.h"
#include "service/attempt.h"
#include "service/engine_state.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Calls: right, intent, effect, outcome, answer; in this order, each durable before the next. */

enum { OUTPUT_HEAD_BYTES = 1 << 20, OUTPUT_TAIL_BYTES = 9 << 20, EXECUTION_OUTPUT_BYTES = 256 << 20 };

static const char *const stream_names[2] = {"stdout", "stderr"};

/* --- output: the first 1 and the last 9 MiB are kept, the rest is counted ----------------------------------------------------------- */

static char *spool_path(const struct execution *x, const struct call *c, int stream)
{
	return mem_printf("%s/spool/%s.%s.%u.%u.%s", x->engine->state_dir, x->id, x->book->steps[c->step].id, c->attempt, c->number, stream_names[stream]);
}

static void spool(struct execution *x, struct call *c, int stream, const void *data, size_t n)
{
	if (c->spool_fd[stream] < 0) {
		char *path = spool_path(x, c, stream);
		c->spool_fd[stream] = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
		free(path);
	}
	/* The spool is for looking at after a crash: where it cannot be written, the outcome's blobs still are. */
	if (c->spool_fd[stream] >= 0) fs_write_all(c->spool_fd[stream], data, n, NULL);
}

/* What a command printed before the engine that watched it ended. */
static void spool_read(struct execution *x, struct call *c)
{
	for (int stream = 0; stream < 2; stream++) {
		char *path = spool_path(x, c, stream);
		buf_init(&c->out[stream], OUTPUT_HEAD_BYTES + OUTPUT_TAIL_BYTES);
		fs_read(path, &c->out[stream], NULL);
		c->seen_bytes[stream] = c->out[stream].len;
		unlink(path);
		free(path);
	}
}

static void spool_remove(struct execution *x, struct call *c)
{
	for (int stream = 0; stream < 2; stream++) {
		if (c->spool_fd[stream] < 0) continue;
		close(c->spool_fd[stream]);
		c->spool_fd[stream] = -1;
		char *path = spool_path(x, c, stream);
		unlink(path);
		free(path);
	}
}

void call_output(struct execution *x, struct call *c, int stream, const void *data, size_t n)
{
	json_t *head = json_pack("{s:s,s:s,s:s,s:i,s:i,s:s}", "ev", "output", "execution", x->id, "step", x->book->steps[c->step].id, "attempt", (int)c->attempt, "call", (int)c->number, "stream",
				 c->client && stream == 0 && strcmp(c->function, "terminal") == 0 ? "terminal" : stream_names[stream]);
	engine_broadcast(x->engine, x, head, data, n);
	c->seen_bytes[stream] += n;
	if (x->output_bytes >= EXECUTION_OUTPUT_BYTES) {
		c->is_over_limit = true;
		return;
	}
	x->output_bytes += n;
	if (c->out[stream].max == 0) {
		buf_init(&c->out[stream], OUTPUT_HEAD_BYTES);
		buf_init(&c->tail[stream], 2 * OUTPUT_TAIL_BYTES + WIRE_OUTPUT_BYTES_MAX);
	}
	spool(x, c, stream, data, n);
	size_t room = OUTPUT_HEAD_BYTES - c->out[stream].len, first = n < room ? n : room;
	buf_add(&c->out[stream], data, first);
	buf_add(&c->tail[stream], (const char *)data + first, n - first);
	/* Cut in large strokes: a move for each frame would be quadratic. */
	if (c->tail[stream].len > 2 * OUTPUT_TAIL_BYTES) buf_drop(&c->tail[stream], c->tail[stream].len - OUTPUT_TAIL_BYTES);
}

static void output_whole(struct call *c)
{
	for (int s = 0; s < 2; s++) {
		if (c->tail[s].len > OUTPUT_TAIL_BYTES) buf_drop(&c->tail[s], c->tail[s].len - OUTPUT_TAIL_BYTES);
		if (c->tail[s].len == 0) continue;
		c->out[s].max = OUTPUT_HEAD_BYTES + OUTPUT_TAIL_BYTES;
		buf_add(&c->out[s], c->tail[s].data, c->tail[s].len);
		buf_clear(&c->tail[s]);
	}
}

static json_t *output_blobs(struct execution *x, struct call *c, int stream)
{
	const struct buf *b = &c->out[stream];
	if (b->len == 0) return NULL;
	json_t *names = json_array();
	for (size_t at = 0; at < b->len; at += STORE_BLOB_BYTES_MAX) {
		size_t n = b->len - at < STORE_BLOB_BYTES_MAX ? b->len - at : STORE_BLOB_BYTES_MAX;
		json_array_append_new(names, json_string(execution_blob(x, b->data + at, n)));
	}
	return names;
}

static void output_read(struct execution *x, const struct call *c, struct buf *out, size_t lengths[2])
{
	for (int s = 0; s < 2; s++) {
		size_t before = out->len, i;
		json_t *name, *names = json_arr(c->finished, stream_names[s]);
		if (c->out[s].len) buf_add(out, c->out[s].data, c->out[s].len);
		else
			json_array_foreach(names, i, name)
			{
				size_t n;
				char *bytes = execution_read_blob(x, json_string_value(name), &n);
				buf_add(out, bytes, n);
				free(bytes);
			}
		lengths[s] = out->len - before;
	}
}

void call_release(struct call *c)
{
	for (int s = 0; s < 2; s++) {
		buf_clear(&c->out[s]);
		buf_clear(&c->tail[s]);
		if (c->spool_fd[s] >= 0) close(c->spool_fd[s]);
		c->spool_fd[s] = -1;
	}
	json_decref(c->finished);
	c->finished = NULL;
}

/* --- answers ------------------------------------------------------------------------------------------------------------------------- */

static void send_answer(struct attempt *a, struct call *c)
{
	struct buf payload;
	size_t lengths[2] = {0, 0};
	buf_init(&payload, WIRE_PAYLOAD_BYTES_MAX * 2);
	int number = (int)(c->number - a->first_call);
	json_t *head = json_pack("{s:s,s:i,s:I}", "t", "answer", "c", number, "now_us", (json_int_t)c->finished_us);
	if (strcmp(c->outcome, "ok") == 0) {
		json_object_set_new(head, "ok", json_true());
		output_read(a->x, c, &payload, lengths);
		json_t *value = json_object();
		static const char *const keys[] = {"code", "signal", "is_truncated"};
		for (int i = 0; i < 3; i++)
			if (json_object_get(c->finished, keys[i])) json_object_set(value, keys[i], json_object_get(c->finished, keys[i]));
		if (c->answer_blob) {
			json_decref(value);
			size_t n;
			char *text = execution_read_blob(a->x, c->answer_blob, &n);
			value = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
			free(text);
			if (!value) value = json_null();
		}
		json_object_set_new(head, "value", value);
		json_object_set_new(head, "stdout", json_integer((json_int_t)lengths[0]));
		json_object_set_new(head, "stderr", json_integer((json_int_t)lengths[1]));
	} else {
		char *why = execution_read_blob(a->x, json_str(c->finished, "error", NULL), NULL);
		json_object_set_new(head, "ok", json_false());
		json_object_set_new(head, "kind", json_string(c->outcome));
		json_object_set_new(head, "why", json_string(why));
		free(why);
	}
	link_send_new(a->worker->link, head, payload.data, payload.len);
	buf_clear(&payload);
	for (int s = 0; s < 2; s++) buf_clear(&c->out[s]), c->out[s].max = 0;
}

void attempt_deliver(struct attempt *a)
{
	struct step_data *s = &a->x->steps[a->step];
	for (bool found = true; found && a->worker;) {
		found = false;
		for (size_t i = s->call_count; i-- > 0 && !found;) {
			struct call *c = s->calls[i];
			if (c->attempt != a->number || c->order != a->delivered + 1 || c->number > a->first_call + a->asked) continue;
			if (c->order > a->recorded) continue; /* not durable yet */
			a->delivered++;
			send_answer(a, c);
			found = true;
		}
	}
}

static void outcome_durable(struct execution *x, json_t *data)
{
	size_t step = (size_t)json_int(data, "step", 0);
	struct attempt *a = x->steps[step].live;
	uint32_t order = (uint32_t)json_int(data, "order", 0);
	if (!a || a->number != (uint32_t)json_int(data, "attempt", 0)) return;
	if (order > a->recorded) a->recorded = order;
	attempt_deliver(a);
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
	struct error e;
	struct emit em = {.kind = RECORD_CALL_FINISHED, .step = c->step, .attempt = c->attempt, .call = c->number, .data = data};
	if (execution_emit(x, em, &e)) log_line(LOG_ERROR, "execution %s: %s", x->id, e.text);
	spool_remove(x, c);
	execution_later(x, outcome_durable, json_pack("{s:I,s:I,s:I}", "step", (json_int_t)c->step, "attempt", (json_int_t)c->attempt, "order", (json_int_t)c->order));
}

void call_unknown(struct execution *x, struct call *c, const char *why)
{
	output_whole(c);
	json_t *data = json_pack("{s:s,s:s,s:o*,s:o*}", "why", why, "effect", effect_word(c->effect), "stdout", output_blobs(x, c, 0), "stderr", output_blobs(x, c, 1));
	if (c->seen_bytes[0] + c->seen_bytes[1]) json_object_set_new(data, "output_bytes", json_integer((json_int_t)(c->seen_bytes[0] + c->seen_bytes[1])));
	execution_emit(x, (struct emit){.kind = RECORD_CALL_UNKNOWN, .step = c->step, .attempt = c->attempt, .call = c->number, .data = data}, NULL);
	c->is_dispatched = false;
	spool_remove(x, c);
}

static bool may_be_made_again(const struct call *c)
{
	return c->effect == EFFECT_READ || c->effect == EFFECT_IDEMPOTENT;
}

/* --- the actor ----------------------------------------------------------------------------------------------------------------------- */

static void fly(struct execution *x, struct call *c)
{
	x->flying = arena_grow(x->arena, x->flying, x->flying_count, &x->flying_capacity, sizeof *x->flying);
	x->flying[x->flying_count++] = c;
	c->id = ++x->next_call_id;
	c->is_dispatched = true;
}

static void land(struct execution *x, struct call *c)
{
	for (size_t i = 0; i < x->flying_count; i++) {
		if (x->flying[i] != c) continue;
		x->flying[i] = x->flying[--x->flying_count];
		break;
	}
	c->id = 0;
	c->is_dispatched = false;
}

static struct call *flying_call(struct execution *x, json_int_t id)
{
	for (size_t i = 0; i < x->flying_count; i++)
		if (x->flying[i]->id == (uint64_t)id) return x->flying[i];
	return NULL;
}

static void actor_finished(struct execution *x, struct call *c, const json_t *head)
{
	const json_t *code = json_object_get(head, "code"), *signal = json_object_get(head, "signal");
	bool by_deadline = c->is_cancelled || json_bool(head, "timed_out", false);
	struct step_data *s = &x->steps[c->step];
	land(x, c);
	if (by_deadline && !json_is_integer(code)) {
		/* We ended it: what it had done by then nobody knows. */
		if (may_be_made_again(c))
			call_finish(x, c, "timeout", json_pack("{s:s?}", "error", execution_blob_text(x, "the command was ended at its deadline")));
		else call_unknown(x, c, s->live && s->live->is_stopping && s->live->stop_outcome == STEP_CANCELLED ? "cancelled" : "deadline");
	} else {
		json_t *data = json_object();
		if (json_is_integer(code)) json_object_set(data, "code", (json_t *)code);
		if (json_is_integer(signal)) json_object_set(data, "signal", (json_t *)signal);
		if (json_is_integer(json_object_get(head, "us"))) json_object_set(data, "duration_us", json_object_get(head, "us"));
		call_finish(x, c, "ok", data);
	}
	attempt_calls_changed(x, c->step);
}

static bool actor_frame(void *owner, const struct frame *f)
{
	struct execution *x = owner;
	const char *t = json_str(f->head, "t", "");
	if (strcmp(t, "ready") == 0) return true;
	struct call *c = flying_call(x, json_int(f->head, "id", 0));
	if (!c) return false;
	if (strcmp(t, "output") == 0) {
		call_output(x, c, strcmp(json_str(f->head, "stream", ""), "stderr") == 0, f->payload, f->payload_len);
		return true;
	}
	if (strcmp(t, "started") == 0) return true;
	if (strcmp(t, "finished") == 0) {
		actor_finished(x, c, f->head);
	} else if (strcmp(t, "failed") == 0) {
		land(x, c);
		call_finish(x, c, "failed", json_pack("{s:s?}", "error", execution_blob_text(x, json_str(f->head, "why", "it did not start"))));
		attempt_calls_changed(x, c->step);
	} else {
		return false;
	}
	execution_step_on(x);
	return true;
}

static void dispatch(struct execution *x, json_t *data);

static void later_dispatch(struct execution *x, struct call *c)
{
	c->is_intended = true;
	execution_later(x, dispatch, json_pack("{s:I,s:I,s:I}", "step", (json_int_t)c->step, "attempt", (json_int_t)c->attempt, "call", (json_int_t)c->number));
}

/* What was in flight when the actor ended, once none of its commands runs any more. */
static void settle_flying(struct execution *x)
{
	while (x->flying_count) {
		struct call *c = x->flying[x->flying_count - 1];
		land(x, c);
		if (may_be_made_again(c) && x->actor_losses < 3 && !c->is_cancelled) {
			json_t *d = json_pack("{s:s,s:s,s:s,s:s?,s:s,s:i}", "module", c->module, "function", c->function, "effect", effect_word(c->effect), "arguments", c->arguments_blob, "purpose",
					      c->is_in_verify ? "verify" : "action", "again", 1);
			execution_emit(x, (struct emit){.kind = RECORD_CALL_STARTED, .step = c->step, .attempt = c->attempt, .call = c->number, .data = d}, NULL);
			later_dispatch(x, c);
		} else if (may_be_made_again(c)) {
			call_finish(x, c, "failed", json_pack("{s:s?}", "error", execution_blob_text(x, "the process that runs commands ended")));
		} else {
			call_unknown(x, c, "actor_ended");
		}
		attempt_calls_changed(x, c->step);
	}
	execution_step_on(x);
}

static void actor_closed(void *owner, const struct error *e)
{
	struct execution *x = owner;
	log_line(LOG_WARN, "execution %s: its actor ended: %s", x->id, e->text);
	x->actor = NULL;
	x->actor_losses++;
	sandbox_kill(&x->actor_child);
	close(x->actor_child.pidfd);
	lock_wait(x, settle_flying);
}

void call_drop_actor(struct execution *x)
{
	if (!x->actor) return;
	/* End of file is its word to end everything that it started. */
	link_close(x->actor);
	x->actor = NULL;
	close(x->actor_child.pidfd);
}

static enum err actor_start(struct execution *x, struct error *e)
{
	if (x->actor) return ERR_OK;
	int lock = lock_take(x, e);
	if (lock < 0) return e->kind;
	enum err err = engine_spawn(x->engine, SANDBOX_ACTOR, lock, &x->actor_child, e);
	close(lock);
	if (err) return err;
	x->actor = link_open(&x->engine->loop, x->actor_child.fd, 65536, WIRE_OUTPUT_BYTES_MAX, actor_frame, actor_closed, x);
	return ERR_OK;
}

static json_t *environment(const struct execution *x, const json_t *given)
{
	json_t *env = json_pack("{s:s,s:s,s:s,s:s}", "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL", "C.UTF-8", "HOME", "/", "RUNG_EXECUTION", x->id);
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)given, key, v) if (json_is_string(v) && *key && !strchr(key, '=')) json_object_set(env, key, v);
	return env;
}

static json_t *arguments_of(struct execution *x, const struct call *c)
{
	size_t n;
	char *text = execution_read_blob(x, c->arguments_blob, &n);
	json_t *v = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	free(text);
	return v ? v : json_object();
}

/* The intent is durable: the effect may happen. */
static void dispatch(struct execution *x, json_t *data)
{
	size_t step = (size_t)json_int(data, "step", 0);
	struct call *c = execution_call(x, step, (uint32_t)json_int(data, "attempt", 0), (uint32_t)json_int(data, "call", 0));
	struct error e;
	if (!c || c->is_dispatched || c->state != CALL_STARTED) return;
	c->is_intended = false;
	struct attempt *a = x->steps[step].live;
	if ((a && (a->is_stopping || a->has_ended)) || x->flow->is_cancelling || flow_is_over(x->flow->steps[step].state)) {
		/* It never left. */
		call_finish(x, c, "failed", json_pack("{s:s?}", "error", execution_blob_text(x, "the step was stopped before the call was made")));
		attempt_calls_changed(x, step);
		return;
	}
	if (actor_start(x, &e)) {
		call_finish(x, c, "failed", json_pack("{s:s?}", "error", execution_blob_text(x, e.text)));
		attempt_calls_changed(x, step);
		return;
	}
	json_t *arguments = arguments_of(x, c), *options = json_obj(arguments, "options"), *inner = json_obj(arguments, "arguments");
	struct buf input;
	buf_init(&input, WIRE_PAYLOAD_BYTES_MAX);
	if (json_object_get(inner, "stdin")) json_bytes_get(json_object_get(inner, "stdin"), &input);
	fly(x, c);
	json_t *head = json_pack("{s:s,s:I,s:s,s:s,s:O,s:o,s:s*,s:I}", "t", "call", "id", (json_int_t)c->id, "module", c->module, "function", c->function, "argv", json_object_get(inner, "argv"), "env",
				 environment(x, json_obj(inner, "env")), "cwd", json_str(inner, "cwd", x->workspace), "timeout_us", json_int(options, "timeout_us", 0));
	link_send_new(x->actor, head, input.data, input.len);
	buf_clear(&input);
	json_decref(arguments);
}

void call_cancel_open(struct execution *x, size_t step)
{
	for (size_t i = 0; i < x->flying_count; i++) {
		struct call *c = x->flying[i];
		if (c->step != step || c->is_cancelled) continue;
		c->is_cancelled = true;
		if (x->actor) link_send_new(x->actor, json_pack("{s:s,s:I}", "t", "cancel", "id", (json_int_t)c->id), NULL, 0);
	}
}

void call_settle_open(struct execution *x, size_t step, const char *why, bool with_questions)
{
	struct step_data *s = &x->steps[step];
	for (size_t i = 0; i < s->call_count; i++) {
		struct call *c = s->calls[i];
		if (c->state != CALL_STARTED || c->is_dispatched) continue;
		if (c->is_question && !with_questions) continue;
		if (c->is_question) call_finish(x, c, "failed", json_pack("{s:s?}", "error", execution_blob_text(x, why)));
		else if (!may_be_made_again(c)) {
			spool_read(x, c);
			call_unknown(x, c, why);
		}
	}
}

/* --- what a worker asks -------------------------------------------------------------------------------------------------------------- */

struct asking {
	struct attempt *a;
	const char *module, *function;
	json_t *arguments, *options;
	const char *words[256];
	size_t word_count;
	enum step_effect effect;
	bool is_in_verify;
	uint32_t number;
};

static bool read_words(struct asking *q)
{
	json_t *argv = json_arr(q->arguments, "argv"), *v;
	size_t i;
	if (json_array_size(argv) == 0 || json_array_size(argv) > sizeof q->words / sizeof *q->words) return false;
	json_array_foreach(argv, i, v)
	{
		if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v)) return false;
		q->words[q->word_count++] = json_string_value(v);
	}
	return true;
}

static enum step_effect effect_of(const struct asking *q)
{
	if (q->is_in_verify) return EFFECT_READ;
	const char *word = json_str(q->options, "effect", NULL);
	for (int i = EFFECT_ONCE; word && i <= EFFECT_RECEIPT; i++)
		if (strcmp(word, effect_word((enum step_effect)i)) == 0) return (enum step_effect)i;
	enum step_effect of_step = q->a->x->book->steps[q->a->step].effect;
	return of_step == EFFECT_UNSET ? EFFECT_ONCE : of_step;
}

static json_t *recorded_form(const struct asking *q)
{
	return json_pack("{s:O,s:O?}", "arguments", q->arguments, "options", q->options);
}

static enum err start_record(struct asking *q, int again, struct error *e)
{
	struct execution *x = q->a->x;
	json_t *form = recorded_form(q);
	json_t *d = json_pack("{s:s,s:s,s:s,s:s,s:s}", "module", q->module, "function", q->function, "effect", effect_word(q->effect), "arguments", execution_blob_json(x, form), "purpose",
			      q->a->purpose == ATTEMPT_CONDITION ? "if" : q->is_in_verify ? "verify" : "action");
	json_decref(form);
	if (again) json_object_set_new(d, "again", json_integer(again));
	return execution_emit(x, (struct emit){.kind = RECORD_CALL_STARTED, .step = q->a->step, .attempt = q->a->number, .call = q->number, .data = d}, e);
}

/* Words for people. */
static const char *words_of(struct arena *a, const json_t *arguments)
{
	json_t *argv = json_arr(arguments, "argv");
	const char *words[256];
	size_t n = json_array_size(argv);
	if (n == 0 || n > 256) return arena_strdup(a, json_str(arguments, "prompt", ""));
	if (n == 3 && strcmp(json_string_value(json_array_get(argv, 0)), "sh") == 0 && strcmp(json_string_value(json_array_get(argv, 1)), "-c") == 0)
		return arena_strdup(a, json_string_value(json_array_get(argv, 2)));
	for (size_t i = 1; i < n; i++) words[i - 1] = json_string_value(json_array_get(argv, i));
	return capability_exact(a, json_string_value(json_array_get(argv, 0)), words, n - 1);
}

const char *call_words(struct execution *x, struct call *c)
{
	if (c->words) return c->words;
	json_t *form = arguments_of(x, c);
	const char *text = json_str(form, "command", NULL);
	c->words = text ? arena_strdup(x->arena, text) : words_of(x->arena, json_obj(form, "arguments"));
	json_decref(form);
	return c->words;
}

static bool ask_person(struct asking *q)
{
	struct execution *x = q->a->x;
	struct error e;
	q->effect = EFFECT_READ;
	if (start_record(q, 0, &e)) return false;
	struct call *c = execution_call(x, q->a->step, q->a->number, q->number);
	c->is_question = true;
	c->words = arena_strdup(x->arena, json_str(q->arguments, "prompt", ""));
	json_t *d = json_pack("{s:s,s:s?}", "type", json_str(q->arguments, "type", "string"), "prompt", execution_blob_text(x, json_str(q->arguments, "prompt", "")));
	if (json_object_get(q->arguments, "choices")) json_object_set_new(d, "choices", json_string(execution_blob_json(x, json_object_get(q->arguments, "choices"))));
	return execution_emit(x, (struct emit){.kind = RECORD_QUESTION_ASKED, .step = q->a->step, .attempt = q->a->number, .call = q->number, .data = d}, &e) == ERR_OK;
}

static void refuse(struct asking *q, const char *why, char *pattern)
{
	struct execution *x = q->a->x;
	struct call *c = execution_call(x, q->a->step, q->a->number, q->number);
	json_array_append_new(x->denied, json_pack("{s:s,s:s,s:s}", "step", x->book->steps[q->a->step].id, "words", c->words, "pattern", pattern));
	json_t *d = json_pack("{s:b,s:s,s:s?}", "allowed", 0, "by", x->book->has_permissions ? "declared" : "terminal", "pattern", execution_blob_text(x, pattern));
	execution_emit(x, (struct emit){.kind = RECORD_RIGHT_DECIDED, .step = q->a->step, .attempt = q->a->number, .call = q->number, .data = d}, NULL);
	char *text = mem_printf("not allowed: %s; %s (%s would allow it)", c->words, why, pattern);
	call_finish(x, c, "denied", json_pack("{s:s?}", "error", execution_blob_text(x, text)));
	free(text);
}

static bool new_call(struct asking *q)
{
	struct execution *x = q->a->x;
	struct error e;
	if (strcmp(q->module, "ask") == 0) return ask_person(q);
	if (!read_words(q)) return false;
	if (start_record(q, 0, &e)) return false;
	struct call *c = execution_call(x, q->a->step, q->a->number, q->number);
	c->words = words_of(x->arena, q->arguments);
	const char *who;
	char *pattern;
	if (!execution_allows(x, q->a->step, q->is_in_verify, "sh", q->words, q->word_count, &who, &pattern)) {
		refuse(q, who, pattern);
		return true;
	}
	later_dispatch(x, c);
	return true;
}

static char *shown(const char *module, const char *function, const json_t *form)
{
	struct buf b;
	buf_init(&b, 300);
	json_canonical(json_object_get(form, "arguments"), &b);
	char *text = mem_printf("%s.%s %.300s", module, function, b.data ? b.data : "(long arguments)");
	buf_clear(&b);
	return text;
}

/* The record holds this call: it must be the same one. */
static bool same_call(struct asking *q, const struct call *c, char **why)
{
	struct buf was, is;
	json_t *form = recorded_form(q), *before = arguments_of(q->a->x, c);
	buf_init(&was, WIRE_HEAD_BYTES_MAX * 2);
	buf_init(&is, WIRE_HEAD_BYTES_MAX * 2);
	json_canonical(before, &was);
	json_canonical(form, &is);
	bool same = strcmp(c->module, q->module) == 0 && strcmp(c->function, q->function) == 0 && was.len == is.len && memcmp(was.data, is.data, is.len) == 0;
	if (!same) {
		char *old = shown(c->module, c->function, before), *new = shown(q->module, q->function, form);
		*why = mem_printf("run again over its recorded answers, the step asked something else as call %u: the record has %s, now it asked %s", q->number, old, new);
		free(old);
		free(new);
	}
	buf_clear(&was);
	buf_clear(&is);
	json_decref(form);
	json_decref(before);
	return same;
}

static void diverged(struct asking *q, char *why)
{
	struct execution *x = q->a->x;
	struct attempt *a = q->a;
	if (a->purpose == ATTEMPT_CONDITION) {
		a->end = json_pack("{s:s,s:s}", "outcome", "failed", "why", why);
		a->has_ended = true;
		free(why);
		call_cancel_open(x, a->step);
		attempt_calls_changed(x, a->step);
		return;
	}
	a->is_stopping = true;
	a->stop_outcome = STEP_DIVERGED;
	call_cancel_open(x, a->step);
	json_t *d = json_pack("{s:s,s:s?,s:i}", "outcome", "diverged", "error", execution_blob_text(x, why), "calls", (int)a->asked);
	uint32_t number = a->number;
	size_t step = a->step;
	attempt_drop(a);
	execution_emit(x, (struct emit){.kind = RECORD_ATTEMPT_FINISHED, .step = step, .attempt = number, .data = d}, NULL);
	x->steps[step].why = arena_strdup(x->arena, why);
	free(why);
}

static bool call_of_record(struct asking *q, struct call *c)
{
	char *why = NULL;
	if (!same_call(q, c, &why)) {
		diverged(q, why);
		return true;
	}
	if (!c->words) c->words = words_of(q->a->x->arena, q->arguments);
	if (c->state == CALL_FINISHED || c->is_question || c->is_dispatched || c->is_intended) return true;
	if (c->state != CALL_AGAIN && !may_be_made_again(c)) return false; /* an unknown `once` is not run again by us */
	struct error e;
	q->effect = c->effect;
	if (start_record(q, 1, &e)) return false;
	later_dispatch(q->a->x, c);
	return true;
}

static const struct {
	const char *module, *function;
} callable[] = {{"sh", "run"}, {"ask", "ask"}};

bool call_asked(struct attempt *a, const struct frame *f)
{
	struct asking q = {.a = a,
			   .module = json_str(f->head, "module", ""),
			   .function = json_str(f->head, "function", ""),
			   .arguments = json_obj(f->head, "arguments"),
			   .options = json_obj(f->head, "options"),
			   .is_in_verify = strcmp(json_str(f->head, "part", "action"), "verify") == 0 || a->purpose != ATTEMPT_ACTION};
	bool known = false;
	for (size_t i = 0; i < sizeof callable / sizeof *callable; i++) known = known || (strcmp(callable[i].module, q.module) == 0 && strcmp(callable[i].function, q.function) == 0);
	if (!known || !q.arguments || json_int(f->head, "c", 0) != (json_int_t)a->asked + 1 || a->asked >= WIRE_CALLS_MAX) return false;
	a->asked++;
	q.number = a->first_call + a->asked;
	q.effect = effect_of(&q);
	struct call *c = execution_call(a->x, a->step, a->number, q.number);
	bool fine = c ? call_of_record(&q, c) : new_call(&q);
	struct attempt *live = a->x->steps[q.a->step].live;
	if (fine && live == a) attempt_deliver(a);
	return fine;
}

void call_answered(struct execution *x, struct call *c, const json_t *value, const char *by)
{
	json_t *d = json_pack("{s:s}", "answer", execution_blob_json(x, value));
	const char *name = json_string_value(json_object_get(d, "answer"));
	name = arena_strdup(x->arena, name);
	if (execution_emit(x, (struct emit){.kind = RECORD_QUESTION_ANSWERED, .step = c->step, .attempt = c->attempt, .call = c->number, .by = by, .data = d}, NULL)) return;
	call_finish(x, c, "ok", json_pack("{s:s}", "answer", name));
}
