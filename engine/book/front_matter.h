#ifndef RUNG_BOOK_FRONT_MATTER_H
#define RUNG_BOOK_FRONT_MATTER_H

#include "book/document.h"

enum { FRONT_MATTER_BYTES_MAX = 64 * 1024, FRONT_MATTER_DEPTH_MAX = 16, FRONT_MATTER_ENTRIES_MAX = 1000 };

/* Reads what stands between `---` lines at the start of d's text (YAML) into d->front_matter; `+++` (TOML) is passed over. Sets d->body_line and gives
 * the offset of the first byte behind it: 0 where there is none. What cannot be read is no error: front_matter_error says why. */
size_t front_matter_read(struct document *d);

#endif
