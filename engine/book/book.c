#include "book/book_reader.h"

#include "base/digest.h"
#include "base/fs.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOTES_MAX = 1000 };

void book_note_add(struct book_reader *r, const char *rule, int line, int column, const char *mend, const char *fmt, ...)
{
	struct book *b = r->book;
	char text[512];
	va_list ap;
	if (b->note_count >= NOTES_MAX) return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	b->notes = arena_grow(b->arena, b->notes, b->note_count, &r->note_capacity, sizeof *b->notes);
	b->notes[b->note_count++] =
	    (struct book_note){.rule = rule, .line = line, .column = column, .text = arena_strdup(b->arena, text), .mend = arena_strdup(b->arena, mend)};
}

const struct section *book_section_with(const struct book_reader *r, enum section_role role)
{
	const struct section *root = r->book->scope;
	for (const struct section *s = section_next(root, root); s; s = section_next(root, s))
		if (r->meanings[s->index].role == role) return s;
	/* A page of many books may declare things once for all of them. */
	for (const struct section *s = root == r->d->sections ? NULL : section_next(r->d->sections, r->d->sections); s; s = section_next(r->d->sections, s))
		if (s->level <= 2 && r->meanings[s->index].role == role) return s;
	return NULL;
}

const struct block *section_block(const struct section *s, enum block_kind kind)
{
	for (const struct block *b = s->body; b && b->kind != BLOCK_HEADING; b = b->next)
		if (b->kind == kind) return b;
	return NULL;
}

const char *row_text(struct arena *a, const struct block *row, size_t i)
{
	const struct block *cell = row->first;
	while (cell && i--) cell = cell->next;
	return cell ? document_plain_dup(a, cell) : "";
}

/* The page's own title: its first heading, where that has the first rank. A page whose sections all have that rank ("# Overview", "# Steps") has none. */
static const struct section *title_section(const struct document *d)
{
	const struct section *first = d->sections->first;
	if (!first || first->level != 1) return NULL;
	if (!first->next) return first;
	struct heading_meaning m = words_of_heading(first->title);
	bool is_section = m.role == ROLE_NOT_STEPS || m.role >= ROLE_INFO || (m.role == ROLE_ACTION && m.is_bare);
	return is_section ? NULL : first;
}

/* "restart-web.html.md.erb" gives "restart-web". */
static const char *file_title(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t n = strcspn(name + (*name == '.'), ".") + (*name == '.');
	return n ? arena_strndup(a, name, n) : name;
}

static const char *choose_title(struct book_reader *r)
{
	const struct book *b = r->book;
	if (b->anchor) return b->scope->title;
	const char *title = r->title ? r->title->title : "", *meta = book_meta_get(b, "title");
	bool is_template = strstr(title, "<%") || strstr(title, "{{");
	if (*title && !is_template) return title;
	if (meta) return meta;
	return file_title(b->arena, b->path);
}

/* Which of the folders runbooks/ and playbooks/ is the innermost of a path? */
static bool is_in_playbooks(const char *path)
{
	bool is_playbook = false;
	for (const char *part = path; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
		if (strncmp(part, "playbooks/", 10) == 0) is_playbook = true;
		if (strncmp(part, "runbooks/", 9) == 0) is_playbook = false;
	}
	return is_playbook;
}

static enum book_kind choose_kind(const struct book_reader *r)
{
	const struct book *b = r->book;
	const char *kind = book_meta_get(b, "kind");
	if (kind && text_equal_nocase(kind, "playbook")) return BOOK_PLAYBOOK;
	if (kind && text_equal_nocase(kind, "runbook")) return BOOK_RUNBOOK;
	const struct section *info = book_section_with(r, ROLE_INFO);
	if (info) return strncmp(info->title, "Playbook", 8) == 0 ? BOOK_PLAYBOOK : BOOK_RUNBOOK;
	return b->cause_count || b->alert_count || is_in_playbooks(b->path) ? BOOK_PLAYBOOK : BOOK_RUNBOOK;
}

static enum err read_book(struct book_reader *r, struct error *e)
{
	struct book *b = r->book;
	enum err err = document_parse(b->arena, b->bytes, b->byte_count, &b->document, e);
	if (err) return error_context(e, "%s", b->path);
	r->d = b->document;
	r->title = title_section(r->d);
	r->meanings = arena_alloc(b->arena, r->d->section_count * sizeof *r->meanings);
	for (const struct section *s = r->d->sections; s; s = section_next(r->d->sections, s)) r->meanings[s->index] = words_of_heading(s->title);
	b->scope = b->anchor ? document_section(r->d, b->anchor) : r->d->sections;
	if (!b->scope) return error_set(e, ERR_NOT_FOUND, "%s: no heading has the anchor #%s", b->path, b->anchor);
	b->title = "";
	book_read_meta(r);
	b->title = choose_title(r);
	book_read_params(r);
	book_read_permissions(r);
	book_read_alerts(r);
	book_read_causes(r);
	b->kind = choose_kind(r);
	book_read_steps(r);
	book_read_inputs(r);
	book_read_link_definitions(r);
	book_read_remedy(r);
	return ERR_OK;
}

enum err book_parse(const char *path, const char *anchor, const char *bytes, size_t n, struct book **out, struct error *e)
{
	struct arena *a = arena_new();
	struct book *b = arena_alloc(a, sizeof *b);
	*b = (struct book){.arena = a};
	b->path = arena_strdup(a, path);
	b->anchor = anchor && *anchor ? arena_strdup(a, anchor) : NULL;
	struct book_reader r = {.book = b};
	if (n > BOOK_BYTES_MAX) {
		arena_free(a);
		return error_set(e, ERR_TOO_BIG, "%s: the file has %zu bytes; a book may have 1 MiB (1,048,576 bytes): split it", path, n);
	}
	b->bytes = arena_strndup(a, bytes, n);
	b->byte_count = n;
	digest_sha256_hex(b->digest, bytes, n);
	enum err err = read_book(&r, e);
	if (err) {
		arena_free(a);
		return err;
	}
	*out = b;
	return ERR_OK;
}

enum err book_open(const char *path, struct book **out, struct error *e)
{
	char *file = mem_strdup(path), *anchor = strrchr(file, '#');
	struct buf bytes;
	if (anchor && !fs_exists(file))
		*anchor++ = 0;
	else
		anchor = NULL;
	buf_init(&bytes, BOOK_BYTES_MAX);
	enum err err = fs_read(file, &bytes, e);
	if (err == ERR_OK) err = book_parse(file, anchor, bytes.data ? bytes.data : "", bytes.len, out, e);
	buf_clear(&bytes);
	free(file);
	return err;
}

void book_free(struct book *b)
{
	if (b) arena_free(b->arena);
}

const char *book_meta_get(const struct book *b, const char *key)
{
	for (size_t i = 0; i < b->meta_count; i++)
		if (strcmp(b->meta[i].key, key) == 0) return b->meta[i].value;
	return NULL;
}

const struct book_param *book_param_get(const struct book *b, const char *name)
{
	for (size_t i = 0; i < b->param_count; i++)
		if (strcmp(b->params[i].name, name) == 0) return &b->params[i];
	return NULL;
}

const struct book_fence *step_fence(const struct book_step *s, enum fence_role role)
{
	for (size_t i = 0; i < s->fence_count; i++)
		if (s->fences[i].role == role) return &s->fences[i];
	return NULL;
}
