#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

/* A state directory of a test's own, with its guard beside it, and short ways to write to it. */

#include "base/arena.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fs.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct place {
	char root[64], dir[80], guard[80];
};

static inline void place_make(struct place *p)
{
	snprintf(p->root, sizeof p->root, "/tmp/rung-test-store-XXXXXX");
	assert_non_null(mkdtemp(p->root));
	snprintf(p->dir, sizeof p->dir, "%s/state", p->root);
	snprintf(p->guard, sizeof p->guard, "%s/guard", p->root);
}

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	return remove(path);
}

static inline void place_remove(struct place *p)
{
	nftw(p->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline struct store *place_open_clock(struct place *p, int64_t (*clock_us)(void))
{
	struct store_options o = {.dir = p->dir, .guard_dir = p->guard, .origin = "test.example/journal", .node = "n1", .clock_us = clock_us};
	struct store *s = NULL;
	struct error e = {0};
	enum err err = store_open(&o, &s, &e);
	if (err) fail_msg("store_open: %s", e.text);
	return s;
}

static inline struct store *place_open(struct place *p)
{
	return place_open_clock(p, NULL);
}

static inline enum err place_try_open(struct place *p, struct error *e)
{
	struct store_options o = {.dir = p->dir, .guard_dir = p->guard};
	struct store *s = NULL;
	enum err err = store_open(&o, &s, e);
	store_close(s);
	return err;
}

/* What done said. */
struct answer {
	int calls;
	enum err err;
	uint64_t first_seq;
	int64_t t_us;
	struct error error;
};

static inline void take_answer(void *arg, enum err err, uint64_t first_seq, int64_t t_us, const struct error *e)
{
	struct answer *a = arg;
	a->calls++;
	a->err = err, a->first_seq = first_seq, a->t_us = t_us;
	if (e) a->error = *e;
}

static inline struct answer submit_and_wait(struct store *s, struct store_batch *b)
{
	struct answer a = {0};
	store_submit(s, b, take_answer, &a);
	store_drain(s);
	assert_int_equal(a.calls, 1);
	return a;
}

static const char execution_a[] = "01JD9Z8Q6M3T4N5P6R7S8T9V0W";
static const char execution_b[] = "01JD9Z8Q6M3T4N5P6R7S8T9V1W";

static inline void add_record(struct store_batch *b, const char *execution, const char *step, enum record_kind kind, uint64_t epoch, json_t *d)
{
	struct record r = {.kind = kind,
	                   .execution = execution,
	                   .step = step,
	                   .attempt = 1,
	                   .call = kind == RECORD_CALL_STARTED || kind == RECORD_CALL_FINISHED,
	                   .epoch = epoch,
	                   .by = "user:ana",
	                   .data = d};
	struct error e = {0};
	if (store_batch_record(b, &r, &e)) fail_msg("store_batch_record: %s", e.text);
	json_decref(d);
}

static inline void add_execution(struct store_batch *b, const char *id, const char *state, bool is_open, uint64_t epoch)
{
	struct store_execution x = {.id = id,
	                            .book = "runbooks/disk.md",
	                            .title = "Disk full",
	                            .state = state,
	                            .driver = "user:ana",
	                            .started_us = 1795388400000000,
	                            .is_open = is_open,
	                            .epoch = epoch};
	if (!is_open) x.finished_us = 1795388500000000;
	store_batch_execution(b, &x);
}

static inline void add_started(struct store_batch *b, const char *id, uint64_t epoch)
{
	char plan[65];
	digest_sha256_hex(plan, "plan", 4);
	add_record(b, id, NULL, RECORD_EXECUTION_STARTED, epoch, json_pack("{s:s,s:s}", "book", "runbooks/disk.md", "plan", plan));
	add_execution(b, id, "running", true, epoch);
}

/* An execution with a plan, a timer, steps, calls and blobs, ended: 2 + 4 * steps records, one batch each but the last. */
static inline void write_execution(struct store *s, const char *id, int steps)
{
	char name[STORE_BLOB_NAME_BYTES], text[64], plan[65];
	struct store_batch *b = store_batch_new();
	add_started(b, id, 1);
	digest_sha256_hex(plan, "plan", 4);
	store_batch_plan(b, plan, "plan", 4);
	store_batch_timer(b, id, NULL, "deadline", 1795388400000000);
	assert_int_equal(submit_and_wait(s, b).err, ERR_OK);
	for (int i = 0; i < steps; i++) {
		snprintf(text, sizeof text, "step-%d", i);
		b = store_batch_new();
		add_record(b, id, text, RECORD_ATTEMPT_STARTED, 1, json_pack("{s:s}", "effect", "once"));
		assert_int_equal(submit_and_wait(s, b).err, ERR_OK);
		b = store_batch_new();
		store_batch_blob(b, id, text, strlen(text), name);
		add_record(b, id, text, RECORD_CALL_STARTED, 1,
		           json_pack("{s:s,s:s,s:s,s:s}", "module", "sh", "function", "sh", "effect", "once", "arguments", name));
		assert_int_equal(submit_and_wait(s, b).err, ERR_OK);
		b = store_batch_new();
		store_batch_blob(b, id, "", 0, name);
		add_record(b, id, text, RECORD_CALL_FINISHED, 1, json_pack("{s:s,s:s,s:i}", "outcome", "ok", "answer", name, "code", 0));
		add_record(b, id, text, RECORD_ATTEMPT_FINISHED, 1, json_pack("{s:s}", "outcome", "succeeded"));
		assert_int_equal(submit_and_wait(s, b).err, ERR_OK);
	}
	b = store_batch_new();
	add_record(b, id, NULL, RECORD_EXECUTION_FINISHED, 1, json_pack("{s:s}", "state", "succeeded"));
	add_execution(b, id, "succeeded", false, 1);
	store_batch_timer(b, id, NULL, "deadline", 0);
	store_batch_timer(b, id, "step-0", "remind", 1795388400000001);
	assert_int_equal(submit_and_wait(s, b).err, ERR_OK);
}

#endif
