#ifndef RUNG_STORE_RECOVER_H
#define RUNG_STORE_RECOVER_H

#include "store/internal.h"

/* What opening an existing store does before the writer starts. */

/* The origin and key that record 0 states. ERR_VERIFY. */
enum err recover_origin(sqlite3 *db, char origin[NOTE_NAME_BYTES], char vkey[NOTE_VKEY_BYTES], struct error *e);

/* The last checkpoint's note. ERR_NOT_FOUND where there is none. */
enum err recover_note(sqlite3 *db, struct buf *note, struct error *e);

/* Fills s->now from the head row and holds it against the last checkpoint, which s->signer must have signed. Not a full verification: it costs the same for any
 * size of the log. ERR_VERIFY. */
enum err recover_progress(struct store *s, struct error *e);

/* Holds the guard against the store: same log at this path, not larger than the store, and its root the store's root at that size. ERR_VERIFY with the reason.
 * A guard that is not there is fine. */
enum err recover_check_guard(struct store *s, struct error *e);

/* A directory without a log in which the guard saw one. ERR_VERIFY. */
enum err recover_check_new(const struct store *s, struct error *e);

/* Before SQLite looks at the files, for it makes a database where there is none and deletes the WAL beside an empty one: ERR_VERIFY where a WAL is there
 * without its database, or neither where the guard saw a log. */
enum err recover_check_files(const struct store *s, struct error *e);

#endif
