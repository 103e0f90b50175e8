#include "lying_trace.h"
#include "base/arena.h"
#include "base/error.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum event_kind { EVENT_WRITE, EVENT_RESIZE, EVENT_SYNC, EVENT_SYNC_FAILED, EVENT_LINK, EVENT_UNLINK, EVENT_RENAME, EVENT_MARK };
enum { NAME_MAX_BYTES = 128, PATH_MAX_BYTES = 512, FILES_MAX = 4096, ROOT = 0 };

struct event {
	enum event_kind kind;
	int file;   /* of names: the folder; of a mark: the mark */
	int target; /* of names: what the name leads to */
	int64_t at; /* of a write: where; of a size: the size */
	size_t n;
	unsigned char *data;
	char *name, *old_name;
};

struct entry {
	int folder, file;
	char name[NAME_MAX_BYTES];
};

/* Names and what they lead to. */
struct entries {
	struct entry *list;
	size_t n, cap;
};

struct file {
	int64_t size;
	bool is_folder;
	char name[NAME_MAX_BYTES];
};

struct trace {
	char *root;
	struct event *events;
	size_t n, cap;
	struct entries live;
	struct file files[FILES_MAX];
	int files_n;
};

static struct entry *entry_find(const struct entries *e, int folder, const char *name)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->list[i].folder == folder && strcmp(e->list[i].name, name) == 0) return &e->list[i];
	return NULL;
}

static void entry_put(struct entries *e, int folder, const char *name, int file)
{
	struct entry *x = entry_find(e, folder, name);
	if (!x) {
		if (e->n == e->cap) {
			e->cap = e->cap ? 2 * e->cap : 64;
			e->list = mem_realloc(e->list, e->cap * sizeof *e->list);
		}
		x = &e->list[e->n++];
		x->folder = folder;
		snprintf(x->name, sizeof x->name, "%s", name);
	}
	x->file = file;
}

static void entry_remove(struct entries *e, int folder, const char *name)
{
	struct entry *x = entry_find(e, folder, name);
	if (x) *x = e->list[--e->n];
}

bool trace_is_inside(const struct trace *t, const char *path)
{
	size_t n = strlen(t->root);
	return strncmp(path, t->root, n) == 0 && (path[n] == '/' || !path[n]);
}

/* The folder that path lies in, and its last name; -1 where the folder is not there. */
static int find_folder(const struct trace *t, const char *path, char name[NAME_MAX_BYTES])
{
	char copy[PATH_MAX_BYTES], *rest = copy, *part;
	int folder = ROOT;
	must(trace_is_inside(t, path));
	snprintf(copy, sizeof copy, "%s", path + strlen(t->root));
	name[0] = 0;
	while ((part = strtok_r(rest, "/", &rest)) != NULL) {
		if (name[0]) {
			const struct entry *x = entry_find(&t->live, folder, name);
			if (!x) return -1;
			folder = x->file;
		}
		snprintf(name, NAME_MAX_BYTES, "%s", part);
	}
	return folder;
}

int trace_find(const struct trace *t, const char *path)
{
	char name[NAME_MAX_BYTES];
	int folder = find_folder(t, path, name);
	if (!name[0]) return ROOT;
	const struct entry *x = folder < 0 ? NULL : entry_find(&t->live, folder, name);
	return x ? x->file : -1;
}

int64_t trace_size(const struct trace *t, int file)
{
	return t->files[file].size;
}

const char *trace_name(const struct trace *t, int file)
{
	return t->files[file].name;
}

static struct event *add(struct trace *t, enum event_kind kind, int file)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 256;
		t->events = mem_realloc(t->events, t->cap * sizeof *t->events);
	}
	t->events[t->n] = (struct event){.kind = kind, .file = file};
	return &t->events[t->n++];
}

int trace_create(struct trace *t, const char *path, bool is_folder)
{
	char name[NAME_MAX_BYTES];
	int folder = find_folder(t, path, name), file = t->files_n++;
	must(folder >= 0 && t->files_n < FILES_MAX);
	t->files[file].is_folder = is_folder;
	snprintf(t->files[file].name, NAME_MAX_BYTES, "%s", name);
	entry_put(&t->live, folder, name, file);
	struct event *x = add(t, EVENT_LINK, folder);
	x->target = file;
	x->name = mem_strdup(name);
	return file;
}

void trace_write(struct trace *t, int file, int64_t at, const void *data, size_t n)
{
	struct event *x = add(t, EVENT_WRITE, file);
	x->at = at, x->n = n;
	x->data = mem_alloc(n);
	memcpy(x->data, data, n);
	if (at + (int64_t)n > t->files[file].size) t->files[file].size = at + (int64_t)n;
}

void trace_resize(struct trace *t, int file, int64_t size)
{
	if (size == t->files[file].size) return;
	add(t, EVENT_RESIZE, file)->at = size;
	t->files[file].size = size;
}

void trace_sync(struct trace *t, int file, bool is_done)
{
	add(t, is_done ? EVENT_SYNC : EVENT_SYNC_FAILED, file);
}

void trace_unlink(struct trace *t, const char *path)
{
	char name[NAME_MAX_BYTES];
	int folder = find_folder(t, path, name);
	if (folder < 0) return;
	entry_remove(&t->live, folder, name);
	add(t, EVENT_UNLINK, folder)->name = mem_strdup(name);
}

void trace_rename(struct trace *t, const char *from, const char *to)
{
	char old_name[NAME_MAX_BYTES], name[NAME_MAX_BYTES];
	int folder = find_folder(t, from, old_name), file = trace_find(t, from);
	must(file >= 0 && find_folder(t, to, name) == folder); /* the store moves nothing from folder to folder */
	entry_remove(&t->live, folder, old_name);
	entry_put(&t->live, folder, name, file);
	struct event *x = add(t, EVENT_RENAME, folder);
	x->target = file;
	x->name = mem_strdup(name);
	x->old_name = mem_strdup(old_name);
}

void trace_mark(struct trace *t, int mark)
{
	add(t, EVENT_MARK, mark);
}

size_t trace_length(const struct trace *t)
{
	return t->n;
}

bool trace_has_mark(const struct trace *t, int mark, size_t cut)
{
	for (size_t i = 0; i < cut && i < t->n; i++)
		if (t->events[i].kind == EVENT_MARK && t->events[i].file == mark) return true;
	return false;
}

static void load_file(struct trace *t, const char *path, int64_t size)
{
	int file = trace_create(t, path, false), fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char *data = mem_alloc((size_t)size + 1);
	must(fd >= 0);
	/* A file of holes only (the reserve) is its size. */
	int64_t n = lseek(fd, 0, SEEK_DATA) < 0 ? 0 : size;
	must(pread(fd, data, (size_t)n, 0) == n);
	if (n) trace_write(t, file, 0, data, (size_t)n);
	trace_resize(t, file, size);
	trace_sync(t, file, true);
	close(fd);
	free(data);
}

static void load_folder(struct trace *t, const char *path, int folder)
{
	char below[PATH_MAX_BYTES];
	DIR *d = opendir(path);
	must(d);
	t->files[folder].is_folder = true;
	for (struct dirent *x; (x = readdir(d)) != NULL;) {
		struct stat st;
		if (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0) continue;
		must(snprintf(below, sizeof below, "%s/%s", path, x->d_name) < (int)sizeof below && lstat(below, &st) == 0);
		if (S_ISDIR(st.st_mode))
			load_folder(t, below, trace_create(t, below, true));
		else
			load_file(t, below, st.st_size);
	}
	trace_sync(t, folder, true);
	closedir(d);
}

struct trace *trace_new(const char *root)
{
	struct trace *t = mem_zero(sizeof *t);
	t->root = mem_strdup(root);
	t->files_n = 1;
	load_folder(t, root, ROOT);
	return t;
}

void trace_free(struct trace *t)
{
	if (!t) return;
	for (size_t i = 0; i < t->n; i++) {
		free(t->events[i].data);
		free(t->events[i].name);
		free(t->events[i].old_name);
	}
	free(t->events);
	free(t->live.list);
	free(t->root);
	free(t);
}

/* The cut. */

struct image {
	unsigned char *data;
	size_t n, cap; /* bytes that were written; what the size has beyond is a hole */
	int64_t size;
};

struct cut {
	enum cut_kind kind;
	unsigned seed;
	size_t first_lost; /* CUT_KEEPS_FIRST: nothing that is not durable stays from here on */
	struct image *images;
	struct entries names;
};

const char *cut_name(enum cut_kind kind)
{
	static const char *const names[CUT_N] = {"loses all", "keeps all", "keeps some", "keeps the first", "tears 512", "tears 4096"};
	return names[kind];
}

static bool toss(struct cut *c)
{
	return rand_r(&c->seed) & 1024;
}

/* Does an event stay that is not durable? A torn write is decided sector by sector, later. */
static bool stays(struct cut *c, const struct event *x, size_t i)
{
	switch (c->kind) {
	case CUT_LOSES_ALL:
		return false;
	case CUT_KEEPS_ALL:
		return true;
	case CUT_KEEPS_FIRST:
		return i < c->first_lost;
	case CUT_TEARS_512:
	case CUT_TEARS_4096:
		return x->kind == EVENT_WRITE || toss(c);
	default:
		return toss(c);
	}
}

static void image_size(struct image *m, int64_t size)
{
	if (size < m->size && (size_t)size < m->n) m->n = (size_t)size;
	m->size = size;
}

static void image_write(struct image *m, int64_t at, const unsigned char *data, size_t n)
{
	size_t end = (size_t)at + n;
	if (end > m->cap) {
		m->cap = 2 * end;
		m->data = mem_realloc(m->data, m->cap);
	}
	if ((size_t)at > m->n) memset(m->data + m->n, 0, (size_t)at - m->n);
	memcpy(m->data + at, data, n);
	if (end > m->n) m->n = end;
	if ((int64_t)end > m->size) m->size = (int64_t)end;
}

/* A sector that did not reach the disk is what it was before. Where the file ended before it, the file may have grown all the same: zeros, or what another
 * file once held there. */
static void lose_sector(struct cut *c, struct image *m, int64_t at, size_t n)
{
	unsigned char stale[4096];
	if (at + (int64_t)n <= m->size || toss(c)) return;
	bool is_zero = toss(c);
	for (size_t i = 0; i < n; i++) stale[i] = is_zero ? 0 : (unsigned char)rand_r(&c->seed);
	image_write(m, at, stale, n);
}

static void write_torn(struct cut *c, struct image *m, const struct event *x, size_t sector)
{
	for (size_t done = 0; done < x->n;) {
		int64_t at = x->at + (int64_t)done;
		size_t n = sector - (size_t)at % sector;
		if (n > x->n - done) n = x->n - done;
		if (toss(c))
			image_write(m, at, x->data + done, n);
		else
			lose_sector(c, m, at, n);
		done += n;
	}
}

static void apply(struct cut *c, const struct event *x, bool is_durable)
{
	size_t sector = is_durable ? 0 : c->kind == CUT_TEARS_512 ? 512 : c->kind == CUT_TEARS_4096 ? 4096 : 0;
	switch (x->kind) {
	case EVENT_WRITE:
		if (sector)
			write_torn(c, &c->images[x->file], x, sector);
		else
			image_write(&c->images[x->file], x->at, x->data, x->n);
		break;
	case EVENT_RESIZE:
		image_size(&c->images[x->file], x->at);
		break;
	case EVENT_LINK:
		entry_put(&c->names, x->file, x->name, x->target);
		break;
	case EVENT_UNLINK:
		entry_remove(&c->names, x->file, x->name);
		break;
	case EVENT_RENAME:
		entry_remove(&c->names, x->file, x->old_name);
		entry_put(&c->names, x->file, x->name, x->target);
		break;
	default:
		break;
	}
}

/* The nearest sync after an event decides whether it is durable. Names are not forgotten by a sync of their folder that failed: the next one gets them. */
static bool *find_durable(const struct trace *t, size_t cut)
{
	bool *durable = mem_zero(t->n + 1), synced[FILES_MAX] = {false};
	for (size_t i = cut; i-- > 0;) {
		const struct event *x = &t->events[i];
		if (x->kind == EVENT_SYNC_FAILED && t->files[x->file].is_folder) continue;
		if (x->kind == EVENT_SYNC || x->kind == EVENT_SYNC_FAILED)
			synced[x->file] = x->kind == EVENT_SYNC;
		else if (x->kind != EVENT_MARK)
			durable[i] = synced[x->file];
	}
	return durable;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind;
	return at->level == 0 ? 0 : remove(path);
}

static void put_folder(const struct trace *t, const struct cut *c, int folder, const char *path)
{
	char below[PATH_MAX_BYTES];
	for (size_t i = 0; i < c->names.n; i++) {
		const struct entry *x = &c->names.list[i];
		const struct image *m = &c->images[x->file];
		if (x->folder != folder) continue;
		must(snprintf(below, sizeof below, "%s/%s", path, x->name) < (int)sizeof below);
		if (t->files[x->file].is_folder) {
			must(mkdir(below, 0700) == 0);
			put_folder(t, c, x->file, below);
			continue;
		}
		int fd = open(below, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		must(fd >= 0 && write(fd, m->data, m->n) == (ssize_t)m->n && ftruncate(fd, m->size) == 0);
		close(fd);
	}
}

void trace_cut(const struct trace *t, size_t cut, enum cut_kind kind, unsigned seed)
{
	struct cut c = {.kind = kind, .seed = seed};
	bool *durable = find_durable(t, cut);
	size_t end = cut < t->n ? cut + 1 : cut; /* the event that was under way may be there, too */
	c.images = mem_zero(FILES_MAX * sizeof *c.images);
	c.first_lost = end ? (size_t)rand_r(&c.seed) % end : 0;
	for (size_t i = 0; i < end; i++)
		if (durable[i] || stays(&c, &t->events[i], i)) apply(&c, &t->events[i], durable[i]);
	must(nftw(t->root, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
	put_folder(t, &c, ROOT, t->root);
	for (int i = 0; i < t->files_n; i++) free(c.images[i].data);
	free(c.images);
	free(c.names.list);
	free(durable);
}
