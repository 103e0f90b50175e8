#ifndef RUNG_POLICY_POLICY_H
#define RUNG_POLICY_POLICY_H

#include "base/arena.h"
#include "base/error.h"
#include "policy/capability.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* `.rung/policy.yaml`: who may do what. Read once, never changed; a decision is a pure function of policy and request: total, independent of the order of the
 * rules, and closed where something cannot be known. README.md beside this has the grammar. source: DESIGN.md 7 */

enum policy_verb { VERB_RUN, VERB_READ, VERB_CANCEL, VERB_RESOLVE, VERB_APPROVE_BOOK, VERB_RESPOND, VERB_N };
enum policy_effect { POLICY_ALLOW, POLICY_DENY, POLICY_REQUIRE };
enum policy_risk { RISK_OF_NO_STEP, RISK_OF_READ, RISK_OF_CHANGE, RISK_OF_DESTRUCTIVE };
enum policy_truth { POLICY_NO, POLICY_UNKNOWN, POLICY_YES };
enum policy_trigger { TRIGGER_PERSON, TRIGGER_ALERT, TRIGGER_SCHEDULE, TRIGGER_PARENT, TRIGGER_N };

enum { POLICY_TARGETS_OF_NO_STEP = -1, POLICY_TARGETS_UNKNOWN = -2, POLICY_RULES_MAX = 4096, POLICY_GROUPS_MAX = 256 };

struct policy_group {
	const char *name;
	int line;
	const char **members; /* principals, in the order of their bytes: they are looked up */
	size_t count;
};

struct policy_service {
	const char *name, *user; /* the operating system's account that is this service; NULL: none */
	int line;
	int64_t rate, rate_us; /* at most that many starts in that time; 0: no bound */
	int64_t max_running;   /* 0: no bound */
};

struct policy_window {
	const char *name;
	int line;
	struct policy_span {
		int64_t from_us, to_us; /* to is not in it */
	} * spans;
	size_t count;
};

struct policy_elevation {
	const char *name;
	int line;
	struct policy_who *who;
	size_t who_count;
	int64_t for_us;
};

enum policy_who_kind { WHO_PRINCIPAL, WHO_GROUP, WHO_ANY_USER, WHO_ANY_SERVICE, WHO_ANYONE };

struct policy_who {
	enum policy_who_kind kind;
	const char *text; /* as written */
	size_t group;     /* WHO_GROUP: index */
};

/* All that are given must hold; each is a list of which one must. */
struct policy_condition {
	bool is_given;
	int line;
	unsigned risks, triggers; /* bits of the enums; 0: not given */
	const struct policy_window **windows;
	size_t window_count;
	const char **elevations;
	size_t elevation_count;
	int64_t targets_above; /* -1: not given */
};

struct policy_rule {
	const char *id, *why; /* why: what the policy's author tells people; or NULL */
	int line;
	enum policy_effect effect;
	unsigned verbs; /* bits of enum policy_verb; a require speaks of run */
	struct policy_who *who;
	size_t who_count; /* 0: everyone (deny and require) */
	const char **books;
	size_t book_count; /* 0: every book (deny and require) */
	const struct capability **calls;
	size_t call_count; /* allow: what it grants; deny: the calls it denies, 0: everything */
	struct policy_condition when, unless;
	int64_t approvals, within_us; /* require */
	struct policy_who *from;
	size_t from_count;
};

struct policy_test;

struct policy {
	const char *file;
	char digest[65]; /* SHA-256 of the bytes, hex */
	struct policy_group *groups;
	size_t group_count;
	struct policy_service *services;
	size_t service_count;
	struct policy_window *windows;
	size_t window_count;
	struct policy_elevation *elevations;
	size_t elevation_count;
	struct policy_person {
		const char *name;   /* the principal */
		const char **names; /* under which they write books */
		size_t count;
	} * people;
	size_t person_count;
	struct policy_rule *rules;
	size_t rule_count;
	struct policy_test *tests;
	size_t test_count;
};

/* Reads a policy; it lives in the arena. ERR_INVALID with file, line, column and what was expected. */
enum err policy_read(struct arena *a, const char *file, const char *bytes, size_t n, const struct policy **out, struct error *e);

struct policy_request {
	const char *who; /* "user:ana", "service:alert-bot" */
	enum policy_verb verb;
	const char *book; /* beneath the workspace, "#anchor" behind it where one is named; "external/..." for one that is not */
	enum policy_risk risk;
	enum policy_trigger trigger;
	int64_t targets; /* how many the step may touch, or POLICY_TARGETS_... */
	int64_t now_us;
	const char *const *elevated; /* names of the elevations that hold now */
	size_t elevated_count;
	const char *kind; /* of the call that is asked for; NULL: it is about no call */
	const char *const *words;
	size_t word_count;
	const json_t *params;   /* of the execution; or NULL */
	const char *const *met; /* ids of the require rules whose approvals are there */
	size_t met_count;
};

enum policy_outcome { POLICY_IS_ALLOWED, POLICY_IS_DENIED, POLICY_MUST_WAIT };

struct policy_decision {
	enum policy_outcome outcome;
	/* What decided: the deny, the allow, or the first unmet require, by id where several match; NULL where no allow matches. */
	const struct policy_rule *rule;
	const struct policy_rule **requires; /* all that match, met or not, by id; in the arena */
	size_t require_count;
};

/* Decides. a: for the list of requires, and for what the call is taken apart into. */
struct policy_decision policy_decide(const struct policy *p, const struct policy_request *q, struct arena *a);

/* Does the rule speak of the request: verb, who, book, conditions and call? */
bool policy_rule_matches(const struct policy *p, const struct policy_rule *r, const struct policy_request *q);

/* Does an allow that speaks of the request have its host written out (capability_names_host)? */
bool policy_names_host(const struct policy *p, const struct policy_request *q, struct arena *a);

/* Do all conditions that are given hold? */
enum policy_truth policy_condition_holds(const struct policy_condition *c, const struct policy_request *q);

/* Is the principal one of these? */
bool policy_is_among(const struct policy *p, const char *who, const struct policy_who *list, size_t count);

/* How many different principals these are, one of them (or NULL) left out; SIZE_MAX where user:*, service:* or * is among them. */
size_t policy_count(const struct policy *p, const struct policy_who *list, size_t count, const char *without);

/* Reads "group:dba" or a principal against the policy's groups: for a step's `from`. ERR_INVALID where there is no such group. */
enum err policy_who_find(const struct policy *p, const char *text, struct policy_who *out, struct error *e);

/* Did that principal write the book: is one of their names, or the name of their account, among the authors that the book names? */
bool policy_is_author(const struct policy *p, const char *who, const char *authors);

/* Is it a name as policies write them: 1 to 64 letters, digits and any of _ . @ -, not - in front? */
bool policy_is_name(const char *name);

const struct policy_elevation *policy_elevation_find(const struct policy *p, const char *name);
const struct policy_service *policy_service_find(const struct policy *p, const char *name);

/* The service that an account of the operating system is, or NULL. */
const struct policy_service *policy_service_of_user(const struct policy *p, const char *user);

/* A request of a policy's own tests. */
struct policy_test {
	struct policy_request request;
	enum policy_outcome want;
	const char *rule; /* id that should decide, or NULL */
	int line;
};

/* Runs test i; false with e filled ("policy.yaml:40: wants deny, gets allow by rule ..."). now_us: where the test names no time. */
bool policy_test_run(const struct policy *p, size_t i, int64_t now_us, struct error *e);

const char *policy_verb_word(enum policy_verb v);
const char *policy_outcome_word(enum policy_outcome o);
const char *policy_risk_word(enum policy_risk r); /* NULL for no step */
const char *policy_trigger_word(enum policy_trigger t);
bool policy_trigger_find(const char *word, enum policy_trigger *out);

/* Does the glob match the path? `*` within a folder's or file's name, `**` any number of whole names; one without # speaks of the whole file. A book outside
 * of the workspace (external/...) is matched by ** alone. */
bool policy_book_matches(const char *glob, const char *book);

/* Why no book could ever match that glob, or not those that its author means, as a phrase that says what was expected; or NULL. Such a rule would be a deny
 * that is silently not there. */
const char *policy_book_fault(const char *glob);

/* ---- words (policy_explain.c) ---- */

/* Why the decision is what it is, for someone who did not write the policy: sentences with file and line, one a line. In the arena. */
const char *policy_explain(const struct policy *p, const struct policy_request *q, struct arena *a);

/* The same in one line, for the text of an error: as many whole sentences as have room there. */
const char *policy_explain_line(const struct policy *p, const struct policy_request *q, struct arena *a);

#endif
