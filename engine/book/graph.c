#include "book/graph.h"

#include <stdint.h>
#include <string.h>

static size_t find(const json_t *ids, const char *id)
{
	const json_t *at = json_object_get(ids, id);
	return at ? (size_t)json_integer_value(at) : SIZE_MAX;
}

static enum err unknown(const struct book *b, const struct book_step *s, const char *attribute, const char *id, struct error *e)
{
	return error_set(e, ERR_INVALID, "%s:%d: step \"%s\" has %s=%s, but no step has that id; `rung show --stage graph` lists the ids", b->path, s->line,
	                 s->id, attribute, id);
}

static enum err link_step(struct graph *g, const json_t *ids, size_t i, struct error *e)
{
	const struct book_step *s = &g->book->steps[i];
	struct graph_node *n = &g->nodes[i];
	n->goto_step = SIZE_MAX;
	if (s->on_failure == ON_FAILURE_GOTO) {
		n->goto_step = find(ids, s->goto_id);
		if (n->goto_step == SIZE_MAX) return unknown(g->book, s, "on_failure=goto", s->goto_id, e);
	}
	size_t count = s->needs_given ? s->needs_count : i > 0;
	n->needs = arena_alloc(g->arena, count * sizeof *n->needs);
	n->need_count = 0;
	if (!s->needs_given && i > 0) n->needs[n->need_count++] = i - 1;
	for (size_t k = 0; k < (s->needs_given ? s->needs_count : 0); k++) {
		size_t need = find(ids, s->needs[k]);
		if (need == SIZE_MAX) return unknown(g->book, s, "needs", s->needs[k], e);
		bool is_new = true;
		for (size_t m = 0; m < n->need_count; m++) is_new = is_new && n->needs[m] != need;
		if (is_new) n->needs[n->need_count++] = need;
	}
	return ERR_OK;
}

/* Names the steps of a cycle, from any of its members: each step that is left waits for another that is left. */
static enum err cycle_error(const struct graph *g, const size_t *waiting, size_t at, size_t *fault, struct error *e)
{
	struct buf path;
	unsigned char *seen = arena_alloc(g->arena, g->count);
	while (!seen[at]) {
		seen[at] = 1;
		for (size_t k = 0; k < g->nodes[at].need_count; k++) {
			if (!waiting[g->nodes[at].needs[k]]) continue;
			at = g->nodes[at].needs[k];
			break;
		}
	}
	buf_init(&path, 600);
	size_t first = at, shown = 0;
	do {
		buf_printf(&path, "%s needs ", g->book->steps[at].id);
		size_t next = at;
		for (size_t k = 0; k < g->nodes[at].need_count && next == at; k++)
			if (waiting[g->nodes[at].needs[k]]) next = g->nodes[at].needs[k];
		if (next == at) break; /* it needs itself */
		at = next;
	} while (at != first && ++shown < 20);
	buf_str(&path, g->book->steps[at].id);
	*fault = first;
	const struct book_step *s = &g->book->steps[first];
	error_set(e, ERR_INVALID, "%s:%d: the steps wait for one another and none can start: %s; take one of these needs away", g->book->path, s->line,
	          path.data ? path.data : s->id);
	buf_clear(&path);
	return ERR_INVALID;
}

/* Takes away, again and again, what waits for nothing; what is left is in a cycle or waits for one. */
static enum err check_cycles(const struct graph *g, size_t *fault, struct error *e)
{
	size_t edges = 0, done = 0, ready_count = 0;
	for (size_t i = 0; i < g->count; i++) edges += g->nodes[i].need_count;
	size_t *waiting = arena_alloc(g->arena, g->count * sizeof *waiting), *from = arena_alloc(g->arena, (g->count + 1) * sizeof *from);
	size_t *to = arena_alloc(g->arena, edges * sizeof *to), *ready = arena_alloc(g->arena, g->count * sizeof *ready),
	       *fill = arena_alloc(g->arena, g->count * sizeof *fill);
	for (size_t i = 0; i < g->count; i++)
		for (size_t k = 0; k < g->nodes[i].need_count; k++) from[g->nodes[i].needs[k] + 1]++;
	for (size_t i = 0; i < g->count; i++) from[i + 1] += from[i];
	for (size_t i = 0; i < g->count; i++) {
		waiting[i] = g->nodes[i].need_count;
		if (!waiting[i]) ready[ready_count++] = i;
		for (size_t k = 0; k < g->nodes[i].need_count; k++) {
			size_t need = g->nodes[i].needs[k];
			to[from[need] + fill[need]++] = i;
		}
	}
	for (; done < ready_count; done++) {
		size_t i = ready[done];
		for (size_t k = from[i]; k < from[i + 1]; k++)
			if (--waiting[to[k]] == 0) ready[ready_count++] = to[k];
	}
	for (size_t i = 0; i < g->count && done < g->count; i++)
		if (waiting[i]) return cycle_error(g, waiting, i, fault, e);
	return ERR_OK;
}

static enum err build(const struct book *b, struct graph **out, size_t *fault, struct error *e)
{
	struct arena *a = arena_new();
	struct graph *g = arena_alloc(a, sizeof *g);
	*g = (struct graph){.arena = a, .book = b, .count = b->step_count};
	g->nodes = arena_alloc(a, g->count * sizeof *g->nodes);
	g->ids = json_object();
	for (size_t i = 0; i < g->count; i++) json_object_set_new(g->ids, b->steps[i].id, json_integer((json_int_t)i));
	enum err err = ERR_OK;
	for (size_t i = 0; i < g->count && !err; i++) {
		err = link_step(g, g->ids, i, e);
		*fault = i;
	}
	if (!err) err = check_cycles(g, fault, e);
	if (err)
		graph_free(g);
	else
		*out = g;
	return err;
}

enum err graph_build(const struct book *b, struct graph **out, struct error *e)
{
	size_t fault;
	return build(b, out, &fault, e);
}

size_t graph_fault(const struct book *b, struct error *why)
{
	struct graph *g;
	size_t fault = SIZE_MAX;
	if (build(b, &g, &fault, why) != ERR_OK) return fault;
	graph_free(g);
	return SIZE_MAX;
}

void graph_free(struct graph *g)
{
	if (!g) return;
	json_decref(g->ids);
	arena_free(g->arena);
}

size_t graph_find(const struct graph *g, const char *id)
{
	return find(g->ids, id);
}

static json_t *edge(const struct graph *g, size_t from, size_t to, const char *kind)
{
	return json_pack("{s:s, s:s, s:s}", "from", g->book->steps[from].id, "to", g->book->steps[to].id, "kind", kind);
}

static json_t *step_json(const struct graph *g, size_t i)
{
	const struct book_step *s = &g->book->steps[i];
	json_t *o = json_pack("{s:s, s:s, s:i, s:s, s:b, s:s, s:I}", "id", s->id, "title", s->title, "line", s->line, "phase", phase_word(s->phase), "manual",
	                      s->is_manual, "risk", risk_word(s->risk), "timeout_us", (json_int_t)s->timeout_us);
	json_t *needs = json_array();
	for (size_t k = 0; k < g->nodes[i].need_count; k++) json_array_append_new(needs, json_string(g->book->steps[g->nodes[i].needs[k]].id));
	json_object_set_new(o, "needs", needs);
	json_object_set_new(o, "effect", json_string(effect_word(s->effect == EFFECT_UNSET ? EFFECT_ONCE : s->effect)));
	json_object_set_new(o, "if", s->if_source ? json_string(s->if_source) : json_null());
	json_object_set_new(o, "each", s->each_source ? json_string(s->each_source) : json_null());
	json_object_set_new(o, "on_failure", json_string(on_failure_word(s->on_failure)));
	json_object_set_new(o, "retry", json_integer(s->retry));
	json_object_set_new(o, "approve", json_integer(s->approve));
	json_object_set_new(o, "verify", json_boolean(step_fence(s, FENCE_VERIFY) != NULL));
	json_object_set_new(o, "undo", json_boolean(step_fence(s, FENCE_UNDO) != NULL));
	return o;
}

json_t *graph_json(const struct graph *g)
{
	json_t *steps = json_array(), *edges = json_array();
	for (size_t i = 0; i < g->count; i++) {
		json_array_append_new(steps, step_json(g, i));
		for (size_t k = 0; k < g->nodes[i].need_count; k++) json_array_append_new(edges, edge(g, g->nodes[i].needs[k], i, "needs"));
		if (g->nodes[i].goto_step != SIZE_MAX) json_array_append_new(edges, edge(g, i, g->nodes[i].goto_step, "goto"));
	}
	return json_pack("{s:s, s:s, s:o, s:o}", "book", g->book->path, "title", g->book->title, "steps", steps, "edges", edges);
}
