/* The nth read, write, sync, open, truncate, rename, delete of a store fails: once and for good, with EIO, ENOSPC, EINTR, or half done.
 * STRIDE=n SEED=n: every nth n of each, from a random one on (all with STRIDE=1); SCENARIO=i FAULT=k: only that one, from 0. Without a stride: the first.
 * limit: 400 */
#include "lying_scenarios.h"

#include <errno.h>

static const struct disk_fault faults[] = {
    {"open: EIO", DISK_OPEN, EIO, false, false, false},
    {"open: EMFILE", DISK_OPEN, EMFILE, false, false, false},
    {"open: EIO for good", DISK_OPEN, EIO, true, false, false},
    {"read: EIO", DISK_READ, EIO, false, false, false},
    {"read: EIO for good", DISK_READ, EIO, true, false, false},
    {"read: EINTR", DISK_READ, EINTR, false, false, false},
    {"read: short", DISK_READ, 0, false, false, false},
    {"write: EIO", DISK_WRITE, EIO, false, false, false},
    {"write: EIO for good", DISK_WRITE, EIO, true, false, false},
    {"write: ENOSPC", DISK_WRITE, ENOSPC, false, false, false},
    {"write: EINTR", DISK_WRITE, EINTR, false, false, false},
    {"write: short", DISK_WRITE, 0, false, false, false},
    {"write: the disk is full until the reserve is given up", DISK_WRITE, ENOSPC, false, true, true},
    {"write: the disk is full for good", DISK_WRITE, ENOSPC, false, true, false},
    {"sync: EIO", DISK_SYNC, EIO, false, false, false},
    {"sync: EIO for good", DISK_SYNC, EIO, true, false, false},
    {"sync: ENOSPC", DISK_SYNC, ENOSPC, false, false, false},
    {"truncate: EIO", DISK_RESIZE, EIO, false, false, false},
    {"truncate: ENOSPC", DISK_RESIZE, ENOSPC, false, false, false},
    {"make, rename: EIO", DISK_NAME, EIO, false, false, false},
    {"make, rename: ENOSPC for good", DISK_NAME, ENOSPC, true, false, false},
    {"delete: EIO", DISK_DELETE, EIO, false, false, false},
};
enum { FAULTS_N = sizeof faults / sizeof *faults };

/* Where the reserve makes room again, what is asked of an open store is done. */
static void expect_reserve_used(const struct run *r, const struct disk_fault *f, const char *where)
{
	if (!f->is_freed || !r->was_open) return;
	for (int i = r->first_new; i <= r->n; i++)
		if (r->items[i].a.err) fail_msg("%s: batch %d was not written although the reserve could be given up: %s", where, i, r->items[i].a.error.text);
}

/* Runs a scenario with one fault and looks at what is left: as it stands, and after the power was cut. False where there was no nth call. */
static bool fail_once(const struct scenario *x, const struct disk_fault *f, int nth, unsigned seed)
{
	struct run *r = run_new();
	char where[200];
	snprintf(where, sizeof where, "%s; %s, call %d", x->name, f->what, nth);
	struct trace *t = run_scenario(r, x, f, nth);
	bool is_hit = disk_failed() > 0;
	if (is_hit) {
		expect_reserve_used(r, f, where);
		run_check(r, x, NULL, 0, where);
		enum cut_kind kind = (enum cut_kind)(seed % CUT_N);
		size_t length = strlen(where);
		snprintf(where + length, sizeof where - length, ", then a cut (%s, %u)", cut_name(kind), seed);
		trace_cut(t, trace_length(t), kind, seed);
		run_check(r, x, t, trace_length(t), where);
	}
	disk_fail(NULL, 0);
	trace_free(t);
	run_free(r);
	return is_hit;
}

static int given(const char *name, int otherwise)
{
	const char *value = getenv(name);
	return value ? atoi(value) : otherwise;
}

/* Every stride-th call of a scenario; without a stride a few, closer together at the beginning. How many failed. */
static int fail_some(const struct scenario *x, const struct disk_fault *f, int stride, unsigned *seed)
{
	int step = stride ? stride : 1 + rand_r(seed) % 48, n = 0;
	for (int nth = 1 + rand_r(seed) % step; fail_once(x, f, nth, (unsigned)rand_r(seed)); n++) {
		nth += step;
		if (!stride) step *= 4;
	}
	return n;
}

static void a_call_that_fails_loses_nothing(void **state)
{
	unsigned seed = (unsigned)given("SEED", 1);
	int scenario = given("SCENARIO", getenv("STRIDE") ? -1 : 0), fault = given("FAULT", -1), n = 0;
	(void)state;
	print_message("SEED=%u\n", seed);
	for (int i = 0; i < scenarios_n; i++)
		for (int k = 0; k < FAULTS_N; k++)
			if ((scenario < 0 || scenario == i) && (fault < 0 || fault == k)) n += fail_some(&scenarios[i], &faults[k], given("STRIDE", 0), &seed);
	print_message("%d failed calls\n", n);
	assert_true(n > 0 || fault >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_call_that_fails_loses_nothing)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
