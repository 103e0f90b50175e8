#include "store/rows.h"
#include "base/encode.h"

#include <string.h>

static void put_text(struct buf *b, const char *s)
{
	unsigned char n[4];
	put_u32(n, s ? (uint32_t)strlen(s) : UINT32_MAX);
	must(buf_add(b, n, sizeof n) && (!s || buf_str(b, s)));
}

static void put_number(struct buf *b, uint64_t v)
{
	unsigned char n[8];
	put_u64(n, v);
	must(buf_add(b, n, sizeof n));
}

void row_of_execution(struct buf *b, const struct store_execution *x)
{
	must(buf_char(b, 'x'));
	const char *texts[] = {x->id, x->book, x->title, x->state, x->driver, x->parent, x->plan};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) put_text(b, texts[i]);
	put_number(b, (uint64_t)x->started_us);
	put_number(b, (uint64_t)x->finished_us);
	put_number(b, x->is_open);
	put_number(b, x->epoch);
	put_number(b, x->steps);
	put_number(b, x->steps_done);
}

void row_of_incident(struct buf *b, const struct store_incident *i)
{
	must(buf_char(b, 'i'));
	const char *texts[] = {i->id, i->key, i->title, i->state, i->assigned_to};
	for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) put_text(b, texts[k]);
	const int64_t numbers[] = {i->priority, i->opened_us, i->changed_us, i->acknowledged_us, i->resolved_us, (int64_t)i->alerts, i->is_open, i->is_live};
	for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) put_number(b, (uint64_t)numbers[k]);
}

void row_of_plan(struct buf *b, const char *digest)
{
	must(buf_char(b, 'p'));
	put_text(b, digest);
}

void row_of_timer(struct buf *b, const char *execution, const char *step, const char *kind, int64_t due_us)
{
	must(buf_char(b, 't'));
	put_text(b, execution);
	put_text(b, step);
	put_text(b, kind);
	put_number(b, (uint64_t)due_us);
}

void row_of_blob(struct buf *b, const unsigned char name[BLOB_RAW_BYTES], const char *execution, bool is_erased)
{
	must(buf_char(b, 'b') && buf_add(b, name, BLOB_RAW_BYTES));
	put_text(b, execution);
	put_number(b, is_erased);
}

static const char *text(sqlite3_stmt *q, int column)
{
	return (const char *)sqlite3_column_text(q, column);
}

void row_read_execution(sqlite3_stmt *q, struct store_execution *x)
{
	*x = (struct store_execution){.id = text(q, 0),
	                              .book = text(q, 1),
	                              .title = text(q, 2),
	                              .state = text(q, 3),
	                              .driver = text(q, 4),
	                              .parent = text(q, 5),
	                              .plan = text(q, 6),
	                              .started_us = sqlite3_column_int64(q, 7),
	                              .finished_us = sqlite3_column_int64(q, 8),
	                              .is_open = sqlite3_column_int64(q, 9) != 0,
	                              .epoch = (uint64_t)sqlite3_column_int64(q, 10),
	                              .steps = (uint64_t)sqlite3_column_int64(q, 11),
	                              .steps_done = (uint64_t)sqlite3_column_int64(q, 12)};
}

void row_bind_execution(sqlite3_stmt *q, const struct store_execution *x)
{
	const char *texts[] = {x->id, x->book, x->title, x->state, x->driver, x->parent, x->plan};
	for (int i = 0; i < 7; i++) sqlite3_bind_text(q, i + 1, texts[i], -1, SQLITE_STATIC);
	sqlite3_bind_int64(q, 8, x->started_us);
	sqlite3_bind_int64(q, 9, x->finished_us);
	sqlite3_bind_int64(q, 10, x->is_open);
	sqlite3_bind_int64(q, 11, (sqlite3_int64)x->epoch);
	sqlite3_bind_int64(q, 12, (sqlite3_int64)x->steps);
	sqlite3_bind_int64(q, 13, (sqlite3_int64)x->steps_done);
}

void row_read_incident(sqlite3_stmt *q, struct store_incident *i)
{
	*i = (struct store_incident){.id = text(q, 0),
	                             .key = text(q, 1),
	                             .title = text(q, 2),
	                             .state = text(q, 3),
	                             .assigned_to = text(q, 4),
	                             .priority = sqlite3_column_int(q, 5),
	                             .opened_us = sqlite3_column_int64(q, 6),
	                             .changed_us = sqlite3_column_int64(q, 7),
	                             .acknowledged_us = sqlite3_column_int64(q, 8),
	                             .resolved_us = sqlite3_column_int64(q, 9),
	                             .alerts = (uint64_t)sqlite3_column_int64(q, 10),
	                             .is_open = sqlite3_column_int64(q, 11) != 0,
	                             .is_live = sqlite3_column_int64(q, 12) != 0};
}

void row_bind_incident(sqlite3_stmt *q, const struct store_incident *i)
{
	const char *texts[] = {i->id, i->key, i->title, i->state, i->assigned_to};
	for (int k = 0; k < 5; k++) sqlite3_bind_text(q, k + 1, texts[k], -1, SQLITE_STATIC);
	const int64_t numbers[] = {i->priority, i->opened_us, i->changed_us, i->acknowledged_us, i->resolved_us, (int64_t)i->alerts, i->is_open, i->is_live};
	for (int k = 0; k < 8; k++) sqlite3_bind_int64(q, k + 6, numbers[k]);
}
