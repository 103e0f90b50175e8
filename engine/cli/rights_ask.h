#ifndef RUNG_CLI_RIGHTS_ASK_H
#define RUNG_CLI_RIGHTS_ASK_H

#include "book/book.h"
#include "cli/engine_use.h"

/* Before a guided run begins, on the terminal: under a policy everything that is missing, and whether to go on; without one the list of what the book asks for
 * (where may_list), whose answer goes into the wish ("allow", "declared"). ERR_INTERRUPTED where the person does not go on. wish: what `run` will be asked. */
enum err rights_ask(struct use *u, struct book *b, json_t *wish, bool may_list, struct error *e);

#endif
