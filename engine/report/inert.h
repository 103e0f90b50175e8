#ifndef RUNG_REPORT_INERT_H
#define RUNG_REPORT_INERT_H

#include "base/buf.h"

#include <stdbool.h>

/* Appends what a person, host or author wrote to a Markdown text, on one line, so that no renderer makes anything of it: no markup, link, image, HTML, mention,
 * reference or expression, and no end of the cell that it stands in. Plain prose stays as it is; everything else becomes a code span, the one place where
 * every dialect leaves text alone (backslashes stop neither mentions nor addresses that are found by themselves). What could hide is made visible
 * (text_visible), what is very long ends with how much was left out.
 *
 * in_cell  of a table, where a pipe needs a backslash; a backslash that stands before a pipe is moved away from it by a space */
void markdown_inert(struct buf *out, const char *text, size_t n, bool in_cell);

#endif
