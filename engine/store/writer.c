#include "base/clock.h"
#include "base/failpoint.h"
#include "store/internal.h"
#include "store/schema.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What one transaction takes at most: enough that many waiting batches share one fsync, little enough that the first of them does not wait long. */
enum { GROUP_BATCHES_MAX = 256, GROUP_BYTES_MAX = 8 << 20 };

/* Pages of 4 KiB in the WAL from which it is copied into the database: when nobody waits, and even when somebody does. */
enum { WAL_PAGES_IDLE = 1000, WAL_PAGES_BUSY = 8000 };

static const char *const sql_text[SQL_N] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_RECORD] = "INSERT INTO record (seq, execution, leaf, line) VALUES (?, ?, ?, ?)",
    [SQL_CHECKPOINT] = "INSERT OR REPLACE INTO checkpoint (size, note) VALUES (?, ?)",
    [SQL_HEAD] = "INSERT OR REPLACE INTO head (id, nodes, sum) VALUES (0, ?, ?)",
    [SQL_EXECUTION_GET] = "SELECT " EXECUTION_COLUMNS " FROM execution WHERE id = ?",
    [SQL_LAST_RECORD] = "SELECT max(seq) FROM record WHERE execution = ?",
    [SQL_EXECUTION_PUT] = "INSERT OR REPLACE INTO execution (" EXECUTION_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [SQL_INCIDENT_GET] = "SELECT " INCIDENT_COLUMNS " FROM incident WHERE id = ?",
    [SQL_INCIDENT_PUT] = "INSERT OR REPLACE INTO incident (" INCIDENT_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [SQL_PLAN] = "INSERT OR IGNORE INTO plan (digest, bytes) VALUES (?, ?)",
    [SQL_TIMER_GET] = "SELECT due_us FROM timer WHERE execution = ? AND step = ? AND kind = ?",
    [SQL_TIMER_PUT] = "INSERT OR REPLACE INTO timer (execution, step, kind, due_us) VALUES (?, ?, ?, ?)",
    [SQL_TIMER_DELETE] = "DELETE FROM timer WHERE execution = ? AND step = ? AND kind = ?",
    [SQL_BLOB] = "INSERT INTO blob (name, execution, salt, bytes) VALUES (?, ?, ?, ?)",
    [SQL_BLOB_GET] = "SELECT execution, salt FROM blob WHERE name = ?",
    [SQL_BLOB_ERASE] = "UPDATE blob SET salt = NULL, bytes = NULL WHERE name = ?",
};

int sql_step(sqlite3_stmt *q)
{
	int rc = sqlite3_step(q);
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	return rc;
}

enum err sql_done(struct store *s, enum sql id, const char *doing, struct error *e)
{
	int rc = sql_step(s->sql[id]);
	return rc == SQLITE_DONE ? ERR_OK : schema_error(s->db, rc, doing, e);
}

static int note_wal_pages(void *store, sqlite3 *db, const char *name, int pages)
{
	(void)db, (void)name;
	((struct store *)store)->wal_pages = pages;
	return SQLITE_OK;
}

enum err writer_prepare(struct store *s, struct error *e)
{
	enum err err = ERR_OK;
	for (int i = 0; i < SQL_N && !err; i++) err = schema_prepare(s->db, sql_text[i], &s->sql[i], e);
	sqlite3_wal_hook(s->db, note_wal_pages, s);
	return err;
}

/* What it builds on was not stored: neither is it. */
static bool is_behind_failed(struct store_batch *b)
{
	if (!b->chain || !b->chain->is_cut) return false;
	b->err = error_set(&b->error, ERR_CONFLICT, "what it builds on could not be stored");
	return true;
}

static void cut_chain(struct store_batch *b)
{
	if (b->chain) b->chain->is_cut = true;
}

/* One transaction. On ERR_OK the batches of the group have their answers; on any other error nothing of it is in the store. */
static enum err commit_group(struct store *s, struct store_batch *group, struct buf *note, struct error *e)
{
	struct progress *next = mem_alloc(sizeof *next);
	*next = s->now;
	bool has_changes = false;
	enum err err = sql_done(s, SQL_BEGIN, "beginning a transaction", e);
	for (struct store_batch *b = group; b && !err; b = b->next) {
		if (is_behind_failed(b)) continue;
		b->err = apply_check_epochs(s, b, &b->error);
		if (b->err == ERR_CONFLICT) {
			cut_chain(b);
			continue;
		}
		err = b->err ? error_set(e, b->err, "%s", b->error.text) : apply_batch(s, next, b, e);
		has_changes = true;
	}
	if (!err && has_changes) err = apply_checkpoint(s, next, note, e);
	if (!err && failpoint(STORE_COMMIT)) err = error_set(e, ERR_IO, "made to fail");
	if (!err) err = sql_done(s, SQL_COMMIT, "committing", e);
	if (!err) failpoint(STORE_COMMITTED);
	if (!err)
		s->now = *next;
	else if (!sqlite3_get_autocommit(s->db))
		sql_step(s->sql[SQL_ROLLBACK]);
	free(next);
	return err;
}

void writer_remember_place(struct store *s)
{
	struct stat st;
	if (stat(s->db_path, &st) == 0) s->db_dev = st.st_dev, s->db_ino = st.st_ino;
}

/* What is written to a file that has been deleted nobody will read: it must not be acknowledged. */
static enum err check_place(const struct store *s, struct error *e)
{
	struct stat st;
	if (s->db_ino == 0 || (stat(s->db_path, &st) == 0 && st.st_dev == s->db_dev && st.st_ino == s->db_ino)) return ERR_OK;
	return error_set(e, ERR_IO, "%s was deleted, moved away or exchanged under this engine: it ends, and nothing more is recorded here", s->db_path);
}

static void answer_all(struct store_batch *group, enum err err, const struct error *e)
{
	for (struct store_batch *b = group; b; b = b->next) {
		cut_chain(b);
		if (b->err != ERR_CONFLICT) b->err = err, b->error = *e;
	}
}

static void set_flag(struct store *s, bool *flag)
{
	pthread_mutex_lock(&s->mutex);
	*flag = true;
	pthread_mutex_unlock(&s->mutex);
}

/* Writes the guard. One that cannot be written stays behind the store, which is safe; the next commit tries again. */
static void write_guard(struct store *s, const struct buf *note)
{
	struct error ignored;
	if (note->len) guard_write(s->guard, note->data, note->len, &ignored);
}

/* Nobody knows what the disk holds: nothing is acknowledged any more. source: DESIGN.md 5.8 */
static void break_store(struct store *s, const struct error *e)
{
	s->broken = *e;
	s->broken.kind = ERR_IO;
	set_flag(s, &s->is_broken);
}

/* Gives up the reserve, where there is one. */
static bool use_reserve(struct store *s)
{
	bool is_released = reserve_release(s->dir);
	if (is_released) set_flag(s, &s->is_reserve_released);
	return is_released;
}

/* Holds it again, where there is room by now. */
static void regain_reserve(struct store *s)
{
	struct error full;
	bool is_back = reserve_has_room(s->dir) && reserve_make(s->dir, &full) == ERR_OK;
	pthread_mutex_lock(&s->mutex);
	if (is_back) s->is_reserve_released = false;
	pthread_mutex_unlock(&s->mutex);
}

/* Copies the WAL into the database. A reader in the way only puts it off, and so does a full disk, for the records are in the WAL; anything else breaks the
 * store, as in a commit: the batches before are durable, no later one is taken. */
static void checkpoint_wal(struct store *s, int mode)
{
	struct error e;
	failpoint(STORE_WAL);
	int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, mode, NULL, NULL);
	if (rc == SQLITE_FULL && use_reserve(s)) rc = sqlite3_wal_checkpoint_v2(s->db, NULL, mode, NULL, NULL);
	if (rc == SQLITE_OK)
		s->wal_pages = 0;
	else if ((rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED && (rc & 0xff) != SQLITE_FULL) {
		schema_error(s->db, rc, "copying the WAL into the database", &e);
		break_store(s, &e);
	}
	failpoint(STORE_WAL_COPIED);
}

/* The WAL still has the pages that held what was erased: it is copied and cut at once. A reader that looks at old pages is waited for, for a while. */
static void forget_erased(struct store *s, const struct store_batch *group)
{
	for (const struct store_batch *b = group; b; b = b->next) {
		if (!b->has_erase) continue;
		checkpoint_wal(s, SQLITE_CHECKPOINT_TRUNCATE);
		return;
	}
}

/* What is the fault of one batch was found before anything was written. A full disk is met with the reserve; anything else means that nobody knows what the
 * disk holds. */
static void write_group(struct store *s, struct store_batch *group)
{
	struct error e = {0};
	struct buf note;
	buf_init(&note, NOTE_BYTES_MAX);
	enum err err = s->is_broken ? ERR_IO : check_place(s, &e);
	bool is_refused = !err && failpoint(STORE_FULL);
	if (is_refused) err = error_set(&e, ERR_FULL, "made to fail");
	if (!err) err = commit_group(s, group, &note, &e);
	if (err == ERR_FULL && !is_refused && use_reserve(s)) {
		buf_reset(&note);
		err = commit_group(s, group, &note, &e);
	}
	if (!err) {
		write_guard(s, &note);
		forget_erased(s, group);
	} else if (s->is_broken) {
		e = s->broken;
	} else if (err != ERR_FULL) {
		err = ERR_IO;
		e.kind = ERR_IO;
		break_store(s, &e);
	}
	if (err) answer_all(group, err, &e);
	buf_clear(&note);
}

enum err writer_open_log(struct store *s, struct error *e)
{
	json_t *d = json_pack("{s:s,s:s,s:s,s:s}", "origin", s->origin, "key", s->vkey, "hash", "sha256", "engine", RUNG_VERSION);
	struct record r = {.kind = RECORD_LOG_OPENED, .node = s->node, .by = "system:engine", .data = d};
	struct store_batch *b = store_batch_new();
	struct buf note;
	buf_init(&note, NOTE_BYTES_MAX);
	enum err err = store_batch_record(b, &r, e);
	if (!err) err = commit_group(s, b, &note, e);
	buf_clear(&note);
	store_batch_free(b);
	json_decref(d);
	return err;
}

/* Takes what waits, up to the bounds of a group, as a chain. */
static struct store_batch *take_group(struct store *s)
{
	struct batch_queue group;
	struct store_batch *b;
	size_t n = 0, bytes = 0;
	queue_init(&group);
	while (n < GROUP_BATCHES_MAX && bytes < GROUP_BYTES_MAX && (b = queue_take(&s->queue)) != NULL) {
		queue_add(&group, b);
		n++, bytes += b->bytes;
	}
	return group.first;
}

static void answer_group(struct store *s, struct store_batch *group)
{
	pthread_mutex_lock(&s->mutex);
	stats_count_group(&s->stats, group, clock_monotonic_us());
	for (struct store_batch *b = group, *next; b; b = next) {
		next = b->next;
		queue_add(&s->answers, b);
	}
	pthread_cond_broadcast(&s->answered);
	pthread_mutex_unlock(&s->mutex);
	if (s->wake) s->wake(s->wake_arg);
}

void *writer_run(void *store)
{
	struct store *s = store;
	pthread_mutex_lock(&s->mutex);
	for (;;) {
		bool is_idle = s->queue.first == NULL;
		if ((is_idle && s->wal_pages >= WAL_PAGES_IDLE) || s->wal_pages >= WAL_PAGES_BUSY) {
			pthread_mutex_unlock(&s->mutex);
			checkpoint_wal(s, SQLITE_CHECKPOINT_PASSIVE);
			pthread_mutex_lock(&s->mutex);
			s->wal_pages = 0; /* where a reader was in the way: not again before the WAL has grown as much again */
			continue;
		}
		while (!s->queue.first && !s->is_stopping && !s->is_reserve_wanted) pthread_cond_wait(&s->submitted, &s->mutex);
		if (s->is_reserve_wanted) {
			s->is_reserve_wanted = false;
			pthread_mutex_unlock(&s->mutex);
			regain_reserve(s);
			pthread_mutex_lock(&s->mutex);
			continue;
		}
		struct store_batch *group = take_group(s);
		if (!group) break;
		pthread_mutex_unlock(&s->mutex);
		failpoint(STORE_TAKEN);
		write_group(s, group);
		failpoint(STORE_ANSWER);
		answer_group(s, group);
		pthread_mutex_lock(&s->mutex);
	}
	pthread_mutex_unlock(&s->mutex);
	if (!s->is_broken) checkpoint_wal(s, SQLITE_CHECKPOINT_TRUNCATE);
	return NULL;
}
