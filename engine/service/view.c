#include "base/clock.h"
#include "service/approval.h"
#include "service/attempt.h"
#include "service/child.h"
#include "service/diverged.h"
#include "service/engine_state.h"
#include "service/finding.h"
#include "service/secret.h"
#include "service/unknown.h"

#include <stdlib.h>
#include <string.h>

/* What clients see of an execution (protocol.h, VIEW). */

enum { VIEW_CALLS_MAX = 200 };

static json_t *strings(const char *const *list, size_t n)
{
	json_t *a = json_array();
	for (size_t i = 0; i < n; i++) json_array_append_new(a, json_string(list[i]));
	return a;
}

static const char *role_word(enum fence_role r)
{
	static const char *const words[] = {"action", "verify", "undo", "if", "shell", "shown"};
	return words[r];
}

static json_t *fence_view(const struct book_fence *f)
{
	return json_pack("{s:s,s:s?,s:s?,s:i,s:b,s:o,s:s?}", "role", role_word(f->role), "language", f->language, "source", f->source, "line", f->line, "run",
	                 f->is_run, "commands", strings(f->commands, f->command_count), "expected", f->expected);
}

/* What does not change while it runs. */
static void add_static(json_t *o, const struct execution *x, size_t i)
{
	const struct book_step *b = &x->book->steps[i];
	json_t *needs = json_array(), *fences = json_array();
	for (size_t k = 0; k < x->graph->nodes[i].need_count; k++) json_array_append_new(needs, json_string(x->book->steps[x->graph->nodes[i].needs[k]].id));
	for (size_t k = 0; k < b->fence_count; k++) json_array_append_new(fences, fence_view(&b->fences[k]));
	struct buf text;
	buf_init(&text, 2 * BOOK_BYTES_MAX);
	book_step_text(&text, x->book, b);
	json_t *fixed = json_pack("{s:s,s:s?,s:i,s:s,s:s?,s:b,s:s,s:s?,s:o,s:s?,s:s?,s:s?,s:o,s:o}", "title", b->title, "markdown", text.data, "line", b->line,
	                          "phase", phase_word(b->phase), "section", b->section, "manual", b->is_manual, "risk", risk_word(b->risk), "effect",
	                          b->effect == EFFECT_UNSET ? NULL : effect_word(b->effect), "needs", needs, "expect", b->expect, "owner", b->owner, "if",
	                          b->if_source, "fences", fences, "permissions", strings(b->permissions, b->permission_count));
	json_object_update(o, fixed);
	json_decref(fixed);
	buf_clear(&text);
}

static const char *call_state_word(const struct call *c)
{
	if (c->state == CALL_UNKNOWN || c->state == CALL_AGAIN) return "unknown";
	if (c->state == CALL_STARTED) return "running";
	if (strcmp(c->outcome, "ok") == 0 && (json_int(c->finished, "code", 0) != 0 || json_object_get(c->finished, "signal"))) return "failed";
	return c->outcome;
}

static json_t *call_view(struct execution *x, struct call *c)
{
	json_t *o = json_pack("{s:i,s:i,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I}", "call", (int)c->number, "attempt", (int)c->attempt, "words", call_words(x, c),
	                      "module", c->module, "function", c->function, "effect", effect_word(c->effect), "state", call_state_word(c), "started_us",
	                      (json_int_t)c->started_us, "finished_us", (json_int_t)c->finished_us, "stdout_bytes",
	                      c->finished ? json_int(c->finished, "stdout_bytes", 0) : (json_int_t)c->seen_bytes[0], "stderr_bytes",
	                      c->finished ? json_int(c->finished, "stderr_bytes", 0) : (json_int_t)c->seen_bytes[1]);
	if (!o) o = json_object();
	static const char *const ranges[] = {"action", "condition", "terminal", "proof"};
	enum call_range range = call_range_of(c->number);
	json_object_set_new(o, "of", json_string(ranges[range]));
	json_object_set_new(o, "nth", json_integer((json_int_t)(c->number - call_range_base(range))));
	if (c->state == CALL_UNKNOWN) json_object_set_new(o, "unknown", unknown_facts(x, c));
	if (json_object_get(c->finished, "code")) json_object_set(o, "code", json_object_get(c->finished, "code"));
	if (json_object_get(c->finished, "signal")) json_object_set(o, "signal", json_object_get(c->finished, "signal"));
	return o;
}

/* What a client that has seen a call before has to be told again for: never 0. */
static uint64_t looks_of(const struct call *c)
{
	uint64_t n = 1469598103934665603u;
	const uint64_t parts[] = {c->state,         c->intents,          c->again,        (uint64_t)c->finished_us, c->seen_bytes[0],
	                          c->seen_bytes[1], c->finished != NULL, c->is_dispatched};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) n = (n ^ parts[i]) * 1099511628211u;
	return n | 1;
}

static bool is_shown(const struct execution *x, size_t i, const struct call *c)
{
	uint32_t attempt = x->flow->steps[i].attempt;
	return !c->is_question && (c->attempt == attempt || attempt == 0);
}

static size_t first_shown(const struct step_data *s)
{
	return s->call_count > VIEW_CALLS_MAX ? s->call_count - VIEW_CALLS_MAX : 0;
}

static json_t *calls_view(struct execution *x, size_t i)
{
	struct step_data *s = &x->steps[i];
	json_t *calls = json_array();
	for (size_t k = first_shown(s); k < s->call_count; k++)
		if (is_shown(x, i, s->calls[k])) json_array_append_new(calls, call_view(x, s->calls[k]));
	return calls;
}

/* For attached clients: all of a step's calls where they do not know its attempt, else those that look otherwise than when they were told. Each call of a
 * fleet is told twice so, and not once for every other one. */
static void tell_calls(struct execution *x, size_t i, json_t *o)
{
	struct step_data *s = &x->steps[i];
	bool is_whole = s->told_attempt == 0 || s->told_attempt != x->flow->steps[i].attempt;
	s->told_attempt = x->flow->steps[i].attempt;
	json_t *calls = json_array();
	for (size_t k = first_shown(s); k < s->call_count; k++) {
		struct call *c = s->calls[k];
		uint64_t looks = looks_of(c);
		/* Of an unknown one more comes to be known without a change of its own. */
		if (is_shown(x, i, c) && (is_whole || looks != c->told || c->state == CALL_UNKNOWN)) json_array_append_new(calls, call_view(x, c));
		c->told = looks;
	}
	json_object_set_new(o, is_whole ? "calls" : "changed_calls", calls);
}

static char *read_text(struct execution *x, const char *blob)
{
	return blob ? execution_read_blob(x, blob, NULL) : NULL;
}

/* For flow a question is a question; people see whether it is theirs to answer or others' to agree to. */
static enum flow_wait waits_for(const struct execution *x, size_t i)
{
	enum flow_wait wait = flow_waits_for(x->flow, i);
	bool is_theirs = false;
	for (size_t k = 0; wait == WAIT_ANSWER && k < x->steps[i].call_count; k++) {
		const struct call *c = x->steps[i].calls[k];
		bool is_open = c->is_question && c->state == CALL_STARTED && c->attempt == x->flow->steps[i].attempt;
		if (is_open && strcmp(c->module, "approve") != 0) return wait;
		is_theirs = is_theirs || is_open;
	}
	return is_theirs ? WAIT_APPROVAL : wait;
}

/* Deadlines run on a clock that nobody sets: told as the wall clock will show them. */
static int64_t due_on_the_wall(const struct execution *x, const struct flow_step *f)
{
	if (!f->due_us || x->is_loaded_for_reading) return f->due_us;
	return f->due_us + clock_now_us() - clock_steady_us();
}

static json_t *step_view(struct execution *x, size_t i, bool with_static)
{
	const struct flow_step *f = &x->flow->steps[i];
	struct step_data *s = &x->steps[i];
	enum flow_wait wait = waits_for(x, i);
	char *note = read_text(x, s->note_blob);
	/* A person who says that it failed says why in the note. */
	const char *why = execution_why(x, i);
	if (!why && flow_is_bad(f->state)) why = note;
	json_t *result = execution_result(x, i);
	json_t *o = json_pack("{s:s,s:s,s:i,s:s?,s:o,s:s?,s:I,s:I,s:I,s:O?,s:o}", "id", x->book->steps[i].id, "state", step_state_name(f->state), "attempt",
	                      (int)f->attempt, "waiting", wait ? flow_wait_name(wait) : NULL, "why", json_text(why), "to", s->to, "started_us",
	                      (json_int_t)f->started_us, "finished_us", (json_int_t)f->finished_us, "due_us", (json_int_t)due_on_the_wall(x, f), "result",
	                      result, "note", json_text(note));
	must(o != NULL);
	if (with_static)
		json_object_set_new(o, "calls", calls_view(x, i));
	else
		tell_calls(x, i, o);
	json_object_set_new(o, "proof", proof_view(x, i));
	json_t *diverged = f->state == STEP_DIVERGED ? diverged_view(x, i) : NULL;
	json_object_set_new(o, "diverged", diverged ? diverged : json_null());
	if (with_static) add_static(o, x, i);
	free(note);
	return o;
}

json_t *execution_step_view(struct execution *x, size_t i)
{
	return step_view(x, i, true);
}

static json_t *question_view(struct execution *x, const struct call *c)
{
	size_t n;
	char *text = execution_read_blob(x, c->arguments_blob, &n);
	json_t *form = json_loadb(text, n, JSON_ALLOW_NUL, NULL), *arguments = json_obj(form, "arguments");
	json_t *choices = json_arr(arguments, "choices");
	json_t *o = json_pack("{s:s,s:i,s:i,s:s,s:s,s:o}", "step", x->book->steps[c->step].id, "attempt", (int)c->attempt, "call", (int)c->number, "prompt",
	                      json_str(arguments, "prompt", ""), "type", json_str(arguments, "type", "string"), "choices",
	                      choices ? json_incref(choices) : json_array());
	if (json_object_get(arguments, "default")) json_object_set(o, "default", json_object_get(arguments, "default"));
	json_decref(form);
	free(text);
	return o;
}

static json_t *questions_view(struct execution *x)
{
	json_t *list = json_array();
	for (size_t i = 0; i < x->graph->count; i++)
		for (size_t k = 0; k < x->steps[i].call_count && x->flow->steps[i].open_questions; k++) {
			const struct call *c = x->steps[i].calls[k];
			if (c->is_question && c->state == CALL_STARTED && c->attempt == x->flow->steps[i].attempt && strcmp(c->module, "approve") != 0)
				json_array_append_new(list, question_view(x, c));
		}
	return list;
}

static json_t *meta_view(const struct book *b)
{
	json_t *o = json_object();
	for (size_t i = 0; i < b->meta_count; i++) json_object_set_new(o, b->meta[i].key, json_string(b->meta[i].value));
	return o;
}

static void add_run(struct execution *x, json_t *o)
{
	json_t *changing =
	    json_pack("{s:s,s:s,s:b,s:b,s:I,s:I,s:O,s:o,s:O,s:o}", "state", run_state_name(x->flow->state), "driver", x->driver, "interrupted",
	              x->is_loaded_for_reading && !x->flow->is_finished, "paused", x->flow->is_paused, "started_us", (json_int_t)x->started_us, "finished_us",
	              (json_int_t)x->finished_us, "allowed", x->allow, "questions", questions_view(x), "denied", x->denied, "approvals", approvals_view(x));
	json_object_update(o, changing);
	json_decref(changing);
	json_object_set(o, "findings", (json_t *)findings_of(x));
	json_object_set(o, "conclusion", x->conclusion ? x->conclusion : json_null());
	json_object_set_new(o, "children", children_view(x));
	json_t *missing = x->is_loaded_for_reading && !x->flow->is_finished ? secret_missing_params(x) : NULL;
	if (json_array_size(missing)) json_object_set(o, "secrets_missing", missing);
	json_decref(missing);
}

json_t *execution_view(struct execution *x)
{
	const struct book *b = x->book;
	json_t *steps = json_array();
	for (size_t i = 0; i < x->graph->count; i++) json_array_append_new(steps, step_view(x, i, true));
	json_t *permissions = json_array();
	for (size_t i = 0; i < b->permission_count; i++)
		json_array_append_new(permissions, json_pack("{s:s,s:b}", "pattern", b->permissions[i].pattern, "read", b->permissions[i].is_read));
	json_t *book = json_pack("{s:s,s:s?,s:s,s:s?,s:s,s:s?,s:o,s:s,s:o}", "path", x->book_path, "anchor", b->anchor, "kind",
	                         b->kind == BOOK_PLAYBOOK ? "playbook" : "runbook", "id", b->id, "title", b->title, "description", b->description, "meta",
	                         meta_view(b), "digest", b->digest, "permissions", permissions);
	json_t *o = json_pack("{s:s,s:s,s:s,s:o,s:O,s:b,s:O,s:o}", "execution", x->id, "mode", x->flow->mode == FLOW_GUIDED ? "guided" : "auto", "plan",
	                      x->plan_digest, "book", book, "params", x->params, "declared", x->is_all_declared, "notes", x->notes, "steps", steps);
	must(o != NULL);
	json_object_set_new(o, "trigger", json_string(x->trigger));
	json_object_set_new(o, "parent",
	                    x->parent.execution ? json_pack("{s:s,s:s,s:i,s:i}", "execution", x->parent.execution, "step", x->parent.step, "attempt",
	                                                    (int)x->parent.attempt, "call", (int)x->parent.call)
	                                        : json_null());
	add_run(x, o);
	return o;
}

static void tell(struct execution *x, json_t *data)
{
	engine_broadcast(x->engine, x, json_incref(data), NULL, 0);
}

/* One event moves other steps too (they become ready): states are compared with what was told last. */
static bool differs(struct execution *x, size_t i)
{
	struct step_data *s = &x->steps[i];
	int now = (int)x->flow->steps[i].state * 16 + (int)flow_waits_for(x->flow, i);
	bool changed = s->is_dirty || s->told != now;
	s->is_dirty = false;
	s->told = now;
	return changed;
}

void execution_tell_changes(struct execution *x)
{
	if (!x->is_run_dirty) return;
	bool anyone = false;
	for (const struct client *c = x->engine->clients; c; c = c->next) anyone = anyone || client_is_attached(c, x->id);
	if (!anyone) return; /* what is dirty stays so; who attaches gets the whole view */
	x->is_run_dirty = false;
	json_t *steps = json_array(), *o = json_pack("{s:s,s:s}", "ev", "view", "execution", x->id);
	for (size_t i = 0; i < x->graph->count; i++)
		if (differs(x, i)) json_array_append_new(steps, step_view(x, i, false));
	json_object_set_new(o, "steps", steps);
	add_run(x, o);
	execution_later(x, tell, o);
}
