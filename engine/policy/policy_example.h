#ifndef RUNG_POLICY_POLICY_EXAMPLE_H
#define RUNG_POLICY_POLICY_EXAMPLE_H

#include "book/book.h"
#include "policy/policy.h"

/* One thing that stands for the many that a pattern means: where all of them cannot be asked for, one of them is. */

/* A book of the workspace: what a policy speaks of. */
struct policy_book {
	const char *path; /* beneath the workspace */
	const struct book *book;
};

struct policy_call {
	const char *pattern; /* that it stands for */
	const char *kind;
	const char *const *words;
	size_t word_count;
};

enum { POLICY_EXAMPLES_MAX = 16 };

/* Calls that the pattern allows: "any" for a star, for {param:x} its value, or "param-x" where params (or NULL) has none; of {a|b} each is in one of them.
 * How many; 0 where none can be made. They live in the arena. */
size_t policy_call_examples(struct arena *a, const char *pattern, const json_t *params, struct policy_call out[POLICY_EXAMPLES_MAX]);

/* Parameters under which {param:x} in policy_call_examples without params and in a rule mean the same: "param-x" for each that the pattern names. */
void policy_example_params(const struct capability *c, json_t *params);

/* A book that the glob matches: "any" for each star. */
const char *policy_book_example(struct arena *a, const char *glob);

#endif
