#ifndef RUNG_POLICY_HOST_RANGE_H
#define RUNG_POLICY_HOST_RANGE_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* "web-[01:40]", "rack[1:3]-[a:f]", "db[0:10:2]": a text for many. A range is FROM:TO or FROM:TO:STEP, both ends in it, of whole numbers or of single letters;
 * a FROM with a leading zero gives the width, and TO has it too. Several ranges are multiplied, the last one counts fastest. */

enum { HOST_RANGES_MAX = 4, HOST_RANGE_TEXT_BYTES_MAX = 512 };

/* The texts, in the arena: one where there is no range, at most `most`. ERR_INVALID: what is wrong with it. */
enum err host_range_expand(struct arena *a, const char *text, size_t most, const char ***out, size_t *count, struct error *e);

#endif
