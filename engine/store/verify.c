#include "store/verify.h"
#include "base/fs.h"
#include "store/recover.h"
#include "store/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err verify_wrong(struct verify *v, uint64_t seq, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(v->out->reason, sizeof v->out->reason, fmt, ap);
	va_end(ap);
	v->out->wrong_seq = seq;
	return error_set(v->error, ERR_VERIFY, "%s", v->out->reason);
}

enum err verify_wrong_sql(struct verify *v, uint64_t seq, int rc, const char *what)
{
	bool is_disk = ((rc & 0xff) == SQLITE_IOERR && rc != SQLITE_IOERR_SHORT_READ) || (rc & 0xff) == SQLITE_BUSY;
	if (is_disk) return error_set(v->error, ERR_IO, "%s cannot be read: SQLite: %s (%d)", what, sqlite3_errmsg(v->db), rc);
	return verify_wrong(v, seq, "%s cannot be read, the database is damaged there: SQLite: %s (%d)", what, sqlite3_errmsg(v->db), rc);
}

enum err verify_prepare(struct verify *v, const char *sql, sqlite3_stmt **q)
{
	int rc = sqlite3_prepare_v2(v->db, sql, -1, q, NULL);
	return rc == SQLITE_OK ? ERR_OK : verify_wrong_sql(v, UINT64_MAX, rc, "the store");
}

/* An error of a lower layer becomes the finding. */
static enum err wrong_as_said(struct verify *v)
{
	struct error said = *v->error;
	return verify_wrong(v, UINT64_MAX, "%s", said.text);
}

/* SQLite's own look at the pages, the free list and the indexes. */
static enum err check_pages(struct verify *v)
{
	sqlite3_stmt *q = NULL;
	enum err err = verify_prepare(v, "PRAGMA integrity_check(1)", &q);
	int rc = err ? SQLITE_DONE : sqlite3_step(q);
	if (!err && rc != SQLITE_ROW) err = verify_wrong_sql(v, UINT64_MAX, rc, "the database");
	const char *said = !err ? (const char *)sqlite3_column_text(q, 0) : NULL;
	if (!err && (!said || strcmp(said, "ok") != 0)) err = verify_wrong(v, UINT64_MAX, "the database file is damaged: %s", said ? said : "?");
	sqlite3_finalize(q);
	return err;
}

/* The guard's note is taken before the snapshot, so that an engine at work cannot make it look ahead of the store. Its signature is checked once the keys are
 * known. It is found by the origin in record 0; where that cannot be read, the walk will say what is wrong with record 0. */
static enum err read_guard(struct verify *v, const char *db_path, const char *dir, const char *folder, struct buf *note)
{
	char origin[NOTE_NAME_BYTES], vkey[NOTE_VKEY_BYTES];
	struct error ignored;
	struct buf seen;
	sqlite3 *db = NULL;
	enum err err = schema_open_reader(db_path, &db, v->error);
	if (!err) err = schema_check(db, &v->version, v->error);
	bool is_known = !err && recover_origin(db, origin, vkey, &ignored) == ERR_OK;
	sqlite3_close(db);
	if (!is_known) return err == ERR_VERIFY ? wrong_as_said(v) : err;
	buf_init(&seen, NOTE_NAME_BYTES + 8192);
	if (guard_read_path(folder, dir, &seen, &ignored) == ERR_OK && strcmp(seen.data, origin) != 0)
		err = verify_wrong(v, 0, "this is the log %s, but the guard saw the log %s in %s: it was exchanged", origin, seen.data, dir);
	buf_clear(&seen);
	if (!err && guard_read(folder, origin, note, &ignored) != ERR_OK) {
		buf_reset(note);
		snprintf(v->out->no_guard, sizeof v->out->no_guard, "%s", ignored.text);
	}
	return err;
}

static enum err parse_guard(struct verify *v, const struct buf *bytes)
{
	struct note *note = mem_zero(sizeof *note);
	enum err err = note_parse(bytes->data, bytes->len, note, v->error);
	if (!err) err = checkpoint_parse(note->text, note->text_len, &v->guard, v->error);
	v->has_guard = !err;
	v->out->guard_size = err ? 0 : v->guard.size;
	free(note);
	return err ? verify_wrong(v, UINT64_MAX, "the guard holds no checkpoint") : ERR_OK;
}

/* The guard's note must be signed by a key of this log. Its root was compared on the way (verify_log.c). */
static enum err check_guard(struct verify *v, const struct buf *bytes)
{
	struct checkpoint c;
	if (!v->has_guard) return ERR_OK;
	if (v->guard.size > v->tree.size)
		return verify_wrong(v, v->tree.size, "record %llu and those after it are missing: the tail was cut, the guard has seen %llu records",
		                    (unsigned long long)v->tree.size, (unsigned long long)v->guard.size);
	for (int i = 0; i < v->keys_n; i++)
		if (checkpoint_open(bytes->data, bytes->len, &v->keys[i], &c, NULL) == ERR_OK) return ERR_OK;
	return verify_wrong(v, UINT64_MAX, "the guard is not signed by a key of this log");
}

/* The key that is published beside the store is one of those that the log names. */
static enum err check_vkey(struct verify *v, const char *dir)
{
	char published[NOTE_VKEY_BYTES], known[NOTE_VKEY_BYTES];
	struct error ignored;
	if (keys_read_vkey(dir, published, &ignored) != ERR_OK) return ERR_OK;
	for (int i = 0; i < v->keys_n; i++) {
		note_key_text(&v->keys[i], known);
		if (strcmp(known, published) == 0) return ERR_OK;
	}
	return verify_wrong(v, 0, "the log was opened with the key %.100s, but %s/keys/log.vkey is %.100s", known, dir, published);
}

static enum err walk(struct verify *v, const char *db_path, const char *dir, const char *folder)
{
	struct buf guard;
	buf_init(&guard, NOTE_BYTES_MAX);
	enum err err = read_guard(v, db_path, dir, folder, &guard);
	if (!err && guard.len) err = parse_guard(v, &guard);
	if (!err) err = schema_open_reader(db_path, &v->db, v->error);
	if (!err) err = schema_exec(v->db, "BEGIN", v->error);
	if (!err) err = verify_log(v);
	if (!err) err = check_guard(v, &guard);
	if (!err) err = check_vkey(v, dir);
	if (!err) err = verify_rows(v);
	if (!err) err = check_pages(v);
	buf_clear(&guard);
	return err;
}

/* No database: nothing has run there, unless the guard saw a log there. */
static enum err check_gone(struct verify *v, const char *dir, const char *folder)
{
	struct buf seen;
	struct error ignored;
	buf_init(&seen, NOTE_NAME_BYTES + 8192);
	enum err err = guard_read_path(folder, dir, &seen, &ignored) == ERR_OK
	                   ? verify_wrong(v, UINT64_MAX, "%s holds no log, but the guard saw the log %s there: its database is gone", dir, seen.data)
	                   : error_set(v->error, ERR_NOT_FOUND, "there is no store in %s: nothing has run here, or --state names another folder", dir);
	buf_clear(&seen);
	return err;
}

static void hex_root(struct verify *v)
{
	struct tree_hash root;
	tree_root(&v->tree, &root);
	for (int i = 0; i < TREE_HASH_BYTES; i++) snprintf(v->out->root + 2 * i, 3, "%02x", root.bytes[i]);
}

enum err store_verify(const char *dir, const char *guard_dir, struct store_verdict *out, struct error *e)
{
	struct verify *v = mem_zero(sizeof *v);
	struct error own;
	char *path = mem_printf("%s/store.db", dir), *folder = guard_folder(guard_dir, &own);
	*out = (struct store_verdict){.wrong_seq = UINT64_MAX};
	v->out = out;
	v->error = e ? e : &own;
	tree_init(&v->tree);
	rowset_init(&v->rows);
	enum err err = fs_exists(path) ? ERR_OK : check_gone(v, dir, folder ? folder : dir);
	if (!err) err = walk(v, path, dir, folder ? folder : dir);
	/* What SQLite refused before the walk began is a finding, too. */
	if (err == ERR_VERIFY && !out->reason[0]) wrong_as_said(v);
	hex_root(v);
	out->is_whole = err == ERR_OK;
	sqlite3_finalize(v->has_blob);
	sqlite3_close(v->db);
	free(v->lives);
	free(v);
	free(path);
	free(folder);
	return err;
}
