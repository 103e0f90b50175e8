#ifndef RUNG_SERVICE_ESCALATION_WATCH_H
#define RUNG_SERVICE_ESCALATION_WATCH_H

#include "service/execution.h"

/* Looks at an execution for what somebody must be told of: a step that failed for good, a wait that lasts too long. It raises; what follows is escalation.h's.
 *
 * An execution that runs by itself (mode auto) is watched for all of it; one that a person drives for what takes too long, and for waits that nobody attached
 * to it can see. With nobody on call, and no incident that it belongs to, nothing is raised. source: DESIGN.md 8 */

/* What follows from a record for when each step began to be as it is. Behind each fold. */
void escalation_watch_fold(struct execution *x, const struct record *r);

/* Raises what is to be raised, and submits that before whatever the execution submits next: a step that is recorded as failed has told somebody. Gives when it
 * wants to look again, on the clock of flow_decide; INT64_MAX: when something happens. */
int64_t escalation_watch(struct execution *x);

/* Incidents were read back, since a batch of them could not be stored: what was raised in it is raised again. */
void escalations_watch_again(struct engine *en);

#endif
