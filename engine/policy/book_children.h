#ifndef RUNG_POLICY_BOOK_CHILDREN_H
#define RUNG_POLICY_BOOK_CHILDREN_H

#include "base/arena.h"
#include "book/lint.h"

/* Which other books a book may start: those of its table of root causes, and those that its Lua and its Permissions name. source: DESIGN.md 3, 7 */

enum { BOOK_CHILDREN_MAX = 64, BOOK_CHILD_DEPTH_MAX = 8 };

struct book_child {
	const char *name;               /* as rights know it: an id, a name, or a path from the workspace's folder */
	const struct book_cause *cause; /* whose row names it; NULL: a step, or Permissions */
	int line;
};

struct book_children {
	struct book_child *list; /* each name once but for causes, which have one each */
	size_t count, capacity;
	bool is_more; /* than BOOK_CHILDREN_MAX */
};

/* Lives in the arena. */
void book_children_find(struct arena *a, const struct book *b, struct book_children *out);

/* Adds what is wrong with the books that b starts: one that is not there, parameters that it does not have, one that leads back to b; and causes that only the
 * Lua or only the table names. root: the folder of the workspace; NULL: other books are not looked at. path: of b, from root. Then sorts. */
void book_children_lint(const struct book *b, const char *root, const char *path, struct lint_report *report);

#endif
