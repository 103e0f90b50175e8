#ifndef RUNG_POLICY_POLICY_DIFF_H
#define RUNG_POLICY_POLICY_DIFF_H

#include "policy/policy_example.h"

/* Every decision that differs between two policies, over a finite set of requests that stands for all of them:
 *
 * who        every principal that either policy names, any other person, any other service
 * verb       all
 * book       every book of the workspace, one for each glob of either policy, one that none names, one outside of the workspace
 * step       for run: none (the start), and each risk
 * call       for run: none, each declared permission of a book, each pattern of either policy (an example of each), and one that nothing names
 * trigger    a person's for people, an alert's for services; all of them where a rule speaks of triggers
 * targets    of no step; where a rule speaks of targets above N, also N + 1 and not to be known
 * time       now, and both ends of every span of every window
 * elevation  none, and each, taken by those that may take it under that policy
 *
 * Not compared: the limits of services and which accounts are services, the names of authors, the policies' tests. source: README.md here */

enum policy_change_kind { POLICY_WIDENED, POLICY_CHANGED, POLICY_NARROWED };

/* The same change for several people, books or calls. */
struct policy_change {
	enum policy_change_kind kind; /* POLICY_CHANGED: waits before and after, for other approvals */
	enum policy_verb verb;
	enum policy_outcome from, to;
	/* In words. calls NULL: about no call; when "": always. Situations that a deny of both sides rules out anyway are not told apart. */
	const char *who, *books, *calls, *when;
	const char *before, *after; /* "denied", "allowed", "after 2 approvals from group dba (dee)" */
	const char *because;        /* the rule that decides now, or that did before where none does */
};

struct policy_changes {
	struct policy_change *items; /* what is newly allowed first */
	size_t count;
	size_t asked; /* requests that were put to both */
};

/* Compares. ERR_TOO_BIG where the policies differ in more than can be told. All lives in the arena. */
enum err policy_diff(struct arena *a, const struct policy *before, const struct policy *after, const struct policy_book *books, size_t book_count,
                     int64_t now_us, struct policy_changes *out, struct error *e);

/* The change as a sentence: "cy may now run runbooks/a.md (was denied): rule oncall (policy.yaml:8)". */
const char *policy_change_text(struct arena *a, const struct policy_change *c);

#endif
