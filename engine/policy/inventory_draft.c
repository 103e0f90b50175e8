#include "policy/inventory_draft.h"
#include "base/text.h"
#include "policy/host.h"

#include <stdlib.h>
#include <string.h>

enum { GROUP_NAME_BYTES_MAX = 64 };

/* ---- what is added ---- */

void draft_init(struct draft *d, struct arena *a, const char *file, struct error *e)
{
	size_t all;
	*d = (struct draft){.arena = a, .file = file, .e = e, .host_index = name_index_new(a), .group_index = name_index_new(a)};
	draft_group(d, "all", &all);
}

enum err draft_host(struct draft *d, const char *name, enum draft_origin origin, struct draft_host **out)
{
	size_t at = name_index_find(d->host_index, name);
	if (at == SIZE_MAX) {
		if (d->host_count == INVENTORY_HOSTS_MAX) return error_set(d->e, ERR_TOO_BIG, "an inventory has at most %d hosts", INVENTORY_HOSTS_MAX);
		d->hosts = arena_grow(d->arena, d->hosts, d->host_count, &d->host_capacity, sizeof *d->hosts);
		at = d->host_count++;
		d->hosts[at] = (struct draft_host){.name = name};
		name_index_add(d->host_index, name, at);
	}
	d->hosts[at].is_in[origin] = true;
	*out = &d->hosts[at];
	return ERR_OK;
}

bool draft_is_group_name(const char *s)
{
	size_t n = strlen(s);
	return n > 0 && n <= GROUP_NAME_BYTES_MAX && s[0] != '-' && s[0] != '.' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n;
}

bool draft_is_label_key(const char *s)
{
	static const char *const words[] = {"and", "or", "not", "in", "name", "group"};
	size_t n = strlen(s);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i], s) == 0) return false;
	return n > 0 && n <= INVENTORY_KEY_BYTES_MAX && strchr("-./0123456789", s[0]) == NULL &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/") == n;
}

bool draft_is_label_value(const char *s)
{
	uint32_t code;
	if (!*s || strlen(s) > INVENTORY_VALUE_BYTES_MAX) return false;
	for (const char *end = s + strlen(s); s < end;) {
		size_t step = text_decode(s, end, &code);
		if (!step || text_is_hidden(code)) return false;
		s += step;
	}
	return true;
}

enum err draft_group(struct draft *d, const char *name, size_t *out)
{
	size_t at = name_index_find(d->group_index, name);
	if (at == SIZE_MAX) {
		if (!draft_is_group_name(name))
			return error_set(d->e, ERR_INVALID, "\"%.80s\" cannot name a group: use letters, digits, \"-\", \"_\" and \".\", at most %d", name,
			                 GROUP_NAME_BYTES_MAX);
		if (d->group_count == INVENTORY_GROUPS_MAX) return error_set(d->e, ERR_TOO_BIG, "an inventory has at most %d groups", INVENTORY_GROUPS_MAX);
		d->groups = arena_grow(d->arena, d->groups, d->group_count, &d->group_capacity, sizeof *d->groups);
		at = d->group_count++;
		d->groups[at] = (struct draft_group){.name = arena_strdup(d->arena, name)};
		name_index_add(d->group_index, d->groups[at].name, at);
	}
	*out = at;
	return ERR_OK;
}

void draft_list_add(struct arena *a, struct draft_list *l, size_t number)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i] == number) return;
	l->items = arena_grow(a, l->items, l->count, &l->capacity, sizeof *l->items);
	l->items[l->count++] = number;
}

bool draft_label(struct arena *a, struct draft_settings *s, const char *key, const char *value)
{
	for (size_t i = 0; i < s->label_count; i++)
		if (strcmp(s->labels[i].key, key) == 0) return true;
	if (s->label_count == INVENTORY_LABELS_MAX) return false;
	s->labels = arena_grow(a, s->labels, s->label_count, &s->label_capacity, sizeof *s->labels);
	s->labels[s->label_count++] = (struct inventory_label){key, value};
	return true;
}

/* ---- groups in groups ---- */

static enum err wrong(const struct draft *d, int line, int column, const char *name, const char *what)
{
	if (line) return error_set(d->e, ERR_INVALID, "%s:%d:%d: %s %s", d->file, line, column, name, what);
	return error_set(d->e, ERR_INVALID, "what the command of %s printed: %s %s", d->file, name, what);
}

/* Depth first: what is around its parents is around it. */
static enum err walk_group(struct draft *d, size_t number)
{
	struct draft_group *g = &d->groups[number];
	if (g->is_done) return ERR_OK;
	if (g->is_walked) return wrong(d, g->line, g->column, g->name, "is a group within itself: a group's children lead away from it");
	g->is_walked = true;
	g->depth = number == DRAFT_ALL ? 0 : 1;
	if (number != DRAFT_ALL) draft_list_add(d->arena, &g->around, number);
	for (size_t i = 0; i < g->parents.count; i++) {
		size_t parent = g->parents.items[i];
		enum err err = walk_group(d, parent);
		if (err) return err;
		const struct draft_group *p = &d->groups[parent];
		if (p->depth + 1 > g->depth) g->depth = p->depth + 1;
		for (size_t k = 0; k < p->around.count; k++) draft_list_add(d->arena, &g->around, p->around.items[k]);
		if (g->around.count > INVENTORY_GROUPS_OF_ONE_MAX || g->depth > INVENTORY_GROUPS_OF_ONE_MAX)
			return wrong(d, g->line, g->column, g->name, "has more groups around it than the 256 that are possible");
	}
	g->is_done = true;
	return ERR_OK;
}

/* ---- what hosts get ---- */

struct finish {
	struct draft *d;
	struct inventory *out;
	size_t members;
	/* The groups of the host at hand, those that lie deepest first; of the same depth the later name first, as Ansible has it. */
	const struct draft_group **ranked;
	size_t ranked_count;
};

static int by_rank(const void *a, const void *b)
{
	const struct draft_group *x = *(const struct draft_group *const *)a, *y = *(const struct draft_group *const *)b;
	if (x->depth != y->depth) return x->depth < y->depth ? 1 : -1;
	return strcmp(y->name, x->name);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct inventory_label *)a)->key, ((const struct inventory_label *)b)->key);
}

static enum err find_groups(struct finish *f, const struct draft_host *h, struct inventory_host *out)
{
	struct draft *d = f->d;
	struct draft_list all = {0};
	for (size_t i = 0; i < h->groups.count; i++) {
		const struct draft_list *around = &d->groups[h->groups.items[i]].around;
		for (size_t k = 0; k < around->count; k++) draft_list_add(d->arena, &all, around->items[k]);
	}
	if (all.count > INVENTORY_GROUPS_OF_ONE_MAX) return wrong(d, h->line, h->column, h->name, "is in more groups than the 256 that are possible");
	out->groups = arena_alloc(d->arena, all.count * sizeof *out->groups);
	out->group_count = all.count;
	f->ranked_count = 0;
	for (size_t i = 0; i < all.count; i++) f->ranked[f->ranked_count++] = &d->groups[all.items[i]];
	for (size_t i = 0; i < all.count; i++) out->groups[i] = d->groups[all.items[i]].name;
	f->ranked[f->ranked_count++] = &d->groups[DRAFT_ALL];
	qsort(f->ranked, f->ranked_count, sizeof *f->ranked, by_rank);
	if (all.count) qsort(out->groups, all.count, sizeof *out->groups, by_text);
	return ERR_OK;
}

/* Two groups of the file that lie equally deep and say different things: which counts would be a guess. */
static enum err two_say(const struct finish *f, const struct draft_host *h, const char *what, const struct draft_group *a, const struct draft_group *b)
{
	return error_set(f->d->e, ERR_INVALID, "%s:%d:%d: %s is in the groups %s and %s, which say different things of its %s: say it at the host", f->d->file,
	                 h->line ? h->line : a->line, h->line ? h->column : a->column, h->name, b->name, a->name, what);
}

/* One thing that can be said, as a text to compare. */
typedef const char *said_fn(const struct draft_settings *s, const void *arg);

static const char *said_login(const struct draft_settings *s, const void *arg)
{
	(void)arg;
	return s->login;
}

static const char *said_jump(const struct draft_settings *s, const void *arg)
{
	(void)arg;
	return s->jump;
}

static const char *said_label(const struct draft_settings *s, const void *key)
{
	for (size_t i = 0; i < s->label_count; i++)
		if (strcmp(s->labels[i].key, key) == 0) return s->labels[i].value;
	return NULL;
}

/* What holds: the host's own word, the file's before the command's; then that of the group that lies deepest. */
static enum err choose(const struct finish *f, const struct draft_host *h, const char *what, said_fn *said, const void *arg, const char **out)
{
	const struct draft_group *from = NULL;
	*out = said(&h->said[DRAFT_FILE], arg);
	if (!*out) *out = said(&h->said[DRAFT_COMMAND], arg);
	if (*out) return ERR_OK;
	for (size_t i = 0; i < f->ranked_count; i++) {
		const struct draft_group *g = f->ranked[i];
		const char *word = said(&g->said[DRAFT_FILE], arg);
		if (from && g->depth < from->depth) break;
		if (!word) continue;
		if (from && strcmp(word, *out) != 0) return two_say(f, h, what, from, g);
		*out = word;
		from = g;
	}
	for (size_t i = 0; i < f->ranked_count && !*out; i++) *out = said(&f->ranked[i]->said[DRAFT_COMMAND], arg);
	return ERR_OK;
}

/* As texts, so that one rule serves all of them. */
static const char *said_port(const struct draft_settings *s, const void *arena)
{
	return s->port ? arena_printf((struct arena *)arena, "%d", s->port) : NULL;
}

static const char *said_keys(const struct draft_settings *s, const void *arena)
{
	char *all = NULL;
	for (size_t i = 0; i < s->host_key_count; i++) all = arena_printf((struct arena *)arena, "%s%s%s", all ? all : "", all ? "\n" : "", s->host_keys[i]);
	return all;
}

static void split_keys(struct arena *a, const char *text, struct inventory_host *out)
{
	size_t capacity = 0;
	for (size_t n; text && *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		out->host_keys = arena_grow(a, out->host_keys, out->host_key_count, &capacity, sizeof *out->host_keys);
		out->host_keys[out->host_key_count++] = arena_strndup(a, text, n);
	}
}

/* Every key that anybody says of it. */
static enum err find_labels(struct finish *f, const struct draft_host *h, struct inventory_host *out)
{
	struct arena *a = f->d->arena;
	struct draft_settings all = {0};
	bool fits = true;
	for (int o = DRAFT_FILE; o <= DRAFT_COMMAND; o++) {
		for (size_t i = 0; i < h->said[o].label_count && fits; i++) fits = draft_label(a, &all, h->said[o].labels[i].key, NULL);
		for (size_t g = 0; g < f->ranked_count; g++)
			for (size_t i = 0; i < f->ranked[g]->said[o].label_count && fits; i++)
				fits = draft_label(a, &all, f->ranked[g]->said[o].labels[i].key, NULL);
	}
	if (!fits) return wrong(f->d, h->line, h->column, h->name, "has more labels than the 64 that are possible");
	for (size_t i = 0; i < all.label_count; i++) {
		const char *what = arena_printf(a, "label %s", all.labels[i].key);
		enum err err = choose(f, h, what, said_label, all.labels[i].key, &all.labels[i].value);
		if (err) return err;
	}
	if (all.label_count) qsort(all.labels, all.label_count, sizeof *all.labels, by_key);
	out->labels = all.labels;
	out->label_count = all.label_count;
	return ERR_OK;
}

/* Hosts of one entry of the file differ in their names and addresses alone. */
static bool is_like(const struct draft_host *a, const struct draft_host *b)
{
	return a->entry && a->entry == b->entry && !a->is_in[DRAFT_COMMAND] && !b->is_in[DRAFT_COMMAND] && a->groups.count == b->groups.count &&
	       (a->groups.count == 0 || memcmp(a->groups.items, b->groups.items, a->groups.count * sizeof *a->groups.items) == 0);
}

static enum err find_settings(struct finish *f, const struct draft_host *h, struct inventory_host *out)
{
	struct arena *a = f->d->arena;
	const char *port = NULL, *keys = NULL;
	enum err err = find_groups(f, h, out);
	if (!err) err = find_labels(f, h, out);
	if (!err) err = choose(f, h, "login", said_login, NULL, &out->login);
	if (!err) err = choose(f, h, "jump host", said_jump, NULL, &out->jump);
	if (!err) err = choose(f, h, "port", said_port, a, &port);
	if (!err) err = choose(f, h, "host keys", said_keys, a, &keys);
	if (err) return err;
	out->port = port ? (int)strtol(port, NULL, 10) : INVENTORY_PORT;
	split_keys(a, keys, out);
	return ERR_OK;
}

/* What is each host's own. */
static void set_own(struct arena *a, const struct draft_host *h, struct inventory_host *out)
{
	const char *address = h->said[DRAFT_FILE].address ? h->said[DRAFT_FILE].address : h->said[DRAFT_COMMAND].address;
	out->name = h->name;
	out->address = address ? address : *h->name == '[' ? arena_strndup(a, h->name + 1, strlen(h->name) - 2) : h->name;
	out->is_in_file = h->is_in[DRAFT_FILE];
	out->is_from_command = h->is_in[DRAFT_COMMAND];
	out->line = h->line;
	/* The host through which its group is reached is itself reached directly. */
	bool is_own_word = h->said[DRAFT_FILE].jump || h->said[DRAFT_COMMAND].jump;
	if (!is_own_word && out->jump && strcmp(out->jump, h->name) == 0) out->jump = NULL;
}

static enum err finish_hosts(struct finish *f)
{
	struct draft *d = f->d;
	struct inventory *out = f->out;
	struct inventory_host shared = {0}; /* of the entry at hand */
	out->hosts = arena_alloc(d->arena, d->host_count * sizeof *out->hosts);
	for (size_t i = 0; i < d->host_count; i++) {
		if (!i || !is_like(&d->hosts[i - 1], &d->hosts[i])) {
			shared = (struct inventory_host){0};
			enum err err = find_settings(f, &d->hosts[i], &shared);
			if (err) return err;
		}
		out->hosts[i] = shared;
		set_own(d->arena, &d->hosts[i], &out->hosts[i]);
		f->members += shared.group_count;
		if (f->members > INVENTORY_MEMBERS_MAX)
			return error_set(d->e, ERR_TOO_BIG, "the hosts of an inventory are %d times in groups at most", INVENTORY_MEMBERS_MAX);
		name_index_add(out->index, out->hosts[i].name, i);
		out->host_count++;
	}
	return ERR_OK;
}

/* ---- the whole ---- */

/* Each host is reached in the end. */
static enum err check_jumps(const struct draft *d, const struct inventory *out)
{
	for (size_t i = 0; i < out->host_count; i++) {
		const struct inventory_host *h = &out->hosts[i];
		const struct draft_host *from = &d->hosts[i];
		int jumps = 0;
		for (const char *jump = h->jump; jump; jumps++) {
			size_t at = name_index_find(out->index, jump);
			if (at == SIZE_MAX)
				return wrong(d, from->line, from->column, h->name,
				             arena_printf(d->arena, "is reached through %s, which is no host of this inventory: name it under hosts:", jump));
			if (strcmp(jump, h->name) == 0)
				return wrong(d, from->line, from->column, h->name, "is reached through itself: one of its jump hosts has it as jump");
			if (jumps == INVENTORY_JUMPS_MAX) return wrong(d, from->line, from->column, h->name, "is reached through more than 4 jump hosts");
			jump = out->hosts[at].jump;
		}
	}
	return ERR_OK;
}

/* A word of a query would mean both. */
static enum err check_names(const struct draft *d)
{
	for (size_t i = 0; i < d->host_count; i++) {
		const struct draft_host *h = &d->hosts[i];
		size_t group = name_index_find(d->group_index, h->name);
		if (group != SIZE_MAX && h->is_in[DRAFT_FILE])
			return wrong(d, h->line, h->column, h->name, "names a host and a group: give the group another name");
	}
	return ERR_OK;
}

enum err draft_finish(struct draft *d, bool is_whole, struct inventory *out)
{
	struct finish f = {.d = d, .out = out};
	enum err err = check_names(d);
	for (size_t i = 0; i < d->group_count && !err; i++) err = walk_group(d, i);
	f.ranked = arena_alloc(d->arena, (d->group_count + 1) * sizeof *f.ranked);
	out->index = name_index_new(d->arena);
	if (!err) err = finish_hosts(&f);
	if (!err && is_whole) err = check_jumps(d, out);
	out->groups = arena_alloc(d->arena, d->group_count * sizeof *out->groups);
	for (size_t i = 1; i < d->group_count; i++) out->groups[out->group_count++] = d->groups[i].name;
	if (out->group_count) qsort(out->groups, out->group_count, sizeof *out->groups, by_text);
	return err;
}
