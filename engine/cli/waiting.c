#include "cli/waiting.h"
#include "base/arena.h"
#include "cli/print.h"
#include "cli/screen.h"

#include <string.h>

bool step_waits(const json_t *step)
{
	const char *waiting = json_str(step, "waiting", "");
	return *waiting && strcmp(waiting, "retry") != 0 && strcmp(waiting, "none") != 0;
}

size_t view_waiting_count(const json_t *view)
{
	size_t i, n = 0;
	json_t *step;
	json_array_foreach(json_arr(view, "steps"), i, step) n += step_waits(step);
	return n;
}

bool view_needs_person(const json_t *view)
{
	const char *state = json_str(view, "state", "");
	if (json_bool(view, "interrupted", false) || json_bool(view, "paused", false)) return true;
	return (strcmp(state, "waiting") == 0 || strcmp(state, "attention") == 0) && view_waiting_count(view) > 0;
}

/* What is asked; below go the choices as guided mode numbers them. */
static const char *question_words(struct arena *a, const json_t *view, const char *step, struct lines *below)
{
	size_t i, k;
	json_t *q, *choice;
	json_array_foreach(json_arr(view, "questions"), i, q)
	{
		if (strcmp(json_str(q, "step", ""), step) != 0) continue;
		const char *text = arena_printf(a, "asks: %s", line_safe(a, json_str(q, "prompt", "")));
		if (strcmp(json_str(q, "type", ""), "bool") == 0) lines_add(below, "  y  yes"), lines_add(below, "  n  no");
		json_array_foreach(json_arr(q, "choices"), k, choice) lines_printf(below, "  %zu  %s", k + 1, screen_result(a, choice));
		return text;
	}
	return "asks a question";
}

/* What was sent, and nobody saw what became of it. */
static const char *unknown_words(struct arena *a, const json_t *view, const json_t *step, struct lines *below)
{
	size_t i;
	json_t *call;
	json_array_foreach(json_arr(step, "calls"), i, call) if (strcmp(json_str(call, "state", ""), "unknown") == 0)
	    lines_printf(below, "  %s", line_safe(a, json_str(call, "words", "")));
	lines_printf(below, "  rung resolve %s %s", json_str(view, "execution", ""), line_exact(a, json_str(step, "id", "")));
	return "has calls whose outcome is unknown; look at their targets first:";
}

/* Whom it waits for, and who has agreed so far. */
static const char *approval_words(struct arena *a, const json_t *view, const char *step, struct lines *below)
{
	size_t i, k;
	json_t *p, *given;
	json_array_foreach(json_arr(view, "approvals"), i, p)
	{
		if (strcmp(json_str(p, "step", ""), step) != 0) continue;
		if (json_str(p, "prompt", NULL)) lines_printf(below, "  %s", line_safe(a, json_str(p, "prompt", "")));
		json_array_foreach(json_arr(p, "given"), k, given) lines_printf(below, "  %s has agreed", line_exact(a, json_str(given, "by", "")));
		lines_printf(below, "  rung approve %s %s", json_str(view, "execution", ""), line_exact(a, step));
		return arena_printf(a, "waits until others agree: %s", line_exact(a, json_str(p, "from", "")));
	}
	return "waits until others agree";
}

/* Which of its runbooks: there a person is needed. */
static const char *child_words(const json_t *view, const char *step, struct lines *below)
{
	size_t i;
	json_t *c;
	json_array_foreach(json_arr(view, "children"), i, c)
	{
		const char *state = json_str(c, "state", "");
		bool is_stuck = strcmp(state, "waiting") == 0 || strcmp(state, "attention") == 0;
		if (is_stuck && strcmp(json_str(c, "step", ""), step) == 0) lines_printf(below, "  rung attach %s", json_str(c, "execution", ""));
	}
	return "waits for a runbook that it started, which waits for a person:";
}

static void say_step(struct arena *a, const json_t *view, const json_t *step)
{
	static const struct {
		const char *waiting, *what;
	} words[] = {{"person", "is done by hand"}, {"go", "waits to be started"}, {"decision", "ended badly; a person decides"}};
	const char *waiting = json_str(step, "waiting", ""), *id = json_str(step, "id", ""), *what = "waits";
	struct lines below;
	lines_init(&below, a);
	for (size_t k = 0; k < sizeof words / sizeof *words; k++)
		if (strcmp(waiting, words[k].waiting) == 0) what = words[k].what;
	if (strcmp(waiting, "approval") == 0) what = approval_words(a, view, id, &below);
	if (strcmp(waiting, "answer") == 0) what = question_words(a, view, id, &below);
	if (strcmp(waiting, "child") == 0) what = child_words(view, id, &below);
	if (strcmp(waiting, "resolve") == 0) what = unknown_words(a, view, step, &below);
	message("step %s (%s) %s", id, line_safe(a, json_str(step, "title", "")), what);
	for (size_t i = 0; i < below.count; i++) message_more("%s", below.line[i]);
}

void waiting_say(const json_t *view)
{
	struct arena *a = arena_new();
	const char *id = json_str(view, "execution", "");
	size_t i;
	json_t *step;
	json_array_foreach(json_arr(view, "steps"), i, step) if (step_waits(step)) say_step(a, view, step);
	if (json_bool(view, "interrupted", false))
		message("execution %s was left open when its engine ended: rung resume %s", id, id);
	else if (json_bool(view, "paused", false))
		message("execution %s is paused: rung resume %s", id, id);
	else
		message("execution %s waits for a person: rung attach %s", id, id);
	arena_free(a);
}
