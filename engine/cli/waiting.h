#ifndef RUNG_CLI_WAITING_H
#define RUNG_CLI_WAITING_H

#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

/* A step waits for a person, not for its next try. */
bool step_waits(const json_t *step);
size_t view_waiting_count(const json_t *view);

/* An execution that goes no further without a person: it was left open by its engine, is paused, or waits. */
bool view_needs_person(const json_t *view);

/* Says so on standard error when a command leaves it: what each step waits for, with questions and their choices, and how to go on. */
void waiting_say(const json_t *view);

#endif
