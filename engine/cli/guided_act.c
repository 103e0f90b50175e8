#include "base/clock.h"
#include "cli/guided.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What each key of guided mode does. */

static bool request(struct guided *g, const char *op, const char *step, json_t *more)
{
	struct error e = {0};
	enum err err = session_request(&g->session, op, step, more, NULL, &e);
	if (err) guided_trouble(g, &e);
	return !err;
}

static void settle(struct guided *g, const char *outcome, const char *note)
{
	char *id = mem_strdup(g->current);
	request(g, "settle", id, json_pack("{s:s,s:s}", "outcome", outcome, "note", note));
	free(id);
}

static void settle_asking(struct guided *g, const char *outcome, const char *title)
{
	char *id = mem_strdup(g->current), *note = guided_ask_line(g, title, NULL, "");
	/* Meant for the step that was asked about, whatever has come in front since. */
	if (note) request(g, "settle", id, json_pack("{s:s,s:s}", "outcome", outcome, "note", note));
	free(note);
	free(id);
}

static const json_t *question_of(const struct guided *g)
{
	size_t i;
	json_t *q;
	json_array_foreach(json_arr(g->session.view, "questions"), i, q) if (g->current && strcmp(json_str(q, "step", ""), g->current) == 0) return q;
	return NULL;
}

static void answer(struct guided *g, const json_t *question, json_t *value)
{
	request(g, "answer", json_str(question, "step", ""), json_pack("{s:I,s:o}", "call", json_int(question, "call", 0), "value", value));
}

/* Readers of a typed answer, by the question's type: a new reference, or NULL where the text is none. */
static json_t *read_text(const json_t *question, const char *text)
{
	(void)question;
	return json_string(text);
}

static json_t *read_int(const json_t *question, const char *text)
{
	char *end;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	(void)question;
	return *text && !*end && errno == 0 ? json_integer(n) : NULL;
}

static json_t *read_number(const json_t *question, const char *text)
{
	char *end;
	double n = strtod(text, &end);
	json_t *whole = read_int(question, text);
	return whole ? whole : *text && !*end ? json_real(n) : NULL;
}

static json_t *read_bool(const json_t *question, const char *text)
{
	static const char *const yes[] = {"y", "yes", "true"}, *const no[] = {"n", "no", "false"};
	(void)question;
	for (size_t i = 0; i < 3; i++) {
		if (strcasecmp(text, yes[i]) == 0) return json_true();
		if (strcasecmp(text, no[i]) == 0) return json_false();
	}
	return NULL;
}

static json_t *read_choice(const json_t *question, const char *text)
{
	const json_t *choices = json_arr(question, "choices");
	size_t i;
	json_t *choice, *number = read_int(question, text);
	json_int_t n = json_integer_value(number);
	json_decref(number);
	json_array_foreach(choices, i, choice) if (json_is_string(choice) && strcmp(json_string_value(choice), text) == 0) return json_incref(choice);
	return n >= 1 && (size_t)n <= json_array_size(choices) ? json_incref(json_array_get(choices, (size_t)n - 1)) : NULL;
}

static json_t *read_duration(const json_t *question, const char *text)
{
	int64_t us;
	(void)question;
	return clock_parse_duration(text, &us, NULL) == ERR_OK ? json_string(text) : NULL;
}

static const struct question_type {
	const char *name, *expected;
	json_t *(*read)(const json_t *question, const char *text);
} question_types[] = {
    {"string", "A text is expected.", read_text},
    {"int", "A whole number is expected.", read_int},
    {"number", "A number is expected.", read_number},
    {"bool", "Yes or no is expected: y or n.", read_bool},
    {"enum", "One of the choices is expected: its number, or itself.", read_choice},
    {"duration", "A duration is expected, such as 90s, 5m or 1h30m.", read_duration},
};

static const struct question_type *type_of(const json_t *question)
{
	const char *name = json_str(question, "type", "string");
	for (size_t i = 0; i < sizeof question_types / sizeof *question_types; i++)
		if (strcmp(question_types[i].name, name) == 0) return &question_types[i];
	return &question_types[0];
}

static void ask_for_answer(struct guided *g)
{
	json_t *question = json_deep_copy(question_of(g));
	const struct question_type *type = type_of(question);
	struct arena *a = arena_new();
	const char *why = NULL;
	char *typed = mem_strdup(screen_result(a, json_object_get(question, "default")));
	while (question && typed) {
		const char *text[] = {why, NULL};
		char *next = guided_ask_line(g, "Your answer:", why ? text : NULL, typed);
		free(typed);
		typed = next;
		json_t *value = typed ? type->read(question, typed) : NULL;
		why = type->expected;
		if (!value) continue;
		answer(g, question, value);
		break;
	}
	free(typed);
	json_decref(question);
	arena_free(a);
}

bool guided_takes_question_key(const struct guided *g, int key)
{
	const json_t *step = guided_step(g), *q = question_of(g);
	if (g->is_watching || !q || strcmp(json_str(step, "waiting", ""), "answer") != 0) return false;
	const char *type = json_str(q, "type", "text");
	if (strcmp(type, "bool") == 0) return key == 'y' || key == 'n';
	return strcmp(type, "enum") == 0 && key >= '1' && key <= '9' && (size_t)(key - '0') <= json_array_size(json_object_get(q, "choices"));
}

void guided_question_key(struct guided *g, int key)
{
	json_t *q = json_deep_copy(question_of(g));
	if (key == 'y' || key == 'n')
		answer(g, q, json_boolean(key == 'y'));
	else
		answer(g, q, json_incref(json_array_get(json_object_get(q, "choices"), (size_t)(key - '1'))));
	json_decref(q);
}

void guided_take_up(struct guided *g)
{
	struct error e = {0};
	/* One that was only looked at is another one now that it is driven: the whole view is read again. */
	if (request(g, "resume", NULL, NULL) && session_refresh(&g->session, &e)) guided_trouble(g, &e);
}

static void go(struct guided *g)
{
	const json_t *step = guided_step(g);
	unsigned when = keys_when(g->session.view, step, step ? guided_next_command(g, step) : 0, 0);
	if (when & WHEN_TAKE_UP)
		guided_take_up(g);
	else if (when & WHEN_ANSWER)
		ask_for_answer(g);
	else if (when & WHEN_RESOLVE)
		guided_resolve(g);
	else if (when & WHEN_GO)
		request(g, "go", g->current, NULL);
	else if (when & WHEN_SHELL)
		guided_run_command(g, false, false);
}

static void again(struct guided *g, const char *id, const char *title)
{
	static const char *const text[] = {"Steps that depend on it start again too. What was recorded stays in the record.", NULL};
	static const struct choice choices[] = {{'y', "y", "yes"}, {KEY_ESCAPE, "Esc", "no"}, {0, NULL, NULL}};
	char *step = mem_strdup(id);
	if (!title || guided_ask_key(g, title, text, choices) == 'y') request(g, "again", step, NULL);
	free(step);
}

static void back(struct guided *g)
{
	const json_t *before = NULL, *now = guided_step(g);
	size_t i;
	json_t *step;
	json_array_foreach(json_arr(g->session.view, "steps"), i, step)
	{
		if (step == now) break;
		if (step_is_over(step)) before = step;
	}
	if (!before) return;
	struct arena *a = arena_new();
	again(g, json_str(before, "id", ""), arena_printf(a, "Do \"%s\" again?", line_safe(a, json_str(before, "title", ""))));
	arena_free(a);
}

static void allow(struct guided *g)
{
	static const struct choice choices[] = {{'y', "y", "allow it and try again"}, {KEY_ESCAPE, "Esc", "no"}, {0, NULL, NULL}};
	const char *shown[8] = {0};
	struct arena *a = arena_new();
	json_t *patterns = view_denied(g->session.view, g->current);
	char *id = mem_strdup(g->current);
	for (size_t i = 0; i < json_array_size(patterns) && i < 7; i++) shown[i] = line_exact(a, json_string_value(json_array_get(patterns, i)));
	int key = json_array_size(patterns) ? guided_ask_key(g, "Allow, for this execution only:", shown, choices) : KEY_ESCAPE;
	if (key == 'y' && request(g, "allow", NULL, json_pack("{s:O}", "patterns", patterns))) request(g, "again", id, NULL);
	json_decref(patterns);
	arena_free(a);
	free(id);
}

static void note(struct guided *g)
{
	char *id = g->current ? mem_strdup(g->current) : NULL, *text = guided_ask_line(g, "Note for the record:", NULL, "");
	if (text && *text) {
		struct error e = {0};
		json_t *args = json_pack("{s:s,s:o}", "text", text, "step", id ? json_string(id) : json_null());
		if (session_request(&g->session, "note", NULL, args, NULL, &e)) guided_trouble(g, &e);
	}
	free(text);
	free(id);
}

static void stop(struct guided *g)
{
	char *text = guided_ask_line(g, "Stop here and keep everything as it stands. Why? (Enter alone: no reason)", NULL, "");
	if (text) request(g, "stop", NULL, json_pack("{s:s}", "note", text));
	free(text);
}

void guided_interrupt(struct guided *g)
{
	static const struct choice choices[] = {{KEY_ENTER, "Enter", "go on"},
	                                        {'p', "p", "pause: what runs finishes, nothing new starts"},
	                                        {'c', "c", "cancel: what runs is stopped"},
	                                        {'q', "q", "leave, it goes on"},
	                                        {0, NULL, NULL}};
	int key = guided_ask_key(g, "Interrupted. Nothing has been stopped yet.", NULL, choices);
	if (key == 'p') request(g, "pause", NULL, NULL);
	if (key == 'q') g->leaving = LEAVES;
	if (key != 'c') return;
	char *reason = guided_ask_line(g, "Cancel the execution. Why? (Enter alone: no reason)", NULL, "");
	if (reason) request(g, "cancel", NULL, json_pack("{s:s}", "reason", reason));
	free(reason);
}

static void show_keys(struct guided *g)
{
	struct arena *a = arena_new();
	struct lines all;
	lines_init(&all, a);
	const json_t *step = guided_step(g);
	unsigned when = keys_when(g->session.view, step, step ? guided_next_command(g, step) : 0, 0);
	lines_add(&all, "Keys. Those marked * mean something now.");
	lines_add(&all, "");
	for (const struct key_info *k = key_table; k->key; k++)
		if (k->longer) lines_printf(&all, " %s %-7s %s", k->when & when || k->when == WHEN_ALWAYS ? "*" : " ", k->label, k->longer);
	guided_page(g, &all, "keys", false);
	arena_free(a);
}

static void show(struct guided *g, bool overview)
{
	struct arena *a = arena_new();
	struct lines all;
	struct screen s = guided_screen(g);
	const json_t *step = guided_step(g);
	lines_init(&all, a);
	if (overview || !step)
		screen_overview(&all, g->session.view, &s);
	else
		screen_step_in_full(&all, g->session.view, step, &s);
	guided_page(g, &all, overview || !step ? "all steps" : "step", false);
	arena_free(a);
}

static void next_step(struct guided *g)
{
	json_t *steps = json_arr(g->session.view, "steps");
	size_t n = json_array_size(steps), at = 0;
	for (size_t i = 0; i < n; i++)
		if (json_array_get(steps, i) == guided_step(g)) at = i;
	for (size_t i = 1; i <= n; i++) {
		const json_t *step = json_array_get(steps, (at + i) % n);
		const char *waiting = json_str(step, "waiting", "");
		if (!*waiting || strcmp(waiting, "retry") == 0) continue;
		free(g->current);
		g->current = mem_strdup(json_str(step, "id", ""));
		return;
	}
}

static void choose_command(struct guided *g, bool after)
{
	const json_t *step = guided_step(g);
	size_t at = guided_next_command(g, step), n = step_commands(step);
	if (after && at < n)
		at++;
	else if (!after && at > 0)
		at--;
	json_object_set_new(g->chosen, g->current, json_integer((json_int_t)at));
}

void guided_act(struct guided *g, enum action action)
{
	if (g->is_watching && action != ACTION_NOTE && action != ACTION_OUTPUT && action != ACTION_VIEW && action != ACTION_OVERVIEW && action != ACTION_HELP &&
	    action != ACTION_QUIT)
		return;
	switch (action) {
	case ACTION_GO:
		go(g);
		break;
	case ACTION_DONE:
		settle(g, "succeeded", "");
		break;
	case ACTION_FAILED:
		settle_asking(g, "failed", "What did you see? (Enter alone: nothing to say)");
		break;
	case ACTION_SKIP:
		settle_asking(g, "skipped", "Why skip it? (Enter alone: no reason)");
		break;
	case ACTION_AGAIN:
		again(g, g->current, NULL);
		break;
	case ACTION_ALLOW:
		allow(g);
		break;
	case ACTION_RUN:
		guided_run_command(g, false, false);
		break;
	case ACTION_EDIT:
		guided_run_command(g, false, true);
		break;
	case ACTION_TERMINAL:
		guided_run_command(g, true, false);
		break;
	case ACTION_NOTE:
		note(g);
		break;
	case ACTION_OUTPUT:
		guided_show_output(g);
		break;
	case ACTION_VIEW:
		show(g, false);
		break;
	case ACTION_BACK:
		back(g);
		break;
	case ACTION_OVERVIEW:
		show(g, true);
		break;
	case ACTION_NEXT:
		next_step(g);
		break;
	case ACTION_COMMAND_BEFORE:
		choose_command(g, false);
		break;
	case ACTION_COMMAND_AFTER:
		choose_command(g, true);
		break;
	case ACTION_STOP:
		stop(g);
		break;
	case ACTION_HELP:
		show_keys(g);
		break;
	case ACTION_QUIT:
		g->leaving = LEAVES;
		break;
	case ACTION_INTERRUPT:
		guided_interrupt(g);
		break;
	case ACTION_NONE:
		break;
	}
}
