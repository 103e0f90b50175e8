#ifndef RUNG_CLI_SCREEN_GRAPH_H
#define RUNG_CLI_SCREEN_GRAPH_H

#include "cli/screen.h"

/* Draws the graph of a book (graph_json of book/graph.h): a step a row in the book's order, edges as lanes to the left of it, as version control draws its
 * history; sections as headings; what a failure or a condition does beside the step. */
void screen_graph(struct lines *out, const json_t *graph, const struct screen *s);

#endif
