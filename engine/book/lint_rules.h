#ifndef RUNG_BOOK_LINT_RULES_H
#define RUNG_BOOK_LINT_RULES_H

#include "book/lint.h"

/* The checks behind lint_book, one function a subject. */
struct linter {
	const struct book *book;
	struct lint_report *report;
	int64_t today_us;
	size_t capacity;
};

/* Adds a finding; rule must stand in lint.c's table. */
void lint_add(struct linter *l, const char *rule, int line, int column, const char *mend, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

void lint_metadata(struct linter *l);
void lint_document(struct linter *l);
void lint_permissions(struct linter *l);
void lint_steps(struct linter *l);

#endif
