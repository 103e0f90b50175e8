#include "policy/book_children.h"

#include "book/book_names.h"
#include "policy/capability.h"
#include "policy/lua_calls.h"

#include <stdlib.h>
#include <string.h>

/* ---- which ---- */

static bool has_name(const struct book_children *all, const char *name)
{
	for (size_t i = 0; i < all->count; i++)
		if (!all->list[i].cause && strcmp(all->list[i].name, name) == 0) return true;
	return false;
}

static void add(struct arena *a, struct book_children *out, struct book_child c)
{
	if (!c.cause && has_name(out, c.name)) return;
	if (out->count >= BOOK_CHILDREN_MAX) {
		out->is_more = true;
		return;
	}
	out->list = arena_grow(a, out->list, out->count, &out->capacity, sizeof *out->list);
	out->list[out->count++] = c;
}

/* `runbook RUN002` with nothing in it that stands for something else. */
static void add_pattern(struct arena *a, struct book_children *out, const char *pattern, int line)
{
	const char *kind, *const *words;
	size_t n;
	if (strncmp(pattern, "runbook ", 8) != 0 || strpbrk(pattern, "*{")) return;
	if (capability_words(a, pattern, &kind, &words, &n, NULL) == ERR_OK && n == 1) add(a, out, (struct book_child){.name = words[0], .line = line});
}

void book_children_find(struct arena *a, const struct book *b, struct book_children *out)
{
	*out = (struct book_children){0};
	for (size_t i = 0; i < b->cause_count; i++) {
		const char *name = book_cause_runbook(a, b, &b->causes[i]);
		if (name) add(a, out, (struct book_child){.name = name, .cause = &b->causes[i], .line = b->causes[i].line});
	}
	for (size_t i = 0; i < b->permission_count; i++) add_pattern(a, out, b->permissions[i].pattern, b->permissions[i].line);
	for (size_t i = 0; i < b->step_count; i++)
		for (size_t k = 0; k < b->steps[i].fence_count; k++) {
			const struct book_fence *f = &b->steps[i].fences[k];
			struct lua_calls found;
			if (f->role == FENCE_SHELL || f->role == FENCE_SHOWN || !strstr(f->source, "runbook")) continue;
			lua_calls_find(a, f->source, &found);
			for (size_t c = 0; c < found.count; c++)
				if (found.calls[c].is_whole) add_pattern(a, out, found.calls[c].pattern, f->line + found.calls[c].line - 1);
		}
}

/* ---- lint: this book alone ---- */

static void check_finding(const struct book *b, const char *id, int line, json_t *seen, struct lint_report *report)
{
	json_object_set_new(seen, id, json_true());
	if (b->cause_count && !book_cause_get(b, id))
		lint_report_add(report, "cause-unnamed", line, 0, "add a row to Root Causes, or use the id of one",
		                "cause(\"%.64s\") has no row in the table of root causes", id);
}

static void check_findings(struct arena *a, const struct book *b, struct lint_report *report)
{
	json_t *seen = json_object();
	bool is_hidden = false;
	for (size_t i = 0; i < b->step_count; i++)
		for (size_t k = 0; k < b->steps[i].fence_count; k++) {
			const struct book_fence *f = &b->steps[i].fences[k];
			struct lua_calls found;
			if (f->role != FENCE_ACTION || !strstr(f->source, "cause")) continue;
			lua_calls_find(a, f->source, &found);
			is_hidden = is_hidden || found.has_hidden_cause;
			for (size_t c = 0; c < found.cause_count; c++) check_finding(b, found.causes[c].id, f->line + found.causes[c].line - 1, seen, report);
		}
	for (size_t i = 0; i < b->cause_count && json_object_size(seen) && !is_hidden; i++)
		if (!json_object_get(seen, b->causes[i].id))
			lint_report_add(report, "cause-unfound", b->causes[i].line, 0, "let a step find it: cause(\"ID\", {evidence = ...})",
			                "no step finds the cause \"%s\"", b->causes[i].id);
	json_decref(seen);
}

/* ---- lint: with the others ---- */

struct others {
	struct arena *arena;
	const char *root;
	struct lint_report *report;
	const char *path; /* of the book that is checked */
	size_t opened;
};

/* Opened for a while: the caller frees it. */
static enum err open_child(const struct others *o, const char *name, const char **path, struct book **out, struct error *e)
{
	enum err err = book_name_find(o->arena, o->root, name, path, e);
	if (err) return err;
	return book_open(arena_printf(o->arena, "%s/%s", o->root, *path), out, e);
}

static void check_params(const struct others *o, const struct book_child *c, const struct book *child)
{
	const struct book_cause *cause = c->cause;
	for (size_t i = 0; i < cause->param_count; i++) {
		const struct book_param *p = book_param_get(child, cause->params[i].name);
		struct error why = {0};
		json_t *v = p && cause->params[i].kind == CAUSE_LITERAL && p->type != PARAM_SECRET ? book_param_read(p, cause->params[i].text, &why) : NULL;
		if (!p)
			lint_report_add(o->report, "runbook-parameter", cause->line, 0, "use the names of its Parameters table",
			                "the cause \"%s\" gives %.200s the parameter \"%s\", which that book does not have", cause->id, c->name,
			                cause->params[i].name);
		else if (why.kind)
			lint_report_add(o->report, "runbook-parameter", cause->line, 0, "write a value of its type",
			                "the cause \"%s\" gives %.200s a wrong \"%s\": %.300s", cause->id, c->name, cause->params[i].name, why.text);
		json_decref(v);
	}
}

/* Does one of the books below lead to the one that is checked? The way there, or NULL. */
static const char *way_back(struct others *o, const struct book *b, const char *way, int depth)
{
	struct book_children all;
	if (depth > BOOK_CHILD_DEPTH_MAX || o->opened > BOOK_CHILDREN_MAX) return NULL;
	book_children_find(o->arena, b, &all);
	for (size_t i = 0; i < all.count; i++) {
		struct book *child;
		const char *path;
		if (book_name_find(o->arena, o->root, all.list[i].name, &path, NULL)) continue;
		const char *longer = arena_printf(o->arena, "%s -> %s", way, path);
		if (strcmp(path, o->path) == 0) return longer;
		o->opened++;
		if (book_open(arena_printf(o->arena, "%s/%s", o->root, path), &child, NULL)) continue;
		const char *found = way_back(o, child, longer, depth + 1);
		book_free(child);
		if (found) return found;
	}
	return NULL;
}

static void check_child(struct others *o, const struct book_child *c)
{
	struct book *child;
	struct error e;
	const char *path;
	if (open_child(o, c->name, &path, &child, &e)) {
		lint_report_add(o->report, "runbook-missing", c->line, 0, "name an id or a path of this workspace, or leave the cell without one", "%.500s",
		                e.text);
		return;
	}
	const char *way = arena_printf(o->arena, "%s -> %s", o->path, path), *back;
	back = strcmp(path, o->path) == 0 ? way : way_back(o, child, way, 1);
	if (back)
		lint_report_add(o->report, "runbook-cycle", c->line, 0, "take one of these out: a book cannot be its own ancestor",
		                "the book would start itself: %.400s", back);
	if (c->cause) check_params(o, c, child);
	book_free(child);
}

void book_children_lint(const struct book *b, const char *root, const char *path, struct lint_report *report)
{
	struct arena *a = arena_new();
	struct book_children all;
	check_findings(a, b, report);
	book_children_find(a, b, &all);
	struct others o = {.arena = a, .root = root, .report = report, .path = path};
	for (size_t i = 0; i < all.count && root; i++) check_child(&o, &all.list[i]);
	lint_report_sort(report);
	arena_free(a);
}
