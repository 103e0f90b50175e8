#ifndef RUNG_HTTP_HEAD_H
#define RUNG_HTTP_HEAD_H

#include "base/error.h"
#include "http/limits.h"

#include <stdbool.h>
#include <stddef.h>

/* Is the head of a request written as RFC 9112 has it, to the byte? The library reads generously: line feeds alone, folded lines, several lengths, bytes of
 * value 0. What it and a proxy in front of it read differently is how requests are smuggled, so whatever is not exact is refused. Pure. */

struct head_field {
	const char *name, *value; /* borrowed; not ended by a NUL */
	size_t name_n, value_n;
};

struct head {
	const char *bytes; /* the whole head as it lies in memory, with NULs where the library has cut it */
	size_t n;
	const char *method, *version; /* within it */
	const char *target;           /* a copy, as it came */
	struct head_field fields[HTTP_HEADERS_MAX];
	size_t field_count;
	bool is_over; /* there were more */
};

/* What it says of the body, once it is right. */
struct head_body {
	bool is_given;
	size_t n;
};

/* ERR_PROTOCOL, ERR_TOO_BIG (too many headers) or ERR_USAGE (a transfer coding: the length must be said) with a sentence that holds nothing of the request. */
enum err head_check(const struct head *h, struct head_body *body, struct error *e);

/* The value of the only field with that name (lower case), or NULL. */
const struct head_field *head_find(const struct head *h, const char *name);

#endif
