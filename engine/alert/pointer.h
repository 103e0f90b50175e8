#ifndef RUNG_ALERT_POINTER_H
#define RUNG_ALERT_POINTER_H

#include "base/arena.h"
#include "base/error.h"

#include <jansson.h>

/* JSON Pointer: "" is all of it, "/a/0/b~1c" the member "b/c" of the first item of "a". source: RFC 6901 */

enum { POINTER_BYTES_MAX = 1024, POINTER_PARTS_MAX = 32 };

struct pointer {
	const char *text; /* as written */
	const char **parts;
	size_t count;
};

/* Takes a pointer apart. ERR_INVALID with what was expected. In the arena. */
enum err pointer_parse(struct arena *a, const char *text, struct pointer *out, struct error *e);

/* What it points at, borrowed; NULL where nothing is. */
json_t *pointer_get(const struct pointer *p, const json_t *v);

#endif
