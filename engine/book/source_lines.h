#ifndef RUNG_BOOK_SOURCE_LINES_H
#define RUNG_BOOK_SOURCE_LINES_H

#include "book/document.h"

/* What the layer reads from the raw lines itself: md4c gives no line for a block without text and unescapes info strings. */

/* Makes text, line_starts of d from the bytes of a file. */
void source_normalise(struct document *d, const char *bytes, size_t n);

/* ERR_TOO_BIG where quotes and lists are nested deeper than DOCUMENT_DEPTH_MAX. Before md4c, whose time grows with depth times lines. */
enum err source_check_depth(const struct document *d, size_t from, struct error *e);

/* Bytes that the copy for md4c has and the text has not. */
struct source_splice {
	size_t at;    /* offset in the copy of the first added byte */
	size_t added; /* bytes added up to here, these included */
};

/* What md4c reads. */
struct source_copy {
	char *text;       /* allocated */
	size_t len, from; /* from: offset in the document's text of its first byte */
	struct source_splice *splices;
	size_t splice_count;
};

/* A copy of the text from `from` on for md4c, which differs from it in two ways: brackets of paragraphs that would take md4c more than linear time are no
 * brackets (their links are lost), and the dashes under a table's head are three at least (md4c 0.4.8 wants so, GitHub does not). Every text is taken
 * from the original. */
void source_copy_make(const struct document *d, size_t from, struct source_copy *copy);
void source_copy_clear(struct source_copy *copy);

/* The offset in the document's text of an offset in the copy. */
size_t source_copy_offset(const struct source_copy *copy, size_t at);

/* Fills line, line_end and info of every block of the tree. */
void source_assign_lines(struct document *d);

/* The line (from 1) that holds the byte at offset. */
int source_line_of(const struct document *d, size_t offset);

#endif
