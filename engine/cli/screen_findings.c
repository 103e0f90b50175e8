#include "cli/screen.h"
#include "cli/screen_parts.h"

#include <string.h>

/* What a playbook has found, the runbooks that an execution has started, and what came of both. */

enum { FINDINGS_SHOWN = 6, CHILDREN_SHOWN = 4 };

static const char *data_words(struct arena *a, const json_t *f)
{
	bool is_cause = strcmp(json_str(f, "kind", ""), "cause") == 0;
	const json_t *data = json_object_get(f, is_cause ? "evidence" : "data");
	return !data || json_is_null(data) ? "" : screen_result(a, data);
}

static void add_finding(struct lines *out, const json_t *f, const struct screen *s)
{
	struct arena *a = out->arena;
	bool is_cause = strcmp(json_str(f, "kind", ""), "cause") == 0;
	const char *name = line_safe(a, json_str(f, is_cause ? "cause" : "name", "?")), *data = data_words(a, f);
	long long certainty = (long long)json_int(f, "certainty", 100);
	const char *sure = is_cause && certainty < 100 ? arena_printf(a, " (%lld %%)", certainty) : "";
	const char *line =
	    arena_printf(a, "  %s %s%s%s%s", screen_paint(a, s, is_cause ? "1;33" : "1", is_cause ? "cause" : "found"), name, sure, *data ? ": " : "", data);
	lines_add(out, line_clip(a, line, (size_t)s->columns - 1, s->unicode));
}

void screen_findings(struct lines *out, const json_t *view, const struct screen *s)
{
	const json_t *all = json_arr(view, "findings"), *f;
	size_t i, n = json_array_size(all), from = n > FINDINGS_SHOWN ? n - FINDINGS_SHOWN : 0;
	if (from) lines_printf(out, "  %zu findings before: rung report %s", from, json_str(view, "execution", ""));
	json_array_foreach(all, i, f) if (i >= from) add_finding(out, f, s);
}

void screen_children(struct lines *out, const json_t *view, const char *step, const struct screen *s)
{
	struct arena *a = out->arena;
	const json_t *all = json_arr(view, "children"), *c;
	size_t i, shown = 0;
	for (i = json_array_size(all); i-- > 0 && shown < CHILDREN_SHOWN;) {
		c = json_array_get(all, i);
		if (step && strcmp(json_str(c, "step", ""), step) != 0) continue;
		const char *state = json_str(c, "state", "has not begun"), *id = json_str(c, "execution", "");
		bool is_stuck = strcmp(state, "waiting") == 0 || strcmp(state, "attention") == 0;
		const char *line = arena_printf(a, "  %s %s%s: rung %s %s", line_safe(a, json_str(c, "runbook", "runbook")),
		                                is_stuck ? "waits for a person" : line_safe(a, state),
		                                strcmp(state, "running") == 0 ? ", an execution of its own" : "", is_stuck ? "attach" : "log", id);
		lines_add(out, line_clip(a, line, (size_t)s->columns - 1, s->unicode));
		shown++;
	}
}

void screen_conclusion(struct lines *out, const json_t *view, const struct screen *s)
{
	static const struct {
		const char *outcome, *sgr, *words;
	} rows[] = {{"mended", "1;32", "the cause was found, and its runbook succeeded"},
	            {"proposed", "1;33", "the cause was found; nothing was run for it"},
	            {"failed", "1;31", "the cause was found; its runbook did not succeed"},
	            {"no_cause", "1;33", "no root cause was found"}};
	const json_t *c = json_obj(view, "conclusion");
	const char *outcome = json_str(c, "outcome", ""), *cause = line_safe(out->arena, json_str(c, "cause", ""));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].outcome, outcome) == 0)
			lines_printf(out, "%s%s%s", screen_paint(out->arena, s, rows[i].sgr, rows[i].words), *cause ? ": " : "", cause);
}
