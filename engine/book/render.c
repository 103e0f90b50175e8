#include "book/render.h"

#include "base/text.h"
#include "book/render_table.h"
#include "book/render_text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PREFIX_BYTES = 512, LEAST_ROOM = 16 };

/* Where lines go: prefix stands before each, first before the next one only (a bullet). */
struct page {
	struct buf *out;
	const struct render_options *o;
	char prefix[PREFIX_BYTES], first[PREFIX_BYTES];
	bool has_first;
	size_t columns; /* that the prefix takes */
	bool needs_gap; /* an empty line before the next block */
};

static size_t room_of(const struct page *p)
{
	size_t all = (size_t)p->o->columns;
	return all > p->columns + LEAST_ROOM ? all - p->columns : LEAST_ROOM;
}

static void put_prefix(struct page *p)
{
	buf_str(p->out, p->has_first ? p->first : p->prefix);
	p->has_first = false;
}

static void trim_line_end(struct page *p)
{
	while (p->out->len && p->out->data[p->out->len - 1] == ' ') p->out->data[--p->out->len] = 0;
	buf_char(p->out, '\n');
}

static void gap(struct page *p)
{
	if (p->needs_gap) {
		buf_str(p->out, p->prefix);
		trim_line_end(p);
	}
	p->needs_gap = false;
}

static void write_styled(struct page *p, const struct styled *s)
{
	for (size_t from = 0, next; from < s->text.len; from = next) {
		size_t end = styled_line(s, from, room_of(p), &next);
		put_prefix(p);
		styled_write(p->out, s, from, end, p->o);
		trim_line_end(p);
	}
}

static void write_spans(struct page *p, const struct span *spans, int style)
{
	struct styled s;
	styled_init(&s);
	styled_spans(&s, spans, style, p->o);
	write_styled(p, &s);
	styled_clear(&s);
}

/* Tabs of code as spaces, so that the width is known. */
static void add_code_line(struct styled *s, const char *line, size_t n)
{
	size_t column = 0, from = 0;
	for (size_t i = 0; i <= n; i++) {
		if (i < n && line[i] != '\t') continue;
		styled_add(s, line + from, i - from, STYLE_CODE);
		if (i == n) break;
		column = styled_columns(s, 0, s->text.len);
		styled_add(s, "        ", 8 - column % 8, STYLE_CODE);
		from = i + 1;
	}
}

/* Where a line of code is cut: at the width, behind a space where one stands in the last third. */
static size_t code_line_end(const struct styled *s, size_t from, size_t columns)
{
	size_t at = from, used = 0, space = 0;
	uint32_t code;
	while (at < s->text.len) {
		size_t step = text_decode(s->text.data + at, s->text.data + s->text.len, &code);
		size_t width = step ? (size_t)text_columns_of(code) : 1;
		if (used + width > columns && at > from) return space ? space : at;
		used += width;
		at += step ? step : 1;
		if (code == ' ' && 3 * used > 2 * columns) space = at;
	}
	return at;
}

static void write_code(struct page *p, const char *source, size_t len)
{
	const char *bar = p->o->unicode ? "│ " : "| ";
	while (len && source[len - 1] == '\n') len--;
	for (size_t from = 0; from <= len;) {
		const char *newline = from < len ? memchr(source + from, '\n', len - from) : NULL;
		size_t end = newline ? (size_t)(newline - source) : len, at = 0;
		struct styled s;
		styled_init(&s);
		add_code_line(&s, source + from, end - from);
		do {
			size_t stop = code_line_end(&s, at, room_of(p) - 2);
			put_prefix(p);
			if (p->o->color)
				buf_printf(p->out, "\033[0;2m%s\033[0m", bar);
			else
				buf_str(p->out, bar);
			styled_write(p->out, &s, at, stop, p->o);
			trim_line_end(p);
			at = stop;
		} while (at < s.text.len);
		styled_clear(&s);
		from = end + 1;
	}
}

/* HTML blocks: comments say nothing to a reader; of the rest the text between tags is shown. */
static void write_html(struct page *p, const struct block *b)
{
	struct styled s;
	bool in_tag = false;
	if (strncmp(b->source, "<!--", 4) == 0) return;
	styled_init(&s);
	for (const char *c = b->source; *c; c++) {
		if (*c == '<')
			in_tag = true;
		else if (*c == '>' && in_tag)
			in_tag = false;
		else if (!in_tag && *c == '\n')
			styled_add(&s, " ", s.text.len && s.text.data[s.text.len - 1] != ' ', 0);
		else if (!in_tag) {
			size_t n = 1;
			while (c[n] && c[n] != '<' && c[n] != '\n') n++;
			styled_add(&s, c, n, 0);
			c += n - 1;
		}
	}
	if (s.text.len && strspn(s.text.data, " ") < s.text.len) {
		gap(p);
		write_styled(p, &s);
		p->needs_gap = true;
	}
	styled_clear(&s);
}

static void write_blocks(struct page *p, const struct block *first, bool is_tight);

/* Renders children behind a longer prefix; mark goes before the first line. Lists that are nested too deep for the prefix lose their mark, not their text. */
static void nested(struct page *p, const struct block *b, const char *mark, const char *rest, bool is_tight)
{
	struct page inner = *p;
	size_t columns = text_columns(rest, strlen(rest));
	if (strlen(p->prefix) + strlen(rest) + 1 < PREFIX_BYTES && room_of(p) > LEAST_ROOM + columns) {
		snprintf(inner.first, sizeof inner.first, "%s%s", p->has_first ? p->first : p->prefix, mark);
		strncat(inner.prefix, rest, PREFIX_BYTES - strlen(inner.prefix) - 1);
		inner.has_first = true;
		inner.columns += columns;
	}
	inner.needs_gap = false;
	write_blocks(&inner, b->first, is_tight);
	if (inner.has_first && *mark) { /* an empty item: its mark alone */
		put_prefix(&inner);
		trim_line_end(&inner);
	}
	p->has_first = false;
}

static bool is_tight_list(const struct block *list)
{
	for (const struct block *item = list->first; item; item = item->next) {
		if (item->next && item->line_end + 1 < item->next->line) return false;
		for (const struct block *c = item->first; c; c = c->next)
			if (c->kind != BLOCK_PARAGRAPH && c->kind != BLOCK_LIST) return false;
	}
	return true;
}

static void write_list(struct page *p, const struct block *list)
{
	bool is_tight = is_tight_list(list);
	unsigned number = list->start;
	for (const struct block *item = list->first; item; item = item->next, number++) {
		char mark[32], rest[32];
		if (item->is_task)
			snprintf(mark, sizeof mark, "%s ", p->o->unicode ? (item->is_done ? "☑" : "☐") : item->is_done ? "[x]" : "[ ]");
		else if (list->is_ordered)
			snprintf(mark, sizeof mark, "%u. ", number);
		else
			snprintf(mark, sizeof mark, "%s ", p->o->unicode ? "•" : "-");
		size_t columns = text_columns(mark, strlen(mark));
		memset(rest, ' ', columns);
		rest[columns] = 0;
		if (item != list->first && !is_tight) p->needs_gap = true;
		gap(p);
		nested(p, item, mark, rest, is_tight);
	}
}

static void write_rule(struct page *p)
{
	put_prefix(p);
	for (size_t i = 0; i < room_of(p); i++) buf_str(p->out, p->o->unicode ? "─" : "-");
	buf_char(p->out, '\n');
}

static void write_block(struct page *p, const struct block *b)
{
	switch (b->kind) {
	case BLOCK_HEADING:
		write_spans(p, b->spans, STYLE_HEADING);
		break;
	case BLOCK_PARAGRAPH:
		write_spans(p, b->spans, 0);
		break;
	case BLOCK_LIST:
		write_list(p, b);
		break;
	case BLOCK_QUOTE:
		nested(p, b, p->o->unicode ? "▌ " : "> ", p->o->unicode ? "▌ " : "> ", false);
		break;
	case BLOCK_FENCE:
	case BLOCK_CODE:
		write_code(p, b->source, b->source_len);
		break;
	case BLOCK_TABLE: {
		char prefix[PREFIX_BYTES];
		snprintf(prefix, sizeof prefix, "%s", p->prefix);
		if (p->has_first) { /* a table right behind a bullet: the bullet on a line of its own */
			put_prefix(p);
			trim_line_end(p);
		}
		render_table(p->out, b, prefix, room_of(p), p->o);
		break;
	}
	case BLOCK_RULE:
		write_rule(p);
		break;
	default:
		break;
	}
}

static void write_blocks(struct page *p, const struct block *first, bool is_tight)
{
	for (const struct block *b = first; b; b = b->next) {
		if (b->kind == BLOCK_HTML) {
			write_html(p, b);
			continue;
		}
		gap(p);
		write_block(p, b);
		p->needs_gap = !is_tight;
	}
}

static struct render_options bounded(const struct render_options *o)
{
	struct render_options b = *o;
	if (b.columns < 20) b.columns = 20;
	if (b.columns > 400) b.columns = 400;
	return b;
}

void render_markdown(struct buf *out, const char *markdown, const struct render_options *options)
{
	struct arena *a = arena_new();
	struct document *d;
	struct error e;
	struct render_options o = bounded(options);
	if (document_parse_body(a, markdown, strlen(markdown), &d, &e) == ERR_OK) {
		struct page p = {.out = out, .o = &o};
		write_blocks(&p, d->root->first, false);
	} else {
		text_visible(out, markdown, strlen(markdown), TEXT_KEEP_NEWLINE);
		buf_char(out, '\n');
	}
	arena_free(a);
}

void render_wrapped(struct buf *out, const char *text, size_t indent, const struct render_options *options)
{
	struct render_options o = bounded(options);
	struct styled s;
	size_t room = (size_t)o.columns > indent + LEAST_ROOM ? (size_t)o.columns - indent : LEAST_ROOM;
	styled_init(&s);
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		styled_add(&s, line, n, 0);
		line += n + (line[n] == '\n');
		if (*line) buf_char(&s.text, '\n'), buf_char(&s.style, 0);
	}
	for (size_t from = 0, next; from < s.text.len; from = next) {
		size_t end = styled_line(&s, from, room, &next);
		for (size_t i = 0; from && i < indent; i++) buf_char(out, ' ');
		styled_write(out, &s, from, end, &o);
		buf_char(out, '\n');
	}
	styled_clear(&s);
}
