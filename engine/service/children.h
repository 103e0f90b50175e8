#ifndef RUNG_SERVICE_CHILDREN_H
#define RUNG_SERVICE_CHILDREN_H

#include "service/execution.h"

/* The books that an execution may start, with their bytes, as its plan has them: what others approved, and what is resumed, is these and no newer ones.
 *
 *   {"names": {"RUN002": "runbooks/x.md"}, "books": {"runbooks/x.md": {"bytes": ..., "names": {...}}}}
 *
 * names: what the book calls them; a path has "#anchor" behind it where one is meant. source: DESIGN.md 7 (plan digest) */

enum { CHILDREN_BYTES_MAX = 4 << 20 }; /* of all books below one, as JSON */

/* Reads those that x's book names, those that they name and so on, from the folder in which its names lead; x->children is NULL where it names none. A name
 * that leads to no book is left out: the call that needs it says so. ERR_TOO_BIG over CHILDREN_BYTES_MAX or BOOK_CHILDREN_MAX books. */
enum err children_read(struct execution *x, struct error *e);

/* The path behind a name of the book, or NULL. */
const char *children_path(const json_t *children, const char *name);

/* The book behind a name, parsed; the caller frees it. ERR_NOT_FOUND where the plan has none. */
enum err children_book(const json_t *children, const char *name, struct book **out, struct error *e);

/* The part of the books that the book behind a path may start: children of an execution of it. New reference, or NULL. */
json_t *children_below(const json_t *children, const char *path);

#endif
