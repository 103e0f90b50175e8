#include "modules/ssh/route.h"
#include "base/arena.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JUMPS_MAX = 8, PORT_MAX = 65535, KEY_BYTES_MAX = 65536, SECRET_BYTES_MAX = 65536 };

void route_free(struct route *r)
{
	if (!r) return;
	route_free(r->jump);
	for (size_t i = 0; i < r->host_key_count; i++) free(r->host_keys[i]);
	free(r->host_keys);
	buf_wipe(&r->secret_key);
	free(r->secret_name);
	free(r->host);
	free(r->address);
	free(r->login);
	free(r->key);
	free(r);
}

struct route *route_dup(const struct route *r)
{
	struct route *copy = r ? mem_zero(sizeof *copy) : NULL;
	if (!copy) return NULL;
	*copy = (struct route){.key = mem_strdup(r->key), .host = mem_strdup(r->host), .address = mem_strdup(r->address), .login = mem_strdup(r->login)};
	copy->port = r->port;
	copy->host_keys = mem_zero((r->host_key_count + 1) * sizeof *copy->host_keys);
	for (size_t i = 0; i < r->host_key_count; i++) copy->host_keys[copy->host_key_count++] = mem_strdup(r->host_keys[i]);
	copy->secret_name = mem_strdup(r->secret_name);
	buf_init(&copy->secret_key, SECRET_BYTES_MAX);
	buf_add(&copy->secret_key, r->secret_key.data, r->secret_key.len);
	copy->jump = route_dup(r->jump);
	return copy;
}

static char *text_of(const json_t *o, const char *name)
{
	const char *s = json_str(o, name, NULL);
	return s && *s ? mem_strdup(s) : NULL;
}

static void key_make(struct route *r)
{
	struct buf b;
	buf_init(&b, KEY_BYTES_MAX);
	buf_printf(&b, "%s\n%s\n%s\n%u\n%s", r->host, r->address, r->login, r->port, r->secret_name ? r->secret_name : "");
	for (size_t i = 0; i < r->host_key_count; i++) buf_printf(&b, "\n%s", r->host_keys[i]);
	if (r->jump) buf_printf(&b, "\nby\n%s", r->jump->key);
	r->key = buf_take(&b);
}

static void host_keys_read(struct route *r, const json_t *list)
{
	const json_t *v;
	size_t i;
	r->host_keys = mem_zero((json_array_size(list) + 1) * sizeof *r->host_keys);
	json_array_foreach(list, i, v) if (json_is_string(v)) r->host_keys[r->host_key_count++] = mem_strdup(json_string_value(v));
}

static enum err read_one(const json_t *head, int depth, struct route **out, struct error *e)
{
	json_int_t port = json_int(head, "port", 0);
	struct route *r = mem_zero(sizeof *r);
	enum err err = ERR_OK;
	buf_init(&r->secret_key, SECRET_BYTES_MAX);
	r->host = text_of(head, "host");
	r->address = text_of(head, "address");
	r->login = text_of(head, "login");
	r->secret_name = text_of(head, "key_secret");
	host_keys_read(r, json_arr(head, "host_keys"));
	if (!r->host || !r->address || !r->login || port < 1 || port > PORT_MAX || depth > JUMPS_MAX)
		err = error_set(e, ERR_PROTOCOL, "a host with address, port and login was expected");
	r->port = (unsigned)port;
	if (!err && json_obj(head, "jump")) err = read_one(json_obj(head, "jump"), depth + 1, &r->jump, e);
	if (err) {
		route_free(r);
		return err;
	}
	key_make(r);
	*out = r;
	return ERR_OK;
}

enum err route_read(const json_t *head, struct route **out, struct error *e)
{
	return read_one(head, 0, out, e);
}

const char *route_shown(const struct route *r)
{
	static char text[512];
	if (r->port == 22)
		snprintf(text, sizeof text, "%.200s@%.200s", r->login, r->host);
	else
		snprintf(text, sizeof text, "%.200s@%.200s (port %u)", r->login, r->host, r->port);
	return text;
}

size_t route_hash(const char *text)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) h = (h ^ *c) * UINT64_C(1099511628211);
	return (size_t)h;
}
