#ifndef RUNG_SERVICE_INVENTORY_COMMAND_H
#define RUNG_SERVICE_INVENTORY_COMMAND_H

#include "policy/inventory.h"
#include "service/engine_state.h"

/* One run of the command that an inventory names, by an actor of its own: as the commands' user, with their limits and environment. */
struct inventory_command_run;

/* It is over, and freed behind this: what it printed (which may be taken), or why there is nothing of use. */
typedef void inventory_command_done(void *arg, enum err err, struct buf *printed, const struct error *e);

/* Starts it in the workspace's folder. done is never called before this returns. */
enum err inventory_command_start(struct engine *en, const struct inventory_command *c, const char *root, inventory_command_done *done, void *arg,
                                 struct inventory_command_run **out, struct error *e);

/* Ends it, and calls nothing. */
void inventory_command_stop(struct inventory_command_run *r);

#endif
