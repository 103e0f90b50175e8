#include "base/failpoint.h"
#include "store/internal.h"
#include "store/schema.h"

#include <string.h>

/* A record whose clock is further behind the one before is preceded by clock.stepped. */
enum { CLOCK_STEP_US = 1000000 };

static void bind_text(sqlite3_stmt *q, int at, const char *s)
{
	sqlite3_bind_text(q, at, s, -1, SQLITE_STATIC); /* NULL binds NULL */
}

/* One number of the first row; 0 where there is none. */
static enum err number_of(struct store *s, enum sql id, int column, const char *execution, uint64_t *out, struct error *e)
{
	sqlite3_stmt *q = s->sql[id];
	bind_text(q, 1, execution);
	int rc = sqlite3_step(q);
	*out = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(q, column) : 0;
	sqlite3_reset(q);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : schema_error(s->db, rc, "reading an execution", e);
}

static enum err check_claim(struct store *s, struct lease *held, const struct op *o, struct error *e)
{
	enum err err = number_of(s, SQL_LAST_RECORD, 0, o->execution, &held->last, e);
	if (err || lease_is_free_for(held, &o->claim)) return err;
	return error_set(e, ERR_CONFLICT, "execution %s went on, or was taken over, while it was read to be taken over: look at it again", o->execution);
}

enum err apply_check_epochs(struct store *s, const struct store_batch *b, struct error *e)
{
	failpoint(STORE_EPOCH);
	for (const struct op *o = b->first; o; o = o->next) {
		bool is_row = o->kind == OP_EXECUTION, is_claim = o->kind == OP_LEASE;
		uint64_t mine = is_claim ? o->claim.epoch : is_row ? o->row.epoch : o->record.epoch;
		struct lease held = {.epoch = 0};
		if (!is_row && !is_claim && (o->kind != OP_RECORD || !o->execution || mine == 0)) continue;
		enum err err = number_of(s, SQL_EXECUTION_GET, EXECUTION_COLUMN_N - 1, o->execution, &held.epoch, e);
		if (!err && !lease_admits(&held, mine))
			err = error_set(e, ERR_CONFLICT, "execution %s has been taken over: its lease has epoch %llu, this write %llu", o->execution,
			                (unsigned long long)held.epoch, (unsigned long long)mine);
		if (!err && is_claim) err = check_claim(s, &held, o, e);
		if (err) return err;
	}
	return ERR_OK;
}

static enum err put_record(struct store *s, struct progress *p, const char *execution, int64_t t_us, const char *tail, size_t n, struct error *e)
{
	struct buf line;
	struct tree_hash leaf;
	buf_init(&line, JOURNAL_RECORD_BYTES_MAX);
	if (!record_encode_head(p->tree.size, t_us, &line) || !buf_add(&line, tail, n)) {
		buf_clear(&line);
		return error_set(e, ERR_INVALID, "the time of a record must be between the years 0000 and 9999");
	}
	tree_leaf(&leaf, line.data, line.len);
	sqlite3_stmt *q = s->sql[SQL_RECORD];
	sqlite3_bind_int64(q, 1, (sqlite3_int64)p->tree.size);
	bind_text(q, 2, execution);
	sqlite3_bind_blob(q, 3, leaf.bytes, TREE_HASH_BYTES, SQLITE_STATIC);
	sqlite3_bind_blob(q, 4, line.data, (int)line.len, SQLITE_STATIC);
	enum err err = sql_done(s, SQL_RECORD, "writing a record", e);
	if (!err && failpoint(STORE_RECORD)) err = error_set(e, ERR_IO, "made to fail");
	if (!err) tree_append(&p->tree, &leaf);
	p->last_t_us = t_us;
	buf_clear(&line);
	return err;
}

static enum err put_clock_stepped(struct store *s, struct progress *p, int64_t t_us, struct error *e)
{
	json_t *d = json_pack("{s:I}", "back_us", (json_int_t)(p->last_t_us - t_us));
	struct record r = {.kind = RECORD_CLOCK_STEPPED, .node = s->node, .by = "system:engine", .data = d};
	struct buf tail;
	buf_init(&tail, JOURNAL_RECORD_BYTES_MAX);
	enum err err = record_encode_tail(&r, &tail, e);
	if (!err) err = put_record(s, p, NULL, t_us, tail.data, tail.len, e);
	buf_clear(&tail);
	json_decref(d);
	return err;
}

static enum err apply_record(struct store *s, struct progress *p, struct store_batch *b, const struct op *o, bool is_first, struct error *e)
{
	int64_t t_us = o->record.t_us ? o->record.t_us : b->t_us;
	enum err err = ERR_OK;
	if (p->tree.size > 0 && t_us < p->last_t_us - CLOCK_STEP_US) err = put_clock_stepped(s, p, t_us, e);
	if (is_first) b->first_seq = p->tree.size, b->t_us = t_us;
	return err ? err : put_record(s, p, o->execution, t_us, o->record.tail, o->record.n, e);
}

/* Adds a row to the digest, or takes it away, and forgets its bytes. */
static void count_row(struct progress *p, struct buf *row, bool is_added)
{
	if (is_added)
		rowset_add(&p->rows, row->data, row->len);
	else
		rowset_remove(&p->rows, row->data, row->len);
	buf_clear(row);
}

enum { ROW_BYTES_MAX = 16 << 20 };

static enum err apply_execution(struct store *s, struct progress *p, const struct op *o, struct error *e)
{
	if (failpoint(STORE_LEASE)) return error_set(e, ERR_IO, "made to fail");
	struct store_execution old;
	struct buf row;
	buf_init(&row, ROW_BYTES_MAX);
	sqlite3_stmt *q = s->sql[SQL_EXECUTION_GET];
	bind_text(q, 1, o->execution);
	int rc = sqlite3_step(q);
	if (rc == SQLITE_ROW) {
		row_read_execution(q, &old);
		row_of_execution(&row, &old);
		count_row(p, &row, false);
	}
	sqlite3_reset(q);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE) return schema_error(s->db, rc, "reading an execution", e);
	row_of_execution(&row, &o->row);
	count_row(p, &row, true);
	row_bind_execution(s->sql[SQL_EXECUTION_PUT], &o->row);
	return sql_done(s, SQL_EXECUTION_PUT, "writing an execution", e);
}

static enum err apply_incident(struct store *s, struct progress *p, const struct op *o, struct error *e)
{
	if (failpoint(STORE_INCIDENT)) return error_set(e, ERR_IO, "made to fail");
	struct store_incident old;
	struct buf row;
	buf_init(&row, ROW_BYTES_MAX);
	sqlite3_stmt *q = s->sql[SQL_INCIDENT_GET];
	bind_text(q, 1, o->execution);
	int rc = o->incident.is_new ? SQLITE_DONE : sqlite3_step(q);
	if (rc == SQLITE_ROW) {
		row_read_incident(q, &old);
		row_of_incident(&row, &old);
		count_row(p, &row, false);
	}
	sqlite3_reset(q);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE) return schema_error(s->db, rc, "reading an incident", e);
	row_of_incident(&row, &o->incident);
	count_row(p, &row, true);
	row_bind_incident(s->sql[SQL_INCIDENT_PUT], &o->incident);
	return sql_done(s, SQL_INCIDENT_PUT, "writing an incident", e);
}

static enum err apply_plan(struct store *s, struct progress *p, const struct op *o, struct error *e)
{
	if (failpoint(STORE_PLAN)) return error_set(e, ERR_IO, "made to fail");
	struct buf row;
	sqlite3_stmt *q = s->sql[SQL_PLAN];
	bind_text(q, 1, o->plan.digest);
	sqlite3_bind_blob(q, 2, o->plan.bytes, (int)o->plan.n, SQLITE_STATIC);
	enum err err = sql_done(s, SQL_PLAN, "writing a plan", e);
	if (err || sqlite3_changes(s->db) == 0) return err; /* it was there already: the digest says that it is the same */
	buf_init(&row, ROW_BYTES_MAX);
	row_of_plan(&row, o->plan.digest);
	count_row(p, &row, true);
	return ERR_OK;
}

static void bind_timer(sqlite3_stmt *q, const struct op *o)
{
	bind_text(q, 1, o->execution);
	bind_text(q, 2, o->timer.step);
	bind_text(q, 3, o->timer.kind);
}

static enum err apply_timer(struct store *s, struct progress *p, const struct op *o, struct error *e)
{
	struct buf row;
	buf_init(&row, ROW_BYTES_MAX);
	sqlite3_stmt *q = s->sql[SQL_TIMER_GET];
	bind_timer(q, o);
	int rc = sqlite3_step(q);
	if (rc == SQLITE_ROW) {
		row_of_timer(&row, o->execution, o->timer.step, o->timer.kind, sqlite3_column_int64(q, 0));
		count_row(p, &row, false);
	}
	sqlite3_reset(q);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE) return schema_error(s->db, rc, "reading a timer", e);
	if (o->timer.due_us == 0) {
		bind_timer(s->sql[SQL_TIMER_DELETE], o);
		return sql_done(s, SQL_TIMER_DELETE, "removing a timer", e);
	}
	row_of_timer(&row, o->execution, o->timer.step, o->timer.kind, o->timer.due_us);
	count_row(p, &row, true);
	bind_timer(s->sql[SQL_TIMER_PUT], o);
	sqlite3_bind_int64(s->sql[SQL_TIMER_PUT], 4, o->timer.due_us);
	return sql_done(s, SQL_TIMER_PUT, "writing a timer", e);
}

static enum err apply_blob(struct store *s, struct progress *p, const struct op *o, struct error *e)
{
	struct buf row;
	sqlite3_stmt *q = s->sql[SQL_BLOB];
	sqlite3_bind_blob(q, 1, o->blob.name, BLOB_RAW_BYTES, SQLITE_STATIC);
	bind_text(q, 2, o->execution);
	sqlite3_bind_blob(q, 3, o->blob.salt, BLOB_SALT_BYTES, SQLITE_STATIC);
	sqlite3_bind_blob(q, 4, o->blob.bytes, (int)o->blob.n, SQLITE_STATIC);
	buf_init(&row, ROW_BYTES_MAX);
	row_of_blob(&row, o->blob.name, o->execution, false);
	count_row(p, &row, true);
	if (failpoint(STORE_BLOB)) return error_set(e, ERR_IO, "made to fail");
	return sql_done(s, SQL_BLOB, "writing a blob", e);
}

/* Erasing what is erased already, or was never there, changes nothing. */
static enum err apply_erase(struct store *s, struct progress *p, const struct op *o, struct error *e)
{
	struct buf row;
	buf_init(&row, ROW_BYTES_MAX);
	sqlite3_stmt *q = s->sql[SQL_BLOB_GET];
	sqlite3_bind_blob(q, 1, o->blob.name, BLOB_RAW_BYTES, SQLITE_STATIC);
	int rc = sqlite3_step(q);
	bool is_there = rc == SQLITE_ROW && sqlite3_column_type(q, 1) != SQLITE_NULL;
	if (is_there) {
		const char *execution = (const char *)sqlite3_column_text(q, 0);
		row_of_blob(&row, o->blob.name, execution, false);
		count_row(p, &row, false);
		row_of_blob(&row, o->blob.name, execution, true);
		count_row(p, &row, true);
	}
	sqlite3_reset(q);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE) return schema_error(s->db, rc, "reading a blob", e);
	if (!is_there) return ERR_OK;
	sqlite3_bind_blob(s->sql[SQL_BLOB_ERASE], 1, o->blob.name, BLOB_RAW_BYTES, SQLITE_STATIC);
	return sql_done(s, SQL_BLOB_ERASE, "erasing a blob", e);
}

enum err apply_batch(struct store *s, struct progress *p, struct store_batch *b, struct error *e)
{
	enum err err = failpoint(STORE_APPLY) ? error_set(e, ERR_IO, "made to fail") : ERR_OK;
	bool is_first = true;
	b->first_seq = p->tree.size;
	b->t_us = s->clock_us();
	for (const struct op *o = b->first; o && !err; o = o->next) {
		switch (o->kind) {
		case OP_RECORD:
			err = apply_record(s, p, b, o, is_first, e);
			is_first = false;
			break;
		case OP_EXECUTION:
			err = apply_execution(s, p, o, e);
			break;
		case OP_INCIDENT:
			err = apply_incident(s, p, o, e);
			break;
		case OP_LEASE: /* was looked at before anything was changed */
			break;
		case OP_PLAN:
			err = apply_plan(s, p, o, e);
			break;
		case OP_TIMER:
			err = apply_timer(s, p, o, e);
			break;
		case OP_BLOB:
			err = apply_blob(s, p, o, e);
			break;
		case OP_ERASE:
			err = apply_erase(s, p, o, e);
			break;
		}
	}
	return err;
}

enum err apply_checkpoint(struct store *s, struct progress *p, struct buf *note, struct error *e)
{
	struct checkpoint c = {.size = p->tree.size, .has_rows = true};
	memcpy(c.origin, s->origin, sizeof c.origin);
	tree_root(&p->tree, &c.root);
	rowset_digest(&p->rows, &c.rows);
	enum err err = failpoint(STORE_SIGN) ? error_set(e, ERR_IO, "made to fail") : checkpoint_sign(&c, s->signer, note, e);
	if (!err && failpoint(STORE_SIGNED)) err = error_set(e, ERR_IO, "made to fail");
	if (err) return err;
	sqlite3_stmt *q = s->sql[SQL_CHECKPOINT];
	sqlite3_bind_int64(q, 1, (sqlite3_int64)p->tree.size);
	sqlite3_bind_text(q, 2, note->data, (int)note->len, SQLITE_STATIC);
	err = sql_done(s, SQL_CHECKPOINT, "writing a checkpoint", e);
	if (!err && failpoint(STORE_HEAD)) err = error_set(e, ERR_IO, "made to fail");
	if (err) return err;
	q = s->sql[SQL_HEAD];
	sqlite3_bind_blob(q, 1, p->tree.nodes, tree_nodes(p->tree.size) * TREE_HASH_BYTES, SQLITE_STATIC);
	sqlite3_bind_blob(q, 2, p->rows.sum, ROWSET_BYTES, SQLITE_STATIC);
	return sql_done(s, SQL_HEAD, "writing the head of the tree", e);
}
