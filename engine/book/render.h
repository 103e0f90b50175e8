#ifndef RUNG_BOOK_RENDER_H
#define RUNG_BOOK_RENDER_H

#include "base/buf.h"

#include <stdbool.h>

/* Markdown for a terminal. */
struct render_options {
	int columns;  /* width to fill; less than 20 counts as 20, more than 400 as 400 */
	bool color;   /* ANSI styles; without it the output has no escape at all */
	bool unicode; /* bars, bullets and boxes beyond ASCII */
};

/* Appends the text rendered, each line ended by '\n': paragraphs wrapped by display width, lists, code with a bar at its left, tables fitted into the width,
 * links as text (address). Whatever the author wrote goes through text_visible first, so that no escape passes. What is too big to be parsed is shown as it
 * stands. */
void render_markdown(struct buf *out, const char *markdown, const struct render_options *options);

/* Appends plain text wrapped at the width, each line after the first indented by `indent`; for titles and messages. Control characters are made visible. */
void render_wrapped(struct buf *out, const char *text, size_t indent, const struct render_options *options);

#endif
