#ifndef RUNG_SERVICE_ESCALATION_H
#define RUNG_SERVICE_ESCALATION_H

#include "flow/escalation.h"
#include "service/incident.h"

/* Somebody must look: what raises an escalation, and what carries it out. source: DESIGN.md 8, escalate/README.md */

/* Raises, or joins what is raised already. execution, step and reason (for people, from anywhere) may be NULL. The caller commits. */
void escalation_raise(struct incident *inc, enum escalation_trigger trigger, const char *execution, const char *step, const char *reason);

/* What one record of the incident does to its escalation; asked before the incident itself changes, so that it can say no (a link that was used: ERR_CONFLICT).
 * For every kind: acknowledged and resolved are the incident's. */
enum err escalation_fold(struct incident *inc, const struct record *r, struct error *e);

/* incident_wake's moment has come. */
void escalation_woken(struct incident *inc);

/* After a restart, once the engine runs. */
void escalation_take_up(struct incident *inc);

/* The incident is forgotten, by a sweep or since it is read back: what it has of an escalation goes. */
void escalation_drop(struct incident *inc);

#endif
