#ifndef RUNG_SERVICE_CHILD_H
#define RUNG_SERVICE_CHILD_H

#include "service/execution.h"

/* Executions that a call of another one runs: runbook(...). The call's intent holds the child's id; so whatever becomes of the engine, the child is found by it
 * and never started twice, and what became of the call is never unknown: the store is asked what became of the child. The child is driven by who drives the
 * parent, with the rights of its own book. source: DESIGN.md 3, 4, 5 */

enum { CHILD_OUTPUTS_BYTES_MAX = 192 << 10, CHILDREN_PER_EXECUTION_MAX = 1000 };

/* Does an execution in that state wait for a person? */
bool child_is_stuck(const char *state);

/* The id that the intent of a call gets; in the arena. */
const char *child_id_new(struct execution *x);

/* The intent of the call is durable: starts its child, or watches the one that is there; or the call has the outcome that the child came to. */
void child_start(struct execution *x, struct call *c);

/* The parent was taken up: the same for each call of it that is open. Those whose child has not begun begin now. */
void children_take_up(struct execution *x);

/* Nobody waits for it any more: the child is cancelled, and the call ends when it has. */
void child_cancel(struct execution *x, struct call *c);

/* The parent has another driver: so have its children. */
void children_hand_over(struct execution *x, const char *to, const char *by);

/* The child's side: it waits for a person, or goes on; its end is durable; it cannot go on in this engine. Nothing for one with no parent. */
void child_tell(struct execution *child);
void child_ended(struct execution *child);
void child_lost(struct execution *child);

/* Children of x by their calls: [{"step","attempt","call","execution","runbook","state"}], state null where it has not begun. New reference. */
json_t *children_view(struct execution *x);

#endif
