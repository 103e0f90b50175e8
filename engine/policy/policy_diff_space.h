#ifndef RUNG_POLICY_POLICY_DIFF_SPACE_H
#define RUNG_POLICY_POLICY_DIFF_SPACE_H

#include "policy/policy_diff.h"

/* The requests that policy_diff puts to both policies: what can stand in each part of one. */

enum { DIFF_BEFORE, DIFF_AFTER, DIFF_N };
enum { DIFF_ANYONE_USER, DIFF_ANYONE_SERVICE, DIFF_RISKS = 4 };

/* A list of things, and of each what it is called. */
struct diff_names {
	const char **id, **shown;
	size_t count, capacity[2];
};

struct diff_calls {
	struct policy_call *call; /* [0]: no call */
	const char **shown;
	size_t count, capacity[2];
};

struct diff_moments {
	int64_t *at;
	const char **window; /* NULL: now */
	size_t count, capacity[2];
};

struct diff_space {
	struct arena *arena;
	const struct policy *p[DIFF_N];
	struct diff_names who, books, elevations; /* elevations: [0] is none */
	struct diff_calls calls;
	struct diff_moments moments;
	enum policy_trigger triggers[TRIGGER_N];
	size_t trigger_count; /* 1: whatever is usual for who asks */
	int64_t *targets;
	size_t target_count, target_capacity;
	json_t *params; /* {param:x} means the same in rules and in examples */
};

/* One combination of what rules have conditions on. */
struct diff_situation {
	size_t risk, trigger, target, moment, elevation; /* indexes */
};

void diff_space_fill(struct diff_space *s, const struct policy_book *books, size_t book_count, int64_t now_us);

size_t diff_situation_count(const struct diff_space *s);
struct diff_situation diff_situation_at(const struct diff_space *s, size_t i);

/* The request to one of the two; elevated is room for one name. */
struct policy_request diff_request(const struct diff_space *s, int side, size_t who, enum policy_verb verb, size_t book, size_t call,
                                   const struct diff_situation *at, const char **elevated);

/* In words: sets are a byte each of who, books and calls. */
const char *diff_who_words(const struct diff_space *s, const unsigned char *set);
const char *diff_books_words(const struct diff_space *s, const unsigned char *set);
const char *diff_calls_words(const struct diff_space *s, const unsigned char *set);

/* Of each situation: whether a set holds it. DIFF_EITHER: it does not matter (denied on both sides by the same rule, or said already). */
enum { DIFF_OUT, DIFF_IN, DIFF_EITHER };

/* Situations of the set that can be said in one phrase ("" for all that matter); they are then DIFF_EITHER. False where none is DIFF_IN. */
bool diff_take_phrase(const struct diff_space *s, unsigned char *set, bool is_run, bool has_call, const char **phrase);

/* Can the request be: are there calls only in steps, and steps only of run? */
bool diff_is_asked(const struct diff_situation *at, bool is_run, bool has_call);

#endif
