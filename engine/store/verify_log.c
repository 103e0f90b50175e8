#include "base/clock.h"
#include "base/encode.h"
#include "store/schema.h"
#include "store/verify.h"

#include <stdlib.h>
#include <string.h>

enum { CLOCK_STEP_US = 1000000 };

#define ULL(x) ((unsigned long long)(x)) /* for printf */

/* A row of the table record, as it stands. */
struct row {
	uint64_t seq;
	const char *execution, *line;
	size_t n;
	const void *leaf;
};

static enum err read_row(struct verify *v, sqlite3_stmt *q, struct row *row)
{
	uint64_t at = v->tree.size;
	int64_t seq = sqlite3_column_int64(q, 0);
	if (seq < 0) return verify_wrong(v, at, "a record with the number %lld was inserted: numbers start at 0", (long long)seq);
	row->seq = (uint64_t)seq;
	if (row->seq != at) return verify_wrong(v, at, "record %llu is missing: %llu follows %llu", ULL(at), ULL(row->seq), ULL(at - 1));
	int execution = sqlite3_column_type(q, 1);
	bool is_fine = (execution == SQLITE_TEXT || execution == SQLITE_NULL) && sqlite3_column_type(q, 2) == SQLITE_BLOB &&
	               sqlite3_column_type(q, 3) == SQLITE_BLOB && sqlite3_column_bytes(q, 2) == TREE_HASH_BYTES &&
	               sqlite3_column_bytes(q, 3) <= JOURNAL_RECORD_BYTES_MAX;
	if (!is_fine) return verify_wrong(v, at, "record %llu was changed: a column has the wrong type or length", ULL(at));
	row->execution = (const char *)sqlite3_column_text(q, 1);
	row->leaf = sqlite3_column_blob(q, 2);
	row->line = sqlite3_column_blob(q, 3);
	row->n = (size_t)sqlite3_column_bytes(q, 3);
	if (!row->line || !row->leaf) return verify_wrong(v, at, "record %llu was changed: it is empty", ULL(at));
	return ERR_OK;
}

static enum err add_key(struct verify *v, uint64_t seq, const struct record *r)
{
	struct error said;
	if (v->keys_n == VERIFY_KEYS_MAX) return verify_wrong(v, seq, "record %llu: more than %d keys", ULL(seq), VERIFY_KEYS_MAX);
	if (note_key_parse(json_str(r->data, "key", ""), &v->keys[v->keys_n], &said) != ERR_OK)
		return verify_wrong(v, seq, "record %llu was changed: %s", ULL(seq), said.text);
	if (strcmp(v->keys[v->keys_n].name, v->out->origin) != 0)
		return verify_wrong(v, seq, "record %llu was changed: its key is of %s, the log is %s", ULL(seq), v->keys[v->keys_n].name, v->out->origin);
	v->keys_n++;
	return ERR_OK;
}

static enum err open_log(struct verify *v, const struct record *r)
{
	const char *origin = json_str(r->data, "origin", "");
	if (!note_name_is_valid(origin, strlen(origin))) return verify_wrong(v, 0, "record 0 was changed: its origin is no name of a log");
	memcpy(v->out->origin, origin, strlen(origin) + 1);
	return add_key(v, 0, r);
}

static bool is_of_life(enum record_kind k)
{
	return k == RECORD_EXECUTION_STARTED || k == RECORD_EXECUTION_RESUMED || k == RECORD_EXECUTION_FINISHED || k == RECORD_INCIDENT_OPENED ||
	       k == RECORD_INCIDENT_ACKNOWLEDGED || k == RECORD_INCIDENT_MITIGATED || k == RECORD_INCIDENT_RESOLVED;
}

static void keep_life(struct verify *v, uint64_t seq, const struct record *r)
{
	if (!is_of_life(r->kind)) return;
	if (v->lives_n == v->lives_cap) {
		v->lives_cap = v->lives_cap ? 2 * v->lives_cap : 64;
		v->lives = mem_realloc(v->lives, v->lives_cap * sizeof *v->lives);
	}
	struct life *l = &v->lives[v->lives_n++];
	*l = (struct life){.seq = seq, .kind = r->kind};
	/* record_decode has checked the lengths: a ULID, a word, a digest. */
	must(r->execution);
	strncpy(l->id, r->execution, sizeof l->id - 1);
	strncpy(l->state, json_str(r->data, "state", ""), sizeof l->state - 1);
	strncpy(l->plan, json_str(r->data, r->kind == RECORD_INCIDENT_OPENED ? "key" : "plan", ""), sizeof l->plan - 1);
}

/* What the record says, given those before it. */
static enum err check_meaning(struct verify *v, uint64_t seq, const struct record *r)
{
	if ((r->kind == RECORD_LOG_OPENED) != (seq == 0))
		return verify_wrong(v, seq, "record %llu is %s: the first record, and no other, is log.opened", ULL(seq), record_kind_name(r->kind));
	if (seq > 0 && r->t_us < v->last_t_us - CLOCK_STEP_US && r->kind != RECORD_CLOCK_STEPPED)
		return verify_wrong(
		    v, seq, "record %llu was changed or inserted: its time is behind that of the record before it, and no clock.stepped says so", ULL(seq));
	v->last_t_us = r->t_us;
	keep_life(v, seq, r);
	if (r->kind == RECORD_LOG_OPENED) return open_log(v, r);
	if (r->kind != RECORD_KEY_ROTATED) return ERR_OK;
	if (v->is_rotating) return verify_wrong(v, seq, "record %llu rotates the key twice under one checkpoint", ULL(seq));
	v->is_rotating = true;
	return add_key(v, seq, r);
}

struct blob_check {
	struct verify *v;
	uint64_t seq;
	enum err err;
};

/* Every blob that a record names has a row, be it an erased one. */
static void check_blob_row(void *arg, const char *name)
{
	struct blob_check *c = arg;
	struct verify *v = c->v;
	unsigned char raw[BLOB_RAW_BYTES];
	if (c->err) return;
	must(decode_hex(raw, name + strlen("hmac-sha256:"), BLOB_RAW_BYTES));
	sqlite3_bind_blob(v->has_blob, 1, raw, BLOB_RAW_BYTES, SQLITE_TRANSIENT);
	int rc = sqlite3_step(v->has_blob);
	sqlite3_reset(v->has_blob);
	if (rc == SQLITE_DONE)
		c->err = verify_wrong(v, c->seq, "record %llu names the blob %s, which is missing", ULL(c->seq), name);
	else if (rc != SQLITE_ROW)
		c->err = verify_wrong_sql(v, c->seq, rc, "the table of blobs");
}

static enum err check_record(struct verify *v, const struct row *row)
{
	struct tree_hash leaf;
	struct record r;
	struct error said;
	json_t *hold;
	must(row->line && row->leaf); /* looked at when the row was read */
	tree_leaf(&leaf, row->line, row->n);
	if (memcmp(leaf.bytes, row->leaf, TREE_HASH_BYTES) != 0)
		return verify_wrong(v, row->seq, "record %llu was changed: its bytes do not have its hash", ULL(row->seq));
	if (record_decode(row->line, row->n, &r, &hold, &said) != ERR_OK)
		return verify_wrong(v, row->seq, "record %llu was changed: %s", ULL(row->seq), said.text);
	enum err err = ERR_OK;
	struct blob_check blobs = {v, row->seq, ERR_OK};
	if (r.seq != row->seq)
		err = verify_wrong(v, row->seq, "record %llu is out of order, or inserted: its line says that it is %llu", ULL(row->seq), ULL(r.seq));
	else if (!row->execution != !r.execution || (r.execution && strcmp(row->execution, r.execution) != 0))
		err = verify_wrong(v, row->seq, "record %llu was changed: it is filed under another execution than its line says", ULL(row->seq));
	if (!err) err = check_meaning(v, row->seq, &r);
	if (!err) record_blobs(&r, check_blob_row, &blobs);
	json_decref(hold);
	tree_append(&v->tree, &leaf);
	v->out->records++;
	return err ? err : blobs.err;
}

static enum err check_guard_root(struct verify *v)
{
	struct tree_hash root;
	if (!v->has_guard || v->guard.size != v->tree.size) return ERR_OK;
	tree_root(&v->tree, &root);
	if (memcmp(&root, &v->guard.root, sizeof root) == 0) return ERR_OK;
	return verify_wrong(v, UINT64_MAX, "the guard saw another log: its root over the first %llu records is different", ULL(v->tree.size));
}

/* The key of the epoch: while a rotation is not yet covered, the one before the new one. */
static const struct note_key *epoch_key(const struct verify *v)
{
	return &v->keys[v->keys_n - 1 - v->is_rotating];
}

static enum err read_checkpoint(struct verify *v, sqlite3_stmt *q, struct checkpoint *c)
{
	unsigned long long size = ULL(sqlite3_column_int64(q, 0));
	struct error said = {0};
	struct note *note = mem_zero(sizeof *note);
	const char *bytes = sqlite3_column_blob(q, 1);
	size_t n = (size_t)sqlite3_column_bytes(q, 1);
	enum err err = ERR_OK;
	if (sqlite3_column_type(q, 1) != SQLITE_TEXT || !bytes || note_parse(bytes, n, note, &said) != ERR_OK || note->n != 1)
		err = verify_wrong(v, UINT64_MAX, "the checkpoint of size %llu was changed: it is no note with one signature", size);
	else if (checkpoint_open(bytes, n, epoch_key(v), c, &said) != ERR_OK)
		err = verify_wrong(v, UINT64_MAX, "the checkpoint of size %llu was changed, or its key is unknown: %s", size, said.text);
	else if (c->size != size || !c->has_rows)
		err = verify_wrong(v, UINT64_MAX, "the checkpoint of size %llu was changed: its note is of size %llu", size, ULL(c->size));
	free(note);
	return err;
}

/* The checkpoint of the size that the walk has reached. */
static enum err check_checkpoint(struct verify *v, sqlite3_stmt *q)
{
	struct checkpoint c = {0};
	struct tree_hash root;
	enum err err = read_checkpoint(v, q, &c);
	if (err) return err;
	tree_root(&v->tree, &root);
	if (memcmp(&root, &c.root, sizeof root) != 0)
		return verify_wrong(v, v->covered,
		                    "of the records %llu to %llu one or more were changed, removed, moved or inserted, hashes and all: the checkpoint of size "
		                    "%llu signed another root",
		                    ULL(v->covered), ULL(v->tree.size - 1), ULL(c.size));
	v->covered = c.size;
	v->last_rows = c.rows;
	v->is_rotating = false;
	v->out->checkpoints++;
	return ERR_OK;
}

/* A cursor over checkpoints that stands on the next one. */
static enum err next_checkpoint(struct verify *v, sqlite3_stmt *q, bool *has)
{
	int rc = sqlite3_step(q);
	*has = rc == SQLITE_ROW;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE) return verify_wrong_sql(v, v->tree.size, rc, "the table of checkpoints");
	if (*has && sqlite3_column_int64(q, 0) <= (int64_t)v->tree.size && sqlite3_column_int64(q, 0) < (int64_t)v->covered + 1)
		return verify_wrong(v, UINT64_MAX, "a checkpoint of size %lld was inserted", (long long)sqlite3_column_int64(q, 0));
	return ERR_OK;
}

static enum err check_end(struct verify *v, sqlite3_stmt *checkpoints, bool has)
{
	unsigned long long size = v->tree.size;
	if (has)
		return verify_wrong(v, size, "record %llu and those after it are missing: the tail was cut, a checkpoint covers %lld records", size,
		                    (long long)sqlite3_column_int64(checkpoints, 0));
	if (v->tree.size == 0) return verify_wrong(v, 0, "record 0 is missing: the log is empty");
	if (v->covered != v->tree.size)
		return verify_wrong(v, v->covered, "record %llu stands behind the last checkpoint: it was inserted, or its checkpoint removed",
		                    ULL(v->covered));
	return ERR_OK;
}

static enum err walk(struct verify *v, sqlite3_stmt *records, sqlite3_stmt *checkpoints)
{
	bool has;
	int rc;
	struct row row = {0};
	enum err err = next_checkpoint(v, checkpoints, &has);
	while (!err && (rc = sqlite3_step(records)) != SQLITE_DONE) {
		if (rc != SQLITE_ROW) {
			char what[48];
			sqlite3_snprintf(sizeof what, what, "record %llu", ULL(v->tree.size));
			return verify_wrong_sql(v, v->tree.size, rc, what);
		}
		err = read_row(v, records, &row);
		if (!err) err = check_record(v, &row);
		if (!err) err = check_guard_root(v);
		if (!err && has && sqlite3_column_int64(checkpoints, 0) == (int64_t)v->tree.size) {
			err = check_checkpoint(v, checkpoints);
			if (!err) err = next_checkpoint(v, checkpoints, &has);
		}
	}
	return err ? err : check_end(v, checkpoints, has);
}

enum err verify_log(struct verify *v)
{
	sqlite3_stmt *records = NULL, *checkpoints = NULL;
	enum err err = verify_prepare(v, "SELECT seq, execution, leaf, line FROM record ORDER BY seq", &records);
	if (!err) err = verify_prepare(v, "SELECT size, note FROM checkpoint ORDER BY size", &checkpoints);
	if (!err) err = verify_prepare(v, "SELECT 1 FROM blob WHERE name = ?", &v->has_blob);
	if (!err) err = walk(v, records, checkpoints);
	sqlite3_finalize(records);
	sqlite3_finalize(checkpoints);
	return err;
}
