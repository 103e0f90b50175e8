#include "store_fixture.h"

/* The guard outside the state directory: an older copy, an exchanged or an emptied directory is refused, and says why. */

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

static void copy_file(const char *from, const char *to)
{
	struct buf b;
	struct error e;
	buf_init(&b, 64 << 20);
	assert_int_equal(fs_read(from, &b, &e), ERR_OK);
	assert_int_equal(fs_write_atomic(to, b.data, b.len, 0600, &e), ERR_OK);
	buf_clear(&b);
}

static void save_db(struct place *p, const char *name)
{
	char from[128], to[128];
	snprintf(from, sizeof from, "%s/store.db", p->dir);
	snprintf(to, sizeof to, "%s/%s", p->root, name);
	copy_file(from, to);
}

static void restore_db(struct place *p, const char *name)
{
	char from[128], to[128], extra[160];
	snprintf(from, sizeof from, "%s/%s", p->root, name);
	snprintf(to, sizeof to, "%s/store.db", p->dir);
	snprintf(extra, sizeof extra, "%s-wal", to);
	unlink(extra);
	snprintf(extra, sizeof extra, "%s-shm", to);
	unlink(extra);
	copy_file(from, to);
}

static void write_one(struct place *p, const char *execution)
{
	struct store *s = place_open(p);
	write_execution(s, execution, 1);
	store_close(s);
}

static void expect_refused(struct place *p, const char *word)
{
	struct error e;
	struct store_verdict v;
	assert_int_equal(place_try_open(p, &e), ERR_VERIFY);
	if (!strstr(e.text, word)) fail_msg("expected \"%s\", got: %s", word, e.text);
	assert_non_null(strstr(e.text, "rung init --new-log"));
	(void)v;
}

static void an_older_copy_is_refused_with_the_reason(void **state)
{
	struct place *p = *state;
	struct store_verdict v;
	struct error e;
	write_one(p, execution_a);
	save_db(p, "older");
	write_one(p, execution_b);
	save_db(p, "newer");
	restore_db(p, "older");
	expect_refused(p, "smaller than the guard has seen: it has 7 records, 13 were signed");
	assert_int_equal(store_verify(p->dir, p->guard, &v, &e), ERR_VERIFY);
	assert_int_equal(v.wrong_seq, 7);
	assert_non_null(strstr(v.reason, "the guard has seen 13 records"));
	restore_db(p, "newer");
	assert_int_equal(place_try_open(p, &e), ERR_OK);
}

static void an_older_copy_that_went_its_own_way_is_refused(void **state)
{
	struct place *p = *state;
	struct error e;
	struct store_verdict v;
	char keep[96];
	write_one(p, execution_a);
	save_db(p, "older");
	write_one(p, execution_b);
	/* Somebody takes the old copy elsewhere, with the keys and without the guard, and writes another history as long. */
	restore_db(p, "older");
	memcpy(keep, p->guard, sizeof p->guard);
	snprintf(p->guard, sizeof p->guard, "%s/else", p->root);
	write_one(p, "01JD9Z8Q6M3T4N5P6R7S8T9V2W");
	memcpy(p->guard, keep, sizeof p->guard);
	expect_refused(p, "different from what the guard has seen");
	assert_int_equal(store_verify(p->dir, p->guard, &v, &e), ERR_VERIFY);
	assert_non_null(strstr(v.reason, "the guard saw another log"));
	/* A longer one, too. */
	snprintf(p->guard, sizeof p->guard, "%s/else", p->root);
	write_one(p, "01JD9Z8Q6M3T4N5P6R7S8T9V3W");
	memcpy(p->guard, keep, sizeof p->guard);
	expect_refused(p, "its first 13 records give another root");
}

static void a_store_ahead_of_its_guard_is_fine(void **state)
{
	struct place *p = *state;
	struct error e;
	char command[256];
	write_one(p, execution_a);
	snprintf(command, sizeof command, "cp -r %s %s/saved", p->guard, p->root);
	assert_int_equal(system(command), 0);
	write_one(p, execution_b);
	snprintf(command, sizeof command, "rm -r %s && mv %s/saved %s", p->guard, p->root, p->guard);
	assert_int_equal(system(command), 0);
	assert_int_equal(place_try_open(p, &e), ERR_OK);
}

static void an_exchanged_or_emptied_directory_is_refused(void **state)
{
	struct place *p = *state, other;
	struct error e;
	char path[128], command[256];
	write_one(p, execution_a);
	place_make(&other);
	struct store_options o = {.dir = other.dir, .guard_dir = other.guard, .origin = "other.example/journal"};
	struct store *s;
	assert_int_equal(store_open(&o, &s, &e), ERR_OK);
	store_close(s);
	snprintf(command, sizeof command, "rm -r %s && cp -r %s %s", p->dir, other.dir, p->dir);
	assert_int_equal(system(command), 0);
	expect_refused(p, "it was exchanged");
	snprintf(path, sizeof path, "%s/store.db", p->dir);
	unlink(path);
	expect_refused(p, "its database is gone");
	struct store_verdict v;
	assert_int_equal(store_verify(p->dir, p->guard, &v, &e), ERR_VERIFY);
	assert_non_null(strstr(v.reason, "its database is gone"));
	place_remove(&other);
}

static void a_torn_slot_of_the_guard_leaves_the_one_before(void **state)
{
	struct place *p = *state;
	struct error e;
	char command[256];
	write_one(p, execution_a);
	for (int slot = 0; slot < 2; slot++) {
		/* Half a slot of zeros, as a power cut may leave it. */
		snprintf(command, sizeof command, "dd if=/dev/zero of=$(echo %s/*.guard) bs=64 count=2 seek=%d conv=notrunc 2>/dev/null", p->guard, slot * 64);
		assert_int_equal(system(command), 0);
		assert_int_equal(place_try_open(p, &e), ERR_OK);
		write_one(p, slot ? execution_b : "01JD9Z8Q6M3T4N5P6R7S8T9V4W");
	}
}

/* A power cut may leave the beginning of the new note before the end of the old one: whole by its looks, and signed for something else. */
static void a_slot_of_the_guard_that_looks_whole_and_is_torn_leaves_the_one_before(void **state)
{
	struct place *p = *state;
	struct error e;
	char command[512];
	write_one(p, execution_a);
	for (int slot = 0; slot < 2; slot++) {
		snprintf(command, sizeof command,
		         "f=$(echo %s/*.guard) && at=$(dd if=$f bs=4096 skip=%d count=1 2>/dev/null | grep -aobm1 '^[0-9]*$' | cut -d: -f1) && "
		         "printf 9 | dd of=$f bs=1 seek=$((at + %d)) conv=notrunc 2>/dev/null",
		         p->guard, slot, slot * 4096);
		assert_int_equal(system(command), 0);
		assert_int_equal(place_try_open(p, &e), ERR_OK);
	}
}

static void a_log_that_was_set_aside_makes_room_for_a_new_one(void **state)
{
	struct place *p = *state;
	struct error e;
	struct store_verdict v;
	struct buf note;
	write_one(p, execution_a);
	save_db(p, "older");
	write_one(p, execution_b);
	restore_db(p, "older");
	expect_refused(p, "smaller");
	buf_init(&note, 65536);
	struct store *s = NULL;
	assert_int_equal(store_set_aside(p->dir, p->guard, &note, &e), ERR_OK);
	assert_non_null(strstr(note.data, "test.example/journal\n7\n"));
	struct store_options o = {.dir = p->dir, .guard_dir = p->guard, .origin = "test.example/second"};
	assert_int_equal(store_open(&o, &s, &e), ERR_OK);
	buf_reset(&note);
	assert_int_equal(store_set_aside(p->dir, p->guard, &note, &e), ERR_CONFLICT);
	store_close(s);
	assert_int_equal(store_verify(p->dir, p->guard, &v, &e), ERR_OK);
	assert_string_equal(v.origin, "test.example/second");
	buf_clear(&note);
}

/* A first open that died between its keys and its first record: the next one has another name, and the key file names that. */
static void keys_of_a_first_open_that_died_are_those_of_the_next(void **state)
{
	struct place *p = *state;
	struct store_verdict v;
	struct store *s;
	struct error e;
	struct store_options o = {.dir = p->dir, .guard_dir = p->guard, .origin = "test.example/died"};
	char command[256];
	assert_int_equal(store_open(&o, &s, &e), ERR_OK);
	store_close(s);
	snprintf(command, sizeof command, "rm -r %s/store.db* %s", p->dir, p->guard);
	assert_int_equal(system(command), 0);
	o.origin = "test.example/next";
	assert_int_equal(store_open(&o, &s, &e), ERR_OK);
	store_close(s);
	assert_int_equal(store_verify(p->dir, p->guard, &v, &e), ERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(an_older_copy_is_refused_with_the_reason, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_older_copy_that_went_its_own_way_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_store_ahead_of_its_guard_is_fine, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_exchanged_or_emptied_directory_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(keys_of_a_first_open_that_died_are_those_of_the_next, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_torn_slot_of_the_guard_leaves_the_one_before, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_slot_of_the_guard_that_looks_whole_and_is_torn_leaves_the_one_before, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_log_that_was_set_aside_makes_room_for_a_new_one, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
