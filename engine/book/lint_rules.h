#ifndef RUNG_BOOK_LINT_RULES_H
#define RUNG_BOOK_LINT_RULES_H

#include "book/lint.h"

/* The checks behind lint_book, one function a subject. */
struct linter {
	const struct book *book;
	struct lint_report *report;
	int64_t today_us;
};

/* Adds a finding; rule must stand in lint.c's table. */
#define lint_add(l, ...) lint_report_add((l)->report, __VA_ARGS__)

void lint_metadata(struct linter *l);
void lint_document(struct linter *l);
void lint_steps(struct linter *l);

#endif
