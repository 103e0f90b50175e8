#ifndef RUNG_SERVICE_APPROVAL_H
#define RUNG_SERVICE_APPROVAL_H

#include "service/operations.h"

/* Approvals: before a step begins, others agree to exactly what it will do. What they agree to has a digest, the binding: of the plan (book, parameters,
 * permissions), the step, its targets and what the driver allowed; with any other digest the approval counts no more. source: DESIGN.md 7 */

/* May the step begin now? Where not, what is needed for it is under way: its targets are evaluated, others are asked, or it is denied. */
bool approval_gate(struct execution *x, size_t step);

/* Asks for manual steps that came to wait for a person. */
void approval_ask_manual(struct execution *x);

/* Why the step's approval does not cover the call (a target that is not among those that were shown), as a part of a sentence; or NULL. */
const char *approval_refuse(struct execution *x, size_t step, const char *kind, const char *const *words, size_t count);

/* Is some step waiting for an approval that this principal may give? */
bool approval_may_be_given_by(struct execution *x, const char *who);

/* What waits: [{"step","title","risk","needed","given":[{"by","until_us"}],"from","rules":[...],"targets":[...]|null,"binding"}]. New reference. */
json_t *approvals_view(struct execution *x);

/* Folds approval.* records into the step's data. */
void approval_fold(struct execution *x, size_t step, const struct record *r);

/* approval.show {"execution","step"} -> what exactly would run; approve {"execution","step","binding","reason","targets":N}; refuse
 * {"execution","step","reason"} */
void op_approval_show(struct request *q);
void op_approve(struct request *q);
void op_refuse(struct request *q);

#endif
