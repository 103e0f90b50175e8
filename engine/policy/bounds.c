#include "policy/bounds.h"
#include "book/book_names.h"

struct patterns {
	struct capability **list; /* NULL for one that cannot be read */
	size_t count;
};

struct bounds {
	const struct book *book;
	struct patterns declared;
	struct patterns causes;   /* the runbooks of its table of root causes: who wrote a row has declared it */
	struct patterns *of_step; /* one for each step */
};

static struct capability *read_pattern(struct arena *a, const char *text)
{
	struct capability *c;
	return capability_parse(a, text, &c, NULL) ? NULL : c;
}

struct bounds *bounds_new(struct arena *a, const struct book *b)
{
	struct bounds *n = arena_alloc(a, sizeof *n);
	n->book = b;
	n->declared.count = b->permission_count;
	n->declared.list = arena_alloc(a, b->permission_count * sizeof *n->declared.list);
	for (size_t i = 0; i < b->permission_count; i++) n->declared.list[i] = read_pattern(a, b->permissions[i].pattern);
	n->causes.list = arena_alloc(a, (b->cause_count + 1) * sizeof *n->causes.list);
	for (size_t i = 0; i < b->cause_count; i++) {
		const char *name = book_cause_runbook(a, b, &b->causes[i]);
		if (name) n->causes.list[n->causes.count++] = read_pattern(a, capability_exact(a, "runbook", &name, 1));
	}
	n->of_step = arena_alloc(a, b->step_count * sizeof *n->of_step);
	for (size_t i = 0; i < b->step_count; i++) {
		const struct book_step *s = &b->steps[i];
		n->of_step[i].count = s->permission_count;
		n->of_step[i].list = arena_alloc(a, s->permission_count * sizeof *n->of_step[i].list);
		for (size_t k = 0; k < s->permission_count; k++) n->of_step[i].list[k] = read_pattern(a, s->permissions[k]);
	}
	return n;
}

bool bounds_declare(const struct bounds *b, bool is_read_only, const char *kind, const char *const *words, size_t count, const json_t *params)
{
	for (size_t i = 0; i < b->declared.count; i++)
		if (b->declared.list[i] && (!is_read_only || b->book->permissions[i].is_read) &&
		    capability_allows(b->declared.list[i], kind, words, count, params))
			return true;
	for (size_t i = 0; !is_read_only && i < b->causes.count; i++)
		if (b->causes.list[i] && capability_allows(b->causes.list[i], kind, words, count, params)) return true;
	return false;
}

/* A step with permissions of its own has no others. */
static bool is_named_by_step(const struct patterns *p, const char *kind, const char *const *words, size_t count, const json_t *params)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->list[i] && capability_allows(p->list[i], kind, words, count, params)) return true;
	return p->count == 0;
}

const char *bounds_refuse(const struct bounds *b, size_t step, bool is_read_only, const char *kind, const char *const *words, size_t count,
                          const json_t *params)
{
	if (b->book->has_permissions && !bounds_declare(b, is_read_only, kind, words, count, params))
		return is_read_only ? "the book's Permissions do not declare it under read:" : "the book's Permissions do not declare it";
	if (!is_named_by_step(&b->of_step[step], kind, words, count, params)) return "the step's permissions do not name it";
	return NULL;
}

bool bounds_name_host(const struct bounds *b, const struct capability_request *r, const json_t *params)
{
	for (size_t i = 0; i < b->declared.count; i++)
		if (b->declared.list[i] && capability_names_host(b->declared.list[i], r, params)) return true;
	return false;
}
