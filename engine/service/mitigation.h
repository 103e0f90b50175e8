#ifndef RUNG_SERVICE_MITIGATION_H
#define RUNG_SERVICE_MITIGATION_H

#include "service/incident.h"

/* Did it help? What was run for an incident and succeeded counts only when the alert resolves within its time; else somebody is told (not_resolved). The time
 * is that of the cause's row, else of the alert's binding, else 15 minutes, and begins with the record execution.ended (d.within_us), from which it follows
 * after a restart too. source: DESIGN.md 8 */

/* How long the alerts of its incident have, now that the execution is over: 0: it was not to mend anything, or did not. Children count with their parent. */
int64_t mitigation_within(const struct execution *x);

/* What one record of the incident does to what is waited for. Behind the incident's own fold. */
void mitigation_fold(struct incident *inc, const struct record *r);

/* All alerts of the incident are over: incident.mitigated, where something was run in time. Before incident.resolved; the caller commits. */
void mitigation_alerts_over(struct incident *inc);

/* About once a second: whose time is over? */
void mitigations_tick(struct engine *en);

/* Is anything waited for? The engine stays for it. */
bool mitigations_are_busy(struct engine *en);

#endif
