#ifndef RUNG_BOOK_ATTRIBUTES_H
#define RUNG_BOOK_ATTRIBUTES_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

enum { ATTRIBUTES_MAX = 64 };

/* One `name=value`, or a bare `name` (value is then NULL). */
struct attribute {
	const char *name, *value;
	int column; /* of its first byte in the text, from 0 */
};

struct attributes {
	struct attribute items[ATTRIBUTES_MAX];
	size_t count;
	bool is_json;      /* Runme's form */
	const char *error; /* what is wrong with the text, or NULL: what was read before it stands */
	int error_column;
};

/* Reads the attributes of a fence's info string (what follows the language: `{id=x needs=a,b if="..."}`, or one JSON object). Text without a brace has
 * none. Linear in n. source: DESIGN.md 3 */
void attributes_parse(struct arena *a, const char *text, size_t n, struct attributes *out);

/* The same without braces: the inside of `<!-- step: id=x owner=dba -->`. */
void attributes_parse_bare(struct arena *a, const char *text, size_t n, struct attributes *out);

/* The value of the last attribute with that name ("" for a bare one), or NULL. */
const char *attributes_get(const struct attributes *t, const char *name);

/* The language of an info string, in lower case: its first word, up to a space or a brace. */
const char *attributes_language(struct arena *a, const char *info);

#endif
