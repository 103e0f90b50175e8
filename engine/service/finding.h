#ifndef RUNG_SERVICE_FINDING_H
#define RUNG_SERVICE_FINDING_H

#include "service/execution.h"

/* What a playbook found: the calls evidence(...) and cause(...) of its steps' last attempts, and what follows from them when its steps are over. */

enum { FINDINGS_MAX = 200, FINDING_BYTES_MAX = 64 << 10, FINDINGS_BYTES_MAX = 512 << 10 };

/* What was found so far, in the order of the record: [{"kind":"evidence"|"cause","step","attempt","call","t_us"; evidence: "name","data"; cause: "cause",
 * "text" (of the table, or null),"evidence","parameters","certainty" (0..100)}]. Borrowed until the next record. */
const json_t *findings_of(struct execution *x);

/* The cause to go by: of those whose row of the table has a runbook the most certain, the first of several; else of all. Borrowed, or NULL. */
const json_t *finding_cause(struct execution *x);

/* Keeps what was read of them in step with the record. */
void findings_fold(struct execution *x, size_t step, const struct record *r);

/* evidence(...) and cause(...): the record is all that comes of them. */
void finding_answer(struct execution *x, struct call *c);

/* remedy.lead: {"cause","text","runbook","title","mode","parameters","secrets","capabilities","why"}: what the row of the cause says; {} where none was found.
 */
void finding_lead(struct execution *x, struct call *c);

/* The steps of a playbook are over, and the execution is about to end in that state: records what came of it (playbook.concluded). Nothing for a runbook. */
void finding_conclude(struct execution *x, enum run_state state);

#endif
