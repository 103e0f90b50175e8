#include "cli/tail.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Length of a colour sequence (ESC [ digits ; ... m) at p, 0 where there is none. */
static size_t color_at(const char *p, const char *end)
{
	if (end - p < 3 || p[0] != '\033' || p[1] != '[') return 0;
	const char *q = p + 2;
	while (q < end && ((*q >= '0' && *q <= '9') || *q == ';')) q++;
	return q < end && *q == 'm' ? (size_t)(q - p) + 1 : 0;
}

char *tail_visible(const char *data, size_t n)
{
	struct buf plain, out;
	buf_init(&plain, n * 8 + 16);
	buf_init(&out, n * 64 + 16);
	for (const char *p = data, *end = data + n; p < end;) {
		size_t skip = color_at(p, end);
		if (skip)
			p += skip;
		else if (*p == '\t')
			buf_add(&plain, "        ", 8 - plain.len % 8), p++;
		else
			buf_char(&plain, *p++);
	}
	text_visible(&out, plain.data ? plain.data : "", plain.len, TEXT_KEEP_NOTHING);
	buf_clear(&plain);
	return buf_take(&out);
}

/* The line as it stands; one that was written over says so: a progress bar does that, and so does what wants to be unseen. */
static char *shown(const struct tail *t)
{
	char *text = tail_visible(t->partial, t->partial_len);
	if (!t->is_overwritten) return text;
	char *marked = mem_printf("\u240d%s", text);
	free(text);
	return marked;
}

static void end_line(struct tail *t)
{
	char **slot = &t->lines[t->line_count % TAIL_LINES];
	free(*slot);
	*slot = shown(t);
	t->line_count++;
	t->partial_len = 0;
	t->is_restarted = t->is_overwritten = false;
}

static void begin_line(struct tail *t, const char *label)
{
	if (t->partial_len || !label) return;
	int n = snprintf(t->partial, sizeof t->partial, "%.*s | ", TAIL_LABEL_BYTES_MAX, label);
	t->partial_len = (size_t)n;
}

void tail_add_from(struct tail *t, int64_t source, const char *label, const char *data, size_t n)
{
	if (n && t->source != source && t->partial_len) end_line(t);
	t->source = source;
	t->byte_count += n;
	for (size_t i = 0; i < n; i++) {
		if (data[i] == '\n') {
			begin_line(t, label);
			end_line(t);
		} else if (data[i] == '\r') {
			t->is_restarted = true;
		} else {
			if (t->is_restarted) t->is_overwritten |= t->partial_len > 0, t->partial_len = 0, t->is_restarted = false;
			/* A line without an end is shown in pieces. */
			if (t->partial_len == sizeof t->partial) end_line(t);
			begin_line(t, label);
			t->partial[t->partial_len++] = data[i];
		}
	}
}

void tail_add(struct tail *t, const char *data, size_t n)
{
	tail_add_from(t, 0, NULL, data, n);
}

void tail_clear(struct tail *t)
{
	for (size_t i = 0; i < TAIL_LINES; i++) free(t->lines[i]);
	*t = (struct tail){0};
}

static size_t whole_lines(const struct tail *t)
{
	/* One slot of the ring is kept for the unfinished line, so that tail_line can hand it out. */
	return t->line_count < TAIL_LINES - 1 ? (size_t)t->line_count : TAIL_LINES - 1;
}

size_t tail_count(const struct tail *t)
{
	return whole_lines(t) + (t->partial_len > 0);
}

uint64_t tail_dropped(const struct tail *t)
{
	return t->line_count - whole_lines(t);
}

const char *tail_line(struct tail *t, size_t i)
{
	size_t whole = whole_lines(t);
	if (i < whole) return t->lines[(t->line_count - whole + i) % TAIL_LINES];
	char **slot = &t->lines[t->line_count % TAIL_LINES];
	free(*slot);
	*slot = shown(t);
	return *slot;
}
