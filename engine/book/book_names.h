#ifndef RUNG_BOOK_BOOK_NAMES_H
#define RUNG_BOOK_BOOK_NAMES_H

#include "book/book.h"

/* Which book of a workspace goes by a name that another book says: a path, an id, the name of a file, a title. */

/* A path as a link in a book says it ("../runbooks/x.md#part"), from the workspace's folder, like the book's own path. In the arena; NULL where it leads out of
 * the workspace. */
const char *book_link_path(struct arena *a, const char *book_path, const char *link);

/* The name by which a cause's runbook is known to rights and plans: an id, or a path from the workspace's folder. In the arena; NULL where it has none. */
const char *book_cause_runbook(struct arena *a, const struct book *b, const struct book_cause *c);

/* The path, from the workspace's folder root, of the book that goes by the name, with "#anchor" where the name has one. Names that are no paths are looked for
 * in runbooks/ and playbooks/ (in the whole folder where it has neither): id, file name, title, in any case of letters. In the arena. ERR_NOT_FOUND;
 * ERR_CONFLICT where two books go by it. */
enum err book_name_find(struct arena *a, const char *root, const char *name, const char **path, struct error *e);

#endif
