#include "lying_scenarios.h"

#include <glob.h>

/* The answers go to the run that is under way: callbacks have one argument, the item. */
static struct run *current;

struct run *run_new(void)
{
	struct run *r = mem_zero(sizeof *r);
	/* In memory where there is such a place: nothing here is ever synced, but thousands of files are made. */
	bool is_memory = access("/dev/shm", W_OK) == 0;
	snprintf(r->p.root, sizeof r->p.root, "%s/rung-test-power-XXXXXX", is_memory ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(r->p.root));
	snprintf(r->p.dir, sizeof r->p.dir, "%s/state", r->p.root);
	snprintf(r->p.guard, sizeof r->p.guard, "%s/guard", r->p.root);
	r->origin = "test.example/journal";
	current = r;
	return r;
}

void run_free(struct run *r)
{
	place_remove(&r->p);
	free(r);
}

static bool begin(struct run *r)
{
	struct store_options o = {.dir = r->p.dir, .guard_dir = r->p.guard, .origin = r->origin, .node = "n1"};
	struct error e;
	r->broken = 0;
	r->was_open = store_open(&o, &r->s, &e) == ERR_OK;
	r->failed_before = disk_store_failed();
	return r->was_open;
}

static void end(struct run *r)
{
	if (r->s) store_drain(r->s);
	store_close(r->s);
	r->s = NULL;
}

static void take_item(void *arg, enum err err, uint64_t first_seq, int64_t t_us, const struct error *e)
{
	struct item *x = arg;
	take_answer(&x->a, err, first_seq, t_us, e);
	assert_int_equal(x->a.calls, 1);
	if (err && !e->text[0]) fail_msg("an answer of %s without a sentence", err_info(err)->name);
	if (!err && current->broken) fail_msg("batch %d was acknowledged after batch %d got ERR_IO", (int)(x - current->items), current->broken);
	if (!err && x->is_late) fail_msg("batch %d was acknowledged although a write or a sync of the store had failed before", (int)(x - current->items));
	if (err == ERR_IO) current->broken = (int)(x - current->items);
	if (!err) disk_mark((int)(x - current->items));
}

/* Bytes that differ from item to item. */
static unsigned char *make_bytes(int item, size_t n)
{
	unsigned char *bytes = mem_alloc(n + 1);
	for (size_t i = 0; i < n; i++) bytes[i] = (unsigned char)((size_t)item * 31 + i * 7 + (i >> 8));
	return bytes;
}

static int next_item(struct run *r, struct store_batch *b, int records)
{
	int i = ++r->n;
	char step[16];
	must(i < ITEMS_MAX);
	snprintf(step, sizeof step, "b%d", i);
	if (i == 1) add_started(b, execution_a, 1);
	for (int k = 0; k < records; k++) add_record(b, r->log ? execution_b : execution_a, step, RECORD_STEP_REQUESTED, 1, NULL);
	r->items[i] = (struct item){.records = records, .log = r->log};
	return i;
}

static void submit(struct run *r, struct store_batch *b, int i)
{
	r->items[i].is_late = disk_store_failed() > r->failed_before;
	store_submit(r->s, b, take_item, &r->items[i]);
}

/* A batch of so many records. */
static void put_records(struct run *r, int records)
{
	struct store_batch *b = store_batch_new();
	int i = next_item(r, b, records);
	submit(r, b, i);
}

static int put_blob(struct run *r, size_t n)
{
	struct store_batch *b = store_batch_new();
	int i = next_item(r, b, 1);
	unsigned char *bytes = make_bytes(i, n);
	struct item *x = &r->items[i];
	x->blob_bytes = n;
	store_batch_blob(b, execution_a, bytes, n, x->blob);
	add_record(b, execution_a, "s", RECORD_CALL_STARTED, 1,
	           json_pack("{s:s,s:s,s:s,s:s}", "module", "sh", "function", "sh", "effect", "once", "arguments", x->blob));
	submit(r, b, i);
	free(bytes);
	return i;
}

static void plan_digest(int item, size_t n, char digest[DIGEST_HEX_BYTES])
{
	unsigned char *bytes = make_bytes(item, n);
	digest_sha256_hex(digest, bytes, n);
	free(bytes);
}

static void put_plan(struct run *r, size_t n)
{
	char digest[DIGEST_HEX_BYTES];
	struct store_batch *b = store_batch_new();
	int i = next_item(r, b, 1);
	unsigned char *bytes = make_bytes(i, n);
	plan_digest(i, n, digest);
	store_batch_plan(b, digest, bytes, n);
	r->items[i].plan_bytes = n;
	submit(r, b, i);
	free(bytes);
}

static void put_erase(struct run *r, int blob)
{
	struct error e;
	struct store_batch *b = store_batch_new();
	int i = next_item(r, b, 1);
	assert_int_equal(store_batch_erase(b, r->items[blob].blob, &e), ERR_OK);
	add_record(b, execution_a, NULL, RECORD_BLOB_ERASED, 1, json_pack("{s:i}", "count", 1));
	r->items[i].erases = blob;
	submit(r, b, i);
}

/* A step that ends, each in a batch that is waited for. */
static void put_small(struct run *r, int n)
{
	for (int i = 0; i < n; i++) {
		put_records(r, 1);
		store_drain(r->s);
	}
}

/* The scenarios. */

static void write_some(struct run *r)
{
	if (!begin(r)) return;
	put_small(r, 3);
	put_blob(r, 5000);
	end(r);
}

static void fresh_log(struct run *r)
{
	if (!begin(r)) return;
	put_small(r, 1);
	end(r);
}

static void group_commit(struct run *r)
{
	if (!begin(r)) return;
	for (int i = 0; i < 60; i++) put_records(r, 1 + i % 4);
	end(r);
}

static void large_blobs(struct run *r)
{
	if (!begin(r)) return;
	put_small(r, 1);
	put_blob(r, STORE_BLOB_BYTES_MAX);
	put_blob(r, 300000);
	store_drain(r->s);
	put_blob(r, 70000);
	end(r);
}

static void plans(struct run *r)
{
	if (!begin(r)) return;
	for (size_t i = 0; i < 4; i++) {
		put_plan(r, 100 + i * 60000);
		if (i % 2) store_drain(r->s);
	}
	end(r);
}

static void erase(struct run *r)
{
	if (!begin(r)) return;
	put_small(r, 1);
	int first = put_blob(r, 3000), second = put_blob(r, 90000);
	store_drain(r->s);
	put_erase(r, first);
	put_small(r, 2);
	put_erase(r, second);
	put_small(r, 2);
	end(r);
}

/* More pages than the WAL may have while nobody waits: it is copied, and starts from its beginning. */
static void checkpoint(struct run *r)
{
	if (!begin(r)) return;
	put_small(r, 1);
	for (int i = 0; i < 4; i++) put_blob(r, STORE_BLOB_BYTES_MAX);
	store_drain(r->s);
	put_small(r, 6);
	put_blob(r, 20000);
	end(r);
}

static void reopen(struct run *r)
{
	for (int i = 0; i < 3; i++) {
		if (!begin(r)) return;
		put_small(r, 2);
		put_records(r, 3);
		end(r);
	}
}

/* A long name makes notes that are longer than a sector: the guard's slots can be torn within one. */
static void long_origin(struct run *r)
{
	static char name[230];
	memset(name, 'o', sizeof name - 1);
	memcpy(name, "test.example/", 13);
	r->origin = name;
	if (!begin(r)) return;
	put_small(r, 6);
	end(r);
}

static bool take_any(void *arg, uint64_t seq, const char *line, size_t n)
{
	(void)seq, (void)line, (void)n;
	++*(int *)arg;
	return true;
}

static void reader(struct run *r)
{
	struct store_reader *reader = NULL;
	struct error e;
	int seen = 0;
	if (!begin(r)) return;
	put_small(r, 2);
	enum err err = store_reader_open(r->s, &reader, &e);
	put_blob(r, 50000);
	if (!err) store_records(reader, NULL, 0, 0, take_any, &seen, &e);
	put_erase(r, 3);
	put_small(r, 2);
	if (!err) store_records(reader, NULL, 0, 0, take_any, &seen, &e);
	store_reader_close(reader);
	put_small(r, 1);
	end(r);
}

/* What an engine leaves that was killed: a WAL that nobody copied. */
static void leave_hot_wal(struct run *r)
{
	disk_watch(r->p.root);
	if (!begin(r)) fail_msg("the store does not open on a sound disk");
	put_small(r, 3);
	put_blob(r, 40000);
	put_records(r, 2);
	store_drain(r->s);
	size_t length = disk_length();
	end(r);
	struct trace *t = disk_stop();
	trace_cut(t, length, CUT_KEEPS_ALL, 0);
	trace_free(t);
}

static void hot_wal(struct run *r)
{
	if (!begin(r)) return;
	put_small(r, 2);
	end(r);
}

static void many_small(struct run *r)
{
	if (!begin(r)) return;
	put_small(r, 60);
	end(r);
}

static void set_aside(struct run *r)
{
	struct buf note;
	struct error e;
	buf_init(&note, 65536);
	enum err err = store_set_aside(r->p.dir, r->p.guard, &note, &e);
	buf_clear(&note);
	r->log = 1;
	r->origin = "test.example/second";
	if (err || !begin(r)) return;
	struct store_batch *b = store_batch_new();
	int i = next_item(r, b, 0);
	add_started(b, execution_b, 1);
	submit(r, b, i);
	store_drain(r->s);
	put_small(r, 2);
	end(r);
}

const struct scenario scenarios[] = {
    {"a new log", NULL, fresh_log, false},
    {"many batches in one commit", NULL, group_commit, false},
    {"large blobs", NULL, large_blobs, false},
    {"plans", NULL, plans, false},
    {"erased blobs", NULL, erase, false},
    {"a WAL that is copied", NULL, checkpoint, false},
    {"opened again and again", NULL, reopen, false},
    {"notes longer than a sector", NULL, long_origin, false},
    {"read while it is written", NULL, reader, false},
    {"a WAL that was left", leave_hot_wal, hot_wal, false},
    {"many small batches", write_some, many_small, false},
    {"a log set aside", leave_hot_wal, set_aside, true},
};
const int scenarios_n = sizeof scenarios / sizeof *scenarios;

struct trace *run_scenario(struct run *r, const struct scenario *x, const struct disk_fault *fault, int nth)
{
	if (x->prepare) x->prepare(r);
	disk_watch(r->p.root);
	for (int i = 1; i <= r->n; i++) disk_mark(i); /* what was acknowledged before stays so */
	r->start = disk_length();
	r->first_new = r->n + 1;
	disk_fail(fault, nth);
	x->act(r);
	return disk_stop();
}

/* What is left. */

struct found {
	struct run *run;
	int records[ITEMS_MAX];
	uint64_t first_seq[ITEMS_MAX];
};

static bool find_item(void *arg, uint64_t seq, const char *line, size_t n)
{
	struct found *f = arg;
	const char *at = memmem(line, n, "\"s\":\"b", 6);
	int i = at ? atoi(at + 6) : 0;
	if (i < 1 || i > f->run->n) return true;
	if (f->records[i]++ == 0) f->first_seq[i] = seq;
	return true;
}

struct check {
	struct run *r;
	const struct trace *t;
	size_t cut;
	const char *where;
	struct found found;
};

static bool is_acknowledged(const struct check *c, int i)
{
	const struct item *x = &c->r->items[i];
	return c->t ? trace_has_mark(c->t, i, c->cut) : x->a.calls == 1 && x->a.err == ERR_OK;
}

static bool is_erased(const struct check *c, int blob)
{
	for (int i = 1; i <= c->r->n; i++)
		if (c->r->items[i].erases == blob && c->found.records[i]) return true;
	return false;
}

static void expect_blob(struct check *c, struct store_reader *reader, int i)
{
	const struct item *x = &c->r->items[i];
	struct buf out;
	struct error e = {0};
	buf_init(&out, STORE_BLOB_BYTES_MAX);
	enum err want = c->found.records[i] && !is_erased(c, i) ? ERR_OK : ERR_NOT_FOUND, err = store_blob(reader, x->blob, &out, &e);
	if (err != want) fail_msg("%s: the blob of batch %d: %s %s", c->where, i, err_info(err)->name, e.text);
	unsigned char *bytes = make_bytes(i, x->blob_bytes);
	if (!err && (out.len != x->blob_bytes || memcmp(bytes, out.data, out.len) != 0)) fail_msg("%s: the blob of batch %d has other bytes", c->where, i);
	free(bytes);
	buf_clear(&out);
}

static void expect_plan(struct check *c, struct store_reader *reader, int i)
{
	char digest[DIGEST_HEX_BYTES];
	struct buf out;
	struct error e = {0};
	plan_digest(i, c->r->items[i].plan_bytes, digest);
	buf_init(&out, STORE_PLAN_BYTES_MAX);
	enum err want = c->found.records[i] ? ERR_OK : ERR_NOT_FOUND, err = store_plan(reader, digest, &out, &e);
	if (err != want) fail_msg("%s: the plan of batch %d: %s %s", c->where, i, err_info(err)->name, e.text);
	buf_clear(&out);
}

static void expect_item(struct check *c, struct store_reader *reader, int i)
{
	const struct item *x = &c->r->items[i];
	int have = c->found.records[i];
	if (have != 0 && have != x->records) fail_msg("%s: batch %d is there in part: %d of its %d records", c->where, i, have, x->records);
	if (is_acknowledged(c, i) && have != x->records) fail_msg("%s: batch %d was acknowledged and is lost", c->where, i);
	if (have && (x->a.err == ERR_FULL || x->a.err == ERR_CONFLICT)) fail_msg("%s: batch %d was refused and is there", c->where, i);
	if (have && is_acknowledged(c, i) && x->a.first_seq > c->found.first_seq[i]) fail_msg("%s: batch %d has another number than was said", c->where, i);
	for (int later = i + 1; !have && x->a.err == ERR_OK && x->records && later <= c->r->n; later++)
		if (c->found.records[later]) fail_msg("%s: batch %d is missing, but %d, which came later, is there", c->where, i, later);
	if (x->blob[0]) expect_blob(c, reader, i);
	if (x->plan_bytes) expect_plan(c, reader, i);
}

static void expect_whole(const struct check *c, const char *when)
{
	struct store_verdict v;
	struct error e = {0};
	if (store_verify(c->r->p.dir, c->r->p.guard, &v, &e)) fail_msg("%s: %s: it does not verify: %s", c->where, when, e.text);
}

static void expect_items(struct check *c, struct store *s, int log)
{
	struct store_reader *reader;
	struct error e;
	assert_int_equal(store_reader_open(s, &reader, &e), ERR_OK);
	assert_int_equal(store_records(reader, NULL, 0, 0, find_item, &c->found, &e), ERR_OK);
	for (int i = 1; i <= c->r->n; i++)
		if (c->r->items[i].log == log) expect_item(c, reader, i);
	store_reader_close(reader);
}

static void expect_writable(struct check *c, struct store *s)
{
	struct store_batch *b = store_batch_new();
	add_started(b, "01JD9Z8Q6M3T4N5P6R7S8T9ZZW", 1);
	struct answer a = submit_and_wait(s, b);
	if (a.err) fail_msg("%s: it cannot be written any more: %s", c->where, a.error.text);
}

static bool is_any_acknowledged(const struct check *c, int log)
{
	for (int i = 1; i <= c->r->n; i++)
		if (c->r->items[i].log == log && is_acknowledged(c, i)) return true;
	return false;
}

static enum err open_left(const struct check *c, int log, struct store **s, struct error *e)
{
	struct store_options o = {.dir = c->r->p.dir, .guard_dir = c->r->p.guard, .origin = log ? "test.example/second" : c->r->origin, .node = "n1"};
	return store_open(&o, s, e);
}

/* Puts the parts of the log that was set aside where a store has them. False where it was not. */
static bool put_back(const struct check *c)
{
	static const char *const names[] = {"store.db", "store.db-wal", "keys"};
	char command[512];
	glob_t g;
	snprintf(command, sizeof command, "%s/store.db.aside-*", c->r->p.dir);
	bool is_aside = glob(command, 0, NULL, &g) == 0;
	globfree(&g);
	if (!is_aside) return false;
	snprintf(command, sizeof command, "cd %s && rm -rf ../old && mkdir -m 700 ../old", c->r->p.dir);
	assert_int_equal(system(command), 0);
	for (size_t i = 0; i < 3; i++) {
		snprintf(command, sizeof command, "cd %s && for f in %s.aside-*; do [ ! -e $f ] || cp -rp $f ../old/%s; done", c->r->p.dir, names[i], names[i]);
		assert_int_equal(system(command), 0);
	}
	return true;
}

/* The log that was set aside has all that was acknowledged. */
static void expect_aside(struct check *c)
{
	char dir[96], guard[96];
	struct store_options o = {.dir = dir, .guard_dir = guard, .node = "n1"};
	struct store *s = NULL;
	struct error e = {0};
	snprintf(dir, sizeof dir, "%s/old", c->r->p.root);
	snprintf(guard, sizeof guard, "%s/old-guard", c->r->p.root);
	if (!put_back(c)) fail_msg("%s: the log that was set aside is gone", c->where);
	if (store_open(&o, &s, &e)) fail_msg("%s: the log that was set aside: %s", c->where, e.text);
	expect_items(c, s, 0);
	store_close(s);
}

/* After a cut while it was set aside, a log is where it was, or aside; where it is half of each, the store says so, and setting it aside again helps. */
static struct store *open_after_aside(struct check *c)
{
	struct store *s = NULL;
	struct error e = {0};
	struct buf note;
	enum err err = open_left(c, 1, &s, &e);
	if (err && err != ERR_VERIFY && err != ERR_INVALID && err != ERR_NOT_FOUND) fail_msg("%s: %s", c->where, e.text);
	if (err && is_any_acknowledged(c, 1)) fail_msg("%s: %s", c->where, e.text);
	if (!err) return s;
	buf_init(&note, 65536);
	if (store_set_aside(c->r->p.dir, c->r->p.guard, &note, &e)) fail_msg("%s: it cannot be set aside again: %s", c->where, e.text);
	buf_clear(&note);
	if (open_left(c, 1, &s, &e)) fail_msg("%s: no new log can be started: %s", c->where, e.text);
	return s;
}

static void check_aside(struct check *c)
{
	struct store *s = open_after_aside(c);
	bool is_second = strncmp(store_vkey(s), "test.example/second", 19) == 0;
	expect_items(c, s, is_second);
	expect_writable(c, s);
	store_close(s);
	expect_whole(c, "written again");
	if (is_second) expect_aside(c);
}

void run_check(struct run *r, const struct scenario *x, const struct trace *t, size_t cut, const char *where)
{
	struct check c = {.r = r, .t = t, .cut = cut, .where = where, .found = {.run = r}};
	struct store *s = NULL;
	struct error e = {0};
	disk_fail(NULL, 0);
	if (x->sets_aside) {
		check_aside(&c);
		return;
	}
	if (is_any_acknowledged(&c, 0)) expect_whole(&c, "as it was left");
	if (open_left(&c, 0, &s, &e)) fail_msg("%s: it does not open: %s", where, e.text);
	expect_items(&c, s, 0);
	expect_writable(&c, s);
	store_close(s);
	expect_whole(&c, "written again");
}
