#ifndef RUNG_SERVICE_INVENTORY_H
#define RUNG_SERVICE_INVENTORY_H

#include "policy/inventory.h"
#include "service/engine_state.h"

/* The inventory of a workspace as it is now: the file is looked at each time, as the policy is, and the command that it may name is run where its last answer
 * is too old. The engine's loop only. source: DESIGN.md 4, 7 */
struct inventory_at;

/* That of the workspace's folder, made when it is asked for first. */
struct inventory_at *engine_inventory(struct engine *en, const char *root);

/* The engine ends: nobody waits any more, commands are ended; and, once no query is on a thread any more, all is given back. */
void engine_inventories_stop(struct engine *en);
void engine_inventories_free(struct engine *en);

/* ERR_OK with the whole inventory (no hosts where there is no file), valid until the next call of one of these; ERR_WAITING where the command has to be run
 * first: inventory_ask; ERR_INVALID where the file is wrong, ERR_DENIED where others can write it. */
enum err inventory_now(struct inventory_at *at, const struct inventory **out, struct error *e);

/* The same for a call that goes to a host: an answer of the command that has become old still says where the hosts are, and while the command of a file that
 * was changed is asked for the first time, so does what was known before. ERR_WAITING where nothing is known yet; its text says why, if the command has failed.
 */
enum err inventory_known(struct inventory_at *at, const struct inventory **out, struct error *e);

/* inv, or e: why there is none. Neither: the engine ends, and arg is to be freed. Both are valid in it only. */
typedef void inventory_told(void *arg, const struct inventory *inv, const struct error *e);

/* Runs the command where it has to be, and tells of the inventory then, once; at once where nothing has to be run. All that ask meanwhile are told of the same
 * run. A command that fails, or prints what is none, is an error for all of them: never an inventory with the file's hosts alone. */
void inventory_ask(struct inventory_at *at, inventory_told *told, void *arg);

/* Differs from what it was where what inventory_now gives may be another. */
uint64_t inventory_version(const struct inventory_at *at);

/* How long the command may take at most, after inventory_now gave ERR_WAITING. */
int64_t inventory_wait_us(const struct inventory_at *at);

#endif
