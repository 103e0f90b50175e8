#include "service/incidents.h"
#include "base/clock.h"
#include "base/log.h"
#include "service/alerts_at.h"
#include "service/escalation.h"
#include "service/escalation_watch.h"
#include "service/rail.h"
#include "service/remembered.h"

#include <stdlib.h>
#include <string.h>

/* All incidents that the engine has in memory: found by what they are asked for, read back when it starts, forgotten when they are old. */

/* LOST: the engine looks every ten seconds whether there is room again; one that left it for want of space is taken up a while later. */
enum { SWEEP_US = 10000000, LOST_US = 15000000, PAUSE_US = 5000000, PAUSE_FACTOR = 20 };
#define LATE_US INT64_C(3600000000) /* a delivery that a source repeats comes within that time */

static struct incident *incident_alloc(struct incidents *all, const char *id)
{
	struct incident *inc = mem_zero(sizeof *inc);
	inc->engine = all->engine;
	inc->arena = arena_new();
	inc->flow = incident_flow_new(inc->arena);
	inc->title = "";
	snprintf(inc->id, sizeof inc->id, "%s", id);
	return inc;
}

struct incident *incident_new(struct incidents *all, const char *id)
{
	struct incident *inc = incident_alloc(all, id);
	table_put(all->by_id, inc->id, inc);
	return inc;
}

static void timer_closed(uv_handle_t *h)
{
	free(h);
}

static void free_incident(struct incident *inc)
{
	escalation_drop(inc);
	if (inc->timer) uv_close((uv_handle_t *)inc->timer, timer_closed);
	arena_free(inc->arena);
	free(inc);
}

void incident_free_view(struct incident *inc)
{
	arena_free(inc->arena);
	free(inc);
}

static void remove_if(struct table *t, const char *key, const struct incident *inc)
{
	if (key && table_get(t, key) == inc) table_remove(t, key);
}

void incident_forget(struct incident *inc)
{
	struct incidents *all = inc->engine->incidents;
	for (size_t i = 0; i < inc->flow->alert_count; i++) remembered_forget(all, inc, inc->flow->alerts[i].key);
	for (size_t i = 0; i < inc->flow->execution_count; i++) remove_if(all->by_execution, inc->flow->executions[i].id, inc);
	remove_if(all->by_group, inc->key, inc);
	table_remove(all->by_id, inc->id);
	free_incident(inc);
}

struct incident *incident_find(struct engine *en, const char *id)
{
	return table_get(en->incidents->by_id, id);
}

struct incident *incident_of_alert(struct engine *en, const char *alert_key)
{
	const struct remembered *r = remembered_find(en->incidents, alert_key);
	return r ? r->last : NULL;
}

struct incident *incident_of_group(struct engine *en, const char *group_key)
{
	return table_get(en->incidents->by_group, group_key);
}

struct incident *incident_of_execution(struct engine *en, const char *execution)
{
	return table_get(en->incidents->by_execution, execution);
}

struct incident *incident_next(struct engine *en, size_t *at)
{
	return table_next(en->incidents->by_id, at);
}

size_t incidents_open(const struct engine *en)
{
	return en->incidents->open;
}

/* ---- by a prefix of the id ---- */

struct found {
	char id[INCIDENT_ID_BYTES];
	size_t count;
};

static bool found_one(void *arg, const struct store_incident *i)
{
	struct found *f = arg;
	snprintf(f->id, sizeof f->id, "%s", i->id);
	return ++f->count < 2;
}

struct incident *incident_lookup(struct engine *en, const char *prefix, char id_out[INCIDENT_ID_BYTES], struct error *e)
{
	struct found f = {.count = 0};
	struct incident *inc;
	size_t at = 0, n = prefix ? strlen(prefix) : 0;
	id_out[0] = 0;
	if (n < 4 || n > 26) {
		error_set(e, ERR_USAGE, "an incident is named by its id, or the first four letters of it or more (`rung incidents` lists them)");
		return NULL;
	}
	inc = incident_find(en, prefix);
	if (inc) snprintf(f.id, sizeof f.id, "%s", inc->id), f.count = 1;
	if (f.count == 0 && store_incidents(en->reader, STORE_INCIDENTS_ALL, 0, prefix, NULL, 2, found_one, &f, e)) return NULL;
	/* One that was opened a moment ago may not be in the store yet. */
	while (f.count == 0 && (inc = incident_next(en, &at)) != NULL)
		if (strncmp(inc->id, prefix, n) == 0) snprintf(f.id, sizeof f.id, "%s", inc->id), f.count = 1;
	if (f.count == 0) error_set(e, ERR_NOT_FOUND, "there is no incident %s (`rung incidents` lists those that are open)", prefix);
	if (f.count > 1) error_set(e, ERR_USAGE, "more than one incident begins with %s: write more of its id", prefix);
	if (f.count != 1) return NULL;
	memcpy(id_out, f.id, sizeof f.id);
	error_set(e, ERR_OK, "%s", "");
	return incident_find(en, f.id);
}

/* ---- read back ---- */

struct reading {
	struct incident *inc;
	struct error *e;
	enum err err;
};

static bool read_record(void *arg, uint64_t seq, const char *line, size_t n)
{
	struct reading *g = arg;
	struct record r;
	json_t *hold = NULL;
	g->err = record_decode(line, n, &r, &hold, g->e);
	if (!g->err) g->err = incident_fold(g->inc, &r, g->e);
	if (g->err) error_context(g->e, "record %llu", (unsigned long long)seq);
	json_decref(hold);
	return g->err == ERR_OK;
}

static bool take_title(void *arg, const struct store_incident *row)
{
	struct incident *inc = arg;
	if (row->title) inc->title = arena_strdup(inc->arena, row->title);
	return false;
}

enum err incident_load_view(struct engine *en, const char *id, struct incident **out, struct error *e)
{
	struct incident *inc = incident_alloc(en->incidents, id);
	inc->is_for_reading = true;
	struct reading g = {.inc = inc, .e = e};
	enum err err = store_records(en->reader, id, 0, 0, read_record, &g, e);
	if (!err) err = g.err;
	if (!err && !inc->flow->is_opened) err = error_set(e, ERR_NOT_FOUND, "there is no incident %s", id);
	if (!err) err = store_incidents(en->reader, STORE_INCIDENTS_ALL, 0, id, NULL, 1, take_title, inc, e);
	if (err)
		incident_free_view(inc);
	else
		*out = inc;
	return err;
}

struct row {
	char id[INCIDENT_ID_BYTES];
	char *title;
};

struct rows {
	struct row *items;
	size_t count, capacity;
};

static bool keep_row(void *arg, const struct store_incident *i)
{
	struct rows *rows = arg;
	if (rows->count == rows->capacity) {
		rows->capacity = rows->capacity ? 2 * rows->capacity : 64;
		rows->items = mem_realloc(rows->items, rows->capacity * sizeof *rows->items);
	}
	struct row *r = &rows->items[rows->count++];
	snprintf(r->id, sizeof r->id, "%s", i->id);
	r->title = mem_strdup(i->title ? i->title : "");
	return true;
}

static enum err read_one(struct incidents *all, const struct row *row, struct error *e)
{
	struct incident *inc = incident_new(all, row->id);
	inc->title = arena_strdup(inc->arena, row->title);
	inc->has_row = true;
	struct reading g = {.inc = inc, .e = e};
	enum err err = store_records(all->engine->reader, row->id, 0, 0, read_record, &g, e);
	if (!err) err = g.err;
	if (!err && !inc->flow->is_opened) err = error_set(e, ERR_VERIFY, "its first record is no incident.opened");
	return err ? error_context(e, "incident %s", row->id) : ERR_OK;
}

enum err incidents_read(struct incidents *all, struct error *e)
{
	struct rows rows = {0};
	int64_t since_us = clock_now_us() - incidents_memory_us(all);
	enum err err = store_incidents(all->engine->reader, STORE_INCIDENTS_RECENT, since_us, NULL, NULL, 0, keep_row, &rows, e);
	/* The oldest first: an alert is that of the last incident that had it. */
	for (size_t i = rows.count; i-- > 0;) {
		if (!err) err = read_one(all, &rows.items[i], e);
		free(rows.items[i].title);
	}
	free(rows.items);
	return err;
}

static void make_tables(struct incidents *all)
{
	all->by_id = table_new();
	all->alerts = table_new();
	all->by_group = table_new();
	all->by_execution = table_new();
	all->rails = table_new();
	all->dirty = NULL;
	all->open = 0;
}

static void drop_tables(struct incidents *all)
{
	size_t at = 0;
	struct incident *inc;
	while ((inc = table_next(all->by_id, &at)) != NULL) free_incident(inc);
	struct table *tables[] = {all->by_id, all->by_group, all->by_execution};
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) table_free(tables[i]);
	rails_free(all);
	remembered_free(all);
}

/* What follows from reading them back is written, too: on a disk that is full still, that fails, and they are to be read back. */
static bool is_too_soon(const struct incidents *all)
{
	return all->read_back_us && clock_monotonic_us() - all->read_back_us < all->read_back_pause_us;
}

void incidents_reset(struct incidents *all)
{
	struct error e;
	int64_t began_us = clock_monotonic_us();
	if (is_too_soon(all)) return;
	drop_tables(all);
	make_tables(all);
	all->is_reset = false;
	all->chain = (struct store_chain){0}; /* nothing of the old one is under way */
	intake_forget_bodies(all->engine);
	enum err err = incidents_read(all, &e);
	all->read_back_us = clock_monotonic_us();
	all->read_back_pause_us = PAUSE_US + PAUSE_FACTOR * (all->read_back_us - began_us);
	if (!err) {
		incidents_take_up_again(all->engine);
		escalations_watch_again(all->engine);
		return;
	}
	log_line(LOG_ERROR, "incidents cannot be read back, the engine ends: %s", e.text);
	engine_end(all->engine, 1);
}

enum err incidents_load(struct engine *en, struct error *e)
{
	struct incidents *all = mem_zero(sizeof *all);
	all->engine = en;
	all->last_flying = &all->flying;
	make_tables(all);
	en->incidents = all;
	return incidents_read(all, e);
}

void incidents_free(struct engine *en)
{
	struct incidents *all = en->incidents;
	if (!all) return;
	must(!all->flying); /* the store was drained */
	incident_drop_filling(all);
	drop_tables(all);
	free(all);
	en->incidents = NULL;
}

int64_t incidents_memory_us(const struct incidents *all)
{
	int64_t window_us = alerts_longest_window_us(all->engine);
	return window_us > LATE_US ? window_us : LATE_US;
}

void incidents_tick(struct engine *en)
{
	struct incidents *all = en->incidents;
	int64_t now_us = clock_monotonic_us(), since_us = clock_now_us() - incidents_memory_us(all);
	if (all->flying || all->filling) return;
	if (all->is_reset) incidents_reset(all);
	if (all->is_reset || all->flying) return;
	if (all->lost_us && now_us - all->lost_us > LOST_US) {
		all->lost_us = 0;
		incidents_take_up_executions(en);
		return;
	}
	if (now_us - all->swept_us < SWEEP_US) return;
	all->swept_us = now_us;
	size_t at = 0, count = 0, capacity = 0;
	struct incident *inc, **old = NULL;
	while ((inc = incident_next(en, &at)) != NULL) {
		const struct incident_flow *f = inc->flow;
		if (f->state != INCIDENT_RESOLVED || f->running || f->changed_us >= since_us) continue;
		if (count == capacity) old = mem_realloc(old, (capacity = capacity ? 2 * capacity : 64) * sizeof *old);
		old[count++] = inc;
	}
	for (size_t i = 0; i < count; i++) incident_forget(old[i]);
	free(old);
	rails_sweep(all, since_us);
	remembered_sweep(all, since_us);
}
