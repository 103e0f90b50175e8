#include "base/arena.h"
#include "base/error.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Many arenas stay small and live for one request: the allocator keeps blocks of up to 1,032 bytes at hand for each thread. */
enum { BLOCK_BYTES_MIN = 1024 - 32, BLOCK_BYTES_MAX = 8192 };

struct block {
	struct block *next;
	size_t used, size;
	alignas(max_align_t) char data[];
};

struct arena {
	struct block *head;
};

static void (*when_none)(void);

void mem_when_none(void (*f)(void))
{
	when_none = f;
}

_Noreturn static void none(size_t n)
{
	if (when_none) when_none();
	die("out of memory (%zu bytes)", n);
}

void *mem_alloc(size_t n)
{
	void *p = malloc(n ? n : 1);
	if (!p) none(n);
	return p;
}

void *mem_zero(size_t n)
{
	void *p = calloc(1, n ? n : 1);
	if (!p) none(n);
	return p;
}

void *mem_realloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (!p) none(n);
	return p;
}

char *mem_strdup(const char *s)
{
	if (!s) return NULL;
	size_t n = strlen(s) + 1;
	return memcpy(mem_alloc(n), s, n);
}

char *mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0) none(0);
	va_end(ap);
	return s;
}

struct arena *arena_new(void)
{
	return mem_zero(sizeof(struct arena));
}

void arena_free(struct arena *a)
{
	if (!a) return;
	for (struct block *b = a->head, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(a);
}

void *arena_alloc(struct arena *a, size_t n)
{
	size_t need = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	must(need >= n);
	if (need == 0) need = alignof(max_align_t);
	if (!a->head || a->head->size - a->head->used < need) {
		size_t size = !a->head ? BLOCK_BYTES_MIN : a->head->size < BLOCK_BYTES_MAX ? 2 * a->head->size : BLOCK_BYTES_MAX;
		if (size > BLOCK_BYTES_MAX) size = BLOCK_BYTES_MAX;
		if (size < need) size = need;
		struct block *b = mem_alloc(sizeof *b + size);
		*b = (struct block){.next = a->head, .size = size};
		a->head = b;
	}
	void *p = a->head->data + a->head->used;
	a->head->used += need;
	return memset(p, 0, need);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);
	if (n) memcpy(p, s, n);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	must(n >= 0);
	char *p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

void *arena_grow(struct arena *a, void *array, size_t count, size_t *capacity, size_t item_bytes)
{
	if (count < *capacity) return array;
	size_t wider = *capacity ? *capacity * 2 : 8;
	must(wider <= SIZE_MAX / item_bytes);
	void *p = arena_alloc(a, wider * item_bytes);
	if (count) memcpy(p, array, count * item_bytes);
	*capacity = wider;
	return p;
}
