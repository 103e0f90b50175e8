#ifndef RUNG_BOOK_LINT_H
#define RUNG_BOOK_LINT_H

#include "book/book.h"

/* What is odd about a book, why, and how to mend it. Nothing in a Markdown file is a load error; this speaks instead. */

enum lint_severity { LINT_INFO, LINT_WARNING, LINT_ERROR };

struct lint_finding {
	const char *rule; /* id of the table: lint_rules_json */
	enum lint_severity severity;
	int line, column; /* from 1; column 0: the whole line */
	char *text;       /* what is odd and why it matters */
	char *mend;       /* what to do */
};

struct lint_report {
	struct arena *arena;
	struct lint_finding *findings; /* by line */
	size_t count, capacity;
	size_t errors, warnings;
};

/* Checks a book, but for its rights, of which book_rights_lint speaks. today_us: the day on which a review date counts as stale, midnight UTC; 0 leaves dates
 * alone. */
struct lint_report *lint_book(const struct book *b, int64_t today_us);
void lint_free(struct lint_report *r); /* NULL is fine */

/* For layers above, which know more (policy/book_rights.c): adds a finding; rule must stand in lint.c's table. Then sorts them by line. */
void lint_report_add(struct lint_report *r, const char *rule, int line, int column, const char *mend, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
void lint_report_sort(struct lint_report *r);

/* The findings as JSON, one object each; the rules as JSON ({"id","severity","what"}). New references. */
json_t *lint_json(const struct lint_report *r);
json_t *lint_rules_json(void);

/* Appends one line a finding: path:line:column: severity: text (mend) [rule] */
void lint_print(struct buf *out, const struct book *b, const struct lint_report *r);

const char *lint_severity_word(enum lint_severity s);

#endif
