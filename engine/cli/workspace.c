#include "cli/workspace.h"
#include "base/fs.h"
#include "base/text.h"
#include "book/book.h"
#include "cli/command.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* The nearest folder upward that holds a folder .rung, or NULL. */
static const char *find_root(struct arena *a)
{
	char here[PATH_MAX];
	if (!getcwd(here, sizeof here)) return NULL;
	for (;;) {
		const char *candidate = arena_printf(a, "%s/.rung", strcmp(here, "/") == 0 ? "" : here);
		if (fs_is_dir(candidate)) return arena_strdup(a, here);
		char *slash = strrchr(here, '/');
		if (!slash || (slash == here && !here[1])) return NULL;
		if (slash == here)
			here[1] = 0;
		else
			*slash = 0;
	}
}

static const char *home(void)
{
	const char *h = getenv("HOME");
	if (h && *h == '/') return h;
	struct passwd *p = getpwuid(getuid());
	return p ? p->pw_dir : NULL;
}

static const char *absolute(struct arena *a, const char *path)
{
	char here[PATH_MAX];
	if (path[0] == '/' || !getcwd(here, sizeof here)) return path;
	return arena_printf(a, "%s/%s", here, path);
}

enum err workspace_find(struct arena *a, const char *state_option, struct workspace *out, struct error *e)
{
	*out = (struct workspace){.root = find_root(a)};
	const char *named = state_option ? state_option : getenv("RUNG_STATE"), *xdg = getenv("XDG_STATE_HOME");
	if (named && *named)
		out->state_dir = absolute(a, named);
	else if (out->root)
		out->state_dir = arena_printf(a, "%s/.rung/state", out->root);
	else if (xdg && *xdg == '/')
		out->state_dir = arena_printf(a, "%s/rung", xdg);
	else if (home())
		out->state_dir = arena_printf(a, "%s/.local/state/rung", home());
	else
		return error_set(e, ERR_USAGE,
		                 "no place for the state: there is no .rung folder here or above and no $HOME; name a folder with --state or $RUNG_STATE");
	return ERR_OK;
}

/* "disk-full" of "runbooks/disk-full.md". */
static const char *stem(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
	return dot ? arena_strndup(a, name, (size_t)(dot - name)) : name;
}

/* Does the book go by that name: its file's name, its id, its title? */
static bool goes_by(struct arena *a, const char *path, const char *name)
{
	if (text_equal_nocase(stem(a, path), name)) return true;
	struct book *b;
	if (book_open(path, &b, NULL)) return false;
	bool yes = (b->id && text_equal_nocase(b->id, name)) || (b->title && text_equal_nocase(b->title, name));
	book_free(b);
	return yes;
}

static enum err find_by_name(struct arena *a, const struct workspace *w, const char *name, const char **path, struct error *e)
{
	struct paths books = {0};
	if (!w->root)
		return error_set(e, ERR_NOT_FOUND, "%s: there is no such file, and no workspace here (no .rung folder upward) to look for a book of that name",
		                 name);
	enum err err = paths_of_books(a, w->root, &books, e);
	if (err) return err;
	*path = NULL;
	const char **names = arena_alloc(a, (books.count + 1) * sizeof *names);
	for (size_t i = 0; i < books.count; i++) {
		names[i] = stem(a, books.path[i]);
		if (!goes_by(a, books.path[i], name)) continue;
		if (*path) return error_set(e, ERR_USAGE, "\"%s\" names %s and %s: give the path", name, *path, books.path[i]);
		*path = books.path[i];
	}
	if (*path) return ERR_OK;
	const char *near = text_nearest(name, names);
	if (near) return error_set(e, ERR_NOT_FOUND, "no file and no book \"%s\": did you mean \"%s\"? `rung list` shows all", name, near);
	return error_set(e, ERR_NOT_FOUND, "no file and no book \"%s\" in %s: `rung list` shows all", name, w->root);
}

enum err workspace_book(struct arena *a, const struct workspace *w, const char *name, const char **path, struct error *e)
{
	const char *hash = strchr(name, '#');
	const char *file = hash && !fs_exists(name) ? arena_strndup(a, name, (size_t)(hash - name)) : name, *anchor = file == name ? "" : hash;
	char real[PATH_MAX];
	if (fs_is_dir(file)) return error_set(e, ERR_USAGE, "%s is a folder: name one book in it", file);
	if (realpath(file, real)) {
		*path = arena_printf(a, "%s%s", real, anchor);
		return ERR_OK;
	}
	if (errno != ENOENT && errno != ENOTDIR) return error_errno(e, "%s", file);
	const char *found = NULL;
	enum err err = find_by_name(a, w, file, &found, e);
	if (!err) *path = arena_printf(a, "%s%s", found, anchor);
	return err;
}

const char *workspace_relative(struct arena *a, const struct workspace *w, const char *path)
{
	char here[PATH_MAX];
	const char *bases[] = {w->root, getcwd(here, sizeof here)};
	for (size_t i = 0; i < 2; i++) {
		size_t n = bases[i] ? strlen(bases[i]) : 0;
		if (n > 1 && strncmp(path, bases[i], n) == 0 && path[n] == '/') return arena_strdup(a, path + n + 1);
	}
	return path;
}
