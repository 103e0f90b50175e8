#ifndef RUNG_CLI_INVENTORY_USE_H
#define RUNG_CLI_INVENTORY_USE_H

#include "cli/workspace.h"
#include "policy/inventory.h"

/* The inventory of a workspace (its root; NULL: there is none), for commands that look. */

/* The file; no hosts where there is none. Runs nothing: what its command would name is not there (is_whole). ERR_INVALID where the file is wrong. */
enum err inventory_use_file(struct arena *a, const char *root, const struct inventory **out, struct error *e);

/* All of it: where the file names a command, the engine is asked, which runs it. */
enum err inventory_use_whole(struct arena *a, const struct workspace *w, const struct inventory **out, struct error *e);

/* The folder of the workspace that a book stands in: the one above it that holds .rung/; NULL: none does. */
const char *inventory_use_root_of(struct arena *a, const char *book);

#endif
