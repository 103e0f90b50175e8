#include "base/buf.h"
#include "base/arena.h"
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){.max = max_bytes};
}

void buf_clear(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void buf_wipe(struct buf *b)
{
	if (b->data) explicit_bzero(b->data, b->cap);
	buf_clear(b);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->is_full = false;
	if (b->data) b->data[0] = 0;
}

bool buf_reserve(struct buf *b, size_t n)
{
	if (b->is_full || n > b->max - b->len) {
		b->is_full = true;
		return false;
	}
	if (b->len + n + 1 > b->cap) {
		size_t cap = b->cap ? b->cap : 256;
		while (cap < b->len + n + 1) cap *= 2;
		b->data = mem_realloc(b->data, cap);
		b->cap = cap;
	}
	return true;
}

bool buf_add(struct buf *b, const void *data, size_t n)
{
	if (!buf_reserve(b, n)) return false;
	if (n) memcpy(b->data + b->len, data, n);
	b->len += n;
	b->data[b->len] = 0;
	return true;
}

bool buf_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

bool buf_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	must(n >= 0);
	bool fits = buf_reserve(b, (size_t)n);
	if (fits) {
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
	return fits;
}

void buf_drop(struct buf *b, size_t n)
{
	must(n <= b->len);
	if (n == 0) return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	b->data[b->len] = 0;
}

char *buf_take(struct buf *b)
{
	char *p = b->data ? b->data : mem_strdup("");
	buf_init(b, b->max);
	return p;
}
