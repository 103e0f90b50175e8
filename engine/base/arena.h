#ifndef RUNG_BASE_ARENA_H
#define RUNG_BASE_ARENA_H

#include <stddef.h>

/* Memory that is given back as a whole: one arena for each document, plan, request or replay. Out of memory ends the process. */
struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a); /* NULL is fine */

/* Zeroed memory, aligned for any object; lives as long as the arena. n may be 0. */
void *arena_alloc(struct arena *a, size_t n);
char *arena_strdup(struct arena *a, const char *s); /* NULL gives NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Doubles an array that has grown to its capacity: pass the array, its count and its capacity; the array may move, old bytes stay until the arena goes. */
void *arena_grow(struct arena *a, void *array, size_t count, size_t *capacity, size_t item_bytes);

/* malloc, calloc, realloc and strdup that end the process when there is no memory. */
void *mem_alloc(size_t n);
void *mem_zero(size_t n);
void *mem_realloc(void *p, size_t n);
char *mem_strdup(const char *s);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* What is done first where there is no memory; it may end the process in its own way. */
void mem_when_none(void (*f)(void));

#endif
