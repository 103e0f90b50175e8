#include "base/table.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Open addressing with linear probing, at most half full; what is removed leaves no hole, since those behind it move up. */

enum { SLOTS_MIN = 16 };

struct slot {
	const char *key; /* NULL: free */
	void *value;
	uint64_t hash;
};

struct table {
	struct slot *slots;
	size_t size, count; /* size: a power of two */
	uint64_t seed;      /* keys may come from strangers */
};

struct table *table_new(void)
{
	struct table *t = mem_zero(sizeof *t);
	t->size = SLOTS_MIN;
	t->slots = mem_zero(t->size * sizeof *t->slots);
	random_bytes(&t->seed, sizeof t->seed);
	return t;
}

void table_free(struct table *t)
{
	if (!t) return;
	free(t->slots);
	free(t);
}

static uint64_t hash_of(const struct table *t, const char *key)
{
	uint64_t h = t->seed ^ 0xcbf29ce484222325U;
	for (const unsigned char *p = (const unsigned char *)key; *p; p++) {
		h = (h ^ *p) * 0x100000001b3U;
		h ^= h >> 29;
	}
	h *= 0x9e3779b97f4a7c15U;
	return h ^ h >> 32;
}

/* The slot that has the key, or the free one where it would be. */
static size_t place_of(const struct table *t, const char *key, uint64_t hash)
{
	size_t at = hash & (t->size - 1);
	while (t->slots[at].key && (t->slots[at].hash != hash || strcmp(t->slots[at].key, key) != 0)) at = (at + 1) & (t->size - 1);
	return at;
}

void *table_get(const struct table *t, const char *key)
{
	return t->slots[place_of(t, key, hash_of(t, key))].value;
}

static void widen(struct table *t)
{
	struct slot *old = t->slots;
	size_t n = t->size;
	t->size *= 2;
	t->slots = mem_zero(t->size * sizeof *t->slots);
	for (size_t i = 0; i < n; i++)
		if (old[i].key) t->slots[place_of(t, old[i].key, old[i].hash)] = old[i];
	free(old);
}

void table_put(struct table *t, const char *key, void *value)
{
	must(value);
	if (2 * (t->count + 1) > t->size) widen(t);
	uint64_t hash = hash_of(t, key);
	struct slot *s = &t->slots[place_of(t, key, hash)];
	t->count += s->key == NULL;
	*s = (struct slot){.key = key, .value = value, .hash = hash};
}

void table_remove(struct table *t, const char *key)
{
	size_t hole = place_of(t, key, hash_of(t, key));
	if (!t->slots[hole].key) return;
	t->count--;
	for (size_t at = (hole + 1) & (t->size - 1); t->slots[at].key; at = (at + 1) & (t->size - 1)) {
		size_t home = t->slots[at].hash & (t->size - 1);
		bool is_before = ((at - home) & (t->size - 1)) >= ((at - hole) & (t->size - 1));
		if (!is_before) continue;
		t->slots[hole] = t->slots[at];
		hole = at;
	}
	t->slots[hole] = (struct slot){0};
}

size_t table_count(const struct table *t)
{
	return t->count;
}

void *table_next(const struct table *t, size_t *at)
{
	while (*at < t->size) {
		const struct slot *s = &t->slots[(*at)++];
		if (s->key) return s->value;
	}
	return NULL;
}
