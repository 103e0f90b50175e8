#ifndef RUNG_BOOK_GRAPH_H
#define RUNG_BOOK_GRAPH_H

#include "book/book.h"

/* The steps of a book and the edges between them: what flow/ runs. Index i is the book's step i. */
struct graph_node {
	size_t *needs; /* indexes of the steps that must be over before this one */
	size_t need_count;
	size_t goto_step; /* on_failure goto: its index; SIZE_MAX where there is none */
};

struct graph {
	struct arena *arena;
	const struct book *book; /* borrowed: must outlive the graph */
	struct graph_node *nodes;
	json_t *ids; /* id to index */
	size_t count;
};

/* Resolves needs (a step with no `needs` needs the step before it) and goto. ERR_INVALID for an unknown id or a cycle, with the step's line: the only
 * two things about a book that cannot run; lint reports both with how to mend them. */
enum err graph_build(const struct book *b, struct graph **out, struct error *e);
/* The same check for lint: the first step at fault, or SIZE_MAX where the graph is sound, with the reason in why. */
size_t graph_fault(const struct book *b, struct error *why);

void graph_free(struct graph *g); /* NULL is fine */

/* The step with that id, or SIZE_MAX. */
size_t graph_find(const struct graph *g, const char *id);

/* `rung show --stage graph`: {"book":…, "steps":[{id,title,line,phase,manual,needs,risk,effect,timeout_us,…}], "edges":[{from,to,kind}]}. New reference. */
json_t *graph_json(const struct graph *g);

#endif
