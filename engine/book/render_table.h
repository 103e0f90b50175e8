#ifndef RUNG_BOOK_RENDER_TABLE_H
#define RUNG_BOOK_RENDER_TABLE_H

#include "book/render_text.h"

/* Appends a table, each line behind prefix, within `room` columns. */
void render_table(struct buf *out, const struct block *table, const char *prefix, size_t room, const struct render_options *o);

#endif
