#ifndef RUNG_BASE_TABLE_H
#define RUNG_BASE_TABLE_H

#include <stddef.h>

/* From a text to a pointer, for as many as there are: keys are borrowed and must stay as they are while they are in it. */
struct table;

struct table *table_new(void);
void table_free(struct table *t); /* NULL is fine; what it points at stays */

/* NULL: it is not there. */
void *table_get(const struct table *t, const char *key);

/* Puts it there, in the place of what was there before under the same key. value is not NULL. */
void table_put(struct table *t, const char *key, void *value);

/* Nothing where it is not there. */
void table_remove(struct table *t, const char *key);

size_t table_count(const struct table *t);

/* The next value from *at on (0 at first), in no order; NULL: that was all. Nothing is put or removed in between. */
void *table_next(const struct table *t, size_t *at);

#endif
