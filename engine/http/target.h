#ifndef RUNG_HTTP_TARGET_H
#define RUNG_HTTP_TARGET_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a request is about: the path of its target in parts. Pure.
 *
 * Every path here is made of plain characters, so nothing in one is ever decoded: a percent sign is refused, and with it every way to write a slash, a dot or a
 * NUL that a proxy in front does not see. Parts that are empty, . or .. are refused too. source: RFC 9112, 3.2.1; RFC 3986, 3.3 */

enum { TARGET_PARTS_MAX = 6, TARGET_PART_BYTES_MAX = 256 };

struct target {
	char text[2048]; /* the parts, each ended by a NUL */
	const char *part[TARGET_PARTS_MAX];
	size_t part_count; /* of "/": 0 */
	const char *query; /* behind the question mark, as it came; NULL: there is none. Borrowed */
};

/* ERR_PROTOCOL with what is wrong. The struct is about itself: it must not be copied. */
enum err target_read(const char *text, struct target *out, struct error *e);

/* Arguments of an operation from a query (NULL: none): name=value, an ampersand between two; a value of digits is a number, true and false are what they say.
 * Plain characters only, as in a path. ERR_PROTOCOL. */
enum err target_read_query(const char *query, json_t *args, struct error *e);

/* The number of a Last-Event-ID: 1 to 18 digits. ERR_PROTOCOL. */
enum err target_read_event_id(const char *text, size_t n, uint64_t *out, struct error *e);

#endif
