#ifndef RUNG_STORE_ROWS_H
#define RUNG_STORE_ROWS_H

#include "base/buf.h"
#include "store/store.h"

#include <sqlite3.h>

/* The rows that the tree does not cover, as bytes for the digest that every checkpoint signs (journal/rowset.h): two rows have the same bytes only where they
 * are the same. What a blob or a plan holds is covered by its name. */

enum { BLOB_RAW_BYTES = 32 };

void row_of_execution(struct buf *out, const struct store_execution *x);
void row_of_incident(struct buf *out, const struct store_incident *i);
void row_of_plan(struct buf *out, const char *digest);
void row_of_timer(struct buf *out, const char *execution, const char *step, const char *kind, int64_t due_us);
void row_of_blob(struct buf *out, const unsigned char name[BLOB_RAW_BYTES], const char *execution, bool is_erased);

/* The columns of an execution in the order that row_read_execution wants them, from the first column of q. Strings live until q moves. */
#define EXECUTION_COLUMNS "id, book, title, state, driver, parent, plan, started_us, finished_us, is_open, epoch, steps, steps_done"
enum { EXECUTION_COLUMN_N = 11 };
void row_read_execution(sqlite3_stmt *q, struct store_execution *x);

/* Binds the same columns as ?1 to ?11. */
void row_bind_execution(sqlite3_stmt *q, const struct store_execution *x);

/* Likewise of an incident. */
#define INCIDENT_COLUMNS "id, key, title, state, assigned_to, priority, opened_us, changed_us, acknowledged_us, resolved_us, alerts, is_open, is_live"
void row_read_incident(sqlite3_stmt *q, struct store_incident *i);
void row_bind_incident(sqlite3_stmt *q, const struct store_incident *i);

#endif
