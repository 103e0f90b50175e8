#include "policy/secrets.h"
#include "base/yaml.h"
#include "policy/url.h"

#include <string.h>

enum { TIMEOUT_DEFAULT_US = 10000000, TIMEOUT_MOST_US = 300000000 };

static const char *const kind_words[] = {"file", "environment", "command", "vault"};

const char *secret_kind_word(enum secret_kind kind)
{
	return kind_words[kind];
}

bool secret_name_is_valid(const char *name)
{
	size_t n = strlen(name);
	return n > 0 && n <= SECRET_NAME_BYTES_MAX && name[0] != '-' && name[0] != '.' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
}

static enum err read_place(const struct yaml *v, struct secret_source *s, struct error *e)
{
	enum err err = yaml_text(v, s->kind == SECRET_FILE ? "the path of a secret's file" : "the name of an environment variable", &s->place, e);
	if (!err && s->kind == SECRET_ENVIRONMENT && strchr(s->place, '='))
		err = yaml_wrong(v, e, "the name of an environment variable was expected, as API_TOKEN; the value never stands in this file");
	return err;
}

static enum err read_timeout(const struct yaml *entry, struct secret_source *s, struct error *e)
{
	const struct yaml *timeout = yaml_get(entry, "timeout");
	s->timeout_us = TIMEOUT_DEFAULT_US;
	enum err err = timeout ? yaml_duration(timeout, "the timeout of a secret", &s->timeout_us, e) : ERR_OK;
	if (!err && (s->timeout_us <= 0 || s->timeout_us > TIMEOUT_MOST_US))
		err = yaml_wrong(timeout, e, "the timeout of a secret is more than 0 and at most 5m");
	return err;
}

static enum err read_command(struct arena *a, const struct yaml *entry, const struct yaml *v, struct secret_source *s, struct error *e)
{
	struct yaml **items;
	if (v->kind != YAML_LIST) return yaml_wrong(v, e, "the command of a secret is a list of its arguments, as [pass, show, db]: there is no shell");
	enum err err = yaml_texts(v, "the command of a secret", &items, &s->word_count, a, e);
	if (err) return err;
	if (s->word_count == 0 || s->word_count > SECRET_COMMAND_WORDS_MAX)
		return yaml_wrong(v, e, "the command of a secret has 1 to %d arguments", SECRET_COMMAND_WORDS_MAX);
	s->words = arena_alloc(a, s->word_count * sizeof *s->words);
	for (size_t i = 0; i < s->word_count; i++) s->words[i] = items[i]->text;
	return read_timeout(entry, s, e);
}

/* URL of address and path; field, token and namespace. */
static enum err read_vault(struct arena *a, const struct yaml *entry, const struct yaml *v, struct secret_source *s, struct error *e)
{
	static const char *const keys[] = {"address", "path", "field", "token", "namespace", NULL};
	const char *texts[5] = {NULL};
	struct url u;
	struct error why;
	if (v->kind != YAML_MAP)
		return yaml_wrong(v, e, "a secret of Vault is written {vault: {address: URL, path: secret/data/NAME, field: NAME, token: SECRET}}");
	enum err err = yaml_keys(v, "vault", keys, e);
	for (size_t i = 0; !err && keys[i]; i++) {
		const struct yaml *text = yaml_get(v, keys[i]);
		if (!text && i < 4) return yaml_wrong(v, e, "a secret of Vault needs %s", keys[i]);
		if (text) err = yaml_text(text, keys[i], &texts[i], e);
	}
	if (err) return err;
	const char *address = texts[0], *path = texts[1] + strspn(texts[1], "/");
	size_t n = strlen(address);
	while (n && address[n - 1] == '/') n--;
	if (url_parse(a, arena_printf(a, "%.*s/v1/%s", (int)n, address, path), &u, &why) || u.query)
		return yaml_wrong(yaml_get(v, "path"), e, "address and path are no URL that can be asked for: %s", u.query ? "it has a \"?\"" : why.text);
	if (!secret_name_is_valid(texts[3])) return yaml_wrong(yaml_get(v, "token"), e, "token is the name of another secret, never the token itself");
	s->place = u.text, s->field = texts[2], s->token = texts[3], s->vault_namespace = texts[4];
	return read_timeout(entry, s, e);
}

static enum err read_source(struct arena *a, const struct yaml *key, const struct yaml *v, struct secret_source *s, struct error *e)
{
	static const char *const keys[] = {"file", "environment", "command", "vault", "timeout", NULL};
	enum err err = ERR_OK;
	size_t found = 0;
	s->name = key->text;
	s->line = key->line;
	if (!secret_name_is_valid(key->text))
		return yaml_wrong(key, e, "\"%.80s\" cannot name a secret: use letters, digits, \"-\", \"_\" and \".\", at most %d", key->text,
		                  SECRET_NAME_BYTES_MAX);
	if (v->kind != YAML_MAP)
		return yaml_wrong(v, e, "the secret %s names its source, as {file: /etc/rung/%s}; its value never stands in this file", s->name, s->name);
	err = yaml_keys(v, "a secret", keys, e);
	if (err) return err;
	for (size_t i = 0; i < sizeof kind_words / sizeof *kind_words; i++)
		if (yaml_get(v, kind_words[i])) s->kind = (enum secret_kind)i, found++;
	if (found != 1) return yaml_wrong(v, e, "the secret %s needs one of file, environment, command and vault", s->name);
	const struct yaml *place = yaml_get(v, kind_words[s->kind]);
	if (s->kind == SECRET_COMMAND) return read_command(a, v, place, s, e);
	if (s->kind == SECRET_VAULT) return read_vault(a, v, place, s, e);
	if (yaml_get(v, "timeout")) return yaml_wrong(yaml_get(v, "timeout"), e, "only a command and vault have a timeout");
	return read_place(place, s, e);
}

/* The token of Vault comes from elsewhere. */
static enum err check_tokens(const struct yaml *list, const struct secrets *s, struct error *e)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->sources[i].kind != SECRET_VAULT) continue;
		const struct secret_source *token = secrets_find(s, s->sources[i].token);
		if (!token) return yaml_wrong(list->items[i], e, "the token of %s, %s, is no secret of this file", s->sources[i].name, s->sources[i].token);
		if (token->kind == SECRET_VAULT)
			return yaml_wrong(list->items[i], e, "the token of %s, %s, comes from Vault itself: name one from a file, the environment or a command",
			                  s->sources[i].name, s->sources[i].token);
	}
	return ERR_OK;
}

enum err secrets_parse(struct arena *a, const char *file, const char *bytes, size_t n, struct secrets **out, struct error *e)
{
	static const char *const keys[] = {"version", "secrets", NULL};
	struct secrets *s = arena_alloc(a, sizeof *s);
	struct yaml *top;
	int64_t version = 1;
	enum err err = yaml_read(a, file, bytes, n, &top, e);
	if (!err) err = yaml_map(top, "the file", e);
	if (!err) err = yaml_keys(top, "the file", keys, e);
	if (!err && !yaml_get(top, "version")) err = yaml_wrong(top, e, "write `version: 1` first");
	if (!err) err = yaml_int(yaml_get(top, "version"), "the version", 1, 1, &version, e);
	const struct yaml *list = err ? NULL : yaml_get(top, "secrets");
	if (list) err = yaml_map(list, "secrets", e);
	*out = s;
	if (err || !list) return err;
	if (list->count > SECRETS_MAX) return yaml_wrong(list, e, "there are %zu secrets, at most %d are possible", list->count, SECRETS_MAX);
	s->sources = arena_alloc(a, list->count * sizeof *s->sources);
	for (; !err && s->count < list->count; s->count++) err = read_source(a, list->keys[s->count], list->items[s->count], &s->sources[s->count], e);
	return err ? err : check_tokens(list, s, e);
}

const struct secret_source *secrets_find(const struct secrets *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->sources[i].name, name) == 0) return &s->sources[i];
	return NULL;
}
