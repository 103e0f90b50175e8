#include "policy/name_index.h"

#include <stdint.h>
#include <string.h>

enum { SLOTS_FIRST = 64 };

struct slot {
	const char *name; /* NULL: free */
	size_t number;
};

struct name_index {
	struct arena *arena;
	struct slot *slots; /* a power of two of them, at most half of them used */
	size_t slot_count, count;
};

struct name_index *name_index_new(struct arena *a)
{
	struct name_index *x = arena_alloc(a, sizeof *x);
	*x = (struct name_index){.arena = a, .slots = arena_alloc(a, SLOTS_FIRST * sizeof *x->slots), .slot_count = SLOTS_FIRST};
	return x;
}

/* FNV-1a, with its high bits folded into those that choose the slot. */
static size_t hash_of(const char *name)
{
	uint64_t h = 14695981039346656037U;
	for (; *name; name++) h = (h ^ (unsigned char)*name) * 1099511628211U;
	return (size_t)(h ^ h >> 32);
}

static struct slot *slot_of(const struct name_index *x, const char *name)
{
	size_t i = hash_of(name) & (x->slot_count - 1);
	while (x->slots[i].name && strcmp(x->slots[i].name, name) != 0) i = (i + 1) & (x->slot_count - 1);
	return &x->slots[i];
}

static void grow(struct name_index *x)
{
	struct name_index old = *x;
	x->slot_count *= 2;
	x->slots = arena_alloc(x->arena, x->slot_count * sizeof *x->slots);
	for (size_t i = 0; i < old.slot_count; i++)
		if (old.slots[i].name) *slot_of(x, old.slots[i].name) = old.slots[i];
}

void name_index_add(struct name_index *x, const char *name, size_t number)
{
	if (2 * (x->count + 1) > x->slot_count) grow(x);
	struct slot *s = slot_of(x, name);
	if (s->name) return;
	*s = (struct slot){name, number};
	x->count++;
}

size_t name_index_find(const struct name_index *x, const char *name)
{
	const struct slot *s = slot_of(x, name);
	return s->name ? s->number : SIZE_MAX;
}
