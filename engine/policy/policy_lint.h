#ifndef RUNG_POLICY_POLICY_LINT_H
#define RUNG_POLICY_POLICY_LINT_H

#include "book/lint.h"
#include "policy/policy_example.h"

/* What is odd about a policy that can be read: rules that never count, rights that are wider than they look, approvals that nobody can give.
 *
 * books    of the workspace
 * now_us   windows before it are over
 * out      by line; the text lives in the arena */
void policy_lint(struct arena *a, const struct policy *p, const struct policy_book *books, size_t book_count, int64_t now_us, struct lint_finding **out,
                 size_t *count);

#endif
