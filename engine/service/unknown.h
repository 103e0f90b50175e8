#ifndef RUNG_SERVICE_UNKNOWN_H
#define RUNG_SERVICE_UNKNOWN_H

#include "service/execution.h"

/* What a person gets to see of a call whose outcome nobody knows, before saying what became of it: {"why", "cwd", "stdin_bytes", "stdin_secret", "env" (names),
 * "output_bytes", "answers": {"again", "failed", "done"}}: what each answer would mean for this very call. Recorded with the answer. New reference. */
json_t *unknown_facts(struct execution *x, const struct call *c);

#endif
