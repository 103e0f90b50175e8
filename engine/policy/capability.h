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
 * `{param:x}` this execution's value. Quoted characters mean themselves. The grammar of each kind, what is normalised and what covers what: README.md
 * here. source: DESIGN.md 7 */
struct capability;

enum {
	CAPABILITY_BYTES_MAX = 4096,                /* of a pattern */
	CAPABILITY_WORDS_MAX = 256,                 /* of a pattern */
	CAPABILITY_PIECES_MAX = 64,                 /* stars, alternatives and parameters of one word */
	CAPABILITY_CHOICES_MAX = 64,                /* alternatives in one pair of braces */
	CAPABILITY_ARGUMENT_BYTES_MAX = 128 * 1024, /* of a word of a request: Linux takes no longer argument; a longer word matches nothing */
};

/* Reads a pattern; lives in the arena. ERR_INVALID says what is wrong and how to write it, ERR_TOO_BIG which limit was passed. A pattern that could
 * never match (`http GET https://h/../x`) is invalid. */
enum err capability_parse(struct arena *a, const char *pattern, struct capability **out, struct error *e);

/* Does the pattern allow a call of that kind with these words?
 *
 * words    sh: the argument list; ssh: HOST or LOGIN@HOST, where another user is wanted "as" and its name, "--", the argument list;
 *          http: METHOD, URL; secret, notify: a name; runbook: an id or the path of a book
 * params   the execution's, or NULL. Texts, numbers, true and false, and each item of a list are values; objects (a secret's handle among them) never match */
bool capability_allows(const struct capability *c, const char *kind, const char *const *words, size_t count, const json_t *params);

/* The same for many patterns: the request is read, taken apart and normalised once. Lives in the arena; words are borrowed. */
struct capability_request;
const struct capability_request *capability_request_make(struct arena *a, const char *kind, const char *const *words, size_t count);
bool capability_allows_request(const struct capability *c, const struct capability_request *r, const json_t *params);

/* Does the pattern allow the request, and have its host written out: as itself or as one of its alternatives; or, where the host is an IPv4 address, at least
 * the first two of its numbers? What stands for a host through a star or a parameter names none. */
bool capability_names_host(const struct capability *c, const struct capability_request *r, const json_t *params);

/* Why no pattern can ever allow the request (a URL with "/../", a host that is none), as a sentence; NULL where one could. */
const char *capability_request_fault(const struct capability_request *r);

/* Is every call that inner allows, whatever the parameters are, allowed by one of the set? Never yes wrongly; README.md has the table of what it sees.
 * set may hold NULLs. */
bool capability_covers(const struct capability *const *set, size_t count, const struct capability *inner);

/* For a call that can only be seen in part (`*` and `**` stand for what is hidden): could the pattern allow it? Yes wherever that is not clear. */
bool capability_could_allow(const struct capability *c, const struct capability *seen);

const char *capability_text(const struct capability *c);
const char *capability_kind(const struct capability *c);

/* The pattern that allows exactly these words: kind and arguments, quoted where needed. For "no" answers that say what would allow it. In the arena. */
char *capability_exact(struct arena *a, const char *kind, const char *const *words, size_t count);

/* Appends a text so that it stands for itself in a pattern: quoted where a character could mean something else. */
void capability_quote(struct buf *b, const char *text);

/* A call as people write it (`sh systemctl restart nginx`): kind and words, split as POSIX shell quotes them; no character stands for others. In the arena. */
enum err capability_words(struct arena *a, const char *text, const char **kind, const char *const **words, size_t *count, struct error *e);

/* Why the pattern is too wide to mean anything (an interpreter with free arguments, and so every command), or NULL. */
const char *capability_danger(const struct capability *c);

/* For a deny, whose author means every call of a sort: the pattern that holds also what this one leaves out and seems to hold; in *left_out what that is, part
 * of a sentence. NULL where there is no such thing. In the arena. */
const char *capability_widened(struct arena *a, const struct capability *c, const char **left_out);

/* Calls found for each parameter that the pattern names. */
void capability_each_param(const struct capability *c, void (*found)(const char *name, void *arg), void *arg);

/* The i-th kind ("sh", "ssh", "http", "secret", "notify", "runbook"), NULL past the last. */
const char *capability_kind_word(size_t i);

#endif
