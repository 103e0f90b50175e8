#ifndef RUNG_SERVICE_DIVERGED_H
#define RUNG_SERVICE_DIVERGED_H

#include "service/call.h"

/* An attempt that, run again over its record, asked something else: the two questions, for the record and for people.
 * source: DESIGN.md 5.3 */

/* What was asked: {"module","function","arguments","options"}; form is call_arguments' or like it. New reference. */
json_t *diverged_question(const char *module, const char *function, const json_t *form);

/* The sentence for people: what the record has as call c, and what was asked instead (NULL: it ended without asking), each with the place where they differ.
 * Freed by the caller. */
char *diverged_why(struct execution *x, const struct call *c, const json_t *asked);

/* {"call","recorded":QUESTION,"asked":QUESTION or null} of the step's last attempt, with "words" in each question; NULL where it did not diverge. */
json_t *diverged_view(struct execution *x, size_t step);

#endif
