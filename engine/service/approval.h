#ifndef RUNG_SERVICE_APPROVAL_H
#define RUNG_SERVICE_APPROVAL_H

#include "service/demand.h"
#include "service/operations.h"

/* Approvals: before a step begins, or where its code says approve{...}, others agree to exactly what will be done. What they agree to has a digest, the
 * binding: of the execution and its driver, the plan (book, parameters, permissions), the step and its try, its targets and what the driver allowed; with any
 * other digest the approval counts no more.
 * source: DESIGN.md 7 */

enum { APPROVALS_MAX = 256 }; /* that wait at once */

/* May the step begin now? Where not, what is needed for it is under way: its targets are evaluated, others are asked, or it is denied. */
bool approval_gate(struct execution *x, size_t step);

/* May a person say that they did the step, or run its commands on their terminal? What holds before the engine begins it holds for them: ERR_DENIED by a rule
 * or where nobody can be asked; ERR_CONFLICT while others have not agreed, who are asked now. */
enum err approval_check_by_hand(struct execution *x, size_t step, struct error *e);

/* Asks for steps by hand that came to wait for a person, and anew for all that waits and is no more what was shown. */
void approvals_advance(struct execution *x);
void approvals_refresh(struct execution *x); /* the second alone */

/* When the first agreement of those that are looked at so passes, on the steady clock; INT64_MAX: none does. */
int64_t approvals_pass_us(struct execution *x);

/* Why the step's approval does not cover the call (a target that is not among those that were shown), as a part of a sentence; or NULL. */
const char *approval_refuse(struct execution *x, size_t step, const char *kind, const char *const *words, size_t count);

/* Records that others are asked, and that what they agreed to counts no more. */
enum err approval_ask(struct execution *x, struct consent c, const struct demands *all, struct error *e);
void approval_withdraw(struct execution *x, size_t step, const char *why);

/* A record about what waits. data is taken. */
struct emit approval_emit(struct consent c, enum record_kind kind, const char *by, json_t *data);

/* Why what waits is no more what was shown, or what was agreed to counts no more, by things as they are now: a word, or NULL. */
const char *approval_why_void(struct execution *x, struct consent c, const struct demands *all);

/* Is something waiting for an approval that this principal may give? */
bool approval_may_be_given_by(struct execution *x, const char *who);

/* What waits; at most max. */
size_t approvals_waiting(struct execution *x, struct consent *out, size_t max);

/* {"step","title","risk","needed","given":[{"by","until_us"}],"from","rules":[...],"targets":[...]|null,"binding"}; "prompt" where the step's code asked. New
 * references. */
json_t *approval_view(struct execution *x, struct consent c);
json_t *approvals_view(struct execution *x);

/* Folds approval.* records. */
void approval_fold(struct execution *x, size_t step, const struct record *r);

/* operate_approval.c: approval.show {"execution","step"} -> what exactly would run; approve {"execution","step","binding","reason","targets":N};
 * refuse {"execution","step","reason"} */
void op_approval_show(struct request *q);
void op_approve(struct request *q);
void op_refuse(struct request *q);

#endif
