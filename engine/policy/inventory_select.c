#include "base/text.h"
#include "policy/inventory_query_parts.h"
#include "policy/name_index.h"
#include "policy/star.h"

#include <stdlib.h>
#include <string.h>

/* A query's hosts. First each of its words is looked up, so that one that is misspelled is an error and not an empty fleet; then each host is asked. */

struct selecting {
	struct arena *arena;
	const struct inventory *inv;
	struct name_index *taken;
	size_t capacity;
	struct inventory_selection *out;
	struct error *e;
};

/* ---- what is there ---- */

static bool has_star(const char *s)
{
	return strchr(s, '*') != NULL;
}

static bool is_group(const struct inventory *inv, const char *name)
{
	if (strcmp(name, "all") == 0) return true;
	for (size_t low = 0, high = inv->group_count; low < high;) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, inv->groups[middle]);
		if (order == 0) return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

static bool has_label(const struct inventory *inv, const char *key)
{
	for (size_t i = 0; i < inv->host_count; i++)
		if (inventory_label(&inv->hosts[i], key)) return true;
	return false;
}

static bool is_empty(const struct inventory *inv)
{
	return inv->host_count == 0 && inv->group_count == 0 && !inv->file;
}

/* ---- what is not there ---- */

/* at 0: it stands in no query. */
static enum err unknown(const struct selecting *s, size_t at, const char *what, const char *name, const char *const *known)
{
	const char *near = text_nearest(name, known), *place = at ? arena_printf(s->arena, "character %zu: ", at) : "";
	if (is_empty(s->inv))
		return error_set(s->e, ERR_INVALID,
		                 "%s\"%.80s\" is looked up in the inventory, and there is none: write .rung/inventory.yaml (rung help inventory)", place, name);
	return near ? error_set(s->e, ERR_INVALID, "%s%s \"%.80s\": did you mean \"%s\"?", place, what, name, near)
	            : error_set(s->e, ERR_INVALID, "%s%s \"%.80s\" in %s", place, what, name, s->inv->file);
}

static enum err unknown_host(const struct selecting *s, size_t at, const char *name, bool or_group)
{
	const struct inventory *inv = s->inv;
	const char **known = arena_alloc(s->arena, (inv->host_count + inv->group_count + 1) * sizeof *known);
	size_t n = 0;
	for (size_t i = 0; i < inv->host_count; i++) known[n++] = inv->hosts[i].name;
	for (size_t i = 0; i < inv->group_count && or_group; i++) known[n++] = inv->groups[i];
	return unknown(s, at, or_group ? "there is no host or group" : "there is no host", name, known);
}

static enum err unknown_group(const struct selecting *s, size_t at, const char *name)
{
	const char **known = arena_alloc(s->arena, (s->inv->group_count + 1) * sizeof *known);
	for (size_t i = 0; i < s->inv->group_count; i++) known[i] = s->inv->groups[i];
	return unknown(s, at, "there is no group", name, known);
}

static enum err unknown_label(const struct selecting *s, size_t at, const char *key)
{
	enum { KEYS_SHOWN = 256 };
	const char *known[KEYS_SHOWN + 1] = {NULL};
	size_t n = 0;
	for (size_t i = 0; i < s->inv->host_count; i++)
		for (size_t k = 0; k < s->inv->hosts[i].label_count; k++) {
			bool is_new = n < KEYS_SHOWN;
			for (size_t o = 0; o < n && is_new; o++) is_new = strcmp(known[o], s->inv->hosts[i].labels[k].key) != 0;
			if (is_new) known[n++] = s->inv->hosts[i].labels[k].key;
		}
	return unknown(s, at, "no host has a label", key, known);
}

/* ---- looked up ---- */

/* Is each of them there, but for those with a star? */
static enum err check_names(const struct selecting *s, const struct node *n)
{
	for (size_t i = 0; i < n->value_count; i++)
		if (!has_star(n->values[i]) && name_index_find(s->inv->index, n->values[i]) == SIZE_MAX) return unknown_host(s, n->at, n->values[i], false);
	return ERR_OK;
}

static enum err check_word(const struct selecting *s, const struct node *n)
{
	bool is_there = has_star(n->word) || is_group(s->inv, n->word) || (n->name && name_index_find(s->inv->index, n->name) != SIZE_MAX);
	return is_there ? ERR_OK : unknown_host(s, n->at, n->word, true);
}

static enum err check(const struct selecting *s, const struct node *n)
{
	enum err err = ERR_OK;
	switch (n->kind) {
	case NODE_AND:
	case NODE_OR:
	case NODE_NOT:
		err = check(s, n->left);
		return err || n->kind == NODE_NOT ? err : check(s, n->right);
	case NODE_LABEL:
		return has_label(s->inv, n->key) ? ERR_OK : unknown_label(s, n->at, n->key);
	case NODE_NAME:
	case NODE_RANGE:
		return check_names(s, n);
	case NODE_GROUP:
		for (size_t i = 0; i < n->value_count && !err; i++)
			if (!has_star(n->values[i]) && !is_group(s->inv, n->values[i])) err = unknown_group(s, n->at, n->values[i]);
		return err;
	case NODE_WORD:
		return check_word(s, n);
	}
	return err;
}

/* ---- asked ---- */

static bool is_like(const char *glob, const char *text, char fence)
{
	return star_matches(glob, strlen(glob), text, strlen(text), fence);
}

/* A star alone is every host; else it crosses no dot, as in a capability. */
static bool name_is(const struct inventory_host *h, const char *name)
{
	if (strcmp(name, "*") == 0) return true;
	return has_star(name) ? is_like(name, h->name, '.') : strcmp(name, h->name) == 0;
}

static bool group_is(const struct inventory_host *h, const char *word)
{
	if (!has_star(word)) return inventory_is_in(h, word);
	for (size_t i = 0; i < h->group_count; i++)
		if (is_like(word, h->groups[i], 0)) return true;
	return false;
}

static bool value_is(const struct node *n, const struct inventory_host *h)
{
	const char *label = n->kind == NODE_LABEL ? inventory_label(h, n->key) : NULL;
	for (size_t i = 0; i < n->value_count; i++) {
		const char *value = n->values[i];
		bool is = n->kind == NODE_NAME ? name_is(h, value) : n->kind == NODE_GROUP ? group_is(h, value) : label && is_like(value, label, 0);
		if (is) return true;
	}
	return false;
}

static bool matches(const struct node *n, const struct inventory_host *h)
{
	switch (n->kind) {
	case NODE_AND:
		return matches(n->left, h) && matches(n->right, h);
	case NODE_OR:
		return matches(n->left, h) || matches(n->right, h);
	case NODE_NOT:
		return !matches(n->left, h);
	case NODE_WORD:
		return (n->name && name_is(h, n->name)) || (!has_star(n->word) && inventory_is_in(h, n->word));
	case NODE_RANGE:
		return name_index_find(n->names, h->name) != SIZE_MAX;
	default:
		return value_is(n, h);
	}
}

/* ---- taken ---- */

static void take(struct selecting *s, const char *name)
{
	if (name_index_find(s->taken, name) != SIZE_MAX) return;
	s->out->bytes += strlen(name) + 3;
	s->out->names = arena_grow(s->arena, s->out->names, s->out->count, &s->capacity, sizeof *s->out->names);
	name_index_add(s->taken, name, s->out->count);
	s->out->names[s->out->count++] = name;
}

/* One that the inventory does not have, and that is no misspelling of one that it has: with a dot or an address, or there is no inventory at all. */
static bool stands_for_itself(const struct inventory *inv, const char *name)
{
	return is_empty(inv) || strchr(name, '.') || *name == '[' || strcmp(name, "localhost") == 0;
}

static enum err take_name(struct selecting *s, const struct node *n, const char *name, bool or_group)
{
	bool is_there = name_index_find(s->inv->index, name) != SIZE_MAX || stands_for_itself(s->inv, name);
	if (!is_there) return unknown_host(s, n->at, or_group ? n->word : name, or_group);
	take(s, name);
	return ERR_OK;
}

static enum err take_part(struct selecting *s, const struct node *n)
{
	bool is_name = n->kind == NODE_WORD && n->name && !has_star(n->word) && !is_group(s->inv, n->word);
	if (is_name) return take_name(s, n, n->name, true);
	enum err err = ERR_OK;
	for (size_t i = 0; i < n->value_count && n->kind == NODE_RANGE && !err; i++) err = take_name(s, n, n->values[i], false);
	if (n->kind == NODE_RANGE) return err;
	err = check(s, n);
	for (size_t i = 0; i < s->inv->host_count && !err; i++)
		if (matches(n, &s->inv->hosts[i])) take(s, s->inv->hosts[i].name);
	return err;
}

enum err inventory_select(struct arena *a, const struct inventory *inv, const struct inventory_query *q, struct inventory_selection *out, struct error *e)
{
	struct error unused;
	struct selecting s = {.arena = a, .inv = inv, .taken = name_index_new(a), .out = out, .e = e ? e : &unused};
	enum err err = ERR_OK;
	*out = (struct inventory_selection){0};
	must(inv->is_whole);
	for (size_t i = 0; i < q->count && !err; i++) err = take_part(&s, q->parts[i]);
	return err ? error_context(s.e, "hosts \"%.200s\"", q->text) : ERR_OK;
}

enum err inventory_query(struct arena *a, const struct inventory *inv, const char *text, struct inventory_selection *out, struct error *e)
{
	struct inventory_query *q;
	enum err err = inventory_query_parse(a, text, &q, e);
	if (err) return error_context(e, "hosts \"%.200s\"", text);
	err = inventory_select(a, inv, q, out, e);
	if (err || out->bytes <= INVENTORY_SELECTED_BYTES_MAX) return err;
	return error_set(e, ERR_TOO_BIG, "hosts \"%.200s\": the names of these %zu hosts are more than the %d KiB that one list may have: ask for fewer", text,
	                 out->count, INVENTORY_SELECTED_BYTES_MAX >> 10);
}

enum err inventory_one(struct arena *a, const struct inventory *inv, const char *name, const char **out, struct error *e)
{
	struct error unused, why;
	struct selecting s = {.arena = a, .inv = inv, .e = e ? e : &unused};
	if (inventory_name(a, name, strlen(name), out, &why)) return error_set(e, ERR_INVALID, "the name of one host was expected: %s", why.text);
	if (inventory_find(inv, *out) || stands_for_itself(inv, *out)) return ERR_OK;
	if (is_group(inv, name)) return error_set(e, ERR_INVALID, "%s is a group, and one host was expected", name);
	return unknown_host(&s, 0, name, false);
}
