#include "base/text.h"
#include "policy/host_range.h"
#include "policy/inventory_query_parts.h"
#include "policy/name_index.h"

#include <ctype.h>
#include <string.h>

/* A query's text becomes parts. */

enum { NAMES_IN_RANGES_MAX = 10000 };

/* ---- words ---- */

struct parser {
	struct arena *arena;
	const char *text, *p;
	size_t terms, names;
	int depth;
	struct error *e;
};

static size_t place(const struct parser *r)
{
	return (size_t)(r->p - r->text) + 1;
}

static void skip_space(struct parser *r)
{
	while (isspace((unsigned char)*r->p)) r->p++;
}

static enum err expected(struct parser *r, const char *what)
{
	skip_space(r);
	if (!*r->p) return error_set(r->e, ERR_INVALID, "the query ends where %s was expected", what);
	return error_set(r->e, ERR_INVALID, "character %zu: %s was expected, and here is \"%.*s\"", place(r), what, (int)text_cut(r->p, strlen(r->p), 20),
	                 r->p);
}

static bool is_word_char(char c)
{
	return c && !isspace((unsigned char)c) && !strchr("()=!|,\"'<>&", c);
}

/* Is this word next? Takes it. */
static bool take_keyword(struct parser *r, const char *word)
{
	size_t n = strlen(word);
	skip_space(r);
	if (strncmp(r->p, word, n) != 0 || is_word_char(r->p[n])) return false;
	r->p += n;
	return true;
}

static bool take_char(struct parser *r, char c)
{
	skip_space(r);
	if (*r->p != c) return false;
	r->p++;
	return true;
}

/* A bare word, or one in quotes. */
static enum err take_word(struct parser *r, const char *what, bool quotes, const char **out)
{
	skip_space(r);
	if (quotes && (*r->p == '"' || *r->p == '\'')) {
		const char *from = r->p + 1, *to = strchr(from, *r->p);
		if (!to) return error_set(r->e, ERR_INVALID, "character %zu: the quote is not closed", place(r));
		*out = arena_strndup(r->arena, from, (size_t)(to - from));
		r->p = to + 1;
		return ERR_OK;
	}
	size_t n = 0;
	/* A range or an IPv6 address is one word. */
	while (is_word_char(r->p[n])) n++;
	if (!n) return expected(r, what);
	*out = arena_strndup(r->arena, r->p, n);
	r->p += n;
	return ERR_OK;
}

/* ---- what a query is made of ---- */

static struct node *node_new(struct parser *r, enum node_kind kind, const struct node *left, const struct node *right)
{
	struct node *n = arena_alloc(r->arena, sizeof *n);
	*n = (struct node){.kind = kind, .left = left, .right = right, .at = place(r)};
	return n;
}

static enum err count_term(struct parser *r)
{
	if (++r->terms <= INVENTORY_TERMS_MAX) return ERR_OK;
	return error_set(r->e, ERR_INVALID, "a query has at most %d names and values", INVENTORY_TERMS_MAX);
}

/* a|b|c, or (a, b, c) behind `in`. */
static enum err read_values(struct parser *r, struct node *n, bool is_in)
{
	size_t capacity = 0;
	bool brackets = is_in && take_char(r, '(');
	enum err err;
	do {
		const char *value = NULL;
		if ((err = count_term(r)) || (err = take_word(r, "a value", true, &value))) return err;
		n->values = arena_grow(r->arena, n->values, n->value_count, &capacity, sizeof *n->values);
		n->values[n->value_count++] = value;
	} while (take_char(r, '|') || (brackets && take_char(r, ',')));
	if (brackets && !take_char(r, ')')) return expected(r, "a \")\"");
	return ERR_OK;
}

enum comparison { NOT_COMPARED, IS, IS_NOT, IN, NOT_IN };

static enum comparison take_comparison(struct parser *r)
{
	skip_space(r);
	const char *before = r->p;
	if (r->p[0] == '!' && r->p[1] == '=') {
		r->p += 2;
		return IS_NOT;
	}
	if (r->p[0] == '=') {
		r->p += r->p[1] == '=' ? 2 : 1;
		return IS;
	}
	if (take_keyword(r, "in")) return IN;
	if (take_keyword(r, "not") && take_keyword(r, "in")) return NOT_IN;
	r->p = before;
	return NOT_COMPARED;
}

/* In the one spelling of names: as a host's, or in lower case where a star is in it. NULL: no host has such a name. */
static const char *spelled(struct parser *r, const char *word, struct error *why)
{
	const char *name;
	if (!strchr(word, '*')) return inventory_name(r->arena, word, strlen(word), &name, why) ? NULL : name;
	char *glob = arena_strdup(r->arena, word);
	for (char *c = glob; *c; c++) *c = (char)tolower((unsigned char)*c);
	return glob;
}

static enum err spell_names(struct parser *r, struct node *n)
{
	struct error why;
	for (size_t i = 0; i < n->value_count; i++) {
		n->values[i] = spelled(r, n->values[i], &why);
		if (!n->values[i]) return error_set(r->e, ERR_INVALID, "character %zu: %s", n->at, why.text);
	}
	return ERR_OK;
}

/* A word by itself: a host, a group, or hosts by a star or a range. */
static enum err read_bare(struct parser *r, struct node *n, const char *word)
{
	struct error why;
	n->word = word;
	n->name = spelled(r, word, &why);
	if (n->name || !strpbrk(word, "[]")) return ERR_OK;
	n->kind = NODE_RANGE;
	if (host_range_expand(r->arena, word, NAMES_IN_RANGES_MAX - r->names, &n->values, &n->value_count, &why))
		return error_set(r->e, ERR_INVALID, "character %zu: %s", n->at, why.text);
	r->names += n->value_count;
	enum err err = spell_names(r, n);
	struct name_index *names = name_index_new(r->arena);
	for (size_t i = 0; i < n->value_count && !err; i++) name_index_add(names, n->values[i], i);
	n->names = names;
	return err;
}

static bool is_keyword(const char *word)
{
	return strcmp(word, "and") == 0 || strcmp(word, "or") == 0 || strcmp(word, "in") == 0;
}

static enum err read_condition(struct parser *r, const struct node **out)
{
	const char *word = NULL;
	skip_space(r);
	*out = NULL;
	struct node *n = node_new(r, NODE_WORD, NULL, NULL);
	enum err err = count_term(r);
	if (!err) err = take_word(r, "a host, a group or label=value", false, &word);
	if (err) return err;
	must(word);
	if (is_keyword(word)) {
		r->p -= strlen(word);
		return expected(r, "a host, a group or label=value");
	}
	*out = n;
	enum comparison how = take_comparison(r);
	if (how == NOT_COMPARED) return read_bare(r, n, word);
	n->kind = strcmp(word, "name") == 0 ? NODE_NAME : strcmp(word, "group") == 0 ? NODE_GROUP : NODE_LABEL;
	n->key = word;
	if (how == IS_NOT || how == NOT_IN) *out = node_new(r, NODE_NOT, n, NULL);
	err = read_values(r, n, how == IN || how == NOT_IN);
	return err || n->kind != NODE_NAME ? err : spell_names(r, n);
}

static enum err read_or(struct parser *r, const struct node **out);

static enum err read_unary(struct parser *r, const struct node **out)
{
	enum err err;
	const struct node *inner = NULL;
	*out = NULL;
	if (++r->depth > INVENTORY_QUERY_DEPTH_MAX) return error_set(r->e, ERR_INVALID, "a query is nested at most %d deep", INVENTORY_QUERY_DEPTH_MAX);
	if (take_keyword(r, "not")) {
		err = read_unary(r, &inner);
		*out = node_new(r, NODE_NOT, inner, NULL);
	} else if (take_char(r, '(')) {
		err = read_or(r, out);
		if (!err && !take_char(r, ')')) err = expected(r, "a \")\"");
	} else {
		err = read_condition(r, out);
	}
	r->depth--;
	return err;
}

static enum err read_and(struct parser *r, const struct node **out)
{
	const struct node *right = NULL;
	enum err err = read_unary(r, out);
	while (!err && take_keyword(r, "and")) {
		err = read_unary(r, &right);
		if (!err) *out = node_new(r, NODE_AND, *out, right);
	}
	return err;
}

static enum err read_or(struct parser *r, const struct node **out)
{
	const struct node *right = NULL;
	enum err err = read_and(r, out);
	while (!err && take_keyword(r, "or")) {
		err = read_and(r, &right);
		if (!err) *out = node_new(r, NODE_OR, *out, right);
	}
	return err;
}

static enum err read_query(struct parser *r, struct inventory_query *q)
{
	size_t capacity = 0;
	enum err err;
	skip_space(r);
	if (!*r->p) return error_set(r->e, ERR_INVALID, "the query is empty: name hosts, a group, or label=value; all is every host");
	do {
		const struct node *part;
		err = read_or(r, &part);
		if (err) return err;
		q->parts = arena_grow(r->arena, q->parts, q->count, &capacity, sizeof *q->parts);
		q->parts[q->count++] = part;
	} while (take_char(r, ','));
	skip_space(r);
	return *r->p ? expected(r, "and, or, a comma or the end") : ERR_OK;
}

enum err inventory_query_parse(struct arena *a, const char *text, struct inventory_query **out, struct error *e)
{
	struct inventory_query *q = arena_alloc(a, sizeof *q);
	if (strlen(text) > INVENTORY_QUERY_BYTES_MAX) return error_set(e, ERR_INVALID, "a query has at most %d bytes", INVENTORY_QUERY_BYTES_MAX);
	if (!text_is_utf8(text, strlen(text))) return error_set(e, ERR_INVALID, "a query is UTF-8 text");
	*q = (struct inventory_query){.text = arena_strdup(a, text)};
	struct parser r = {.arena = a, .text = q->text, .p = q->text, .e = e};
	enum err err = read_query(&r, q);
	if (!err) *out = q;
	return err;
}
