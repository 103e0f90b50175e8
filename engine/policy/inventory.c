#include "policy/inventory.h"
#include "base/json.h"
#include "policy/host.h"
#include "policy/inventory_draft.h"

#include <stdlib.h>
#include <string.h>

enum err inventory_name(struct arena *a, const char *text, size_t n, const char **out, struct error *e)
{
	enum host_kind kind;
	char *normal;
	enum err err = host_normal(a, text, n, &normal, &kind, e);
	if (!err) *out = kind == HOST_IPV6 ? arena_printf(a, "[%s]", normal) : normal;
	return err;
}

enum err inventory_address(struct arena *a, const char *text, const char **out, struct error *e)
{
	enum host_kind kind;
	char *normal;
	bool is_ipv6 = *text != '[' && strspn(text, "0123456789abcdefABCDEF:.") == strlen(text) && strchr(text, ':') != strrchr(text, ':');
	if (!is_ipv6 && *text != '[' && strchr(text, ':'))
		return error_set(e, ERR_INVALID, "it is a name or an IP address by itself; the port stands beside it, as port: 22");
	if (is_ipv6) text = arena_printf(a, "[%s]", text);
	enum err err = host_normal(a, text, strlen(text), &normal, &kind, e);
	*out = err ? NULL : normal;
	return err;
}

const struct inventory *inventory_none(struct arena *a)
{
	struct inventory *inv = arena_alloc(a, sizeof *inv);
	*inv = (struct inventory){.is_whole = true, .index = name_index_new(a)};
	return inv;
}

const struct inventory_host *inventory_find(const struct inventory *inv, const char *name)
{
	size_t at = name_index_find(inv->index, name);
	if (at != SIZE_MAX) return &inv->hosts[at];
	struct arena *a = arena_new();
	const char *normal;
	if (inventory_name(a, name, strlen(name), &normal, NULL) == ERR_OK) at = name_index_find(inv->index, normal);
	arena_free(a);
	return at == SIZE_MAX ? NULL : &inv->hosts[at];
}

enum err inventory_reach(struct arena *a, const struct inventory *inv, const char *name, const struct inventory_host **out, struct error *e)
{
	*out = inventory_find(inv, name);
	if (*out) return ERR_OK;
	struct inventory_host *h = arena_alloc(a, sizeof *h);
	*h = (struct inventory_host){.port = INVENTORY_PORT};
	enum err err = inventory_name(a, name, strlen(name), &h->name, e);
	if (err) return err;
	h->address = *h->name == '[' ? arena_strndup(a, h->name + 1, strlen(h->name) - 2) : h->name;
	*out = h;
	return ERR_OK;
}

static int by_key(const void *key, const void *label)
{
	return strcmp(key, ((const struct inventory_label *)label)->key);
}

const char *inventory_label(const struct inventory_host *h, const char *key)
{
	const struct inventory_label *l = h->label_count ? bsearch(key, h->labels, h->label_count, sizeof *l, by_key) : NULL;
	return l ? l->value : NULL;
}

static int by_name(const void *name, const void *group)
{
	return strcmp(name, *(const char *const *)group);
}

bool inventory_is_in(const struct inventory_host *h, const char *group)
{
	if (strcmp(group, "all") == 0) return true;
	return h->group_count && bsearch(group, h->groups, h->group_count, sizeof *h->groups, by_name);
}

/* ---- as JSON and back ---- */

static json_t *texts_json(const char *const *texts, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++) json_array_append_new(list, json_string(texts[i]));
	return list;
}

json_t *inventory_host_json(const struct inventory_host *h)
{
	json_t *labels = json_object(), *from = json_array();
	for (size_t i = 0; i < h->label_count; i++) json_object_set_new(labels, h->labels[i].key, json_string(h->labels[i].value));
	if (h->is_in_file) json_array_append_new(from, json_string("file"));
	if (h->is_from_command) json_array_append_new(from, json_string("command"));
	json_t *o = json_pack("{s:s,s:s,s:i,s:s*,s:s*}", "name", h->name, "address", h->address, "port", h->port, "login", h->login, "jump", h->jump);
	if (h->host_key_count) json_object_set_new(o, "host_keys", texts_json(h->host_keys, h->host_key_count));
	json_object_set_new(o, "labels", labels);
	json_object_set_new(o, "groups", texts_json(h->groups, h->group_count));
	json_object_set_new(o, "from", from);
	if (h->line) json_object_set_new(o, "line", json_integer(h->line));
	return o;
}

static const char **texts_of(struct arena *a, const json_t *list, size_t *count)
{
	const char **texts = arena_alloc(a, json_array_size(list) * sizeof *texts);
	*count = 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (text) texts[(*count)++] = arena_strdup(a, text);
	}
	return texts;
}

static bool names_word(const json_t *list, const char *word)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (text && strcmp(text, word) == 0) return true;
	}
	return false;
}

/* inventory_host_json has sorted what is to be sorted. */
static void host_of_json(struct arena *a, const json_t *o, struct inventory_host *h)
{
	const char *key;
	json_t *v, *labels = json_obj(o, "labels");
	struct inventory_label *list = arena_alloc(a, json_object_size(labels) * sizeof *list);
	*h = (struct inventory_host){.name = arena_strdup(a, json_str(o, "name", "?")),
	                             .address = arena_strdup(a, json_str(o, "address", "?")),
	                             .port = (int)json_int(o, "port", INVENTORY_PORT),
	                             .login = arena_strdup(a, json_str(o, "login", NULL)),
	                             .jump = arena_strdup(a, json_str(o, "jump", NULL)),
	                             .labels = list,
	                             .is_in_file = names_word(json_arr(o, "from"), "file"),
	                             .is_from_command = names_word(json_arr(o, "from"), "command"),
	                             .line = (int)json_int(o, "line", 0)};
	h->host_keys = texts_of(a, json_arr(o, "host_keys"), &h->host_key_count);
	h->groups = texts_of(a, json_arr(o, "groups"), &h->group_count);
	json_object_foreach(labels, key, v) if (json_is_string(v)) list[h->label_count++] =
	    (struct inventory_label){arena_strdup(a, key), arena_strdup(a, json_string_value(v))};
}

enum err inventory_from_json(struct arena *a, const json_t *hosts, const json_t *groups, const struct inventory **out, struct error *e)
{
	struct inventory *inv = arena_alloc(a, sizeof *inv);
	size_t i;
	json_t *v;
	if (json_array_size(hosts) > INVENTORY_HOSTS_MAX) return error_set(e, ERR_PROTOCOL, "an inventory has at most %d hosts", INVENTORY_HOSTS_MAX);
	*inv = (struct inventory){.file = ".rung/inventory.yaml", .is_whole = true, .index = name_index_new(a)};
	inv->hosts = arena_alloc(a, json_array_size(hosts) * sizeof *inv->hosts);
	json_array_foreach((json_t *)hosts, i, v)
	{
		host_of_json(a, v, &inv->hosts[inv->host_count]);
		name_index_add(inv->index, inv->hosts[inv->host_count].name, inv->host_count);
		inv->host_count++;
	}
	inv->groups = texts_of(a, groups, &inv->group_count);
	*out = inv;
	return ERR_OK;
}
