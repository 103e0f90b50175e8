#ifndef RUNG_SERVICE_ESCALATION_H
#define RUNG_SERVICE_ESCALATION_H

#include "flow/escalation.h"
#include "service/incident.h"

/* Somebody must look: what raises an escalation, and what carries out what flow/escalation.h decides. An incident has one; its records are the incident's.
 * source: DESIGN.md 8, escalate/README.md */

/* Raises, or joins what is raised already. execution, step and reason (for people, from anywhere) may be NULL. The caller commits. Nothing where the incident
 * is resolved. */
void escalation_raise(struct incident *inc, enum escalation_trigger trigger, const char *execution, const char *step, const char *reason);

/* The same by a person (trigger RAISED_BY_HAND): by; to: a policy of oncall.yaml, which is climbed from here on, or NULL. ERR_NOT_FOUND where there is no such
 * policy, ERR_CONFLICT where the incident is resolved or all of that policy was climbed. */
enum err escalation_raise_by_hand(struct incident *inc, const char *by, const char *execution, const char *to, const char *reason, struct error *e);

/* Nobody is notified for *hold_us, or longer where maintenance holds it then: *hold_us is how long it is. reason (may be NULL): why. The caller commits.
 * ERR_CONFLICT where nothing is raised. */
enum err escalation_put_off(struct incident *inc, const char *by, int64_t *hold_us, const char *reason, struct error *e);

/* What one record of the incident does to its escalation; asked before the incident itself changes, so that it can say no (a link that was used: ERR_CONFLICT).
 * For every kind: acknowledged and resolved are the incident's. */
enum err escalation_fold(struct incident *inc, const struct record *r, struct error *e);

/* incident_wake's moment has come. */
void escalation_woken(struct incident *inc);

/* After a restart, once the engine runs. */
void escalation_take_up(struct incident *inc);

/* Is that person on a level of its ladder that was reached? Then they may see and acknowledge it, whatever the policy says: a message says `rung ack`. */
bool escalation_concerns(const struct incident *inc, const char *who);

/* The incident is forgotten, by a sweep or since it is read back: what it has of an escalation goes. */
void escalation_drop(struct incident *inc);

/* About once a second: has oncall.yaml been written anew? */
void escalations_tick(struct engine *en);

/* Does anything climb, or wait to climb? The engine stays for it. */
bool escalations_are_busy(struct engine *en);

/* What it has of an escalation, or NULL: nothing was raised. */
const struct escalation *escalation_get(const struct incident *inc);

/* Was that raised for the step (NULL: none) of that execution since then? */
bool escalation_was_raised(const struct incident *inc, enum escalation_trigger trigger, const char *execution, const char *step, int64_t since_us);

/* One time that it was raised, by its index from 0 on; false behind the last. What out points to lives as long as the incident. */
struct escalation_seen {
	enum escalation_trigger trigger;
	const char *execution, *step; /* or NULL */
	int64_t t_us;
};
bool escalation_raise_seen(const struct incident *inc, size_t i, struct escalation_seen *out);

/* {"state","trigger" (the last),"policy","level","round","notifications","reached","people":[{"person","reach","perhaps"}...],"waits_us"} for views of
 * incidents; NULL where nothing was raised. New reference. */
json_t *escalation_view(const struct incident *inc);

/* The workspace whose oncall.yaml it follows, or NULL. */
const char *escalation_root(const struct incident *inc);

#endif
