#include "base/clock.h"
#include "store_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

/* What was answered is there after the process dies at any moment, and after the disk says no. */

static int set_up(void **state)
{
	struct place *p = mem_zero(sizeof *p);
	place_make(p);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	place_remove(*state);
	free(*state);
	return 0;
}

/* The child: submits for ever, and writes the number of each record to the pipe only after its done said so. */

struct child {
	struct store *s;
	int pipe, waiting;
};

static void acknowledge(void *arg, enum err err, uint64_t first_seq, int64_t t_us, const struct error *e)
{
	struct child *c = arg;
	(void)t_us, (void)e;
	c->waiting--;
	if (err || write(c->pipe, &first_seq, sizeof first_seq) != sizeof first_seq) _exit(1);
}

static void run_child(struct place *p, int pipe, int round)
{
	struct store_options o = {.dir = p->dir, .guard_dir = p->guard, .origin = "test.example/journal"};
	struct child c = {NULL, pipe, 0};
	if (store_open(&o, &c.s, NULL)) _exit(2);
	char id[] = "01JD9Z8Q6M3T4N5P6R7S8T9000", name[STORE_BLOB_NAME_BYTES], text[300];
	id[24] = (char)('0' + round / 10), id[25] = (char)('0' + round % 10);
	memset(text, 'x', sizeof text);
	struct store_batch *b = store_batch_new();
	add_started(b, id, 1);
	c.waiting++;
	store_submit(c.s, b, acknowledge, &c);
	for (int i = 1;; i++) {
		while (c.waiting > i % 7) store_deliver(c.s); /* now one at a time, now several that share a transaction */
		b = store_batch_new();
		store_batch_blob(b, id, text, (size_t)(i % 300), name);
		add_record(b, id, "s", RECORD_CALL_STARTED, 1,
		           json_pack("{s:s,s:s,s:s,s:s}", "module", "sh", "function", "sh", "effect", "once", "arguments", name));
		store_batch_timer(b, id, "s", "deadline", i);
		c.waiting++;
		store_submit(c.s, b, acknowledge, &c);
	}
}

/* Reads acknowledgements until the time is up, kills, and reads the rest. The highest number that was acknowledged. */
static uint64_t kill_after(pid_t child, int pipe, int64_t us)
{
	uint64_t seq, last = 0;
	int64_t end = clock_monotonic_us() + us;
	struct pollfd f = {pipe, POLLIN, 0};
	bool is_killed = false;
	for (;;) {
		int64_t left = end - clock_monotonic_us();
		if (left <= 0 && !is_killed) {
			kill(child, SIGKILL);
			is_killed = true;
		}
		if (poll(&f, 1, is_killed ? 10000 : (int)(left / 1000) + 1) <= 0) continue;
		if (read(pipe, &seq, sizeof seq) != sizeof seq) break;
		if (seq > last) last = seq;
	}
	if (!is_killed) kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return last;
}

static void what_was_answered_survives_kill_9_at_any_moment(void **state)
{
	struct place *p = *state;
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)clock_now_us();
	int rounds = getenv("TORTURE") ? 99 : 30;
	uint64_t most = 0;
	print_message("SEED=%u\n", seed);
	/* More where the machine is so busy that most are killed before they wrote anything. */
	for (int round = 0; round < rounds || (most <= 100 && round < 20 * rounds); round++) {
		int pipe_fds[2];
		struct store_verdict v;
		struct error e;
		assert_int_equal(pipe(pipe_fds), 0);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			close(pipe_fds[0]);
			run_child(p, pipe_fds[1], round);
		}
		close(pipe_fds[1]);
		uint64_t last = kill_after(child, pipe_fds[0], rand_r(&seed) % 120000);
		close(pipe_fds[0]);
		if (last > most) most = last;
		char db[128];
		snprintf(db, sizeof db, "%s/store.db", p->dir);
		if (!fs_exists(db)) continue; /* killed before it made anything */
		/* As it was left, and again after the next owner opened it. */
		if (last > 0 && store_verify(p->dir, p->guard, &v, &e) != ERR_OK) fail_msg("round %d: %s", round, e.text);
		struct store *s = place_open(p);
		store_close(s);
		if (store_verify(p->dir, p->guard, &v, &e) != ERR_OK) fail_msg("round %d, opened again: %s", round, e.text);
		assert_true(v.records > most);
	}
	print_message("%llu records survived %d kills\n", (unsigned long long)most, rounds);
	assert_true(most > 100);
}

/* A VFS over SQLite's own that says no when it is told to. */

enum fault { FAULT_NONE, FAULT_FULL, FAULT_SYNC, FAULT_WRITE, FAULT_COPY };
static enum fault fault; /* guarded by the mutex: the writer thread reads it */
static int fault_times;
static pthread_mutex_t fault_mutex = PTHREAD_MUTEX_INITIALIZER;
/* A database and its WAL have methods of their own: [0] and [1]. */
static sqlite3_io_methods methods[2], below[2];
static sqlite3_vfs vfs;
static sqlite3_vfs *base;

static bool fails(enum fault f)
{
	pthread_mutex_lock(&fault_mutex);
	bool is_now = fault == f && fault_times != 0;
	if (is_now && fault_times > 0) fault_times--;
	pthread_mutex_unlock(&fault_mutex);
	return is_now;
}

static void set_fault(enum fault f, int times)
{
	pthread_mutex_lock(&fault_mutex);
	fault = f, fault_times = times;
	pthread_mutex_unlock(&fault_mutex);
}

static const sqlite3_io_methods *below_of(sqlite3_file *file)
{
	return &below[file->pMethods == &methods[1]];
}

static int faulty_write(sqlite3_file *file, const void *data, int n, sqlite3_int64 at)
{
	if (fails(FAULT_FULL)) return SQLITE_FULL;
	if (fails(FAULT_WRITE)) return SQLITE_IOERR_WRITE;
	if (file->pMethods == &methods[0] && fails(FAULT_COPY)) return SQLITE_IOERR_WRITE; /* the database is written when the WAL is copied into it */
	return below_of(file)->xWrite(file, data, n, at);
}

static int faulty_sync(sqlite3_file *file, int flags)
{
	return fails(FAULT_SYNC) ? SQLITE_IOERR_FSYNC : below_of(file)->xSync(file, flags);
}

static int faulty_open(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
	(void)self;
	int rc = base->xOpen(base, name, file, flags, out_flags);
	if (rc == SQLITE_OK && file->pMethods && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL))) {
		int i = (flags & SQLITE_OPEN_WAL) != 0;
		below[i] = methods[i] = *file->pMethods;
		methods[i].xWrite = faulty_write;
		methods[i].xSync = faulty_sync;
		file->pMethods = &methods[i];
	}
	return rc;
}

static struct answer write_one(struct store *s)
{
	struct store_batch *b = store_batch_new();
	add_record(b, execution_a, "s", RECORD_STEP_REQUESTED, 1, NULL);
	return submit_and_wait(s, b);
}

static struct store *open_started(struct place *p)
{
	struct store *s = place_open(p);
	struct store_batch *b = store_batch_new();
	add_started(b, execution_a, 1);
	assert_int_equal(submit_and_wait(s, b).err, ERR_OK);
	return s;
}

static void expect_whole(struct place *p, uint64_t at_least)
{
	struct store_verdict v;
	struct error e;
	if (store_verify(p->dir, p->guard, &v, &e) != ERR_OK) fail_msg("%s", e.text);
	assert_true(v.records >= at_least);
}

static void a_full_disk_is_met_with_the_reserve(void **state)
{
	struct place *p = *state;
	char reserve[128];
	struct store *s = open_started(p);
	snprintf(reserve, sizeof reserve, "%s/reserve", p->dir);
	assert_true(fs_exists(reserve) && !store_is_reserve_spent(s));
	set_fault(FAULT_FULL, 1);
	assert_int_equal(write_one(s).err, ERR_OK);
	assert_true(!fs_exists(reserve) && store_is_reserve_spent(s));
	/* Once it is spent, a batch that does not fit is refused, and the next that fits goes through. */
	set_fault(FAULT_FULL, -1);
	struct answer a = write_one(s);
	assert_int_equal(a.err, ERR_FULL);
	assert_true(a.error.text[0]);
	set_fault(FAULT_NONE, 0);
	a = write_one(s);
	assert_int_equal(a.err, ERR_OK);
	assert_int_equal(a.first_seq, 3);
	/* Where there is room again a service that runs on has its reserve back, also while nothing is written. */
	store_regain_reserve(s);
	for (int64_t end_us = clock_monotonic_us() + 20000000; store_is_reserve_spent(s) && clock_monotonic_us() < end_us;) usleep(1000);
	assert_true(fs_exists(reserve) && !store_is_reserve_spent(s));
	store_regain_reserve(s);
	set_fault(FAULT_FULL, 1);
	assert_int_equal(write_one(s).err, ERR_OK);
	assert_true(!fs_exists(reserve) && store_is_reserve_spent(s));
	set_fault(FAULT_NONE, 0);
	store_close(s);
	expect_whole(p, 5);
	s = place_open(p);
	assert_true(fs_exists(reserve) && !store_is_reserve_spent(s));
	store_close(s);
}

static struct answer write_chained(struct store *s, struct store_chain *chain)
{
	struct store_batch *b = store_batch_new();
	add_record(b, execution_a, "s", RECORD_STEP_REQUESTED, 1, NULL);
	store_batch_chain(b, chain);
	return submit_and_wait(s, b);
}

static void nothing_is_stored_behind_what_it_builds_on_and_was_refused(void **state)
{
	struct place *p = *state;
	struct store *s = open_started(p);
	struct store_chain one = {0}, other = {0};
	assert_int_equal(write_chained(s, &one).err, ERR_OK);
	assert_int_equal(write_chained(s, &other).err, ERR_OK);
	set_fault(FAULT_FULL, -1);
	assert_int_equal(write_chained(s, &one).err, ERR_FULL);
	set_fault(FAULT_NONE, 0);
	struct answer a = write_chained(s, &one);
	assert_int_equal(a.err, ERR_CONFLICT);
	assert_string_equal(a.error.text, "what it builds on could not be stored");
	assert_int_equal(write_chained(s, &other).err, ERR_OK);
	one = (struct store_chain){0};
	assert_int_equal(write_chained(s, &one).err, ERR_OK);
	store_close(s);
	expect_whole(p, 6);
}

static void a_failed_sync_or_write_breaks_the_store_for_good(void **state)
{
	struct place *p = *state;
	static const enum fault faults[] = {FAULT_SYNC, FAULT_WRITE};
	struct store *s = open_started(p);
	assert_int_equal(write_one(s).err, ERR_OK);
	for (size_t i = 0; i < 2; i++) {
		set_fault(faults[i], 1);
		struct answer a = write_one(s);
		assert_int_equal(a.err, ERR_IO);
		assert_true(a.error.text[0]);
		a = write_one(s); /* although the disk would answer again */
		assert_int_equal(a.err, ERR_IO);
		assert_true(a.error.text[0]);
		store_close(s);
		set_fault(FAULT_NONE, 0);
		expect_whole(p, 3);
		s = place_open(p);
		assert_int_equal(write_one(s).err, ERR_OK);
	}
	store_close(s);
	expect_whole(p, 5);
}

/* What was erased is copied at once, behind the answer. */
static void a_wal_that_cannot_be_copied_breaks_the_store_behind_what_it_answered(void **state)
{
	struct place *p = *state;
	struct error e;
	char name[STORE_BLOB_NAME_BYTES];
	struct store *s = open_started(p);
	struct store_batch *b = store_batch_new();
	store_batch_blob(b, execution_a, "private", 7, name);
	add_record(b, execution_a, NULL, RECORD_NOTE_ADDED, 1, json_pack("{s:s}", "note", name));
	assert_int_equal(submit_and_wait(s, b).err, ERR_OK);
	set_fault(FAULT_COPY, 1);
	b = store_batch_new();
	assert_int_equal(store_batch_erase(b, name, &e), ERR_OK);
	add_record(b, execution_a, NULL, RECORD_BLOB_ERASED, 1, json_pack("{s:i}", "count", 1));
	struct answer first = submit_and_wait(s, b), second = write_one(s);
	set_fault(FAULT_NONE, 0);
	assert_int_equal(first.err, ERR_OK);
	assert_int_equal(second.err, ERR_IO);
	store_close(s);
	expect_whole(p, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_was_answered_survives_kill_9_at_any_moment, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_full_disk_is_met_with_the_reserve, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(nothing_is_stored_behind_what_it_builds_on_and_was_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_wal_that_cannot_be_copied_breaks_the_store_behind_what_it_answered, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_failed_sync_or_write_breaks_the_store_for_good, set_up, tear_down),
	};
	base = sqlite3_vfs_find(NULL);
	vfs = *base;
	vfs.zName = "faulty";
	vfs.xOpen = faulty_open;
	sqlite3_vfs_register(&vfs, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
