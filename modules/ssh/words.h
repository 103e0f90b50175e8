#ifndef RUNG_SSH_WORDS_H
#define RUNG_SSH_WORDS_H

#include "base/buf.h"
#include "base/error.h"

#include <jansson.h>

/* What the login shell of a host is given. sshd hands every command to it as one text: so the argument list is quoted as POSIX words, and before anything runs
 * the text shows that it is a POSIX shell that reads it (csh and fish quote otherwise) by printing a mark. What comes before the mark is noise of the login;
 * where no mark comes, nothing was run. It costs no round trip. */

extern const char words_mark[];
enum { WORDS_MARK_BYTES = 6 };

/* Appends a word so that a POSIX shell reads it as itself. */
void words_quote(struct buf *b, const char *word);

/* Appends the command of a "call" frame ("argv", "as", "key", "receipt"). ERR_INVALID, ERR_TOO_BIG: why it is none. */
enum err words_command(struct buf *b, const json_t *head, struct error *e);

#endif
