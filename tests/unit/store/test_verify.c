#include "store_fixture.h"

#include "journal/record.h"
#include "journal/tree.h"

#include <sqlite3.h>

/* One store of two executions, written once; every test spoils a copy of its file and asks for the verdict. */

static struct place original, copy;
static struct buf pristine; /* the bytes of store.db */
static char *pristine_dump;
static uint64_t records;
static bool is_torture;

static char *db_of(const struct place *p)
{
	return mem_printf("%s/store.db", p->dir);
}

static void read_file(const char *path, struct buf *out)
{
	struct error e;
	buf_init(out, 64 << 20);
	if (fs_read(path, out, &e)) fail_msg("%s", e.text);
}

static void write_copy(const struct buf *bytes)
{
	char *path = db_of(&copy), *wal = mem_printf("%s-wal", path), *shm = mem_printf("%s-shm", path);
	unlink(wal);
	unlink(shm);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes->data, 1, bytes->len, f), bytes->len);
	fclose(f);
	free(path);
	free(wal);
	free(shm);
}

/* All that the tables mean: every row of every table with its types, the tables' SQL, the two numbers of the header. NULL where it cannot be read. */
static char *dump(const struct place *p)
{
	static const char *const queries[] = {
	    "SELECT type, name, tbl_name, sql, '' FROM sqlite_schema ORDER BY name",
	    "SELECT quote(seq), typeof(execution), quote(execution), quote(leaf), typeof(line) || quote(line) FROM record ORDER BY seq",
	    "SELECT quote(size), typeof(note), quote(note), '', '' FROM checkpoint ORDER BY size",
	    "SELECT quote(id), quote(nodes), quote(sum), '', '' FROM head",
	    "SELECT quote(id) || quote(book) || quote(title), quote(state) || quote(driver), quote(parent) || quote(plan), quote(started_us) || ' ' || "
	    "quote(finished_us),"
	    " quote(is_open) || ' ' || quote(epoch) || ' ' || quote(steps) || ' ' || quote(steps_done) FROM execution ORDER BY id",
	    "SELECT quote(digest), quote(bytes), '', '', '' FROM plan ORDER BY digest",
	    "SELECT quote(name), quote(execution), quote(salt), quote(bytes), '' FROM blob ORDER BY name",
	    "SELECT quote(execution), quote(step), quote(kind), quote(due_us), '' FROM timer ORDER BY execution, step, kind",
	    "PRAGMA application_id",
	    "PRAGMA user_version",
	};
	char *path = db_of(p);
	struct buf out;
	sqlite3 *db;
	bool is_fine = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK;
	buf_init(&out, 64 << 20);
	for (size_t i = 0; i < sizeof queries / sizeof *queries && is_fine; i++) {
		sqlite3_stmt *q = NULL;
		int rc = sqlite3_prepare_v2(db, queries[i], -1, &q, NULL);
		while (rc == SQLITE_OK || rc == SQLITE_ROW) {
			rc = sqlite3_step(q);
			if (rc != SQLITE_ROW) break;
			for (int c = 0; c < sqlite3_column_count(q); c++) {
				const char *text = (const char *)sqlite3_column_text(q, c);
				buf_printf(&out, "%s|", text ? text : "NULL");
			}
			buf_char(&out, '\n');
		}
		is_fine = rc == SQLITE_DONE;
		sqlite3_finalize(q);
	}
	sqlite3_close(db);
	free(path);
	if (is_fine) return buf_take(&out);
	buf_clear(&out);
	return NULL;
}

static struct store_verdict verdict_of(const struct place *p, const char *guard, enum err *err)
{
	struct store_verdict v;
	struct error e;
	*err = store_verify(p->dir, guard, &v, &e);
	return v;
}

/* Runs SQL over a fresh copy. */
static void spoil(const char *sql)
{
	char *path = db_of(&copy), *message = NULL;
	sqlite3 *db;
	write_copy(&pristine);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s: %s", sql, message);
	sqlite3_close(db);
	free(path);
}

static void spoil_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void spoil_printf(const char *fmt, ...)
{
	char *sql = NULL;
	va_list ap;
	va_start(ap, fmt);
	assert_true(vasprintf(&sql, fmt, ap) >= 0);
	va_end(ap);
	spoil(sql);
	free(sql);
}

/* The copy must be found wrong, without the guard, at that record (UINT64_MAX: any) and with that word in the reason. */
static void expect_wrong(uint64_t seq, const char *word)
{
	char none[96];
	enum err err;
	snprintf(none, sizeof none, "%s/no-guard", copy.root);
	struct store_verdict v = verdict_of(&copy, none, &err);
	if (err != ERR_VERIFY || v.is_whole) fail_msg("expected \"%s\" at %llu, the store verifies (%d)", word, (unsigned long long)seq, (int)err);
	if (!strstr(v.reason, word)) fail_msg("expected \"%s\", got: %s", word, v.reason);
	if (seq != UINT64_MAX && v.wrong_seq != seq)
		fail_msg("expected record %llu, got %llu: %s", (unsigned long long)seq, (unsigned long long)v.wrong_seq, v.reason);
}

static void the_whole_store_verifies(void **state)
{
	enum err err;
	(void)state;
	struct store_verdict v = verdict_of(&original, original.guard, &err);
	if (err) fail_msg("%s", v.reason);
	assert_true(v.is_whole);
	assert_int_equal(v.records, records);
	assert_string_equal(v.origin, "test.example/journal");
	assert_int_equal(v.wrong_seq, UINT64_MAX);
	assert_true(v.blobs > 0 && v.checkpoints > 0);
	assert_int_equal(v.guard_size, records);
	assert_string_equal(v.no_guard, "");
	write_copy(&pristine);
	verdict_of(&copy, original.guard, &err);
	assert_int_equal(err, ERR_OK);
	char *again = dump(&copy);
	assert_string_equal(again, pristine_dump);
	free(again);
}

static void every_changed_record_is_named(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < records; i++) {
		spoil_printf("UPDATE record SET line = CAST(replace(CAST(line AS TEXT), '\"t\":\"2', '\"t\":\"1') AS BLOB) WHERE seq = %llu",
		             (unsigned long long)i);
		expect_wrong(i, "was changed");
	}
}

static void every_record_changed_with_its_hash_is_found(void **state)
{
	struct buf line;
	(void)state;
	for (uint64_t i = 0; i < records; i++) {
		sqlite3 *db;
		sqlite3_stmt *q;
		struct tree_hash leaf;
		char *path = db_of(&copy);
		write_copy(&pristine);
		assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
		sqlite3_prepare_v2(db, "SELECT line FROM record WHERE seq = ?", -1, &q, NULL);
		sqlite3_bind_int64(q, 1, (sqlite3_int64)i);
		assert_int_equal(sqlite3_step(q), SQLITE_ROW);
		buf_init(&line, JOURNAL_RECORD_BYTES_MAX);
		buf_add(&line, sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0));
		sqlite3_finalize(q);
		/* One microsecond later: still a record as any other. */
		char *fraction = strstr(line.data, "Z\",\"k\":") - 1;
		*fraction = *fraction == '9' ? '8' : (char)(*fraction + 1);
		tree_leaf(&leaf, line.data, line.len);
		sqlite3_prepare_v2(db, "UPDATE record SET line = ?, leaf = ? WHERE seq = ?", -1, &q, NULL);
		sqlite3_bind_blob(q, 1, line.data, (int)line.len, SQLITE_STATIC);
		sqlite3_bind_blob(q, 2, leaf.bytes, TREE_HASH_BYTES, SQLITE_STATIC);
		sqlite3_bind_int64(q, 3, (sqlite3_int64)i);
		assert_int_equal(sqlite3_step(q), SQLITE_DONE);
		sqlite3_finalize(q);
		sqlite3_close(db);
		expect_wrong(UINT64_MAX, "signed another root");
		buf_clear(&line);
		free(path);
	}
}

static void every_removed_record_is_named(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < records; i++) {
		spoil_printf("DELETE FROM record WHERE seq = %llu", (unsigned long long)i);
		expect_wrong(i, "missing");
		/* The later ones moved up to fill the gap. */
		if (i + 1 == records) continue;
		spoil_printf(
		    "DELETE FROM record WHERE seq = %llu; UPDATE record SET seq = -seq WHERE seq > %llu; UPDATE record SET seq = -seq - 1 WHERE seq < 0",
		    (unsigned long long)i, (unsigned long long)i);
		expect_wrong(i, "its line says that it is");
	}
}

static void every_reordered_record_is_named(void **state)
{
	(void)state;
	for (uint64_t i = 0; i + 1 < records; i++) {
		spoil_printf(
		    "UPDATE record SET seq = -1 WHERE seq = %llu; UPDATE record SET seq = %llu WHERE seq = %llu; UPDATE record SET seq = %llu WHERE seq = -1",
		    (unsigned long long)i, (unsigned long long)i, (unsigned long long)i + 1, (unsigned long long)i + 1);
		expect_wrong(i, "out of order");
	}
}

static void every_inserted_record_is_named(void **state)
{
	(void)state;
	for (uint64_t i = 0; i <= records; i++) {
		/* A copy of record 1 pushed in at i. */
		spoil_printf("UPDATE record SET seq = -seq - 1 WHERE seq >= %llu; UPDATE record SET seq = -seq WHERE seq < 0;"
		             "INSERT INTO record SELECT %llu, execution, leaf, line FROM record WHERE seq = %d",
		             (unsigned long long)i, (unsigned long long)i, i <= 1 ? 2 : 1);
		if (i != 1)
			expect_wrong(i, i == records ? "its line says that it is" : "out of order");
		else
			expect_wrong(2, "out of order"); /* record 1 before itself: its second copy is the odd one */
	}
	spoil("INSERT INTO record SELECT -1, execution, leaf, line FROM record WHERE seq = 1");
	expect_wrong(0, "was inserted");
}

static void a_cut_tail_is_found_behind_a_checkpoint_and_behind_the_guard(void **state)
{
	enum err err;
	(void)state;
	for (uint64_t n = 1; n < records; n++) {
		spoil_printf("DELETE FROM record WHERE seq >= %llu", (unsigned long long)n);
		expect_wrong(n, "the tail was cut");
		/* With the checkpoints cut as well only the guard (or the digest of the rows that stayed) can tell. */
		spoil_printf("DELETE FROM record WHERE seq >= %llu; DELETE FROM checkpoint WHERE size > %llu", (unsigned long long)n, (unsigned long long)n);
		struct store_verdict v = verdict_of(&copy, original.guard, &err);
		assert_int_equal(err, ERR_VERIFY);
		bool is_named = strstr(v.reason, "the guard has seen") || strstr(v.reason, "behind the last checkpoint");
		if (!is_named) fail_msg("%s", v.reason);
	}
}

struct damage {
	const char *sql, *word;
};

static void everything_else_that_is_changed_is_named(void **state)
{
	static const struct damage list[] = {
	    {"UPDATE checkpoint SET note = replace(note, 'test.example', 'test.exampel') WHERE size = 6", "checkpoint of size 6 was changed"},
	    {"UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 4) WHERE size = 6", "its note is of size 4"},
	    {"UPDATE checkpoint SET note = note || substr(note, -120) WHERE size = 6", "checkpoint of size 6 was changed"},
	    {"DELETE FROM checkpoint WHERE size = (SELECT max(size) FROM checkpoint)", "behind the last checkpoint"},
	    {"INSERT INTO checkpoint SELECT 0, note FROM checkpoint WHERE size = 4", "of size 0 was inserted"},
	    {"INSERT INTO checkpoint SELECT 100000, note FROM checkpoint WHERE size = 4", "a checkpoint covers 100000"},
	    {"UPDATE record SET execution = NULL WHERE seq = 3", "filed under another execution"},
	    {"UPDATE record SET execution = '01JD9Z8Q6M3T4N5P6R7S8T9V1W' WHERE seq = 3", "filed under another execution"},
	    {"UPDATE record SET leaf = x'00' WHERE seq = 3", "wrong type or length"},
	    {"UPDATE record SET line = x'' WHERE seq = 3", "was changed"},
	    {"UPDATE record SET line = zeroblob(70000) WHERE seq = 3", "wrong type or length"},
	    {"UPDATE blob SET bytes = x'00' WHERE rowid = 1", "bytes do not match its name"},
	    {"UPDATE blob SET salt = zeroblob(32) WHERE rowid = 1", "bytes do not match its name"},
	    {"UPDATE blob SET bytes = NULL WHERE rowid = 1", "wrong type or length"},
	    {"UPDATE blob SET bytes = NULL, salt = NULL WHERE rowid = 1", "digest that the last checkpoint signed"},
	    {"UPDATE blob SET execution = NULL WHERE rowid = 1", "digest that the last checkpoint signed"},
	    {"UPDATE blob SET name = zeroblob(32) WHERE rowid = 1", "which is missing"},
	    {"DELETE FROM blob WHERE rowid = 1", "which is missing"},
	    {"INSERT INTO blob VALUES (zeroblob(32), NULL, NULL, NULL)", "digest that the last checkpoint signed"},
	    {"UPDATE plan SET bytes = x'00'", "bytes have the digest"},
	    {"DELETE FROM plan", "digest that the last checkpoint signed"},
	    {"INSERT INTO plan VALUES ('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', x'')", "digest that the last checkpoint signed"},
	    {"UPDATE execution SET state = 'failed'", "is listed as failed, record"},
	    {"UPDATE execution SET is_open = 1", "listed as open"},
	    {"UPDATE execution SET is_open = 2", "wrong type"},
	    {"UPDATE execution SET plan = book", "another plan"},
	    {"UPDATE execution SET title = 'Disk empty'", "digest that the last checkpoint signed"},
	    {"UPDATE execution SET epoch = 2", "digest that the last checkpoint signed"},
	    {"UPDATE execution SET steps_done = 2", "digest that the last checkpoint signed"},
	    {"UPDATE execution SET driver = NULL", "digest that the last checkpoint signed"},
	    {"DELETE FROM execution WHERE id = '01JD9Z8Q6M3T4N5P6R7S8T9V0W'", "its row was removed"},
	    {"INSERT INTO execution SELECT '01JD9Z8Q6M3T4N5P6R7S8T9V2W', book, title, state, driver, parent, plan, 0, 0, 0, 1, 0, 0 FROM execution LIMIT 1",
	     "no record says that it started"},
	    {"UPDATE timer SET due_us = due_us + 1", "digest that the last checkpoint signed"},
	    {"DELETE FROM timer", "digest that the last checkpoint signed"},
	    {"INSERT INTO timer VALUES ('a', 'b', 'c', 1)", "digest that the last checkpoint signed"},
	    {"UPDATE head SET sum = zeroblob(2048)", "head of the tree was changed"},
	    {"UPDATE head SET nodes = x''", "head of the tree was changed"},
	    {"DELETE FROM head", "head of the tree was removed"},
	    {"PRAGMA user_version = 99", "has version 99"},
	    {"PRAGMA application_id = 1", "no store of rung"},
	    {"CREATE TABLE more (x)", "tables of the store are not those"},
	    {"DROP INDEX record_of_execution", "tables of the store are not those"},
	    {"CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END", "tables of the store are not those"},
	    {"DROP TABLE record; CREATE VIEW record AS SELECT 1 AS seq, 2 AS execution, 3 AS leaf, 4 AS line", "tables of the store are not those"},
	    {"DELETE FROM record", "record 0 and those after it are missing"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		spoil(list[i].sql);
		expect_wrong(UINT64_MAX, list[i].word);
	}
}

static unsigned seed_of_this_run(void)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)clock_now_us();
	print_message("SEED=%u\n", seed);
	return seed;
}

/* Flips one bit of the file and gives the verdict on it. */
static struct store_verdict flip(size_t at, char mask, enum err *err)
{
	char none[96];
	snprintf(none, sizeof none, "%s/no-guard", copy.root);
	pristine.data[at] ^= mask;
	write_copy(&pristine);
	pristine.data[at] ^= mask;
	return verdict_of(&copy, none, err);
}

/* Bits are flipped in the bytes of the file. A flip that changes any row, the tables or the two numbers of the header must be found; one that leaves all of
 * them as they were (a counter of SQLite's header, a byte that no page uses) may pass, is not counted, and the dump proves that nothing was changed. */
static void random_bits_that_change_anything_are_found(void **state)
{
	unsigned wanted = is_torture ? 1000 : 100, found = 0, dead = 0, seed = seed_of_this_run();
	(void)state;
	while (found < wanted) {
		size_t at = ((size_t)rand_r(&seed) << 15 ^ (size_t)rand_r(&seed)) % pristine.len;
		char mask = (char)(1 << rand_r(&seed) % 8), *now;
		enum err err;
		struct store_verdict v = flip(at, mask, &err);
		if (err == ERR_VERIFY) {
			assert_true(v.reason[0] && !v.is_whole);
			found++;
			continue;
		}
		now = dump(&copy);
		if (err || !now || strcmp(now, pristine_dump) != 0)
			fail_msg("byte %zu, mask %02x: a changed store verifies (%d %s)", at, (unsigned char)mask, (int)err, v.reason);
		free(now);
		dead++;
		assert_true(dead < 100 * wanted);
	}
	print_message("%u bits found, %u others were in bytes that mean nothing\n", found, dead);
}

static void a_random_bit_of_a_record_is_found_by_the_record_s_number(void **state)
{
	unsigned each = is_torture ? 20 : 3, seed = seed_of_this_run();
	(void)state;
	for (uint64_t i = 0; i < records; i++) {
		char prefix[48];
		snprintf(prefix, sizeof prefix, "{\"v\":1,\"seq\":%llu,", (unsigned long long)i);
		char *line = memmem(pristine.data, pristine.len, prefix, strlen(prefix));
		assert_non_null(line);
		size_t from = (size_t)(line - pristine.data), n = strcspn(line, "}");
		for (unsigned k = 0; k < each; k++) {
			enum err err;
			struct store_verdict v = flip(from + (size_t)rand_r(&seed) % n, (char)(1 << rand_r(&seed) % 8), &err);
			assert_int_equal(err, ERR_VERIFY);
			if (v.wrong_seq != i) fail_msg("a bit of record %llu: %s", (unsigned long long)i, v.reason);
		}
	}
}

/* Every byte of the header and of the first cells, where SQLite's own structures are. */
static void a_damaged_header_never_crashes(void **state)
{
	char none[96];
	(void)state;
	snprintf(none, sizeof none, "%s/no-guard", copy.root);
	for (size_t at = 0; at < 116; at += is_torture ? 1 : 3) {
		enum err err;
		pristine.data[at] ^= 0x55;
		write_copy(&pristine);
		verdict_of(&copy, none, &err);
		if (!err) {
			char *now = dump(&copy);
			assert_non_null(now);
			assert_string_equal(now, pristine_dump);
			free(now);
		}
		pristine.data[at] ^= 0x55;
	}
	struct buf cut = pristine;
	for (cut.len = 0; cut.len < pristine.len; cut.len += is_torture ? 1024 : 8192 + 512) {
		enum err err;
		write_copy(&cut);
		verdict_of(&copy, none, &err);
		assert_int_equal(err, ERR_VERIFY);
	}
}

/* A copy of a store that was not closed: its last commits stand in the WAL, which SQLite cuts at the first frame whose checksum is wrong. The guard tells. */
static void a_random_bit_of_the_wal_is_found_with_the_guard(void **state)
{
	unsigned tries = is_torture ? 300 : 40, found = 0, seed = seed_of_this_run();
	struct place p;
	struct buf db, wal;
	char path[128];
	enum err err;
	(void)state;
	place_make(&p);
	struct store *s = place_open(&p);
	write_execution(s, execution_a, 3);
	snprintf(path, sizeof path, "%s/store.db", p.dir);
	read_file(path, &db);
	snprintf(path, sizeof path, "%s/store.db-wal", p.dir);
	read_file(path, &wal);
	store_close(s);
	assert_true(wal.len > 4096);
	for (unsigned i = 0; i <= tries; i++) {
		size_t at = ((size_t)rand_r(&seed) << 15 ^ (size_t)rand_r(&seed)) % wal.len;
		char mask = (char)(i == tries ? 0 : 1 << rand_r(&seed) % 8);
		wal.data[at] = (char)(wal.data[at] ^ mask);
		write_copy(&db);
		snprintf(path, sizeof path, "%s/store.db-wal", copy.dir);
		struct error e;
		assert_int_equal(fs_write_atomic(path, wal.data, wal.len, 0600, &e), ERR_OK);
		struct store_verdict v = verdict_of(&copy, p.guard, &err);
		if (err) found++;
		if (mask == 0 && err) fail_msg("the copy itself: %s", v.reason);
		if (!err) assert_int_equal(v.records, 15);
		wal.data[at] = (char)(wal.data[at] ^ mask);
	}
	print_message("%u of %u bits found; the others left every commit in place\n", found, tries);
	assert_true(found > tries / 2);
	buf_clear(&db);
	buf_clear(&wal);
	place_remove(&p);
	write_copy(&pristine);
}

static void a_store_that_is_not_there_is_said_so(void **state)
{
	struct place p;
	struct store_verdict v;
	struct error e;
	(void)state;
	place_make(&p);
	assert_int_equal(store_verify(p.dir, p.guard, &v, &e), ERR_NOT_FOUND);
	place_remove(&p);
}

/* The end of a log can be cut off with its checkpoints where nothing else tells how far it came: then the verdict says so. */
static void that_no_guard_was_there_is_said(void **state)
{
	char none[96];
	enum err err;
	(void)state;
	write_copy(&pristine);
	snprintf(none, sizeof none, "%s/no-guard", copy.root);
	struct store_verdict v = verdict_of(&copy, none, &err);
	assert_int_equal(err, ERR_OK);
	assert_int_equal(v.guard_size, 0);
	assert_non_null(strstr(v.no_guard, none));
}

static int make_original(void **state)
{
	struct error e;
	(void)state;
	is_torture = getenv("TORTURE") != NULL;
	place_make(&original);
	place_make(&copy);
	struct store *s = place_open(&original);
	write_execution(s, execution_a, 4);
	write_execution(s, execution_b, is_torture ? 20 : 2);
	store_close(s);
	char *path = db_of(&original);
	read_file(path, &pristine);
	free(path);
	assert_int_equal(fs_mkdirs(copy.dir, 0700, &e), ERR_OK);
	pristine_dump = dump(&original);
	assert_non_null(pristine_dump);
	records = 1 + 18 + (is_torture ? 82 : 10);
	return 0;
}

static int remove_original(void **state)
{
	(void)state;
	place_remove(&original);
	place_remove(&copy);
	buf_clear(&pristine);
	free(pristine_dump);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_whole_store_verifies),
	    cmocka_unit_test(every_changed_record_is_named),
	    cmocka_unit_test(every_record_changed_with_its_hash_is_found),
	    cmocka_unit_test(every_removed_record_is_named),
	    cmocka_unit_test(every_reordered_record_is_named),
	    cmocka_unit_test(every_inserted_record_is_named),
	    cmocka_unit_test(a_cut_tail_is_found_behind_a_checkpoint_and_behind_the_guard),
	    cmocka_unit_test(everything_else_that_is_changed_is_named),
	    cmocka_unit_test(random_bits_that_change_anything_are_found),
	    cmocka_unit_test(a_random_bit_of_a_record_is_found_by_the_record_s_number),
	    cmocka_unit_test(a_damaged_header_never_crashes),
	    cmocka_unit_test(a_random_bit_of_the_wal_is_found_with_the_guard),
	    cmocka_unit_test(a_store_that_is_not_there_is_said_so),
	    cmocka_unit_test(that_no_guard_was_there_is_said),
	};
	return cmocka_run_group_tests(tests, make_original, remove_original);
}
