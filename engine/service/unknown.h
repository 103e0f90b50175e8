#ifndef RUNG_SERVICE_UNKNOWN_H
#define RUNG_SERVICE_UNKNOWN_H

#include "service/consequence.h"

/* What a person gets to see of a step with calls whose outcome nobody knows, before saying what became of them (protocol.h, UNKNOWN), with what each answer
 * would bring for those that are selected. It depends on what is recorded and on what the targets kept, not on the time at which it is asked: the same again
 * has the same "digest". New reference; NULL where nothing that is unknown is selected. */
json_t *unknown_shown(struct execution *x, const struct selection *s);

/* The short form for a view: {"why", "cwd" (of a command), "stdin_bytes", "body_bytes", "stdin_secret", "env" (names), "output_bytes"}. New reference. */
json_t *unknown_facts(struct execution *x, const struct call *c);

/* The last proof of the step for people: {"state": "running" | "succeeded" | "failed" | "ended", "by", "started_us", "finished_us", "why", "calls": [{"call",
 * "words", "outcome", "code"}]}; null where there was none. New reference. */
json_t *proof_view(struct execution *x, size_t step);

#endif
