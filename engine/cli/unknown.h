#ifndef RUNG_CLI_UNKNOWN_H
#define RUNG_CLI_UNKNOWN_H

#include "cli/lines.h"

#include <jansson.h>

/* What a person should see before saying what became of the unknown calls of a step (the view's): what was sent, when and how, why nobody knows, what had been
 * printed by then, and what each answer means for it. */
void unknown_lines(struct lines *out, const json_t *step, size_t columns);

#endif
