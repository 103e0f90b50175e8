#include "book/book_reader.h"

#include "base/clock.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* ## Root Causes: which causes the book can find, and which runbook mends each. Read as people write it: columns by their headings, or by their places. */

enum column { COLUMN_CAUSE, COLUMN_RUNBOOK, COLUMN_MODE, COLUMN_PARAMETERS, COLUMN_WITHIN, COLUMN_N };

static const struct {
	const char *heading;
	enum column column;
} headings[] = {
    {"cause", COLUMN_CAUSE},
    {"root cause", COLUMN_CAUSE},
    {"id", COLUMN_CAUSE},
    {"原因", COLUMN_CAUSE},
    {"runbook", COLUMN_RUNBOOK},
    {"book", COLUMN_RUNBOOK},
    {"mended by", COLUMN_RUNBOOK},
    {"remediation", COLUMN_RUNBOOK},
    {"remedy", COLUMN_RUNBOOK},
    {"fix", COLUMN_RUNBOOK},
    {"处理", COLUMN_RUNBOOK},
    {"automatic or ask", COLUMN_MODE},
    {"automatic", COLUMN_MODE},
    {"mode", COLUMN_MODE},
    {"start", COLUMN_MODE},
    {"how", COLUMN_MODE},
    {"parameters", COLUMN_PARAMETERS},
    {"params", COLUMN_PARAMETERS},
    {"inputs", COLUMN_PARAMETERS},
    {"with", COLUMN_PARAMETERS},
    {"参数", COLUMN_PARAMETERS},
    {"within", COLUMN_WITHIN},
    {"resolves within", COLUMN_WITHIN},
    {"resolved within", COLUMN_WITHIN},
};

/* Which cell of a row holds the column; SIZE_MAX: none. */
struct columns {
	size_t at[COLUMN_N];
};

static struct columns columns_of(struct arena *a, const struct block *head)
{
	struct columns c = {.at = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX}};
	bool is_taken[16] = {false};
	for (size_t i = 0; i < head->child_count && i < 16; i++) {
		const char *text = row_text(a, head, i);
		for (size_t k = 0; k < sizeof headings / sizeof *headings && !is_taken[i]; k++) {
			if (!text_equal_nocase(headings[k].heading, text) || c.at[headings[k].column] != SIZE_MAX) continue;
			c.at[headings[k].column] = i;
			is_taken[i] = true;
		}
	}
	/* The practice's order, for headings that say something else. */
	for (size_t i = 0; i < COLUMN_WITHIN && i < head->child_count; i++)
		if (c.at[i] == SIZE_MAX && !is_taken[i]) c.at[i] = i, is_taken[i] = true;
	return c;
}

static const struct block *cell(const struct block *row, size_t i)
{
	const struct block *c = i == SIZE_MAX ? NULL : row->first;
	while (c && i--) c = c->next;
	return c;
}

static const char *text_of(struct arena *a, const struct block *row, size_t i)
{
	return i == SIZE_MAX ? "" : row_text(a, row, i);
}

/* ---- the runbook ---- */

static bool is_page(const char *s)
{
	size_t n = strcspn(s, "#");
	return n > 3 && strncasecmp(s + n - 3, ".md", 3) == 0 && strcspn(s, " \t") >= n;
}

/* RUN002: one word with letters and digits and nothing else but "-", "_" and ".". "none" is prose. */
static bool is_id(const char *s)
{
	bool has_digit = false;
	if (!*s || strlen(s) > CAUSE_ID_BYTES_MAX || !isalpha((unsigned char)*s)) return false;
	for (const char *c = s; *c; c++) {
		has_digit = has_digit || isdigit((unsigned char)*c);
		if (!isalnum((unsigned char)*c) && !strchr("-_.", *c)) return false;
	}
	return has_digit;
}

/* The first link within this workspace, wherever it stands in the cell. */
static const char *link_in(struct arena *a, const struct span *s)
{
	for (; s; s = s->next) {
		if (s->kind == SPAN_LINK && s->target_len) {
			const char *target = arena_strndup(a, s->target, s->target_len);
			if (!strstr(target, "://") && is_page(target)) return target;
		}
		const char *inner = s->first ? link_in(a, s->first) : NULL;
		if (inner) return inner;
	}
	return NULL;
}

static void read_runbook(struct arena *a, const struct block *row, size_t i, struct book_cause *c)
{
	const struct block *at = cell(row, i);
	if (!at) return;
	const struct span *code = cell_code(at);
	const char *text = row_text(a, row, i), *word = code ? span_dup(a, code) : text;
	c->runbook = link_in(a, at->spans);
	c->is_none = strncasecmp(text, "none", 4) == 0 && !isalnum((unsigned char)text[4]);
	c->is_link = c->runbook != NULL;
	if (!c->runbook && (is_page(word) || is_id(word) || (code && word[strspn(word, " \t")] && code == at->spans && !code->next))) c->runbook = word;
}

/* ---- automatic or ask ---- */

static void read_mode(struct book_reader *r, const char *text, struct book_cause *c)
{
	static const struct {
		const char *word;
		enum cause_mode mode;
	} words[] = {{"automatic", CAUSE_AUTOMATIC}, {"auto", CAUSE_AUTOMATIC}, {"yes", CAUSE_AUTOMATIC}, {"自动", CAUSE_AUTOMATIC}, {"ask", CAUSE_ASK},
	             {"manual", CAUSE_ASK},          {"no", CAUSE_ASK},         {"approve", CAUSE_ASK},   {"询问", CAUSE_ASK}};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t n = strlen(words[i].word);
		if (strncasecmp(text, words[i].word, n) != 0 || isalpha((unsigned char)text[n])) continue;
		c->mode = words[i].mode;
		return;
	}
	if (*text && strcmp(text, "-") != 0)
		book_note_add(r, "cause-mode", c->line, 0, "write `automatic` or `ask`", "how the runbook of the cause \"%.64s\" starts is \"%.60s\": it asks",
		              c->id, text);
}

/* ---- parameters: name=value, name="a value", name={param:x}, name={evidence:field} ---- */

struct giving {
	struct book_reader *r;
	struct book_cause *cause;
	size_t capacity;
};

static bool is_name(const char *s, size_t n)
{
	if (!n || n > CAUSE_ID_BYTES_MAX || !(isalpha((unsigned char)*s) || *s == '_')) return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '_' && s[i] != '-') return false;
	return true;
}

/* {param:x} and {evidence:x} stand for something; all else for itself. */
static struct cause_param value_of(struct arena *a, const char *name, const char *value, size_t n)
{
	static const struct {
		const char *prefix;
		enum cause_value kind;
	} kinds[] = {{"{param:", CAUSE_PARAM}, {"{evidence:", CAUSE_EVIDENCE}};
	for (size_t i = 0; i < 2; i++) {
		size_t m = strlen(kinds[i].prefix);
		if (n > m + 1 && strncmp(value, kinds[i].prefix, m) == 0 && value[n - 1] == '}')
			return (struct cause_param){name, kinds[i].kind, arena_strndup(a, value + m, n - m - 1)};
	}
	return (struct cause_param){name, CAUSE_LITERAL, arena_strndup(a, value, n)};
}

/* Steps over one `name=value`; false where the text is something else. */
static bool take_one(struct giving *g, const char **at)
{
	struct arena *a = g->r->book->arena;
	struct book_cause *c = g->cause;
	size_t n = strcspn(*at, "= \t,;");
	if ((*at)[n] != '=' || !is_name(*at, n)) return false;
	const char *name = arena_strndup(a, *at, n), *value = *at + n + 1, *end = value;
	bool is_quoted = *value == '"' || *value == '\'';
	if (is_quoted) {
		end = strchr(value + 1, *value);
		if (!end) return false;
		*at = end + 1;
		value++;
	} else {
		end += *value == '{' ? strcspn(value, "}") + (strchr(value, '}') != NULL) : strcspn(value, " \t,;");
		*at = end;
		if (end == value) return false;
	}
	if (c->param_count >= BOOK_CAUSES_MAX) return false;
	c->params = arena_grow(a, c->params, c->param_count, &g->capacity, sizeof *c->params);
	c->params[c->param_count++] = is_quoted ? (struct cause_param){name, CAUSE_LITERAL, arena_strndup(a, value, (size_t)(end - value))}
	                                        : value_of(a, name, value, (size_t)(end - value));
	return true;
}

static void read_parameters(struct book_reader *r, const char *text, struct book_cause *c)
{
	struct giving g = {.r = r, .cause = c};
	const char *at = text;
	c->parameters = *text ? text : NULL;
	for (;;) {
		at += strspn(at, " \t,;\n");
		if (!*at) return;
		if (take_one(&g, &at)) continue;
		c->param_count = 0;
		/* With a person who is asked, prose may stand there. */
		if (strcmp(text, "-") == 0 || (c->mode == CAUSE_ASK && !strchr(text, '='))) return;
		book_note_add(r, "cause-parameters", c->line, 0, "write `name=value`, `name={param:x}` or `name={evidence:field}`, with commas between",
		              "what the cause \"%.64s\" gives its runbook is for people only: \"%.80s\"", c->id, text);
		return;
	}
}

/* ---- a row ---- */

static const char *id_of(struct arena *a, const struct block *at, const char *text)
{
	const struct span *code = cell_code(at);
	if (code) return span_dup(a, code);
	struct buf b;
	buf_init(&b, BOOK_BYTES_MAX);
	text_slug(&b, text, strlen(text));
	const char *id = arena_strdup(a, b.data ? b.data : "");
	buf_clear(&b);
	return *id ? id : text;
}

static void read_within(struct book_reader *r, const char *text, struct book_cause *c)
{
	if (!*text || strcmp(text, "-") == 0) return;
	if (clock_parse_duration(text, &c->within_us, NULL) == ERR_OK && c->within_us > 0) return;
	c->within_us = 0;
	book_note_add(r, "cause-within", c->line, 0, "write it as 15m, 90s or 2h",
	              "the time in which the alert resolves behind the runbook of \"%.64s\" cannot be read: \"%.40s\"", c->id, text);
}

static void read_cause(struct book_reader *r, const struct block *row, const struct columns *at, size_t *capacity)
{
	struct book *b = r->book;
	struct arena *a = b->arena;
	const struct block *first = cell(row, at->at[COLUMN_CAUSE]);
	const char *text = text_of(a, row, at->at[COLUMN_CAUSE]);
	if (!*text || !first || b->cause_count >= BOOK_CAUSES_MAX) return;
	b->causes = arena_grow(a, b->causes, b->cause_count, capacity, sizeof *b->causes);
	struct book_cause *c = &b->causes[b->cause_count];
	*c = (struct book_cause){.text = text, .line = row->line, .id = id_of(a, first, text)};
	if (strlen(c->id) > CAUSE_ID_BYTES_MAX) {
		book_note_add(r, "cause-id", c->line, 0, "begin the cell with a short id in backticks", "the cause's id has more than %d bytes",
		              CAUSE_ID_BYTES_MAX);
		return;
	}
	if (book_cause_get(b, c->id)) {
		book_note_add(r, "cause-id", c->line, 0, "one row a cause: several runbooks are steps of one", "the cause \"%.64s\" stands in the table twice",
		              c->id);
		return;
	}
	b->cause_count++;
	read_runbook(a, row, at->at[COLUMN_RUNBOOK], c);
	read_mode(r, text_of(a, row, at->at[COLUMN_MODE]), c);
	read_parameters(r, text_of(a, row, at->at[COLUMN_PARAMETERS]), c);
	read_within(r, text_of(a, row, at->at[COLUMN_WITHIN]), c);
}

void book_read_causes(struct book_reader *r)
{
	const struct section *s = book_section_with(r, ROLE_CAUSES);
	const struct block *table = s ? section_block(s, BLOCK_TABLE) : NULL;
	size_t capacity = 0;
	if (!s) return;
	r->book->causes_line = s->line;
	if (!table || !table->first) return;
	struct columns at = columns_of(r->book->arena, table->first);
	for (const struct block *row = table->first->next; row; row = row->next) read_cause(r, row, &at, &capacity);
}

const struct book_cause *book_cause_get(const struct book *b, const char *id)
{
	for (size_t i = 0; i < b->cause_count; i++)
		if (strcmp(b->causes[i].id, id) == 0) return &b->causes[i];
	return NULL;
}
