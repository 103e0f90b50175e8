#include "book/document.h"

#include "base/json.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static const char *const block_words[BLOCK_KIND_N] = {
    [BLOCK_DOCUMENT] = "document", [BLOCK_HEADING] = "heading", [BLOCK_PARAGRAPH] = "paragraph", [BLOCK_LIST] = "list",   [BLOCK_ITEM] = "item",
    [BLOCK_QUOTE] = "quote",       [BLOCK_FENCE] = "fence",     [BLOCK_CODE] = "code",           [BLOCK_TABLE] = "table", [BLOCK_ROW] = "row",
    [BLOCK_CELL] = "cell",         [BLOCK_HTML] = "html",       [BLOCK_RULE] = "rule",
};
static const char *const span_words[SPAN_KIND_N] = {
    [SPAN_TEXT] = "text", [SPAN_CODE] = "code",   [SPAN_STRONG] = "strong", [SPAN_EMPHASIS] = "emphasis", [SPAN_STRIKE] = "strike",
    [SPAN_LINK] = "link", [SPAN_IMAGE] = "image", [SPAN_HTML] = "html",     [SPAN_BREAK] = "break",       [SPAN_SOFT_BREAK] = "soft_break",
};

const char *block_word(enum block_kind k)
{
	must(k < BLOCK_KIND_N);
	return block_words[k];
}

const char *span_word(enum span_kind k)
{
	must(k < SPAN_KIND_N);
	return span_words[k];
}

void document_plain_spans(struct buf *out, const struct span *first)
{
	for (const struct span *s = first; s; s = s->next) {
		if (s->kind == SPAN_TEXT)
			buf_add(out, s->text, s->text_len);
		else if (s->kind == SPAN_BREAK || s->kind == SPAN_SOFT_BREAK)
			buf_char(out, ' ');
		else
			document_plain_spans(out, s->first); /* of HTML nothing is left */
	}
}

void document_plain(struct buf *out, const struct block *b)
{
	if (b->kind == BLOCK_HEADING || b->kind == BLOCK_PARAGRAPH || b->kind == BLOCK_CELL) {
		document_plain_spans(out, b->spans);
	} else if (b->kind == BLOCK_ITEM) {
		for (const struct block *c = b->first; c; c = c->next) {
			if (c->kind != BLOCK_PARAGRAPH) continue;
			document_plain_spans(out, c->spans);
			return;
		}
	}
}

const char *document_plain_dup(struct arena *a, const struct block *b)
{
	struct buf text;
	buf_init(&text, 4 * DOCUMENT_BYTES_MAX);
	document_plain(&text, b);
	const char *s = text.data ? text.data : "";
	size_t n = text.len;
	while (n && strchr(" \t\n", s[n - 1])) n--;
	while (n && strchr(" \t\n", *s)) s++, n--;
	char *dup = arena_strndup(a, s, n);
	buf_clear(&text);
	return dup;
}

const char *document_line(const struct document *d, int line, size_t *len)
{
	must(line >= 1 && (size_t)line <= d->line_count);
	size_t from = d->line_starts[line - 1], to = d->line_starts[line];
	if (to > from && d->text[to - 1] == '\n') to--;
	*len = to - from;
	return d->text + from;
}

/* How many columns of white space a line begins with, a tab going to the next multiple of 4. */
static size_t indent_of(const char *s, size_t n)
{
	size_t columns = 0;
	for (size_t i = 0; i < n && (s[i] == ' ' || s[i] == '\t'); i++) columns = s[i] == '\t' ? (columns / 4 + 1) * 4 : columns + 1;
	return columns;
}

const char *document_lines_by(const struct document *d, struct arena *a, int from, int to, size_t indent)
{
	if (to > (int)d->line_count) to = (int)d->line_count;
	if (from < 1 || to < from) return "";
	size_t whole = d->line_starts[to] - d->line_starts[from - 1];
	char *text = arena_alloc(a, whole + 1), *at = text;
	for (int line = from; line <= to; line++) {
		size_t len, taken = 0, columns = 0;
		const char *s = document_line(d, line, &len);
		while (taken < len && columns < indent && (s[taken] == ' ' || s[taken] == '\t'))
			columns = s[taken] == '\t' ? (columns / 4 + 1) * 4 : columns + 1, taken++;
		memcpy(at, s + taken, len - taken);
		at += len - taken;
		if (line < to) *at++ = '\n';
	}
	while (at > text && strchr("\n \t", at[-1])) at--;
	*at = 0;
	return text;
}

const char *document_lines(const struct document *d, struct arena *a, int from, int to)
{
	size_t len;
	if (from < 1 || from > (int)d->line_count) return "";
	const char *s = document_line(d, from, &len);
	return document_lines_by(d, a, from, to, indent_of(s, len));
}

const struct section *section_next(const struct section *root, const struct section *s)
{
	if (s->first) return s->first;
	for (; s && s != root; s = s->parent)
		if (s->next) return s->next;
	return NULL;
}

const struct section *document_section(const struct document *d, const char *anchor)
{
	for (const struct section *s = section_next(d->sections, d->sections); s; s = section_next(d->sections, s))
		if (strcmp(s->anchor, anchor) == 0) return s;
	for (const struct section *s = section_next(d->sections, d->sections); s; s = section_next(d->sections, s))
		if (text_equal_nocase(s->title, anchor) || text_equal_nocase(s->anchor, anchor)) return s;
	return NULL;
}

static json_t *spans_json(const struct span *first)
{
	json_t *all = json_array();
	for (const struct span *s = first; s; s = s->next) {
		json_t *o = json_object();
		json_object_set_new(o, "kind", json_string(span_word(s->kind)));
		if (s->text) json_object_set_new(o, "text", json_stringn(s->text, s->text_len));
		if (s->target) json_object_set_new(o, "target", json_stringn(s->target, s->target_len));
		if (s->first) json_object_set_new(o, "spans", spans_json(s->first));
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *block_json(const struct block *b)
{
	json_t *o = json_object();
	json_object_set_new(o, "kind", json_string(block_word(b->kind)));
	json_object_set_new(o, "line", json_integer(b->line));
	json_object_set_new(o, "line_end", json_integer(b->line_end));
	if (b->kind == BLOCK_HEADING) json_object_set_new(o, "level", json_integer(b->level));
	if (b->kind == BLOCK_LIST) json_object_set_new(o, "ordered", json_boolean(b->is_ordered));
	if (b->kind == BLOCK_LIST && b->is_ordered) json_object_set_new(o, "start", json_integer(b->start));
	if (b->is_task) json_object_set_new(o, "done", json_boolean(b->is_done));
	if (b->kind == BLOCK_ROW) json_object_set_new(o, "head", json_boolean(b->is_head));
	if (b->kind == BLOCK_FENCE) json_object_set_new(o, "info", json_string(b->info));
	if (b->source_len) json_object_set_new(o, "source", json_stringn(b->source, b->source_len));
	if (b->spans) json_object_set_new(o, "spans", spans_json(b->spans));
	if (b->first) {
		json_t *all = json_array();
		for (const struct block *c = b->first; c; c = c->next) json_array_append_new(all, block_json(c));
		json_object_set_new(o, "blocks", all);
	}
	return o;
}

static json_t *sections_json(const struct section *parent)
{
	json_t *all = json_array();
	for (const struct section *s = parent->first; s; s = s->next) {
		json_t *o =
		    json_pack("{s:s, s:s, s:i, s:i, s:i}", "title", s->title, "anchor", s->anchor, "level", s->level, "line", s->line, "line_end", s->line_end);
		if (s->first) json_object_set_new(o, "sections", sections_json(s));
		json_array_append_new(all, o);
	}
	return all;
}

json_t *document_json(const struct document *d)
{
	json_t *o = json_object(), *front = json_array();
	json_object_set_new(o, "lines", json_integer((json_int_t)d->line_count));
	for (size_t i = 0; i < d->front_matter_count; i++) {
		const struct front_matter_entry *m = &d->front_matter[i];
		json_array_append_new(front, json_pack("{s:s, s:s, s:i}", "key", m->key, "value", m->value, "line", m->line));
	}
	json_object_set_new(o, "front_matter", front);
	if (d->front_matter_error) json_object_set_new(o, "front_matter_error", json_string(d->front_matter_error));
	json_object_set_new(o, "sections", sections_json(d->sections));
	json_t *blocks = json_array();
	for (const struct block *c = d->root->first; c; c = c->next) json_array_append_new(blocks, block_json(c));
	json_object_set_new(o, "blocks", blocks);
	return o;
}
