#include "cli/guided.h"
#include "cli/unknown.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Guided mode's way to an answer: what is known, a key, what that brings, how the person knows. Nothing is recorded before the last. */

enum {
	RESULT_DEPTH_MAX = 16,
	TEXT_LINES_MAX = 200,
	FOOT_LINES = 6, /* of the dialog: a blank line, its title, its keys, what is typed */
	ABOVE_LINES = 8 /* what stays of the panel above it */
};

/* Lines of text in a dialog, as many as there is room for; what is left out is said, with the key that shows all. */
struct dialog_text {
	const char *line[TEXT_LINES_MAX + 1];
	size_t count;
};

static void put_text(struct dialog_text *t, const struct lines *l, const struct screen *s, const char *more)
{
	size_t rows = s->rows > FOOT_LINES + ABOVE_LINES + 3 ? (size_t)s->rows - FOOT_LINES - ABOVE_LINES : 3;
	if (rows > TEXT_LINES_MAX) rows = TEXT_LINES_MAX;
	size_t n = l->count <= rows ? l->count : rows - 1;
	t->count = 0;
	for (size_t i = 0; i < n; i++) t->line[t->count++] = l->line[i];
	if (n < l->count) t->line[t->count++] = arena_printf(l->arena, "  %s %zu lines more: %s", s->unicode ? "…" : "...", l->count - n, more);
	t->line[t->count] = NULL;
}

/* What is asked about, while it is asked: for the step that was in front, whatever has come in front since. */
struct resolving {
	struct guided *g;
	struct arena *arena;
	char *step;
	json_int_t call; /* 0: all */
	json_t *shown;
};

static enum err ask_engine(struct resolving *r, const char *op, json_t *more, struct answer *out, struct error *e)
{
	json_t *args = json_pack("{s:o}", "call", r->call ? json_integer(r->call) : json_null());
	if (more) json_object_update(args, more);
	json_decref(more);
	return session_request(&r->g->session, op, r->step, args, out, e);
}

static bool read_shown(struct resolving *r)
{
	struct answer got = {0};
	struct error e = {0};
	enum err err = ask_engine(r, "resolve.show", NULL, &got, &e);
	json_decref(r->shown);
	r->shown = err ? NULL : json_incref(got.value);
	answer_clear(&got);
	if (err) guided_trouble(r->g, &e);
	return !err;
}

static void show_all(struct resolving *r)
{
	struct lines all;
	struct screen s = guided_screen(r->g);
	lines_init(&all, r->arena);
	unknown_all_lines(&all, r->shown, (size_t)s.columns - 1);
	guided_page(r->g, &all, "unknown", false);
}

static int ask_what(struct resolving *r)
{
	static const struct choice answers[] = {{'a', "a", "again"}, {'f', "f", "failed"}, {'d', "d", "done"}, {0, NULL, NULL}};
	struct choice choices[8];
	struct dialog_text text;
	struct lines known;
	struct screen s = guided_screen(r->g);
	bool is_many = json_int(r->shown, "unknown", 0) > 1;
	size_t n = 0;
	for (; answers[n].key; n++) choices[n] = answers[n];
	if (json_bool(r->shown, "can_verify", false)) choices[n++] = (struct choice){'v', "v", "run verify now"};
	if (is_many) choices[n++] = (struct choice){'c', "c", "one call alone"};
	choices[n++] = (struct choice){'i', "i", "all that is known"};
	choices[n++] = (struct choice){KEY_ESCAPE, "Esc", "back"};
	choices[n] = (struct choice){0, NULL, NULL};
	lines_init(&known, r->arena);
	unknown_lines(&known, r->shown, (size_t)s.columns - 4);
	unknown_proof_lines(&known, r->shown, (size_t)s.columns - 4);
	put_text(&text, &known, &s, "i");
	const char *title = r->call   ? arena_printf(r->arena, "Look at the target. What became of call %lld?", (long long)r->call)
	                    : is_many ? "Look at the targets. What became of these calls, all of them?"
	                              : "Look at the target. What became of this call?";
	return guided_ask_key(r->g, title, text.line, choices);
}

static void ask_call(struct resolving *r)
{
	char *typed = guided_ask_line(r->g, "Which call? (its number; Enter alone: all of them)", NULL, "");
	if (typed) r->call = strtoll(typed, NULL, 10) > 0 ? strtoll(typed, NULL, 10) : 0;
	free(typed);
}

static void prove(struct resolving *r)
{
	struct error e = {0};
	if (ask_engine(r, "resolve.verify", NULL, NULL, &e))
		guided_trouble(r->g, &e);
	else
		guided_notice(r->g, "Its verify was asked for. It only reads; what it says stands above once it has ended.");
}

/* For done, where a step to come reads it. False where the person went back. */
static bool ask_result(struct resolving *r, json_t **result)
{
	const char *why[] = {"Steps to come read it.", NULL};
	if (json_array_size(json_arr(r->shown, "readers")) == 0) return true;
	for (;;) {
		struct error e = {0};
		char *typed = guided_ask_line(r->g, "The step's result as JSON (Enter alone: none)", why, "");
		bool has_left = !typed, is_empty = typed && !*typed;
		if (typed && *typed) *result = json_parse(typed, strlen(typed), RESULT_DEPTH_MAX, &e);
		free(typed);
		if (has_left || is_empty || *result) return !has_left;
		why[0] = arena_strdup(r->arena, line_safe(r->arena, e.text));
	}
}

/* What the answer brings, and how the person knows. True where it was recorded, or they left it. */
static bool give(struct resolving *r, const struct unknown_answer *a)
{
	struct dialog_text text;
	struct lines brings;
	struct screen s = guided_screen(r->g);
	struct error e = {0};
	json_t *result = NULL;
	if (strcmp(a->name, "done") == 0 && !ask_result(r, &result)) return false;
	lines_init(&brings, r->arena);
	unknown_answer_lines(&brings, r->shown, a->name, (size_t)s.columns - 4);
	put_text(&text, &brings, &s, "Esc, then i");
	char *reason = guided_ask_line(r->g, arena_printf(r->arena, "You say %s. How do you know? (goes into the record)", a->name), text.line, "");
	bool is_over = false;
	if (reason && *reason) {
		json_t *more =
		    json_pack("{s:s,s:s,s:s,s:O*}", "answer", a->name, "reason", reason, "shown", json_str(r->shown, "digest", ""), "result", result);
		is_over = ask_engine(r, "resolve", more, NULL, &e) == ERR_OK;
		if (!is_over) guided_trouble(r->g, &e);
	} else if (reason) {
		guided_notice(r->g, "Nothing was recorded: a reason is needed. What did you see?");
	}
	free(reason);
	json_decref(result);
	return is_over;
}

void guided_resolve(struct guided *g)
{
	struct resolving r = {.g = g, .arena = arena_new(), .step = mem_strdup(g->current)};
	bool is_over = false;
	while (!is_over && g->leaving == STAYS && read_shown(&r)) {
		int key = ask_what(&r);
		if (key == KEY_ESCAPE && r.call) {
			r.call = 0;
			continue;
		}
		if (key == 'i') show_all(&r);
		if (key == 'c') ask_call(&r);
		if (key == 'v') prove(&r);
		for (const struct unknown_answer *a = unknown_answers; a->name; a++)
			if (a->key == key) is_over = give(&r, a);
		is_over = is_over || key == KEY_ESCAPE || key == 'v';
	}
	json_decref(r.shown);
	free(r.step);
	arena_free(r.arena);
}
