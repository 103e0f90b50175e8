#ifndef RUNG_STORE_GUARD_H
#define RUNG_STORE_GUARD_H

#include "journal/checkpoint.h"

/* The guard of a log: the last checkpoint that was signed, kept outside the state directory, so that an older copy put in its place is noticed.
 *
 * Two files in the guard's folder: `<hash of the origin>.guard` with the note, found from any copy of the store, and `<hash of the path>.path`, which says
 * which log a state directory holds, so that an emptied or exchanged directory is noticed too.
 *
 * The note is written after the commit and never synced on its own: a guard behind the store is fine, one ahead of it never happens, since what it names was
 * synced before. It has two slots of 4 KiB that are written in turn, each in one pwrite, with the note's digest behind it: a torn write spoils one slot, and
 * the other still holds the checkpoint before. source: DESIGN.md 6. */

struct guard;

/* The folder where guards stand: the given one, or $XDG_STATE_HOME/rung/guard, or ~/.local/state/rung/guard. Allocated; NULL where there is none (e). */
char *guard_folder(const char *given, struct error *e);

/* The newest note in the guard of that origin, NUL-terminated in note; ERR_NOT_FOUND where there is none. */
enum err guard_read(const char *folder, const char *origin, struct buf *note, struct error *e);

/* The origin of the log that the guard saw at that state directory; ERR_NOT_FOUND. */
enum err guard_read_path(const char *folder, const char *dir, struct buf *origin, struct error *e);

/* Opens for writing; makes the folder and both files. */
enum err guard_open(const char *folder, const char *dir, const char *origin, struct guard **out, struct error *e);
void guard_close(struct guard *g); /* syncs; NULL is fine */

/* Writes a note into the slot whose turn it is. */
enum err guard_write(struct guard *g, const char *note, size_t n, struct error *e);

/* Renames both files so that a new log can start at dir; they are never deleted. suffix tells when. */
enum err guard_set_aside(const char *folder, const char *dir, const char *origin, const char *suffix, struct error *e);

#endif
