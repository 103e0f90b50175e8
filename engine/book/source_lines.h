#ifndef RUNG_BOOK_SOURCE_LINES_H
#define RUNG_BOOK_SOURCE_LINES_H

#include "book/document.h"

/* What the layer reads from the raw lines itself: md4c gives no line for a block without text and unescapes info strings. */

/* Makes text, line_starts of d from the bytes of a file. */
void source_normalise(struct document *d, const char *bytes, size_t n);

/* ERR_TOO_BIG where quotes and lists are nested deeper than DOCUMENT_DEPTH_MAX. Before md4c, whose time grows with depth times lines. */
enum err source_check_depth(const struct document *d, size_t from, struct error *e);

/* A copy of the text from `from` on for md4c, of the same length, in which brackets of paragraphs that would take md4c more than linear time are
 * no brackets. Only links of such paragraphs are lost: every text is taken from the original. */
char *source_guarded(const struct document *d, size_t from);

/* Fills line, line_end and info of every block of the tree. */
void source_assign_lines(struct document *d);

/* The line (from 1) that holds the byte at offset. */
int source_line_of(const struct document *d, size_t offset);

#endif
