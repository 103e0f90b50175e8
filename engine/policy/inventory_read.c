#include "base/yaml.h"
#include "policy/host.h"
#include "policy/host_key.h"
#include "policy/host_range.h"
#include "policy/inventory_draft.h"

#include <stdlib.h>
#include <string.h>

/* The file. Strict: a host that is silently not there is one that nobody looks after. */

enum { CACHE_DEFAULT_S = 300, TIMEOUT_DEFAULT_S = 30, CACHE_MOST_S = 86400, TIMEOUT_MOST_S = 600 };
#define SECOND_US INT64_C(1000000)

struct reader {
	struct arena *arena;
	struct draft d;
	struct inventory_command *command;
	struct error *e;
	size_t entries;
};

/* ---- what hosts and groups have ---- */

static enum err read_labels(const struct reader *r, const struct yaml *v, struct draft_settings *s)
{
	enum err err = yaml_map(v, "labels", r->e);
	for (size_t i = 0; i < (err ? 0 : v->count); i++) {
		const struct yaml *key = v->keys[i], *value = v->items[i];
		const char *text;
		if (!draft_is_label_key(key->text))
			return yaml_wrong(
			    key, r->e,
			    "\"%.80s\" cannot name a label: use letters, digits, \"_\", \"-\", \".\" and \"/\", a letter or \"_\" first, at most %d; not "
			    "name, group, and, or, not, in",
			    key->text, INVENTORY_KEY_BYTES_MAX);
		err = yaml_text(value, "the value of a label", &text, r->e);
		if (err) return err;
		if (!draft_is_label_value(text))
			return yaml_wrong(value, r->e, "the value of a label is one line of at most %d bytes that are all seen", INVENTORY_VALUE_BYTES_MAX);
		if (!draft_label(r->arena, s, key->text, text)) return yaml_wrong(key, r->e, "a host has at most %d labels", INVENTORY_LABELS_MAX);
	}
	return err;
}

static enum err read_host_keys(const struct reader *r, const struct yaml *v, struct draft_settings *s)
{
	struct yaml **items;
	enum err err = yaml_texts(v, "a host key", &items, &s->host_key_count, r->arena, r->e);
	if (!err && (s->host_key_count == 0 || s->host_key_count > INVENTORY_HOST_KEYS_MAX))
		err = yaml_wrong(v, r->e, "there are 1 to %d host keys", INVENTORY_HOST_KEYS_MAX);
	if (err) return err;
	s->host_keys = arena_alloc(r->arena, s->host_key_count * sizeof *s->host_keys);
	for (size_t i = 0; i < s->host_key_count; i++) {
		struct error why;
		if (host_key_normal(r->arena, items[i]->text, &s->host_keys[i], &why)) return yaml_wrong(items[i], r->e, "%s", why.text);
	}
	return ERR_OK;
}

static enum err read_name(const struct reader *r, const struct yaml *v, const char *what, const char **out)
{
	const char *text;
	struct error why;
	enum err err = yaml_text(v, what, &text, r->e);
	if (!err && inventory_name(r->arena, text, strlen(text), out, &why)) err = yaml_wrong(v, r->e, "%s: %s", what, why.text);
	return err;
}

/* What both may say. */
static enum err read_settings(const struct reader *r, const struct yaml *v, struct draft_settings *s)
{
	const struct yaml *m;
	int64_t port = 0;
	enum err err = ERR_OK;
	if ((m = yaml_get(v, "labels"))) err = read_labels(r, m, s);
	if (!err && (m = yaml_get(v, "port"))) err = yaml_int(m, "a port", 1, 65535, &port, r->e);
	if (!err && (m = yaml_get(v, "login"))) {
		err = yaml_text(m, "a login", &s->login, r->e);
		if (!err && !login_is_valid(s->login, strlen(s->login))) err = yaml_wrong(m, r->e, "\"%.80s\" is no name of an account", s->login);
	}
	if (!err && (m = yaml_get(v, "jump"))) err = read_name(r, m, "a jump host", &s->jump);
	if (!err && (m = yaml_get(v, "host_keys"))) err = read_host_keys(r, m, s);
	s->port = (int)port;
	return err;
}

/* ---- hosts ---- */

/* Its brackets hold no range. */
static bool is_ipv6(const struct reader *r, const char *text)
{
	const char *name;
	return *text == '[' && strchr(text, ':') && inventory_name(r->arena, text, strlen(text), &name, NULL) == ERR_OK;
}

/* The names that a text with ranges stands for. */
static enum err read_names(const struct reader *r, const struct yaml *v, const char *what, const char ***names, size_t *count)
{
	struct error why;
	const char *text;
	enum err err = yaml_text(v, what, &text, r->e);
	if (err) return err;
	*names = arena_alloc(r->arena, sizeof **names);
	(*names)[0] = text;
	*count = 1;
	if (!is_ipv6(r, text) && host_range_expand(r->arena, text, INVENTORY_HOSTS_MAX, names, count, &why)) return yaml_wrong(v, r->e, "%s", why.text);
	for (size_t i = 0; i < *count; i++)
		if (inventory_name(r->arena, (*names)[i], strlen((*names)[i]), &(*names)[i], &why)) return yaml_wrong(v, r->e, "%s: %s", what, why.text);
	return ERR_OK;
}

/* "{name}" stands for the host's name. */
static const char *with_name(struct arena *a, const char *text, const char *name)
{
	const char *at = strstr(text, "{name}");
	return at ? arena_printf(a, "%.*s%s%s", (int)(at - text), text, name, at + 6) : text;
}

static enum err read_addresses(const struct reader *r, const struct yaml *v, const char *const *names, size_t count, const char ***out)
{
	struct error why;
	const char *text, **texts;
	size_t n = 1;
	enum err err = yaml_text(v, "an address", &text, r->e);
	if (err) return err;
	texts = arena_alloc(r->arena, count * sizeof *texts);
	*out = texts;
	texts[0] = text;
	if (is_ipv6(r, text))
		n = 1;
	else if (host_range_expand(r->arena, text, INVENTORY_HOSTS_MAX, out, &n, &why))
		return yaml_wrong(v, r->e, "%s", why.text);
	bool is_named = strstr(text, "{name}") != NULL;
	if (is_named && n == 1 && count > 1) {
		for (size_t i = 0; i < count; i++) texts[i] = (*out)[0];
		*out = texts;
		n = count;
	}
	if (n != count)
		return yaml_wrong(v, r->e,
		                  "%zu address%s for %zu hosts: a range in the name has one in the address, as 10.0.0.[1:40], or the name is in it, as "
		                  "\"{name}.example.net\"",
		                  n, n == 1 ? "" : "es", count);
	for (size_t i = 0; i < count; i++)
		if (inventory_address(r->arena, with_name(r->arena, (*out)[i], names[i]), &(*out)[i], &why))
			return yaml_wrong(v, r->e, "an address: %s", why.text);
	return ERR_OK;
}

static enum err read_host_groups(struct reader *r, const struct yaml *v, struct draft_list *out)
{
	struct yaml **items;
	size_t count;
	enum err err = yaml_texts(v, "a group", &items, &count, r->arena, r->e);
	for (size_t i = 0; i < (err ? 0 : count); i++) {
		size_t group;
		if (strcmp(items[i]->text, "all") == 0) return yaml_wrong(items[i], r->e, "every host is in the group all");
		if (draft_group(&r->d, items[i]->text, &group)) return yaml_wrong(items[i], r->e, "%s", arena_strdup(r->arena, r->e->text));
		draft_list_add(r->arena, out, group);
	}
	return err;
}

/* One entry of hosts: one name or many. */
static enum err read_host(struct reader *r, const struct yaml *key, const struct yaml *v)
{
	static const char *const keys[] = {"address", "port", "login", "jump", "host_keys", "labels", "groups", NULL};
	static const struct yaml nothing = {.kind = YAML_MAP};
	struct draft_settings said = {0};
	struct draft_list groups = {0};
	const char **names, **addresses = NULL;
	size_t count;
	const struct yaml *m;
	bool is_bare = v->kind == YAML_TEXT && !*v->text && !v->is_quoted;
	if (is_bare) v = &nothing;
	enum err err = read_names(r, key, "the name of a host", &names, &count);
	if (!err) err = yaml_keys(v, "a host", keys, r->e);
	if (!err) err = read_settings(r, v, &said);
	if (!err && (m = yaml_get(v, "address"))) err = read_addresses(r, m, names, count, &addresses);
	if (!err && (m = yaml_get(v, "groups"))) err = read_host_groups(r, m, &groups);
	r->entries++;
	for (size_t i = 0; i < (err ? 0 : count); i++) {
		struct draft_host *h;
		if (name_index_find(r->d.host_index, names[i]) != SIZE_MAX) return yaml_wrong(key, r->e, "the host %s stands here a second time", names[i]);
		if (draft_host(&r->d, names[i], DRAFT_FILE, &h)) return yaml_wrong(key, r->e, "%s", arena_strdup(r->arena, r->e->text));
		h->said[DRAFT_FILE] = said;
		h->said[DRAFT_FILE].address = addresses ? addresses[i] : NULL;
		for (size_t g = 0; g < groups.count; g++) draft_list_add(r->arena, &h->groups, groups.items[g]);
		h->line = key->line, h->column = key->column;
		h->entry = r->entries;
	}
	return err;
}

/* ---- groups ---- */

static enum err read_children(struct reader *r, const struct yaml *v, size_t group)
{
	struct yaml **items;
	size_t count;
	enum err err = yaml_texts(v, "a child", &items, &count, r->arena, r->e);
	for (size_t i = 0; i < (err ? 0 : count); i++) {
		size_t child;
		if (strcmp(items[i]->text, "all") == 0) return yaml_wrong(items[i], r->e, "the group all is in no other");
		if (draft_group(&r->d, items[i]->text, &child)) return yaml_wrong(items[i], r->e, "%s", arena_strdup(r->arena, r->e->text));
		draft_list_add(r->arena, &r->d.groups[child].parents, group);
	}
	return err;
}

/* Its place, for what is found out once all is read. */
static void place_group(struct draft *d, size_t group, const struct yaml *key)
{
	d->groups[group].is_in_file = true;
	d->groups[group].line = key->line;
	d->groups[group].column = key->column;
}

static enum err read_members(struct reader *r, const struct yaml *v, size_t group)
{
	struct yaml **items;
	size_t item_count;
	enum err err = yaml_texts(v, "a host of a group", &items, &item_count, r->arena, r->e);
	for (size_t i = 0; i < (err ? 0 : item_count); i++) {
		const char **names;
		size_t count;
		err = read_names(r, items[i], "a host of a group", &names, &count);
		for (size_t k = 0; k < (err ? 0 : count); k++) {
			size_t at = name_index_find(r->d.host_index, names[k]);
			/* One that the command names may be anywhere in its answer, which gives it groups itself. */
			if (at == SIZE_MAX) return yaml_wrong(items[i], r->e, "there is no host %s: name it under hosts: of this file, too", names[k]);
			draft_list_add(r->arena, &r->d.hosts[at].groups, group);
		}
		if (err) return err;
	}
	return err;
}

static enum err read_group(struct reader *r, const struct yaml *key, const struct yaml *v)
{
	static const char *const keys[] = {"hosts", "children", "port", "login", "jump", "host_keys", "labels", NULL};
	static const struct yaml nothing = {.kind = YAML_MAP};
	const struct yaml *m;
	size_t group;
	bool is_bare = v->kind == YAML_TEXT && !*v->text && !v->is_quoted;
	if (is_bare) v = &nothing;
	if (draft_group(&r->d, key->text, &group)) return yaml_wrong(key, r->e, "%s", arena_strdup(r->arena, r->e->text));
	place_group(&r->d, group, key);
	enum err err = yaml_keys(v, "a group", keys, r->e);
	if (!err && group == DRAFT_ALL && (m = yaml_get(v, "hosts"))) return yaml_wrong(m, r->e, "every host is in the group all");
	if (!err && group == DRAFT_ALL && (m = yaml_get(v, "children"))) return yaml_wrong(m, r->e, "every group is in the group all");
	if (!err) err = read_settings(r, v, &r->d.groups[group].said[DRAFT_FILE]);
	if (!err && (m = yaml_get(v, "children"))) err = read_children(r, m, group);
	if (!err && (m = yaml_get(v, "hosts"))) err = read_members(r, m, group);
	return err;
}

/* ---- the command ---- */

static enum err read_seconds(const struct reader *r, const struct yaml *v, const char *what, int64_t least_s, int64_t most_s, int64_t *us)
{
	if (!v) return ERR_OK;
	enum err err = yaml_duration(v, what, us, r->e);
	if (!err && (*us < least_s * SECOND_US || *us > most_s * SECOND_US))
		err = yaml_wrong(v, r->e, "%s is a duration from %llds to %lldm", what, (long long)least_s, (long long)most_s / 60);
	return err;
}

static enum err read_variable_names(const struct reader *r, const struct yaml *v, struct inventory_command *c)
{
	struct yaml **items;
	enum err err = yaml_texts(v, "a variable that becomes a label", &items, &c->label_count, r->arena, r->e);
	if (err) return err;
	c->labels = arena_alloc(r->arena, c->label_count * sizeof *c->labels);
	for (size_t i = 0; i < c->label_count; i++) c->labels[i] = items[i]->text;
	return ERR_OK;
}

static enum err read_command(struct reader *r, const struct yaml *v)
{
	static const char *const keys[] = {"command", "cache", "timeout", "labels", NULL};
	struct inventory_command *c = arena_alloc(r->arena, sizeof *c);
	struct yaml **items;
	enum err err = yaml_keys(v, "dynamic", keys, r->e);
	const struct yaml *words = err ? NULL : yaml_get(v, "command");
	if (err) return err;
	if (!words) return yaml_wrong(v, r->e, "dynamic needs a command that prints hosts as JSON, as [ansible-inventory, --list]");
	if (words->kind != YAML_LIST)
		return yaml_wrong(words, r->e, "the command is a list of its arguments, as [ansible-inventory, --list]: there is no shell");
	err = yaml_texts(words, "an argument of the command", &items, &c->word_count, r->arena, r->e);
	if (!err && (c->word_count == 0 || c->word_count > INVENTORY_COMMAND_WORDS_MAX))
		err = yaml_wrong(words, r->e, "the command has 1 to %d arguments", INVENTORY_COMMAND_WORDS_MAX);
	if (err) return err;
	c->words = arena_alloc(r->arena, c->word_count * sizeof *c->words);
	for (size_t i = 0; i < c->word_count; i++) c->words[i] = items[i]->text;
	c->cache_us = CACHE_DEFAULT_S * SECOND_US;
	c->timeout_us = TIMEOUT_DEFAULT_S * SECOND_US;
	err = read_seconds(r, yaml_get(v, "cache"), "cache", 0, CACHE_MOST_S, &c->cache_us);
	if (!err) err = read_seconds(r, yaml_get(v, "timeout"), "timeout", 1, TIMEOUT_MOST_S, &c->timeout_us);
	if (!err && yaml_get(v, "labels")) err = read_variable_names(r, yaml_get(v, "labels"), c);
	r->command = c;
	return err;
}

/* ---- the whole ---- */

static enum err read_map(struct reader *r, const struct yaml *root, const char *key, size_t most,
                         enum err (*one)(struct reader *, const struct yaml *, const struct yaml *))
{
	const struct yaml *v = yaml_get(root, key);
	if (!v || (v->kind == YAML_TEXT && !*v->text)) return ERR_OK;
	enum err err = yaml_map(v, key, r->e);
	if (!err && v->count > most) err = yaml_wrong(v, r->e, "there are at most %zu %s", most, key);
	for (size_t i = 0; i < (err ? 0 : v->count) && !err; i++) err = one(r, v->keys[i], v->items[i]);
	return err;
}

static enum err read_version(const struct reader *r, const struct yaml *root)
{
	int64_t version;
	const struct yaml *v = yaml_get(root, "version");
	return v ? yaml_int(v, "version", 1, 1, &version, r->e) : yaml_wrong(root, r->e, "an inventory begins with version: 1");
}

enum err inventory_read(struct arena *a, const char *file, const char *bytes, size_t n, const char *answer, size_t answer_n, const struct inventory **out,
                        struct error *e)
{
	static const char *const keys[] = {"version", "hosts", "groups", "dynamic", NULL};
	struct error unused;
	struct yaml *root;
	struct inventory *inv = arena_alloc(a, sizeof *inv);
	struct reader r = {.arena = a, .e = e ? e : &unused};
	*inv = (struct inventory){.file = arena_strdup(a, file)};
	digest_sha256_hex(inv->digest, bytes, n);
	draft_init(&r.d, a, inv->file, r.e);
	enum err err = yaml_read(a, file, bytes, n, &root, r.e);
	if (!err) err = yaml_keys(root, "an inventory", keys, r.e);
	if (!err) err = read_version(&r, root);
	if (!err) err = read_map(&r, root, "hosts", INVENTORY_HOSTS_MAX, read_host);
	if (!err) err = read_map(&r, root, "groups", INVENTORY_GROUPS_MAX, read_group);
	if (!err && yaml_get(root, "dynamic")) err = read_command(&r, yaml_get(root, "dynamic"));
	inv->command = r.command;
	inv->is_whole = !r.command || answer;
	r.d.file_hosts = r.d.host_count;
	if (!err && r.command && answer) err = draft_read_ansible(&r.d, r.command, answer, answer_n);
	if (!err) err = draft_finish(&r.d, inv->is_whole, inv);
	if (!err) *out = inv;
	return err;
}
