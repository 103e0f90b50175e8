#ifndef RUNG_POLICY_POLICY_PHRASE_H
#define RUNG_POLICY_POLICY_PHRASE_H

#include "policy/policy.h"

/* The parts of a policy and of a request in words, for sentences that people read who did not write the policy. All strings live in the arena. */

/* "a", "a and b", "a, b and c", "a, b and 3 more". word: "and" or "or", or NULL for commas alone (then all are shown). */
const char *phrase_list(struct arena *a, const char *const *items, size_t count, size_t most, const char *word);

/* "ana", "the service alert-bot". */
const char *phrase_principal(struct arena *a, const char *who);

/* "group sre (ana, bo) and the service alert-bot"; "everyone" for an empty list. */
const char *phrase_who(struct arena *a, const struct policy *p, const struct policy_who *list, size_t count);

/* What the request is about, behind "may": "run B", "make the call `C` in a destructive step of B", "approve B". */
const char *phrase_deed(struct arena *a, const struct policy_request *q);

/* "rule freeze (policy.yaml:17)". */
const char *phrase_rule(struct arena *a, const struct policy *p, const struct policy_rule *r);

/* All of a rule: "rule freeze (policy.yaml:17) denies everyone to run every book, for destructive steps, in the window year-end". */
const char *phrase_rule_whole(struct arena *a, const struct policy *p, const struct policy_rule *r);

/* What must hold: "for destructive steps, in the window year-end". */
const char *phrase_condition(struct arena *a, const struct policy_condition *c);

/* "see other people's executions of": what stands before a book. */
const char *phrase_verb(enum policy_verb v);
const char *phrase_verbs(struct arena *a, unsigned verbs); /* bits */

/* "steps that only read", "steps that change something", "destructive steps", "no step". */
const char *phrase_risk(enum policy_risk r);

/* "what a person started", "what an alert started", ... */
const char *phrase_trigger(enum policy_trigger t);

/* The globs of a rule: "runbooks/a.md and playbooks/b.md"; "every book". */
const char *phrase_books(struct arena *a, const struct policy_rule *r);

/* "`sh a`, `sh b` and 3 more". */
const char *phrase_calls(struct arena *a, const struct capability *const *calls, size_t count, size_t most);

/* "2 approvals from group dba (dee, eve)". */
const char *phrase_approvals(struct arena *a, const struct policy *p, const struct policy_rule *r);

const char *phrase_time(struct arena *a, int64_t us);     /* "2027-01-03 00:00 UTC" */
const char *phrase_duration(struct arena *a, int64_t us); /* "15 min" */

/* A text as it stands in YAML, in double quotes. */
const char *phrase_yaml(struct arena *a, const char *text);

#endif
