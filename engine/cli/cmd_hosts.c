#include "base/buf.h"
#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/inventory_use.h"
#include "cli/lines.h"
#include "cli/print.h"
#include "policy/inventory_query.h"

#include <stdio.h>
#include <string.h>

/* The hosts of the inventory, all or those of a query. */

enum { COLUMNS = 5, CELL_COLUMNS_MAX = 40 };

struct row {
	const char *cell[COLUMNS]; /* name, address, how it is reached, where it comes from, groups */
	const char *labels;
};

static const char *reached(struct arena *a, const struct inventory_host *h)
{
	const char *login = h->login ? h->login : "-", *keys = h->host_key_count ? "" : ", no key";
	return h->jump ? arena_printf(a, "%s via %s%s", login, h->jump, keys) : arena_printf(a, "%s%s", login, keys);
}

static const char *source(struct arena *a, const struct inventory_host *h)
{
	if (h->is_in_file && h->is_from_command) return arena_printf(a, "line %d + command", h->line);
	return h->is_in_file ? arena_printf(a, "line %d", h->line) : h->is_from_command ? "command" : "not in it";
}

static const char *joined_groups(struct arena *a, const struct inventory_host *h)
{
	const char *all = "";
	for (size_t i = 0; i < h->group_count; i++) all = arena_printf(a, "%s%s%s", all, i ? "," : "", h->groups[i]);
	return *all ? all : "-";
}

static const char *joined_labels(struct arena *a, const struct inventory_host *h)
{
	const char *all = "";
	for (size_t i = 0; i < h->label_count; i++) {
		const char *quote = strpbrk(h->labels[i].value, " ()|,=!\"'") ? "\"" : "";
		all = arena_printf(a, "%s%s%s=%s%s%s", all, i ? " " : "", h->labels[i].key, quote, h->labels[i].value, quote);
	}
	return all;
}

static struct row row_of(struct arena *a, const struct inventory_host *h)
{
	bool is_plain = h->port == INVENTORY_PORT;
	const char *address = is_plain ? h->address : arena_printf(a, strchr(h->address, ':') ? "[%s]:%d" : "%s:%d", h->address, h->port);
	return (struct row){{h->name, address, reached(a, h), source(a, h), joined_groups(a, h)}, joined_labels(a, h)};
}

static void print_rows(struct arena *a, const struct row *rows, size_t count)
{
	size_t width[COLUMNS] = {0};
	for (size_t i = 0; i < count; i++)
		for (int k = 0; k < COLUMNS; k++) {
			size_t n = strlen(rows[i].cell[k]);
			if (n > width[k] && n <= CELL_COLUMNS_MAX) width[k] = n;
		}
	for (size_t i = 0; i < count; i++) {
		for (int k = 0; k < COLUMNS; k++) printf("%s%-*s", k ? "  " : "", (int)width[k], line_exact(a, rows[i].cell[k]));
		printf("%s%s\n", *rows[i].labels ? "  " : "", line_exact(a, rows[i].labels));
	}
}

static int tell(struct arena *a, const struct inventory_host *const *hosts, size_t count, const struct invocation *in)
{
	if (given(in, "json")) {
		json_t *list = json_array();
		for (size_t i = 0; i < count; i++) json_array_append_new(list, inventory_host_json(hosts[i]));
		print_json(list);
		json_decref(list);
		return 0;
	}
	if (given(in, "names")) {
		for (size_t i = 0; i < count; i++) printf("%s\n", hosts[i]->name);
		return 0;
	}
	struct row *rows = arena_alloc(a, count * sizeof *rows);
	for (size_t i = 0; i < count; i++) rows[i] = row_of(a, hosts[i]);
	print_rows(a, rows, count);
	fflush(stdout);
	message("%zu host%s", count, count == 1 ? "" : "s");
	return 0;
}

/* The words of the command line are one query. */
static const char *query_of(struct arena *a, const struct invocation *in)
{
	const char *query = in->args[0];
	for (size_t i = 1; i < in->arg_count; i++) query = arena_printf(a, "%s %s", query, in->args[i]);
	return query;
}

/* As many as there are: no step has to hold them. */
static enum err select_hosts(struct arena *a, const struct inventory *inv, const char *query, struct inventory_selection *out, struct error *e)
{
	struct inventory_query *q;
	enum err err = inventory_query_parse(a, query, &q, e);
	return err ? error_context(e, "hosts \"%.200s\"", query) : inventory_select(a, inv, q, out, e);
}

static const char *star_hint(const char *query)
{
	return strchr(query, '*') ? " (a star crosses no dot)" : "";
}

static int list(struct arena *a, const struct inventory *inv, const struct invocation *in, struct error *e)
{
	struct inventory_selection s = {0};
	const struct inventory_host **hosts;
	bool is_all = in->arg_count == 0;
	if (!is_all && select_hosts(a, inv, query_of(a, in), &s, e)) return fail(e, given(in, "json"));
	size_t count = is_all ? inv->host_count : s.count;
	hosts = arena_alloc(a, count * sizeof *hosts);
	for (size_t i = 0; i < count; i++)
		if (is_all)
			hosts[i] = &inv->hosts[i];
		else
			must(inventory_reach(a, inv, s.names[i], &hosts[i], NULL) == ERR_OK);
	if (is_all && !inv->file) {
		error_set(e, ERR_NOT_FOUND, "there is no .rung/inventory.yaml here: `rung help inventory` shows how to write one");
		return fail(e, given(in, "json"));
	}
	if (count == 0 && !is_all) {
		error_set(e, ERR_FAILED, "no host matches \"%.200s\"%s", query_of(a, in), star_hint(query_of(a, in)));
		return fail(e, given(in, "json"));
	}
	return tell(a, hosts, count, in);
}

static int run(const struct invocation *in)
{
	struct arena *a = arena_new();
	struct workspace w;
	const struct inventory *inv;
	struct error e = {0};
	int status;
	if (workspace_find(a, given_value(in, "state"), &w, &e) || inventory_use_whole(a, &w, &inv, &e))
		status = fail(&e, given(in, "json"));
	else
		status = list(a, inv, in, &e);
	arena_free(a);
	return status;
}

static const struct option options[] = {{"names", NULL, false, "their names alone, one a line"}, OPTION_STATE, {NULL, NULL, false, NULL}};

const struct command command_hosts = {
    .name = "hosts",
    .arguments = "[QUERY]",
    .most = 64,
    .options = options,
    .help = "the hosts of the inventory, all or those that a query names",
    .longer = "A QUERY is what a parameter of type hosts takes: rung hosts role=web and not zone=b. `rung help inventory` has all of it.\n"
              "Each line: name, address, login (via its jump host), where it comes from, groups, labels.\n"
              "Exit status 1 where nothing matches, 3 where the inventory or the query is wrong.",
    .run = run,
};
