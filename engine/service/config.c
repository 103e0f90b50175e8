#include "service/config.h"
#include "base/fs.h"
#include "base/yaml.h"
#include "policy/host.h"
#include "policy/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_MAX = 16, RATE_DEFAULT = 500, RATE_MAX = 1000000 };
#define DRAIN_US_DEFAULT INT64_C(30000000)
#define DRAIN_US_MAX INT64_C(3600000000)

/* ---- the values ---- */

struct reading {
	struct arena *arena;
	struct config *config;
	const char *name; /* of the key that is read, as people write it */
	struct error *error;
};

static const char *place_of(struct arena *a, const struct yaml *v)
{
	return arena_printf(a, "%s:%d:%d", v->file, v->line, v->column);
}

static enum err read_version(struct reading *r, const struct yaml *v)
{
	int64_t version;
	return yaml_int(v, r->name, 1, 1, &version, r->error);
}

static enum err read_sandbox(struct reading *r, const struct yaml *v)
{
	static const char *const words[] = {"offered", "require", NULL};
	size_t i = 0;
	enum err err = yaml_word(v, r->name, words, &i, r->error);
	r->config->is_sandbox_required = i == 1;
	r->config->sandbox_at = place_of(r->arena, v);
	return err;
}

static enum err read_commands_as(struct reading *r, const struct yaml *v)
{
	r->config->commands_as_at = place_of(r->arena, v);
	return yaml_text(v, r->name, &r->config->commands_as, r->error);
}

static enum err read_no_new_privileges(struct reading *r, const struct yaml *v)
{
	return yaml_bool(v, r->name, &r->config->rules.no_new_privileges, r->error);
}

static bool is_variable(const char *name)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_", rest[] = "0123456789";
	if (!*name || !strchr(first, *name)) return false;
	for (const char *p = name; *p; p++)
		if (!strchr(first, *p) && !strchr(rest, *p)) return false;
	return true;
}

static enum err read_environment(struct reading *r, const struct yaml *v)
{
	struct yaml **items;
	size_t n;
	enum err err = yaml_texts(v, r->name, &items, &n, r->arena, r->error);
	if (!err && n > CONFIG_NAMES_MAX) err = yaml_wrong(v, r->error, "%s has at most %d names, not %zu", r->name, CONFIG_NAMES_MAX, n);
	if (err) return err;
	r->config->environment = arena_alloc(r->arena, n * sizeof *r->config->environment);
	for (size_t i = 0; i < n; i++) {
		const char *name = items[i]->text;
		if (!is_variable(name)) return yaml_wrong(items[i], r->error, "%s has names of variables (letters, digits, _), not \"%.60s\"", r->name, name);
		if (strncmp(name, "RUNG_", 5) == 0)
			return yaml_wrong(items[i], r->error, "%s cannot have %.60s: rung itself sets what begins with RUNG_", r->name, name);
		r->config->environment[r->config->environment_count++] = name;
	}
	return ERR_OK;
}

/* ---- the table ---- */

struct key {
	const char *name, *value, *means;
	enum err (*read)(struct reading *r, const struct yaml *v); /* NULL: the rows of sub */
	const struct key *sub;
};

static enum err read_limits(struct reading *r, const struct yaml *v);

static const struct key commands_keys[] = {
    {"as", "NAME", "the user that commands run as; without it they run as the engine's own user, and nothing but that user confines them", read_commands_as,
     NULL},
    {"no_new_privileges", "true|false", "true: setuid programs (sudo, su, ping) gain nothing; false where nothing is said, since real runbooks use sudo",
     read_no_new_privileges, NULL},
    {"limits", "MAP", "limits of commands, each enforced by the kernel; none where nothing is said", read_limits, NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static enum err read_socket_path(struct reading *r, const struct yaml *v)
{
	r->config->socket_at = place_of(r->arena, v);
	enum err err = yaml_text(v, r->name, &r->config->socket_path, r->error);
	if (!err && r->config->socket_path[0] != '/') err = yaml_wrong(v, r->error, "%s is an absolute path, such as /run/rung/engine.sock", r->name);
	return err;
}

static enum err read_socket_group(struct reading *r, const struct yaml *v)
{
	return yaml_text(v, r->name, &r->config->socket_group, r->error);
}

static const struct key socket_keys[] = {
    {"path", "PATH", "where it stands; its folder must be there, and open to the group", read_socket_path, NULL},
    {"group", "NAME", "the group whose members may talk to the engine; what they may do the policy says", read_socket_group, NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static enum err read_http_ca(struct reading *r, const struct yaml *v)
{
	enum err err = yaml_text(v, r->name, &r->config->http_ca, r->error);
	if (!err && r->config->http_ca[0] != '/') err = yaml_wrong(v, r->error, "%s is an absolute path, such as /etc/ssl/certs/our-ca.pem", r->name);
	return err;
}

/* "http://proxy.example:3128", and nothing behind it. */
static enum err read_http_proxy(struct reading *r, const struct yaml *v)
{
	struct url u;
	struct error why;
	const char *text;
	enum err err = yaml_text(v, r->name, &text, r->error);
	if (err) return err;
	if (url_parse(r->arena, text, &u, &why)) return yaml_wrong(v, r->error, "%s is a URL, such as http://proxy.example:3128: %s", r->name, why.text);
	if (strcmp(u.scheme, "http") != 0 || strcmp(u.path, "/") != 0 || u.query || u.host_kind == HOST_IPV6)
		return yaml_wrong(v, r->error, "%s is http://, a name or an IPv4 address, and a port, such as http://proxy.example:3128", r->name);
	r->config->http_proxy = arena_printf(r->arena, "%s:%u", u.host, u.port);
	return ERR_OK;
}

static enum err read_http_direct(struct reading *r, const struct yaml *v)
{
	struct yaml **items;
	size_t n;
	enum err err = yaml_texts(v, r->name, &items, &n, r->arena, r->error);
	if (err) return err;
	const char **names = arena_alloc(r->arena, (n + 1) * sizeof *names);
	for (size_t i = 0; i < n; i++) names[i] = items[i]->text;
	names[n] = NULL;
	r->config->http_direct = names;
	return ERR_OK;
}

static enum err read_listen(struct reading *r, const struct yaml *v)
{
	return yaml_text(v, r->name, &r->config->listen, r->error); /* what it names is looked at by who listens */
}

static enum err read_tls_file(struct reading *r, const struct yaml *v, const char **out)
{
	r->config->tls_at = place_of(r->arena, v);
	enum err err = yaml_text(v, r->name, out, r->error);
	if (!err && (*out)[0] != '/') err = yaml_wrong(v, r->error, "%s is an absolute path, such as /etc/rung/tls.pem", r->name);
	return err;
}

static enum err read_tls_certificate(struct reading *r, const struct yaml *v)
{
	return read_tls_file(r, v, &r->config->tls_certificate);
}

static enum err read_tls_key(struct reading *r, const struct yaml *v)
{
	return read_tls_file(r, v, &r->config->tls_key);
}

static enum err read_drain(struct reading *r, const struct yaml *v)
{
	enum err err = yaml_duration(v, r->name, &r->config->drain_us, r->error);
	if (!err && (r->config->drain_us < 0 || r->config->drain_us > DRAIN_US_MAX)) err = yaml_wrong(v, r->error, "%s is at most 1h", r->name);
	return err;
}

static enum err read_rate(struct reading *r, const struct yaml *v)
{
	return yaml_int(v, r->name, 1, RATE_MAX, &r->config->rate, r->error);
}

static const struct key tls_keys[] = {
    {"certificate", "PATH", "the server's certificate and those between it and its authority (PEM)", read_tls_certificate, NULL},
    {"key", "PATH", "its private key (PEM)", read_tls_key, NULL},
    {NULL, NULL, NULL, NULL, NULL}};

/* "https://rung.example.net", with a path perhaps. */
static enum err read_http_public(struct reading *r, const struct yaml *v)
{
	struct url u;
	struct error why;
	const char *text;
	enum err err = yaml_text(v, r->name, &text, r->error);
	if (err) return err;
	if (url_parse(r->arena, text, &u, &why)) return yaml_wrong(v, r->error, "%s is a URL, such as https://rung.example.net: %s", r->name, why.text);
	if (strpbrk(u.text, "?#")) return yaml_wrong(v, r->error, "%s ends before any ? or #: paths are added to it", r->name);
	size_t n = strlen(u.text);
	while (n && u.text[n - 1] == '/') n--;
	r->config->http_public = arena_strndup(r->arena, u.text, n);
	return ERR_OK;
}

static const struct key http_keys[] = {
    {"public", "URL", "where others reach `rung serve`, as https://rung.example.net: links in messages begin so; without it messages have no link",
     read_http_public, NULL},
    {"ca", "PATH", "a file of certificates (PEM) that servers' certificates are checked against, in place of the system's", read_http_ca, NULL},
    {"proxy", "URL", "the proxy that HTTP requests of steps to names go through, as http://proxy.example:3128; addresses are asked directly", read_http_proxy,
     NULL},
    {"direct", "LIST", "names that are asked without the proxy, each with all below it: [example.net, intra.example.com]", read_http_direct, NULL},
    {"listen", "ADDRESS:PORT", "where `rung serve` listens; 127.0.0.1:7864 where nothing is said; an address that is not loopback takes tls", read_listen,
     NULL},
    {"tls", "MAP", "how `rung serve` is reached from other hosts; needs both keys", NULL, tls_keys},
    {"rate", "NUMBER", "requests a second that one principal may make of `rung serve`, on average; 500 where nothing is said", read_rate, NULL},
    {"drain", "DURATION", "how long executions may go on when `rung serve` is told to end; 30s where nothing is said", read_drain, NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static enum err read_ssh_login(struct reading *r, const struct yaml *v)
{
	enum err err = yaml_text(v, r->name, &r->config->ssh.login, r->error);
	if (!err && !login_is_valid(r->config->ssh.login, strlen(r->config->ssh.login)))
		err = yaml_wrong(v, r->error, "%s is a user's name: letters, digits and . _ - + $", r->name);
	return err;
}

/* Files, absolute or below the home of the user that the actor is. */
static enum err read_files(struct reading *r, const struct yaml *v, const char *const **out, size_t *count)
{
	struct yaml **items;
	size_t n;
	enum err err = yaml_texts(v, r->name, &items, &n, r->arena, r->error);
	if (!err && n > CONFIG_NAMES_MAX) err = yaml_wrong(v, r->error, "%s has at most %d files, not %zu", r->name, CONFIG_NAMES_MAX, n);
	if (err) return err;
	const char **files = arena_alloc(r->arena, (n + 1) * sizeof *files);
	for (size_t i = 0; i < n; i++) {
		files[i] = items[i]->text;
		if (files[i][0] != '/' && strncmp(files[i], "~/", 2) != 0)
			return yaml_wrong(items[i], r->error, "%s has absolute paths, or such as ~/.ssh/id_ed25519", r->name);
	}
	*out = files;
	*count = n;
	return ERR_OK;
}

static enum err read_ssh_identities(struct reading *r, const struct yaml *v)
{
	r->config->ssh.has_identities = true;
	return read_files(r, v, &r->config->ssh.identities, &r->config->ssh.identity_count);
}

static enum err read_ssh_known_hosts(struct reading *r, const struct yaml *v)
{
	r->config->ssh.has_known_hosts = true;
	return read_files(r, v, &r->config->ssh.known_hosts, &r->config->ssh.known_host_count);
}

static enum err read_ssh_agent(struct reading *r, const struct yaml *v)
{
	bool is_asked;
	enum err err = yaml_bool(v, r->name, &is_asked, r->error);
	if (!err && !is_asked) r->config->ssh.agent = NULL;
	return err;
}

static enum err read_ssh_files(struct reading *r, const struct yaml *v)
{
	enum err err = yaml_text(v, r->name, &r->config->ssh.files, r->error);
	struct error why;
	if (!err && file_path_check(r->config->ssh.files, &why)) err = yaml_wrong(v, r->error, "%s: %s", r->name, why.text);
	return err;
}

static const struct key ssh_keys[] = {
    {"login", "NAME", "whom to log in as where neither the call nor the inventory says; the engine's own user where nothing is said", read_ssh_login, NULL},
    {"identities", "[FILE, ...]",
     "private keys that hosts are shown, in this order; beside KEY a certificate KEY-cert.pub is used too; ~/.ssh/id_ed25519, id_ecdsa and id_rsa where "
     "nothing "
     "is said",
     read_ssh_identities, NULL},
    {"known_hosts", "[FILE, ...]", "files of host keys, for hosts whose inventory entry has none; the user's and the system's where nothing is said",
     read_ssh_known_hosts, NULL},
    {"agent", "true|false", "whether the agent in SSH_AUTH_SOCK of the engine's environment is asked behind the files; true where nothing is said",
     read_ssh_agent, NULL},
    {"files", "PATH", "the folder on hosts below which ssh.put and ssh.get have their files; they work nowhere where nothing is said", read_ssh_files, NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static const struct key top_keys[] = {
    {"version", "1", "the version of this file's form; must be there", read_version, NULL},
    {"sandbox", "require|offered",
     "require: the engine does not start without a system-call filter, Landlock and limits around each worker, and another user for commands; offered (where "
     "nothing is said): with what the host offers",
     read_sandbox, NULL},
    {"commands", "MAP", "how the commands of steps run", NULL, commands_keys},
    {"socket", "MAP", "another socket beside the one of the engine's own user, so that others can run, watch and approve; needs both keys", NULL, socket_keys},
    {"http", "MAP", "how HTTP requests are made, and where `rung serve` answers them", NULL, http_keys},
    {"environment", "[NAME, ...]", "variables of the engine's environment that commands get beside PATH, LC_ALL, HOME and RUNG_EXECUTION", read_environment,
     NULL},
    {"ssh", "MAP", "how other hosts are reached", NULL, ssh_keys},
    {NULL, NULL, NULL, NULL, NULL}};

static enum err read_limits(struct reading *r, const struct yaml *v)
{
	const char *names[COMMAND_LIMITS + 1] = {NULL};
	for (int i = 0; i < COMMAND_LIMITS; i++) names[i] = command_limits[i].name;
	enum err err = yaml_keys(v, r->name, names, r->error);
	for (int i = 0; !err && i < COMMAND_LIMITS; i++) {
		const struct yaml *value = yaml_get(v, names[i]);
		if (value) err = yaml_int(value, names[i], command_limits[i].least, command_limits[i].most, &r->config->rules.limits[i], r->error);
	}
	return err;
}

static enum err read_map(struct reading *r, const struct yaml *map, const char *what, const struct key *keys)
{
	const char *names[KEYS_MAX] = {NULL};
	for (size_t i = 0; keys[i].name; i++) names[i] = keys[i].name;
	enum err err = yaml_keys(map, what, names, r->error);
	for (const struct key *k = keys; !err && k->name; k++) {
		const struct yaml *value = yaml_get(map, k->name);
		r->name = k->name;
		if (value) err = k->read ? k->read(r, value) : read_map(r, value, k->name, k->sub);
	}
	return err;
}

enum err config_read(struct arena *a, const char *path, struct config *out, struct error *e)
{
	struct yaml *y;
	*out = (struct config){.rate = RATE_DEFAULT, .drain_us = DRAIN_US_DEFAULT};
	command_rules_init(&out->rules);
	out->ssh.agent = getenv("SSH_AUTH_SOCK");
	if (out->ssh.agent && !*out->ssh.agent) out->ssh.agent = NULL;
	enum err err = path ? yaml_read_file(a, path, path, &y, e) : ERR_NOT_FOUND;
	if (err == ERR_NOT_FOUND) return ERR_OK;
	if (err) return err;
	out->path = arena_strdup(a, path);
	struct reading r = {.arena = a, .config = out, .error = e};
	err = read_map(&r, y, "config.yaml", top_keys);
	if (!err && !out->socket_path != !out->socket_group) err = yaml_wrong(yaml_get(y, "socket"), e, "socket needs both path and group");
	if (!err && !out->tls_certificate != !out->tls_key) err = yaml_wrong(yaml_get(yaml_get(y, "http"), "tls"), e, "tls needs both certificate and key");
	if (!err && !yaml_get(y, "version")) err = yaml_wrong(y, e, "the file says which form it has: write version: 1");
	return err;
}

const char *config_path_beside(struct arena *a, const char *state_dir)
{
	char *folder = fs_dirname(state_dir);
	const char *slash = strrchr(folder, '/'), *name = slash ? slash + 1 : folder;
	const char *path = strcmp(name, ".rung") == 0 ? arena_printf(a, "%s/config.yaml", folder) : NULL;
	free(folder);
	return path;
}

/* ---- for others ---- */

static json_t *files_json(bool has, const char *const *files, size_t count)
{
	if (!has) return NULL;
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++) json_array_append_new(list, json_string(files[i]));
	return list;
}

json_t *config_json(const struct config *c)
{
	json_t *limits = json_object(), *environment = json_array();
	for (int i = 0; i < COMMAND_LIMITS; i++)
		if (c->rules.limits[i] != LIMIT_NONE) json_object_set_new(limits, command_limits[i].name, json_integer(c->rules.limits[i]));
	for (size_t i = 0; i < c->environment_count; i++) json_array_append_new(environment, json_string(c->environment[i]));
	json_t *ssh = json_pack("{s:s?,s:s?,s:o*,s:o*,s:b}", "login", c->ssh.login, "files", c->ssh.files, "identities",
	                        files_json(c->ssh.has_identities, c->ssh.identities, c->ssh.identity_count), "known_hosts",
	                        files_json(c->ssh.has_known_hosts, c->ssh.known_hosts, c->ssh.known_host_count), "agent", c->ssh.agent != NULL);
	return json_pack("{s:s,s:{s:s?,s:b,s:o},s:{s:s?,s:s?},s:{s:s?,s:s?,s:s?,s:{s:s?,s:s?},s:I,s:I},s:o,s:o}", "sandbox",
	                 c->is_sandbox_required ? "require" : "offered", "commands", "as", c->commands_as, "no_new_privileges", c->rules.no_new_privileges,
	                 "limits", limits, "socket", "path", c->socket_path, "group", c->socket_group, "http", "ca", c->http_ca, "public", c->http_public,
	                 "listen", c->listen, "tls", "certificate", c->tls_certificate, "key", c->tls_key, "rate", (json_int_t)c->rate, "drain_us",
	                 (json_int_t)c->drain_us, "environment", environment, "ssh", ssh);
}

static size_t count_of(const struct key *keys)
{
	size_t n = 0;
	while (keys[n].name) n++;
	return n;
}

bool config_key_info(size_t i, struct config_key_info *out)
{
	static char name[64];
	static const struct {
		const char *above;
		const struct key *keys;
	} tables[] = {{"", top_keys},       {"commands.", commands_keys}, {"socket.", socket_keys},
	              {"http.", http_keys}, {"http.tls.", tls_keys},      {"ssh.", ssh_keys}};
	for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
		size_t n = count_of(tables[t].keys);
		if (i < n) {
			snprintf(name, sizeof name, "%s%s", tables[t].above, tables[t].keys[i].name);
			*out = (struct config_key_info){name, tables[t].keys[i].value, tables[t].keys[i].means};
			return true;
		}
		i -= n;
	}
	if (i >= COMMAND_LIMITS) return false;
	snprintf(name, sizeof name, "commands.limits.%s", command_limits[i].name);
	*out = (struct config_key_info){name, "NUMBER", command_limits[i].means};
	return true;
}
