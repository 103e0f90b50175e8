#ifndef RUNG_BOOK_RENDER_TEXT_H
#define RUNG_BOOK_RENDER_TEXT_H

#include "book/document.h"
#include "book/render.h"

/* Text with a style for each byte, all of it safe for a terminal, and its wrapping. */

enum style { STYLE_BOLD = 1, STYLE_ITALIC = 2, STYLE_CODE = 4, STYLE_LINK = 8, STYLE_DIM = 16, STYLE_STRIKE = 32, STYLE_HEADING = 64 };

struct styled {
	struct buf text, style; /* of the same length; '\n' in text is a line break */
};

void styled_init(struct styled *s);
void styled_clear(struct styled *s);

/* Appends bytes of an author, control characters made visible. */
void styled_add(struct styled *s, const char *text, size_t n, int style);

/* Appends spans, with `style` on all of them. */
void styled_spans(struct styled *s, const struct span *first, int style, const struct render_options *o);

/* Where the next line of at most `columns` ends when it begins at `from`; *next is where the one after begins. */
size_t styled_line(const struct styled *s, size_t from, size_t columns, size_t *next);

/* Appends bytes from..to with escapes for their styles (none without color). Leaves the style off at the end. */
void styled_write(struct buf *out, const struct styled *s, size_t from, size_t to, const struct render_options *o);

/* Columns that bytes from..to fill. */
size_t styled_columns(const struct styled *s, size_t from, size_t to);

#endif
