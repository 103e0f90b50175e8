#ifndef RUNG_SERVICE_DEMAND_H
#define RUNG_SERVICE_DEMAND_H

#include "policy/policy.h"
#include "service/execution.h"

/* Who must agree, before a step begins or in the middle of one: what the book's step asks for, what the policy's rules require, what the step's code asked.
 * Each person counts once, for one of them; who has driven the execution or wrote the book never. source: DESIGN.md 7 */

enum { DEMAND_PEOPLE_MAX = 64 };

/* What waits for others: a step (call NULL), or a call of its attempt. */
struct consent {
	size_t step;
	struct call *call;
};

struct demand {
	const struct policy_who *who; /* so many different people of those */
	size_t who_count;
	uint32_t needed;
	int64_t within_us; /* how long an agreement counts */
	const char *rule;  /* id; NULL: the book's step, or its code */
};

struct demands {
	const struct policy *policy; /* until the next round of the loop */
	struct demand list[DEMAND_PEOPLE_MAX];
	size_t count;
	uint32_t needed;   /* of all together */
	int64_t within_us; /* the shortest */
	struct buf from;   /* in words; cleared by the caller, also after an error */
};

/* a: for what they hold. ERR_DENIED where nobody can be asked: no policy, or one without that group. */
enum err demands_find(struct execution *x, struct consent c, struct demands *out, struct arena *a, struct error *e);

/* Can what the book's step asks for ever be there: is there that group, and are there so many but the driver? ERR_DENIED. */
enum err demands_check(struct execution *x, size_t step, const struct policy *p, struct error *e);

/* May who agree now, beside those who have? ERR_DENIED, or ERR_CONFLICT for one who has. */
enum err demands_accept(struct execution *x, struct consent c, const struct demands *all, const char *who, struct error *e);

/* Do those who have agreed still count, each for one of the demands? */
bool demands_hold(const struct demands *all, const struct approval *given);

/* The round of approvals of what waits. */
struct approval *consent_approval(struct execution *x, struct consent c);

#endif
