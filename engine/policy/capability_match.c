#include "policy/capability_parts.h"
#include "policy/url.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Does a glob match a text? All ends that can be reached are followed at once, so the cost is pieces times bytes, whatever the pattern. */

static const struct part_rule {
	const char *stops; /* what `*` and parameters do not cross */
	bool has_escapes;  /* %XX stays together, and a parameter's bytes match their %XX */
} rules[PART_N] = {
    [PART_LOGIN] = {"@", false}, [PART_HOST] = {".", false}, [PART_AS] = {"@", false},      [PART_METHOD] = {"", false},
    [PART_SCHEME] = {"", false}, [PART_PORT] = {"", false},  [PART_PATH] = {"/", true},     [PART_QUERY] = {"&;", true},
    [PART_NAME] = {"/", false},  [PART_BOOK] = {"/", false}, [PART_COMMAND] = {"/", false}, [PART_ARGUMENT] = {"", false},
};

const char *part_stops(enum part p)
{
	return rules[p].stops;
}

bool part_has_escapes(enum part p)
{
	return rules[p].has_escapes;
}

static bool is_stop(enum part p, char c)
{
	return c && strchr(rules[p].stops, c);
}

bool glob_is_only(const struct glob *g, enum piece_kind kind)
{
	return g->count == 1 && g->pieces[0].kind == kind && !g->is_rest;
}

const char *glob_literal(const struct glob *g)
{
	return glob_is_only(g, PIECE_TEXT) ? g->pieces[0].text : NULL;
}

/* At the start, behind a stop and behind "="; in an argument that is an option, anywhere in its name: "-n*", "--no-*". */
bool value_begins(enum part p, const char *s, size_t at)
{
	if (at == 0 || s[at - 1] == '=' || is_stop(p, s[at - 1])) return true;
	return (p == PART_ARGUMENT || p == PART_COMMAND) && s[0] == '-' && !memchr(s, '=', at);
}

/* The ends reached so far (i: the first i bytes are matched), and those after one more piece. */
struct reach {
	bool *now, *next;
	const bool *written; /* bytes that only text and alternatives may take; NULL: none */
	enum part part;
	bool is_whole; /* the glob is this one piece */
	const char *text;
	size_t len;
};

/* ".." between borders, in an argument: not for stars, or `/var/log/?` would reach everything. */
static void mark_dots(const char *s, size_t n, bool *written)
{
	for (size_t i = 0; i + 1 < n; i++) {
		bool begins = i == 0 || strchr("/=:,", s[i - 1]), ends = i + 2 == n || strchr("/=:,", s[i + 2]);
		if (begins && ends && s[i] == '.' && s[i + 1] == '.') written[i] = written[i + 1] = true;
	}
}

/* Encoded names, addresses of IPv6 and the first number of one of IPv4 must be written out. */
static void mark_host(const char *s, size_t n, bool *written)
{
	bool is_address = memchr(s, ':', n) || strspn(s, "0123456789.") == n;
	for (size_t from = 0; from < n;) {
		size_t len = strcspn(s + from, ".");
		if (is_address || strncmp(s + from, "xn--", 4) == 0) memset(written + from, true, len);
		if (is_address && !memchr(s, ':', n)) return;
		from += len + 1;
	}
}

static bool mark(enum part p, const char *s, size_t n, bool *written)
{
	memset(written, false, n + 1);
	if (p == PART_HOST)
		mark_host(s, n, written);
	else if (p == PART_ARGUMENT || p == PART_COMMAND)
		mark_dots(s, n, written);
	else
		return false;
	return memchr(written, true, n) != NULL;
}

static bool is_inside_escape(const struct reach *r, size_t end)
{
	return rules[r->part].has_escapes && ((end >= 1 && r->text[end - 1] == '%') || (end >= 2 && r->text[end - 2] == '%'));
}

static void match_text(struct reach *r, const char *t)
{
	size_t n = strlen(t);
	for (size_t i = 0; i + n <= r->len; i++)
		if (r->now[i] && memcmp(r->text + i, t, n) == 0) r->next[i + n] = true;
}

static void match_star(struct reach *r)
{
	bool open = false;
	for (size_t i = 0; i < r->len; i++) {
		open = open || (r->now[i] && !(r->text[i] == '-' && value_begins(r->part, r->text, i)));
		if (is_stop(r->part, r->text[i]) || (r->written && r->written[i])) open = false;
		if (open && !is_inside_escape(r, i + 1)) r->next[i + 1] = true;
	}
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* How many bytes of the text the value takes at i; SIZE_MAX where it is not there. */
static size_t value_at(const struct reach *r, size_t i, const char *value)
{
	size_t from = i;
	for (; *value; value++) {
		char c = r->text[i];
		if (i >= r->len || (r->written && r->written[i])) return SIZE_MAX;
		if (r->part == PART_HOST) {
			bool crosses = !r->is_whole && *value == '.';
			if (crosses || c != (char)tolower((unsigned char)*value)) return SIZE_MAX;
			i++;
		} else if (rules[r->part].has_escapes && c == '%') {
			if ((unsigned char)*value != hex_value(r->text[i + 1]) * 16 + hex_value(r->text[i + 2])) return SIZE_MAX;
			i += 3;
		} else {
			if (c != *value || is_stop(r->part, c)) return SIZE_MAX;
			i++;
		}
	}
	return i - from;
}

static void match_value(struct reach *r, const char *value)
{
	if (!*value) return;
	for (size_t i = 0; i < r->len; i++) {
		if (!r->now[i] || (*value == '-' && value_begins(r->part, r->text, i))) continue;
		size_t n = value_at(r, i, value);
		if (n != SIZE_MAX) r->next[i + n] = true;
	}
}

static void match_scalar(struct reach *r, const json_t *v)
{
	if (json_is_string(v)) {
		if (strlen(json_string_value(v)) == json_string_length(v)) match_value(r, json_string_value(v));
	} else if (json_is_number(v) || json_is_boolean(v)) {
		char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
		if (text) match_value(r, text);
		free(text);
	}
}

static void match_param(struct reach *r, const json_t *v)
{
	if (json_is_array(v)) {
		size_t i;
		json_t *item;
		json_array_foreach(v, i, item) match_scalar(r, item);
	} else {
		match_scalar(r, v);
	}
}

static void match_piece(struct reach *r, const struct piece *p, const json_t *params)
{
	switch (p->kind) {
	case PIECE_TEXT:
		match_text(r, p->text);
		break;
	case PIECE_STAR:
		match_star(r);
		break;
	case PIECE_CHOICE:
		for (size_t i = 0; i < p->choice_count; i++) match_text(r, p->choices[i]);
		break;
	case PIECE_PARAM:
		match_param(r, json_object_get(params, p->text));
		break;
	case PIECE_REST:
		die("a pattern's ** was not read");
	}
}

/* flags: three arrays of len + 1 */
static bool follow(const struct glob *g, struct reach *r, bool *flags, const json_t *params)
{
	bool *written = flags + 2 * (r->len + 1);
	bool is_free = g->count == 1 && !g->is_rest && (r->part != PART_HOST || g->pieces[0].kind == PIECE_PARAM);
	r->is_whole = g->count == 1 && !g->is_rest;
	r->now = flags, r->next = flags + r->len + 1;
	r->written = !is_free && mark(r->part, r->text, r->len, written) ? written : NULL;
	memset(r->now, false, r->len + 1);
	r->now[0] = true;
	for (size_t i = 0; i < g->count; i++) {
		memset(r->next, false, r->len + 1);
		match_piece(r, &g->pieces[i], params);
		bool *swap = r->now;
		r->now = r->next, r->next = swap;
	}
	return g->is_rest ? memchr(r->now, true, r->len + 1) != NULL : r->now[r->len];
}

bool glob_matches(const struct glob *g, enum part p, const char *text, const json_t *params)
{
	enum { SMALL = 512 };
	bool small[3 * SMALL];
	if (glob_is_only(g, PIECE_TEXT)) return strcmp(g->pieces[0].text, text) == 0;
	struct reach r = {.part = p, .text = text, .len = strnlen(text, CAPABILITY_ARGUMENT_BYTES_MAX + 1)};
	if (r.len > CAPABILITY_ARGUMENT_BYTES_MAX) return false;
	bool *flags = r.len < SMALL ? small : mem_alloc(3 * (r.len + 1));
	bool matches = follow(g, &r, flags, params);
	if (flags != small) free(flags);
	return matches;
}

/* A first look: does the text begin as the glob does? Most patterns of a policy speak of something else and end here. */
static bool starts_alike(const struct glob *g, const char *text)
{
	const char *t = g->count && g->pieces[0].kind == PIECE_TEXT ? g->pieces[0].text : "";
	while (*t && *t == *text) t++, text++;
	return !*t;
}

static bool is_worth_it(const struct capability *c, const struct capability_request *r)
{
	bool has_rest = c->count && c->words[c->count - 1].is_rest;
	if (has_rest ? r->count + 1 < c->count : r->count != c->count) return false;
	for (size_t i = 0; i < c->count - has_rest; i++)
		if (!starts_alike(&c->words[i], r->words[i])) return false;
	for (size_t i = 0; i < PARTS; i++) {
		const struct glob *g = c->parts[i];
		if (!g && r->parts[i]) return false;
		if (g && !r->parts[i] && !(g->is_rest && g->count == 0)) return false;
		if (g && r->parts[i] && !starts_alike(g, r->parts[i])) return false;
	}
	return true;
}

bool capability_allows_request(const struct capability *c, const struct capability_request *r, const json_t *params)
{
	if (r->fault || strcmp(c->kind, r->kind) != 0 || !is_worth_it(c, r)) return false;
	for (size_t i = 0; i < PARTS; i++)
		if (c->parts[i] && r->parts[i] && !glob_matches(c->parts[i], (enum part)i, r->parts[i], params)) return false;
	for (size_t i = 0; i < c->count && !c->words[i].is_rest; i++)
		if (!glob_matches(&c->words[i], i ? PART_ARGUMENT : PART_COMMAND, r->words[i], params)) return false;
	return true;
}
