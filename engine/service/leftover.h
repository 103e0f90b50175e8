#ifndef RUNG_SERVICE_LEFTOVER_H
#define RUNG_SERVICE_LEFTOVER_H

#include "service/engine_state.h"

#include <sys/types.h>

/* What the commands of an execution may leave behind, and how all of it ends: its control group where the host allows one, else whoever holds its lock. The
 * lock file says which group and which actor, so that the next engine finds them as well. */

/* Tries out whether executions can have control groups, and removes empty ones of an engine before. At the start, before there are threads. */
void leftover_start(struct engine *en);

/* Before an actor starts: the group of its execution, written down; the descriptor for struct sandbox_gifts, or -1 where there is no group. */
int leftover_prepare(struct execution *x);

/* After it has started: writes down which process it is. */
void leftover_remember(struct execution *x);

/* Reads what an earlier engine wrote down. */
void leftover_find(struct execution *x);

/* Processes of the execution's commands that run now: in its control group, or holding its lock. The first max of them in pids, the actor not among them. Gives
 * how many; -1 where some may run that this user cannot see. */
int leftover_list(struct execution *x, pid_t *pids, int max);

/* Kills the group; true once it is empty and removed, or where there was none. */
bool leftover_end_group(struct execution *x);

/* Kills the actor that was written down and everyone who holds the lock. */
void leftover_end_holders(struct execution *x);

/* Kills the group now; it is removed when it is empty. */
void leftover_drop(struct execution *x);

/* Removes groups that have become empty; the second waits for them a little. */
void leftover_sweep(struct engine *en);
void leftover_sweep_all(struct engine *en);

#endif
