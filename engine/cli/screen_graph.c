#include "cli/screen_graph.h"
#include "base/arena.h"
#include "cli/screen_parts.h"

#include <stdlib.h>
#include <string.h>

enum { LANES_MAX = 24, NO_STEP = -1 };
enum { UP = 1, DOWN = 2, LEFT = 4, RIGHT = 8 };

struct drawing {
	struct lines *out;
	const struct screen *s;
	const json_t *steps, *edges;
	size_t count;
	long *dependents;      /* of each step: edges from it that are still to be drawn */
	long lanes[LANES_MAX]; /* the step whose edges run down the lane, or NO_STEP */
	size_t lane_count;
	unsigned cells[LANES_MAX];
	bool lines_right[LANES_MAX]; /* is there a line between this lane and the next */
};

static const char *line_char(const struct drawing *d, unsigned bits)
{
	static const char *const unicode[] = {" ", "╵", "╷", "│", "╴", "╯", "╮", "┤", "╶", "╰", "╭", "├", "─", "┴", "┬", "┼"};
	static const char *const ascii[] = {" ", "|", "|", "|", "-", "'", ".", "+", "-", "'", ".", "+", "-", "+", "+", "+"};
	return d->s->unicode ? unicode[bits] : ascii[bits];
}

static long step_index(const struct drawing *d, const char *id)
{
	size_t i;
	json_t *step;
	json_array_foreach(d->steps, i, step) if (strcmp(json_str(step, "id", ""), id) == 0) return (long)i;
	return NO_STEP;
}

static size_t lane_of(const struct drawing *d, long step)
{
	for (size_t i = 0; i < d->lane_count; i++)
		if (d->lanes[i] == step) return i;
	return SIZE_MAX;
}

static size_t free_lane(struct drawing *d)
{
	size_t i = lane_of(d, NO_STEP);
	if (i != SIZE_MAX) return i;
	/* More edges side by side than can be drawn share the last lane. */
	if (d->lane_count == LANES_MAX) return LANES_MAX - 1;
	d->lanes[d->lane_count] = NO_STEP;
	return d->lane_count++;
}

static void drop_lanes(struct drawing *d)
{
	while (d->lane_count > 0 && d->lanes[d->lane_count - 1] == NO_STEP) d->lane_count--;
}

/* One row of lanes; node: the lane where the step's mark stands, SIZE_MAX: none. */
static const char *lanes_row(struct drawing *d, size_t node, const char *mark)
{
	struct arena *a = d->out->arena;
	const char *row = "  ";
	for (size_t i = 0; i < d->lane_count; i++) {
		const char *cell = i == node ? mark : line_char(d, d->cells[i]);
		row = arena_printf(a, "%s%s%s", row, cell, i + 1 < d->lane_count && d->lines_right[i] ? (d->s->unicode ? "─" : "-") : " ");
	}
	return row;
}

static const char *trimmed(struct arena *a, const char *row)
{
	size_t n = strlen(row);
	while (n > 0 && row[n - 1] == ' ') n--;
	return arena_strndup(a, row, n);
}

static void plain_cells(struct drawing *d)
{
	for (size_t i = 0; i < d->lane_count; i++) d->cells[i] = d->lanes[i] == NO_STEP ? 0 : UP | DOWN, d->lines_right[i] = false;
}

/* The row above a step where its edges come together: from the lanes of what it needs into its own. */
static void draw_joins(struct drawing *d, const long *needs, size_t n, size_t node, bool node_goes_on)
{
	size_t first = node, last = node;
	plain_cells(d);
	for (size_t i = 0; i < n; i++) {
		size_t lane = lane_of(d, needs[i]);
		if (lane == SIZE_MAX || lane == node) continue;
		/* Edges to later steps go on down. */
		d->cells[lane] = UP | (d->dependents[needs[i]] > 0 ? DOWN : 0) | (lane < node ? RIGHT : LEFT);
		if (lane < first) first = lane;
		if (lane > last) last = lane;
	}
	if (first == last) return;
	d->cells[node] = DOWN | (node_goes_on ? UP : 0) | (first < node ? LEFT : 0) | (last > node ? RIGHT : 0);
	for (size_t i = first; i < last; i++) {
		d->lines_right[i] = true;
		if (i == first || i == node) continue;
		if (!d->cells[i])
			d->cells[i] = LEFT | RIGHT;
		else if (d->cells[i] & (LEFT | RIGHT))
			d->cells[i] |= LEFT | RIGHT;
	}
	lines_add(d->out, trimmed(d->out->arena, lanes_row(d, SIZE_MAX, "")));
}

/* The step that a failure leads to, or NULL. */
static const char *jump_of(const struct drawing *d, const char *id)
{
	size_t i;
	json_t *edge;
	json_array_foreach(d->edges, i, edge) if (strcmp(json_str(edge, "kind", ""), "goto") == 0 &&
	                                          strcmp(json_str(edge, "from", ""), id) == 0) return json_str(edge, "to", NULL);
	return NULL;
}

static const char *step_words(struct drawing *d, const json_t *step)
{
	struct arena *a = d->out->arena;
	const char *id = line_safe(a, json_str(step, "id", "")), *title = line_safe(a, json_str(step, "title", "")), *more = "";
	const char *condition = json_str(step, "if", NULL), *failure = json_str(step, "on_failure", ""), *to = jump_of(d, json_str(step, "id", ""));
	if (condition) more = arena_printf(a, "%s  if %s", more, line_safe(a, condition));
	if (strcmp(failure, "goto") == 0 && to)
		more = arena_printf(a, "%s  on failure: %s", more, line_safe(a, to));
	else if (*failure && strcmp(failure, "stop") != 0)
		more = arena_printf(a, "%s  on failure: %s", more, line_safe(a, failure));
	const char *kind = json_bool(step, "manual", false) ? "by hand" : line_safe(a, json_str(step, "risk", ""));
	return arena_printf(a, "%s  %s  %s%s", screen_paint(a, d->s, "1", id), title, screen_paint(a, d->s, "2", kind), screen_paint(a, d->s, "33", more));
}

static void draw_step(struct drawing *d, size_t i)
{
	const json_t *step = json_array_get(d->steps, i);
	const json_t *list = json_arr(step, "needs");
	size_t n = json_array_size(list), known = 0, node = SIZE_MAX;
	long *needs = mem_zero((n + 1) * sizeof *needs);
	for (size_t k = 0; k < n; k++) {
		const char *id = json_string_value(json_array_get(list, k));
		long need = step_index(d, id ? id : "");
		if (need == NO_STEP || lane_of(d, need) == SIZE_MAX) continue;
		d->dependents[need]--;
		needs[known++] = need;
	}
	/* Straight down from a step that has nothing else below it. */
	for (size_t k = 0; k < known; k++) {
		size_t lane = lane_of(d, needs[k]);
		if (d->dependents[needs[k]] <= 0 && lane < node) node = lane;
	}
	bool goes_on = node != SIZE_MAX;
	if (!goes_on) node = free_lane(d);
	draw_joins(d, needs, known, node, goes_on);
	for (size_t k = 0; k < known; k++) {
		size_t lane = lane_of(d, needs[k]);
		if (lane != SIZE_MAX && d->dependents[needs[k]] <= 0) d->lanes[lane] = NO_STEP;
	}
	d->lanes[node] = (long)i;
	plain_cells(d);
	const char *mark = json_bool(step, "manual", false) ? (d->s->unicode ? "○" : "o") : (d->s->unicode ? "●" : "*");
	const char *row = arena_printf(d->out->arena, "%s %s", lanes_row(d, node, mark), step_words(d, step));
	lines_add(d->out, line_clip(d->out->arena, row, (size_t)d->s->columns - 1, d->s->unicode));
	if (d->dependents[i] <= 0) d->lanes[node] = NO_STEP;
	drop_lanes(d);
	free(needs);
}

static void count_dependents(struct drawing *d)
{
	size_t i, k;
	json_t *step, *need;
	json_array_foreach(d->steps, i, step) json_array_foreach(json_arr(step, "needs"), k, need)
	{
		long at = step_index(d, json_string_value(need) ? json_string_value(need) : "");
		/* An edge that leads upward in the book's order is not a lane. */
		if (at != NO_STEP && (size_t)at < i) d->dependents[at]++;
	}
}

void screen_graph(struct lines *out, const json_t *graph, const struct screen *s)
{
	struct drawing d = {.out = out, .s = s, .steps = json_arr(graph, "steps"), .edges = json_arr(graph, "edges")};
	const char *section = "";
	d.count = json_array_size(d.steps);
	d.dependents = mem_zero((d.count + 1) * sizeof *d.dependents);
	count_dependents(&d);
	for (size_t i = 0; i < d.count; i++) {
		const json_t *step = json_array_get(d.steps, i);
		const char *now = json_str(step, "section", json_str(step, "phase", ""));
		if (strcmp(now, section) != 0) {
			plain_cells(&d);
			const char *row = lanes_row(&d, SIZE_MAX, "");
			if (i) lines_add(out, trimmed(out->arena, row));
			lines_add(out,
			          line_clip(out->arena, arena_printf(out->arena, "%s %s", row, screen_paint(out->arena, s, "1;4", line_safe(out->arena, now))),
			                    (size_t)s->columns - 1, s->unicode));
			section = now;
		}
		draw_step(&d, i);
	}
	free(d.dependents);
}
