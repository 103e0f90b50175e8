#include "store/recover.h"
#include "base/digest.h"
#include "base/fs.h"
#include "store/schema.h"

#include <stdlib.h>
#include <string.h>

#define SET_ASIDE "`rung verify` tells more; `rung init --new-log --reason WHY` sets the old log aside and starts a new one"

/* Runs fn on the first row of a query. ERR_NOT_FOUND where there is none. */
static enum err first_row(sqlite3 *db, const char *sql, enum err (*fn)(void *arg, sqlite3_stmt *q, struct error *e), void *arg, struct error *e)
{
	sqlite3_stmt *q = NULL;
	enum err err = schema_prepare(db, sql, &q, e);
	if (!err) {
		int rc = sqlite3_step(q);
		if (rc == SQLITE_ROW)
			err = fn(arg, q, e);
		else if (rc == SQLITE_DONE)
			err = error_set(e, ERR_NOT_FOUND, "the store is empty");
		else
			err = schema_error(db, rc, "reading the store", e);
	}
	sqlite3_finalize(q);
	return err;
}

struct origin_out {
	char *origin, *vkey;
};

static enum err take_origin(void *arg, sqlite3_stmt *q, struct error *e)
{
	struct origin_out *out = arg;
	struct record r;
	json_t *hold;
	const void *line = sqlite3_column_blob(q, 0);
	enum err err = record_decode(line ? line : "", (size_t)sqlite3_column_bytes(q, 0), &r, &hold, e);
	if (err) return error_context(e, "record 0");
	const char *origin = json_str(r.data, "origin", ""), *vkey = json_str(r.data, "key", "");
	if (r.kind != RECORD_LOG_OPENED)
		err = error_set(e, ERR_VERIFY, "record 0 is %s, it must be log.opened", record_kind_name(r.kind));
	else if (strlen(origin) >= NOTE_NAME_BYTES || strlen(vkey) >= NOTE_VKEY_BYTES)
		err = error_set(e, ERR_VERIFY, "record 0: origin or key is too long");
	if (!err) {
		memcpy(out->origin, origin, strlen(origin) + 1);
		memcpy(out->vkey, vkey, strlen(vkey) + 1);
	}
	json_decref(hold);
	return err;
}

enum err recover_origin(sqlite3 *db, char origin[NOTE_NAME_BYTES], char vkey[NOTE_VKEY_BYTES], struct error *e)
{
	struct origin_out out = {origin, vkey};
	enum err err = first_row(db, "SELECT line FROM record WHERE seq = 0", take_origin, &out, e);
	return err == ERR_NOT_FOUND ? error_set(e, ERR_VERIFY, "record 0 is missing") : err;
}

static enum err take_text(void *arg, sqlite3_stmt *q, struct error *e)
{
	const void *text = sqlite3_column_blob(q, 0);
	if (text && buf_add(arg, text, (size_t)sqlite3_column_bytes(q, 0))) return ERR_OK;
	return error_set(e, ERR_VERIFY, "the last checkpoint is no note");
}

enum err recover_note(sqlite3 *db, struct buf *note, struct error *e)
{
	return first_row(db, "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1", take_text, note, e);
}

static enum err take_head(void *arg, sqlite3_stmt *q, struct error *e)
{
	struct progress *p = arg;
	const void *nodes = sqlite3_column_blob(q, 0), *sum = sqlite3_column_blob(q, 1);
	int n = tree_nodes(p->tree.size) * TREE_HASH_BYTES;
	if (!nodes || !sum || sqlite3_column_bytes(q, 0) != n || sqlite3_column_bytes(q, 1) != ROWSET_BYTES)
		return error_set(e, ERR_VERIFY, "the head of the tree does not fit a log of %llu records", (unsigned long long)p->tree.size);
	memcpy(p->tree.nodes, nodes, (size_t)n);
	memcpy(p->rows.sum, sum, ROWSET_BYTES);
	return ERR_OK;
}

static enum err take_last(void *arg, sqlite3_stmt *q, struct error *e)
{
	struct progress *p = arg;
	struct record r;
	json_t *hold;
	uint64_t seq = (uint64_t)sqlite3_column_int64(q, 0);
	const void *line = sqlite3_column_blob(q, 1);
	if (seq + 1 != p->tree.size)
		return error_set(e, ERR_VERIFY, "the last record is %llu, the last checkpoint covers %llu", (unsigned long long)seq,
		                 (unsigned long long)p->tree.size);
	enum err err = record_decode(line ? line : "", (size_t)sqlite3_column_bytes(q, 1), &r, &hold, e);
	if (err) return error_context(e, "record %llu", (unsigned long long)seq);
	p->last_t_us = r.t_us;
	json_decref(hold);
	return ERR_OK;
}

enum err recover_progress(struct store *s, struct error *e)
{
	struct buf note;
	struct checkpoint c = {0};
	struct tree_hash root, rows;
	buf_init(&note, NOTE_BYTES_MAX);
	enum err err = recover_note(s->db, &note, e);
	if (!err) err = checkpoint_open(note.data, note.len, note_signer_key(s->signer), &c, e);
	buf_clear(&note);
	s->now.tree.size = c.size;
	if (!err) err = first_row(s->db, "SELECT nodes, sum FROM head", take_head, &s->now, e);
	if (!err) err = first_row(s->db, "SELECT seq, line FROM record ORDER BY seq DESC LIMIT 1", take_last, &s->now, e);
	if (!err) {
		tree_root(&s->now.tree, &root);
		rowset_digest(&s->now.rows, &rows);
		if (memcmp(&root, &c.root, sizeof root) != 0 || memcmp(&rows, &c.rows, sizeof rows) != 0)
			err = error_set(e, ERR_VERIFY, "the head of the tree is not what the last checkpoint signed");
	}
	if (!err) return ERR_OK;
	if (err == ERR_NOT_FOUND) err = error_set(e, ERR_VERIFY, "the last checkpoint, the head of the tree or the last record is missing");
	error_context(e, "the store in %s does not verify (" SET_ASIDE ")", s->dir);
	return err;
}

/* The root over the first size records, from the stored leaf hashes. */
static enum err root_at(struct store *s, uint64_t size, struct tree_hash *root, struct error *e)
{
	sqlite3_stmt *q = NULL;
	struct tree *t = mem_alloc(sizeof *t);
	struct tree_hash leaf;
	int rc = SQLITE_DONE;
	tree_init(t);
	enum err err = schema_prepare(s->db, "SELECT leaf FROM record WHERE seq < ? ORDER BY seq", &q, e);
	if (!err) sqlite3_bind_int64(q, 1, (sqlite3_int64)size);
	while (!err && (rc = sqlite3_step(q)) == SQLITE_ROW) {
		const void *bytes = sqlite3_column_blob(q, 0);
		if (!bytes || sqlite3_column_bytes(q, 0) != TREE_HASH_BYTES) break;
		memcpy(leaf.bytes, bytes, TREE_HASH_BYTES);
		tree_append(t, &leaf);
	}
	if (!err && rc != SQLITE_DONE && rc != SQLITE_ROW) err = schema_error(s->db, rc, "reading the store", e);
	if (!err && t->size != size) err = error_set(e, ERR_VERIFY, "record %llu is missing or damaged", (unsigned long long)t->size);
	tree_root(t, root);
	sqlite3_finalize(q);
	free(t);
	return err;
}

static enum err check_path(struct store *s, struct error *e)
{
	struct buf seen;
	buf_init(&seen, NOTE_NAME_BYTES + 8192);
	enum err err = guard_read_path(s->guard_folder, s->dir, &seen, e);
	if (err == ERR_NOT_FOUND)
		err = ERR_OK;
	else if (!err && strcmp(seen.data, s->origin) != 0)
		err = error_set(e, ERR_VERIFY, "%s holds the log %s, but the guard saw the log %s there: it was exchanged (" SET_ASIDE ")", s->dir, s->origin,
		                seen.data);
	buf_clear(&seen);
	return err;
}

enum err recover_check_guard(struct store *s, struct error *e)
{
	struct buf note;
	struct checkpoint c;
	struct tree_hash root;
	uint64_t size = s->now.tree.size;
	enum err err = check_path(s, e);
	if (err) return err;
	buf_init(&note, NOTE_BYTES_MAX);
	err = guard_read(s->guard_folder, s->origin, &note, e);
	if (err == ERR_NOT_FOUND) {
		buf_clear(&note);
		return ERR_OK;
	}
	if (!err) err = checkpoint_open(note.data, note.len, note_signer_key(s->signer), &c, e);
	buf_clear(&note);
	if (err) return error_context(e, "the guard of %s in %s", s->origin, s->guard_folder);
	if (c.size > size)
		return error_set(e, ERR_VERIFY,
		                 "the store in %s is smaller than the guard has seen: it has %llu records, %llu were signed. Is it an older copy? (" SET_ASIDE
		                 ")",
		                 s->dir, (unsigned long long)size, (unsigned long long)c.size);
	if (c.size == size)
		tree_root(&s->now.tree, &root);
	else
		err = root_at(s, c.size, &root, e);
	if (!err && memcmp(&root, &c.root, sizeof root) != 0)
		err = error_set(e, ERR_VERIFY,
		                "the store in %s is different from what the guard has seen: its first %llu records give another root (" SET_ASIDE ")", s->dir,
		                (unsigned long long)c.size);
	return err;
}

enum err recover_check_new(const struct store *s, struct error *e)
{
	struct buf seen;
	buf_init(&seen, NOTE_NAME_BYTES + 8192);
	enum err err = guard_read_path(s->guard_folder, s->dir, &seen, e);
	if (err == ERR_NOT_FOUND)
		err = ERR_OK;
	else if (!err)
		err = error_set(e, ERR_VERIFY, "%s holds no log, but the guard saw the log %s there: its database is gone (" SET_ASIDE ")", s->dir, seen.data);
	buf_clear(&seen);
	return err;
}

enum err recover_check_files(const struct store *s, struct error *e)
{
	char *wal = mem_printf("%s-wal", s->db_path);
	enum err err = ERR_OK;
	bool has_db = fs_exists(s->db_path);
	if (!has_db && fs_exists(wal))
		err = error_set(e, ERR_VERIFY, "%s is there without its database, %s: records of a log may stand in it (" SET_ASIDE ")", wal, s->db_path);
	else if (!has_db)
		err = recover_check_new(s, e);
	free(wal);
	return err;
}
