#ifndef RUNG_SERVICE_EVIDENCE_H
#define RUNG_SERVICE_EVIDENCE_H

#include "service/execution.h"

/* What can be known of an unknown call without doing anything: what its target kept of it, what runs still. A list of facts, in the order of what they are
 * worth:
 * [{"from": a word ("receipt", "key", "processes", "target"), "says": a sentence, "settles": "not_made" | "begun" | "ended" | null}]. settles: what follows
 * from it for sure; null where it only helps. New reference, never NULL.
 *
 * A kind of call that knows more adds a row to the table in evidence.c. It looks at what is here and does not wait: what is far away is asked by a call, a
 * proof say, and the row tells what its answer was. */
json_t *evidence_of(struct execution *x, struct call *c);

#endif
