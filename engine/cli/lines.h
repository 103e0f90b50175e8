#ifndef RUNG_CLI_LINES_H
#define RUNG_CLI_LINES_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Lines for a terminal: text that is safe to write, with no control characters but the colours (SGR) that we put there. All memory is the arena's. */
struct lines {
	struct arena *arena;
	const char **line;
	size_t count, capacity;
};

void lines_init(struct lines *l, struct arena *a);
void lines_add(struct lines *l, const char *text); /* one line, kept as it is: must live as long as the arena */
void lines_printf(struct lines *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void lines_split(struct lines *l, const char *text); /* each line of a text */
void lines_append(struct lines *l, const struct lines *more, size_t from, size_t n);

/* Text from outside on one line: control characters visible, line feeds and tabs as single spaces; what is longer than a page ends with how much was left out.
 */
const char *line_safe(struct arena *a, const char *text);

/* The same, every character seen as it is: line feeds and tabs too, spaces kept. For what is compared or granted: paths, rights, ids. */
const char *line_exact(struct arena *a, const char *text);

/* One line of source from outside: control characters visible, tabs as eight spaces, indentation kept. */
const char *line_source(struct arena *a, const char *text);

/* Columns that a line takes; colours take none. */
size_t line_columns(const char *text);

/* The line cut to so many columns (with … or ... where something is left out) and its colours ended. */
const char *line_clip(struct arena *a, const char *text, size_t columns, bool unicode);

/* The line clipped or filled with spaces to exactly so many columns. */
const char *line_fit(struct arena *a, const char *text, size_t columns, bool unicode);

/* left and right at the two ends of a line of so many columns; left is cut where both do not fit. */
const char *line_ends(struct arena *a, const char *left, const char *right, size_t columns, bool unicode);

/* Plain text broken at spaces into lines of so many columns, each after indent. */
void lines_wrap(struct lines *l, const char *text, size_t columns, const char *indent, const char *style_on);

#endif
