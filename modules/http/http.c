#include "modules/http/http.h"
#include "base/json.h"
#include "policy/url.h"
#include "sandbox/callable.h"
#include "sandbox/hand.h"

#include <string.h>

/* http.get and http.request: one request, no redirect followed. http.lua asks each hop as a call of its own, so that its right is checked and it is recorded.
 */

enum { METHOD_BYTES_MAX = 20, HEADERS_MAX = 100, PIECES_MAX = 1000, PEM_BYTES_MAX = 512 << 10 };
#define STAGE_US_MAX INT64_C(3600000000)

static const char *const looking_methods[] = {"GET", "HEAD", "OPTIONS", NULL};
static const char *const escapes[] = {"raw", "json", "form", NULL};

static const struct shape header = {.key = "a header", .kind = SHAPE_VALUE, .most = HTTP_HEADER_BYTES_MAX};

static const struct shape piece[] = {
    {.key = "value", .kind = SHAPE_VALUE, .is_required = true, .most = CALLABLE_ARGUMENTS_BYTES_MAX},
    {.key = "as", .kind = SHAPE_WORD, .words = escapes},
    {.key = NULL},
};

static const struct shape body = {.key = "a piece", .kind = SHAPE_OBJECT, .of = piece};

/* clang-format off */
#define SENT_MEMBERS \
	{.key = "url", .kind = SHAPE_BYTES, .is_required = true, .least = 1, .most = 4 * URL_BYTES_MAX}, \
	{.key = "headers", .kind = SHAPE_MAP, .most = HEADERS_MAX, .of = &header}, \
	{.key = "body", .kind = SHAPE_LIST, .most = PIECES_MAX, .of = &body}, \
	{.key = "user", .kind = SHAPE_VALUE, .most = HTTP_HEADER_BYTES_MAX}, \
	{.key = "password", .kind = SHAPE_VALUE, .most = HTTP_HEADER_BYTES_MAX}, \
	{.key = "token", .kind = SHAPE_VALUE, .most = HTTP_HEADER_BYTES_MAX}, \
	{.key = "ca", .kind = SHAPE_VALUE, .most = PEM_BYTES_MAX}, \
	{.key = "certificate", .kind = SHAPE_VALUE, .most = PEM_BYTES_MAX}, \
	{.key = "key", .kind = SHAPE_VALUE, .most = PEM_BYTES_MAX}, \
	{.key = "connect_us", .kind = SHAPE_INTEGER, .least = 1, .most = STAGE_US_MAX}, \
	{.key = "answer_us", .kind = SHAPE_INTEGER, .least = 1, .most = STAGE_US_MAX}, \
	{.key = "max_bytes", .kind = SHAPE_INTEGER, .least = 1, .most = HTTP_BODY_BYTES_MAX}, \
	{.key = "retries", .kind = SHAPE_INTEGER, .most = HTTP_RETRIES_MAX}, \
	{.key = NULL}
/* clang-format on */

static const struct shape arguments_of_get[] = {
    {.key = "method", .kind = SHAPE_WORD, .is_required = true, .words = looking_methods},
    SENT_MEMBERS,
};

static const struct shape arguments_of_request[] = {
    {.key = "method", .kind = SHAPE_STRING, .is_required = true, .least = 1, .most = METHOD_BYTES_MAX},
    SENT_MEMBERS,
};

static bool is_method(const char *s)
{
	return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == strlen(s) && *s != '-' && strcmp(s, "CONNECT") != 0 && strcmp(s, "TRACE") != 0;
}

bool http_is_header_name(const char *name)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	return *name && strspn(name, token) == strlen(name);
}

bool http_is_own_header(const char *name)
{
	static const char *const own[] = {"host",   "content-length", "transfer-encoding",   "connection",       "keep-alive",     "te", "trailer", "upgrade",
	                                  "expect", "http2-settings", "proxy-authorization", "proxy-connection", "accept-encoding"};
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (strcasecmp(own[i], name) == 0) return true;
	return false;
}

bool http_is_header_value(const char *value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 127) return false;
	return true;
}

static const char *check_headers(const json_t *headers)
{
	const char *name;
	json_t *v;
	json_object_foreach((json_t *)headers, name, v)
	{
		if (!http_is_header_name(name)) return "a header's name is made of letters, digits and hyphens";
		if (http_is_own_header(name)) return "one of its headers (Host, Content-Length, Connection, Expect, ...) is made by rung, not by a step";
		if (json_is_string(v) && !http_is_header_value(json_string_value(v), json_string_length(v))) return "a header's value has a control character";
	}
	return NULL;
}

static const char *read_url(struct arena *a, const json_t *arguments, struct url *u)
{
	struct error e;
	const json_t *url = json_object_get(arguments, "url");
	if (!callable_is_plain(url)) return "a URL has no zero bytes, and what is not ASCII in it is written as %XX";
	return url_parse(a, json_string_value(url), u, &e) ? arena_strdup(a, e.text) : NULL;
}

static const char *request(struct arena *a, const json_t *arguments, const struct call_site *site, struct call_request *out)
{
	struct url u;
	(void)site;
	const char *method = json_str(arguments, "method", ""), *why = read_url(a, arguments, &u);
	if (why) return why;
	if (!is_method(method)) return "a method is written in capitals, as PUT; CONNECT and TRACE are not made";
	*out = (struct call_request){.kind = "http", .words = arena_alloc(a, 2 * sizeof *out->words), .count = 2};
	out->words[0] = method;
	out->words[1] = u.text;
	return check_headers(json_obj(arguments, "headers"));
}

/* Is the name one of those, or below one? */
static bool is_direct(const struct call_site *site, const char *host)
{
	for (const char *const *d = site->http_direct; d && *d; d++) {
		size_t n = strlen(host), m = strlen(*d);
		if (n >= m && strcasecmp(host + n - m, *d) == 0 && (n == m || host[n - m - 1] == '.')) return true;
	}
	return false;
}

static enum err frame(const struct call_site *site, const json_t *arguments, json_t *head, struct buf *payload, struct error *e)
{
	static const char *const handed_on[] = {"method",      "headers", "body",       "user",      "password",  "token",  "ca",
	                                        "certificate", "key",     "connect_us", "answer_us", "max_bytes", "retries"};
	struct arena *a = arena_new();
	struct call_request r;
	struct url u;
	(void)payload;
	const char *why = request(a, arguments, site, &r);
	if (!why) why = read_url(a, arguments, &u);
	enum err err = why ? error_set(e, ERR_INVALID, "%s", why) : ERR_OK;
	for (size_t i = 0; !err && i < sizeof handed_on / sizeof *handed_on; i++) {
		json_t *v = json_object_get(arguments, handed_on[i]);
		if (v) json_object_set(head, handed_on[i], v);
	}
	if (!err) {
		json_object_set_new(head, "url", json_string(u.text));
		json_object_set_new(head, "host", json_string(u.host));
		json_object_set_new(head, "port", json_integer(u.port));
		json_object_set_new(head, "is_address", json_boolean(u.host_kind != HOST_NAME));
		json_object_set_new(head, "is_named", json_boolean(site->names_host(site, &r)));
		json_object_set_new(head, "repeats", json_boolean(site->repeats));
		if (site->key) json_object_set_new(head, "idempotency_key", json_string(site->key));
		if (site->http_proxy && u.host_kind == HOST_NAME && !is_direct(site, u.host)) json_object_set_new(head, "proxy", json_string(site->http_proxy));
		if (site->http_ca) json_object_set_new(head, "ca_file", json_string(site->http_ca));
	}
	arena_free(a);
	return err;
}

static const struct callable callables[] = {
    {"get", CALLABLE_ACTOR, EFFECT_READ, arguments_of_get, callable_sent_options, request, frame, NULL},
    {"request", CALLABLE_ACTOR, EFFECT_ONCE, arguments_of_request, callable_sent_options, request, frame, NULL},
    {.function = NULL},
};

const struct module module_http = {"http", callables, &http_hand};
