#include "store_fixture.h"

#include "base/encode.h"

#include <sys/stat.h>
#include <sys/wait.h>

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

struct lines {
	size_t n, stop_after;
	uint64_t seqs[256];
	char *text[256];
};

static bool keep_line(void *arg, uint64_t seq, const char *line, size_t n)
{
	struct lines *l = arg;
	assert_true(l->n < 256);
	l->seqs[l->n] = seq;
	l->text[l->n++] = strndup(line, n);
	return !l->stop_after || l->n < l->stop_after;
}

static void free_lines(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++) free(l->text[i]);
	l->n = 0;
}

static struct lines read_lines(struct store *s, const char *execution, uint64_t from, size_t limit)
{
	struct store_reader *r;
	struct error e;
	struct lines l = {0};
	assert_int_equal(store_reader_open(s, &r, &e), ERR_OK);
	assert_int_equal(store_records(r, execution, from, limit, keep_line, &l, &e), ERR_OK);
	store_reader_close(r);
	return l;
}

static void a_new_log_opens_with_its_origin_and_key(void **state)
{
	struct store *s = place_open(*state);
	struct lines l = read_lines(s, NULL, 0, 0);
	assert_int_equal(l.n, 1);
	assert_non_null(strstr(l.text[0], "\"k\":\"log.opened\""));
	assert_non_null(strstr(l.text[0], "\"origin\":\"test.example/journal\""));
	assert_non_null(strstr(l.text[0], store_vkey(s)));
	free_lines(&l);
	store_close(s);
}

static void private_files_are_private(void **state)
{
	struct place *p = *state;
	struct stat st;
	char path[128];
	store_close(place_open(p));
	assert_int_equal(stat(p->dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	snprintf(path, sizeof path, "%s/keys/log.seed", p->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(path, sizeof path, "%s/store.db", p->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(path, sizeof path, "%s/reserve", p->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 64 << 20);
	chmod(p->dir, 0700);
	snprintf(path, sizeof path, "%s/keys/log.seed", p->dir);
	chmod(path, 0644);
	struct error e;
	assert_int_equal(place_try_open(p, &e), ERR_INVALID);
}

static void what_is_submitted_is_read_back_after_reopening(void **state)
{
	struct store *s = place_open(*state);
	write_execution(s, execution_a, 3);
	write_execution(s, execution_b, 1);
	store_close(s);
	s = place_open(*state);
	struct lines l = read_lines(s, NULL, 0, 0);
	assert_int_equal(l.n, 1 + 14 + 6);
	for (size_t i = 0; i < l.n; i++) {
		char seq[64];
		snprintf(seq, sizeof seq, "{\"v\":1,\"seq\":%zu,", i);
		assert_int_equal(l.seqs[i], i);
		assert_memory_equal(l.text[i], seq, strlen(seq));
	}
	free_lines(&l);
	l = read_lines(s, execution_b, 0, 2);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.seqs[0], 15);
	free_lines(&l);
	l = read_lines(s, execution_a, 14, 0);
	assert_int_equal(l.n, 1);
	free_lines(&l);
	write_execution(s, "01JD9Z8Q6M3T4N5P6R7S8T9V2W", 1);
	store_close(s);
}

static void only_one_process_owns_a_store_and_others_can_read(void **state)
{
	struct place *p = *state;
	struct store *s = place_open(p), *again = NULL;
	struct error e;
	assert_int_equal(place_try_open(p, &e), ERR_CONFLICT);
	struct store_options o = {.dir = p->dir, .is_read_only = true};
	assert_int_equal(store_open(&o, &again, &e), ERR_OK);
	assert_string_equal(store_vkey(again), store_vkey(s));
	struct lines l = read_lines(again, NULL, 0, 0);
	assert_int_equal(l.n, 1);
	free_lines(&l);
	store_close(again);
	store_close(s);
}

static void batches_that_wait_share_a_checkpoint_and_keep_their_order(void **state)
{
	struct store *s = place_open(*state);
	enum { N = 600 };
	struct answer *a = calloc(N, sizeof *a);
	for (int i = 0; i < N; i++) {
		struct store_batch *b = store_batch_new();
		if (i == 0)
			add_started(b, execution_a, 1);
		else
			add_record(b, execution_a, "s", RECORD_STEP_REQUESTED, 1, NULL);
		store_submit(s, b, take_answer, &a[i]);
	}
	store_drain(s);
	for (int i = 0; i < N; i++) {
		assert_int_equal(a[i].err, ERR_OK);
		assert_int_equal(a[i].first_seq, 1 + i);
	}
	free(a);
	store_close(s);
	struct place *p = *state;
	struct store_verdict v;
	struct error e;
	assert_int_equal(store_verify(p->dir, p->guard, &v, &e), ERR_OK);
	assert_true(v.is_whole);
	assert_int_equal(v.records, 1 + N);
	assert_true(v.checkpoints < N / 2);
}

static void a_batch_whose_lease_has_passed_fails_alone_and_leaves_no_gap(void **state)
{
	struct store *s = place_open(*state);
	struct answer a[4] = {{0}};
	struct store_batch *b = store_batch_new();
	add_started(b, execution_a, 2);
	store_submit(s, b, take_answer, &a[0]);
	b = store_batch_new();
	add_record(b, execution_a, "s", RECORD_STEP_REQUESTED, 2, NULL);
	add_record(b, execution_a, "s", RECORD_STEP_REQUESTED, 1, NULL);
	store_submit(s, b, take_answer, &a[1]);
	b = store_batch_new();
	add_execution(b, execution_a, "failed", false, 1);
	store_submit(s, b, take_answer, &a[2]);
	b = store_batch_new();
	add_record(b, execution_a, "s", RECORD_STEP_REQUESTED, 3, NULL);
	store_submit(s, b, take_answer, &a[3]);
	store_drain(s);
	assert_int_equal(a[0].err, ERR_OK);
	assert_int_equal(a[1].err, ERR_CONFLICT);
	assert_non_null(strstr(a[1].error.text, "epoch 2"));
	assert_int_equal(a[2].err, ERR_CONFLICT);
	assert_int_equal(a[3].err, ERR_OK);
	assert_int_equal(a[3].first_seq, 2);
	struct lines l = read_lines(s, NULL, 0, 0);
	assert_int_equal(l.n, 3);
	free_lines(&l);
	store_close(s);
}

static bool collect_id(void *arg, const struct store_execution *x)
{
	strcat(arg, x->id + 24);
	strcat(arg, x->is_open ? "+ " : "- ");
	return true;
}

static void take_over(struct store *s, uint64_t epoch, uint64_t last, struct answer *a)
{
	struct store_batch *b = store_batch_new();
	store_batch_lease(b, execution_a, (struct lease_claim){.epoch = epoch, .last = last});
	add_record(b, execution_a, NULL, RECORD_EXECUTION_RESUMED, epoch, json_pack("{s:s}", "why", "engine_ended"));
	add_execution(b, execution_a, "running", true, epoch);
	store_submit(s, b, take_answer, a);
}

static void a_lease_is_taken_once_and_only_behind_the_last_record(void **state)
{
	struct store *s = place_open(*state);
	struct answer a[6] = {{0}};
	struct store_batch *b = store_batch_new();
	add_started(b, execution_a, 1);
	store_submit(s, b, take_answer, &a[0]);
	b = store_batch_new();
	add_record(b, execution_a, "s", RECORD_STEP_REQUESTED, 1, NULL);
	store_submit(s, b, take_answer, &a[1]);
	take_over(s, 2, 1, &a[2]); /* read before the last record */
	take_over(s, 2, 2, &a[3]);
	take_over(s, 2, 2, &a[4]); /* at once with the one before */
	take_over(s, 4, 3, &a[5]); /* of a lease that nobody has */
	store_drain(s);
	assert_int_equal(a[1].first_seq, 2);
	assert_int_equal(a[2].err, ERR_CONFLICT);
	assert_non_null(strstr(a[2].error.text, "while it was read"));
	assert_int_equal(a[3].err, ERR_OK);
	assert_int_equal(a[4].err, ERR_CONFLICT);
	assert_int_equal(a[5].err, ERR_CONFLICT);
	struct lines l = read_lines(s, NULL, 0, 0);
	assert_int_equal(l.n, 4);
	free_lines(&l);
	store_close(s);
}

static void executions_are_listed_newest_first_in_pages(void **state)
{
	struct store *s = place_open(*state);
	struct store_reader *r;
	struct error e;
	char ids[10][27];
	for (int i = 0; i < 10; i++) {
		memcpy(ids[i], "01JD9Z8Q6M3T4N5P6R7S8T9V00", 27);
		ids[i][25] = (char)('0' + i);
		struct store_batch *b = store_batch_new();
		add_started(b, ids[i], 1);
		if (i % 2) {
			add_record(b, ids[i], NULL, RECORD_EXECUTION_FINISHED, 1, json_pack("{s:s}", "state", "failed"));
			add_execution(b, ids[i], "failed", false, 1);
		}
		store_submit(s, b, NULL, NULL);
	}
	store_drain(s);
	assert_int_equal(store_reader_open(s, &r, &e), ERR_OK);
	char got[256] = "";
	store_executions(r, false, NULL, NULL, 3, collect_id, got, &e);
	assert_string_equal(got, "09- 08+ 07- ");
	got[0] = 0;
	store_executions(r, false, NULL, ids[7], 2, collect_id, got, &e);
	assert_string_equal(got, "06+ 05- ");
	got[0] = 0;
	store_executions(r, true, NULL, NULL, 0, collect_id, got, &e);
	assert_string_equal(got, "08+ 06+ 04+ 02+ 00+ ");
	got[0] = 0;
	store_executions(r, false, "01jd9z8q6m3t4n5p6r7s8t9v03", NULL, 0, collect_id, got, &e);
	assert_string_equal(got, "03- ");
	got[0] = 0;
	store_executions(r, false, "01JD%", NULL, 0, collect_id, got, &e);
	assert_string_equal(got, "");
	store_reader_close(r);
	store_close(s);
}

static bool collect_timer(void *arg, const char *execution, const char *step, const char *kind, int64_t due_us)
{
	char one[128];
	assert_string_equal(execution, execution_a);
	snprintf(one, sizeof one, "%s/%s@%lld ", step, kind, (long long)due_us);
	strcat(arg, one);
	return true;
}

static void plans_blobs_and_timers_come_back(void **state)
{
	struct store *s = place_open(*state);
	struct store_batch *b = store_batch_new();
	struct store_reader *r;
	struct error e;
	char plan[65], name[STORE_BLOB_NAME_BYTES], empty[STORE_BLOB_NAME_BYTES], timers[256] = "";
	digest_sha256_hex(plan, "the plan\0!", 10);
	store_batch_plan(b, plan, "the plan\0!", 10);
	store_batch_plan(b, plan, "the plan\0!", 10);
	store_batch_blob(b, execution_a, "output\0\xff", 8, name);
	store_batch_blob(b, NULL, "", 0, empty);
	store_batch_timer(b, execution_a, "s", "deadline", 300);
	store_batch_timer(b, execution_a, NULL, "remind", 100);
	store_batch_timer(b, execution_a, "t", "deadline", 200);
	store_batch_timer(b, execution_a, "t", "deadline", 0);
	store_batch_timer(b, execution_a, "s", "deadline", 50);
	assert_int_equal(submit_and_wait(s, b).err, ERR_OK);
	assert_int_equal(store_reader_open(s, &r, &e), ERR_OK);
	struct buf out;
	buf_init(&out, 1 << 20);
	assert_int_equal(store_plan(r, plan, &out, &e), ERR_OK);
	assert_int_equal(out.len, 10);
	buf_reset(&out);
	assert_int_equal(store_blob(r, name, &out, &e), ERR_OK);
	assert_int_equal(out.len, 8);
	assert_memory_equal(out.data, "output\0\xff", 8);
	buf_reset(&out);
	assert_int_equal(store_blob(r, empty, &out, &e), ERR_OK);
	assert_int_equal(out.len, 0);
	plan[0] = plan[0] == '0' ? '1' : '0';
	assert_int_equal(store_plan(r, plan, &out, &e), ERR_NOT_FOUND);
	store_timers(r, collect_timer, timers, &e);
	assert_string_equal(timers, "s/deadline@50 /remind@100 ");
	buf_clear(&out);
	store_reader_close(r);
	store_close(s);
}

static int64_t test_clock;
static int64_t read_test_clock(void)
{
	return test_clock;
}

static void a_clock_that_steps_back_more_than_a_second_is_recorded(void **state)
{
	test_clock = 1795388400000000;
	struct store *s = place_open_clock(*state, read_test_clock);
	struct store_batch *b = store_batch_new();
	add_started(b, execution_a, 1);
	test_clock -= 1000000;
	assert_int_equal(submit_and_wait(s, b).first_seq, 1);
	test_clock -= 1000001;
	b = store_batch_new();
	add_record(b, execution_a, "s", RECORD_STEP_REQUESTED, 1, NULL);
	struct answer a = submit_and_wait(s, b);
	assert_int_equal(a.first_seq, 3);
	assert_int_equal(a.t_us, test_clock);
	struct lines l = read_lines(s, NULL, 2, 1);
	assert_non_null(strstr(l.text[0], "\"k\":\"clock.stepped\""));
	assert_non_null(strstr(l.text[0], "\"d\":{\"back_us\":1000001}"));
	free_lines(&l);
	store_close(s);
	test_clock -= 2000000; /* across a restart, too */
	s = place_open_clock(*state, read_test_clock);
	b = store_batch_new();
	add_record(b, execution_a, "s", RECORD_STEP_REQUESTED, 1, NULL);
	assert_int_equal(submit_and_wait(s, b).first_seq, 5);
	store_close(s);
	struct place *p = *state;
	struct store_verdict v;
	struct error e;
	assert_int_equal(store_verify(p->dir, p->guard, &v, &e), ERR_OK);
}

static void an_erased_blob_leaves_its_name_and_a_journal_that_verifies(void **state)
{
	struct place *p = *state;
	struct store *s = place_open(p);
	char name[STORE_BLOB_NAME_BYTES];
	struct store_reader *r;
	struct store_verdict v;
	struct error e;
	struct buf out;
	struct store_batch *b = store_batch_new();
	add_started(b, execution_a, 1);
	store_batch_blob(b, execution_a, "a very private word", 19, name);
	add_record(b, execution_a, NULL, RECORD_NOTE_ADDED, 1, json_pack("{s:s}", "note", name));
	assert_int_equal(submit_and_wait(s, b).err, ERR_OK);
	for (int i = 0; i < 2; i++) { /* a second time changes nothing */
		b = store_batch_new();
		assert_int_equal(store_batch_erase(b, name, &e), ERR_OK);
		add_record(b, execution_a, NULL, RECORD_BLOB_ERASED, 1, json_pack("{s:i}", "count", 1));
		assert_int_equal(submit_and_wait(s, b).err, ERR_OK);
	}
	buf_init(&out, 1000);
	assert_int_equal(store_reader_open(s, &r, &e), ERR_OK);
	assert_int_equal(store_blob(r, name, &out, &e), ERR_NOT_FOUND);
	assert_non_null(strstr(e.text, "was erased"));
	store_reader_close(r);
	static const char *const files[] = {"store.db", "store.db-wal"};
	for (size_t i = 0; i < 2; i++) {
		char path[128];
		struct buf file;
		snprintf(path, sizeof path, "%s/%s", p->dir, files[i]);
		buf_init(&file, 16 << 20);
		assert_int_equal(fs_read(path, &file, &e), ERR_OK);
		assert_true(file.len == 0 || !memmem(file.data, file.len, "a very private word", 19));
		buf_clear(&file);
	}
	store_close(s);
	assert_int_equal(store_verify(p->dir, p->guard, &v, &e), ERR_OK);
	assert_int_equal(v.blobs, 0);
	assert_int_equal(v.erased, 1);
	buf_clear(&out);
}

/* The snapshot and the guard are taken at different moments: an engine at work must not look like a cut tail. */
static void a_store_that_is_being_written_verifies(void **state)
{
	struct place *p = *state;
	struct store *s = place_open(p);
	struct store_batch *b = store_batch_new();
	struct store_verdict v;
	struct error e;
	uint64_t seen = 0;
	add_started(b, execution_a, 1);
	store_submit(s, b, NULL, NULL);
	for (int round = 0; round < 15; round++) {
		for (int i = 0; i < 300; i++) {
			b = store_batch_new();
			add_record(b, execution_a, "s", RECORD_STEP_REQUESTED, 1, NULL);
			store_batch_timer(b, execution_a, "s", "deadline", i + 1);
			store_submit(s, b, NULL, NULL);
		}
		if (store_verify(p->dir, p->guard, &v, &e) != ERR_OK) fail_msg("%s", e.text);
		assert_true(v.records >= seen);
		seen = v.records;
	}
	store_drain(s);
	assert_int_equal(store_verify(p->dir, p->guard, &v, &e), ERR_OK);
	assert_int_equal(v.records, 2 + 15 * 300);
	store_close(s);
}

static void what_was_submitted_before_closing_is_committed(void **state)
{
	struct place *p = *state;
	struct store *s = place_open(p);
	struct store_verdict v;
	struct error e;
	struct answer a = {0};
	struct store_batch *b = store_batch_new();
	add_started(b, execution_a, 1);
	store_submit(s, b, take_answer, &a);
	store_close(s);
	assert_int_equal(a.calls, 0);
	assert_int_equal(store_verify(p->dir, p->guard, &v, &e), ERR_OK);
	assert_int_equal(v.records, 2);
}

static void what_a_record_may_not_be_is_refused_when_it_is_added(void **state)
{
	struct store_batch *b = store_batch_new();
	struct error e;
	(void)state;
	json_t *d = json_pack("{s:s,s:i}", "outcome", "ok", "typo", 1), *fraction = json_pack("{s:s,s:f}", "outcome", "ok", "code", 1.5);
	struct record r = {.kind = RECORD_CALL_FINISHED, .execution = execution_a, .step = "s", .attempt = 1, .call = 1, .data = d};
	assert_int_equal(store_batch_record(b, &r, &e), ERR_INVALID);
	assert_string_equal(e.text, "call.finished has no key d.typo");
	r.data = fraction;
	assert_int_equal(store_batch_record(b, &r, &e), ERR_INVALID);
	r.data = NULL;
	assert_int_equal(store_batch_record(b, &r, &e), ERR_INVALID);
	r.kind = RECORD_STEP_REQUESTED, r.t_us = INT64_MAX;
	assert_int_equal(store_batch_record(b, &r, &e), ERR_INVALID);
	r.t_us = 0;
	assert_int_equal(store_batch_record(b, &r, &e), ERR_OK);
	json_decref(d);
	json_decref(fraction);
	store_batch_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_new_log_opens_with_its_origin_and_key, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(private_files_are_private, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_submitted_is_read_back_after_reopening, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(only_one_process_owns_a_store_and_others_can_read, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(batches_that_wait_share_a_checkpoint_and_keep_their_order, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_batch_whose_lease_has_passed_fails_alone_and_leaves_no_gap, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_lease_is_taken_once_and_only_behind_the_last_record, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(executions_are_listed_newest_first_in_pages, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(plans_blobs_and_timers_come_back, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_clock_that_steps_back_more_than_a_second_is_recorded, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_erased_blob_leaves_its_name_and_a_journal_that_verifies, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_store_that_is_being_written_verifies, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_was_submitted_before_closing_is_committed, set_up, tear_down),
	    cmocka_unit_test(what_a_record_may_not_be_is_refused_when_it_is_added),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
