#include "book/source_lines.h"

#include "base/error.h"

#include <stdint.h>
#include <string.h>

/* Lines for every block. md4c's text points into what it read, which gives the line of all that has text; for the rest (empty fences, rules, empty items and
 * headings) the raw lines behind the block before are read. `at` is the byte that is read next. */
struct walk {
	const struct document *d;
	size_t at;
	bool is_lost; /* a block was looked for and not found: its line is that of the block before, and nothing is searched any more */
};

int source_line_of(const struct document *d, size_t offset)
{
	size_t low = 0, high = d->line_count;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (d->line_starts[mid + 1] <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return (int)low + 1;
}

static size_t line_end_offset(const struct document *d, size_t at)
{
	const char *newline = memchr(d->text + at, '\n', d->text_len - at);
	return newline ? (size_t)(newline - d->text) : d->text_len;
}

/* Skips what containers put before a block: spaces, quote marks and, where asked, list markers. */
static size_t skip_prefix(const struct document *d, size_t at, bool with_markers)
{
	const char *s = d->text;
	for (;;) {
		while (at < d->text_len && (s[at] == ' ' || s[at] == '\t' || s[at] == '>')) at++;
		if (!with_markers || at >= d->text_len) return at;
		size_t n = at;
		if (strchr("-+*", s[n]))
			n++;
		else {
			while (n < d->text_len && s[n] >= '0' && s[n] <= '9') n++;
			if (n == at || n >= d->text_len || !strchr(".)", s[n])) return at;
			n++;
		}
		if (n < d->text_len && !strchr(" \t\n", s[n])) return at;
		at = n;
	}
}

typedef bool matcher(const struct document *d, size_t at);

static bool is_fence(const struct document *d, size_t at)
{
	const char *s = d->text + at;
	return d->text_len - at >= 3 && (s[0] == '`' || s[0] == '~') && s[1] == s[0] && s[2] == s[0];
}

static bool is_hash(const struct document *d, size_t at)
{
	return at < d->text_len && d->text[at] == '#';
}

static bool is_any(const struct document *d, size_t at)
{
	return at < d->text_len && d->text[at] != '\n';
}

static bool is_pipe(const struct document *d, size_t at)
{
	return at < d->text_len && d->text[at] == '|';
}

static bool is_rule_line(const struct document *d, size_t at)
{
	size_t end = line_end_offset(d, at), marks = 0;
	char c = at < end ? d->text[at] : 0;
	if (!c || !strchr("-*_", c)) return false;
	for (; at < end; at++) {
		if (d->text[at] == c)
			marks++;
		else if (d->text[at] != ' ' && d->text[at] != '\t')
			return false;
	}
	return marks >= 3;
}

static bool is_marker(const struct document *d, size_t at)
{
	return skip_prefix(d, at, true) > at && at < d->text_len && !strchr(" \t>", d->text[at]);
}

/* Looks from w->at on for the line whose content begins as asked, no further than `limit`; w->at is set to that content. False where there is none. */
static bool find(struct walk *w, matcher *is_it, bool with_markers, size_t limit)
{
	if (w->is_lost) return false;
	for (size_t at = w->at; at <= limit && at <= w->d->text_len;) {
		size_t content = skip_prefix(w->d, at, false);
		if (!is_it(w->d, content) && with_markers) content = skip_prefix(w->d, at, true);
		if (is_it(w->d, content)) {
			w->at = content;
			return true;
		}
		at = line_end_offset(w->d, at) + 1;
	}
	if (limit >= w->d->text_len) w->is_lost = true;
	return false;
}

static int line_at(const struct walk *w)
{
	int line = source_line_of(w->d, w->at);
	return line > (int)w->d->line_count ? (int)w->d->line_count : line;
}

static void go_behind(struct walk *w, int line_end)
{
	size_t lines = w->d->line_count;
	w->at = w->d->line_starts[(size_t)line_end < lines ? (size_t)line_end : lines];
}

static int newlines(const char *s, size_t n)
{
	int count = 0;
	for (size_t i = 0; i < n; i++) count += s[i] == '\n';
	return count;
}

/* Lines of a code block that stand before its first text. */
static int blank_lines_before(const struct block *b)
{
	size_t i = 0;
	while (i < b->source_len && strchr(" \t\n", b->source[i])) i++;
	return newlines(b->source, i);
}

static size_t quote_marks(const char *s, size_t n)
{
	size_t marks = 0;
	for (size_t i = 0; i < n && strchr(" \t>-+*0123456789.)", s[i]); i++) marks += s[i] == '>';
	return marks;
}

/* Where the fence characters of a line stand, or SIZE_MAX. */
static size_t fence_in_line(const struct document *d, int line)
{
	if (line < 1 || line > (int)d->line_count) return SIZE_MAX;
	size_t at = skip_prefix(d, d->line_starts[line - 1], true);
	return is_fence(d, at) ? at : SIZE_MAX;
}

static void fence_info(const struct document *d, struct block *b, size_t at)
{
	size_t end = line_end_offset(d, at);
	char c = d->text[at];
	while (at < end && d->text[at] == c) at++;
	while (at < end && strchr(" \t", d->text[at])) at++;
	while (end > at && strchr(" \t", d->text[end - 1])) end--;
	b->info = arena_strndup(d->arena, d->text + at, end - at);
}

/* A fence's first line is one before its content; where it has none, the next line that begins with fence characters. */
static void assign_fence(struct walk *w, struct block *b)
{
	size_t at = SIZE_MAX, n;
	if (b->first_offset != SIZE_MAX) at = fence_in_line(w->d, source_line_of(w->d, b->first_offset) - blank_lines_before(b) - 1);
	if (at == SIZE_MAX && find(w, is_fence, true, w->d->text_len)) at = w->at;
	if (at == SIZE_MAX) {
		b->line = b->line_end = line_at(w);
		return;
	}
	b->line = source_line_of(w->d, at);
	fence_info(w->d, b, at);
	b->line_end = b->line + newlines(b->source, b->source_len);
	size_t close = fence_in_line(w->d, b->line_end + 1);
	if (close != SIZE_MAX && w->d->text[close] == w->d->text[at]) {
		const char *opening = document_line(w->d, b->line, &n);
		size_t marks = quote_marks(opening, n);
		const char *closing = document_line(w->d, b->line_end + 1, &n);
		if (quote_marks(closing, n) == marks) b->line_end++;
	}
}

static void assign_heading(struct walk *w, struct block *b)
{
	if (b->first_offset == SIZE_MAX) {
		find(w, is_hash, true, w->d->text_len);
		b->line = b->line_end = line_at(w);
		return;
	}
	b->line = source_line_of(w->d, b->first_offset);
	b->line_end = source_line_of(w->d, b->last_offset);
	size_t start = skip_prefix(w->d, w->d->line_starts[b->line - 1], true);
	bool is_atx = start < b->first_offset && w->d->text[start] == '#';
	if (!is_atx && b->line_end < (int)w->d->line_count) b->line_end++; /* the line of === or --- */
}

static void assign_table(struct walk *w, struct block *b)
{
	int head = 0, row = 0;
	for (struct block *r = b->first; r && !head; r = r->next, row++)
		if (r->first_offset != SIZE_MAX) head = source_line_of(w->d, r->first_offset) - (row ? row + 1 : 0);
	if (!head) {
		find(w, is_pipe, true, w->d->text_len);
		head = line_at(w);
	}
	row = 0;
	int last = (int)w->d->line_count;
	for (struct block *r = b->first; r; r = r->next, row++) {
		int line = head + (row ? row + 1 : 0);
		r->line = r->line_end = line < last ? line : last;
		for (struct block *c = r->first; c; c = c->next) c->line = c->line_end = r->line;
	}
	b->line = head;
	b->line_end = head + row < last ? head + row : last;
}

static void assign_leaf(struct walk *w, struct block *b)
{
	bool has_text = b->first_offset != SIZE_MAX;
	switch (b->kind) {
	case BLOCK_FENCE:
		assign_fence(w, b);
		return;
	case BLOCK_HEADING:
		assign_heading(w, b);
		return;
	case BLOCK_TABLE:
		assign_table(w, b);
		return;
	case BLOCK_CODE:
	case BLOCK_HTML:
		if (!has_text) break;
		b->line = source_line_of(w->d, b->first_offset) - blank_lines_before(b);
		b->line_end = b->line + newlines(b->source, b->source_len) - (b->source_len && b->source[b->source_len - 1] == '\n');
		return;
	default:
		break;
	}
	if (!has_text) find(w, b->kind == BLOCK_RULE ? is_rule_line : is_any, true, w->d->text_len);
	b->line = has_text ? source_line_of(w->d, b->first_offset) : line_at(w);
	b->line_end = has_text ? source_line_of(w->d, b->last_offset) : b->line;
}

static void assign(struct walk *w, struct block *b);

static void assign_children(struct walk *w, struct block *b)
{
	for (struct block *c = b->first; c; c = c->next) {
		assign(w, c);
		if (c->line_end > b->line_end) b->line_end = c->line_end;
	}
}

static void assign_item(struct walk *w, struct block *b)
{
	size_t limit = b->first_offset != SIZE_MAX ? b->first_offset : w->d->text_len, before = w->at;
	if (find(w, is_marker, false, limit)) {
		b->line = b->line_end = line_at(w);
		size_t end = line_end_offset(w->d, w->at);
		while (w->at < end && !strchr(" \t", w->d->text[w->at])) w->at++;
	} else {
		w->at = before;
		b->line = b->line_end = b->first_offset != SIZE_MAX ? source_line_of(w->d, b->first_offset) : line_at(w);
	}
	assign_children(w, b);
}

static void assign(struct walk *w, struct block *b)
{
	if (b->kind == BLOCK_ITEM) {
		assign_item(w, b);
	} else if (b->kind == BLOCK_LIST || b->kind == BLOCK_QUOTE) {
		if (!b->first) find(w, is_any, false, w->d->text_len);
		b->line = b->line_end = line_at(w);
		assign_children(w, b);
		if (b->first) b->line = b->first->line;
	} else {
		assign_leaf(w, b);
		if (b->line_end < b->line) b->line_end = b->line;
		go_behind(w, b->line_end);
	}
}

void source_assign_lines(struct document *d)
{
	struct walk w = {.d = d, .at = d->body_line <= (int)d->line_count ? d->line_starts[d->body_line - 1] : d->text_len};
	if (d->line_count == 0) return;
	assign_children(&w, d->root);
	d->root->line_end = (int)d->line_count;
}
