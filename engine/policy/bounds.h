#ifndef RUNG_POLICY_BOUNDS_H
#define RUNG_POLICY_BOUNDS_H

#include "book/book.h"
#include "policy/capability.h"

/* What a book lets its steps call, whoever runs it: what it declares, narrowed by the step. Who may run it is another question (policy.h).
 * source: DESIGN.md 7 (declared) */
struct bounds;

/* Lives in the arena; the book is borrowed. A pattern that is none allows nothing. */
struct bounds *bounds_new(struct arena *a, const struct book *b);

/* Why the step may not make the call, as a part of a sentence; NULL where it may. is_read_only: from a proof or a condition, which may do only what stands
 * under read: */
const char *bounds_refuse(const struct bounds *b, size_t step, bool is_read_only, const char *kind, const char *const *words, size_t count,
                          const json_t *params);

/* Does the book declare the call, under read: where is_read_only? */
bool bounds_declare(const struct bounds *b, bool is_read_only, const char *kind, const char *const *words, size_t count, const json_t *params);

/* Does the book declare the call with its host written out (capability_names_host)? */
bool bounds_name_host(const struct bounds *b, const struct capability_request *r, const json_t *params);

#endif
