#ifndef RUNG_SERVICE_OWNED_FILE_H
#define RUNG_SERVICE_OWNED_FILE_H

#include "base/buf.h"
#include "sandbox/user.h"

/* A file of .rung/ that decides what runs, or where, with no right of its own: nobody but the engine's user and root may have written it, the commands' user
 * (NULL: there is none) least of all. Appends its bytes. ERR_NOT_FOUND where there is none, ERR_DENIED where others can write it. */
enum err owned_file_read(const char *path, const struct sandbox_user *commands_as, struct buf *out, struct error *e);

#endif
