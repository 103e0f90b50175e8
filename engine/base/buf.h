#ifndef RUNG_BASE_BUF_H
#define RUNG_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

/* A growing byte buffer with a maximum. data is always followed by a NUL that len does not count (NULL while nothing was added). */
struct buf {
	char *data;
	size_t len, cap, max;
	bool is_full; /* something did not fit: it was left out whole, and every later addition is refused */
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_clear(struct buf *b); /* frees; may be used again */
void buf_reset(struct buf *b); /* empties, keeps the memory */
void buf_wipe(struct buf *b);  /* overwrites, then frees: for secrets; may be used again */

/* Room for n more bytes: adding as many moves nothing, and leaves no copy behind. False as below. */
bool buf_reserve(struct buf *b, size_t n);

/* Each returns false, adds nothing and sets is_full where the maximum would be passed. */
bool buf_add(struct buf *b, const void *data, size_t n);
bool buf_str(struct buf *b, const char *s);
bool buf_char(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first n bytes. */
void buf_drop(struct buf *b, size_t n);

/* Takes the bytes (NUL-terminated, to be freed by the caller) and leaves b empty; never NULL. */
char *buf_take(struct buf *b);

#endif
