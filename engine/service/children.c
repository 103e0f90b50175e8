#include "service/children.h"
#include "base/fs.h"
#include "book/book_names.h"
#include "policy/book_children.h"

#include <stdlib.h>
#include <string.h>

static const char external[] = "external/";

struct reading {
	const struct execution *x;
	struct arena *arena;
	const char *base; /* the folder in which names lead */
	json_t *books;
	size_t bytes;
};

/* Outside of the engine's workspace a book is called by its absolute path with "external" before it. */
static bool is_external(const struct execution *x)
{
	return strncmp(x->book_path, external, sizeof external - 1) == 0 && strcmp(x->policy_root, x->workspace) != 0;
}

static const char *called(const struct reading *r, const char *path)
{
	return is_external(r->x) ? arena_printf(r->arena, "external%s/%s", r->base, path) : path;
}

static const char *within(const struct reading *r, const char *name)
{
	const char *prefix = arena_printf(r->arena, "external%s/", r->base);
	size_t n = strlen(prefix);
	return strncmp(name, prefix, n) == 0 ? name + n : name;
}

static enum err read_names(struct reading *r, const struct book *b, json_t *names, struct error *e);

static enum err read_one(struct reading *r, const char *path, const char *as, struct error *e)
{
	struct buf bytes;
	struct book *b;
	struct error why;
	const char *hash = strchr(path, '#'), *file = hash ? arena_strndup(r->arena, path, (size_t)(hash - path)) : path;
	buf_init(&bytes, BOOK_BYTES_MAX);
	enum err err = fs_read_beneath(r->base, file, &bytes, &why);
	if (!err)
		err = book_parse(hash ? arena_strndup(r->arena, as, (size_t)(strchr(as, '#') - as)) : as, hash ? hash + 1 : NULL, bytes.data ? bytes.data : "",
		                 bytes.len, &b, &why);
	if (err) {
		buf_clear(&bytes);
		return ERR_OK; /* as if it were not there */
	}
	json_t *names = json_object();
	json_t *text = json_bytes(bytes.data, bytes.len);
	r->bytes += json_dumpb(text, NULL, 0, JSON_ENCODE_ANY);
	json_object_set_new(r->books, as, json_pack("{s:o,s:O}", "bytes", text, "names", names));
	if (r->bytes > CHILDREN_BYTES_MAX || json_object_size(r->books) > BOOK_CHILDREN_MAX)
		err = error_set(e, ERR_TOO_BIG, "the runbooks that %s starts, and those that they start, are more than %d, or more than %d MiB together",
		                r->x->book_path, BOOK_CHILDREN_MAX, CHILDREN_BYTES_MAX >> 20);
	if (!err) err = read_names(r, b, names, e);
	json_decref(names);
	book_free(b);
	buf_clear(&bytes);
	return err;
}

static enum err read_names(struct reading *r, const struct book *b, json_t *names, struct error *e)
{
	struct book_children all;
	enum err err = ERR_OK;
	book_children_find(r->arena, b, &all);
	for (size_t i = 0; i < all.count && !err; i++) {
		const char *path;
		if (json_object_get(names, all.list[i].name) || book_name_find(r->arena, r->base, within(r, all.list[i].name), &path, NULL)) continue;
		const char *as = called(r, path);
		json_object_set_new(names, all.list[i].name, json_string(as));
		if (!json_object_get(r->books, as)) err = read_one(r, path, as, e);
		if (!json_object_get(r->books, as)) json_object_del(names, all.list[i].name);
	}
	return err;
}

enum err children_read(struct execution *x, struct error *e)
{
	struct reading r = {.x = x, .arena = arena_new(), .base = is_external(x) ? x->workspace : x->policy_root, .books = json_object()};
	json_t *names = json_object();
	enum err err = read_names(&r, x->book, names, e);
	x->children = !err && json_object_size(names) ? json_pack("{s:O,s:O}", "names", names, "books", r.books) : NULL;
	json_decref(names);
	json_decref(r.books);
	arena_free(r.arena);
	return err;
}

const char *children_path(const json_t *children, const char *name)
{
	return json_str(json_obj(children, "names"), name, NULL);
}

enum err children_book(const json_t *children, const char *name, struct book **out, struct error *e)
{
	const char *path = children_path(children, name);
	const json_t *book = path ? json_obj(json_obj(children, "books"), path) : NULL;
	if (!book)
		return error_set(
		    e, ERR_NOT_FOUND,
		    "the plan holds no runbook \"%.200s\": name it as a text in the step, in Permissions (`runbook ...`) or in Root Causes, by an id or a path "
		    "of the workspace (rung check looks for it)",
		    name);
	struct buf bytes;
	buf_init(&bytes, BOOK_BYTES_MAX);
	json_bytes_get(json_object_get(book, "bytes"), &bytes);
	const char *hash = strchr(path, '#');
	char *file = mem_printf("%.*s", (int)strcspn(path, "#"), path);
	enum err err = book_parse(file, hash ? hash + 1 : NULL, bytes.data ? bytes.data : "", bytes.len, out, e);
	free(file);
	buf_clear(&bytes);
	return err;
}

static void add_below(const json_t *books, const char *path, json_t *out)
{
	json_t *book = json_obj(books, path), *v;
	const char *name;
	if (!book || json_object_get(out, path)) return;
	json_object_set(out, path, book);
	json_object_foreach(json_obj(book, "names"), name, v) add_below(books, json_string_value(v), out);
}

json_t *children_below(const json_t *children, const char *path)
{
	const json_t *books = json_obj(children, "books");
	json_t *names = json_obj(json_obj(books, path), "names"), *out = json_object(), *v;
	const char *name;
	json_object_foreach(names, name, v) add_below(books, json_string_value(v), out);
	json_t *below = json_object_size(names) ? json_pack("{s:O,s:O}", "names", names, "books", out) : NULL;
	json_decref(out);
	return below;
}
