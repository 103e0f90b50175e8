#ifndef RUNG_POLICY_BOOK_RIGHTS_H
#define RUNG_POLICY_BOOK_RIGHTS_H

#include "book/lint.h"

/* What the steps of a book call, as far as the text of their Lua tells, and whether the book's Permissions allow it. */

enum book_call_right {
	BOOK_CALL_UNBOUND,  /* the book declares nothing: whoever runs it decides */
	BOOK_CALL_DECLARED, /* one of the patterns allows it */
	BOOK_CALL_UNCLEAR,  /* one of the patterns may allow it: not all of the call can be seen */
	BOOK_CALL_LACKING,  /* no pattern allows it */
};

struct book_call {
	const struct book_step *step;
	enum fence_role role;
	int line;            /* of the file */
	const char *pattern; /* the call as a capability pattern; `*` and `**` stand for what cannot be seen */
	bool is_whole;
	enum book_call_right right;
	const char *by; /* BOOK_CALL_DECLARED, BOOK_CALL_UNCLEAR: one of the patterns of the book, or NULL */
};

struct book_calls {
	struct arena *arena;
	struct book_call *calls; /* in the order of the book */
	size_t count, capacity;
};

struct book_calls *book_calls_find(const struct book *b);
void book_calls_free(struct book_calls *c); /* NULL is fine */

const char *book_call_right_word(enum book_call_right r); /* "unbound", "declared", "unclear", "lacking" */

/* The calls as JSON, one object each: step, fence, line, call, whole, right, by. New reference. */
json_t *book_calls_json(const struct book_calls *c);

/* Adds what is odd about the rights of a book to its findings: patterns that cannot be read, that allow every command, that name no parameter of the book,
 * that another one covers; permissions of a step beyond the book's; calls that none allows. */
void book_rights_lint(const struct book *b, struct lint_report *r);

#endif
