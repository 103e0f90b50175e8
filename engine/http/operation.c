#include "http/operation.h"
#include "base/log.h"
#include "http/route.h"
#include "http/stream.h"
#include "service/client.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ARGUMENTS_DEPTH_MAX = 32 };

static void forget(struct exchange *x)
{
	for (struct exchange **at = &x->http->asked; *at; at = &(*at)->next) {
		if (*at != x) continue;
		*at = x->next;
		break;
	}
	x->next = NULL;
	client_end(x->client);
	x->client = NULL;
}

static void fail(struct exchange *x, const json_t *error)
{
	struct error e;
	error_set(&e, err_from_name(json_str(error, "kind", NULL)), "%s", json_str(error, "text", ""));
	log_line(err_info(e.kind)->level, "http: %s: %s", x->principal, e.text);
	reply_problem(&x->reply, &e);
	if (e.kind == ERR_CLOSED) x->reply.retry_after_s = 5;
}

/* Answers end the request; events of executions that it attached itself to are nothing to one who asks once. */
static void said(struct client *c, const json_t *head, const void *payload, size_t n)
{
	struct exchange *x = c->sink_owner;
	if (!x || json_str(head, "ev", NULL)) return;
	json_t *value = json_object_get(head, "value");
	if (!json_bool(head, "ok", false))
		fail(x, json_obj(head, "error"));
	else if (n) {
		/* What is a frame's payload on the socket is one more member here. */
		json_t *whole = json_copy(value);
		json_object_set_new(whole, "payload", json_bytes(payload, n));
		reply_json(&x->reply, 200, whole);
		json_decref(whole);
	} else
		reply_json(&x->reply, 200, value);
	c->sink_owner = NULL;
	forget(x);
	exchange_done(x);
}

static size_t queued_bytes(const struct client *c)
{
	(void)c;
	return 0;
}

static void ended(struct client *c)
{
	(void)c; /* operation_end_all was before this */
}

static const struct client_sink sink = {said, queued_bytes, ended};

/* Who asks from afar knows a book by its path beneath the workspace. A new reference. */
static json_t *whole_path(const struct http *h, json_t *path)
{
	const char *text = json_string_value(path);
	if (!text || text[0] == '/' || !h->en->root) return json_incref(path);
	char *whole = mem_printf("%s/%s", h->en->root, text);
	json_t *v = json_string(whole);
	free(whole);
	return v;
}

static json_t *with_whole_paths(const struct http *h, const json_t *args)
{
	json_t *whole = json_copy((json_t *)args), *book = json_object_get(args, "book"), *books = json_arr(args, "books"), *v;
	size_t i;
	if (book) json_object_set_new(whole, "book", whole_path(h, book));
	if (!books) return whole;
	json_t *list = json_array();
	json_array_foreach(books, i, v) json_array_append_new(list, whole_path(h, v));
	json_object_set_new(whole, "books", list);
	return whole;
}

void operation_ask(struct exchange *x, const char *name, const json_t *args)
{
	struct http *h = x->http;
	x->client = client_new(h->en, x->principal, &sink, x);
	x->next = h->asked;
	h->asked = x;
	json_t *whole = with_whole_paths(h, args);
	operations_ask(x->client, 1, name, whole);
	json_decref(whole);
}

void operation_end_all(struct http *h)
{
	while (h->asked) {
		struct exchange *x = h->asked;
		x->client->sink_owner = NULL;
		forget(x);
		reply_status(&x->reply, 503, "the engine ends, and nobody knows yet what came of this: ask again for what you see of it");
		exchange_done(x);
	}
}

/* ---- routes ---- */

static bool is_json(const char *type)
{
	static const char json[] = "application/json";
	size_t n = sizeof json - 1;
	return !type || (strncasecmp(type, json, n) == 0 && strchr("; \t", type[n]));
}

void route_operation(struct exchange *x)
{
	const char *name = x->target.part[1];
	struct error e;
	json_t *args = NULL;
	enum operation_offer offer = operation_offered(name);
	if (offer == OPERATION_NONE) {
		reply_status(&x->reply, 404, "there is no operation of that name: GET /v1 lists them");
	} else if (offer == OPERATION_ON_SOCKET) {
		reply_status(&x->reply, 403, "this operation is offered on the engine's socket only");
	} else if (!is_json(x->content_type)) {
		reply_status(&x->reply, 400, "arguments are application/json");
	} else if (x->body.len == 0) {
		args = json_object();
	} else if (!(args = json_parse(x->body.data, x->body.len, ARGUMENTS_DEPTH_MAX, &e))) {
		reply_status(&x->reply, 400, "the arguments are no JSON that can be read: UTF-8, no key twice, nothing behind it");
	} else if (!json_is_object(args)) {
		reply_status(&x->reply, 400, "the arguments are a JSON object");
		json_decref(args);
		args = NULL;
	}
	if (args)
		operation_ask(x, name, args);
	else
		exchange_done(x);
	json_decref(args);
}

/* Operations that look, as a path: what the query says of them goes beside what the path does. */
void route_look(struct exchange *x)
{
	struct error e;
	json_t *args = json_object();
	if (target_read_query(x->target.query, args, &e)) {
		reply_status(&x->reply, 400, e.text);
		exchange_done(x);
	} else {
		if (x->route->argument) json_object_set_new(args, x->route->argument, json_string(x->target.part[2]));
		operation_ask(x, x->route->operation, args);
	}
	json_decref(args);
}

void route_events(struct exchange *x)
{
	uint64_t last = 0;
	struct error e;
	const char *text = x->last_event_id;
	/* An empty one is what a reader sends that has seen none. */
	bool has_last = text && *text;
	if (has_last && target_read_event_id(text, strlen(text), &last, &e)) {
		reply_status(&x->reply, 400, e.text);
		exchange_done(x);
		return;
	}
	stream_begin(x, x->target.part[2], has_last, last);
}

static json_t *limits_json(void)
{
	json_t *list = json_array();
	for (const struct http_limit *l = http_limits; l->name; l++)
		json_array_append_new(list, json_pack("{s:s,s:I,s:s,s:s}", "name", l->name, "value", (json_int_t)l->value, "unit", l->unit, "why", l->why));
	return list;
}

void route_index(struct exchange *x)
{
	static const char *const names[HTTP_METHOD_N] = {"GET", "POST"};
	json_t *list = json_array();
	for (const struct route *r = routes; r->path; r++)
		json_array_append_new(list, json_pack("{s:s,s:s,s:b}", "method", names[r->method], "path", r->path, "token", r->needs_token));
	json_t *v = json_pack("{s:s,s:s,s:o,s:o,s:o}", "version", RUNG_VERSION, "principal", x->principal, "operations", operations_json(), "routes", list,
	                      "limits", limits_json());
	reply_json(&x->reply, 200, v);
	json_decref(v);
	exchange_done(x);
}
