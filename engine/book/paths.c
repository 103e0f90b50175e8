#include "book/paths.h"
#include "base/fs.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { PATHS_MAX = 100000, FOLDERS_DEEP_MAX = 32 };

static bool is_markdown(const char *name)
{
	const char *dot = strrchr(name, '.');
	return dot && dot != name && (strcasecmp(dot, ".md") == 0 || strcasecmp(dot, ".markdown") == 0);
}

/* Documentation of the folder, not a book. */
static bool is_readme(const char *name)
{
	return strncasecmp(name, "readme.", 7) == 0;
}

static void paths_add(struct arena *a, struct paths *p, const char *path)
{
	if (p->count == p->capacity) p->path = arena_grow(a, p->path, p->count, &p->capacity, sizeof *p->path);
	p->path[p->count++] = path;
}

static enum err walk(struct arena *a, const char *folder, int depth, struct paths *out, struct error *e)
{
	DIR *d = opendir(folder);
	if (!d) return error_errno(e, "%s", folder);
	enum err err = ERR_OK;
	for (struct dirent *entry; !err && (entry = readdir(d));) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "node_modules") == 0) continue;
		const char *path = arena_printf(a, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", entry->d_name);
		struct stat st;
		if (lstat(path, &st) != 0) continue;
		if (S_ISDIR(st.st_mode) && depth < FOLDERS_DEEP_MAX)
			err = walk(a, path, depth + 1, out, e);
		else if (S_ISREG(st.st_mode) && is_markdown(entry->d_name) && !is_readme(entry->d_name))
			paths_add(a, out, path);
		if (!err && out->count > PATHS_MAX) err = error_set(e, ERR_TOO_BIG, "%s: more than %d Markdown files", folder, PATHS_MAX);
	}
	closedir(d);
	return err;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

enum err paths_find(struct arena *a, const char *path, struct paths *out, struct error *e)
{
	struct stat st;
	if (stat(path, &st) != 0) return error_errno(e, "%s", path);
	if (!S_ISDIR(st.st_mode)) {
		paths_add(a, out, path);
		return ERR_OK;
	}
	size_t from = out->count;
	enum err err = walk(a, path, 0, out, e);
	if (out->count > from) qsort(out->path + from, out->count - from, sizeof *out->path, compare);
	return err;
}

enum err paths_of_books(struct arena *a, const char *root, struct paths *out, struct error *e)
{
	static const char *const folders[] = {"runbooks", "playbooks"};
	bool has_folder = false;
	enum err err = ERR_OK;
	for (size_t i = 0; i < 2 && !err; i++) {
		const char *folder = arena_printf(a, "%s/%s", root, folders[i]);
		if (fs_is_dir(folder)) has_folder = true, err = paths_find(a, folder, out, e);
	}
	return has_folder ? err : paths_find(a, root, out, e);
}
