#include "service/call.h"
#include "base/text.h"
#include "sandbox/wire.h"
#include "service/attempt.h"

#include <stdlib.h>
#include <string.h>

/* What a worker asks: is it the call that the record holds, is it allowed; then its intent is recorded. */

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
	json_t *d = json_pack("{s:s,s:s,s:s,s:s,s:s}", "module", q->module, "function", q->function, "effect", effect_word(q->effect), "arguments",
	                      execution_blob_json(x, form), "purpose",
	                      q->a->purpose == ATTEMPT_CONDITION ? "if"
	                      : q->is_in_verify                  ? "verify"
	                                                         : "action");
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
	json_t *form = call_arguments(x, c);
	const char *text = json_str(form, "command", NULL);
	c->words = text ? arena_strdup(x->arena, text) : words_of(x->arena, json_obj(form, "arguments"));
	json_decref(form);
	return c->words;
}

static bool ask_person(struct asking *q)
{
	static const char *const types[] = {"string", "int", "number", "bool", "enum", "duration"};
	struct execution *x = q->a->x;
	struct error e;
	const char *type = json_str(q->arguments, "type", "string");
	bool is_known = false;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) is_known = is_known || strcmp(type, types[i]) == 0;
	if (!is_known) return false;
	q->effect = EFFECT_READ;
	if (start_record(q, 0, &e)) return false;
	struct call *c = execution_call(x, q->a->step, q->a->number, q->number);
	c->is_question = true;
	c->words = arena_strdup(x->arena, json_str(q->arguments, "prompt", ""));
	json_t *d = json_pack("{s:s,s:s?}", "type", type, "prompt", execution_blob_text(x, json_str(q->arguments, "prompt", "")));
	if (json_object_get(q->arguments, "choices"))
		json_object_set_new(d, "choices", json_string(execution_blob_json(x, json_object_get(q->arguments, "choices"))));
	return execution_emit(x, (struct emit){.kind = RECORD_QUESTION_ASKED, .step = q->a->step, .attempt = q->a->number, .call = q->number, .data = d}, &e) ==
	       ERR_OK;
}

static void refuse(struct asking *q, const struct right *right)
{
	struct execution *x = q->a->x;
	struct call *c = execution_call(x, q->a->step, q->a->number, q->number);
	json_array_append_new(x->denied, json_pack("{s:s,s:s,s:s,s:b}", "step", x->book->steps[q->a->step].id, "words", c->words, "pattern", right->pattern,
	                                           "allowable", right->is_allowable));
	json_t *d =
	    json_pack("{s:b,s:s,s:s?}", "allowed", 0, "by", right->is_allowable ? "terminal" : "declared", "pattern", execution_blob_text(x, right->pattern));
	execution_emit(x, (struct emit){.kind = RECORD_RIGHT_DECIDED, .step = q->a->step, .attempt = q->a->number, .call = q->number, .data = d}, NULL);
	char *text = mem_printf(right->is_allowable ? "not allowed: %s; %s (`%s` would allow it)" : "not allowed: %s; %s (`%s` would)", c->words, right->why,
	                        right->pattern);
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
	struct right right = execution_right(x, q->a->step, q->is_in_verify, "sh", q->words, q->word_count);
	if (!right.is_allowed) {
		refuse(q, &right);
		return true;
	}
	call_dispatch_later(x, c);
	return true;
}

static char *shown(const char *module, const char *function, const json_t *form)
{
	struct buf b;
	buf_init(&b, STORE_BLOB_BYTES_MAX);
	json_canonical(json_object_get(form, "arguments"), &b);
	const char *whole = b.data ? b.data : "(long arguments)";
	char *text = mem_printf("%s.%s %.*s", module, function, (int)text_cut(whole, strlen(whole), 300), whole);
	buf_clear(&b);
	return text;
}

/* The record holds this call: it must be the same one. */
static bool same_call(struct asking *q, const struct call *c, char **why)
{
	struct buf was, is;
	json_t *form = recorded_form(q), *before = call_arguments(q->a->x, c);
	buf_init(&was, WIRE_HEAD_BYTES_MAX * 2);
	buf_init(&is, WIRE_HEAD_BYTES_MAX * 2);
	json_canonical(before, &was);
	json_canonical(form, &is);
	bool same = strcmp(c->module, q->module) == 0 && strcmp(c->function, q->function) == 0 && was.len == is.len && memcmp(was.data, is.data, is.len) == 0;
	if (!same) {
		char *old = shown(c->module, c->function, before), *new = shown(q->module, q->function, form);
		*why = mem_printf("run again over its recorded answers, the step asked something else as call %u: the record has %s, now it asked %s",
		                  q->number, old, new);
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
		a->end = json_pack("{s:s,s:o}", "outcome", "failed", "why", json_text(why));
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
	if (c->state != CALL_AGAIN && !call_may_be_made_again(c)) return false; /* an unknown `once` is not run again by us */
	struct error e;
	q->effect = c->effect;
	if (start_record(q, 1, &e)) return false;
	call_dispatch_later(q->a->x, c);
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
	for (size_t i = 0; i < sizeof callable / sizeof *callable; i++)
		known = known || (strcmp(callable[i].module, q.module) == 0 && strcmp(callable[i].function, q.function) == 0);
	if (!known || !q.arguments || json_int(f->head, "c", 0) != (json_int_t)a->asked + 1 || a->asked >= WIRE_CALLS_MAX) return false;
	a->asked++;
	q.number = a->first_call + a->asked;
	q.effect = effect_of(&q);
	struct step_data *s = &a->x->steps[a->step];
	struct call *c = execution_call(a->x, a->step, a->number, q.number);
	bool fine = c ? call_of_record(&q, c) : new_call(&q);
	/* One that diverged is gone. */
	if (fine && s->live == a) attempt_deliver(a);
	return fine;
}

enum err call_answered(struct execution *x, struct call *c, const json_t *value, const char *by, struct error *e)
{
	const char *name = execution_blob_json(x, value);
	struct emit em = {
	    .kind = RECORD_QUESTION_ANSWERED, .step = c->step, .attempt = c->attempt, .call = c->number, .by = by, .data = json_pack("{s:s}", "answer", name)};
	enum err err = execution_emit(x, em, e);
	if (err) return err;
	x->steps[c->step].needs_run = true;
	call_finish(x, c, "ok", json_pack("{s:s}", "answer", name));
	return ERR_OK;
}
