#include "policy/capability_parts.h"

#include <string.h>

/* Could two patterns allow the same call? For what can only be seen in part: yes wherever that is not clear. */

static const char *start_of(const struct glob *g)
{
	return g->count && g->pieces[0].kind == PIECE_TEXT ? g->pieces[0].text : "";
}

static const char *end_of(const struct glob *g)
{
	return g->count && !g->is_rest && g->pieces[g->count - 1].kind == PIECE_TEXT ? g->pieces[g->count - 1].text : "";
}

static bool ends_agree(const char *a, const char *b)
{
	size_t m = strlen(a), n = strlen(b), same = m < n ? m : n;
	return memcmp(a + m - same, b + n - same, same) == 0;
}

static bool starts_agree(const char *a, const char *b)
{
	size_t m = strlen(a), n = strlen(b);
	return strncmp(a, b, m < n ? m : n) == 0;
}

static bool has_param(const struct glob *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->pieces[i].kind == PIECE_PARAM) return true;
	return false;
}

static bool globs_meet(const struct glob *g, const struct glob *seen, enum part part)
{
	const char *literal = glob_literal(seen);
	if (literal && !has_param(g)) return glob_matches(g, part, literal, NULL);
	/* What is hidden in a path may end it and begin a query. */
	return starts_agree(start_of(g), start_of(seen)) && (part == PART_PATH || ends_agree(end_of(g), end_of(seen)));
}

bool capability_could_allow(const struct capability *c, const struct capability *seen)
{
	if (strcmp(c->kind, seen->kind) != 0) return false;
	/* A file on a host is no command there. */
	if (!c->parts[PART_METHOD] != !seen->parts[PART_METHOD]) return false;
	for (size_t i = 0; i < PARTS; i++) {
		bool is_any = c->parts[i] && c->parts[i]->is_rest && c->parts[i]->count == 0;
		if (is_any || (!c->parts[i] && !seen->parts[i])) continue;
		/* A login or a query that is not seen may stand in what is hidden. */
		if (!c->parts[i] || !seen->parts[i]) continue;
		if (!globs_meet(c->parts[i], seen->parts[i], (enum part)i)) return false;
		/* What is hidden in a host of an address may hold all that follows; method and scheme stand before it. */
		if (i == PART_HOST && c->parts[PART_SCHEME] && !glob_literal(seen->parts[i])) return true;
	}
	for (size_t i = 0; i < c->count; i++) {
		if (c->words[i].is_rest || (i < seen->count && seen->words[i].is_rest)) return true;
		if (i >= seen->count || !globs_meet(&c->words[i], &seen->words[i], i ? PART_ARGUMENT : PART_COMMAND)) return false;
	}
	return seen->count <= c->count || seen->words[c->count].is_rest;
}
