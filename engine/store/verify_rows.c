#include "base/digest.h"
#include "flow/incident.h"
#include "store/schema.h"
#include "store/verify.h"

#include <stdlib.h>
#include <string.h>

#define ULL(x) ((unsigned long long)(x)) /* for printf */

enum { ROW_BYTES_MAX = 64 << 20 };

/* Runs check on every row of a query. */
static enum err each_row(struct verify *v, const char *sql, const char *what, enum err (*check)(struct verify *v, sqlite3_stmt *q))
{
	sqlite3_stmt *q = NULL;
	int rc = SQLITE_DONE;
	enum err err = verify_prepare(v, sql, &q);
	while (!err && (rc = sqlite3_step(q)) == SQLITE_ROW) err = check(v, q);
	if (!err && rc != SQLITE_DONE) err = verify_wrong_sql(v, UINT64_MAX, rc, what);
	sqlite3_finalize(q);
	return err;
}

/* The types of a row's columns as a string: t text, i integer, b blob, 0 null, f float. */
static bool has_types(sqlite3_stmt *q, const char *types)
{
	for (int i = 0; types[i]; i++) {
		int t = sqlite3_column_type(q, i);
		char c = t == SQLITE_TEXT ? 't' : t == SQLITE_INTEGER ? 'i' : t == SQLITE_BLOB ? 'b' : t == SQLITE_NULL ? '0' : 'f';
		bool is_fine = types[i] == c || (types[i] == '?' && (c == 't' || c == '0'));
		if (!is_fine) return false;
	}
	return true;
}

/* A text with a NUL inside would be cut where it is read as a string. */
static bool is_string(sqlite3_stmt *q, int column)
{
	const char *s = (const char *)sqlite3_column_text(q, column);
	return !s || strlen(s) == (size_t)sqlite3_column_bytes(q, column);
}

static bool are_strings(sqlite3_stmt *q, int n)
{
	for (int i = 0; i < n; i++)
		if (sqlite3_column_type(q, i) == SQLITE_TEXT && !is_string(q, i)) return false;
	return true;
}

static void count(struct verify *v, struct buf *row)
{
	rowset_add(&v->rows, row->data, row->len);
	buf_clear(row);
}

static void hex(const unsigned char raw[BLOB_RAW_BYTES], char out[2 * BLOB_RAW_BYTES + 1])
{
	for (int i = 0; i < BLOB_RAW_BYTES; i++) sqlite3_snprintf(3, out + 2 * i, "%02x", raw[i]);
}

static enum err check_blob(struct verify *v, sqlite3_stmt *q)
{
	unsigned char mac[DIGEST_BYTES];
	char name[2 * BLOB_RAW_BYTES + 1];
	struct buf row;
	bool is_erased = has_types(q, "b?00");
	if ((!is_erased && !has_types(q, "b?bb")) || !are_strings(q, 4) || sqlite3_column_bytes(q, 0) != BLOB_RAW_BYTES ||
	    (!is_erased && sqlite3_column_bytes(q, 2) != BLOB_SALT_BYTES))
		return verify_wrong(v, UINT64_MAX, "a blob was changed: a column has the wrong type or length");
	const unsigned char *raw = sqlite3_column_blob(q, 0);
	const void *bytes = sqlite3_column_blob(q, 3);
	hex(raw, name);
	if (!is_erased) digest_hmac(mac, sqlite3_column_blob(q, 2), BLOB_SALT_BYTES, bytes ? bytes : "", (size_t)sqlite3_column_bytes(q, 3));
	if (!is_erased && memcmp(mac, raw, BLOB_RAW_BYTES) != 0)
		return verify_wrong(v, UINT64_MAX, "the blob hmac-sha256:%s was changed: its bytes do not match its name", name);
	buf_init(&row, ROW_BYTES_MAX);
	row_of_blob(&row, raw, (const char *)sqlite3_column_text(q, 1), is_erased);
	count(v, &row);
	if (is_erased)
		v->out->erased++;
	else
		v->out->blobs++;
	return ERR_OK;
}

static enum err check_plan(struct verify *v, sqlite3_stmt *q)
{
	char digest[DIGEST_HEX_BYTES];
	struct buf row;
	if (!has_types(q, "tb") || !are_strings(q, 1)) return verify_wrong(v, UINT64_MAX, "a plan was changed: a column has the wrong type");
	const char *name = (const char *)sqlite3_column_text(q, 0);
	const void *bytes = sqlite3_column_blob(q, 1);
	digest_sha256_hex(digest, bytes ? bytes : "", (size_t)sqlite3_column_bytes(q, 1));
	if (strcmp(digest, name) != 0) return verify_wrong(v, UINT64_MAX, "the plan %.64s was changed: its bytes have the digest %s", name, digest);
	buf_init(&row, ROW_BYTES_MAX);
	row_of_plan(&row, name);
	count(v, &row);
	return ERR_OK;
}

static enum err check_timer(struct verify *v, sqlite3_stmt *q)
{
	struct buf row;
	if (!has_types(q, "ttti") || !are_strings(q, 3)) return verify_wrong(v, UINT64_MAX, "a timer was changed: a column has the wrong type");
	buf_init(&row, ROW_BYTES_MAX);
	row_of_timer(&row, (const char *)sqlite3_column_text(q, 0), (const char *)sqlite3_column_text(q, 1), (const char *)sqlite3_column_text(q, 2),
	             sqlite3_column_int64(q, 3));
	count(v, &row);
	return ERR_OK;
}

static int compare_lives(const void *a, const void *b)
{
	const struct life *x = a, *y = b;
	int order = strcmp(x->id, y->id);
	if (order) return order;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static const struct life *find_first(const struct verify *v, const char *id)
{
	size_t low = 0, high = v->lives_n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(v->lives[middle].id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < v->lives_n && strcmp(v->lives[low].id, id) == 0 ? &v->lives[low] : NULL;
}

/* The row against the records that opened and ended the execution. */
static enum err check_life(struct verify *v, const struct store_execution *x)
{
	const struct life *first = find_first(v, x->id), *last = first;
	if (!first || first->kind != RECORD_EXECUTION_STARTED)
		return verify_wrong(v, UINT64_MAX, "execution %s was inserted: no record says that it started", x->id);
	while (last + 1 < v->lives + v->lives_n && strcmp(last[1].id, x->id) == 0) last++;
	bool is_finished = last->kind == RECORD_EXECUTION_FINISHED;
	if (is_finished == x->is_open)
		return verify_wrong(v, last->seq, "execution %s is listed as %s, record %llu says otherwise (%s)", x->id, x->is_open ? "open" : "ended",
		                    ULL(last->seq), record_kind_name(last->kind));
	if (is_finished && (!x->state || strcmp(x->state, last->state) != 0))
		return verify_wrong(v, last->seq, "execution %s is listed as %s, record %llu says %s", x->id, x->state ? x->state : "nothing", ULL(last->seq),
		                    last->state);
	if (x->plan && strcmp(x->plan, first->plan) != 0)
		return verify_wrong(v, first->seq, "execution %s is listed with another plan than record %llu says", x->id, ULL(first->seq));
	return ERR_OK;
}

static enum err check_execution(struct verify *v, sqlite3_stmt *q)
{
	struct store_execution x;
	struct buf row;
	if (!has_types(q, "t??????iiii") || !are_strings(q, 7) || sqlite3_column_int64(q, 9) >> 1)
		return verify_wrong(v, UINT64_MAX, "the row of an execution was changed: a column has the wrong type");
	row_read_execution(q, &x);
	enum err err = check_life(v, &x);
	if (err) return err;
	buf_init(&row, ROW_BYTES_MAX);
	row_of_execution(&row, &x);
	count(v, &row);
	return ERR_OK;
}

/* The row against the records that opened the incident and said how it stands. What its alerts did to a mitigated one is theirs to tell. */
static enum err check_course(struct verify *v, const struct store_incident *i)
{
	const struct life *first = find_first(v, i->id), *l = first;
	unsigned seen = 0;
	enum incident_state state;
	if (!first || first->kind != RECORD_INCIDENT_OPENED)
		return verify_wrong(v, UINT64_MAX, "incident %s was inserted: no record says that it was opened", i->id);
	for (; l < v->lives + v->lives_n && strcmp(l->id, i->id) == 0; l++) {
		if (l->kind == RECORD_INCIDENT_ACKNOWLEDGED) seen |= 1U << INCIDENT_ACKNOWLEDGED;
		if (l->kind == RECORD_INCIDENT_MITIGATED) seen |= 1U << INCIDENT_MITIGATED;
		if (l->kind == RECORD_INCIDENT_RESOLVED) seen |= 1U << INCIDENT_RESOLVED;
	}
	uint64_t last = l[-1].seq;
	bool is_resolved = seen >> INCIDENT_RESOLVED & 1, is_known = incident_state_find(i->state, &state);
	bool is_fine = is_known && i->is_open != is_resolved && (state == INCIDENT_RESOLVED) == is_resolved && (i->is_live || !i->is_open);
	if (is_fine && state == INCIDENT_OPEN) is_fine = !(seen >> INCIDENT_ACKNOWLEDGED & 1);
	if (is_fine && (state == INCIDENT_ACKNOWLEDGED || state == INCIDENT_MITIGATED)) is_fine = seen >> state & 1;
	if (!is_fine)
		return verify_wrong(v, last, "incident %s is listed as %s, its records up to %llu say otherwise", i->id, i->state ? i->state : "nothing",
		                    ULL(last));
	if (strcmp(i->key ? i->key : "", first->plan) != 0)
		return verify_wrong(v, first->seq, "incident %s is listed with another key than record %llu says", i->id, ULL(first->seq));
	return ERR_OK;
}

static enum err check_incident(struct verify *v, sqlite3_stmt *q)
{
	struct store_incident i;
	struct buf row;
	if (!has_types(q, "t????iiiiiiii") || !are_strings(q, 5) || sqlite3_column_int64(q, 11) >> 1 || sqlite3_column_int64(q, 12) >> 1 ||
	    sqlite3_column_int64(q, 5) != sqlite3_column_int(q, 5))
		return verify_wrong(v, UINT64_MAX, "the row of an incident was changed: a column has the wrong type");
	row_read_incident(q, &i);
	enum err err = check_course(v, &i);
	if (err) return err;
	buf_init(&row, ROW_BYTES_MAX);
	row_of_incident(&row, &i);
	count(v, &row);
	return ERR_OK;
}

/* Every execution that started, every incident that was opened, has a row: both are sorted, so counting the distinct ones is enough once every row has been
 * found among the records. */
static enum err check_all_listed(struct verify *v, const char *sql, enum record_kind began, const char *what, const char *verb)
{
	sqlite3_stmt *q = NULL;
	enum err err = verify_prepare(v, sql, &q);
	for (size_t i = 0; i < v->lives_n && !err; i++) {
		const struct life *l = &v->lives[i];
		if (l->kind != began) continue;
		sqlite3_bind_text(q, 1, l->id, -1, SQLITE_STATIC);
		int rc = sqlite3_step(q);
		sqlite3_reset(q);
		if (rc == SQLITE_DONE)
			err = verify_wrong(v, l->seq, "%s %s, which record %llu %s, is not listed: its row was removed", what, l->id, ULL(l->seq), verb);
		else if (rc != SQLITE_ROW)
			err = verify_wrong_sql(v, l->seq, rc, "the tables of executions and incidents");
	}
	sqlite3_finalize(q);
	return err;
}

/* What appending would go on from. */
static enum err check_head(struct verify *v, sqlite3_stmt *q)
{
	int n = tree_nodes(v->tree.size) * TREE_HASH_BYTES;
	bool is_fine = has_types(q, "ibb") && sqlite3_column_int64(q, 0) == 0 && sqlite3_column_bytes(q, 1) == n &&
	               memcmp(sqlite3_column_blob(q, 1), v->tree.nodes, (size_t)n) == 0 && sqlite3_column_bytes(q, 2) == ROWSET_BYTES &&
	               memcmp(sqlite3_column_blob(q, 2), v->rows.sum, ROWSET_BYTES) == 0;
	return is_fine ? ERR_OK : verify_wrong(v, UINT64_MAX, "the head of the tree was changed: it does not fit the records and rows");
}

static enum err check_rows_digest(struct verify *v)
{
	struct tree_hash digest;
	rowset_digest(&v->rows, &digest);
	if (memcmp(&digest, &v->last_rows, sizeof digest) == 0) return ERR_OK;
	return verify_wrong(
	    v, UINT64_MAX,
	    "a row of the executions, incidents, plans, timers or the list of blobs was changed, removed or inserted: they do not have the digest that "
	    "the last checkpoint signed");
}

static enum err check_one_head(struct verify *v, sqlite3_stmt *q)
{
	return sqlite3_column_int64(q, 0) == 1 ? ERR_OK : verify_wrong(v, UINT64_MAX, "the head of the tree was removed, or another inserted");
}

/* A store of an older version has no such table. */
static enum err verify_incidents(struct verify *v)
{
	enum err err = each_row(v, "SELECT " INCIDENT_COLUMNS " FROM incident", "the table of incidents", check_incident);
	return err ? err : check_all_listed(v, "SELECT 1 FROM incident WHERE id = ?", RECORD_INCIDENT_OPENED, "incident", "opened");
}

enum err verify_rows(struct verify *v)
{
	if (v->lives_n) qsort(v->lives, v->lives_n, sizeof *v->lives, compare_lives);
	enum err err = each_row(v, "SELECT name, execution, salt, bytes FROM blob", "the table of blobs", check_blob);
	if (!err) err = each_row(v, "SELECT digest, bytes FROM plan", "the table of plans", check_plan);
	if (!err) err = each_row(v, "SELECT " EXECUTION_COLUMNS " FROM execution", "the table of executions", check_execution);
	if (!err) err = check_all_listed(v, "SELECT 1 FROM execution WHERE id = ?", RECORD_EXECUTION_STARTED, "execution", "started");
	if (!err && v->version >= SCHEMA_OF_INCIDENTS) err = verify_incidents(v);
	if (!err) err = each_row(v, "SELECT execution, step, kind, due_us FROM timer", "the table of timers", check_timer);
	if (!err) err = check_rows_digest(v);
	if (!err) err = each_row(v, "SELECT count(*) FROM head", "the head of the tree", check_one_head);
	if (!err) err = each_row(v, "SELECT id, nodes, sum FROM head", "the head of the tree", check_head);
	return err;
}
