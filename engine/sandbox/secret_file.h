#ifndef RUNG_SANDBOX_SECRET_FILE_H
#define RUNG_SANDBOX_SECRET_FILE_H

#include "base/buf.h"
#include "base/error.h"

#include <sys/types.h>

/* Reads the value of a secret from a file that nobody else can read or have put there: a regular file of root, of this process's user or of trusted, with no
 * right for group and world and no symbolic link at its end, in folders that only those users can change. Into out, which is full where the file is longer than
 * its maximum; no other copy is made. Called by an actor of the engine's own user, else by the engine. Errors name the path, never what is in it.
 * source: DESIGN.md 7 */
enum err secret_file_read(const char *path, uid_t trusted, struct buf *out, struct error *e);

/* Cuts the line's end that editors and commands put behind a value. */
void secret_cut_newline(struct buf *value);

/* Is it long enough to be taken out of what commands print, and short enough? name: for the message. */
enum err secret_check(const char *name, const struct buf *value, struct error *e);

#endif
