#include "service/notify_call.h"
#include "base/clock.h"
#include "base/json.h"
#include "service/attempt.h"
#include "service/call.h"
#include "service/channel.h"
#include "service/escalation.h"
#include "service/oncall_file.h"

#include <stdlib.h>
#include <string.h>

/* A call, to be found again when what it waits for has come. */
struct call_place {
	struct engine *engine;
	char execution[27];
	size_t step;
	uint32_t attempt, number, intents;
};

static struct call_place place_of(const struct execution *x, const struct call *c)
{
	struct call_place p = {.engine = x->engine, .step = c->step, .attempt = c->attempt, .number = c->number, .intents = c->intents};
	memcpy(p.execution, x->id, sizeof p.execution);
	return p;
}

/* NULL: cancelled, or asked again since. */
static struct call *find(const struct call_place *p, struct execution **x)
{
	*x = engine_find(p->engine, p->execution);
	struct call *c = *x ? execution_call(*x, p->step, p->attempt, p->number) : NULL;
	return c && c->state == CALL_STARTED && c->is_dispatched && c->intents == p->intents ? c : NULL;
}

static void go_on(struct execution *x, size_t step)
{
	attempt_calls_changed(x, step);
	execution_step_on(x);
}

static void fail(struct execution *x, struct call *c, const char *why)
{
	c->is_dispatched = false;
	call_finish(x, c, "failed", json_pack("{s:s?}", "error", execution_blob_text(x, why)));
}

/* ---- notify ---- */

struct message {
	struct call_place place;
	char *root, *to, *text;
	json_t *delivered, *failed, *unknown; /* names; {"person","why"} */
	size_t open;
};

/* One person of it. */
struct addressee {
	struct message *message;
	char *name;
	size_t channel, at; /* at: which of the people */
};

static void message_free(struct message *m)
{
	json_decref(m->delivered);
	json_decref(m->failed);
	json_decref(m->unknown);
	free(m->root);
	free(m->to);
	free(m->text);
	free(m);
}

static void addressee_free(struct addressee *a)
{
	free(a->name);
	free(a);
}

static const char *first_why(const json_t *list)
{
	return json_str(json_array_get(list, 0), "why", "nobody knows why");
}

static void close_call(struct message *m)
{
	struct execution *x;
	struct call *c = find(&m->place, &x);
	bool is_delivered = json_array_size(m->delivered) > 0, is_unknown = json_array_size(m->unknown) > 0;
	if (!c) return;
	if (is_delivered) {
		json_t *answer = json_pack("{s:O,s:O,s:O}", "delivered", m->delivered, "failed", m->failed, "unknown", m->unknown);
		c->is_dispatched = false;
		call_finish(x, c, "ok", json_pack("{s:s}", "answer", execution_blob_json(x, answer)));
		json_decref(answer);
	} else if (is_unknown) {
		c->is_dispatched = false;
		call_unknown_because(x, c, "not_told", first_why(m->unknown));
	} else {
		fail(x, c, first_why(m->failed));
	}
	go_on(x, m->place.step);
}

static void close_one(struct message *m)
{
	if (--m->open) return;
	close_call(m);
	message_free(m);
}

static bool send_next(struct addressee *a, char *last_why);

static void told(void *arg, enum escalation_result result, const char *why)
{
	struct addressee *a = arg;
	struct message *m = a->message;
	if (result == NOTIFICATION_FAILED) {
		a->channel++;
		if (!send_next(a, mem_strdup(why))) close_one(m);
		return;
	}
	if (result == NOTIFICATION_DELIVERED) json_array_append_new(m->delivered, json_string(a->name));
	if (result == NOTIFICATION_UNKNOWN) json_array_append_new(m->unknown, json_pack("{s:s,s:o}", "person", a->name, "why", json_text(why)));
	addressee_free(a);
	if (result == NOTIFICATION_RESULT_N && --m->open == 0)
		message_free(m); /* the engine ends */
	else if (result != NOTIFICATION_RESULT_N)
		close_one(m);
}

/* By the next channel that can be tried; why the one before did not take it (taken; NULL: there was none). False: none is left, a is gone, and that is in the
 * message.
 */
static bool send_next(struct addressee *a, char *last_why)
{
	struct message *m = a->message;
	struct execution *x = engine_find(m->place.engine, m->place.execution);
	char key[NOTICE_KEY_BYTES], *why = last_why;
	struct error e;
	for (; x; a->channel++) {
		const struct oncall *o = oncall_now(engine_oncall(m->place.engine, m->root), NULL);
		const struct oncall_person *p = oncall_person(o, a->name);
		if (!p || a->channel >= p->count) break;
		struct notice n = {.kind = NOTICE_MESSAGE,
		                   .incident = x->id,
		                   .key = key,
		                   .person = a->name,
		                   .title = x->book->title ? x->book->title : x->book_name,
		                   .book = x->book_name,
		                   .execution = x->id,
		                   .step = x->book->steps[m->place.step].id,
		                   .text = m->text,
		                   .sent_us = clock_now_us(),
		                   .workspace_host = x->engine->host};
		snprintf(key, sizeof key, "%s.%zu.%u.%u.%zu", x->id, m->place.step, m->place.attempt, m->place.number, a->at);
		if (channel_send(m->place.engine, m->root, o, &p->channels[a->channel], &n, told, a, &e) == ERR_OK) {
			free(why);
			return true;
		}
		free(why);
		why = mem_strdup(e.text);
	}
	json_array_append_new(m->failed,
	                      json_pack("{s:s,s:o}", "person", a->name, "why", json_text(why ? why : "oncall.yaml has no channel of this person any more")));
	free(why);
	addressee_free(a);
	return false;
}

void notify_answer(struct execution *x, struct call *c)
{
	json_t *form = call_arguments(x, c), *arguments = json_obj(form, "arguments");
	const char *to = json_str(arguments, "to", ""), *text = json_str(arguments, "text", NULL), *root = x->engine->root ? x->engine->root : x->policy_root;
	struct error e;
	struct arena *a = arena_new();
	size_t count = 0;
	const struct oncall *o = oncall_now(engine_oncall(x->engine, root), &e);
	const struct oncall_person **people = oncall_people(a, o, to, &count);
	char why[256];
	c->is_dispatched = true;
	snprintf(why, sizeof why, "there is no person and no policy \"%.64s\" in .rung/oncall.yaml", to);
	if (!text || e.kind || !people) {
		fail(x, c, !text ? "a message is UTF-8 text" : e.kind ? e.text : why);
		go_on(x, c->step);
	} else {
		struct message *m = mem_zero(sizeof *m);
		*m = (struct message){
		    .place = place_of(x, c), .root = root ? mem_strdup(root) : NULL, .to = mem_strdup(to), .text = mem_strdup(text), .open = 1};
		m->delivered = json_array(), m->failed = json_array(), m->unknown = json_array();
		char **names = mem_zero((count + 1) * sizeof *names);
		for (size_t i = 0; i < count; i++) names[i] = mem_strdup(people[i]->name); /* sending may read the file anew */
		for (size_t i = 0; i < count; i++) {
			struct addressee *one = mem_zero(sizeof *one);
			*one = (struct addressee){.message = m, .name = names[i], .at = i};
			if (send_next(one, NULL)) m->open++;
		}
		free(names);
		close_one(m);
	}
	json_decref(form);
	arena_free(a);
}

void notify_cancel(struct execution *x, struct call *c)
{
	if (c->state != CALL_STARTED || !c->is_dispatched) return;
	c->is_dispatched = false;
	call_unknown_because(x, c, "not_told", "the step was stopped before it was known what became of the message");
}

/* ---- escalate ---- */

/* Where it could not be stored the step is told: it does not wait for what nobody raised. */
static void raised(struct engine *en, json_t *data)
{
	struct call_place p = {.engine = en,
	                       .step = (size_t)json_int(data, "step", 0),
	                       .attempt = (uint32_t)json_int(data, "attempt", 0),
	                       .number = (uint32_t)json_int(data, "number", 0),
	                       .intents = (uint32_t)json_int(data, "intents", 0)};
	struct execution *x;
	snprintf(p.execution, sizeof p.execution, "%s", json_str(data, "execution", ""));
	struct call *c = find(&p, &x);
	const char *error = json_str(data, "error", NULL);
	if (!c) return;
	if (error) {
		fail(x, c, error);
	} else {
		json_t *answer = json_pack("{s:s}", "incident", json_str(data, "incident", ""));
		c->is_dispatched = false;
		call_finish(x, c, "ok", json_pack("{s:s}", "answer", execution_blob_json(x, answer)));
		json_decref(answer);
	}
	go_on(x, p.step);
}

void escalate_answer(struct execution *x, struct call *c)
{
	json_t *form = call_arguments(x, c);
	const char *why = json_str(json_obj(form, "arguments"), "why", NULL), *step = x->book->steps[c->step].id;
	c->is_dispatched = true;
	if (c->is_in_verify || !why) {
		fail(x, c, c->is_in_verify ? "a proof or a condition calls nobody: call it in the step's action" : "why is UTF-8 text");
		go_on(x, c->step);
	} else {
		struct incident *inc = incident_open_for_execution(x);
		if (!escalation_was_raised(inc, RAISED_BY_STEP, x->id, step, c->intended_us)) escalation_raise(inc, RAISED_BY_STEP, x->id, step, why);
		incident_answer_later(x->engine, raised,
		                      json_pack("{s:s,s:s,s:I,s:I,s:I,s:I}", "incident", inc->id, "execution", x->id, "step", (json_int_t)c->step, "attempt",
		                                (json_int_t)c->attempt, "number", (json_int_t)c->number, "intents", (json_int_t)c->intents));
		incident_commit(x->engine);
	}
	json_decref(form);
}
