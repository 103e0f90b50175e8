#include "policy/book_hosts.h"
#include "policy/inventory_query.h"
#include "policy/lua_calls.h"

#include <string.h>

bool book_has_hosts(const struct book *b)
{
	for (size_t i = 0; i < b->param_count; i++)
		if (b->params[i].type == PARAM_HOST || b->params[i].type == PARAM_HOSTS) return true;
	return false;
}

static enum err one_host(struct arena *a, const struct inventory *inv, const json_t *value, json_t **out, struct error *e)
{
	const char *name;
	enum err err =
	    json_is_string(value) ? inventory_one(a, inv, json_string_value(value), &name, e) : error_set(e, ERR_INVALID, "the name of a host was expected");
	if (!err) *out = json_string(name);
	return err;
}

/* Names as they stand, none twice. */
static enum err listed(struct arena *a, const struct inventory *inv, const json_t *value, json_t *list, struct error *e)
{
	json_t *v, *taken = json_object();
	size_t i, bytes = 0;
	enum err err = ERR_OK;
	json_array_foreach((json_t *)value, i, v)
	{
		const char *name;
		if (!err && !json_is_string(v)) err = error_set(e, ERR_INVALID, "a list of the names of hosts was expected");
		if (!err) err = inventory_one(a, inv, json_string_value(v), &name, e);
		if (err || json_object_get(taken, name)) continue;
		bytes += strlen(name) + 3;
		if (bytes > INVENTORY_SELECTED_BYTES_MAX)
			err = error_set(e, ERR_TOO_BIG, "a list has at most %d KiB of names", INVENTORY_SELECTED_BYTES_MAX >> 10);
		json_object_set_new(taken, name, json_true());
		json_array_append_new(list, json_string(name));
	}
	json_decref(taken);
	return err;
}

static enum err queried(struct arena *a, const struct inventory *inv, const char *query, json_t *list, struct error *e)
{
	struct inventory_selection s;
	enum err err = inventory_query(a, inv, query, &s, e);
	for (size_t i = 0; !err && i < s.count; i++) json_array_append_new(list, json_string(s.names[i]));
	return err;
}

static enum err many_hosts(struct arena *a, const struct inventory *inv, const json_t *value, json_t **out, struct error *e)
{
	json_t *list = json_array();
	enum err err = json_is_string(value) ? queried(a, inv, json_string_value(value), list, e) : listed(a, inv, value, list, e);
	if (!err && json_array_size(list) == 0)
		err = json_is_string(value) ? error_set(e, ERR_INVALID, "no host matches \"%.200s\" (rung hosts shows what there is)", json_string_value(value))
		                            : error_set(e, ERR_INVALID, "the list of hosts is empty");
	if (err)
		json_decref(list);
	else
		*out = list;
	return err;
}

enum err book_hosts_bind(const struct book *b, const struct inventory *inv, json_t *params, json_t *asked, struct error *e)
{
	struct arena *a = arena_new();
	json_t *found = json_object();
	enum err err = ERR_OK;
	for (size_t i = 0; i < b->param_count && !err; i++) {
		const struct book_param *p = &b->params[i];
		json_t *value = json_object_get(params, p->name), *is = NULL;
		if (!value || json_is_null(value) || (p->type != PARAM_HOST && p->type != PARAM_HOSTS)) continue;
		err = p->type == PARAM_HOST ? one_host(a, inv, value, &is, e) : many_hosts(a, inv, value, &is, e);
		if (err) error_context(e, "%s: parameter %s", b->path, p->name);
		if (!err) json_object_set_new(found, p->name, is);
	}
	const char *name;
	json_t *v;
	json_object_foreach(found, name, v)
	{
		if (err) break;
		json_t *was = json_object_get(params, name);
		if (json_is_array(v) && json_is_string(was)) json_object_set(asked, name, was);
		json_object_set(params, name, v);
	}
	json_decref(found);
	arena_free(a);
	return err;
}

struct linting {
	struct arena *arena;
	const struct inventory *inventory; /* NULL: it is wrong; not whole: what is there cannot be known */
	struct lint_report *report;
};

static void unknown(const struct linting *l, int line, const char *what, const char *why)
{
	lint_report_add(l->report, "unknown-hosts", line, 0, "name what is in .rung/inventory.yaml (`rung hosts` shows it), or add it there", "%s: %s", what,
	                why);
}

static void lint_query(const struct linting *l, const char *rule, int line, const char *what, const char *query, bool may_be_empty)
{
	struct inventory_query *q;
	struct inventory_selection s;
	struct error e;
	if (inventory_query_parse(l->arena, query, &q, &e)) {
		lint_report_add(l->report, rule, line, 0, "write a query as `rung help inventory` shows, or names with commas between them",
		                "%s is no query of hosts: %s", what, e.text);
		return;
	}
	if (!l->inventory || !l->inventory->is_whole) return;
	if (inventory_select(l->arena, l->inventory, q, &s, &e))
		unknown(l, line, what, e.text);
	else if (s.count == 0 && !may_be_empty)
		unknown(l, line, what, arena_printf(l->arena, "no host matches \"%.200s\"", query));
}

static void lint_host(const struct linting *l, int line, const char *what, const char *host)
{
	const char *name;
	struct error e;
	if (!l->inventory || !l->inventory->is_whole) return;
	if (inventory_one(l->arena, l->inventory, host, &name, &e)) unknown(l, line, what, e.text);
}

static void lint_params(const struct linting *l, const struct book *b)
{
	for (size_t i = 0; i < b->param_count; i++) {
		const struct book_param *p = &b->params[i];
		if (!p->default_text || !*p->default_text) continue;
		const char *what = arena_printf(l->arena, "the default of parameter %s", p->name);
		if (p->type == PARAM_HOSTS) lint_query(l, "parameter-default", p->line, what, p->default_text, false);
		if (p->type == PARAM_HOST) lint_host(l, p->line, what, p->default_text);
	}
}

/* `ssh NAME -- ...`: where the host is written out. */
static void lint_ssh(const struct linting *l, int line, const char *pattern)
{
	if (strncmp(pattern, "ssh ", 4) != 0) return;
	size_t n = strcspn(pattern + 4, " ");
	const char *host = arena_strndup(l->arena, pattern + 4, n);
	if (!strpbrk(host, "*{}|'\"\\@")) lint_host(l, line, "ssh", host);
}

static void lint_fence(const struct linting *l, const struct book_fence *f)
{
	struct lua_calls found;
	lua_calls_find(l->arena, f->source, &found);
	for (size_t i = 0; i < found.count; i++) lint_ssh(l, f->line + found.calls[i].line - 1, found.calls[i].pattern);
	for (size_t i = 0; i < found.query_count; i++) {
		const struct lua_query *q = &found.queries[i];
		lint_query(l, "hosts-query", f->line + q->line - 1, arena_printf(l->arena, "hosts(\"%.200s\")", q->text), q->text, q->has_options);
	}
}

void book_hosts_lint(const struct book *b, const struct inventory *inv, struct lint_report *report)
{
	struct linting l = {arena_new(), inv, report};
	lint_params(&l, b);
	for (size_t i = 0; i < b->step_count; i++)
		for (size_t k = 0; k < b->steps[i].fence_count; k++) {
			const struct book_fence *f = &b->steps[i].fences[k];
			if (f->role != FENCE_SHELL && f->role != FENCE_SHOWN) lint_fence(&l, f);
		}
	lint_report_sort(report);
	arena_free(l.arena);
}
