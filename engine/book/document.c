#include "book/document.h"
#include "book/front_matter.h"
#include "book/source_lines.h"

#include "base/json.h"
#include "base/text.h"

#include <md4c.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ABORT = -1 };          /* md4c 0.4.8 stops at negative values only, whatever its header says */
enum { SPAN_DEPTH_MAX = 24 }; /* deeper emphasis is shown as plain text: the tree is walked by recursion */

/* State while md4c tells what it finds. */
struct builder {
	struct document *d;
	struct source_copy copy; /* what md4c reads */
	size_t copied;
	struct block *at; /* innermost open block */
	struct span *in;  /* innermost open span, or NULL */
	size_t skipped;   /* open spans that are too deep to be kept */
	size_t span_depth, depth, headings;
	bool in_head;
	struct buf source; /* of the open fence, code or HTML block */
	const char *refusal;
};

static bool count_part(struct builder *b)
{
	if (++b->d->part_count <= DOCUMENT_PARTS_MAX) return true;
	b->refusal = "has more blocks, table cells and marked-up words than a book may have (160,000): split it";
	return false;
}

static struct block *add_block(struct builder *b, enum block_kind kind)
{
	if (!count_part(b)) return NULL;
	struct block *n = arena_alloc(b->d->arena, sizeof *n);
	*n = (struct block){.kind = kind, .parent = b->at, .first_offset = SIZE_MAX, .last_offset = SIZE_MAX, .info = "", .source = ""};
	if (b->at->last)
		b->at->last->next = n;
	else
		b->at->first = n;
	b->at->last = n;
	b->at->child_count++;
	b->at = n;
	b->in = NULL;
	return n;
}

/* Leaves the innermost block; what it spans, its parent spans too. */
static void close_block(struct builder *b)
{
	struct block *n = b->at, *p = n->parent;
	if (n->kind == BLOCK_FENCE || n->kind == BLOCK_CODE || n->kind == BLOCK_HTML) {
		n->source = arena_strndup(b->d->arena, b->source.data ? b->source.data : "", b->source.len);
		n->source_len = b->source.len;
		buf_reset(&b->source);
	}
	if (n->first_offset != SIZE_MAX && p->first_offset == SIZE_MAX) p->first_offset = n->first_offset;
	if (n->last_offset != SIZE_MAX) p->last_offset = n->last_offset;
	b->at = p;
	b->in = NULL;
}

/* The text of a tight item comes without a paragraph around it: this one is ours, so that all items look the same. */
static void close_implied(struct builder *b)
{
	if (b->at->kind == BLOCK_PARAGRAPH && b->at->parent->kind == BLOCK_ITEM) close_block(b);
}

static const enum block_kind kind_of[] = {
    [MD_BLOCK_DOC] = BLOCK_DOCUMENT, [MD_BLOCK_QUOTE] = BLOCK_QUOTE, [MD_BLOCK_UL] = BLOCK_LIST,   [MD_BLOCK_OL] = BLOCK_LIST,   [MD_BLOCK_LI] = BLOCK_ITEM,
    [MD_BLOCK_HR] = BLOCK_RULE,      [MD_BLOCK_H] = BLOCK_HEADING,   [MD_BLOCK_CODE] = BLOCK_CODE, [MD_BLOCK_HTML] = BLOCK_HTML, [MD_BLOCK_P] = BLOCK_PARAGRAPH,
    [MD_BLOCK_TABLE] = BLOCK_TABLE,  [MD_BLOCK_TR] = BLOCK_ROW,      [MD_BLOCK_TH] = BLOCK_CELL,   [MD_BLOCK_TD] = BLOCK_CELL,
};

static void block_details(struct block *n, MD_BLOCKTYPE type, const void *detail)
{
	switch (type) {
	case MD_BLOCK_H:
		n->level = (int)((const MD_BLOCK_H_DETAIL *)detail)->level;
		break;
	case MD_BLOCK_OL:
		n->is_ordered = true;
		n->start = ((const MD_BLOCK_OL_DETAIL *)detail)->start;
		break;
	case MD_BLOCK_LI:
		n->is_task = ((const MD_BLOCK_LI_DETAIL *)detail)->is_task;
		n->is_done = n->is_task && ((const MD_BLOCK_LI_DETAIL *)detail)->task_mark != ' ';
		break;
	case MD_BLOCK_CODE:
		if (((const MD_BLOCK_CODE_DETAIL *)detail)->fence_char) n->kind = BLOCK_FENCE;
		break;
	default:
		break;
	}
}

static int enter_block(MD_BLOCKTYPE type, void *detail, void *arg)
{
	struct builder *b = arg;
	if (type == MD_BLOCK_DOC || type == MD_BLOCK_TBODY) {
		b->in_head = false;
		return 0;
	}
	if (type == MD_BLOCK_THEAD) {
		b->in_head = true;
		return 0;
	}
	close_implied(b);
	if (type == MD_BLOCK_QUOTE || type == MD_BLOCK_UL || type == MD_BLOCK_OL) {
		if (++b->depth > DOCUMENT_DEPTH_MAX) {
			b->refusal = "nests lists and quotes deeper than 64 levels: flatten it";
			return ABORT;
		}
	}
	if (type == MD_BLOCK_H && ++b->headings > DOCUMENT_HEADINGS_MAX) {
		b->refusal = "has more than 10,000 headings: split it";
		return ABORT;
	}
	struct block *n = add_block(b, kind_of[type]);
	if (!n) return ABORT;
	block_details(n, type, detail);
	n->is_head = type == MD_BLOCK_TR && b->in_head;
	return 0;
}

static int leave_block(MD_BLOCKTYPE type, void *detail, void *arg)
{
	struct builder *b = arg;
	(void)detail;
	if (type == MD_BLOCK_DOC || type == MD_BLOCK_TBODY || type == MD_BLOCK_THEAD) return 0;
	if (type == MD_BLOCK_LI) close_implied(b);
	if (type == MD_BLOCK_QUOTE || type == MD_BLOCK_UL || type == MD_BLOCK_OL) b->depth--;
	close_block(b);
	return 0;
}

/* The bytes that md4c's pointer stands for: those of the original text where it points into what md4c read; *n may become less. */
static const char *original(struct builder *b, const char *p, size_t *n)
{
	uintptr_t at = (uintptr_t)p, start = (uintptr_t)b->copy.text;
	if (at < start || at + *n > start + b->copy.len) return NULL;
	size_t from = source_copy_offset(&b->copy, at - start), to = source_copy_offset(&b->copy, at - start + *n);
	*n = to - from;
	return b->d->text + from;
}

/* Remembers where the open block's content stands. */
static void note_offset(struct builder *b, const char *text, size_t n)
{
	size_t at = (size_t)(text - b->d->text);
	if (b->at->first_offset == SIZE_MAX) b->at->first_offset = at;
	b->at->last_offset = at + (n ? n - 1 : 0);
}

/* Text in the arena where it is not in the original; NULL where too much would be copied. */
static const char *copied(struct builder *b, const char *text, size_t n)
{
	b->copied += n;
	if (b->copied > DOCUMENT_TEXT_BYTES_MAX) {
		b->refusal = "uses long link targets so often that it unfolds to more than 4 MiB: shorten them";
		return NULL;
	}
	return arena_strndup(b->d->arena, text, n);
}

static struct span *add_span(struct builder *b, enum span_kind kind)
{
	if (!count_part(b)) return NULL;
	if (b->at->kind == BLOCK_ITEM && !add_block(b, BLOCK_PARAGRAPH)) return NULL;
	struct span *s = arena_alloc(b->d->arena, sizeof *s);
	*s = (struct span){.kind = kind, .parent = b->in};
	struct span **first = b->in ? &b->in->first : &b->at->spans, **last = b->in ? &b->in->last : &b->at->last_span;
	if (*last)
		(*last)->next = s;
	else
		*first = s;
	*last = s;
	return s;
}

static enum span_kind span_kind_of(MD_SPANTYPE type)
{
	switch (type) {
	case MD_SPAN_EM:
		return SPAN_EMPHASIS;
	case MD_SPAN_STRONG:
		return SPAN_STRONG;
	case MD_SPAN_A:
		return SPAN_LINK;
	case MD_SPAN_IMG:
		return SPAN_IMAGE;
	case MD_SPAN_CODE:
		return SPAN_CODE;
	case MD_SPAN_DEL:
		return SPAN_STRIKE;
	default:
		return SPAN_TEXT;
	}
}

static int enter_span(MD_SPANTYPE type, void *detail, void *arg)
{
	struct builder *b = arg;
	if (b->skipped || b->span_depth >= SPAN_DEPTH_MAX) {
		b->skipped++;
		return 0;
	}
	struct span *s = add_span(b, span_kind_of(type));
	if (!s) return ABORT;
	if (type == MD_SPAN_A || type == MD_SPAN_IMG) {
		const MD_ATTRIBUTE *to = type == MD_SPAN_A ? &((MD_SPAN_A_DETAIL *)detail)->href : &((MD_SPAN_IMG_DETAIL *)detail)->src;
		s->target_len = to->size;
		s->target = original(b, to->text, &s->target_len);
		if (!s->target && !(s->target = copied(b, to->text ? to->text : "", to->size))) return ABORT;
	}
	b->in = s;
	b->span_depth++;
	return 0;
}

static int leave_span(MD_SPANTYPE type, void *detail, void *arg)
{
	struct builder *b = arg;
	(void)type, (void)detail;
	if (b->skipped) {
		b->skipped--;
		return 0;
	}
	b->in = b->in->parent;
	b->span_depth--;
	return 0;
}

static const struct {
	const char *name, *text;
} entities[] = {{"&amp;", "&"},
                {"&lt;", "<"},
                {"&gt;", ">"},
                {"&quot;", "\""},
                {"&apos;", "'"},
                {"&#39;", "'"},
                {"&nbsp;", " "},
                {"&#x27;", "'"},
                {"&rarr;", "\xe2\x86\x92"},
                {"&mdash;", "\xe2\x80\x94"},
                {"&ndash;", "\xe2\x80\x93"},
                {"&hellip;", "\xe2\x80\xa6"},
                {"&copy;", "\xc2\xa9"}};

static const char *entity_text(const char *name, size_t n)
{
	for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++)
		if (strlen(entities[i].name) == n && memcmp(entities[i].name, name, n) == 0) return entities[i].text;
	return NULL;
}

/* Text of a fence, an indented block or HTML. The bound is never met: md4c's output is no longer than the text and its tabs as spaces. */
static int add_source(struct builder *b, const char *text, size_t n, const char *here)
{
	if (here) note_offset(b, here, n);
	if (buf_add(&b->source, here ? here : text, n)) return 0;
	b->refusal = "has code that unfolds to more than 8 MiB";
	return ABORT;
}

static int text(MD_TEXTTYPE type, const MD_CHAR *chars, MD_SIZE size, void *arg)
{
	struct builder *b = arg;
	size_t shown_len = size;
	const char *here = original(b, chars, &shown_len);
	enum block_kind at = b->at->kind;
	if (at == BLOCK_FENCE || at == BLOCK_CODE || at == BLOCK_HTML) return add_source(b, chars, shown_len, here);
	if (at == BLOCK_ITEM && !add_block(b, BLOCK_PARAGRAPH)) return ABORT;
	if (type == MD_TEXT_BR || type == MD_TEXT_SOFTBR) return add_span(b, type == MD_TEXT_BR ? SPAN_BREAK : SPAN_SOFT_BREAK) ? 0 : ABORT;
	const char *shown = here ? here : copied(b, chars, size);
	if (!shown) return ABORT;
	if (here) note_offset(b, here, shown_len);
	if (type == MD_TEXT_ENTITY && entity_text(shown, shown_len)) {
		shown = entity_text(shown, shown_len);
		shown_len = strlen(shown);
	}
	enum span_kind kind = type == MD_TEXT_HTML ? SPAN_HTML : SPAN_TEXT;
	struct span *last = b->in ? b->in->last : b->at->last_span;
	if (last && last->kind == kind && last->text + last->text_len == shown) {
		last->text_len += shown_len;
		return 0;
	}
	struct span *s = add_span(b, kind);
	if (!s) return ABORT;
	s->text = shown;
	s->text_len = shown_len;
	return 0;
}

static const struct block *next_heading(const struct block *b)
{
	while (b && b->kind != BLOCK_HEADING) b = b->next;
	return b;
}

/* Makes anchors unique as GitHub does. A table of the slugs seen would be the plain way; a counter per slug in a JSON object is one. */
static const char *unique_anchor(struct document *d, json_t *seen, const char *title)
{
	struct buf b;
	buf_init(&b, DOCUMENT_BYTES_MAX);
	text_slug(&b, title, strlen(title));
	const char *slug = b.data ? b.data : "";
	json_int_t times = json_integer_value(json_object_get(seen, slug));
	const char *anchor = times ? arena_printf(d->arena, "%s-%lld", slug, (long long)times) : arena_strdup(d->arena, slug);
	json_object_set_new(seen, slug, json_integer(times + 1));
	buf_clear(&b);
	return anchor;
}

static void close_sections(struct section *s, const struct section *until, int line_end)
{
	for (; s != until; s = s->parent) s->line_end = line_end;
}

static struct section *add_section(struct document *d, struct section *parent, const struct block *heading, json_t *seen)
{
	struct section *s = arena_alloc(d->arena, sizeof *s);
	*s = (struct section){.index = d->section_count++, .heading = heading, .level = heading->level, .line = heading->line, .parent = parent};
	s->title = document_plain_dup(d->arena, heading);
	s->anchor = unique_anchor(d, seen, s->title);
	s->body = heading->next && heading->next->kind != BLOCK_HEADING ? heading->next : NULL;
	if (parent->last)
		parent->last->next = s;
	else
		parent->first = s;
	parent->last = s;
	return s;
}

static void build_sections(struct document *d)
{
	json_t *seen = json_object();
	struct section *at = arena_alloc(d->arena, sizeof *at);
	const struct block *first = d->root->first;
	*at = (struct section){.title = "", .anchor = "", .line = 1, .body = first && first->kind != BLOCK_HEADING ? first : NULL};
	d->sections = at;
	d->section_count = 1;
	for (const struct block *h = next_heading(first); h; h = next_heading(h->next)) {
		struct section *parent = at;
		while (parent->level >= h->level) {
			parent = parent->parent;
			must(parent); /* the document's own level is 0 */
		}
		close_sections(at, parent, h->line - 1);
		at = add_section(d, parent, h, seen);
	}
	close_sections(at, NULL, (int)d->line_count);
	json_decref(seen);
}

static enum err parse(struct arena *arena, const char *bytes, size_t n, bool is_page, struct document **out, struct error *e)
{
	if (n > DOCUMENT_BYTES_MAX) return error_set(e, ERR_TOO_BIG, "the file has %zu bytes; a book may have 1 MiB (1,048,576 bytes): split it", n);
	struct document *d = arena_alloc(arena, sizeof *d);
	d->arena = arena;
	source_normalise(d, bytes, n);
	size_t from = is_page ? front_matter_read(d) : 0;
	enum err err = source_check_depth(d, from, e);
	if (err) return err;
	d->root = arena_alloc(arena, sizeof *d->root);
	*d->root = (struct block){.kind = BLOCK_DOCUMENT, .line = 1, .info = "", .source = "", .first_offset = SIZE_MAX, .last_offset = SIZE_MAX};
	struct builder b = {.d = d, .at = d->root};
	source_copy_make(d, from, &b.copy);
	buf_init(&b.source, 8 * DOCUMENT_BYTES_MAX);
	MD_PARSER parser = {.flags = MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH | MD_FLAG_TASKLISTS,
	                    .enter_block = enter_block,
	                    .leave_block = leave_block,
	                    .enter_span = enter_span,
	                    .leave_span = leave_span,
	                    .text = text};
	int rc = md_parse(b.copy.text, (MD_SIZE)b.copy.len, &parser, &b);
	source_copy_clear(&b.copy);
	buf_clear(&b.source);
	if (rc && !b.refusal) die("out of memory while Markdown is parsed");
	if (b.refusal) return error_set(e, ERR_TOO_BIG, "the document %s", b.refusal);
	source_assign_lines(d);
	build_sections(d);
	*out = d;
	return ERR_OK;
}

enum err document_parse(struct arena *arena, const char *bytes, size_t n, struct document **out, struct error *e)
{
	return parse(arena, bytes, n, true, out, e);
}

enum err document_parse_body(struct arena *arena, const char *bytes, size_t n, struct document **out, struct error *e)
{
	return parse(arena, bytes, n, false, out, e);
}
