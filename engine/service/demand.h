#ifndef RUNG_SERVICE_DEMAND_H
#define RUNG_SERVICE_DEMAND_H

#include "flow/approval.h"
#include "service/execution.h"

/* Who must agree in an execution, by its book, its code and the policy that governs it now; flow/ decides who may. source: DESIGN.md 7 */

/* What waits for others: a step (call NULL), or a call of its attempt. */
struct consent {
	size_t step;
	struct call *call;
};

/* The policy in it is borrowed until the next round of the loop. Cleared by the caller, also after an error. a: for what they hold. ERR_DENIED where nobody can
 * be asked: no policy, or one without that group. */
enum err demands_find(struct execution *x, struct consent c, struct demands *out, struct arena *a, struct error *e);

/* Can what the book's step asks for ever be there: is there that group, and are there so many but the driver? ERR_DENIED. */
enum err demands_check(struct execution *x, size_t step, const struct policy *p, struct error *e);

/* May who agree now, beside those who have? ERR_DENIED, or ERR_CONFLICT for one who has. */
enum err demands_accept(struct execution *x, struct consent c, const struct demands *all, const char *who, struct error *e);

/* The round of approvals of what waits. */
struct approval *consent_approval(struct execution *x, struct consent c);

/* Whose word never counts in it. */
struct approval_insiders execution_insiders(const struct execution *x, const struct policy *p);

#endif
