#ifndef RUNG_CLI_WORKSPACE_H
#define RUNG_CLI_WORKSPACE_H

#include "base/arena.h"
#include "base/error.h"
#include "book/paths.h"

#include <stdbool.h>
#include <stddef.h>

/* The folder a command works in and the state that belongs to it. Strings are the arena's.
 * source: DESIGN.md 9 */
struct workspace {
	const char *root;      /* the folder that holds .rung/, found upward from the current one; NULL: there is none */
	const char *state_dir; /* absolute */
};

/* Finds both. state_option (or NULL) wins over $RUNG_STATE, that over <root>/.rung/state, that over $XDG_STATE_HOME/rung. Makes nothing. */
enum err workspace_find(struct arena *a, const char *state_option, struct workspace *out, struct error *e);

/* The absolute path (with its #anchor) of a book given as a path, or as the id, the title or the file name of a book in the workspace. ERR_NOT_FOUND names
 * the nearest; ERR_USAGE where the name fits several. */
enum err workspace_book(struct arena *a, const struct workspace *w, const char *name, const char **path, struct error *e);

/* Path as seen from the workspace's root, or from the current folder, else as it is. */
const char *workspace_relative(struct arena *a, const struct workspace *w, const char *path);

#endif
