#include "policy/book_rights.h"

#include "policy/capability.h"
#include "policy/lua_calls.h"

#include <string.h>

/* The patterns of a list that can be read, with their places. */
struct patterns {
	const struct capability **all; /* NULL where one cannot be read */
	size_t count;
};

struct rights {
	struct arena *arena;
	const struct book *book;
	struct patterns declared, declared_read, *steps; /* steps: the narrowings, one for each step */
};

static struct patterns patterns_of(struct arena *a, size_t count)
{
	return (struct patterns){arena_alloc(a, (count + 1) * sizeof(struct capability *)), count};
}

static const struct capability *parsed(struct arena *a, const char *text, struct error *e)
{
	struct capability *c;
	return capability_parse(a, text, &c, e) ? NULL : c;
}

static void rights_init(struct rights *r, struct arena *a, const struct book *b)
{
	*r = (struct rights){.arena = a, .book = b, .declared = patterns_of(a, b->permission_count), .declared_read = patterns_of(a, b->permission_count)};
	for (size_t i = 0; i < b->permission_count; i++) {
		r->declared.all[i] = parsed(a, b->permissions[i].pattern, NULL);
		if (b->permissions[i].is_read) r->declared_read.all[i] = r->declared.all[i];
	}
	r->steps = arena_alloc(a, (b->step_count + 1) * sizeof *r->steps);
	for (size_t i = 0; i < b->step_count; i++) {
		r->steps[i] = patterns_of(a, b->steps[i].permission_count);
		for (size_t k = 0; k < b->steps[i].permission_count; k++) r->steps[i].all[k] = parsed(a, b->steps[i].permissions[k], NULL);
	}
}

/* ---- calls ---- */

static bool is_covered(const struct patterns *p, const struct capability *c)
{
	return capability_covers(p->all, p->count, c);
}

static const struct capability *one_that_could(const struct patterns *p, const struct capability *seen)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->all[i] && capability_covers(&p->all[i], 1, seen)) return p->all[i];
	for (size_t i = 0; i < p->count; i++)
		if (p->all[i] && capability_could_allow(p->all[i], seen)) return p->all[i];
	return NULL;
}

static void judge(const struct rights *r, struct book_call *c)
{
	size_t step = (size_t)(c->step - r->book->steps);
	const struct patterns *own = &r->steps[step];
	const struct patterns *book = c->role == FENCE_VERIFY || c->role == FENCE_IF ? &r->declared_read : &r->declared;
	const struct capability *seen = parsed(r->arena, c->pattern, NULL), *by = seen ? one_that_could(book, seen) : NULL;
	if (!r->book->has_permissions) return;
	c->right = BOOK_CALL_UNCLEAR;
	c->by = by ? capability_text(by) : NULL;
	if (!seen && !c->is_whole) return;
	bool narrowed = own->count > 0;
	if (seen && c->is_whole && is_covered(book, seen) && (!narrowed || is_covered(own, seen)))
		c->right = BOOK_CALL_DECLARED;
	else if (c->is_whole && !seen)
		c->right = BOOK_CALL_LACKING;
	else if (!by || (narrowed && !one_that_could(own, seen)))
		c->right = BOOK_CALL_LACKING;
}

static void find_in_fence(struct book_calls *all, const struct rights *r, const struct book_step *s, const struct book_fence *f)
{
	struct lua_calls found;
	lua_calls_find(all->arena, f->source, &found);
	for (size_t i = 0; i < found.count; i++) {
		all->calls = arena_grow(all->arena, all->calls, all->count, &all->capacity, sizeof *all->calls);
		struct book_call *c = &all->calls[all->count++];
		*c = (struct book_call){.step = s,
		                        .role = f->role,
		                        .line = f->line + found.calls[i].line - 1,
		                        .pattern = found.calls[i].pattern,
		                        .is_whole = found.calls[i].is_whole};
		judge(r, c);
	}
}

struct book_calls *book_calls_find(const struct book *b)
{
	struct arena *a = arena_new();
	struct book_calls *all = arena_alloc(a, sizeof *all);
	struct rights r;
	*all = (struct book_calls){.arena = a};
	rights_init(&r, a, b);
	for (size_t i = 0; i < b->step_count; i++)
		for (size_t k = 0; k < b->steps[i].fence_count; k++) {
			const struct book_fence *f = &b->steps[i].fences[k];
			if (f->role != FENCE_SHELL && f->role != FENCE_SHOWN) find_in_fence(all, &r, &b->steps[i], f);
		}
	return all;
}

void book_calls_free(struct book_calls *c)
{
	if (c) arena_free(c->arena);
}

const char *book_call_right_word(enum book_call_right r)
{
	static const char *const words[] = {
	    [BOOK_CALL_UNBOUND] = "unbound", [BOOK_CALL_DECLARED] = "declared", [BOOK_CALL_UNCLEAR] = "unclear", [BOOK_CALL_LACKING] = "lacking"};
	must((size_t)r < sizeof words / sizeof words[0]);
	return words[r];
}

json_t *book_calls_json(const struct book_calls *c)
{
	json_t *all = json_array();
	for (size_t i = 0; i < c->count; i++) {
		const struct book_call *call = &c->calls[i];
		json_array_append_new(all, json_pack("{s:s, s:s, s:i, s:o, s:b, s:s, s:o}", "step", call->step->id, "fence", fence_role_word(call->role),
		                                     "line", call->line, "call", json_text(call->pattern), "whole", call->is_whole, "right",
		                                     book_call_right_word(call->right), "by", json_text(call->by)));
	}
	return all;
}

/* ---- lint ---- */

struct naming {
	const struct rights *r;
	struct lint_report *report;
	const struct capability *c;
	int line;
};

static void check_param(const char *name, void *arg)
{
	const struct naming *n = arg;
	if (!book_param_get(n->r->book, name))
		lint_report_add(n->report, "permission-parameter", n->line, 0, "declare it in the Parameters table",
		                "the permission `%s` names the parameter \"%s\", which the book does not have", capability_text(n->c), name);
}

static void check_pattern(const struct rights *r, const char *text, const struct capability *c, int line, struct lint_report *report)
{
	struct error e = {0};
	if (!c) {
		parsed(r->arena, text, &e);
		lint_report_add(report, "permission-unknown", line, 0, "write a pattern as `rung help capabilities` shows; as it stands it allows nothing",
		                "%s", e.text);
		return;
	}
	const char *danger = capability_danger(c);
	if (danger)
		lint_report_add(report, "permission-interpreter", line, 0, "name the command that may run, with its arguments", "`%.200s`: %s", text, danger);
	capability_each_param(c, check_param, &(struct naming){r, report, c, line});
}

/* A pattern that others of its list cover, itself left out; of two that are equal, the later one. */
static bool is_redundant(const struct patterns *p, const bool *is_left_out, size_t i, struct arena *a)
{
	struct patterns others = patterns_of(a, p->count);
	for (size_t k = 0; k < p->count; k++) others.all[k] = k == i || is_left_out[k] ? NULL : p->all[k];
	return p->all[i] && capability_covers(others.all, others.count, p->all[i]);
}

static void check_redundant(const struct rights *r, struct lint_report *report)
{
	const struct book *b = r->book;
	enum { COMPARED_MAX = 300 }; /* every one with every other */
	bool *is_left_out = arena_alloc(r->arena, b->permission_count + 1);
	for (size_t i = b->permission_count; i-- > 0 && b->permission_count <= COMPARED_MAX;) {
		const struct book_permission *p = &b->permissions[i];
		is_left_out[i] = is_redundant(p->is_read ? &r->declared_read : &r->declared, is_left_out, i, r->arena);
		if (is_left_out[i])
			lint_report_add(report, "permission-covered", p->line, 0, "leave it out",
			                "the permission `%.200s` allows nothing that others do not allow", p->pattern);
	}
}

static void check_step(const struct rights *r, size_t step, struct lint_report *report)
{
	const struct book_step *s = &r->book->steps[step];
	for (size_t i = 0; i < s->permission_count; i++) {
		const struct capability *c = r->steps[step].all[i];
		check_pattern(r, s->permissions[i], c, s->line, report);
		if (c && r->book->has_permissions && !is_covered(&r->declared, c))
			lint_report_add(report, "permission-wider", s->line, 0, "declare it in Permissions, or narrow it: a step can only take rights away",
			                "step \"%s\" is to have `%.200s`, which the book's Permissions do not cover", s->id, s->permissions[i]);
	}
}

static const char *whose(const struct book_call *c)
{
	if (c->role == FENCE_VERIFY || c->role == FENCE_IF) return "the book's Permissions under read:";
	return c->step->permission_count ? "the book's Permissions and the step's own" : "the book's Permissions";
}

static void check_calls(const struct book *b, struct lint_report *report)
{
	struct book_calls *all = book_calls_find(b);
	for (size_t i = 0; i < all->count; i++) {
		const struct book_call *c = &all->calls[i];
		if (c->right == BOOK_CALL_LACKING)
			lint_report_add(report, "permission-missing", c->line, 0, "declare it, or leave the call out: it will be denied",
			                "step \"%s\" calls `%.200s`, which %s do not allow", c->step->id, c->pattern, whose(c));
	}
	book_calls_free(all);
}

void book_rights_lint(const struct book *b, struct lint_report *report)
{
	struct arena *a = arena_new();
	struct rights r;
	rights_init(&r, a, b);
	for (size_t i = 0; i < b->permission_count; i++) check_pattern(&r, b->permissions[i].pattern, r.declared.all[i], b->permissions[i].line, report);
	check_redundant(&r, report);
	for (size_t i = 0; i < b->step_count; i++) check_step(&r, i, report);
	check_calls(b, report);
	lint_report_sort(report);
	arena_free(a);
}
