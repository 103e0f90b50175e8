#include "base/digest.h"
#include "base/json.h"
#include "modules/ssh/files.h"
#include "modules/ssh/settings.h"
#include "policy/host.h"
#include "policy/inventory.h"
#include "sandbox/callable.h"
#include "sandbox/hand.h"

#include <limits.h>
#include <string.h>

/* ssh.exec: a command on another host. */

static const struct shape arguments_of_exec[] = {
    {.key = "host", .kind = SHAPE_STRING, .is_required = true, .least = 1, .most = HOST_BYTES_MAX},
    {.key = "argv", .kind = SHAPE_LIST, .is_required = true, .least = 1, .most = CALLABLE_ARGUMENTS_BYTES_MAX, .of = &callable_word},
    {.key = "login", .kind = SHAPE_STRING, .least = 1, .most = LOGIN_BYTES_MAX},
    {.key = "as", .kind = SHAPE_STRING, .least = 1, .most = LOGIN_BYTES_MAX},
    {.key = "stdin", .kind = SHAPE_VALUE, .most = CALLABLE_ARGUMENTS_BYTES_MAX},
    {.key = "key", .kind = SHAPE_VALUE, .most = HOST_BYTES_MAX},
    {.key = NULL},
};

enum { MODE_BYTES_MAX = 5 };

static const struct shape arguments_of_put[] = {
    {.key = "host", .kind = SHAPE_STRING, .is_required = true, .least = 1, .most = HOST_BYTES_MAX},
    {.key = "path", .kind = SHAPE_STRING, .is_required = true, .least = 2, .most = PATH_MAX},
    {.key = "login", .kind = SHAPE_STRING, .least = 1, .most = LOGIN_BYTES_MAX},
    {.key = "key", .kind = SHAPE_VALUE, .most = HOST_BYTES_MAX},
    {.key = "mode", .kind = SHAPE_STRING, .least = 3, .most = MODE_BYTES_MAX},
    {.key = "stdin", .kind = SHAPE_VALUE, .is_required = true, .most = CALLABLE_ARGUMENTS_BYTES_MAX},
    {.key = NULL},
};

static const struct shape arguments_of_get[] = {
    {.key = "host", .kind = SHAPE_STRING, .is_required = true, .least = 1, .most = HOST_BYTES_MAX},
    {.key = "path", .kind = SHAPE_STRING, .is_required = true, .least = 2, .most = PATH_MAX},
    {.key = "login", .kind = SHAPE_STRING, .least = 1, .most = LOGIN_BYTES_MAX},
    {.key = "key", .kind = SHAPE_VALUE, .most = HOST_BYTES_MAX},
    {.key = NULL},
};

/* Whom a call goes to: the host as the inventory has it, and as whom. */
struct target {
	const struct inventory_host *host;
	const char *login;
};

static const char *login_of(const struct call_site *site, const struct inventory_host *host, const char *own)
{
	if (own) return own;
	if (host->login) return host->login;
	return site->ssh->login ? site->ssh->login : site->user;
}

static enum err target_find(struct arena *a, const struct call_site *site, const json_t *arguments, struct target *out, struct error *e)
{
	const char *login = json_str(arguments, "login", NULL);
	if (!site->inventory) {
		must(site->no_inventory.kind != ERR_OK);
		if (e) *e = site->no_inventory;
		return site->no_inventory.kind;
	}
	enum err err = inventory_reach(a, site->inventory, json_str(arguments, "host", ""), &out->host, e);
	if (err) return err;
	out->login = login_of(site, out->host, login);
	if (!login_is_valid(out->login, strlen(out->login))) return error_set(e, ERR_INVALID, "\"%.64s\" is no user to log in as", out->login);
	return ERR_OK;
}

static const char *bad_key(const json_t *arguments)
{
	bool is_bad = json_object_get(arguments, "key") && !json_str(json_obj(arguments, "key"), "secret", NULL);
	return is_bad ? "key must be a secret" : NULL;
}

/* [LOGIN@]HOST put PATH: below the folder that the configuration names. */
static const char *request_file(struct arena *a, const json_t *arguments, const struct call_site *site, const char *verb, struct call_request *out)
{
	struct error e;
	struct target t;
	const char *path = json_str(arguments, "path", ""), *folder = site->ssh->files;
	size_t n = folder ? strlen(folder) : 0;
	*out = (struct call_request){.kind = "ssh", .words = arena_alloc(a, 3 * sizeof *out->words), .count = 3};
	if (bad_key(arguments)) return bad_key(arguments);
	if (target_find(a, site, arguments, &t, &e) || file_path_check(path, &e)) return arena_strdup(a, e.text);
	if (!folder) return "files are put and got below one folder of the hosts, which .rung/config.yaml names: write ssh: {files: /srv/rung}, say";
	if (strncmp(path, folder, n) != 0 || path[n] != '/')
		return arena_printf(a, "the file %.200s is not below %.200s, the folder for files (ssh: files)", path, folder);
	out->words[0] = arena_printf(a, "%s@%s", t.login, t.host->name);
	out->words[1] = verb;
	out->words[2] = path;
	return NULL;
}

static const char *request_put(struct arena *a, const json_t *arguments, const struct call_site *site, struct call_request *out)
{
	const char *mode = json_str(arguments, "mode", "0644");
	if (strspn(mode, "01234567") != strlen(mode)) return "mode must be octal digits, such as \"0640\"";
	return request_file(a, arguments, site, "put", out);
}

static const char *request_get(struct arena *a, const json_t *arguments, const struct call_site *site, struct call_request *out)
{
	return request_file(a, arguments, site, "get", out);
}

static const char *request(struct arena *a, const json_t *arguments, const struct call_site *site, struct call_request *out)
{
	struct error e;
	struct target t;
	const json_t *argv = json_arr(arguments, "argv");
	const char *as = json_str(arguments, "as", NULL);
	*out = (struct call_request){.kind = "ssh", .words = arena_alloc(a, (json_array_size(argv) + 4) * sizeof *out->words)};
	if (target_find(a, site, arguments, &t, &e)) return arena_strdup(a, e.text);
	if (bad_key(arguments)) return bad_key(arguments);
	if (as && !login_is_valid(as, strlen(as))) return "as must be the name of a user";
	out->words[out->count++] = arena_printf(a, "%s@%s", t.login, t.host->name);
	if (as) {
		out->words[out->count++] = "as";
		out->words[out->count++] = as;
	}
	out->words[out->count++] = "--";
	return callable_argv(argv, out);
}

/* ---- what the actor gets ---- */

static void add_way(const struct call_site *site, const struct target *t, json_t *head, int jumps)
{
	json_t *keys = json_array();
	for (size_t i = 0; i < t->host->host_key_count; i++) json_array_append_new(keys, json_string(t->host->host_keys[i]));
	json_object_set_new(head, "host", json_string(t->host->name));
	json_object_set_new(head, "address", json_string(t->host->address));
	json_object_set_new(head, "port", json_integer(t->host->port));
	json_object_set_new(head, "login", json_string(t->login));
	json_object_set_new(head, "host_keys", keys);
	const struct inventory_host *by = t->host->jump && jumps < INVENTORY_JUMPS_MAX ? inventory_find(site->inventory, t->host->jump) : NULL;
	if (!by) return;
	json_t *jump = json_object();
	struct target through = {.host = by, .login = login_of(site, by, NULL)};
	add_way(site, &through, jump, jumps + 1);
	json_object_set_new(head, "jump", jump);
}

static json_t *list_of(const char *const *texts, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++) json_array_append_new(list, json_string(texts[i]));
	return list;
}

static void add_settings(const struct ssh_settings *s, json_t *head)
{
	static const char *const usual[] = {"~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"};
	bool has = s->has_known_hosts;
	json_object_set_new(head, "known_hosts", list_of(has ? s->known_hosts : usual, has ? s->known_host_count : sizeof usual / sizeof *usual));
	if (s->has_identities) json_object_set_new(head, "identities", list_of(s->identities, s->identity_count));
	if (s->agent) json_object_set_new(head, "agent", json_string(s->agent));
}

/* Everything but the words. */
static enum err frame_with(const struct call_site *site, const json_t *arguments, json_t *argv, json_t *head, struct buf *payload, struct error *e)
{
	struct target t;
	const json_t *input = json_object_get(arguments, "stdin");
	const char *key = json_str(json_obj(arguments, "key"), "secret", NULL);
	struct arena *a = arena_new();
	enum err err = target_find(a, site, arguments, &t, e);
	if (!err) {
		add_way(site, &t, head, 0);
		add_settings(site->ssh, head);
		json_object_set(head, "argv", argv);
		if (json_str(arguments, "as", NULL)) json_object_set(head, "as", json_object_get(arguments, "as"));
		if (site->key) json_object_set_new(head, "key", json_string(site->key));
		if (key) json_object_set_new(head, "key_secret", json_string(key));
		if (input) json_bytes_get(input, payload);
	}
	arena_free(a);
	return err;
}

static enum err frame(const struct call_site *site, const json_t *arguments, json_t *head, struct buf *payload, struct error *e)
{
	return frame_with(site, arguments, json_arr(arguments, "argv"), head, payload, e);
}

/* The shell's half of files: files.sh. */
static enum err frame_file(const struct call_site *site, const json_t *arguments, const char *verb, const char *digest, json_t *head, struct buf *payload,
                           struct error *e)
{
	json_t *argv = json_pack("[s,s,s,s,s,s,s,s,s]", "sh", "-c", ssh_files_text, "rung-files", verb, site->ssh->files ? site->ssh->files : "",
	                         json_str(arguments, "path", ""), json_str(arguments, "mode", "0644"), digest);
	enum err err = frame_with(site, arguments, argv, head, payload, e);
	json_decref(argv);
	return err;
}

/* A secret's digest would say something of it. */
static enum err frame_put(const struct call_site *site, const json_t *arguments, json_t *head, struct buf *payload, struct error *e)
{
	char digest[DIGEST_HEX_BYTES] = "-";
	struct buf content;
	buf_init(&content, CALLABLE_ARGUMENTS_BYTES_MAX);
	if (json_bytes_get(json_object_get(arguments, "stdin"), &content)) digest_sha256_hex(digest, content.data ? content.data : "", content.len);
	buf_clear(&content);
	return frame_file(site, arguments, "put", digest, head, payload, e);
}

static enum err frame_get(const struct call_site *site, const json_t *arguments, json_t *head, struct buf *payload, struct error *e)
{
	return frame_file(site, arguments, "get", "-", head, payload, e);
}

/* On the host, below the home of who logs in. The name is no text of the inventory's: it stands in records. */
static const char *place(struct arena *a, const json_t *arguments, const struct call_site *site)
{
	struct target t;
	char digest[DIGEST_HEX_BYTES];
	if (target_find(a, site, arguments, &t, NULL)) return "receipts:host:none";
	const char *where = arena_printf(a, "%s\n%s\n%d", t.login, t.host->address, t.host->port);
	digest_sha256_hex(digest, where, strlen(where));
	return arena_printf(a, "receipts:host:%.16s", digest);
}

/* ssh.left: hosts that ssh.each did not start on, since it stopped. Nothing happens but that it is recorded. */
static const struct shape left_host = {.key = "a host", .kind = SHAPE_BYTES, .most = CALLABLE_ARGUMENTS_BYTES_MAX};

static const struct shape arguments_of_left[] = {
    {.key = "hosts", .kind = SHAPE_LIST, .is_required = true, .least = 1, .most = CALLABLE_ARGUMENTS_BYTES_MAX, .of = &left_host},
    {.key = "argv", .kind = SHAPE_LIST, .is_required = true, .least = 1, .most = CALLABLE_ARGUMENTS_BYTES_MAX, .of = &callable_word},
    {.key = "login", .kind = SHAPE_STRING, .least = 1, .most = LOGIN_BYTES_MAX},
    {.key = "as", .kind = SHAPE_STRING, .least = 1, .most = LOGIN_BYTES_MAX},
    {.key = NULL},
};

static const struct callable callables[] = {
    {"exec", CALLABLE_ACTOR, EFFECT_ONCE, arguments_of_exec, callable_sent_options, request, frame, place},
    {"put", CALLABLE_ACTOR, EFFECT_IDEMPOTENT, arguments_of_put, callable_sent_options, request_put, frame_put, place},
    {"get", CALLABLE_ACTOR, EFFECT_READ, arguments_of_get, callable_sent_options, request_get, frame_get, place},
    {"left", CALLABLE_ENGINE, EFFECT_READ, arguments_of_left, callable_no_options, NULL, NULL, NULL},
    {.function = NULL},
};

const struct module module_ssh = {"ssh", callables, &ssh_hand};
