#ifndef RUNG_SERVICE_RIGHTS_H
#define RUNG_SERVICE_RIGHTS_H

#include "policy/policy.h"
#include "service/execution.h"

struct incident;

/* Who may do what with an execution: the book's bounds, the policy that governs it as it is now, and, where there is none, what its driver allowed.
 * source: DESIGN.md 7 */

/* The policy that governs an execution, NULL where there is none. ERR_INVALID where its file is wrong, ERR_DENIED where the execution began under a policy that
 * is gone: nothing is allowed then. Valid until the next call. */
enum err rights_policy(struct execution *x, const struct policy **out, struct error *e);

/* Where a book stands for rules: which workspace's policy governs it, and its path there. Both in x. */
void rights_govern(struct execution *x, const char *path);

/* Whether a call may be made now. */
struct right {
	bool is_allowed;
	bool is_allowable;  /* where it is not: the driver could allow it, nothing in the book or a policy stands against it */
	const char *by;     /* a word: "policy", "person", "declared", "book" */
	const char *why;    /* why not: part of a sentence */
	const char *rule;   /* id of the policy's rule that decided, or NULL; until the next round of the loop, as policy */
	int line;           /* of that rule */
	const char *policy; /* digest of the policy, or NULL */
	char *pattern;      /* where it is not allowed: the capability that allows exactly this; in the execution's arena */
};

/* words: for sh the argument list. is_read_only: from a proof or a condition, which may only do what stands under read: */
struct right execution_right(struct execution *x, size_t step, bool is_read_only, const char *kind, const char *const *words, size_t count);

/* Does what allows the call (the policy; or, where there is none, what its driver allowed) have its host written out? Only then may that host be one that
 * strangers cannot reach (sandbox/address.h). */
bool rights_name_host(struct execution *x, size_t step, const char *kind, const char *const *words, size_t count);

/* A rule of the policy (NULL: none allowed it) decided; both are borrowed until the next round of the loop. */
void right_decided_by(struct right *r, const struct policy *p, const struct policy_rule *rule);

/* Decides; ERR_DENIED with the sentence why. */
enum err rights_decide(const struct policy *p, const struct policy_request *q, struct arena *a, enum policy_outcome *out, struct error *e);

/* Above read, a service runs what a second person has approved. */
bool rights_revision_is_approved(struct execution *x, size_t step);

/* Is a service within what its policy gives it: known there, not too many at a time, and (is_start) not too often? ERR_OK for people. */
enum err rights_service_bounds(struct execution *x, const struct policy *p, bool is_start, struct error *e);

/* Adds "by", "rule", "line" and "policy" to a record's data. */
void right_record(const struct right *r, json_t *data);

/* May the step begin, as far as rules on its risk, its targets and the time go? ERR_DENIED with the sentence, ERR_OK also where it must wait for approvals.
 * by: what decided; or NULL. */
enum err rights_step(struct execution *x, size_t step, struct right *by, struct error *e);

/* May who asks learn anything of the book: is there a rule that lets them run or read it, under whatever conditions? Before it is opened. */
enum err rights_look(struct execution *x, struct error *e);

/* Records that it may not start, and why: an execution that there will never be. */
void rights_record_denied(struct execution *x, const struct error *why);

/* May it start at all? For a service: within its rate, from a book that sets bounds. ERR_DENIED with everything that is missing. */
enum err rights_start(struct execution *x, struct error *e);

/* Everything that is missing or waits for somebody, at the start: [{"what":"step"|"call"|"book","step","pattern","outcome":"deny"|"wait","why"}]. New
 * reference. */
json_t *rights_missing(struct execution *x);

/* May who do that with the execution (VERB_READ, VERB_CANCEL; VERB_RUN: take it over)? Who drives or drove it may read it, and who could approve a step. */
enum err rights_verb(struct execution *x, const char *who, enum policy_verb verb, struct error *e);

/* May who say what became of its unknown calls, and have a step's proof run for it? Who drives it, where no rule denies it; others where one allows it; a
 * service never. Calls that are made then need the driver's rights, as ever. */
enum err rights_resolve(struct execution *x, const char *who, struct error *e);

/* May who take it up again, or over: drive it from now on? A service only what it started, within its bounds. */
enum err rights_resume(struct execution *x, const char *who, struct error *e);

/* May who talk to this engine at all? With no policy only its own user may. */
enum err rights_talk(struct engine *en, const char *who, struct error *e);

/* May who read an execution that is not under way here, by its row in the store? */
enum err rights_read_stored(struct engine *en, const char *id, const char *who, struct error *e);
bool rights_may_read(struct engine *en, const char *who, const char *driver, const char *book);

/* May who see incidents of that playbook (NULL: of none) and respond to them? */
enum err rights_respond(struct engine *en, const char *book, const char *who, struct error *e);

/* May who see it: by that right, or since its escalation has called them? */
enum err rights_see_incident(const struct incident *inc, const char *who, struct error *e);

/* Breaks the glass: the elevation's name. ERR_DENIED, ERR_NOT_FOUND. Emits the record. */
enum err rights_elevate(struct execution *x, const char *name, const char *who, const char *reason, struct error *e);

/* The same before it has any record: the record comes with rights_elevate behind its first one. */
enum err rights_begin_elevated(struct execution *x, const char *name, const char *reason, struct error *e);

/* Did who ever drive it? */
bool rights_has_driven(const struct execution *x, const char *who);

/* A request about a step (SIZE_MAX: about none) by the driver. Borrowed from x and a. */
struct policy_request rights_request(struct execution *x, size_t step, struct arena *a);

#endif
