#include "service/rail.h"

#include <stdlib.h>
#include <string.h>

struct rail *rail_find(const struct incidents *all, const char *rule)
{
	return table_get(all->rails, rule);
}

static struct rail *rail_of(struct incidents *all, const char *rule)
{
	struct rail *r = rail_find(all, rule);
	if (r) return r;
	r = mem_zero(sizeof *r);
	r->rule = mem_strdup(rule);
	table_put(all->rails, r->rule, r);
	return r;
}

/* Nearly always the last one: but a clock is set back, and incidents are read back one after the other. */
static void insert(int64_t **times, size_t *count, size_t *capacity, int64_t t_us)
{
	if (*count == *capacity) {
		*capacity = *capacity ? 2 * *capacity : 8;
		*times = mem_realloc(*times, *capacity * sizeof **times);
	}
	size_t at = (*count)++;
	for (; at > 0 && (*times)[at - 1] > t_us; at--) (*times)[at] = (*times)[at - 1];
	(*times)[at] = t_us;
}

void rail_started(struct incidents *all, const char *rule, int64_t t_us)
{
	struct rail *r = rail_of(all, rule);
	insert(&r->starts_us, &r->start_count, &r->start_capacity, t_us);
	r->running++;
}

void rail_ended(struct incidents *all, const char *rule, int64_t t_us, bool is_failure)
{
	struct rail *r = rail_of(all, rule);
	if (is_failure) insert(&r->failures_us, &r->failure_count, &r->failure_capacity, t_us);
	must(r->running > 0);
	r->running--;
}

static void drop_before(int64_t *times, size_t *count, int64_t since_us)
{
	size_t n = 0;
	while (n < *count && times[n] < since_us) n++;
	if (n) memmove(times, times + n, (*count - n) * sizeof *times);
	*count -= n;
}

void rails_sweep(struct incidents *all, int64_t since_us)
{
	size_t at = 0;
	struct rail *r;
	while ((r = table_next(all->rails, &at)) != NULL) {
		drop_before(r->starts_us, &r->start_count, since_us);
		drop_before(r->failures_us, &r->failure_count, since_us);
	}
}

void rails_free(struct incidents *all)
{
	size_t at = 0;
	struct rail *r;
	while (all->rails && (r = table_next(all->rails, &at)) != NULL) {
		free(r->rule);
		free(r->starts_us);
		free(r->failures_us);
		free(r);
	}
	table_free(all->rails);
	all->rails = NULL;
}
