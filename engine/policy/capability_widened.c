#include "policy/capability_parts.h"

#include <string.h>

/* What a pattern leaves out on purpose, so that a grant is no wider than it reads, makes a deny narrower than it reads: `sh rm *` is no `rm -rf x`. One star
 * means one thing, in both; so a deny is looked at for it. */

/* The first argument that is a star alone, or NULL. */
static const struct glob *star_word(const struct capability *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (glob_is_only(&c->words[i], PIECE_STAR)) return &c->words[i];
	return NULL;
}

const char *capability_widened(struct arena *a, const struct capability *c, const char **left_out)
{
	const struct glob *star = star_word(c);
	if (star) {
		*left_out = "options (`-f`) in the place of its star, and more words or none there";
		return arena_printf(a, "%.*s**", (int)(star->from - c->text), c->text);
	}
	if (c->parts[PART_PATH] && !c->parts[PART_QUERY]) {
		*left_out = "the same address with a query (`?x`)";
		size_t n = strlen(c->text);
		while (strchr(" \t", c->text[n - 1])) n--;
		return arena_printf(a, "%.*s?**", (int)n, c->text);
	}
	return NULL;
}
