#include "cli/rights_ask.h"
#include "base/fs.h"
#include "book/book_names.h"
#include "cli/inventory_use.h"
#include "cli/lines.h"
#include "cli/print.h"
#include "policy/book_children.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void list_rights(const struct book *b)
{
	struct arena *a = arena_new();
	fprintf(stderr, "This book asks for %zu right%s:\n", b->permission_count, b->permission_count == 1 ? "" : "s");
	for (size_t i = 0; i < b->permission_count; i++) {
		const char *left = arena_printf(a, "  %2zu  %-7s  ", i + 1, b->permissions[i].is_read ? "reads" : "changes");
		print_wrapped(stderr, left, line_exact(a, b->permissions[i].pattern));
	}
	arena_free(a);
}

/* Books below a book, each once. */
struct below {
	struct arena *arena;
	const char *root;
	json_t *seen;
};

/* What "all" allows besides: the runbooks that it starts are bound by what they declare. */
static void list_below(struct below *l, const struct book *b, int depth)
{
	struct book_children all;
	book_children_find(l->arena, b, &all);
	for (size_t i = 0; i < all.count && depth < BOOK_CHILD_DEPTH_MAX; i++) {
		const char *path;
		struct book *child;
		if (book_name_find(l->arena, l->root, all.list[i].name, &path, NULL) || json_object_get(l->seen, path)) continue;
		json_object_set_new(l->seen, path, json_true());
		if (book_open(arena_printf(l->arena, "%s/%s", l->root, path), &child, NULL)) continue;
		child->path = path;
		if (child->permission_count) fprintf(stderr, "  With all of them, its runbook %s:\n", line_exact(l->arena, path));
		for (size_t k = 0; k < child->permission_count; k++)
			print_wrapped(stderr, arena_printf(l->arena, "      %-7s  ", child->permissions[k].is_read ? "reads" : "changes"),
			              line_exact(l->arena, child->permissions[k].pattern));
		list_below(l, child, depth + 1);
		book_free(child);
	}
}

/* Links lead from where the book stands in its workspace. */
static void list_runbooks(struct book *b)
{
	char whole[PATH_MAX];
	struct below l = {.arena = arena_new(), .seen = json_object()};
	const char *given = b->path, *root = inventory_use_root_of(l.arena, b->path);
	if (realpath(b->path, whole)) {
		char *folder = fs_dirname(whole);
		l.root = root ? root : arena_strdup(l.arena, folder);
		free(folder);
		if (strncmp(whole, l.root, strlen(l.root)) == 0) b->path = whole + strlen(l.root) + 1;
		list_below(&l, b, 1);
		b->path = given;
	}
	json_decref(l.seen);
	arena_free(l.arena);
}

/* The terminal's list before the first step: all, some of them, none. */
static enum err ask_list(struct book *b, json_t *wish, struct error *e)
{
	json_t *allow = json_array();
	json_object_set_new(wish, "allow", allow);
	list_rights(b);
	list_runbooks(b);
	for (;;) {
		char *text = use_ask("Allow for this execution: a all, n none, or numbers (1 3): ");
		if (!text) return error_set(e, ERR_INTERRUPTED, "no answer about the rights: nothing was started");
		bool is_all = strcmp(text, "a") == 0 || strcmp(text, "all") == 0, is_none = strcmp(text, "n") == 0 || strcmp(text, "none") == 0,
		     is_list = *text && !is_all && !is_none;
		json_t *chosen = json_array();
		for (char *p = text; is_list && *p;) {
			char *end;
			unsigned long n = strtoul(p, &end, 10);
			is_list = end != p && n >= 1 && n <= b->permission_count;
			if (is_list) json_array_append_new(chosen, json_string(b->permissions[n - 1].pattern));
			p = end + strspn(end, " ,");
		}
		free(text);
		if (is_list) json_array_extend(allow, chosen);
		json_decref(chosen);
		if (is_all) json_object_set_new(wish, "declared", json_true());
		if (is_all || is_none || is_list) return ERR_OK;
	}
}

static void list_missing(const json_t *missing, const char *outcome, const char *heading)
{
	struct arena *a = arena_new();
	size_t i, n = 0;
	json_t *m;
	json_array_foreach(missing, i, m)
	{
		if (strcmp(json_str(m, "outcome", ""), outcome) != 0) continue;
		if (n++ == 0) fprintf(stderr, "%s\n", heading);
		const char *what = json_str(m, "step", json_str(m, "pattern", "the book"));
		print_wrapped(stderr, arena_printf(a, "  %s  ", line_exact(a, what)), line_safe(a, json_str(m, "why", "")));
	}
	arena_free(a);
}

static bool is_denied(const json_t *missing, const char *what)
{
	size_t i;
	json_t *m;
	json_array_foreach(missing, i,
	                   m) if (strcmp(json_str(m, "outcome", ""), "deny") == 0 && (!what || strcmp(json_str(m, "what", ""), what) == 0)) return true;
	return false;
}

/* Everything that the policy does not give, at once, and whether to go on without it. */
static enum err ask_about_missing(const json_t *missing, struct error *e)
{
	list_missing(missing, "wait", "Others must agree before these steps begin:");
	list_missing(missing, "deny", "The policy does not give you:");
	if (!is_denied(missing, NULL) || is_denied(missing, "book")) return ERR_OK; /* the start itself says no */
	char *text = use_ask("Go on without? What is missing you do by hand, or skip (yes, no): ");
	bool goes_on = text && (strcmp(text, "yes") == 0 || strcmp(text, "y") == 0);
	free(text);
	return goes_on ? ERR_OK : error_set(e, ERR_INTERRUPTED, "nothing was started");
}

enum err rights_ask(struct use *u, struct book *b, json_t *wish, bool may_list, struct error *e)
{
	struct answer a = {0};
	enum err err = client_request(u->client, "rights", json_incref(wish), &a, e);
	if (err) return err;
	if (json_bool(a.value, "policy", false))
		err = ask_about_missing(json_arr(a.value, "missing"), e);
	else if (may_list && b->permission_count)
		err = ask_list(b, wish, e);
	answer_clear(&a);
	return err;
}
