#ifndef TESTS_STORE_LYING_SCENARIOS_H
#define TESTS_STORE_LYING_SCENARIOS_H

#include "lying_disk.h"
#include "store_fixture.h"

/* What a store is put through on a disk that lies, and what must be true of what is left. */

enum { ITEMS_MAX = 320, LOGS_MAX = 2 };

/* One batch: what it holds, and what was answered. */
struct item {
	struct answer a;
	int records;
	char blob[STORE_BLOB_NAME_BYTES]; /* empty: none */
	size_t blob_bytes, plan_bytes;    /* plan_bytes 0: none */
	int erases;                       /* the item whose blob it erases; 0: none */
	int log;
	bool is_late; /* submitted after a write or a sync of the database had failed */
};

struct run {
	struct place p;
	struct store *s;
	const char *origin;
	int n; /* items are counted from 1 */
	int log;
	size_t start;      /* of the trace: what stood there before */
	int broken;        /* item that was answered ERR_IO since the store was opened; 0: none */
	int first_new;     /* item of what is watched */
	int failed_before; /* disk_store_failed when it was opened */
	bool was_open;     /* the last time that it was tried */
	struct item items[ITEMS_MAX];
};

struct scenario {
	const char *name;
	void (*prepare)(struct run *r); /* before the disk is watched; NULL: nothing */
	void (*act)(struct run *r);
	bool sets_aside;
};
extern const struct scenario scenarios[];
extern const int scenarios_n;

struct run *run_new(void);
void run_free(struct run *r);

/* What a scenario does, watched, with a fault or without (NULL). The trace is the caller's. */
struct trace *run_scenario(struct run *r, const struct scenario *x, const struct disk_fault *fault, int nth);

/* Opens what is left and holds it against what was acknowledged: by then (trace, cut), or at all (NULL). What is wrong is told with where. */
void run_check(struct run *r, const struct scenario *x, const struct trace *t, size_t cut, const char *where);

#endif
