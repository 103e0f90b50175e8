#ifndef RUNG_POLICY_NAME_INDEX_H
#define RUNG_POLICY_NAME_INDEX_H

#include "base/arena.h"

#include <stddef.h>

/* From a name to a number, in an arena. */
struct name_index;

struct name_index *name_index_new(struct arena *a);

/* Names are borrowed; one that is there already keeps its number. */
void name_index_add(struct name_index *x, const char *name, size_t number);

/* SIZE_MAX: it is not there. */
size_t name_index_find(const struct name_index *x, const char *name);

#endif
