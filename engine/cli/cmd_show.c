#include "base/clock.h"
#include "base/text.h"
#include "book/book.h"
#include "book/document.h"
#include "book/graph.h"
#include "book/render.h"
#include "cli/commands.h"
#include "cli/inventory_use.h"
#include "cli/lines.h"
#include "cli/print.h"
#include "cli/screen_parts.h"
#include "cli/workspace.h"
#include "policy/book_hosts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct shown {
	const struct book *book;
	const struct workspace *workspace;
};

static enum err document_stage(const struct shown *s, json_t **out, struct error *e)
{
	(void)e;
	*out = document_json(s->book->document);
	return ERR_OK;
}

static enum err book_stage(const struct shown *s, json_t **out, struct error *e)
{
	(void)e;
	*out = book_json(s->book);
	return ERR_OK;
}

static enum err graph_stage(const struct shown *s, json_t **out, struct error *e)
{
	struct graph *g;
	enum err err = graph_build(s->book, &g, e);
	if (err) return err;
	*out = graph_json(g);
	graph_free(g);
	return ERR_OK;
}

/* The hosts that the defaults stand for, as the inventory is now. */
static enum err bind_hosts(const struct shown *s, json_t *params, json_t *asked, struct error *e)
{
	if (!book_has_hosts(s->book)) return ERR_OK;
	struct arena *a = arena_new();
	const struct inventory *inv;
	struct workspace w = {.root = inventory_use_root_of(a, s->book->path), .state_dir = s->workspace->state_dir};
	enum err err = inventory_use_whole(a, &w, &inv, e);
	if (!err) err = book_hosts_bind(s->book, inv, params, asked, e);
	arena_free(a);
	return err;
}

static json_t *default_params(const struct book *b)
{
	json_t *params = json_object();
	for (size_t i = 0; i < b->param_count; i++) {
		const struct book_param *p = &b->params[i];
		json_object_set_new(params, p->name, p->type == PARAM_SECRET || !p->default_text ? json_null() : json_string(p->default_text));
	}
	return params;
}

/* What an execution would be bound to, with the defaults of its parameters. */
static enum err plan_stage(const struct shown *s, json_t **out, struct error *e)
{
	const struct book *b = s->book;
	struct graph *g;
	json_t *params = default_params(b), *asked = json_object(), *permissions = json_array();
	enum err err = graph_build(b, &g, e);
	for (size_t i = 0; i < b->permission_count; i++)
		json_array_append_new(permissions, json_pack("{s:s,s:b}", "pattern", b->permissions[i].pattern, "read", b->permissions[i].is_read));
	bool has_graph = !err;
	if (!err) err = bind_hosts(s, params, asked, e);
	if (!err)
		*out = json_pack("{s:s,s:s?,s:s,s:O,s:O,s:O,s:o}", "book", b->path, "anchor", b->anchor, "digest", b->digest, "params", params, "queries",
		                 asked, "permissions", permissions, "graph", graph_json(g));
	if (has_graph) graph_free(g);
	json_decref(params);
	json_decref(asked);
	json_decref(permissions);
	return err;
}

static const struct stage {
	const char *name;
	enum err (*make)(const struct shown *s, json_t **out, struct error *e);
} stages[] = {{"document", document_stage}, {"book", book_stage}, {"graph", graph_stage}, {"plan", plan_stage}};

static int show_stage(const struct shown *s, const char *name, struct error *e)
{
	const char *names[8] = {0};
	for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
		json_t *v;
		names[i] = stages[i].name;
		if (strcmp(stages[i].name, name) != 0) continue;
		if (stages[i].make(s, &v, e)) return fail(e, false);
		print_json(v);
		json_decref(v);
		return 0;
	}
	const char *near = text_nearest(name, names);
	error_set(e, ERR_USAGE, "--stage %s: document, book, graph or plan was expected%s%s%s", name, near ? "; did you mean " : "", near ? near : "",
	          near ? "?" : "");
	return fail(e, false);
}

static void print_meta(struct arena *a, const struct book *b)
{
	for (size_t i = 0; i < b->meta_count; i++) printf("  %-20s %s\n", line_safe(a, b->meta[i].key), line_safe(a, b->meta[i].value));
	if (b->meta_count) printf("\n");
}

static void print_params(struct arena *a, const struct book *b)
{
	if (b->param_count) printf("Parameters\n");
	for (size_t i = 0; i < b->param_count; i++) {
		const struct book_param *p = &b->params[i];
		const char *value = p->is_input      ? "input of its commands"
		                    : p->is_required ? "required"
		                                     : arena_printf(a, "default %s", p->default_text && *p->default_text ? p->default_text : "\"\"");
		printf("  %-16s %-9s %s%s%s\n", line_safe(a, p->name), param_type_word(p->type), line_safe(a, value), p->description ? "  " : "",
		       p->description ? line_safe(a, p->description) : "");
	}
	if (b->param_count) printf("\n");
}

static void print_rights(struct arena *a, const struct book *b)
{
	if (b->has_permissions) printf("Rights that it asks for\n");
	for (size_t i = 0; i < b->permission_count; i++)
		printf("  %-8s %s\n", b->permissions[i].is_read ? "reads" : "changes", line_exact(a, b->permissions[i].pattern));
	if (b->has_permissions) printf("%s\n", b->permission_count ? "" : "  none\n");
}

static void print_step(struct arena *a, const struct book *b, size_t i, const struct style *style)
{
	const struct book_step *s = &b->steps[i];
	struct buf text;
	struct lines lines;
	const char *bold = style->color ? "\033[1m" : "", *plain = style->color ? "\033[0m" : "";
	printf("%s%zu. %s%s\n   %s, %s, line %d\n", bold, i + 1, line_safe(a, s->title), plain, line_safe(a, s->id),
	       s->is_manual ? "by hand" : risk_word(s->risk), s->line);
	buf_init(&text, 4 << 20);
	render_markdown(&text, s->markdown ? s->markdown : "",
	                &(struct render_options){.columns = style->columns - 4, .color = style->color, .unicode = style->unicode});
	lines_init(&lines, a);
	lines_split(&lines, text.data ? arena_strdup(a, text.data) : "");
	while (lines.count && !*lines.line[lines.count - 1]) lines.count--;
	size_t from = screen_title_lines(&lines, s->title);
	if (from < lines.count && from) printf("\n");
	for (size_t k = from; k < lines.count; k++) printf("%s%s\n", *lines.line[k] ? "   " : "", lines.line[k]);
	printf("\n");
	buf_clear(&text);
}

static int show_page(struct arena *a, const struct book *b)
{
	struct style style = style_of(STDOUT_FILENO);
	if (style.columns > 110) style.columns = 110;
	printf("%s%s%s\n", style.color ? "\033[1m" : "", line_safe(a, b->title ? b->title : b->path), style.color ? "\033[0m" : "");
	if (b->description) printf("%s\n", line_safe(a, b->description));
	printf("%s%s%s, %zu step%s\n\n", b->id ? line_safe(a, b->id) : "", b->id ? ", " : "", b->kind == BOOK_PLAYBOOK ? "playbook" : "runbook", b->step_count,
	       b->step_count == 1 ? "" : "s");
	print_meta(a, b);
	print_params(a, b);
	print_rights(a, b);
	for (size_t i = 0; i < b->step_count; i++) print_step(a, b, i, &style);
	return 0;
}

static int run(const struct invocation *in)
{
	struct arena *a = arena_new();
	struct workspace w;
	struct error e = {0};
	struct book *b = NULL;
	const char *path, *stage = given_value(in, "stage");
	bool json = given(in, "json");
	int status;
	if (workspace_find(a, NULL, &w, &e) || workspace_book(a, &w, in->args[0], &path, &e) || book_open(path, &b, &e))
		status = fail(&e, json);
	else if (stage || json)
		status = show_stage(&(struct shown){b, &w}, stage ? stage : "book", &e);
	else
		status = show_page(a, b);
	book_free(b);
	arena_free(a);
	return status;
}

static const struct option options[] = {{"stage", "STAGE", false, "as JSON, at a stage of its way: document, book, graph or plan"}, {NULL, NULL, false, NULL}};

const struct command command_show = {.name = "show",
                                     .arguments = "BOOK",
                                     .least = 1,
                                     .most = 1,
                                     .options = options,
                                     .help = "a book as rung reads it; needs no engine and no state",
                                     .run = run};
