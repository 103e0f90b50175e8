#include "service/remembered.h"

#include <stdlib.h>
#include <string.h>

struct remembered *remembered_find(const struct incidents *all, const char *alert_key)
{
	return table_get(all->alerts, alert_key);
}

static struct remembered *remembered_of(struct incidents *all, const char *alert_key)
{
	struct remembered *r = remembered_find(all, alert_key);
	if (r) return r;
	r = mem_zero(sizeof *r);
	snprintf(r->key, sizeof r->key, "%s", alert_key);
	table_put(all->alerts, r->key, r);
	return r;
}

static void keep_later(int64_t *to, int64_t us)
{
	if (us > *to) *to = us;
}

void remembered_take(struct incidents *all, struct incident *inc, const struct incident_alert *al, int64_t t_us)
{
	struct remembered *r = remembered_of(all, al->key);
	if (!r->last || r->last->flow->state == INCIDENT_RESOLVED) r->last = inc;
	keep_later(&r->over_starts_us, al->over_starts_us);
	keep_later(&r->executed_starts_us, al->executed_starts_us);
	keep_later(&r->changed_us, t_us);
}

void remembered_began(struct incidents *all, const char *alert_key, const char *execution)
{
	struct remembered *r = remembered_of(all, alert_key);
	snprintf(r->running, sizeof r->running, "%s", execution);
}

void remembered_ended(struct incidents *all, const char *alert_key, const char *rule, const char *execution, int64_t t_us)
{
	struct remembered *r = remembered_of(all, alert_key);
	if (strcmp(r->running, execution) == 0) r->running[0] = 0;
	size_t i = 0;
	while (i < r->end_count && strcmp(r->ends[i].rule, rule) != 0) i++;
	if (i == r->end_count) {
		r->ends = mem_realloc(r->ends, (r->end_count + 1) * sizeof *r->ends);
		r->ends[r->end_count++] = (struct remembered_end){.rule = mem_strdup(rule)};
	}
	keep_later(&r->ends[i].ended_us, t_us);
	keep_later(&r->changed_us, t_us);
}

int64_t remembered_end_us(const struct remembered *r, const char *rule)
{
	for (size_t i = 0; r && i < r->end_count; i++)
		if (strcmp(r->ends[i].rule, rule) == 0) return r->ends[i].ended_us;
	return 0;
}

void remembered_forget(struct incidents *all, const struct incident *inc, const char *alert_key)
{
	struct remembered *r = remembered_find(all, alert_key);
	if (r && r->last == inc) r->last = NULL;
}

static void free_one(struct remembered *r)
{
	for (size_t i = 0; i < r->end_count; i++) free(r->ends[i].rule);
	free(r->ends);
	free(r);
}

void remembered_sweep(struct incidents *all, int64_t since_us)
{
	size_t at = 0, count = 0;
	struct remembered *r, **old = mem_alloc(table_count(all->alerts) * sizeof *old);
	while ((r = table_next(all->alerts, &at)) != NULL)
		if (!r->last && !*r->running && r->changed_us < since_us) old[count++] = r;
	for (size_t i = 0; i < count; i++) {
		table_remove(all->alerts, old[i]->key);
		free_one(old[i]);
	}
	free(old);
}

void remembered_free(struct incidents *all)
{
	size_t at = 0;
	struct remembered *r;
	while (all->alerts && (r = table_next(all->alerts, &at)) != NULL) free_one(r);
	table_free(all->alerts);
	all->alerts = NULL;
}
