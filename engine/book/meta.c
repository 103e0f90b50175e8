#include "book/book_reader.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Metadata: front matter first, then the info table, then what stands before the first section. The first value of a key wins. */

/* The keys of the practice and the names that pages give them. */
static const struct {
	const char *written, *key;
} names[] = {
    {"runbook_id", "runbook_id"},
    {"playbook_id", "runbook_id"},
    {"id", "runbook_id"},
    {"编号", "runbook_id"},
    {"description", "description"},
    {"summary", "description"},
    {"描述", "description"},
    {"说明", "description"},
    {"tools_used", "tools_used"},
    {"tools", "tools_used"},
    {"工具", "tools_used"},
    {"special_permissions", "special_permissions"},
    {"required_permissions", "special_permissions"},
    {"author", "author"},
    {"authors", "author"},
    {"runbook_author", "author"},
    {"playbook_author", "author"},
    {"作者", "author"},
    {"owner", "owner"},
    {"owners", "owner"},
    {"owner_slack", "owner_slack"},
    {"team", "owner"},
    {"runbook_owner", "owner"},
    {"负责人", "owner"},
    {"last_updated", "last_updated"},
    {"updated", "last_updated"},
    {"last_modified", "last_updated"},
    {"最后更新", "last_updated"},
    {"更新日期", "last_updated"},
    {"last_reviewed_on", "last_reviewed_on"},
    {"last_reviewed", "last_reviewed_on"},
    {"reviewed", "last_reviewed_on"},
    {"review_in", "review_in"},
    {"escalation_poc", "escalation_poc"},
    {"escalation", "escalation_poc"},
    {"escalation_contact", "escalation_poc"},
    {"escalation_point_of_contact", "escalation_poc"},
    {"升级联系人", "escalation_poc"},
    {"stakeholders", "stakeholders"},
    {"communication_plan", "communication_plan"},
    {"title", "title"},
    {"kind", "kind"},
    {"type", "kind"},
    {"version", "version"},
    {"severity", "severity"},
    {"service", "service"},
};

enum { KEY_BYTES_MAX = 60, NAMES = sizeof names / sizeof names[0] };

/* snake_case of what an author wrote; NULL where it is no name. */
static const char *key_of(struct arena *a, const char *written, size_t n, bool *is_known)
{
	while (n && strchr(" \t:*", written[n - 1])) n--;
	while (n && strchr(" \t*", *written)) written++, n--;
	if (!n || n > KEY_BYTES_MAX) return NULL;
	char *key = arena_strndup(a, written, n);
	for (char *c = key; *c; c++) *c = isspace((unsigned char)*c) || *c == '-' ? '_' : (char)tolower((unsigned char)*c);
	*is_known = false;
	for (size_t i = 0; i < NAMES; i++) {
		if (strcmp(names[i].written, key) != 0) continue;
		*is_known = true;
		return names[i].key;
	}
	return key;
}

static void add(struct book_reader *r, const char *key, const char *value, int line)
{
	struct book *b = r->book;
	while (isspace((unsigned char)*value)) value++;
	if (!*value || book_meta_get(b, key)) return;
	b->meta = arena_grow(b->arena, b->meta, b->meta_count, &r->meta_capacity, sizeof *b->meta);
	b->meta[b->meta_count++] = (struct book_meta){.key = key, .value = value, .line = line};
}

static void read_front_matter(struct book_reader *r)
{
	for (size_t i = 0; i < r->d->front_matter_count; i++) {
		const struct front_matter_entry *m = &r->d->front_matter[i];
		bool is_known;
		const char *key = key_of(r->book->arena, m->key, strlen(m->key), &is_known);
		if (key) add(r, key, m->value, m->line);
	}
}

static bool is_known_key(struct arena *a, const char *text)
{
	bool is_known = false;
	return key_of(a, text, strlen(text), &is_known) && is_known;
}

static bool is_column_name(const char *text)
{
	static const char *const words[] = {"", "field", "key", "property", "name", "item", "attribute", "value", "字段", "属性", "项目", "值"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasecmp(text, words[i]) == 0) return true;
	return false;
}

static void read_pair(struct book_reader *r, const char *key_text, const char *value, int line)
{
	bool is_known;
	const char *key = key_of(r->book->arena, key_text, strlen(key_text), &is_known);
	if (key) add(r, key, value, line);
}

/* One row of names and one of values, or two columns: name and value in each row. */
static void read_table(struct book_reader *r, const struct block *table)
{
	struct arena *a = r->book->arena;
	const struct block *head = table->first, *body = head ? head->next : NULL;
	if (!head || !body) return;
	bool is_vertical = head->child_count == 2 && !is_known_key(a, row_text(a, head, 1));
	if (!is_vertical) {
		for (size_t i = 0; i < head->child_count; i++) read_pair(r, row_text(a, head, i), row_text(a, body, i), body->line);
		return;
	}
	if (!is_column_name(row_text(a, head, 0))) read_pair(r, row_text(a, head, 0), row_text(a, head, 1), head->line);
	for (const struct block *row = body; row; row = row->next) read_pair(r, row_text(a, row, 0), row_text(a, row, 1), row->line);
}

/* A table before the first section is metadata where it names what metadata names. */
static bool is_meta_table(struct arena *a, const struct block *table)
{
	const struct block *head = table->first;
	size_t known = 0, rows = 0;
	if (!head) return false;
	for (size_t i = 0; i < head->child_count && i < 16; i++) known += is_known_key(a, row_text(a, head, i));
	if (known >= 2) return true;
	if (head->child_count != 2) return false;
	for (const struct block *row = head->next; row; row = row->next, rows++) known += is_known_key(a, row_text(a, row, 0));
	return known >= 1 && 2 * known >= rows;
}

/* `**Key:** value` and `**Key**: value`, up to the end of the line. */
static void read_bold_pairs(struct book_reader *r, const struct block *p)
{
	struct arena *a = r->book->arena;
	int line = p->line;
	bool at_start = true;
	for (const struct span *s = p->spans; s; s = s->next) {
		if (s->kind == SPAN_BREAK || s->kind == SPAN_SOFT_BREAK) {
			line++;
			at_start = true;
			continue;
		}
		if (s->kind != SPAN_STRONG || !at_start) {
			at_start = false;
			continue;
		}
		struct buf key, value;
		buf_init(&key, BOOK_BYTES_MAX);
		buf_init(&value, BOOK_BYTES_MAX);
		document_plain_spans(&key, s->first);
		for (const struct span *v = s->next; v && v->kind != SPAN_BREAK && v->kind != SPAN_SOFT_BREAK; v = v->next) {
			struct span one = *v;
			one.next = NULL;
			document_plain_spans(&value, &one);
		}
		const char *text = value.data ? value.data : "";
		bool has_colon = key.len && key.data[key.len - 1] == ':', colon_follows = *text == ':';
		if (has_colon || colon_follows) read_pair(r, key.data, arena_strdup(a, text + colon_follows), line);
		buf_clear(&key);
		buf_clear(&value);
		at_start = false;
	}
}

/* What stands before the first section: a table, bold lines, a list of bold lines. */
static void read_preamble(struct book_reader *r, const struct section *s)
{
	if (!s) return;
	for (const struct block *b = s->body; b && b->kind != BLOCK_HEADING; b = b->next) {
		if (b->kind == BLOCK_TABLE && is_meta_table(r->book->arena, b)) read_table(r, b);
		if (b->kind == BLOCK_PARAGRAPH) read_bold_pairs(r, b);
		if (b->kind != BLOCK_LIST) continue;
		for (const struct block *item = b->first; item; item = item->next)
			if (item->first && item->first->kind == BLOCK_PARAGRAPH && !item->first->next) read_bold_pairs(r, item->first);
	}
}

static void read_info_section(struct book_reader *r)
{
	const struct section *s = book_section_with(r, ROLE_INFO);
	if (!s) return;
	r->is_native = true;
	const struct block *table = section_block(s, BLOCK_TABLE);
	if (table)
		read_table(r, table);
	else
		read_preamble(r, s);
}

void book_read_meta(struct book_reader *r)
{
	read_front_matter(r);
	read_info_section(r);
	read_preamble(r, r->d->sections);
	read_preamble(r, r->title);
	r->book->id = book_meta_get(r->book, "runbook_id");
	r->book->description = book_meta_get(r->book, "description");
}
