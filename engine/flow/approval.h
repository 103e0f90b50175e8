#ifndef RUNG_FLOW_APPROVAL_H
#define RUNG_FLOW_APPROVAL_H

#include "base/clock.h"
#include "flow/demand.h"
#include "flow/flow.h"

/* Approvals: others agree to exactly what will be done. To what, who counts, until when, and what a step that waits for them does next. Decisions without clock
 * or I/O; service/ carries them out, and so does the simulation in tests/simulate/.
 * source: DESIGN.md 7 (Approvals), 5.7 */

enum { APPROVAL_BINDING_BYTES = 65 };

/* The round of approvals that a step or a call waits for, or had: what its records say. */
struct approval {
	char binding[APPROVAL_BINDING_BYTES]; /* digest of what is agreed to */
	uint32_t needed;
	const char *from; /* whom it waits for, in words */
	const char **met; /* ids of the policy's rules that this round meets */
	size_t met_count;
	int64_t within_us; /* how long an approval counts */
	uint32_t after;    /* the step's attempt when they were asked */
	struct approval_given {
		const char *by;
		struct clock_until until;
	} * given;
	size_t given_count, given_capacity;
};

/* Folds that one agreed. by is copied. */
void approval_given(struct approval *p, struct arena *a, const char *by, struct clock_until until);

/* What is agreed to. After: the attempt behind which they were asked; further attempts that the book makes by itself are what they agreed to. */
struct approval_subject {
	const char *execution, *driver, *plan, *step;
	uint32_t after;
	const json_t *targets; /* NULL: none */
	const json_t *allowed; /* what the driver allowed */
	bool is_all_declared;
	uint32_t call, attempt; /* call 0: the step before it begins */
	const json_t *asks;     /* what the call asks */
};

/* Its digest, the binding. */
void approval_bind(const struct approval_subject *s, char out[APPROVAL_BINDING_BYTES]);

/* Whose word never counts: who has driven the execution, and who wrote the book. */
struct approval_insiders {
	const char *const *drivers; /* all who ever did */
	size_t driver_count;
	const char *const *forebears; /* those of the execution that runs it, as far as they had driven that when it began */
	size_t forebear_count;
	const struct book *book;
	const struct policy *policy; /* knows under which names people write; or NULL */
};

bool approval_has_driven(const struct approval_insiders *in, const char *who);
bool approval_is_author(const struct approval_insiders *in, const char *who);

/* May who agree now, beside those who have? */
enum approval_verdict {
	APPROVAL_COUNTS,
	APPROVAL_BY_NO_PERSON, /* services and engines do not agree to anything */
	APPROVAL_BY_DRIVER,
	APPROVAL_BY_AUTHOR,
	APPROVAL_IS_SECOND, /* they have agreed already */
	APPROVAL_BY_OTHER   /* what is still missing they cannot fill */
};
enum approval_verdict approval_judge(const struct approval *p, const struct demands *all, const struct approval_insiders *in, const char *who,
                                     struct clock_times now);

/* Why what was shown or agreed to counts no more (the word of approval.withdrawn), or NULL. binding: of what would be done now. */
const char *approval_void(const struct approval *p, const struct demands *all, const char *binding, const struct approval_insiders *in, struct clock_times now);

/* Who agrees names the binding that they were shown: is it what others were asked about, and does the round still count? why: approval_void. */
bool approval_is_as_shown(const struct approval *p, const char *shown, const char *why);

/* How many are missing still. */
uint32_t approval_missing(const struct approval *p);

/* When the first agreement of the round passes, on the steady clock, or first_us where that is earlier. What waits is looked at again then; what has passed has
 * been looked at. */
int64_t approval_first_us(const struct approval *p, struct clock_times now, int64_t first_us);

/* What follows for a step that could begin now, for a step by hand that waits for its person, and for what waits until others agree. In this order: what was
 * agreed to is withdrawn; others are asked (again). */
struct approval_next {
	bool looks_first;      /* its targets are evaluated first: nobody agrees to what is not known */
	bool is_denied;        /* its targets are not known, and others would have to agree to them */
	const char *withdraws; /* why; NULL: nothing is withdrawn */
	bool asks, may_begin;
};

/* The targets that a step's expression gave. */
struct approval_targets {
	bool are_wanted; /* the book's step has such an expression */
	bool are_known, are_fresh;
};

/* Evaluated just before others are asked, and again before it begins: they agree to these targets and no others. */
bool approval_looks_first(struct approval_targets t);

/* Which events make a step's targets old. A reset does so for all steps. */
bool approval_ages_targets(enum flow_event_kind kind);

/* why: approval_void of the step's round; all: its demands. */
struct approval_next approval_at_gate(const struct flow_step *s, const struct demands *all, struct approval_targets t, const char *why);
struct approval_next approval_while_waiting(const struct demands *all, bool is_call, const char *why);

/* A step by hand that waits for a person, nothing of it under way: are others to be asked first? Then approval_at_gate. */
bool approval_concerns_hand(const struct flow *f, size_t step, bool is_under_way);

/* Does the round speak of that target (NULL: this host)? The targets are texts, NULL: the step names none. */
bool approval_covers(const json_t *targets, const char *host);

#endif
