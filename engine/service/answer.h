#ifndef RUNG_SERVICE_ANSWER_H
#define RUNG_SERVICE_ANSWER_H

#include "service/execution.h"

/* Calls that the engine answers itself, once their intent is durable. */

/* hosts("..."): from the inventory beside the policy that governs the execution; where its command has to be run, when that has been. evidence, cause and
 * remedy: finding.h; runbook: child.h. */
void answer_call(struct execution *x, struct call *c);

/* One that says something for the record alone: true. */
void answer_recorded(struct execution *x, struct call *c);

/* Nobody waits for it any more: it has failed, or has its answer already. Who stops its step sees to what follows. */
void answer_cancel(struct execution *x, struct call *c);

#endif
