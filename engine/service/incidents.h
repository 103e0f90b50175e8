#ifndef RUNG_SERVICE_INCIDENTS_H
#define RUNG_SERVICE_INCIDENTS_H

#include "service/incident.h"

/* What incident*.c, rail.c and remembered.c share: all incidents of an engine, by what they are asked for. */

enum { INCIDENTS_OPEN_MAX = 100000 }; /* of about 4 KiB each; more than that nobody works on: intake is refused */

struct incident_recent {
	const char *name;
	char *bytes;
	size_t n;
};

struct incident_follow; /* what runs when a batch is durable */

/* A batch, while it is filled and until it is answered. */
struct incident_commit {
	struct incidents *all;
	struct store_batch *batch;
	struct arena *arena; /* NULL: nothing was kept */
	struct incident_follow *first, **last;
	struct incident_recent *recent;
	size_t recent_count, recent_capacity;
	struct incident_commit *next;
};

struct incidents {
	struct engine *engine;
	struct table *by_id;        /* struct incident */
	struct table *alerts;       /* struct remembered, by an alert's key */
	struct table *by_group;     /* open ones, by their group's key */
	struct table *by_execution; /* struct incident */
	struct table *rails;        /* struct rail, by rule */
	struct incident *dirty;
	size_t open;
	struct incident_commit *filling;               /* NULL: nothing was emitted since the last commit */
	struct incident_commit *flying, **last_flying; /* submitted, in order */
	struct store_chain chain;                      /* of their batches, since they were read */
	bool is_commit_due;
	bool is_reset;                            /* is_reset: what is in memory is not what is stored: to be read back */
	int64_t read_back_us, read_back_pause_us; /* when that was done last, and how long it waits before it is done once more */
	int64_t swept_us, lost_us;                /* lost: when an execution of an incident left the engine for want of space; 0: none did */
};

/* An incident that is in no table but by_id yet. */
struct incident *incident_new(struct incidents *all, const char *id);

/* What was emitted since the last commit is not submitted any more: who waits for it is told so. */
void incident_drop_filling(struct incidents *all);

/* Out of all tables, and freed. */
void incident_forget(struct incident *inc);

/* Reads back all that are open or changed lately. */
enum err incidents_read(struct incidents *all, struct error *e);

/* Drops what is in memory and reads it back: where a batch could not be stored. At once, but not again and again on a disk that stays full: then
 * incidents_tick comes back to it. */
void incidents_reset(struct incidents *all);

/* How far back guard rails look, and no less than what makes a delivery late. */
int64_t incidents_memory_us(const struct incidents *all);

#endif
