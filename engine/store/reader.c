#include "base/clock.h"
#include "base/digest.h"
#include "base/encode.h"
#include "store/internal.h"
#include "store/recover.h"
#include "store/schema.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* What is asked for thousands of times when an engine starts or a report is made: to prepare it takes longer than to run it. */
enum kept { KEPT_RECORDS, KEPT_BLOB, KEPT_N };

static const char *const kept_sql[KEPT_N] = {
    [KEPT_RECORDS] = "SELECT seq, line FROM record WHERE seq >= ?1 AND execution = ?3 ORDER BY seq LIMIT ?2",
    [KEPT_BLOB] = "SELECT salt, bytes FROM blob WHERE name = ?1",
};

/* Each reader has a connection of its own, and no query outlives a call: a statement that is kept is at its beginning. */
struct store_reader {
	sqlite3 *db;
	sqlite3_stmt *kept[KEPT_N]; /* NULL: not prepared yet, or a call has it */
};

enum err store_reader_open(struct store *s, struct store_reader **out, struct error *e)
{
	sqlite3 *db;
	*out = NULL;
	enum err err = schema_open_reader(s->db_path, &db, e);
	if (err) return err;
	struct store_reader *r = mem_zero(sizeof *r);
	r->db = db;
	*out = r;
	return ERR_OK;
}

void store_reader_close(struct store_reader *r)
{
	if (!r) return;
	for (int i = 0; i < KEPT_N; i++) sqlite3_finalize(r->kept[i]);
	sqlite3_close(r->db);
	free(r);
}

/* Ends a query: rc is what the last step said. */
static enum err finish(struct store_reader *r, sqlite3_stmt *q, int rc, const char *doing, struct error *e)
{
	enum err err = rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : schema_error(r->db, rc, doing, e);
	sqlite3_finalize(q);
	return err;
}

static enum err take_kept(struct store_reader *r, enum kept which, sqlite3_stmt **q, struct error *e)
{
	*q = r->kept[which];
	r->kept[which] = NULL;
	return *q ? ERR_OK : schema_prepare(r->db, kept_sql[which], q, e);
}

/* As finish. A callback may have asked the same in between: one is kept. */
static enum err finish_kept(struct store_reader *r, enum kept which, sqlite3_stmt *q, int rc, const char *doing, struct error *e)
{
	enum err err = rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : schema_error(r->db, rc, doing, e);
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	if (r->kept[which])
		sqlite3_finalize(q);
	else
		r->kept[which] = q;
	return err;
}

enum err store_records(struct store_reader *r, const char *execution, uint64_t from, size_t limit, store_record_fn *fn, void *arg, struct error *e)
{
	sqlite3_stmt *q = NULL;
	int rc;
	enum err err =
	    execution ? take_kept(r, KEPT_RECORDS, &q, e) : schema_prepare(r->db, "SELECT seq, line FROM record WHERE seq >= ?1 ORDER BY seq LIMIT ?2", &q, e);
	if (err) return err;
	sqlite3_bind_int64(q, 1, from > INT64_MAX ? INT64_MAX : (sqlite3_int64)from);
	sqlite3_bind_int64(q, 2, limit ? (sqlite3_int64)limit : -1);
	if (execution) sqlite3_bind_text(q, 3, execution, -1, SQLITE_STATIC);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		const char *line = sqlite3_column_blob(q, 1);
		if (!fn(arg, (uint64_t)sqlite3_column_int64(q, 0), line ? line : "", (size_t)sqlite3_column_bytes(q, 1))) break;
	}
	return execution ? finish_kept(r, KEPT_RECORDS, q, rc, "reading records", e) : finish(r, q, rc, "reading records", e);
}

enum err store_log_records(struct store_reader *r, store_record_fn *fn, void *arg, struct error *e)
{
	sqlite3_stmt *q = NULL;
	int rc;
	enum err err = schema_prepare(r->db, "SELECT seq, line FROM record WHERE execution IS NULL ORDER BY seq", &q, e);
	if (err) return err;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		const char *line = sqlite3_column_blob(q, 1);
		if (!fn(arg, (uint64_t)sqlite3_column_int64(q, 0), line ? line : "", (size_t)sqlite3_column_bytes(q, 1))) break;
	}
	return finish(r, q, rc, "reading the log's records", e);
}

/* The bounds of all ids that start with prefix; false where no ULID does. */
static bool prefix_range(const char *prefix, char from[ULID_BYTES], char to[ULID_BYTES + 1])
{
	size_t n = strlen(prefix);
	if (n >= ULID_BYTES) return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)prefix[i])) return false;
		from[i] = to[i] = (char)toupper((unsigned char)prefix[i]);
	}
	from[n] = 0;
	to[n] = '~', to[n + 1] = 0; /* after every letter */
	return true;
}

enum err store_executions(struct store_reader *r, bool open_only, const char *id_prefix, const char *before, size_t limit, store_execution_fn *fn, void *arg,
                          struct error *e)
{
	static const char *const sql[] = {
	    "SELECT " EXECUTION_COLUMNS " FROM execution WHERE id >= ?1 AND id < ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4",
	    "SELECT " EXECUTION_COLUMNS " FROM execution WHERE id >= ?1 AND id < ?2 AND id < ?3 AND is_open = 1 ORDER BY id DESC LIMIT ?4",
	};
	char from[ULID_BYTES], to[ULID_BYTES + 1];
	sqlite3_stmt *q = NULL;
	int rc;
	if (!prefix_range(id_prefix ? id_prefix : "", from, to)) return ERR_OK;
	enum err err = schema_prepare(r->db, sql[open_only], &q, e);
	if (err) return err;
	sqlite3_bind_text(q, 1, from, -1, SQLITE_STATIC);
	sqlite3_bind_text(q, 2, to, -1, SQLITE_STATIC);
	sqlite3_bind_text(q, 3, before ? before : "~", -1, SQLITE_STATIC);
	sqlite3_bind_int64(q, 4, limit ? (sqlite3_int64)limit : -1);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		struct store_execution x;
		row_read_execution(q, &x);
		if (!fn(arg, &x)) break;
	}
	return finish(r, q, rc, "reading executions", e);
}

enum err store_incidents(struct store_reader *r, enum store_incidents which, int64_t since_us, const char *id_prefix, const char *before, size_t limit,
                         store_incident_fn *fn, void *arg, struct error *e)
{
	static const char *const sql[] = {
	    "SELECT " INCIDENT_COLUMNS " FROM incident WHERE id >= ?1 AND id < ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4",
	    "SELECT " INCIDENT_COLUMNS " FROM incident WHERE id >= ?1 AND id < ?2 AND id < ?3 AND is_open = 1 ORDER BY id DESC LIMIT ?4",
	    ("SELECT " INCIDENT_COLUMNS " FROM incident WHERE id >= ?1 AND id < ?2 AND id < ?3 AND (is_live = 1 OR changed_us >= ?5)"
	     " ORDER BY id DESC LIMIT ?4"),
	};
	char from[ULID_BYTES], to[ULID_BYTES + 1];
	sqlite3_stmt *q = NULL;
	int rc;
	if (!prefix_range(id_prefix ? id_prefix : "", from, to)) return ERR_OK;
	enum err err = schema_prepare(r->db, sql[which], &q, e);
	if (err) return err;
	sqlite3_bind_text(q, 1, from, -1, SQLITE_STATIC);
	sqlite3_bind_text(q, 2, to, -1, SQLITE_STATIC);
	sqlite3_bind_text(q, 3, before ? before : "~", -1, SQLITE_STATIC);
	sqlite3_bind_int64(q, 4, limit ? (sqlite3_int64)limit : -1);
	if (which == STORE_INCIDENTS_RECENT) sqlite3_bind_int64(q, 5, since_us);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		struct store_incident i;
		row_read_incident(q, &i);
		if (!fn(arg, &i)) break;
	}
	return finish(r, q, rc, "reading incidents", e);
}

enum err store_plan(struct store_reader *r, const char *digest, struct buf *out, struct error *e)
{
	sqlite3_stmt *q = NULL;
	char hex[DIGEST_HEX_BYTES];
	enum err err = schema_prepare(r->db, "SELECT bytes FROM plan WHERE digest = ?", &q, e);
	if (err) return err;
	sqlite3_bind_text(q, 1, digest, -1, SQLITE_STATIC);
	int rc = sqlite3_step(q);
	if (rc == SQLITE_DONE) err = error_set(e, ERR_NOT_FOUND, "the store has no plan %.64s", digest);
	if (rc == SQLITE_ROW) {
		const void *bytes = sqlite3_column_blob(q, 0);
		size_t n = (size_t)sqlite3_column_bytes(q, 0);
		digest_sha256_hex(hex, bytes ? bytes : "", n);
		if (strcmp(hex, digest) != 0)
			err = error_set(e, ERR_VERIFY, "the plan %.64s was changed: its bytes do not have that digest", digest);
		else if (!buf_add(out, bytes, n))
			err = error_set(e, ERR_TOO_BIG, "the plan %.64s has %zu bytes, the limit is %zu", digest, n, out->max);
	}
	enum err end = finish(r, q, rc, "reading a plan", e);
	return end ? end : err;
}

static enum err take_blob(sqlite3_stmt *q, const char *name, const unsigned char raw[BLOB_RAW_BYTES], struct buf *out, struct error *e)
{
	unsigned char mac[DIGEST_BYTES];
	if (sqlite3_column_type(q, 0) == SQLITE_NULL && sqlite3_column_type(q, 1) == SQLITE_NULL) return error_set(e, ERR_NOT_FOUND, "%s was erased", name);
	const void *salt = sqlite3_column_blob(q, 0), *bytes = sqlite3_column_blob(q, 1);
	size_t n = (size_t)sqlite3_column_bytes(q, 1);
	digest_hmac(mac, salt ? salt : "", (size_t)sqlite3_column_bytes(q, 0), bytes ? bytes : "", n);
	if (memcmp(mac, raw, BLOB_RAW_BYTES) != 0) return error_set(e, ERR_VERIFY, "%s was changed: its bytes do not match its name", name);
	if (!buf_add(out, bytes, n)) return error_set(e, ERR_TOO_BIG, "%s has %zu bytes, the limit is %zu", name, n, out->max);
	return ERR_OK;
}

enum err store_blob(struct store_reader *r, const char *name, struct buf *out, struct error *e)
{
	sqlite3_stmt *q = NULL;
	unsigned char raw[BLOB_RAW_BYTES];
	if (!record_is_blob_name(name, strlen(name)) || !decode_hex(raw, name + strlen("hmac-sha256:"), BLOB_RAW_BYTES))
		return error_set(e, ERR_INVALID, "\"%.80s\" is not the name of a blob", name);
	enum err err = take_kept(r, KEPT_BLOB, &q, e);
	if (err) return err;
	sqlite3_bind_blob(q, 1, raw, BLOB_RAW_BYTES, SQLITE_STATIC);
	int rc = sqlite3_step(q);
	if (rc == SQLITE_DONE) err = error_set(e, ERR_NOT_FOUND, "the store has no blob %s", name);
	if (rc == SQLITE_ROW) err = take_blob(q, name, raw, out, e);
	enum err end = finish_kept(r, KEPT_BLOB, q, rc, "reading a blob", e);
	return end ? end : err;
}

enum err store_timers(struct store_reader *r, store_timer_fn *fn, void *arg, struct error *e)
{
	sqlite3_stmt *q = NULL;
	int rc;
	enum err err = schema_prepare(r->db, "SELECT execution, step, kind, due_us FROM timer ORDER BY due_us, execution, step, kind", &q, e);
	if (err) return err;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		const char *texts[3];
		for (int i = 0; i < 3; i++) texts[i] = (const char *)sqlite3_column_text(q, i);
		if (!fn(arg, texts[0] ? texts[0] : "", texts[1] ? texts[1] : "", texts[2] ? texts[2] : "", sqlite3_column_int64(q, 3))) break;
	}
	return finish(r, q, rc, "reading timers", e);
}

enum err store_checkpoint(struct store_reader *r, struct buf *note, struct error *e)
{
	return recover_note(r->db, note, e);
}
