#ifndef RUNG_STORE_SCHEMA_H
#define RUNG_STORE_SCHEMA_H

#include "base/error.h"

#include <sqlite3.h>
#include <stdbool.h>

/* The tables of the SQLite store, and how connections to them are opened. Every statement that makes a table stands in schema.c, nothing else does. */

/* The connection of the writer thread: makes the file and the tables where they are not there (*is_new), adds to a store of an older version what it lacks,
 * sets WAL, synchronous=FULL and no automatic checkpoint, and refuses a file whose tables are not exactly those of its version. ERR_VERIFY, ERR_FULL, ERR_IO.
 */
enum err schema_open_writer(const char *path, sqlite3 **out, bool *is_new, struct error *e);

/* A connection that only reads and never checkpoints; a file on a medium that cannot be written opens too. The tables are not looked at yet. */
enum err schema_open_reader(const char *path, sqlite3 **out, struct error *e);

/* The first version of a store that has incidents. */
enum { SCHEMA_OF_INCIDENTS = 3 };

/* ERR_VERIFY where the tables and indexes, their SQL, the application id or the version differ in any byte from what schema.c makes; those of an older version
 * may be as that one made them. version_out: which it is. */
enum err schema_check(sqlite3 *db, int *version_out, struct error *e);

/* What SQLite said, as ours: SQLITE_FULL is ERR_FULL, a damaged file ERR_VERIFY, all else ERR_IO. */
enum err schema_error(sqlite3 *db, int rc, const char *doing, struct error *e);

enum err schema_exec(sqlite3 *db, const char *sql, struct error *e);
enum err schema_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, struct error *e);

#endif
