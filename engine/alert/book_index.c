#include "alert/book_index.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 256, LINK_BYTES_MAX = 4096 };

struct name {
	const char *key; /* what counts of the name */
	const char *path, *anchor;
	enum book_name_kind kind;
	bool is_playbook;
};

struct book_index {
	struct arena *arena;
	struct name *names; /* closed: by key, then the nearest first */
	struct name *pages; /* closed: by path, then anchor; key is not used, anchor "" is the page itself */
	size_t name_count, page_count, name_capacity, page_capacity;
};

static const char *const kind_words[] = {[BOOK_NAME_ALERTS] = "its list of alerts",
                                         [BOOK_NAME_TITLE] = "its title",
                                         [BOOK_NAME_FILE] = "its file name",
                                         [BOOK_NAME_ID] = "its id",
                                         [BOOK_NAME_HEADING] = "a heading of it"};

const char *book_name_kind_word(enum book_name_kind kind)
{
	return kind_words[kind];
}

struct book_index *book_index_new(struct arena *a)
{
	struct book_index *ix = arena_alloc(a, sizeof *ix);
	ix->arena = a;
	return ix;
}

/* HostOutOfDiskSpace, host-out-of-disk-space and "Host out of disk space" are one name: letters and digits, ASCII in lower case. NULL where nothing is left or
 * it is too long to be an alert's. */
static const char *key_of(struct arena *a, const char *text, size_t n)
{
	char key[NAME_BYTES_MAX + 1];
	size_t len = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < 0x80 && !isalnum(c)) continue;
		if (len == NAME_BYTES_MAX) return NULL;
		key[len++] = (char)(c < 0x80 ? tolower(c) : c);
	}
	return len ? arena_strndup(a, key, len) : NULL;
}

static void add_name(struct book_index *ix, const struct book *b, const char *path, const char *anchor, enum book_name_kind kind, const char *text, size_t n)
{
	const char *key = text && ix->name_count < BOOK_INDEX_NAMES_MAX ? key_of(ix->arena, text, n) : NULL;
	if (!key) return;
	ix->names = arena_grow(ix->arena, ix->names, ix->name_count, &ix->name_capacity, sizeof *ix->names);
	ix->names[ix->name_count++] = (struct name){key, path, anchor, kind, b->kind == BOOK_PLAYBOOK};
}

static void add_page(struct book_index *ix, const char *path, const char *anchor)
{
	if (ix->page_count >= BOOK_INDEX_NAMES_MAX) return;
	ix->pages = arena_grow(ix->arena, ix->pages, ix->page_count, &ix->page_capacity, sizeof *ix->pages);
	ix->pages[ix->page_count++] = (struct name){.path = path, .anchor = anchor};
}

static void add_text(struct book_index *ix, const struct book *b, const char *path, enum book_name_kind kind, const char *text)
{
	if (text) add_name(ix, b, path, NULL, kind, text, strlen(text));
}

void book_index_add(struct book_index *ix, const char *path, const struct book *b)
{
	path = arena_strdup(ix->arena, path);
	const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path, *dot = strrchr(file, '.');
	add_page(ix, path, "");
	for (size_t i = 0; i < b->alert_count; i++) add_text(ix, b, path, BOOK_NAME_ALERTS, b->alerts[i]);
	add_text(ix, b, path, BOOK_NAME_TITLE, b->title);
	add_name(ix, b, path, NULL, BOOK_NAME_FILE, file, dot && dot > file ? (size_t)(dot - file) : strlen(file));
	add_text(ix, b, path, BOOK_NAME_ID, b->id);
	const struct section *root = b->document->sections;
	for (const struct section *s = section_next(root, root); s; s = section_next(root, s)) {
		const char *anchor = arena_strdup(ix->arena, s->anchor);
		add_page(ix, path, anchor);
		/* The page's own title is not a part of it. */
		if (!b->title || s->level > 1 || strcmp(s->title, b->title) != 0) add_name(ix, b, path, anchor, BOOK_NAME_HEADING, s->title, strlen(s->title));
	}
}

static int compare(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int by_nearness(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int order = strcmp(x->key, y->key);
	if (!order) order = (int)x->kind - (int)y->kind;
	if (!order) order = y->is_playbook - x->is_playbook;
	if (!order) order = strcmp(x->path, y->path);
	return order ? order : compare(x->anchor, y->anchor);
}

static int by_page(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int order = strcmp(x->path, y->path);
	return order ? order : strcmp(x->anchor, y->anchor);
}

void book_index_close(struct book_index *ix)
{
	if (ix->name_count) qsort(ix->names, ix->name_count, sizeof *ix->names, by_nearness);
	if (ix->page_count) qsort(ix->pages, ix->page_count, sizeof *ix->pages, by_page);
}

/* The first name with that key. */
static size_t first_of(const struct book_index *ix, const char *key)
{
	size_t from = 0, to = ix->name_count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (strcmp(ix->names[middle].key, key) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

bool book_index_by_name(const struct book_index *ix, const char *name, struct book_found *out)
{
	struct arena *scratch = arena_new();
	const char *key = key_of(scratch, name, strlen(name));
	size_t at = key ? first_of(ix, key) : ix->name_count;
	bool is_found = at < ix->name_count && strcmp(ix->names[at].key, key) == 0;
	if (is_found) {
		const struct name *n = &ix->names[at];
		*out = (struct book_found){.path = n->path, .anchor = n->anchor, .kind = n->kind};
		for (size_t i = at + 1; i < ix->name_count && strcmp(ix->names[i].key, key) == 0 && !out->other_path; i++) {
			const struct name *o = &ix->names[i];
			if (o->kind != n->kind || o->is_playbook != n->is_playbook) break;
			if (strcmp(o->path, n->path) != 0 || compare(o->anchor, n->anchor) != 0) out->other_path = o->path, out->other_anchor = o->anchor;
		}
	}
	arena_free(scratch);
	return is_found;
}

/* ---- links ---- */

/* %41 is A. What would be a slash, a zero byte or no UTF-8, and what is no escape, makes it no path. */
static bool decode_percent(struct buf *b, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] != '%') {
			buf_char(b, text[i]);
			continue;
		}
		if (i + 2 >= n || !isxdigit((unsigned char)text[i + 1]) || !isxdigit((unsigned char)text[i + 2])) return false;
		char digits[3] = {text[i + 1], text[i + 2], 0}, c = (char)strtol(digits, NULL, 16);
		if (c == 0 || c == '/' || c == '%') return false;
		buf_char(b, c);
		i += 2;
	}
	buf_str(b, "");
	return !b->is_full && text_is_utf8(b->data ? b->data : "", b->len);
}

static const struct name *page_find(const struct book_index *ix, const char *path, const char *anchor)
{
	struct name wanted = {.path = path, .anchor = anchor};
	return ix->page_count ? bsearch(&wanted, ix->pages, ix->page_count, sizeof *ix->pages, by_page) : NULL;
}

/* The page, then the heading in it. */
static bool found_at(const struct book_index *ix, const char *path, const char *anchor, struct book_found *out)
{
	const struct name *page = page_find(ix, path, "");
	const struct name *heading = page && *anchor ? page_find(ix, path, anchor) : NULL;
	if (!page || (*anchor && !heading)) return false;
	*out = (struct book_found){.path = page->path, .anchor = heading ? heading->anchor : NULL};
	return true;
}

/* Behind scheme and host of an address, or the path as it is; NULL where it is neither. */
static const char *path_of(const char *link, bool *is_address)
{
	const char *colon = strstr(link, "://");
	size_t scheme = strspn(link, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
	*is_address = colon && colon == link + scheme && scheme > 0;
	if (!*is_address) return strncmp(link, "./", 2) == 0 ? link + 2 : *link == '/' ? link + 1 : link;
	const char *path = strpbrk(colon + 3, "/?#");
	return path && *path == '/' ? path + 1 : NULL;
}

static bool find_page(const struct book_index *ix, const char *path, const char *anchor, bool is_address, struct book_found *out)
{
	/* Of an address the longest end that is a page; of a path all of it. */
	for (const char *p = path; p && *p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL) {
		if (page_find(ix, p, "")) return found_at(ix, p, anchor, out);
		if (!is_address) return false;
	}
	return false;
}

bool book_index_by_link(const struct book_index *ix, const char *link, struct book_found *out)
{
	bool is_address;
	struct buf path, anchor;
	const char *at = strlen(link) <= LINK_BYTES_MAX ? path_of(link, &is_address) : NULL;
	if (!at) return false;
	size_t n = is_address ? strcspn(at, "?#") : strcspn(at, "#");
	const char *hash = strchr(at, '#');
	buf_init(&path, LINK_BYTES_MAX + 1);
	buf_init(&anchor, LINK_BYTES_MAX + 1);
	bool is_found = false;
	/* A path that a person wrote has no escapes. */
	if (is_address)
		is_found = decode_percent(&path, at, n) && decode_percent(&anchor, hash ? hash + 1 : "", hash ? strlen(hash + 1) : 0);
	else
		is_found = buf_add(&path, at, n) && buf_str(&anchor, hash ? hash + 1 : "");
	is_found = is_found && find_page(ix, path.data ? path.data : "", anchor.data ? anchor.data : "", is_address, out);
	buf_clear(&path), buf_clear(&anchor);
	return is_found;
}
