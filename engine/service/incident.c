#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "service/escalation.h"
#include "service/incidents.h"
#include "service/mitigation.h"
#include "service/rail.h"
#include "service/remembered.h"

#include <stdlib.h>
#include <string.h>

/* Records of incidents: folded, stored, and what follows from them once they are. */

enum { RECENT_BLOB_BYTES = 320 << 10, TITLE_BYTES_MAX = 256 };

struct incident_follow {
	struct incident_follow *next;
	void (*later)(struct incident *, json_t *);
	void (*answer)(struct engine *, json_t *);
	void (*call)(void *arg, const struct error *failed);
	char id[INCIDENT_ID_BYTES]; /* of later: an incident may be another piece of memory by then */
	json_t *data;
	void *arg;
};

/* ---- the fold ---- */

/* Which event of the machine a record is, plus one; 0: none. */
static const int events[RECORD_KIND_N] = {
    [RECORD_INCIDENT_OPENED] = INCIDENT_OPENED + 1,
    [RECORD_ALERT_RECEIVED] = INCIDENT_ALERT_SEEN + 1,
    [RECORD_EXECUTION_LINKED] = INCIDENT_EXECUTION_LINKED + 1,
    [RECORD_EXECUTION_ENDED] = INCIDENT_EXECUTION_ENDED + 1,
    [RECORD_INCIDENT_ACKNOWLEDGED] = INCIDENT_WAS_ACKNOWLEDGED + 1,
    [RECORD_INCIDENT_NOTED] = INCIDENT_NOTED + 1,
    [RECORD_INCIDENT_ASSIGNED] = INCIDENT_ASSIGNED + 1,
    [RECORD_INCIDENT_PRIORITISED] = INCIDENT_PRIORITISED + 1,
    [RECORD_INCIDENT_MITIGATED] = INCIDENT_WAS_MITIGATED + 1,
    [RECORD_INCIDENT_RESOLVED] = INCIDENT_WAS_RESOLVED + 1,
};

static bool is_word(const json_t *d, const char *key, const char *word)
{
	return strcmp(json_str(d, key, ""), word) == 0;
}

static struct incident_event event_of(const struct record *r)
{
	const json_t *d = r->data;
	struct incident_event ev = {.kind = (enum incident_event_kind)(events[r->kind] - 1), .t_us = r->t_us, .by = r->by ? r->by : "?"};
	ev.priority = (int)json_int(d, "priority", 0);
	ev.execution = json_str(d, "execution", NULL);
	ev.rule = json_str(d, "rule", NULL);
	ev.alert = r->kind == RECORD_ALERT_RECEIVED ? json_str(d, "key", NULL) : NULL;
	ev.is_firing = is_word(d, "state", "firing");
	ev.starts_us = json_int(d, "starts_us", 0);
	ev.to = json_str(d, "to", NULL);
	ev.by_alert = is_word(d, "how", "alert");
	ev.is_success = is_word(d, "state", "succeeded") || is_word(d, "state", "undone");
	ev.is_begun = !is_word(d, "state", "denied") && !is_word(d, "state", "invalid");
	if (r->kind == RECORD_INCIDENT_OPENED) {
		incident_origin_find(json_str(d, "origin", ""), &ev.origin);
		ev.execution = NULL;
	}
	return ev;
}

/* In the place of the one before: alerts come often, and what they say changes. */
static void keep_blob(struct incident *inc, struct incident_alert_kept *k, const char *name)
{
	if (!name) return;
	if (!k->blob || strlen(k->blob) < strlen(name))
		k->blob = arena_strdup(inc->arena, name);
	else if (k->blob != name)
		memcpy(k->blob, name, strlen(name) + 1);
}

static void fold_alert(struct incident *inc, const struct record *r)
{
	const struct incident_flow *f = inc->flow;
	const struct incident_alert *al = incident_alert_find(f, json_str(r->data, "key", ""));
	size_t i = (size_t)(al - f->alerts);
	while (inc->kept_count <= i) {
		inc->kept = arena_grow(inc->arena, inc->kept, inc->kept_count, &inc->kept_capacity, sizeof *inc->kept);
		inc->kept[inc->kept_count++] = (struct incident_alert_kept){0};
	}
	struct incident_alert_kept *k = &inc->kept[i];
	if (al->seen > 1 && al->changed_us == r->t_us && al->is_firing) k->was_proposed = false;
	if (is_word(r->data, "outcome", "proposed")) k->was_proposed = true;
	snprintf(k->outcome, sizeof k->outcome, "%s", json_str(r->data, "outcome", ""));
	if (json_int(r->data, "within_us", 0) > 0) k->within_us = json_int(r->data, "within_us", 0);
	keep_blob(inc, k, json_str(r->data, "alert", NULL));
}

/* What the alert leaves with all incidents. */
static void fold_seen(struct incidents *all, struct incident *inc, const struct record *r)
{
	const struct incident_flow *f = inc->flow;
	remembered_take(all, inc, incident_alert_find(f, json_str(r->data, "key", "")), r->t_us);
	if (!json_str(r->data, "execution", NULL)) return;
	const struct incident_execution *run = &f->executions[f->execution_count - 1];
	table_put(all->by_execution, arena_strdup(inc->arena, run->id), inc);
	rail_started(all, run->rule, r->t_us);
	remembered_began(all, f->alerts[run->alert].key, run->id);
}

static void fold_words(struct incident *inc, const struct record *r)
{
	struct arena *a = inc->arena;
	const char *book = json_str(r->data, "book", NULL);
	if (book && (!inc->book || strcmp(inc->book, book) != 0)) inc->book = arena_strdup(a, book);
	if (r->kind != RECORD_INCIDENT_OPENED) return;
	inc->key = arena_strdup(a, json_str(r->data, "key", NULL));
	inc->source = arena_strdup(a, json_str(r->data, "source", NULL));
	inc->owner = arena_strdup(a, json_str(r->data, "owner", NULL));
	inc->escalation = arena_strdup(a, json_str(r->data, "escalation", NULL));
}

static void fold_execution(struct incidents *all, struct incident *inc, const struct record *r)
{
	const struct incident_execution *run = incident_execution_find(inc->flow, json_str(r->data, "execution", ""));
	if (r->kind == RECORD_EXECUTION_LINKED) {
		table_put(all->by_execution, arena_strdup(inc->arena, run->id), inc);
		if (run->rule) rail_started(all, run->rule, r->t_us);
	} else if (run->rule) {
		rail_ended(all, run->rule, r->t_us, !run->is_success);
		if (run->alert != SIZE_MAX) remembered_ended(all, inc->flow->alerts[run->alert].key, run->rule, run->id, r->t_us);
	}
}

/* A group's key is that of the incident where none of its alerts has it. */
static void fold_group(struct incidents *all, struct incident *inc)
{
	if (inc->key && table_get(all->by_group, inc->key) == NULL && inc->flow->state != INCIDENT_RESOLVED) table_put(all->by_group, inc->key, inc);
}

static void fold_resolved(struct incidents *all, struct incident *inc, const struct record *r)
{
	for (size_t i = 0; i < inc->flow->alert_count; i++) remembered_take(all, inc, &inc->flow->alerts[i], r->t_us);
	if (inc->key && table_get(all->by_group, inc->key) == inc) table_remove(all->by_group, inc->key);
	all->open--;
}

static void fold_tables(struct incidents *all, struct incident *inc, const struct record *r)
{
	if (r->kind == RECORD_INCIDENT_OPENED) all->open++, fold_group(all, inc);
	if (r->kind == RECORD_ALERT_RECEIVED) fold_seen(all, inc, r);
	if (r->kind == RECORD_EXECUTION_LINKED || r->kind == RECORD_EXECUTION_ENDED) fold_execution(all, inc, r);
	if (r->kind == RECORD_INCIDENT_RESOLVED) fold_resolved(all, inc, r);
}

static void mark_dirty(struct incident *inc)
{
	struct incidents *all = inc->engine->incidents;
	if (inc->is_dirty || !inc->is_emitting) return;
	inc->is_dirty = true;
	inc->next_dirty = all->dirty;
	all->dirty = inc;
}

enum err incident_fold(struct incident *inc, const struct record *r, struct error *e)
{
	struct incidents *all = inc->engine->incidents;
	bool is_event = events[r->kind] != 0;
	struct incident_event ev = is_event ? event_of(r) : (struct incident_event){0};
	int64_t changed_us = inc->flow->changed_us;
	enum err err = is_event ? incident_check(inc->flow, &ev, e) : ERR_OK;
	if (!err && !inc->is_for_reading) err = escalation_fold(inc, r, e);
	if (err) return err;
	if (is_event) must(incident_apply(inc->flow, &ev, NULL) == ERR_OK);
	fold_words(inc, r);
	mitigation_fold(inc, r);
	if (r->kind == RECORD_ALERT_RECEIVED) fold_alert(inc, r);
	if (!inc->is_for_reading) fold_tables(all, inc, r);
	if (inc->flow->changed_us != changed_us || !inc->has_row) mark_dirty(inc);
	return ERR_OK;
}

/* ---- records ---- */

static struct incident_commit *filling(struct incidents *all)
{
	if (all->filling) return all->filling;
	struct incident_commit *c = mem_zero(sizeof *c);
	c->all = all;
	c->last = &c->first;
	return all->filling = c;
}

struct store_batch *incident_batch(struct engine *en)
{
	struct incident_commit *c = filling(en->incidents);
	if (!c->batch) c->batch = store_batch_new();
	return c->batch;
}

enum err incident_emit(struct incident *inc, struct incident_emit em, struct error *e)
{
	struct record r = {.t_us = em.t_us ? em.t_us : clock_now_us(),
	                   .kind = em.kind,
	                   .execution = inc->id,
	                   .by = em.by ? em.by : "system:engine",
	                   .data = json_drop_nulls(em.data)};
	inc->is_emitting = true;
	enum err err = incident_fold(inc, &r, e);
	inc->is_emitting = false;
	failpoint(INCIDENT_EMIT);
	struct error why;
	if (!err && store_batch_record(incident_batch(inc->engine), &r, &why)) die("a record of an incident could not be encoded: %s", why.text);
	json_decref(em.data);
	return err;
}

static void keep_recent(struct incident_commit *c, const char *name, const void *bytes, size_t n)
{
	if (n > RECENT_BLOB_BYTES) return;
	if (!c->arena) c->arena = arena_new();
	c->recent = arena_grow(c->arena, c->recent, c->recent_count, &c->recent_capacity, sizeof *c->recent);
	c->recent[c->recent_count++] = (struct incident_recent){.name = arena_strdup(c->arena, name), .bytes = arena_strndup(c->arena, bytes, n), .n = n};
}

const char *incident_blob(struct incident *inc, const void *bytes, size_t n)
{
	char name[STORE_BLOB_NAME_BYTES];
	struct incident_commit *c = filling(inc->engine->incidents);
	store_batch_blob(incident_batch(inc->engine), inc->id, bytes, n, name);
	keep_recent(c, name, bytes, n);
	return arena_strdup(inc->arena, name);
}

const char *incident_blob_text(struct incident *inc, const char *text)
{
	size_t n = text ? strlen(text) : 0;
	return n ? incident_blob(inc, text, text_cut(text, n, STORE_BLOB_BYTES_MAX)) : NULL;
}

const char *incident_blob_json(struct incident *inc, const json_t *v)
{
	struct buf b;
	buf_init(&b, STORE_BLOB_BYTES_MAX);
	must(json_canonical(v, &b));
	const char *name = incident_blob(inc, b.data, b.len);
	buf_clear(&b);
	return name;
}

static const struct incident_recent *find_recent(const struct incident_commit *c, const char *name)
{
	for (size_t i = c ? c->recent_count : 0; i-- > 0;)
		if (strcmp(c->recent[i].name, name) == 0) return &c->recent[i];
	return NULL;
}

char *incident_read_blob(struct engine *en, const char *name, size_t *n)
{
	struct buf b;
	const struct incident_recent *r = name ? find_recent(en->incidents->filling, name) : NULL;
	for (const struct incident_commit *c = en->incidents->flying; c && name && !r; c = c->next) r = find_recent(c, name);
	buf_init(&b, STORE_BLOB_BYTES_MAX);
	if (r)
		buf_add(&b, r->bytes, r->n);
	else if (!name || store_blob(en->reader, name, &b, NULL))
		buf_reset(&b);
	if (n) *n = b.len;
	return buf_take(&b);
}

/* ---- what follows ---- */

static struct incident_follow *add_follow(struct engine *en)
{
	struct incidents *all = en->incidents;
	struct incident_commit *c = filling(all);
	struct incident_follow *l = mem_zero(sizeof *l);
	*c->last = l;
	c->last = &l->next;
	return l;
}

void incident_later(struct incident *inc, void (*fn)(struct incident *, json_t *), json_t *data)
{
	struct incident_follow *l = add_follow(inc->engine);
	l->later = fn;
	l->data = data;
	memcpy(l->id, inc->id, sizeof l->id);
}

void incident_answer_later(struct engine *en, void (*fn)(struct engine *, json_t *), json_t *data)
{
	struct incident_follow *l = add_follow(en);
	l->answer = fn;
	l->data = data;
}

void incidents_when_durable(struct engine *en, void (*fn)(void *arg, const struct error *failed), void *arg)
{
	struct incident_follow *l = add_follow(en);
	l->call = fn;
	l->arg = arg;
}

static const struct error not_stored = {ERR_FULL, "its records could not be stored"};

static void run_follow(struct incidents *all, struct incident_follow *l, const struct error *failed)
{
	struct incident *inc = l->later && !failed ? incident_find(all->engine, l->id) : NULL;
	if (failed && l->answer) json_object_set_new(l->data, "error", json_text(failed->text));
	if (inc) l->later(inc, l->data);
	if (l->answer) l->answer(all->engine, l->data);
	if (l->call) l->call(l->arg, failed);
	json_decref(l->data);
	free(l);
}

static void follow(struct incidents *all, struct incident_commit *c, const struct error *failed)
{
	for (struct incident_follow *l = c->first, *next; l; l = next) {
		next = l->next;
		run_follow(all, l, failed);
	}
	arena_free(c->arena);
	free(c);
}

/* Commits are answered in the order in which they were submitted. */
static void committed(void *arg, enum err err, uint64_t first_seq, int64_t t_us, const struct error *e)
{
	(void)first_seq, (void)t_us;
	struct incident_commit *c = arg;
	struct incidents *all = c->all;
	must(all->flying == c);
	all->flying = c->next;
	if (!all->flying) all->last_flying = &all->flying;
	if (!err) {
		failpoint(INCIDENT_DURABLE);
		follow(all, c, NULL);
		failpoint(INCIDENT_TOLD);
		incident_commit(all->engine);
		return;
	}
	/* What was folded is not what is stored. A broken store ends the engine; otherwise everything is read back, once nothing that builds on it is under
	 * way.
	 */
	log_line(LOG_ERROR, "incidents: %s", e ? e->text : not_stored.text);
	all->is_reset = true;
	follow(all, c, e ? e : &not_stored);
	incident_commit(all->engine);
	if (err == ERR_IO) engine_end(all->engine, 1);
	if (!all->flying && err != ERR_IO) incidents_reset(all);
}

static void write_rows(struct incidents *all, struct store_batch *b)
{
	for (struct incident *inc = all->dirty, *next; inc; inc = next) {
		const struct incident_flow *f = inc->flow;
		bool is_open = f->state != INCIDENT_RESOLVED;
		store_batch_incident(b, &(struct store_incident){.id = inc->id,
		                                                 .key = inc->key,
		                                                 .title = inc->title,
		                                                 .state = incident_state_name(f->state),
		                                                 .assigned_to = f->assigned_to,
		                                                 .opened_us = f->opened_us,
		                                                 .changed_us = f->changed_us,
		                                                 .acknowledged_us = f->acknowledged_us,
		                                                 .resolved_us = f->resolved_us,
		                                                 .priority = f->priority,
		                                                 .alerts = f->alert_count,
		                                                 .is_open = is_open,
		                                                 .is_live = is_open || f->running > 0,
		                                                 .is_new = !inc->has_row});
		next = inc->next_dirty;
		inc->next_dirty = NULL;
		inc->is_dirty = false;
		inc->has_row = true;
	}
	all->dirty = NULL;
}

/* Nothing new to store: what follows waits for what was submitted before. */
static void follow_last(struct incidents *all, struct incident_commit *c)
{
	struct incident_commit *last = all->flying;
	while (last && last->next) last = last->next;
	if (!last) {
		follow(all, c, NULL);
		return;
	}
	*last->last = c->first;
	if (c->first) last->last = c->last;
	arena_free(c->arena);
	free(c);
}

void incident_commit(struct engine *en)
{
	struct incidents *all = en->incidents;
	struct incident_commit *c = all->filling;
	if (!c) return;
	all->filling = NULL;
	if (!c->batch) {
		follow_last(all, c);
		return;
	}
	failpoint(INCIDENT_COMMIT);
	write_rows(all, c->batch);
	if (all->is_reset) {
		/* It builds on what could not be stored, and what is in memory is about to be read back. */
		store_batch_free(c->batch);
		follow(all, c, &not_stored);
		return;
	}
	store_batch_chain(c->batch, &all->chain);
	*all->last_flying = c;
	all->last_flying = &c->next;
	struct store_batch *b = c->batch;
	c->batch = NULL;
	store_submit(en->store, b, committed, c);
}

void incident_drop_filling(struct incidents *all)
{
	struct incident_commit *c = all->filling;
	if (!c) return;
	all->filling = NULL;
	store_batch_free(c->batch);
	follow(all, c, &not_stored);
}

void incident_commit_soon(struct engine *en)
{
	en->incidents->is_commit_due = true;
}

void incidents_end_of_round(struct engine *en)
{
	if (!en->incidents || !en->incidents->is_commit_due) return;
	en->incidents->is_commit_due = false;
	incident_commit(en);
}

/* ---- the timer ---- */

static void woken(uv_timer_t *t)
{
	struct incident *inc = t->data;
	escalation_woken(inc);
	incident_commit(inc->engine);
}

void incident_wake(struct incident *inc, int64_t at_us)
{
	if (!inc->timer && !at_us) return;
	if (!inc->timer) {
		inc->timer = mem_zero(sizeof *inc->timer);
		uv_timer_init(&inc->engine->loop, inc->timer);
		inc->timer->data = inc;
	}
	uv_timer_stop(inc->timer);
	if (!at_us) return;
	int64_t wait_us = at_us - clock_steady_us();
	uv_update_time(&inc->engine->loop);
	uv_timer_start(inc->timer, woken, wait_us > 0 ? (uint64_t)(wait_us + 999) / 1000 : 0, 0);
}

/* ---- opening ---- */

static const char *title_of(struct incident *inc, const char *text)
{
	return arena_strndup(inc->arena, text, text_cut(text, strlen(text), TITLE_BYTES_MAX));
}

struct incident *incident_open(struct engine *en, const struct incident_opening *o)
{
	char id[INCIDENT_ID_BYTES];
	unsigned char random[10];
	random_bytes(random, sizeof random);
	ulid_make(id, clock_now_us(), random);
	struct incident *inc = incident_new(en->incidents, id);
	if (o->title) inc->title = title_of(inc, o->title);
	json_t *d = json_pack("{s:s,s:s*,s:s*,s:s*,s:s*,s:s*}", "origin", incident_origin_name(o->origin), "key", o->key, "source", o->source, "owner",
	                      o->owner, "escalation", o->escalation, "execution", o->execution);
	if (o->priority) json_object_set_new(d, "priority", json_integer(o->priority));
	if (!o->is_title_in_blob && *inc->title) json_object_set_new(d, "title", json_string(incident_blob_text(inc, inc->title)));
	must(incident_emit(inc, (struct incident_emit){.kind = RECORD_INCIDENT_OPENED, .by = o->by, .data = d}, NULL) == ERR_OK);
	return inc;
}
