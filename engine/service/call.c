#include "service/call.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "sandbox/wire.h"
#include "service/approval.h"
#include "service/attempt.h"
#include "service/child.h"
#include "service/diverged.h"
#include "service/receipt.h"
#include "service/rights.h"
#include "service/secret.h"

#include <stdlib.h>
#include <string.h>

/* What a worker asks: is it the call that the record holds, is it allowed; then its intent is recorded. */

struct asking {
	struct attempt *a;
	const struct callable *what;
	const struct module *module;
	json_t *arguments, *options;
	struct call_request request; /* lives in words */
	struct arena *words;
	enum step_effect effect;
	bool is_in_verify;
	uint32_t number;
	struct right right; /* what was decided about it; not allowed where nothing was: nobody needs a right for it */
};

static enum step_effect effect_of(const struct asking *q)
{
	if (q->is_in_verify || q->what->by == CALLABLE_ENGINE) return q->is_in_verify ? EFFECT_READ : q->what->effect;
	const char *word = json_str(q->options, "effect", NULL);
	for (int i = EFFECT_ONCE; word && i <= EFFECT_RECEIPT; i++)
		if (strcmp(word, effect_word((enum step_effect)i)) == 0) return (enum step_effect)i;
	enum step_effect of_step = q->a->x->book->steps[q->a->step].effect;
	return of_step == EFFECT_UNSET ? q->what->effect : of_step;
}

static json_t *recorded_form(const struct asking *q)
{
	return json_pack("{s:O,s:O?}", "arguments", q->arguments, "options", q->options);
}

static enum err start_record(struct asking *q, int again, struct error *e)
{
	struct execution *x = q->a->x;
	json_t *form = recorded_form(q);
	json_t *d = json_pack("{s:s,s:s,s:s,s:s,s:s}", "module", q->module->name, "function", q->what->function, "effect", effect_word(q->effect), "arguments",
	                      execution_blob_json(x, form), "purpose",
	                      q->a->purpose == ATTEMPT_CONDITION ? "if"
	                      : q->is_in_verify                  ? "verify"
	                                                         : "action");
	json_decref(form);
	if (again) json_object_set_new(d, "again", json_integer(again));
	/* What the right was asked for, where more than the arguments says what that is. */
	if (q->request.count && strcmp(q->request.kind, "sh") != 0)
		json_object_set_new(d, "text",
		                    json_string(execution_blob_text(x, capability_exact(q->words, q->request.kind, q->request.words, q->request.count))));
	receipt_record(x, q->what, q->arguments, q->effect, q->a->step, q->a->replay.attempt, q->number, d);
	if (q->right.is_allowed) right_record(&q->right, d);
	/* Another execution is to do it: the same one, however often it is asked for. */
	const struct call *known = execution_call(x, q->a->step, q->a->replay.attempt, q->number);
	if (q->module == &module_runbook && (q->right.is_allowed || known))
		json_object_set_new(d, "child", json_string(known && known->child ? known->child : child_id_new(x)));
	return execution_emit(x, (struct emit){.kind = RECORD_CALL_STARTED, .step = q->a->step, .attempt = q->a->replay.attempt, .call = q->number, .data = d},
	                      e);
}

/* approve{...}: a question to those who may agree. With nobody to ask, the call is denied. */
static enum err ask_others(struct asking *q, struct call *c, struct error *e)
{
	struct execution *x = q->a->x;
	struct consent waits = {q->a->step, c};
	struct demands all;
	struct error why;
	struct arena *a = arena_new();
	enum err err = demands_find(x, waits, &all, a, &why);
	json_t *d = json_pack("{s:s,s:s?,s:s*,s:i}", "type", "approval", "prompt", execution_blob_text(x, json_str(q->arguments, "prompt", "")), "from",
	                      all.from.data, "needed", (int)json_int(q->arguments, "needed", 1));
	if (err) {
		json_decref(d);
		call_finish(x, c, "denied", json_pack("{s:s?}", "error", execution_blob_text(x, why.text)));
		err = ERR_OK;
	} else {
		err = execution_emit(x, approval_emit(waits, RECORD_QUESTION_ASKED, NULL, d), e);
		if (!err) err = approval_ask(x, waits, &all, e);
	}
	demands_clear(&all);
	arena_free(a);
	return err;
}

static enum err ask_person(struct asking *q, struct error *e)
{
	struct execution *x = q->a->x;
	q->effect = EFFECT_READ;
	enum err err = start_record(q, 0, e);
	if (err) return err;
	struct call *c = execution_call(x, q->a->step, q->a->replay.attempt, q->number);
	failpoint(QUESTION_ASKED);
	c->is_question = true;
	if (strcmp(q->module->name, "approve") == 0) return ask_others(q, c, e);
	json_t *d =
	    json_pack("{s:s,s:s?}", "type", json_str(q->arguments, "type", "string"), "prompt", execution_blob_text(x, json_str(q->arguments, "prompt", "")));
	if (json_object_get(q->arguments, "choices"))
		json_object_set_new(d, "choices", json_string(execution_blob_json(x, json_object_get(q->arguments, "choices"))));
	return execution_emit(
	    x, (struct emit){.kind = RECORD_QUESTION_ASKED, .step = q->a->step, .attempt = q->a->replay.attempt, .call = q->number, .data = d}, e);
}

static void refuse(struct asking *q, const struct right *right)
{
	struct execution *x = q->a->x;
	struct call *c = execution_call(x, q->a->step, q->a->replay.attempt, q->number);
	json_array_append_new(x->denied, json_pack("{s:s,s:s,s:s,s:s,s:b}", "step", x->book->steps[q->a->step].id, "by", right->by, "words", call_words(x, c),
	                                           "pattern", right->pattern, "allowable", right->is_allowable));
	json_t *d = json_pack("{s:b,s:s?}", "allowed", 0, "pattern", execution_blob_text(x, right->pattern));
	right_record(right, d);
	execution_emit(x, (struct emit){.kind = RECORD_RIGHT_DECIDED, .step = q->a->step, .attempt = q->a->replay.attempt, .call = q->number, .data = d}, NULL);
	const char *fmt = right->is_allowable ? "not allowed: %s; %s (`%s` would allow it)" : "not allowed: %s; %s (`%s` would)";
	char *text =
	    strcmp(right->by, "policy") == 0 ? mem_printf("not allowed: %s", right->why) : mem_printf(fmt, call_words(x, c), right->why, right->pattern);
	call_not_made(x, c, "denied", text);
	free(text);
}

/* The right to the command; where that is there and the right to one of its secrets is not, what that one lacks. */
static struct right right_of(struct asking *q)
{
	struct right right = execution_right(q->a->x, q->a->step, q->is_in_verify, q->request.kind, q->request.words, q->request.count);
	if (!right.is_allowed) return right;
	json_t *names = secret_names(q->what, q->arguments);
	struct right lacking = secret_right(q->a->x, q->a->step, q->is_in_verify, names);
	json_decref(names);
	return lacking.is_allowed ? right : lacking;
}

/* Its intent is recorded: what it gets is too, and it leaves when that is durable. */
static void make(struct asking *q, struct call *c)
{
	json_t *names = secret_names(q->what, q->arguments);
	secret_record(q->a->x, c, names);
	json_decref(names);
	failpoint(CALL_INTENDED);
	call_dispatch_later(q->a->x, c);
}

/* What it needs a right to. NULL, or why nothing could make it. */
static const char *read_request(struct asking *q)
{
	struct call_site site;
	if (q->what->by == CALLABLE_ENGINE && q->is_in_verify)
		return "a proof or a condition starts no runbook and sends no message: call it in the step's action";
	call_site_make(q->a->x, q->a->step, &site);
	return q->what->request(q->words, q->arguments, &site, &q->request);
}

/* The engine's own answer comes as an actor's does: once the question is durable. */
static enum err ask_engine(struct asking *q, int again, struct error *e)
{
	enum err err = start_record(q, again, e);
	if (err) return err;
	call_dispatch_later(q->a->x, execution_call(q->a->x, q->a->step, q->a->replay.attempt, q->number));
	return ERR_OK;
}

static enum err new_call(struct asking *q, struct error *e)
{
	struct execution *x = q->a->x;
	if (q->what->by == CALLABLE_PERSON) return ask_person(q, e);
	if (q->what->by == CALLABLE_ENGINE && !q->what->request) return ask_engine(q, 0, e);
	const char *impossible = read_request(q);
	if (impossible)
		q->request.count = 0;
	else
		q->right = right_of(q);
	enum err err = start_record(q, 0, e);
	if (err) return err;
	struct call *c = execution_call(x, q->a->step, q->a->replay.attempt, q->number);
	if (impossible) {
		call_finish(x, c, "failed", json_pack("{s:s?}", "error", execution_blob_text(x, impossible)));
		return ERR_OK;
	}
	if (q->right.is_allowed)
		make(q, c);
	else
		refuse(q, &q->right);
	return ERR_OK;
}

/* The record holds this call: it must be the same one. */
static bool same_call(const struct asking *q, const struct call *c)
{
	struct buf was, is;
	json_t *form = recorded_form(q), *before = call_arguments(q->a->x, c);
	buf_init(&was, WIRE_HEAD_BYTES_MAX * 2);
	buf_init(&is, WIRE_HEAD_BYTES_MAX * 2);
	json_canonical(before, &was);
	json_canonical(form, &is);
	bool same = strcmp(c->module, q->module->name) == 0 && strcmp(c->function, q->what->function) == 0 && was.len == is.len &&
	            memcmp(was.data, is.data, is.len) == 0;
	buf_clear(&was);
	buf_clear(&is);
	json_decref(form);
	json_decref(before);
	return same;
}

static void diverged(struct asking *q, const struct call *c)
{
	struct execution *x = q->a->x;
	struct attempt *a = q->a;
	json_t *form = recorded_form(q), *asked = diverged_question(q->module->name, q->what->function, form);
	char *why = diverged_why(x, c, asked);
	if (a->purpose == ATTEMPT_CONDITION) {
		attempt_fail(a, "%s", why);
	} else {
		/* The call of the record was not asked. What is with a target comes to an outcome first. */
		a->replay.asked--;
		a->stop_why = arena_strdup(x->arena, why);
		a->diverged_call = c->number;
		a->diverged_asked = json_incref(asked);
		attempt_stop(x, a->step, STEP_DIVERGED);
	}
	free(why);
	json_decref(asked);
	json_decref(form);
}

static enum err call_of_record(struct asking *q, struct call *c, struct error *e)
{
	struct flow_call seen = call_seen(c);
	enum call_meeting met = call_meet(&seen, same_call(q, c));
	if (met == MEETS_ANOTHER_ONE) {
		diverged(q, c);
		return ERR_OK;
	}
	if (met == MEETS_ANSWER) return ERR_OK;
	if (met == MEETS_UNKNOWN) return error_set(e, ERR_CONFLICT, "call %u is unknown: it is not made again", c->number);
	q->effect = c->effect;
	failpoint(CALL_AGAIN);
	if (q->what->by == CALLABLE_ENGINE && q->module != &module_notify) return ask_engine(q, 1, e);
	/* Made again, it needs the right that holds now: the driver may be another, the policy too. */
	const char *impossible = read_request(q);
	if (impossible) {
		call_not_made(q->a->x, c, "failed", impossible);
		return ERR_OK;
	}
	q->right = right_of(q);
	enum err err = start_record(q, 1, e);
	if (!err && q->right.is_allowed)
		make(q, c);
	else if (!err) {
		refuse(q, &q->right);
		if (c->state == CALL_UNKNOWN) attempt_calls_changed(q->a->x, c->step);
	}
	return err;
}

enum err call_asked(struct attempt *a, const struct wire_message *m, struct error *e)
{
	struct asking q = {.a = a,
	                   .what = m->callable,
	                   .module = m->module,
	                   .arguments = json_obj(m->head, "arguments"),
	                   .options = json_obj(m->head, "options"),
	                   .is_in_verify = strcmp(json_str(m->head, "part", "action"), "verify") == 0 || a->purpose != ATTEMPT_ACTION};
	if (json_int(m->head, "c", 0) != (json_int_t)a->replay.asked + 1)
		return error_set(e, ERR_PROTOCOL, "call %lld where call %u comes next", (long long)json_int(m->head, "c", 0), a->replay.asked + 1);
	a->asked_bytes += m->head_len;
	if (a->asked_bytes > WIRE_ARGUMENTS_BYTES_MAX)
		return error_set(e, ERR_PROTOCOL, "its calls have more than %d MiB of arguments together: pass large data in files",
		                 WIRE_ARGUMENTS_BYTES_MAX >> 20);
	a->replay.asked++;
	failpoint(CALL_ASKED);
	q.number = a->replay.first_call + a->replay.asked;
	q.effect = effect_of(&q);
	struct call *c = execution_call(a->x, a->step, a->replay.attempt, q.number);
	q.words = arena_new();
	enum err err = c ? call_of_record(&q, c, e) : new_call(&q, e);
	arena_free(q.words);
	return err;
}

enum err call_answered(struct execution *x, struct call *c, const json_t *value, const char *by, struct error *e)
{
	const char *name = execution_blob_json(x, value);
	failpoint(QUESTION_ANSWERED);
	struct emit em = {
	    .kind = RECORD_QUESTION_ANSWERED, .step = c->step, .attempt = c->attempt, .call = c->number, .by = by, .data = json_pack("{s:s}", "answer", name)};
	enum err err = execution_emit(x, em, e);
	if (err) return err;
	x->steps[c->step].needs_run = true;
	call_finish(x, c, "ok", json_pack("{s:s}", "answer", name));
	return ERR_OK;
}
