#ifndef RUNG_ALERT_BOOK_INDEX_H
#define RUNG_ALERT_BOOK_INDEX_H

#include "base/arena.h"
#include "book/book.h"

/* The books of a workspace by what an alert may call them. Built when books change, asked for each alert that no binding matches; never changed in between.
 * source: DESIGN.md 8 */

/* How a book comes by a name; the lower, the nearer. */
enum book_name_kind { BOOK_NAME_ALERTS, BOOK_NAME_TITLE, BOOK_NAME_FILE, BOOK_NAME_ID, BOOK_NAME_HEADING };

enum { BOOK_INDEX_NAMES_MAX = 1000000 };

struct book_index;

struct book_index *book_index_new(struct arena *a);

/* Adds a page of the workspace: b as book_parse gave it for path (from the workspace's folder) without an anchor. Copies what it needs. */
void book_index_add(struct book_index *ix, const char *path, const struct book *b);

/* Call once, after the last: only then can it be asked. */
void book_index_close(struct book_index *ix);

/* A book of the workspace: PATH or PATH#ANCHOR, and how it was found. Strings live in the index. */
struct book_found {
	const char *path, *anchor; /* anchor: or NULL */
	enum book_name_kind kind;
	const char *other_path, *other_anchor; /* another book that is as near: a person should choose; or NULL */
};

/* The book that is called like the alert: of its ## Alerts, title, file name, id or heading, in this order; letter case, spaces and punctuation do not count.
 * Of books that are as near a playbook goes before a runbook; then it is not certain, and another one is named. False: there is none. */
bool book_index_by_name(const struct book_index *ix, const char *name, struct book_found *out);

/* The book to which an annotation leads: a path of the workspace, or an address (https://...) whose path ends with one, with its anchor, which must be there.
 * The longest such path. False: it leads to none. */
bool book_index_by_link(const struct book_index *ix, const char *link, struct book_found *out);

/* "its title", "its heading", ... */
const char *book_name_kind_word(enum book_name_kind kind);

#endif
