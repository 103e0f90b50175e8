#ifndef RUNG_SERVICE_NOTIFY_CALL_H
#define RUNG_SERVICE_NOTIFY_CALL_H

#include "service/execution.h"

/* Calls of steps that reach people, answered by the engine once their intent is durable. source: DESIGN.md 4, 7, 8 */

/* notify("name", text): to each person of the name, by the first channel that takes it. Delivered to one of them is ok; where nobody knows, the call is
 * unknown. */
void notify_answer(struct execution *x, struct call *c);

/* The step is stopped: what has not come by now is unknown. */
void notify_cancel(struct execution *x, struct call *c);

/* escalate(why): raises the escalation of the execution's incident, once for the call, however often it is made again. */
void escalate_answer(struct execution *x, struct call *c);

#endif
