#include "book/source_lines.h"

#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What is done to the bytes before md4c sees them. */

static const char replacement[] = "\xef\xbf\xbd";

/* Length of the next character as it will stand in the text, from where in *from; p moves on. */
static size_t next_char(const char **p, const char *end, const char **from)
{
	const char *at = *p;
	uint32_t code;
	if (*at == '\r') {
		*p += end - at > 1 && at[1] == '\n' ? 2 : 1;
		*from = "\n";
		return 1;
	}
	size_t step = *at ? text_decode(at, end, &code) : 0;
	*p += step ? step : 1;
	*from = step ? at : replacement;
	return step ? step : 3;
}

static void index_lines(struct document *d)
{
	size_t count = 0;
	for (size_t i = 0; i < d->text_len; i++) count += d->text[i] == '\n';
	if (d->text_len && d->text[d->text_len - 1] != '\n') count++;
	size_t *starts = arena_alloc(d->arena, (count + 1) * sizeof *starts), line = 0;
	for (size_t i = 0; i < d->text_len; i++)
		if (i == 0 || d->text[i - 1] == '\n') starts[line++] = i;
	starts[count] = d->text_len;
	d->line_starts = starts;
	d->line_count = count;
}

void source_normalise(struct document *d, const char *bytes, size_t n)
{
	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) bytes += 3, n -= 3;
	const char *end = bytes + n, *from;
	size_t len = 0;
	for (const char *p = bytes; p < end;) len += next_char(&p, end, &from);
	char *text = arena_alloc(d->arena, len + 1), *at = text;
	for (const char *p = bytes; p < end;) {
		size_t step = next_char(&p, end, &from);
		memcpy(at, from, step);
		at += step;
	}
	d->text = text;
	d->text_len = len;
	d->body_line = 1;
	index_lines(d);
}

/* Is there a list marker at s[i]? Its length, or 0. */
static size_t marker_at(const char *s, size_t n, size_t i)
{
	size_t digits = 0;
	if (i < n && strchr("-+*", s[i]))
		digits = 1;
	else {
		while (i + digits < n && digits < 10 && s[i + digits] >= '0' && s[i + digits] <= '9') digits++;
		if (digits == 0 || digits == 10 || i + digits >= n || !strchr(".)", s[i + digits])) return 0;
		digits++;
	}
	return i + digits == n || s[i + digits] == ' ' || s[i + digits] == '\t' ? digits : 0;
}

static bool is_rule(const char *s, size_t n)
{
	size_t i = 0, marks = 0;
	while (i < n && strchr(" \t>", s[i])) i++;
	char c = i < n ? s[i] : 0;
	if (!c || !strchr("-*_", c)) return false;
	for (; i < n; i++) {
		if (s[i] == c)
			marks++;
		else if (s[i] != ' ' && s[i] != '\t')
			return false;
	}
	return marks >= 3;
}

/* The lists that are open by their indentation: columns at which their content begins. */
struct stair {
	size_t content[DOCUMENT_DEPTH_MAX];
	size_t depth;
};

/* Follows the markers that a line begins with; false where they go too deep. */
static bool follow_line(struct stair *stair, const char *s, size_t n)
{
	size_t i = 0, quotes = 0;
	bool is_first = true;
	for (;;) {
		while (i < n && (s[i] == ' ' || s[i] == '\t')) i++;
		size_t marker = marker_at(s, n, i);
		if (marker) {
			while (is_first && stair->depth && stair->content[stair->depth - 1] > i) stair->depth--;
			if (stair->depth + quotes >= DOCUMENT_DEPTH_MAX) return false;
			stair->content[stair->depth++] = i + marker;
			is_first = false;
			i += marker;
		} else if (i < n && s[i] == '>') {
			if (++quotes > DOCUMENT_DEPTH_MAX) return false;
			i++;
		} else {
			return true;
		}
	}
}

enum err source_check_depth(const struct document *d, size_t from, struct error *e)
{
	struct stair stair = {.depth = 0};
	size_t n;
	for (int line = source_line_of(d, from); line <= (int)d->line_count; line++) {
		const char *s = document_line(d, line, &n);
		if (is_rule(s, n) || follow_line(&stair, s, n)) continue;
		return error_set(e, ERR_TOO_BIG, "line %d: lists and quotes are nested deeper than %d levels: flatten them", line, DOCUMENT_DEPTH_MAX);
	}
	return ERR_OK;
}

/* Measured, md4c 0.4.8: links cost brackets times lines of their paragraph (17,000 x 17,000: 137 ms), brackets alone their square (a million: 105 ms), and
 * each use of a reference its whole target (30,000 times 100 KB: 4.4 s). One unit is half a nanosecond. */
enum { GUARD_UNITS_MAX = 60 * 1000 * 1000, BRACKETS_PER_UNIT = 1000, UNITS_PER_TARGET_BYTE = 3 };

/* A stretch of lines without an empty one: no paragraph is longer. */
struct run {
	size_t from, to, lines, brackets, definition_bytes;
};

static bool is_blank(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strchr(" \t>", s[i])) return false;
	return true;
}

static bool begins_definition(const char *s, size_t n)
{
	size_t i = 0;
	while (i < n && strchr(" \t>*+-.)0123456789", s[i])) i++;
	return i < n && s[i] == '[' && memmem(s + i, n - i, "]:", 2);
}

/* Reads the run that begins at `line`; gives the line behind it. */
static int read_run(const struct document *d, int line, struct run *r)
{
	size_t n, definition = SIZE_MAX;
	*r = (struct run){.from = d->line_starts[line - 1]};
	for (; line <= (int)d->line_count; line++) {
		const char *s = document_line(d, line, &n);
		if (is_blank(s, n)) break;
		r->lines++;
		for (size_t i = 0; i < n; i++) r->brackets += s[i] == '[';
		if (begins_definition(s, n)) definition = (size_t)(s - d->text);
		size_t length = definition == SIZE_MAX ? 0 : (size_t)(s - d->text) + n - definition;
		if (length > r->definition_bytes) r->definition_bytes = length;
	}
	r->to = d->line_starts[line - 1];
	return line;
}

static char *guarded(const struct document *d, size_t from)
{
	size_t len = d->text_len - from, all = 0;
	char *copy = mem_alloc(len + 1);
	memcpy(copy, d->text + from, len);
	for (size_t i = 0; i < len; i++) all += copy[i] == '[';
	uint64_t spent = 0;
	struct run r;
	for (int line = source_line_of(d, from); line <= (int)d->line_count;) {
		size_t n;
		const char *s = document_line(d, line, &n);
		if (is_blank(s, n)) {
			line++;
			continue;
		}
		line = read_run(d, line, &r);
		uint64_t cost = (uint64_t)r.brackets * r.lines + (uint64_t)r.brackets * r.brackets / BRACKETS_PER_UNIT +
		                (uint64_t)r.definition_bytes * all * UNITS_PER_TARGET_BYTE;
		if (spent + cost <= GUARD_UNITS_MAX) {
			spent += cost;
			continue;
		}
		for (size_t i = r.from; i < r.to; i++)
			if (copy[i - from] == '[') copy[i - from] = 'x';
	}
	return copy;
}

/* `|-|:-:|`: a row of dashes under a table's head of which a run is shorter than three. */
static bool is_short_delimiter(const char *s, size_t n)
{
	size_t run = 0, pipes = 0;
	bool is_short = false;
	for (size_t i = 0; i <= n; i++) {
		char c = i < n ? s[i] : '|';
		if (c == '-') {
			run++;
			continue;
		}
		is_short = is_short || (run > 0 && run < 3);
		run = 0;
		if (!strchr(" \t|:>", c)) return false;
		pipes += i < n && c == '|';
	}
	return is_short && pipes;
}

struct widener {
	const struct document *d;
	struct source_copy *copy;
	struct buf out;
	size_t capacity, added;
};

static void widen_line(struct widener *w, const char *s, size_t n)
{
	size_t run = 0;
	for (size_t i = 0; i <= n; i++) {
		bool is_dash = i < n && s[i] == '-';
		if (!is_dash && run > 0 && run < 3) {
			struct source_copy *c = w->copy;
			c->splices = arena_grow(w->d->arena, c->splices, c->splice_count, &w->capacity, sizeof *c->splices);
			w->added += 3 - run;
			c->splices[c->splice_count++] = (struct source_splice){.at = w->out.len, .added = w->added};
			buf_add(&w->out, "---", 3 - run);
		}
		run = is_dash ? run + 1 : 0;
		if (i < n) buf_char(&w->out, s[i]);
	}
}

void source_copy_make(const struct document *d, size_t from, struct source_copy *copy)
{
	*copy = (struct source_copy){.text = guarded(d, from), .len = d->text_len - from, .from = from};
	struct widener w = {.d = d, .copy = copy};
	bool has_pipe = false;
	size_t n, kept = from;
	buf_init(&w.out, 16 * DOCUMENT_BYTES_MAX);
	for (int line = source_line_of(d, from); line <= (int)d->line_count; line++) {
		const char *s = document_line(d, line, &n);
		size_t at = (size_t)(s - d->text);
		if (has_pipe && is_short_delimiter(s, n)) {
			buf_add(&w.out, copy->text + (kept - from), at - kept);
			widen_line(&w, s, n);
			kept = at + n;
		}
		has_pipe = memchr(s, '|', n) != NULL;
	}
	if (!copy->splice_count) {
		buf_clear(&w.out);
		return;
	}
	buf_add(&w.out, copy->text + (kept - from), d->text_len - kept);
	free(copy->text);
	copy->len = w.out.len;
	copy->text = buf_take(&w.out);
}

void source_copy_clear(struct source_copy *copy)
{
	free(copy->text);
	copy->text = NULL;
}

size_t source_copy_offset(const struct source_copy *copy, size_t at)
{
	size_t low = 0, high = copy->splice_count;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (copy->splices[mid].at <= at)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0) return copy->from + at;
	const struct source_splice *last = &copy->splices[low - 1];
	size_t before = low > 1 ? copy->splices[low - 2].added : 0, own = last->added - before;
	if (at < last->at + own) at = last->at + own; /* inside what was added: the byte behind it */
	return copy->from + at - last->added;
}
