#include "policy/book_hosts.h"
#include "policy/inventory_query.h"

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

static void lint_query(struct arena *a, const struct book_param *p, const struct inventory *inv, struct lint_report *report)
{
	struct inventory_query *q;
	struct inventory_selection s;
	struct error e;
	if (inventory_query_parse(a, p->default_text, &q, &e)) {
		lint_report_add(report, "parameter-default", p->line, 0, "write a query as `rung help inventory` shows, or names with commas between them",
		                "the default of parameter %s is no query of hosts: %s", p->name, e.text);
		return;
	}
	if (!inv || !inv->is_whole) return;
	if (inventory_select(a, inv, q, &s, &e))
		lint_report_add(report, "unknown-hosts", p->line, 0, "name what is in .rung/inventory.yaml (`rung hosts` shows it), or add it there",
		                "the default of parameter %s: %s", p->name, e.text);
	else if (s.count == 0)
		lint_report_add(report, "unknown-hosts", p->line, 0, "name what is in .rung/inventory.yaml (`rung hosts` shows it), or add it there",
		                "no host matches the default of parameter %s, \"%.200s\"", p->name, p->default_text);
}

static void lint_host(struct arena *a, const struct book_param *p, const struct inventory *inv, struct lint_report *report)
{
	const char *name;
	struct error e;
	if (!inv || !inv->is_whole || inventory_one(a, inv, p->default_text, &name, &e) == ERR_OK) return;
	lint_report_add(report, "unknown-hosts", p->line, 0, "name what is in .rung/inventory.yaml (`rung hosts` shows it), or add it there",
	                "the default of parameter %s: %s", p->name, e.text);
}

void book_hosts_lint(const struct book *b, const struct inventory *inv, struct lint_report *report)
{
	struct arena *a = arena_new();
	for (size_t i = 0; i < b->param_count; i++) {
		const struct book_param *p = &b->params[i];
		if (!p->default_text || !*p->default_text) continue;
		if (p->type == PARAM_HOSTS) lint_query(a, p, inv, report);
		if (p->type == PARAM_HOST) lint_host(a, p, inv, report);
	}
	lint_report_sort(report);
	arena_free(a);
}
