#include "service/secret.h"
#include "base/fs.h"
#include "policy/secrets.h"
#include "policy/url.h"
#include "sandbox/redact.h"
#include "sandbox/secret_file.h"
#include "sandbox/wire.h"
#include "service/configure.h"
#include "service/owned_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As sandbox/redact.h has them: what an actor would refuse later is refused at once. */
enum { SECRETS_FILE_BYTES_MAX = 1 << 20, SECRET_BYTES_MIN = REDACT_VALUE_BYTES_MIN, SECRET_BYTES_MAX = REDACT_VALUE_BYTES_MAX, VAULT_RETRIES = 2 };

/* ---- parameters ---- */

static const char param_prefix[] = "param:";

/* The parameter behind a name of a secret, or NULL. */
static const char *param_of(const char *name)
{
	return strncmp(name, param_prefix, sizeof param_prefix - 1) == 0 ? name + sizeof param_prefix - 1 : NULL;
}

static enum err check_params(const struct execution *x, struct error *e)
{
	const char *name;
	json_t *v;
	json_object_foreach(x->secret_params, name, v)
	{
		size_t n = json_string_length(v);
		if (n >= SECRET_BYTES_MIN && n <= SECRET_BYTES_MAX) continue;
		return error_set(e, ERR_INVALID, "the parameter %s is a secret, and one has %d bytes to %d KiB: a shorter one cannot be taken out of output",
		                 name, SECRET_BYTES_MIN, SECRET_BYTES_MAX >> 10);
	}
	return ERR_OK;
}

enum err secret_take_params(struct execution *x, struct error *e)
{
	book_take_secrets(x->book, x->params, x->secret_params);
	return check_params(x, e);
}

json_t *secret_missing_params(const struct execution *x)
{
	json_t *list = json_array();
	for (size_t i = 0; i < x->book->param_count; i++) {
		const struct book_param *p = &x->book->params[i];
		bool is_there = json_object_get(x->secret_params, p->name) || json_object_get(x->secret_aliases, p->name);
		if (p->type == PARAM_SECRET && json_object_get(x->params, p->name) && !is_there) json_array_append_new(list, json_string(p->name));
	}
	return list;
}

enum err secret_give_params(struct execution *x, const json_t *given, struct error *e)
{
	json_t *missing = secret_missing_params(x), *v;
	size_t i;
	json_array_foreach(missing, i, v)
	{
		json_t *value = json_object_get(given, json_string_value(v));
		if (json_is_string(value)) json_object_set(x->secret_params, json_string_value(v), value);
	}
	json_decref(missing);
	missing = secret_missing_params(x);
	enum err err = check_params(x, e);
	if (!err && json_array_size(missing))
		err = error_set(e, ERR_INVALID,
		                "the parameter %s is a secret, which is never stored: give it again (rung resume asks for it on a terminal, or takes it from "
		                "RUNG_SECRET_%s)",
		                json_string_value(json_array_get(missing, 0)), json_string_value(json_array_get(missing, 0)));
	json_decref(missing);
	return err;
}

void secret_forget_params(struct execution *x)
{
	const char *name;
	json_t *v;
	json_object_foreach(x->secret_params, name, v) json_wipe(v);
	json_decref(x->secret_params);
}

/* ---- calls ---- */

static void add_name(const json_t *v, void *names)
{
	const char *name = json_str(v, "secret", NULL);
	if (name) json_object_set_new(names, name, json_true());
}

json_t *secret_names(const struct callable *what, const json_t *arguments)
{
	json_t *names = json_object();
	shape_each(what->arguments, arguments, SHAPE_VALUE, add_name, names);
	return names;
}

struct right secret_right(struct execution *x, size_t step, bool is_read_only, const json_t *names)
{
	struct right r = {.is_allowed = true};
	const char *name;
	json_t *v;
	json_object_foreach((json_t *)names, name, v)
	{
		if (param_of(name)) continue; /* whoever started it gave it to this book */
		r = execution_right(x, step, is_read_only, "secret", &name, 1);
		if (!r.is_allowed) return r;
	}
	return r;
}

void secret_record(struct execution *x, const struct call *c, const json_t *names)
{
	json_t *list = json_array(), *v;
	const char *name;
	json_object_foreach((json_t *)names, name, v) json_array_append_new(list, json_string(name));
	if (json_array_size(list) == 0) {
		json_decref(list);
		return;
	}
	json_t *d = json_pack("{s:o}", "names", list);
	execution_emit(x, (struct emit){.kind = RECORD_SECRET_USED, .step = c->step, .attempt = c->attempt, .call = c->number, .data = d}, NULL);
}

/* ---- where values come from ---- */

/* Whose they are: an execution, or the engine itself for the workspace at root. */
struct secret_place {
	const struct engine *engine;
	const char *root;      /* the workspace whose secrets.yaml names them */
	const char *execution; /* "": none */
	const json_t *params;  /* values of parameters of type secret; may be NULL */
	const json_t *aliases; /* parameters that are another secret: {parameter: name}; may be NULL */
};

/* An empty list where there is no file. */
static enum err read_file(const struct secret_place *at, struct arena *a, struct secrets **out, struct error *e)
{
	char *path = mem_printf("%s/.rung/secrets.yaml", at->root); /* beside the policy that says who may use them */
	struct buf b;
	buf_init(&b, SECRETS_FILE_BYTES_MAX);
	/* It names files that the engine reads, and commands that need no right of their own. */
	enum err err = owned_file_read(path, at->engine->commands_as, &b, e);
	if (err == ERR_NOT_FOUND) err = ERR_OK;
	if (!err) err = secrets_parse(a, path, b.data ? b.data : "version: 1\n", b.data ? b.len : 11, out, e);
	buf_clear(&b);
	free(path);
	return err;
}

static json_t *command_source(const struct secret_place *at, const struct secret_source *s)
{
	json_t *argv = json_array();
	for (size_t i = 0; i < s->word_count; i++) json_array_append_new(argv, json_string(s->words[i]));
	/* Programs that keep secrets look into the home of their user. */
	json_t *given = json_pack("{s:s*}", "HOME", getenv("HOME"));
	json_t *source = json_pack("{s:o,s:o,s:s,s:I}", "argv", argv, "env", engine_environment(at->engine, at->execution, given), "cwd", at->root,
	                           "timeout_us", (json_int_t)s->timeout_us);
	json_decref(given);
	return source;
}

static json_t *value_source(const void *value, size_t n)
{
	return json_pack("{s:o}", "value", json_bytes(value, n));
}

/* An actor of the engine's user reads it itself. One of another user, who shall not be able to, gets the value. */
static enum err file_source(const struct secret_place *at, const struct secret_source *s, json_t **out, struct error *e)
{
	char *path = s->place[0] == '/' ? mem_strdup(s->place) : mem_printf("%s/%s", at->root, s->place);
	enum err err = ERR_OK;
	if (!at->engine->commands_as) {
		*out = json_pack("{s:s}", "file", path);
	} else {
		struct buf value;
		buf_init(&value, SECRET_BYTES_MAX + 2); /* a line's end may follow */
		err = secret_file_read(path, geteuid(), &value, e) ? error_context(e, "secret %s", s->name) : ERR_OK;
		secret_cut_newline(&value);
		if (!err) err = secret_check(s->name, &value, e);
		if (!err) *out = value_source(value.data, value.len);
		buf_wipe(&value);
	}
	free(path);
	return err;
}

/* The request that the actor's hand for HTTP makes; its token is another source of the same frame. The file names the host: it may be one on the inside. */
static json_t *vault_source(const struct secret_place *at, const struct secret_source *s)
{
	struct arena *a = arena_new();
	struct url u;
	must(url_parse(a, s->place, &u, NULL) == ERR_OK);
	json_t *headers = json_pack("{s:s,s:s*}", "X-Vault-Request", "true", "X-Vault-Namespace", s->vault_namespace);
	json_t *request = json_pack("{s:s,s:s,s:s,s:i,s:b,s:b,s:b,s:i,s:s*,s:o}", "method", "GET", "url", u.text, "host", u.host, "port", (int)u.port,
	                            "is_address", u.host_kind != HOST_NAME, "is_named", 1, "repeats", 1, "retries", VAULT_RETRIES, "ca_file",
	                            at->engine->config->http_ca, "headers", headers);
	arena_free(a);
	return json_pack("{s:o,s:s,s:s,s:I}", "request", request, "field", s->field, "token", s->token, "timeout_us", (json_int_t)s->timeout_us);
}

static enum err source_of(const struct secret_place *at, const struct secrets *list, const char *name, json_t **out, struct error *e)
{
	const char *value, *param = param_of(name);
	/* A runbook's parameter may be a secret of the workspace that its parent named. */
	if (param && json_str(at->aliases, param, NULL)) name = json_str(at->aliases, param, NULL), param = param_of(name);
	const struct secret_source *s = secrets_find(list, name);
	json_t *given = param ? json_object_get(at->params, param) : NULL;
	if (given) {
		*out = value_source(json_string_value(given), json_string_length(given)); /* a copy, which is overwritten with the rest */
		return ERR_OK;
	}
	if (!s) return error_set(e, ERR_NOT_FOUND, "there is no secret %s: name its source in .rung/secrets.yaml, as `%s: {file: /path}`", name, name);
	switch (s->kind) {
	case SECRET_FILE:
		return file_source(at, s, out, e);
	case SECRET_COMMAND:
		*out = command_source(at, s);
		break;
	case SECRET_VAULT:
		*out = vault_source(at, s);
		break;
	case SECRET_ENVIRONMENT:
		value = getenv(s->place);
		if (!value) return error_set(e, ERR_NOT_FOUND, "the secret %s comes from %s, which the engine's environment does not have", name, s->place);
		*out = value_source(value, strlen(value));
		break;
	}
	return ERR_OK;
}

/* Those of earlier calls, for an actor that does not know them yet: it takes them out of what comes. What cannot be had is left out. */
static void add_earlier(const struct secret_place *at, const json_t *used, const struct secrets *list, json_t *sources)
{
	const char *name;
	json_t *v;
	json_object_foreach((json_t *)used, name, v)
	{
		json_t *source = NULL;
		if (json_object_get(sources, name) || source_of(at, list, name, &source, NULL)) continue;
		json_object_set_new(source, "is_optional", json_true());
		json_object_set_new(sources, name, source);
	}
}

/* What those of Vault are asked for with: another source, which nothing fails for where all that need it are of earlier calls. */
static enum err add_token(const struct secret_place *at, const struct secrets *list, const json_t *of, json_t *sources, struct error *e)
{
	const char *name = json_str(of, "token", NULL);
	bool is_optional = json_bool(of, "is_optional", false);
	json_t *source = name ? json_object_get(sources, name) : NULL;
	if (!name) return ERR_OK;
	if (source && !is_optional) json_object_del(source, "is_optional");
	if (source) return ERR_OK;
	enum err err = source_of(at, list, name, &source, e);
	if (err) return is_optional ? ERR_OK : err;
	if (is_optional) json_object_set_new(source, "is_optional", json_true());
	json_object_set_new(sources, name, source);
	return ERR_OK;
}

static enum err add_tokens(const struct secret_place *at, const struct secrets *list, json_t *sources, struct error *e)
{
	json_t *before = json_copy(sources), *source;
	const char *name;
	enum err err = ERR_OK;
	json_object_foreach(before, name, source) if (!err) err = add_token(at, list, source, sources, e);
	json_decref(before);
	return err;
}

/* earlier: names of those that an actor which has just started knows nothing of; NULL: none. */
static enum err sources_of(const struct secret_place *at, const json_t *names, const json_t *earlier, json_t *sources, struct error *e)
{
	struct arena *a = arena_new();
	struct secrets *list = NULL;
	const char *name;
	json_t *v;
	enum err err = read_file(at, a, &list, e);
	json_object_foreach((json_t *)names, name, v)
	{
		json_t *source = NULL;
		if (!err) err = source_of(at, list, name, &source, e);
		if (!err) json_object_set_new(sources, name, source);
	}
	if (!err && earlier) add_earlier(at, earlier, list, sources);
	if (!err) err = add_tokens(at, list, sources, e);
	arena_free(a);
	return err;
}

void secret_forget_sources(json_t *sources)
{
	const char *name;
	json_t *source;
	json_object_foreach(sources, name, source) json_wipe(json_object_get(source, "value"));
}

/* They are got at the same time, but one that is asked for with another. */
static int64_t longest_wait(const json_t *sources)
{
	int64_t most = 0;
	const char *name;
	json_t *source;
	json_object_foreach((json_t *)sources, name, source)
	{
		const json_t *token = json_object_get(sources, json_str(source, "token", ""));
		int64_t us = json_int(source, "timeout_us", 0) + json_int(token, "timeout_us", 0);
		if (us > most) most = us;
	}
	return most;
}

enum err secret_provide(struct execution *x, const struct callable *what, const json_t *arguments, json_t *head, int64_t *wait_us, struct error *e)
{
	struct secret_place at = {.engine = x->engine, .root = x->policy_root, .execution = x->id, .params = x->secret_params, .aliases = x->secret_aliases};
	json_t *names = secret_names(what, arguments), *sources = json_object();
	const char *input = json_str(json_obj(arguments, "stdin"), "secret", NULL);
	bool is_earlier_wanted = x->is_actor_new && json_object_size(x->secrets_used) > 0;
	enum err err = json_object_size(names) || is_earlier_wanted ? sources_of(&at, names, x->is_actor_new ? x->secrets_used : NULL, sources, e) : ERR_OK;
	/* A call without secrets of its own does not fail for those of others. */
	if (err && json_object_size(names) == 0) err = ERR_OK;
	if (input) json_object_set_new(head, "stdin_secret", json_string(input));
	if (!err && json_object_size(sources)) json_object_set(head, "secrets", sources);
	if (!err && json_object_size(sources) && json_dumpb(head, NULL, 0, JSON_COMPACT) > WIRE_HEAD_BYTES_MAX)
		err = error_set(e, ERR_TOO_BIG, "the command's arguments, environment and secrets are over %d KiB together", WIRE_HEAD_BYTES_MAX >> 10);
	if (!err) x->is_actor_new = false;
	*wait_us = err ? 0 : longest_wait(sources);
	if (err) secret_forget_sources(sources);
	json_decref(names);
	json_decref(sources);
	return err;
}

enum err secret_provide_engine(const struct engine *en, const char *root, const json_t *names, json_t *head, int64_t *wait_us, struct error *e)
{
	struct secret_place at = {.engine = en, .root = root, .execution = ""};
	json_t *sources = json_object();
	enum err err = json_object_size(names) ? sources_of(&at, names, NULL, sources, e) : ERR_OK;
	if (!err && json_object_size(sources)) json_object_set(head, "secrets", sources);
	*wait_us = err ? 0 : longest_wait(sources);
	if (err) secret_forget_sources(sources);
	json_decref(sources);
	return err;
}

static enum err read_value(const struct secret_place *at, const struct secret_source *s, struct buf *out, struct error *e)
{
	if (s->kind == SECRET_ENVIRONMENT) {
		const char *value = getenv(s->place);
		if (!value) return error_set(e, ERR_NOT_FOUND, "the secret %s comes from %s, which the engine's environment does not have", s->name, s->place);
		buf_str(out, value);
		return ERR_OK;
	}
	if (s->kind != SECRET_FILE)
		return error_set(e, ERR_INVALID, "the secret %s comes from a %s: what proves a delivery of alerts comes from a file or the environment",
		                 s->name, secret_kind_word(s->kind));
	char *path = s->place[0] == '/' ? mem_strdup(s->place) : mem_printf("%s/%s", at->root, s->place);
	enum err err = secret_file_read(path, geteuid(), out, e) ? error_context(e, "secret %s", s->name) : ERR_OK;
	secret_cut_newline(out);
	free(path);
	return err;
}

enum err secret_read(const struct engine *en, const char *root, const char *name, struct buf *out, struct error *e)
{
	struct secret_place at = {.engine = en, .root = root, .execution = ""};
	struct arena *a = arena_new();
	struct secrets *list = NULL;
	enum err err = read_file(&at, a, &list, e);
	const struct secret_source *s = err ? NULL : secrets_find(list, name);
	if (!err && !s) err = error_set(e, ERR_NOT_FOUND, "there is no secret %s: name its source in .rung/secrets.yaml, as `%s: {file: /path}`", name, name);
	if (!err) err = read_value(&at, s, out, e);
	if (!err) err = secret_check(name, out, e);
	arena_free(a);
	return err;
}
