#include "cli/lines.h"
#include "base/error.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A page of text is as much as anybody reads on a line; each byte takes at most 10 when it is made visible. */
enum { LINE_BYTES_MAX = 1 << 20, TEXT_BYTES_MAX = 16384 };

void lines_init(struct lines *l, struct arena *a)
{
	*l = (struct lines){.arena = a};
}

void lines_add(struct lines *l, const char *text)
{
	if (l->count == l->capacity) l->line = arena_grow(l->arena, l->line, l->count, &l->capacity, sizeof *l->line);
	l->line[l->count++] = text;
}

void lines_printf(struct lines *l, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = NULL;
	must(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	lines_add(l, arena_strdup(l->arena, text));
	free(text);
}

void lines_split(struct lines *l, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		lines_add(l, arena_strndup(l->arena, text, n));
		text += n + (text[n] == '\n');
	}
}

void lines_append(struct lines *l, const struct lines *more, size_t from, size_t n)
{
	for (size_t i = from; i < more->count && i < from + n; i++) lines_add(l, more->line[i]);
}

const char *line_safe(struct arena *a, const char *text)
{
	struct buf b;
	buf_init(&b, LINE_BYTES_MAX);
	size_t whole = strlen(text), n = text_cut(text, whole, TEXT_BYTES_MAX);
	text_visible(&b, text, n, TEXT_KEEP_NEWLINE | TEXT_KEEP_TAB);
	if (n < whole) buf_printf(&b, " <%zu bytes more>", whole - n);
	char *out = arena_alloc(a, b.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < b.len; i++) {
		char c = b.data[i] == '\n' || b.data[i] == '\t' ? ' ' : b.data[i];
		if (c == ' ' && (len == 0 || out[len - 1] == ' ')) continue;
		out[len++] = c;
	}
	while (len > 0 && out[len - 1] == ' ') len--;
	out[len] = 0;
	buf_clear(&b);
	return out;
}

const char *line_exact(struct arena *a, const char *text)
{
	struct buf b;
	size_t whole = strlen(text), n = text_cut(text, whole, TEXT_BYTES_MAX);
	buf_init(&b, LINE_BYTES_MAX);
	text_visible(&b, text, n, TEXT_KEEP_NOTHING);
	if (n < whole) buf_printf(&b, " <%zu bytes more>", whole - n);
	const char *out = arena_strndup(a, b.data ? b.data : "", b.len);
	buf_clear(&b);
	return out;
}

const char *line_source(struct arena *a, const char *text)
{
	struct buf b;
	buf_init(&b, LINE_BYTES_MAX);
	while (*text) {
		size_t n = strcspn(text, "\t");
		text_visible(&b, text, n, TEXT_KEEP_NOTHING);
		text += n;
		if (*text) buf_str(&b, "        "), text++;
	}
	const char *out = arena_strndup(a, b.data ? b.data : "", b.len);
	buf_clear(&b);
	return out;
}

/* Length of a colour sequence at p, 0 where there is none. */
static size_t color_at(const char *p)
{
	if (p[0] != '\033' || p[1] != '[') return 0;
	size_t n = 2 + strspn(p + 2, "0123456789;");
	return p[n] == 'm' ? n + 1 : 0;
}

/* Length and columns of what stands at p: a colour sequence or one code point. */
static size_t unit_at(const char *p, const char *end, size_t *columns)
{
	size_t n = color_at(p);
	uint32_t code;
	*columns = 0;
	if (n) return n;
	n = text_decode(p, end, &code);
	*columns = n ? (size_t)text_columns_of(code) : 1;
	return n ? n : 1;
}

size_t line_columns(const char *text)
{
	size_t columns = 0, one;
	const char *end = text + strlen(text);
	for (const char *p = text; p < end; columns += one) p += unit_at(p, end, &one);
	return columns;
}

const char *line_clip(struct arena *a, const char *text, size_t columns, bool unicode)
{
	if (line_columns(text) <= columns) return text;
	const char *mark = unicode ? "…" : "...";
	size_t mark_columns = unicode ? 1 : 3, used = 0, one;
	if (columns < mark_columns) return "";
	const char *p = text, *end = text + strlen(text);
	bool is_colored = false;
	while (p < end) {
		size_t n = unit_at(p, end, &one);
		if (used + one > columns - mark_columns) break;
		if (color_at(p)) is_colored = true;
		used += one, p += n;
	}
	return arena_printf(a, "%.*s%s%s", (int)(p - text), text, mark, is_colored ? "\033[0m" : "");
}

const char *line_fit(struct arena *a, const char *text, size_t columns, bool unicode)
{
	text = line_clip(a, text, columns, unicode);
	size_t have = line_columns(text);
	return have < columns ? arena_printf(a, "%s%*s", text, (int)(columns - have), "") : text;
}

const char *line_ends(struct arena *a, const char *left, const char *right, size_t columns, bool unicode)
{
	enum { GAP = 2, LEFT_LEAST = 8 };
	size_t r = line_columns(right);
	if (r == 0 || r + GAP + LEFT_LEAST > columns) return line_clip(a, left, columns, unicode);
	return arena_printf(a, "%s%*s%s", line_fit(a, left, columns - r - GAP, unicode), GAP, "", right);
}

/* Bytes of text that fit in so many columns, broken after the last space where one is there. */
static size_t wrap_at(const char *text, size_t columns)
{
	const char *end = text + strlen(text);
	size_t used = 0, one, at = 0, last_space = 0;
	while (text + at < end && text[at] != '\n') {
		size_t n = unit_at(text + at, end, &one);
		if (used + one > columns) return last_space ? last_space : at ? at : n;
		if (text[at] == ' ') last_space = at;
		used += one, at += n;
	}
	return at;
}

void lines_wrap(struct lines *l, const char *text, size_t columns, const char *indent, const char *style_on)
{
	size_t margin = line_columns(indent), room = columns > margin + 8 ? columns - margin : 8;
	while (*text) {
		size_t n = wrap_at(text, room);
		lines_printf(l, "%s%s%.*s%s", indent, style_on, (int)n, text, *style_on ? "\033[0m" : "");
		text += n;
		if (*text == '\n')
			text++;
		else
			text += strspn(text, " ");
	}
}
