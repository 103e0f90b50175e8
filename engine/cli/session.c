#include "cli/session.h"
#include "base/arena.h"
#include "flow/flow.h"

#include <stdlib.h>
#include <string.h>

void session_init(struct session *s, json_t *view)
{
	*s = (struct session){.view = view, .is_changed = true};
	strncpy(s->execution, json_str(view, "execution", ""), sizeof s->execution - 1);
}

enum err session_attach(struct session *s, struct client *c, const char *execution, struct error *e)
{
	struct answer a = {0};
	/* Events may come right behind the answer, but never before it: the session is in place when the first is handed out. */
	client_on_event(c, NULL, NULL);
	enum err err = client_request(c, "attach", json_pack("{s:s}", "execution", execution), &a, e);
	if (err) return err;
	session_init(s, a.value);
	free(a.payload);
	s->client = c;
	client_on_event(c, session_event, s);
	return ERR_OK;
}

void session_set_hooks(struct session *s, const struct session_hooks *hooks, void *arg)
{
	s->hooks = hooks, s->arg = arg;
}

void session_clear(struct session *s)
{
	for (size_t i = 0; i < s->tail_count; i++) {
		tail_clear(&s->tails[i].tail);
		free(s->tails[i].step);
	}
	free(s->tails);
	json_decref(s->view);
	if (s->client) client_on_event(s->client, NULL, NULL);
	*s = (struct session){0};
}

enum err session_request(struct session *s, const char *op, const char *step, json_t *more, struct answer *out, struct error *e)
{
	json_t *args = json_pack("{s:s}", "execution", s->execution);
	if (step) json_object_set_new(args, "step", json_string(step));
	if (more) json_object_update(args, more);
	json_decref(more);
	return client_request(s->client, op, args, out, e);
}

const char *session_state(const struct session *s)
{
	return json_str(s->view, "state", "pending");
}

const json_t *view_step(const json_t *view, const char *id)
{
	size_t i;
	json_t *step;
	json_array_foreach(json_arr(view, "steps"), i, step) if (id && strcmp(json_str(step, "id", ""), id) == 0) return step;
	return NULL;
}

bool view_is_over(const json_t *view)
{
	enum run_state state;
	return run_state_find(json_str(view, "state", NULL), &state) && flow_run_is_over(state);
}

bool step_is_over(const json_t *step)
{
	enum step_state state;
	return step_state_find(json_str(step, "state", NULL), &state) && flow_is_over(state);
}

int view_exit_status(const json_t *view)
{
	enum run_state state;
	size_t i;
	json_t *step;
	bool was_denied = false;
	json_array_foreach(json_arr(view, "steps"), i, step) if (strcmp(json_str(step, "state", ""), "denied") == 0) was_denied = true;
	if (!run_state_find(json_str(view, "state", NULL), &state)) return err_info(ERR_FAILED)->exit_status;
	return run_exit_status(state, was_denied);
}

const json_t *view_last_called(const json_t *view, const json_t *step)
{
	const json_t *last = NULL;
	size_t i;
	json_t *other;
	if (json_array_size(json_object_get(step, "calls")) > 0) return step;
	json_array_foreach(json_arr(view, "steps"), i, other) if (json_array_size(json_object_get(other, "calls")) > 0 &&
	                                                          (!last || json_int(other, "started_us", 0) >= json_int(last, "started_us", 0))) last = other;
	return last;
}

static bool holds_text(const json_t *list, const char *text)
{
	size_t i;
	json_t *v;
	json_array_foreach(list, i, v) if (json_is_string(v) && strcmp(json_string_value(v), text) == 0) return true;
	return false;
}

json_t *view_denied(const json_t *view, const char *step)
{
	json_t *out = json_array(), *d;
	size_t i;
	json_array_foreach(json_arr(view, "denied"), i, d)
	{
		if (!json_bool(d, "allowable", true)) continue; /* the book itself stands against it */
		const char *pattern = json_str(d, "pattern", json_str(d, "words", ""));
		if (strcmp(json_str(d, "step", ""), step) == 0 && *pattern && !holds_text(out, pattern) && !holds_text(json_arr(view, "allowed"), pattern))
			json_array_append_new(out, json_string(pattern));
	}
	return out;
}

const char *view_forbidden_by(const json_t *view, const char *step)
{
	size_t i;
	json_t *d;
	if (strcmp(json_str(view_step(view, step), "state", ""), "denied") != 0) return NULL;
	json_array_foreach(json_arr(view, "denied"), i,
	                   d) if (strcmp(json_str(d, "step", ""), step) == 0 && !json_bool(d, "allowable", true)) return json_str(d, "by", "book");
	return NULL;
}

static struct step_tail *find_tail(const struct session *s, const char *step)
{
	for (size_t i = 0; i < s->tail_count; i++)
		if (strcmp(s->tails[i].step, step) == 0) return &s->tails[i];
	return NULL;
}

struct tail *session_tail(const struct session *s, const char *step)
{
	struct step_tail *t = find_tail(s, step);
	return t ? &t->tail : NULL;
}

static struct tail *tail_of(struct session *s, const char *step, json_int_t attempt)
{
	struct step_tail *t = find_tail(s, step);
	if (t && t->attempt != attempt) tail_clear(&t->tail), t->attempt = attempt;
	if (t) return &t->tail;
	if (s->tail_count == s->tail_capacity) {
		s->tail_capacity = s->tail_capacity ? 2 * s->tail_capacity : 8;
		s->tails = mem_realloc(s->tails, s->tail_capacity * sizeof *s->tails);
	}
	t = &s->tails[s->tail_count++];
	*t = (struct step_tail){.step = mem_strdup(step), .attempt = attempt};
	return &t->tail;
}

static bool same_word(const json_t *a, const json_t *b, const char *key)
{
	return strcmp(json_str(a, key, ""), json_str(b, key, "")) == 0;
}

/* Calls by their number; of the step's attempt, and no more than a view has. */
static void merge_calls(json_t *step, json_t *changed)
{
	enum { CALLS_MAX = 200 };
	json_t *calls = json_object_get(step, "calls"), *call;
	size_t i;
	if (!json_is_array(calls)) json_object_set_new(step, "calls", calls = json_array());
	json_array_foreach(changed, i, call)
	{
		size_t at = json_array_size(calls);
		while (at > 0 && json_int(json_array_get(calls, at - 1), "call", -1) != json_int(call, "call", -2)) at--;
		if (at > 0)
			json_array_set(calls, at - 1, call);
		else
			json_array_append(calls, call);
	}
	while (json_array_size(calls) > CALLS_MAX) json_array_remove(calls, 0);
}

static void merge_step(struct session *s, json_t *change)
{
	json_t *step = (json_t *)(uintptr_t)view_step(s->view, json_str(change, "id", NULL));
	if (!step) return;
	json_t *was = json_copy(step);
	json_object_update(step, change);
	merge_calls(step, json_arr(change, "changed_calls"));
	json_object_del(step, "changed_calls");
	json_int_t attempt_was = json_int(was, "attempt", 0);
	bool is_moved = !same_word(was, step, "state") || !same_word(was, step, "waiting") || attempt_was != json_int(step, "attempt", 0);
	if (is_moved && s->hooks && s->hooks->step_changed) s->hooks->step_changed(s->arg, step, json_str(was, "state", ""), attempt_was);
	json_decref(was);
}

static void merge_view(struct session *s, const json_t *head)
{
	const char *key;
	json_t *value;
	size_t i;
	json_object_foreach((json_t *)(uintptr_t)head, key, value) if (strcmp(key, "steps") != 0 && strcmp(key, "ev") != 0)
	    json_object_set(s->view, key, value);
	json_t *steps = json_arr(head, "steps"), *change;
	json_array_foreach(steps, i, change) merge_step(s, change);
}

enum err session_refresh(struct session *s, struct error *e)
{
	struct answer a = {0};
	enum err err = client_request(s->client, "attach", json_pack("{s:s}", "execution", s->execution), &a, e);
	if (!err) merge_view(s, a.value);
	answer_clear(&a);
	return err;
}

static void take_output(struct session *s, const json_t *head, const char *payload, size_t n)
{
	const char *step = json_str(head, "step", "");
	tail_add_from(tail_of(s, step, json_int(head, "attempt", 0)), json_int(head, "call", 0), json_str(head, "host", NULL), payload, n);
	if (s->hooks && s->hooks->output) s->hooks->output(s->arg, head, payload, n);
}

static void take_ended(struct session *s, const json_t *head)
{
	const char *state = json_str(head, "state", NULL);
	if (state) json_object_set_new(s->view, "state", json_string(state));
	s->is_ended = true;
}

void session_event(void *session, const json_t *head, const char *payload, size_t n)
{
	struct session *s = session;
	const char *ev = json_str(head, "ev", ""), *step = json_str(head, "step", "");
	if (strcmp(json_str(head, "execution", ""), s->execution) != 0) return;
	s->is_changed = true;
	if (strcmp(ev, "view") == 0)
		merge_view(s, head);
	else if (strcmp(ev, "output") == 0)
		take_output(s, head, payload, n);
	else if (strcmp(ev, "ended") == 0)
		take_ended(s, head);
	else if (strcmp(ev, "detached") == 0) /* looked at again, it says why */
		s->is_ended = true;
	else if (strcmp(ev, "logged") == 0 && s->hooks && s->hooks->logged)
		s->hooks->logged(s->arg, step, json_str(head, "level", "info"), json_str(head, "text", ""));
	else if (strcmp(ev, "note") == 0 && s->hooks && s->hooks->noted)
		s->hooks->noted(s->arg, step, json_str(head, "by", ""), json_str(head, "text", ""));
}
