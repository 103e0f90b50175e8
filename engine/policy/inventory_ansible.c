#include "base/json.h"
#include "policy/host.h"
#include "policy/host_key.h"
#include "policy/inventory_draft.h"
#include "policy/star.h"

#include <stdlib.h>
#include <string.h>

/* What `ansible-inventory --list`, and scripts that Ansible takes as inventories, print:
 *
 *   {"web": {"hosts": ["web-1"], "vars": {...}, "children": ["web-eu"]}, "db": ["db-1"], "_meta": {"hostvars": {"web-1": {"ansible_host": "10.0.0.1"}}}}
 *
 * Of the variables those that say how a host is reached are read, and as labels those that the file lists; what else stands there (passwords, too) is not kept.
 */

enum { DEPTH_MAX = 64 };

struct answer {
	struct draft *d;
	const struct inventory_command *command;
	struct error *e;
};

static enum err wrong(const struct answer *r, const char *where, const char *name, const char *what)
{
	return error_set(r->e, ERR_INVALID, "what the command of %s printed: %s %.80s: %s", r->d->file, where, name, what);
}

/* ---- variables ---- */

/* A number, a bool or a text as a text; NULL: it is none of them. */
static const char *scalar(struct arena *a, const json_t *v)
{
	if (json_is_string(v)) return strlen(json_string_value(v)) == json_string_length(v) ? arena_strdup(a, json_string_value(v)) : NULL;
	if (json_is_integer(v)) return arena_printf(a, "%lld", (long long)json_integer_value(v));
	if (json_is_real(v)) return arena_printf(a, "%.15g", json_real_value(v));
	if (json_is_boolean(v)) return json_is_true(v) ? "true" : "false";
	return NULL;
}

/* The first of two names: what Ansible 2 and Ansible 1 call it. */
static const char *variable(const struct answer *r, const json_t *vars, const char *name, const char *old)
{
	const json_t *v = json_object_get(vars, name);
	const char *text = scalar(r->d->arena, v ? v : json_object_get(vars, old));
	return text && *text ? text : NULL;
}

static enum err read_port(const struct answer *r, const char *whose, const char *text, int *out)
{
	char *end;
	long port = strtol(text, &end, 10);
	if (*end || port < 1 || port > 65535 || *text < '0' || *text > '9') return wrong(r, "ansible_port of", whose, "a port is a number from 1 to 65535");
	*out = (int)port;
	return ERR_OK;
}

static enum err read_address(const struct answer *r, const char *whose, const char *text, const char **out)
{
	struct error why;
	return inventory_address(r->d->arena, text, out, &why) ? wrong(r, "ansible_host of", whose, why.text) : ERR_OK;
}

static enum err read_keys(const struct answer *r, const char *whose, const json_t *v, struct draft_settings *s)
{
	size_t count = json_is_array(v) ? json_array_size(v) : 1;
	struct error why;
	if (count > INVENTORY_HOST_KEYS_MAX) return wrong(r, "rung_host_keys of", whose, "there are at most 16 host keys");
	s->host_keys = arena_alloc(r->d->arena, count * sizeof *s->host_keys);
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_is_array(v) ? json_array_get(v, i) : v);
		if (!text || host_key_normal(r->d->arena, text, &s->host_keys[i], &why))
			return wrong(r, "rung_host_keys of", whose, text ? why.text : "a host key is a text");
	}
	s->host_key_count = count;
	return ERR_OK;
}

static bool is_wanted(const struct answer *r, const char *key)
{
	for (size_t i = 0; i < r->command->label_count; i++)
		if (star_matches(r->command->labels[i], strlen(r->command->labels[i]), key, strlen(key), 0)) return true;
	return false;
}

static enum err read_labels(const struct answer *r, const char *whose, const json_t *vars, struct draft_settings *s)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)vars, key, v)
	{
		if (!is_wanted(r, key) || !draft_is_label_key(key) || strncmp(key, "ansible_", 8) == 0 || strncmp(key, "rung_", 5) == 0) continue;
		const char *text = scalar(r->d->arena, v);
		if (!text || !draft_is_label_value(text)) continue;
		if (!draft_label(r->d->arena, s, arena_strdup(r->d->arena, key), text)) return wrong(r, "variables of", whose, "a host has at most 64 labels");
	}
	return ERR_OK;
}

/* Ansible alone evaluates "{{ ... }}". What the file says in its place holds. */
static enum err check_template(const struct answer *r, const char *name, const char *whose, const char **text, bool is_said)
{
	if (!*text || !strstr(*text, "{{")) return ERR_OK;
	*text = NULL;
	if (is_said) return ERR_OK;
	return wrong(r, name, whose, "it is a template, which only Ansible evaluates: name the host in the file, and say it there");
}

static enum err read_variables(const struct answer *r, const char *whose, const json_t *vars, const struct draft_settings *file, struct draft_settings *s)
{
	const char *address = variable(r, vars, "ansible_host", "ansible_ssh_host"), *port = variable(r, vars, "ansible_port", "ansible_ssh_port");
	const char *login = variable(r, vars, "ansible_user", "ansible_ssh_user"), *jump = variable(r, vars, "rung_jump", "rung_jump");
	struct error why;
	enum err err = check_template(r, "ansible_host of", whose, &address, file->address);
	if (!err) err = check_template(r, "ansible_port of", whose, &port, file->port);
	if (!err) err = check_template(r, "ansible_user of", whose, &login, file->login);
	if (!err && address) err = read_address(r, whose, address, &s->address);
	if (!err && port) err = read_port(r, whose, port, &s->port);
	if (!err && login && !login_is_valid(login, strlen(login))) err = wrong(r, "ansible_user of", whose, "this is no name of an account");
	if (!err && jump && inventory_name(r->d->arena, jump, strlen(jump), &s->jump, &why)) err = wrong(r, "rung_jump of", whose, why.text);
	s->login = login;
	if (!err && json_object_get(vars, "rung_host_keys")) err = read_keys(r, whose, json_object_get(vars, "rung_host_keys"), s);
	return err ? err : read_labels(r, whose, vars, s);
}

/* ---- hosts and groups ---- */

static enum err host_of(const struct answer *r, const char *name, struct draft_host **out)
{
	const char *normal;
	struct error why;
	/* Ansible writes IPv6 addresses without brackets. */
	bool is_ipv6 = strspn(name, "0123456789abcdefABCDEF:") == strlen(name) && strchr(name, ':') != strrchr(name, ':');
	const char *text = is_ipv6 ? arena_printf(r->d->arena, "[%s]", name) : name;
	if (inventory_name(r->d->arena, text, strlen(text), &normal, &why)) return wrong(r, "the host", name, why.text);
	return draft_host(r->d, normal, DRAFT_COMMAND, out);
}

static enum err group_of(const struct answer *r, const char *name, size_t *out)
{
	enum err err = draft_group(r->d, name, out);
	return err ? error_context(r->e, "what the command of %s printed", r->d->file) : ERR_OK;
}

static enum err read_hosts(const struct answer *r, const char *group_name, const json_t *list, size_t group)
{
	size_t i;
	json_t *v;
	if (!json_is_array(list)) return wrong(r, "the group", group_name, "its hosts are a list of names");
	json_array_foreach((json_t *)list, i, v)
	{
		struct draft_host *h;
		if (!json_is_string(v)) return wrong(r, "the group", group_name, "its hosts are a list of names");
		enum err err = host_of(r, json_string_value(v), &h);
		if (err) return err;
		if (group != DRAFT_ALL) draft_list_add(r->d->arena, &h->groups, group);
	}
	return ERR_OK;
}

static enum err read_children(const struct answer *r, const char *group_name, const json_t *list, size_t group)
{
	size_t i;
	json_t *v;
	if (!json_is_array(list)) return wrong(r, "the group", group_name, "its children are a list of names");
	json_array_foreach((json_t *)list, i, v)
	{
		size_t child;
		if (!json_is_string(v)) return wrong(r, "the group", group_name, "its children are a list of names");
		if (strcmp(json_string_value(v), "ungrouped") == 0) continue;
		enum err err = group_of(r, json_string_value(v), &child);
		if (err) return err;
		if (group != DRAFT_ALL && child != DRAFT_ALL) draft_list_add(r->d->arena, &r->d->groups[child].parents, group);
	}
	return ERR_OK;
}

static enum err read_group(const struct answer *r, const char *name, const json_t *v)
{
	/* Ansible's own group of those that are in no other. */
	bool is_ungrouped = strcmp(name, "ungrouped") == 0;
	size_t group = DRAFT_ALL;
	const json_t *hosts = json_is_array(v) ? v : json_object_get(v, "hosts"), *children = json_object_get(v, "children"),
	             *vars = json_object_get(v, "vars");
	if (!json_is_array(v) && !json_is_object(v))
		return wrong(r, "the group", name, "a group is a list of hosts, or an object with hosts, children and vars");
	enum err err = is_ungrouped ? ERR_OK : group_of(r, name, &group);
	if (!err && hosts) err = read_hosts(r, name, hosts, group);
	if (!err && children) err = read_children(r, name, children, group);
	if (!err && vars && !json_is_object(vars)) err = wrong(r, "the group", name, "its vars are an object");
	if (!err && vars && !is_ungrouped) err = read_variables(r, name, vars, &r->d->groups[group].said[DRAFT_FILE], &r->d->groups[group].said[DRAFT_COMMAND]);
	r->d->groups[group].said[DRAFT_COMMAND].address = NULL; /* no group has one */
	return err;
}

static enum err read_host_variables(const struct answer *r, const json_t *all)
{
	const char *name;
	json_t *vars;
	if (!json_is_object(all)) return wrong(r, "_meta", "hostvars", "an object was expected, with an object for each host");
	json_object_foreach((json_t *)all, name, vars)
	{
		struct draft_host *h;
		if (!json_is_object(vars)) return wrong(r, "the variables of", name, "an object was expected");
		enum err err = host_of(r, name, &h);
		if (!err) err = read_variables(r, name, vars, &h->said[DRAFT_FILE], &h->said[DRAFT_COMMAND]);
		if (err) return err;
	}
	return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
	/* "web-2" before "web-10". */
	return strverscmp(((const struct draft_host *)a)->name, ((const struct draft_host *)b)->name);
}

/* Objects have no order, and some scripts print another one each time: those that only the command names stand by name. */
static void sort_hosts(struct draft *d)
{
	if (d->host_count > d->file_hosts) qsort(d->hosts + d->file_hosts, d->host_count - d->file_hosts, sizeof *d->hosts, by_name);
}

static enum err read_answer(const struct answer *r, const json_t *root)
{
	const char *name;
	json_t *v;
	enum err err = ERR_OK;
	const json_t *variables = json_object_get(json_object_get(root, "_meta"), "hostvars");
	json_object_foreach((json_t *)root, name, v) if (!err && strcmp(name, "_meta") != 0) err = read_group(r, name, v);
	if (!err && variables) err = read_host_variables(r, variables);
	if (!err) sort_hosts(r->d);
	return err;
}

enum err draft_read_ansible(struct draft *d, const struct inventory_command *command, const char *answer, size_t n)
{
	struct answer r = {d, command, d->e};
	json_t *root = json_parse(answer, n, DEPTH_MAX, d->e);
	if (!root) return error_context(d->e, "what the command of %s printed", d->file);
	enum err err = json_is_object(root)
	                   ? read_answer(&r, root)
	                   : error_set(d->e, ERR_INVALID,
	                               "what the command of %s printed: an object of groups was expected, as `ansible-inventory --list` prints", d->file);
	json_decref(root);
	return err == ERR_TOO_BIG ? error_context(d->e, "what the command of %s printed", d->file) : err;
}
