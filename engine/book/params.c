#include "book/book_reader.h"

#include "base/clock.h"
#include "base/text.h"
#include "book/param_values.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The Parameters table: name, type, default, description, in any order of columns. */

enum column { NAME, TYPE, DEFAULT, DESCRIPTION, COLUMNS };

static enum column column_of(const char *head)
{
	static const struct {
		const char *word;
		enum column column;
	} words[] = {{"name", NAME},
	             {"parameter", NAME},
	             {"param", NAME},
	             {"input", NAME},
	             {"名称", NAME},
	             {"参数", NAME},
	             {"type", TYPE},
	             {"类型", TYPE},
	             {"default", DEFAULT},
	             {"default value", DEFAULT},
	             {"默认", DEFAULT},
	             {"默认值", DEFAULT},
	             {"description", DESCRIPTION},
	             {"meaning", DESCRIPTION},
	             {"说明", DESCRIPTION},
	             {"描述", DESCRIPTION}};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasecmp(head, words[i].word) == 0) return words[i].column;
	return COLUMNS;
}

static void note_type(struct book_reader *r, const struct book_param *p, const char *text)
{
	book_note_add(r, "parameter-type", p->line, 0,
	              "write one of: string, string `pattern`, int, int 1..64, number, bool, enum a|b|c, list, map, host, hosts, duration, secret",
	              "the type \"%s\" of parameter %s is unknown; it is read as string", text, p->name);
}

/* "1..64", "1..", "..64". */
static bool read_range(struct book_param *p, const char *text)
{
	const char *dots = strstr(text, "..");
	char *end;
	if (!dots) return false;
	if (dots != text) {
		p->min = strtod(text, &end);
		p->has_min = end == dots || (end > text && end < dots + 2); /* strtod takes "1." of "1..64" */
		if (!p->has_min) return false;
	}
	if (dots[2]) {
		p->max = strtod(dots + 2, &end);
		p->has_max = *end == 0;
		return p->has_max;
	}
	return p->has_min;
}

static void read_choices(struct book_reader *r, struct book_param *p, const char *text)
{
	size_t capacity = 0;
	while (*text) {
		size_t n = strcspn(text, "|,"), from = 0;
		while (from < n && isspace((unsigned char)text[from])) from++;
		size_t kept = n;
		while (kept > from && isspace((unsigned char)text[kept - 1])) kept--;
		if (kept > from) {
			p->choices = arena_grow(r->book->arena, p->choices, p->choice_count, &capacity, sizeof *p->choices);
			p->choices[p->choice_count++] = arena_strndup(r->book->arena, text + from, kept - from);
		}
		text += n + (text[n] != 0);
	}
	if (!p->choice_count) note_type(r, p, "enum");
}

/* "int 1..64", "string ^[a-z]+$", "enum a|b". */
static void read_type(struct book_reader *r, struct book_param *p, const char *text)
{
	size_t n = strcspn(text, " \t(");
	const char *rest = text + n;
	while (*rest == ' ' || *rest == '\t') rest++;
	static const struct {
		const char *word;
		enum param_type type;
	} aliases[] = {{"integer", PARAM_INT}, {"boolean", PARAM_BOOL}, {"float", PARAM_NUMBER}, {"text", PARAM_STRING},
	               {"str", PARAM_STRING},  {"array", PARAM_LIST},   {"object", PARAM_MAP},   {"password", PARAM_SECRET}};
	bool found = n == 0;
	for (enum param_type t = PARAM_STRING; t <= PARAM_SECRET && !found; t++) {
		found = strlen(param_type_word(t)) == n && strncasecmp(text, param_type_word(t), n) == 0;
		if (found) p->type = t;
	}
	for (size_t i = 0; i < sizeof aliases / sizeof aliases[0] && !found; i++) {
		found = strlen(aliases[i].word) == n && strncasecmp(text, aliases[i].word, n) == 0;
		if (found) p->type = aliases[i].type;
	}
	if (!found) {
		note_type(r, p, text);
		return;
	}
	struct error e;
	if (p->type == PARAM_STRING && *rest) {
		p->pattern = rest;
		if (param_pattern_check(rest, &e) != ERR_OK) {
			book_note_add(r, "parameter-pattern", p->line, 0, "write a regular expression that matches the whole value, in backticks",
			              "the pattern of parameter %s is none: %s", p->name, e.text);
			p->pattern = NULL;
		}
	} else if (p->type == PARAM_ENUM) {
		read_choices(r, p, rest);
	} else if ((p->type == PARAM_INT || p->type == PARAM_NUMBER) && *rest && !read_range(p, rest)) {
		book_note_add(r, "parameter-type", p->line, 0, "write it as 1..64, 1.. or ..64",
		              "the range \"%s\" of parameter %s cannot be read; there is none", rest, p->name);
	}
}

static void read_default(struct book_reader *r, struct book_param *p, const char *text)
{
	static const char *const nothing[] = {"", "-", "—", "–", "none", "required", "(required)", "n/a", "必填"};
	for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
		if (strcasecmp(text, nothing[i]) != 0) continue;
		p->is_required = true;
		return;
	}
	p->default_text = strcmp(text, "\"\"") == 0 || strcmp(text, "''") == 0 ? "" : text;
	struct error e;
	json_t *value = p->type == PARAM_SECRET ? json_null() : book_param_read(p, p->default_text, &e);
	if (!value) {
		book_note_add(r, "parameter-default", p->line, 0, "write a default that is a value of the type, or leave the cell empty",
		              "the default of parameter %s is not valid: %s", p->name, e.text);
		p->default_text = NULL;
		p->is_required = true;
	}
	json_decref(value);
}

struct book_param *book_param_add(struct book_reader *r, const char *name, int line)
{
	struct book *b = r->book;
	b->params = arena_grow(b->arena, b->params, b->param_count, &r->param_capacity, sizeof *b->params);
	struct book_param *p = &b->params[b->param_count++];
	*p = (struct book_param){.name = name, .line = line};
	return p;
}

static bool is_param_name(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_') return false;
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_') return false;
	return true;
}

static void read_row(struct book_reader *r, const struct block *row, const int at[COLUMNS])
{
	struct arena *a = r->book->arena;
	const char *cell[COLUMNS];
	for (int i = 0; i < COLUMNS; i++) cell[i] = at[i] >= 0 ? row_text(a, row, (size_t)at[i]) : "";
	if (!*cell[NAME]) return;
	if (!is_param_name(cell[NAME])) {
		book_note_add(r, "parameter-name", row->line, 0, "use letters, digits and _, as in max_hosts",
		              "\"%s\" is no name for a parameter; the row is left out", cell[NAME]);
		return;
	}
	if (book_param_get(r->book, cell[NAME])) {
		book_note_add(r, "parameter-name", row->line, 0, "give each parameter its own name",
		              "the parameter %s stands here a second time; the first row counts", cell[NAME]);
		return;
	}
	struct book_param *p = book_param_add(r, cell[NAME], row->line);
	p->description = *cell[DESCRIPTION] ? cell[DESCRIPTION] : NULL;
	read_type(r, p, cell[TYPE]);
	read_default(r, p, cell[DEFAULT]);
}

void book_read_params(struct book_reader *r)
{
	const struct section *s = book_section_with(r, ROLE_PARAMETERS);
	if (!s) return;
	r->is_native = true;
	const struct block *table = section_block(s, BLOCK_TABLE);
	if (!table || !table->first) return;
	int at[COLUMNS] = {-1, -1, -1, -1}, i = 0;
	for (const struct block *cell = table->first->first; cell; cell = cell->next, i++) {
		enum column c = column_of(document_plain_dup(r->book->arena, cell));
		if (c < COLUMNS && at[c] < 0) at[c] = i;
	}
	if (at[NAME] < 0) at[NAME] = 0;
	for (const struct block *row = table->first->next; row; row = row->next) read_row(r, row, at);
}
