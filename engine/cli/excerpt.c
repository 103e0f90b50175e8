#include "cli/excerpt.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "cli/session.h"
#include "cli/tail.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* One line more than the last ones is held: a single line left out would only make room for the line that says so. */
enum { HELD = EXCERPT_LAST + 1, STREAMS = 2 };

struct excerpt {
	char *step, *label; /* label: what stands before its lines; of a call on another host that too */
	json_int_t attempt, call;
	struct buf partial[STREAMS]; /* lines that have not ended, of stdout and of everything else */
	uint64_t count;              /* of lines that have ended */
	char *held[HELD];            /* a ring of those after the first */
};

static struct excerpt *find(struct excerpts *x, const char *step, const char *host, json_int_t attempt, json_int_t call)
{
	for (size_t i = 0; i < x->count; i++)
		if (x->open[i]->attempt == attempt && x->open[i]->call == call && strcmp(x->open[i]->step, step) == 0) return x->open[i];
	if (x->count == x->capacity) {
		x->capacity = x->capacity ? 2 * x->capacity : 8;
		x->open = mem_realloc(x->open, x->capacity * sizeof *x->open);
	}
	struct excerpt *one = x->open[x->count++] = mem_zero(sizeof *one);
	*one = (struct excerpt){.step = mem_strdup(step), .label = host ? mem_printf("%s %s", step, host) : mem_strdup(step), .attempt = attempt, .call = call};
	for (size_t i = 0; i < STREAMS; i++) buf_init(&one->partial[i], EXCERPT_LINE_BYTES_MAX);
	return one;
}

static void print_line(struct excerpts *x, const struct excerpt *one, const char *data, size_t n)
{
	char *safe = tail_visible(data, n);
	x->print(x->arg, one->label, safe);
	free(safe);
}

static void end_line(struct excerpts *x, struct excerpt *one, struct buf *line)
{
	size_t n = line->len;
	if (n && line->data[n - 1] == '\r') n--;
	if (x->is_verbose || one->count < EXCERPT_FIRST) {
		print_line(x, one, n ? line->data : "", n);
	} else {
		char **slot = &one->held[one->count % HELD];
		free(*slot);
		*slot = tail_visible(n ? line->data : "", n);
	}
	one->count++;
	buf_reset(line);
}

void excerpts_add(struct excerpts *x, const json_t *head, const char *data, size_t n)
{
	struct excerpt *one = find(x, json_str(head, "step", ""), json_str(head, "host", NULL), json_int(head, "attempt", 0), json_int(head, "call", 0));
	struct buf *line = &one->partial[strcmp(json_str(head, "stream", "stdout"), "stdout") != 0];
	for (const char *end = data + n; data < end;) {
		const char *feed = memchr(data, '\n', (size_t)(end - data));
		size_t part = feed ? (size_t)(feed - data) : (size_t)(end - data), room = EXCERPT_LINE_BYTES_MAX - line->len;
		buf_add(line, data, part < room ? part : room);
		data += part < room ? part + (feed != NULL) : room;
		/* A line without an end is shown in pieces. */
		if (feed || part >= room) end_line(x, one, line);
	}
}

static void print_held(struct excerpts *x, const struct excerpt *one)
{
	uint64_t after = one->count > EXCERPT_FIRST ? one->count - EXCERPT_FIRST : 0, shown = after <= HELD ? after : EXCERPT_LAST;
	if (x->is_verbose) return;
	if (after > shown) {
		char *text = mem_printf("... %llu lines left out: rung log %s --output %s", (unsigned long long)(after - shown), x->execution, one->step);
		print_line(x, one, text, strlen(text));
		free(text);
	}
	for (uint64_t i = one->count - shown; i < one->count; i++) x->print(x->arg, one->label, one->held[i % HELD]);
}

static void end(struct excerpts *x, size_t i)
{
	struct excerpt *one = x->open[i];
	for (size_t k = 0; k < STREAMS; k++) {
		if (one->partial[k].len) end_line(x, one, &one->partial[k]);
		buf_clear(&one->partial[k]);
	}
	print_held(x, one);
	for (size_t k = 0; k < HELD; k++) free(one->held[k]);
	free(one->step);
	free(one->label);
	free(one);
	memmove(&x->open[i], &x->open[i + 1], (x->count - i - 1) * sizeof(struct excerpt *));
	x->count--;
}

static bool has_ended(const struct excerpt *one, const json_t *view)
{
	size_t i;
	json_t *call;
	json_array_foreach(json_arr(view_step(view, one->step), "calls"), i, call)
	{
		json_int_t attempt = json_int(call, "attempt", 0), number = json_int(call, "call", 0);
		if (attempt == one->attempt && number == one->call) return strcmp(json_str(call, "state", ""), "running") != 0;
		/* A view holds the last calls of a step: one before its first has fallen out. */
		if (i == 0 && (attempt > one->attempt || (attempt == one->attempt && number > one->call))) return true;
	}
	return false;
}

void excerpts_end(struct excerpts *x, const json_t *view, const char *step)
{
	for (size_t i = 0; i < x->count;) {
		if (step ? strcmp(x->open[i]->step, step) == 0 : has_ended(x->open[i], view))
			end(x, i);
		else
			i++;
	}
}

void excerpts_clear(struct excerpts *x)
{
	while (x->count) end(x, 0);
	free(x->open);
}
