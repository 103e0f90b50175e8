#ifndef RUNG_POLICY_CAPABILITY_H
#define RUNG_POLICY_CAPABILITY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A right to make certain calls, written as a pattern: a kind and words, split as POSIX shell quotes them, without expansion.
 * `*` is a whole or part of one argument, never empty, never a value that starts with "-"; `**` is the rest and stands last; `{a|b}` alternatives;
 * `{param:x}` this execution's value. Quoted characters mean themselves. source: DESIGN.md 7 */
struct capability;

enum { CAPABILITY_BYTES_MAX = 4096 };

/* Reads a pattern; lives in the arena. ERR_INVALID says what is wrong and how to write it. */
enum err capability_parse(struct arena *a, const char *pattern, struct capability **out, struct error *e);

/* Does the pattern allow a call of that kind with these words (for sh: the argument list)? params: the execution's, or NULL. */
bool capability_allows(const struct capability *c, const char *kind, const char *const *words, size_t count, const json_t *params);

const char *capability_text(const struct capability *c);

/* The pattern that allows exactly these words: kind and arguments, quoted where needed. For "no" answers that say what would allow it. In the arena. */
char *capability_exact(struct arena *a, const char *kind, const char *const *words, size_t count);

/* A call as people write it (`sh systemctl restart nginx`): kind and words, split as POSIX shell quotes them; no character stands for others. In the arena. */
enum err capability_words(struct arena *a, const char *text, const char **kind, const char *const **words, size_t *count, struct error *e);

/* Why the pattern is too wide to mean anything (an interpreter with free arguments), or NULL. */
const char *capability_danger(const struct capability *c);

#endif
