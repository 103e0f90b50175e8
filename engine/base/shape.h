#ifndef RUNG_BASE_SHAPE_H
#define RUNG_BASE_SHAPE_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What an object from a stranger must look like, as a table: one row a member. What is not in the table is refused. */

enum shape_kind {
	SHAPE_TEXT,    /* a string for people: no control or bidirectional characters but newline and tab; least..most bytes */
	SHAPE_STRING,  /* a string without zero bytes; least..most bytes */
	SHAPE_BYTES,   /* a string, or {"b64": "..."}; least..most characters as written */
	SHAPE_VALUE,   /* the same, or {"secret": "..."}: the name of a secret in place of its value */
	SHAPE_WORD,    /* one of words */
	SHAPE_INTEGER, /* least..most */
	SHAPE_TRUE,    /* true: stands there only where it is */
	SHAPE_BOOLEAN, /* true or false */
	SHAPE_OBJECT,  /* members, as of says */
	SHAPE_LIST,    /* least..most items, each as of says */
	SHAPE_MAP,     /* least..most members of any name without "=", each as of says */
	SHAPE_ANY      /* nested at most most levels */
};

struct shape {
	const char *key; /* NULL: the row behind the last one; in what a LIST or MAP is of: the item's name in an error */
	enum shape_kind kind;
	bool is_required;
	int64_t least, most;
	const char *const *words; /* NULL behind the last one */
	const struct shape *of;
};

/* Does the object have the members of the table, each in its bounds, all that are required and no others? ERR_PROTOCOL with the member that is wrong. */
enum err shape_check(const struct shape *members, const json_t *object, struct error *e);

/* Calls found with each value of that kind that an object which has the shape holds. */
void shape_each(const struct shape *members, const json_t *object, enum shape_kind kind, void (*found)(const json_t *v, void *arg), void *arg);

#endif
