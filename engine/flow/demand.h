#ifndef RUNG_FLOW_DEMAND_H
#define RUNG_FLOW_DEMAND_H

#include "base/buf.h"
#include "book/book.h"
#include "policy/policy.h"

/* Who must agree, before a step begins or in the middle of one: what the book's step asks for, what the policy's rules require, what the step's code asked.
 * Each person counts once, for one of them. No clock and no I/O. source: DESIGN.md 7 */

enum { DEMAND_PEOPLE_MAX = 64 };

struct demand {
	const struct policy_who *who; /* so many different people of those */
	size_t who_count;
	uint32_t needed;
	int64_t within_us; /* how long an agreement counts */
	const char *rule;  /* id; NULL: the book's step, or its code */
};

struct demands {
	const struct policy *policy; /* NULL: there is none; borrowed */
	struct demand list[DEMAND_PEOPLE_MAX];
	size_t count;
	uint32_t needed;   /* of all together */
	int64_t within_us; /* the shortest */
	struct buf from;   /* in words */
};

void demands_init(struct demands *all, const struct policy *p);
void demands_clear(struct demands *all);

/* What the attributes of the book's step ask for (nothing where it asks for none), or approve{needed =, from =} in its code. where: "book.md:12" for the
 * sentence. a: for what they hold. ERR_DENIED where nobody can be asked: no policy, or one without that group. */
enum err demands_add_step(struct demands *all, const struct book_step *s, const char *where, struct arena *a, struct error *e);
enum err demands_add_code(struct demands *all, const struct book_step *s, const char *where, const char *from, struct demand d, struct arena *a,
                          struct error *e);

/* What the policy's rules require of the request. */
enum err demands_add_rules(struct demands *all, const struct policy_request *q, struct arena *a, struct error *e);

/* How long an agreement counts where nobody says. */
int64_t demand_within_us(void);

/* Can all of these people count, each once? */
bool demands_seat(const struct demands *all, const char *const *people, size_t count);

#endif
