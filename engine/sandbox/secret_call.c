#include "sandbox/secret_call.h"
#include "base/arena.h"
#include "base/json.h"
#include "sandbox/hand.h"
#include "sandbox/secret_file.h"
#include "sandbox/wire.h"

#include <stdlib.h>
#include <string.h>

bool secret_call_is_needed(const json_t *head)
{
	return json_object_size(json_obj(head, "secrets")) > 0;
}

static void fail(struct secret_call *c, const struct secret_value *v, const struct error *e)
{
	if (v->is_optional || c->err) return;
	c->err = e->kind;
	c->error = *e;
	error_context(&c->error, "secret %s", v->name);
}

/* The value is here: from now on it is taken out of everything. */
static void settle(struct secret_call *c, struct secret_value *v, struct redactor *r)
{
	struct error e;
	enum err err = secret_check(v->name, &v->bytes, &e);
	if (!err && !redactor_add(r, v->name, v->bytes.data, v->bytes.len))
		err = error_set(&e, ERR_FULL, "this execution has used %d different values of secrets, the most that can be taken out of what commands print",
		                REDACT_SECRETS_MAX);
	if (err) {
		fail(c, v, &e);
		buf_wipe(&v->bytes);
	}
}

static void fetch(struct secret_call *c, struct secret_value *v, struct redactor *r, const struct command_rules *rules)
{
	struct error e;
	const char *file = json_str(v->source, "file", NULL);
	json_t *value = json_object_get(v->source, "value");
	enum err err = ERR_OK;
	v->token = json_str(v->source, "token", NULL);
	if (v->token) return;
	if (json_arr(v->source, "argv"))
		err = actor_read_secret(c->actor, v->source, NULL, &v->reader, &e);
	else if (file)
		err = secret_file_read(file, rules->trusted_uid, &v->bytes, &e);
	else if (!json_bytes_get(value, &v->bytes))
		err = error_set(&e, ERR_PROTOCOL, "its source is none");
	json_wipe(value);
	if (file) secret_cut_newline(&v->bytes);
	if (err)
		fail(c, v, &e);
	else if (!v->reader)
		settle(c, v, r);
}

static struct secret_value *find(struct secret_call *c, const char *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->values[i].name, name) == 0) return &c->values[i];
	return NULL;
}

/* Has those got whose tokens are here. */
static void ask_with_tokens(struct secret_call *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct error e;
		struct secret_value *v = &c->values[i], *token = v->token ? find(c, v->token) : NULL;
		if (!v->token || (token && (token->reader || token->token))) continue;
		enum err err = token && token->bytes.len ? actor_read_secret(c->actor, v->source, &token->bytes, &v->reader, &e)
		                                         : error_set(&e, ERR_NOT_FOUND, "its token, the secret %s, could not be read", v->token);
		v->token = NULL;
		if (err) fail(c, v, &e);
	}
}

struct secret_call *secret_call_new(const json_t *head, const void *input, size_t n, struct redactor *r, const struct command_rules *rules, struct actor *a)
{
	struct secret_call *c = mem_zero(sizeof *c);
	json_t *sources = json_obj(head, "secrets"), *source;
	const char *name;
	c->id = json_int(head, "id", 0);
	c->head = json_incref((json_t *)head);
	c->actor = a;
	buf_init(&c->input, WIRE_PAYLOAD_BYTES_MAX);
	buf_add(&c->input, input, n);
	c->values = mem_zero((json_object_size(sources) + 1) * sizeof *c->values);
	json_object_foreach(sources, name, source)
	{
		struct secret_value *v = &c->values[c->count++];
		v->name = name;
		v->source = source;
		v->is_optional = json_bool(source, "is_optional", false);
		buf_init(&v->bytes, REDACT_VALUE_BYTES_MAX + 2);
		fetch(c, v, r, rules);
	}
	ask_with_tokens(c);
	return c;
}

void secret_call_free(struct secret_call *c)
{
	for (size_t i = 0; i < c->count; i++) buf_wipe(&c->values[i].bytes);
	free(c->values);
	buf_clear(&c->input);
	json_decref(c->head);
	free(c);
}

bool secret_call_waits(const struct secret_call *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->values[i].reader || c->values[i].token) return true;
	return false;
}

bool secret_call_take(struct secret_call *c, json_int_t id, const struct buf *value, const struct error *why, struct redactor *r)
{
	struct secret_value *v = c->values;
	while (v < c->values + c->count && v->reader != id) v++;
	if (v == c->values + c->count) return false;
	v->reader = 0;
	if (why) {
		fail(c, v, why);
	} else {
		buf_add(&v->bytes, value->data, value->len);
		v->bytes.is_full = value->is_full;
		secret_cut_newline(&v->bytes);
		settle(c, v, r);
	}
	ask_with_tokens(c);
	return true;
}

const struct buf *secret_call_value(const struct secret_call *c, const char *name)
{
	const struct secret_value *v = find((struct secret_call *)c, name);
	return v ? &v->bytes : NULL;
}
