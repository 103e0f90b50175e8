#include "service/inventory.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/yaml.h"
#include "service/file_watch.h"
#include "service/inventory_command.h"
#include "service/owned_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_AS ".rung/inventory.yaml"

struct waiter {
	struct waiter *next;
	inventory_told *told;
	void *arg;
};

struct inventory_at {
	struct inventory_at *next;
	struct engine *engine;
	char *root, *path;
	struct file_watch watch;
	struct buf file; /* its bytes; the answer is read together with them */
	struct arena *arena;
	const struct inventory *inventory; /* of the file alone, or with the command's answer (is_whole) */
	struct arena *old_arena;
	const struct inventory *old; /* the last whole one, until the command of another file has answered; NULL: there is none */
	struct error failure;        /* of the command's last run; its kind is ERR_OK where that went well */
	enum err err;
	struct error error;
	uint64_t version;
	int64_t answered_us; /* monotonic */
	bool is_telling;     /* those that waited: to them the answer is fresh however short its time */
	struct inventory_command_run *run;
	struct reading *reading; /* of that run, until it has ended */
	bool is_busy;            /* it runs, or its answer is read */
	struct waiter *waiters;  /* in the order in which they came */
};

/* What the command printed, read together with its file on a thread of the pool: it may be long. */
struct reading {
	uv_work_t work;
	struct inventory_at *at;
	struct buf file, answer;
	struct arena *arena;
	const struct inventory *inventory;
	enum err err;
	struct error error;
};

static void reading_free(struct reading *r)
{
	if (r->arena) arena_free(r->arena);
	buf_clear(&r->file);
	buf_clear(&r->answer);
	free(r);
}

struct inventory_at *engine_inventory(struct engine *en, const char *root)
{
	for (struct inventory_at *at = en->inventories; at; at = at->next)
		if (strcmp(at->root, root) == 0) return at;
	struct inventory_at *at = mem_zero(sizeof *at);
	*at = (struct inventory_at){.next = en->inventories, .engine = en, .root = mem_strdup(root), .path = mem_printf("%s/" SHOWN_AS, root)};
	buf_init(&at->file, YAML_BYTES_MAX + 1);
	return en->inventories = at;
}

static void forget_old(struct inventory_at *at)
{
	if (at->old_arena) arena_free(at->old_arena);
	at->old_arena = NULL;
	at->old = NULL;
}

static void take_waiters(struct inventory_at *at, const struct inventory *inv, const struct error *e)
{
	struct waiter *all = at->waiters;
	at->waiters = NULL;
	at->is_telling = inv != NULL;
	while (all) {
		struct waiter *w = all;
		all = w->next;
		w->told(w->arg, inv, e);
		free(w);
	}
	at->is_telling = false;
}

void engine_inventories_stop(struct engine *en)
{
	for (struct inventory_at *at = en->inventories; at; at = at->next) {
		take_waiters(at, NULL, NULL);
		if (!at->run) continue;
		inventory_command_stop(at->run);
		reading_free(at->reading);
		at->run = NULL;
	}
}

void engine_inventories_free(struct engine *en)
{
	while (en->inventories) {
		struct inventory_at *at = en->inventories;
		en->inventories = at->next;
		forget_old(at);
		if (at->arena) arena_free(at->arena);
		buf_clear(&at->file);
		free(at->root);
		free(at->path);
		free(at);
	}
}

/* Takes the place of what was known. */
static void keep(struct inventory_at *at, struct arena *a, const struct inventory *inv)
{
	if (inv && inv->is_whole) forget_old(at);
	bool is_worth_it = !(inv && inv->is_whole) && at->inventory && at->inventory->is_whole;
	if (is_worth_it) {
		forget_old(at);
		at->old_arena = at->arena;
		at->old = at->inventory;
	} else if (at->arena) {
		arena_free(at->arena);
	}
	at->arena = a;
	at->inventory = inv;
	at->version++;
}

uint64_t inventory_version(const struct inventory_at *at)
{
	return at->version;
}

/* The file by itself; what its command would name comes later. */
static enum err parse(struct inventory_at *at, struct error *e)
{
	struct arena *a = arena_new();
	const struct inventory *inv = NULL;
	enum err err = inventory_read(a, SHOWN_AS, at->file.data ? at->file.data : "", at->file.len, NULL, 0, &inv, e);
	if (err)
		arena_free(a);
	else
		keep(at, a, inv);
	return err;
}

static void read_file(struct inventory_at *at, const struct stat *now)
{
	struct buf b;
	buf_init(&b, YAML_BYTES_MAX + 1);
	struct error e;
	enum err err = owned_file_read(at->path, at->engine->commands_as, &b, &e);
	bool is_same = !err && at->inventory && b.len == at->file.len && (b.len == 0 || memcmp(b.data, at->file.data, b.len) == 0);
	file_watch_was_read(&at->watch, now, !err);
	if (is_same) {
		buf_clear(&b);
		return;
	}
	/* What the command of another file printed is none of this one's. */
	keep(at, NULL, NULL);
	at->failure.kind = ERR_OK;
	buf_clear(&at->file);
	at->file = b;
	at->err = err ? err : parse(at, &e);
	if (at->err) at->error = e;
}

static bool is_fresh(const struct inventory_at *at)
{
	const struct inventory_command *c = at->inventory->command;
	return at->inventory->is_whole && (!c || at->is_telling || clock_monotonic_us() - at->answered_us < c->cache_us);
}

enum err inventory_now(struct inventory_at *at, const struct inventory **out, struct error *e)
{
	struct stat now;
	if (stat(at->path, &now) != 0) {
		if (errno != ENOENT) return error_errno(e, "%s", at->path);
		at->watch.is_read = false;
		at->err = ERR_OK;
		if (!at->inventory || at->inventory->file) {
			struct arena *a = arena_new();
			keep(at, a, inventory_none(a));
		}
	} else if (!file_watch_is_same(&at->watch, &now)) {
		read_file(at, &now);
	}
	if (at->err && e) *e = at->error;
	if (at->err) return at->err;
	*out = at->inventory;
	return is_fresh(at) ? ERR_OK : error_set(e, ERR_WAITING, "%s", at->failure.kind ? at->failure.text : "the command of " SHOWN_AS " has to be run first");
}

int64_t inventory_wait_us(const struct inventory_at *at)
{
	return at->inventory && at->inventory->command ? at->inventory->command->timeout_us : 0;
}

static void run_ended(void *arg, enum err err, struct buf *printed, const struct error *e);

static void start(struct inventory_at *at)
{
	struct reading *r = mem_zero(sizeof *r);
	struct error e;
	*r = (struct reading){.work.data = r, .at = at, .arena = arena_new()};
	buf_init(&r->file, YAML_BYTES_MAX + 1);
	buf_add(&r->file, at->file.data, at->file.len);
	at->is_busy = true;
	at->reading = r;
	if (!inventory_command_start(at->engine, at->inventory->command, at->root, run_ended, r, &at->run, &e)) return;
	reading_free(r);
	at->is_busy = false;
	take_waiters(at, NULL, &e);
}

/* The answer is here, or will not come. */
static void settle(struct reading *r)
{
	struct inventory_at *at = r->at;
	const struct inventory *inv = NULL;
	struct error why = r->error;
	at->is_busy = false;
	enum err now = inventory_now(at, &inv, &why); /* the file may have changed meanwhile */
	bool is_same = r->file.len == at->file.len && (r->file.len == 0 || memcmp(r->file.data, at->file.data, r->file.len) == 0);
	if (now == ERR_WAITING && !is_same) {
		if (at->waiters) start(at);
		return;
	}
	if (is_same) at->failure = r->error;
	if (is_same) at->failure.kind = r->err;
	if (now == ERR_WAITING && !r->err) {
		keep(at, r->arena, r->inventory);
		r->arena = NULL;
		at->answered_us = clock_monotonic_us();
		inv = at->inventory;
	} else if (now == ERR_WAITING) {
		why = r->error;
		inv = NULL;
	} else if (now) {
		inv = NULL;
	}
	take_waiters(at, inv, inv ? NULL : &why);
}

static void read_answer(uv_work_t *w)
{
	struct reading *r = w->data;
	r->err = inventory_read(r->arena, SHOWN_AS, r->file.data, r->file.len, r->answer.data ? r->answer.data : "", r->answer.len, &r->inventory, &r->error);
}

static void answer_read(uv_work_t *w, int status)
{
	struct reading *r = w->data;
	(void)status;
	r->at->engine->queries--;
	settle(r);
	reading_free(r);
}

static void run_ended(void *arg, enum err err, struct buf *printed, const struct error *e)
{
	struct reading *r = arg;
	r->at->run = NULL;
	if (err) {
		r->err = err;
		r->error = *e;
		settle(r);
		reading_free(r);
		return;
	}
	r->answer = *printed;
	buf_init(printed, 0);
	r->at->engine->queries++;
	must(uv_queue_work(&r->at->engine->loop, &r->work, read_answer, answer_read) == 0);
}

enum err inventory_known(struct inventory_at *at, const struct inventory **out, struct error *e)
{
	enum err err = inventory_now(at, out, e);
	if (err != ERR_WAITING || (*out)->is_whole) return err == ERR_WAITING ? ERR_OK : err;
	if (!at->is_busy && !at->failure.kind) start(at);
	if (!at->old) return err;
	*out = at->old;
	return ERR_OK;
}

void inventory_ask(struct inventory_at *at, inventory_told *told, void *arg)
{
	const struct inventory *inv = NULL;
	struct error e;
	enum err err = inventory_now(at, &inv, &e);
	if (err != ERR_WAITING) {
		told(arg, err ? NULL : inv, err ? &e : NULL);
		return;
	}
	struct waiter *w = mem_zero(sizeof *w), **end = &at->waiters;
	*w = (struct waiter){.told = told, .arg = arg};
	while (*end) end = &(*end)->next;
	*end = w;
	if (!at->is_busy) start(at);
}
