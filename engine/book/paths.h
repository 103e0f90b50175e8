#ifndef RUNG_BOOK_PATHS_H
#define RUNG_BOOK_PATHS_H

#include "base/arena.h"
#include "base/error.h"

#include <stddef.h>

/* Absolute paths of Markdown files, sorted. */
struct paths {
	const char **path;
	size_t count, capacity;
};

/* Every *.md and *.markdown beneath a folder, without hidden folders and node_modules, symbolic links not followed; a file gives itself. */
enum err paths_find(struct arena *a, const char *path, struct paths *out, struct error *e);

/* The books of a workspace: what stands in runbooks/ and playbooks/, or in the whole of it where it has neither; READMEs are no books. */
enum err paths_of_books(struct arena *a, const char *root, struct paths *out, struct error *e);

#endif
