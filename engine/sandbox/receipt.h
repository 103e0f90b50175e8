#ifndef RUNG_SANDBOX_RECEIPT_H
#define RUNG_SANDBOX_RECEIPT_H

#include "base/error.h"

#include <jansson.h>
#include <signal.h>

/* Receipts of commands: what of an effect is kept where it happened, so that a call whose answer was lost can be asked again. DESIGN.md 5. */

/* receipt.sh, without its comments. */
extern const char receipt_text[];

/* How the shell that keeps it ends where it does not end with the command's status. Any other signal means what the first does. */
enum { RECEIPT_UNKNOWN = SIGUSR1, RECEIPT_NOT_RUN = SIGUSR2 };

/* Puts the shell in front of a command.
 *
 * receipt  "receipt" of a call frame: {"is_repeat", "folder", "execution", "name"}; without a folder it is one below the home of this process's user
 * path     the command's file; argv[0] becomes it
 * argv     allocated words, NULL behind the last: replaced by more of them
 * error    ERR_INVALID, ERR_NOT_FOUND: there is no place for it */
enum err receipt_wrap(const json_t *receipt, const char *path, char ***argv, struct error *e);

#endif
