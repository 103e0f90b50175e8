#include "base/clock.h"
#include "book/graph.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/screen_graph.h"
#include "cli/workspace.h"

#include <stdio.h>
#include <unistd.h>

static int draw(struct arena *a, const struct graph *g, bool json)
{
	json_t *v = graph_json(g);
	struct style style = style_of(STDOUT_FILENO);
	struct lines out;
	struct screen s = {
	    .columns = style.is_terminal ? style.columns : 120, .rows = style.rows, .color = style.color, .unicode = style.unicode, .now_us = clock_now_us()};
	lines_init(&out, a);
	if (json)
		print_json(v);
	else
		screen_graph(&out, v, &s);
	for (size_t i = 0; i < out.count; i++) printf("%s\n", out.line[i]);
	json_decref(v);
	return 0;
}

static int run(const struct invocation *in)
{
	struct arena *a = arena_new();
	struct workspace w;
	struct error e = {0};
	struct book *b = NULL;
	struct graph *g = NULL;
	const char *path;
	bool json = given(in, "json"),
	     failed = workspace_find(a, NULL, &w, &e) || workspace_book(a, &w, in->args[0], &path, &e) || book_open(path, &b, &e) || graph_build(b, &g, &e);
	int status = failed ? fail(&e, json) : draw(a, g, json);
	graph_free(g);
	book_free(b);
	arena_free(a);
	return status;
}

const struct command command_graph = {
    .name = "graph",
    .arguments = "BOOK",
    .least = 1,
    .most = 1,
    .help = "draws the steps of a book and what needs what",
    .longer = "A full dot is a step that runs by itself, a ring one that a person does.",
    .run = run,
};
