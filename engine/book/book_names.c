#include "book/book_names.h"
#include "base/fs.h"
#include "base/text.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { FILES_MAX = 5000, DEPTH_MAX = 8 };

const char *book_link_path(struct arena *a, const char *book_path, const char *link)
{
	char *folder = fs_dirname(book_path);
	char *whole = link[0] == '/' ? mem_strdup(link + 1) : strcmp(folder, ".") == 0 ? mem_strdup(link) : mem_printf("%s/%s", folder, link);
	free(folder);
	bool is_absolute = whole[0] == '/', leads_out = false;
	const char **parts = arena_alloc(a, (strlen(whole) + 1) * sizeof *parts);
	size_t n = 0;
	for (char *save = NULL, *p = strtok_r(whole, "/", &save); p; p = strtok_r(NULL, "/", &save)) {
		if (strcmp(p, ".") == 0) continue;
		if (strcmp(p, "..") != 0)
			parts[n++] = arena_strdup(a, p);
		else if (n)
			n--;
		else
			leads_out = true;
	}
	struct buf b;
	buf_init(&b, BOOK_BYTES_MAX);
	for (size_t i = 0; i < n; i++) buf_printf(&b, "%s%s", i || is_absolute ? "/" : "", parts[i]);
	const char *path = leads_out || b.is_full || !b.len ? NULL : arena_strndup(a, b.data, b.len);
	buf_clear(&b);
	free(whole);
	return path;
}

const char *book_cause_runbook(struct arena *a, const struct book *b, const struct book_cause *c)
{
	if (!c->runbook) return NULL;
	return c->is_link ? book_link_path(a, b->path, c->runbook) : c->runbook;
}

/* ---- names ---- */

struct looking {
	struct arena *arena;
	const char *root, *name;
	const char *found, *other; /* paths from root */
	size_t files;
};

static bool is_markdown(const char *name)
{
	size_t n = strlen(name);
	return n > 3 && strcasecmp(name + n - 3, ".md") == 0 && strncasecmp(name, "readme.", 7) != 0;
}

static bool goes_by(const char *whole, const char *file, const char *name)
{
	size_t n = strlen(file) - 3;
	if (strlen(name) == n && strncasecmp(file, name, n) == 0) return true;
	struct book *b;
	if (book_open(whole, &b, NULL)) return false;
	bool yes = (b->id && text_equal_nocase(b->id, name)) || text_equal_nocase(b->title, name);
	book_free(b);
	return yes;
}

static void look_in(struct looking *l, const char *folder, int depth)
{
	char *at = *folder ? mem_printf("%s/%s", l->root, folder) : mem_strdup(l->root);
	DIR *d = depth < DEPTH_MAX ? opendir(at) : NULL;
	for (struct dirent *entry; d && (entry = readdir(d));) {
		struct stat st;
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "node_modules") == 0) continue;
		const char *path = *folder ? arena_printf(l->arena, "%s/%s", folder, entry->d_name) : arena_strdup(l->arena, entry->d_name);
		char *whole = mem_printf("%s/%s", at, entry->d_name);
		if (lstat(whole, &st) == 0 && S_ISDIR(st.st_mode))
			look_in(l, path, depth + 1);
		else if (S_ISREG(st.st_mode) && is_markdown(entry->d_name) && l->files++ < FILES_MAX && goes_by(whole, entry->d_name, l->name))
			*(l->found ? &l->other : &l->found) = path;
		free(whole);
	}
	if (d) closedir(d);
	free(at);
}

static enum err find_by_name(struct looking *l, struct error *e)
{
	static const char *const folders[] = {"runbooks", "playbooks"};
	bool has_folder = false;
	for (size_t i = 0; i < 2; i++) {
		char *at = mem_printf("%s/%s", l->root, folders[i]);
		if (fs_is_dir(at)) has_folder = true, look_in(l, folders[i], 0);
		free(at);
	}
	if (!has_folder) look_in(l, "", 0);
	if (!l->found)
		return error_set(e, ERR_NOT_FOUND, "no runbook of the workspace goes by \"%.200s\": name its id, or its path from the workspace's folder",
		                 l->name);
	/* Which of the two comes first depends on the folder. */
	const char *first = l->other && strcmp(l->other, l->found) < 0 ? l->other : l->found, *second = first == l->found ? l->other : l->found;
	if (l->other) return error_set(e, ERR_CONFLICT, "\"%.200s\" names %s and %s: give the path", l->name, first, second);
	return ERR_OK;
}

static bool is_path(const char *name)
{
	size_t n = strcspn(name, "#");
	return memchr(name, '/', n) || (n > 3 && strncasecmp(name + n - 3, ".md", 3) == 0);
}

enum err book_name_find(struct arena *a, const char *root, const char *name, const char **path, struct error *e)
{
	size_t n = strcspn(name, "#");
	const char *file = arena_strndup(a, name, n);
	if (is_path(name)) {
		const char *clean = book_link_path(a, "", file);
		char *whole = clean && file[0] != '/' ? mem_printf("%s/%s", root, clean) : NULL;
		struct stat st;
		bool is_there = whole && stat(whole, &st) == 0 && S_ISREG(st.st_mode);
		free(whole);
		if (!is_there) return error_set(e, ERR_NOT_FOUND, "there is no book %.300s in the workspace's folder", file);
		*path = arena_printf(a, "%s%s", clean, name + n);
		return ERR_OK;
	}
	struct looking l = {.arena = a, .root = root, .name = file};
	enum err err = find_by_name(&l, e);
	if (!err) *path = arena_printf(a, "%s%s", l.found, name + n);
	return err;
}
