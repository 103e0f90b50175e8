#ifndef RUNG_ALERT_PATTERN_H
#define RUNG_ALERT_PATTERN_H

#include "base/arena.h"
#include "base/error.h"

#include <stddef.h>

/* A regular expression (PCRE2) that speaks of a whole value, as Alertmanager's matchers do. Matching has limits: a value that needs more is neither matched nor
 * not matched. */

enum { PATTERN_BYTES_MAX = 1024 };

enum pattern_answer { PATTERN_NO, PATTERN_YES, PATTERN_OVER_LIMIT };

/* Compiled; lives in the arena. */
struct pattern;

/* ERR_INVALID with PCRE2's reason and the place. */
enum err pattern_compile(struct arena *a, const char *text, struct pattern **out, struct error *e);

const char *pattern_text(const struct pattern *p);

/* Does the whole value match? Where from and n are given: of the first group, else of the whole value, where it begins and how long it is. Any thread. */
enum pattern_answer pattern_match(const struct pattern *p, const char *value, size_t *from, size_t *n);

#endif
