#include "modules/http/http_request.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/json.h"
#include "modules/http/http.h"
#include "policy/url.h"
#include "sandbox/secret_call.h"

#include <stdlib.h>
#include <string.h>

enum { REQUEST_BYTES_MAX = 4 << 20, PIECE_BYTES_MAX = 1 << 20 };
#define CONNECT_US INT64_C(10000000)
#define ANSWER_US INT64_C(60000000)

/* ---- from the frame ---- */

/* Appends a text, bytes or the value of a secret. */
static enum err value_get(const json_t *v, const struct secret_call *secrets, const char *what, struct buf *out, struct error *e)
{
	const char *name = json_str(v, "secret", NULL);
	const struct buf *value = name && secrets ? secret_call_value(secrets, name) : NULL;
	if (name && !value) return error_set(e, ERR_INVALID, "the secret %s of %s did not come", name, what);
	bool ok = value ? buf_add(out, value->data, value->len) : json_bytes_get(v, out);
	return ok ? ERR_OK : error_set(e, ERR_TOO_BIG, "%s is too long", what);
}

static enum err member_get(const json_t *head, const char *key, const struct secret_call *secrets, struct buf *out, struct error *e)
{
	const json_t *v = json_object_get(head, key);
	return v ? value_get(v, secrets, key, out, e) : ERR_OK;
}

static void add_json_escaped(struct buf *out, const struct buf *value)
{
	json_t *text = json_stringn(value->data ? value->data : "", value->len);
	char *quoted = text ? json_dumps(text, JSON_ENCODE_ANY) : NULL;
	if (quoted) {
		buf_add(out, quoted + 1, strlen(quoted) - 2);
		explicit_bzero(quoted, strlen(quoted));
	} else {
		out->is_full = true; /* no UTF-8: it cannot stand in JSON */
	}
	json_wipe(text);
	json_decref(text);
	free(quoted);
}

static void add_form_escaped(struct buf *out, const struct buf *value)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	for (size_t i = 0; i < value->len; i++) {
		if (value->data[i] && strchr(plain, value->data[i]))
			buf_char(out, value->data[i]);
		else
			buf_printf(out, "%%%02X", (unsigned char)value->data[i]);
	}
}

static enum err body_get(const json_t *pieces, const struct secret_call *secrets, struct buf *out, struct error *e)
{
	json_t *p;
	size_t i;
	json_array_foreach(pieces, i, p)
	{
		const char *as = json_str(p, "as", "raw");
		struct buf value;
		buf_init(&value, PIECE_BYTES_MAX);
		enum err err = value_get(json_object_get(p, "value"), secrets, "the body", &value, e);
		if (!err && strcmp(as, "json") == 0)
			add_json_escaped(out, &value);
		else if (!err && strcmp(as, "form") == 0)
			add_form_escaped(out, &value);
		else if (!err)
			buf_add(out, value.data, value.len);
		buf_wipe(&value);
		if (!err && out->is_full) err = error_set(e, ERR_TOO_BIG, "the body is too long, or a secret in its JSON is no UTF-8");
		if (err) return err;
	}
	return ERR_OK;
}

enum err http_request_add_header(struct http_request *r, const char *name, const struct buf *value, struct error *e)
{
	if (!http_is_header_value(value->data ? value->data : "", value->len))
		return error_set(e, ERR_INVALID, "the value of the header %s has a control character (a secret with a line's end in it?)", name);
	/* "Name;" is how libcurl sends one with no value. */
	char *line = value->len ? mem_printf("%s: %.*s", name, (int)value->len, value->data) : mem_printf("%s;", name);
	struct curl_slist *list = curl_slist_append(r->headers, line);
	explicit_bzero(line, strlen(line));
	free(line);
	must(list != NULL);
	r->headers = list;
	return ERR_OK;
}

static enum err add_header_text(struct http_request *r, const char *name, const char *text, struct error *e)
{
	struct buf b;
	buf_init(&b, HTTP_HEADER_BYTES_MAX);
	buf_str(&b, text);
	enum err err = http_request_add_header(r, name, &b, e);
	buf_clear(&b);
	return err;
}

static bool has_header(const json_t *headers, const char *name)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)headers, key, v) if (strcasecmp(key, name) == 0) return true;
	return false;
}

/* "Basic ..." of user and password, or "Bearer ...". */
static enum err add_authorization(struct http_request *r, struct error *e)
{
	struct buf pair, value;
	if (!r->token.len && !r->user.len) return ERR_OK;
	buf_init(&pair, 2 * HTTP_HEADER_BYTES_MAX + 1);
	buf_init(&value, 3 * HTTP_HEADER_BYTES_MAX);
	if (r->token.len) {
		buf_str(&value, "Bearer ");
		buf_add(&value, r->token.data, r->token.len);
	} else {
		buf_add(&pair, r->user.data, r->user.len);
		buf_char(&pair, ':');
		buf_add(&pair, r->password.data, r->password.len);
		buf_str(&value, "Basic ");
		encode_base64(&value, pair.data, pair.len);
	}
	enum err err = memchr(r->user.data ? r->user.data : "", ':', r->user.len)
	                   ? error_set(e, ERR_INVALID, "the user of auth has a colon, which Basic authentication cannot carry")
	                   : http_request_add_header(r, "Authorization", &value, e);
	buf_wipe(&pair);
	buf_wipe(&value);
	return err;
}

static enum err headers_get(struct http_request *r, const json_t *head, const struct secret_call *secrets, struct error *e)
{
	const json_t *headers = json_obj(head, "headers");
	const char *name, *key = json_str(head, "idempotency_key", NULL);
	json_t *v;
	enum err err = ERR_OK;
	json_object_foreach((json_t *)headers, name, v)
	{
		struct buf value;
		buf_init(&value, HTTP_HEADER_BYTES_MAX);
		err = value_get(v, secrets, name, &value, e);
		if (!err) err = http_request_add_header(r, name, &value, e);
		buf_wipe(&value);
		if (err) return err;
	}
	if (key && !has_header(headers, "Idempotency-Key")) err = add_header_text(r, "Idempotency-Key", key, e);
	if (!err && !has_header(headers, "User-Agent")) err = add_header_text(r, "User-Agent", "rung/" RUNG_VERSION, e);
	/* Decoded by us: libcurl takes a body that breaks off in the middle of its gzip for whole. */
	if (!err) err = add_header_text(r, "Accept-Encoding", "gzip", e);
	if (!err) err = add_authorization(r, e);
	/* libcurl's own additions, which nobody asked for. */
	struct curl_slist *list = curl_slist_append(r->headers, "Expect:");
	if (list && !has_header(headers, "Content-Type")) list = curl_slist_append(list, "Content-Type:");
	must(list != NULL);
	r->headers = list;
	return err;
}

/* "sign":{"secret","timestamp"}: who gets the request can tell that it is the engine's, and when it was made. */
static enum err sign(struct http_request *r, const json_t *how, const struct secret_call *secrets, struct error *e)
{
	unsigned char mac[DIGEST_BYTES];
	struct buf key, text, value;
	const char *at = json_str(how, "timestamp", "");
	buf_init(&key, PIECE_BYTES_MAX);
	buf_init(&text, REQUEST_BYTES_MAX + 64);
	buf_init(&value, 2 * sizeof mac + 4);
	enum err err = value_get(how, secrets, "the signature", &key, e);
	buf_printf(&text, "%s.", at);
	buf_add(&text, r->body.data ? r->body.data : "", r->body.len);
	digest_hmac(mac, key.data ? key.data : "", key.len, text.data, text.len);
	buf_str(&value, "v1=");
	encode_hex(&value, mac, sizeof mac);
	if (!err) err = add_header_text(r, "Rung-Timestamp", at, e);
	if (!err) err = http_request_add_header(r, "Rung-Signature", &value, e);
	buf_wipe(&key);
	buf_clear(&text);
	buf_clear(&value);
	return err;
}

static enum err read_parts(struct http_request *r, const json_t *head, const struct secret_call *secrets, struct error *e)
{
	const struct {
		const char *key;
		struct buf *to;
		size_t most;
	} parts[] = {{"user", &r->user, HTTP_HEADER_BYTES_MAX}, {"password", &r->password, HTTP_HEADER_BYTES_MAX}, {"token", &r->token, HTTP_HEADER_BYTES_MAX},
	             {"ca", &r->ca, PIECE_BYTES_MAX},           {"certificate", &r->certificate, PIECE_BYTES_MAX}, {"key", &r->key, PIECE_BYTES_MAX}};
	enum err err = ERR_OK;
	buf_init(&r->body, REQUEST_BYTES_MAX);
	buf_init(&r->undecoded, 4 * CURL_MAX_WRITE_SIZE);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		buf_init(parts[i].to, parts[i].most);
		if (!err) err = member_get(head, parts[i].key, secrets, parts[i].to, e);
	}
	if (!err) err = body_get(json_arr(head, "body"), secrets, &r->body, e);
	if (!err && json_obj(head, "sign")) err = sign(r, json_obj(head, "sign"), secrets, e);
	return err ? err : headers_get(r, head, secrets, e);
}

/* With a proxy only that one is looked up and connected to here. */
static void read_proxy(struct http_request *r, const char *proxy)
{
	const char *colon = proxy ? strrchr(proxy, ':') : NULL;
	r->proxy = colon ? mem_strdup(proxy) : NULL;
	r->via = colon ? mem_printf("%.*s", (int)(colon - proxy), proxy) : mem_strdup(r->host);
	r->via_port = colon ? (unsigned)strtoul(colon + 1, NULL, 10) : r->port;
}

enum err http_request_read(const json_t *head, const struct secret_call *secrets, struct http_request **out, struct error *e)
{
	struct http_request *r = mem_zero(sizeof *r);
	r->method = mem_strdup(json_str(head, "method", "GET"));
	r->url = mem_strdup(json_str(head, "url", ""));
	r->host = mem_strdup(json_str(head, "host", ""));
	r->ca_file = json_str(head, "ca_file", NULL) ? mem_strdup(json_str(head, "ca_file", NULL)) : NULL;
	r->port = (unsigned)json_int(head, "port", 0);
	read_proxy(r, json_str(head, "proxy", NULL));
	r->is_address = json_bool(head, "is_address", false);
	r->is_named = json_bool(head, "is_named", false);
	r->repeats = json_bool(head, "repeats", false);
	r->has_key = json_object_get(head, "idempotency_key") != NULL;
	r->connect_us = json_int(head, "connect_us", CONNECT_US);
	r->answer_us = json_int(head, "answer_us", ANSWER_US);
	r->body_bytes_max = (size_t)json_int(head, "max_bytes", HTTP_BODY_BYTES);
	r->retries = (int)json_int(head, "retries", 0);
	enum err err = read_parts(r, head, secrets, e);
	if (err) {
		http_request_free(r);
		return err;
	}
	*out = r;
	return ERR_OK;
}

static void wipe_list(struct curl_slist *list)
{
	for (struct curl_slist *l = list; l; l = l->next) explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(list);
}

void http_request_free(struct http_request *r)
{
	if (r->easy) curl_easy_cleanup(r->easy);
	struct buf *parts[] = {&r->body, &r->user, &r->password, &r->token, &r->ca, &r->certificate, &r->key, &r->value};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) buf_wipe(parts[i]);
	wipe_list(r->headers);
	curl_slist_free_all(r->pinned);
	http_answer_clear(&r->answer);
	http_body_free(r->decoder);
	buf_clear(&r->undecoded);
	free(r->field);
	free(r->method);
	free(r->url);
	free(r->host);
	free(r->ca_file);
	free(r->proxy);
	free(r->via);
	free(r);
}

/* ---- where it may go ---- */

enum err http_request_may_reach(const struct http_request *r, const struct sockaddr *address, struct error *e)
{
	if (r->proxy) return ERR_OK; /* whoever keeps the configuration has named it */
	enum address_class class = address_class(address);
	bool is_of_names = class == ADDRESS_LOOPBACK || class == ADDRESS_PRIVATE || class == ADDRESS_UNIQUE_LOCAL;
	if (class == ADDRESS_PUBLIC || (r->is_named && (r->is_address || is_of_names))) return ERR_OK;
	char text[ADDRESS_TEXT_BYTES];
	address_text(address, text);
	const char *how = is_of_names ? "the capability that allows the call must have this host written out, not a star or a parameter in its place"
	                              : "the URL and the capability that allows it must have that address written out, not a name";
	return error_set(e, ERR_DENIED, "%s is %s%s, an address that is %s: %s", r->host, r->is_address ? "" : "at ", text, address_class_word(class), how);
}

/* ---- for libcurl ---- */

/* "host:port:address,address": libcurl asks nobody for the name. */
static struct curl_slist *pin(const struct http_request *r)
{
	struct buf b;
	char text[ADDRESS_TEXT_BYTES];
	buf_init(&b, (RESOLVE_ADDRESSES_MAX + 4) * ADDRESS_TEXT_BYTES + URL_BYTES_MAX);
	buf_printf(&b, "%s:%u", r->via, r->via_port);
	for (size_t i = 0; i < r->address_count; i++) {
		address_text((const struct sockaddr *)&r->addresses[i], text);
		*strrchr(text, ':') = 0;
		buf_printf(&b, "%c%s", i ? ',' : ':', text);
	}
	struct curl_slist *list = curl_slist_append(NULL, b.data);
	buf_clear(&b);
	must(list != NULL);
	return list;
}

static CURLcode set_method(const struct http_request *r)
{
	CURLcode c;
	if (strcmp(r->method, "HEAD") == 0) return curl_easy_setopt(r->easy, CURLOPT_NOBODY, 1L);
	bool has_body = r->body.len || strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0 || strcmp(r->method, "PATCH") == 0;
	c = has_body ? curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, r->body.data ? r->body.data : "") : CURLE_OK;
	if (!c && has_body) c = curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
	return c ? c : curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, r->method);
}

static CURLcode set_blob(const struct http_request *r, CURLoption option, const struct buf *b)
{
	struct curl_blob blob = {.data = b->data, .len = b->len, .flags = CURL_BLOB_COPY};
	return b->len ? curl_easy_setopt(r->easy, option, &blob) : CURLE_OK;
}

static CURLcode set_tls(const struct http_request *r)
{
	CURL *h = r->easy;
	CURLcode c = curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L);
	if (!c) c = curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L);
	if (!c) c = curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (!c && r->ca_file) c = curl_easy_setopt(h, CURLOPT_CAINFO, r->ca_file);
	/* Only these, not the system's beside them. */
	if (!c && (r->ca_file || r->ca.len)) c = curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
	if (!c && r->ca.len) c = curl_easy_setopt(h, CURLOPT_CAINFO, NULL);
	if (!c) c = set_blob(r, CURLOPT_CAINFO_BLOB, &r->ca);
	if (!c) c = set_blob(r, CURLOPT_SSLCERT_BLOB, &r->certificate);
	return c ? c : set_blob(r, CURLOPT_SSLKEY_BLOB, &r->key);
}

/* What libcurl would otherwise do by itself is off: proxies of the environment, .netrc, cookies, redirects, other protocols, names, signals. */
static CURLcode set_bounds(const struct http_request *r)
{
	/* A connection that has stood still may be closed by its server just when the request is sent: then nobody knows whether it came. What may be sent
	 * again can risk that. */
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {{CURLOPT_NOSIGNAL, 1},
	               {CURLOPT_FOLLOWLOCATION, 0},
	               {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS},
	               {CURLOPT_HTTP09_ALLOWED, 0},
	               {CURLOPT_TCP_NODELAY, 1},
	               {CURLOPT_CONNECTTIMEOUT_MS, (long)(r->connect_us / 1000 + 1)},
	               {CURLOPT_MAXAGE_CONN, r->repeats ? 60 : 2}};
	CURLcode c = CURLE_OK;
	for (size_t i = 0; !c && i < sizeof numbers / sizeof *numbers; i++) c = curl_easy_setopt(r->easy, numbers[i].option, numbers[i].value);
	if (!c) c = curl_easy_setopt(r->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	if (!c) c = curl_easy_setopt(r->easy, CURLOPT_PROXY, r->proxy ? r->proxy : "");
	if (!c) c = curl_easy_setopt(r->easy, CURLOPT_NOPROXY, "");
	if (!c) c = curl_easy_setopt(r->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	return c ? c : curl_easy_setopt(r->easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
}

enum err http_request_prepare(struct http_request *r, struct error *e)
{
	r->easy = curl_easy_init();
	must(r->easy != NULL);
	CURLcode c = curl_easy_setopt(r->easy, CURLOPT_URL, r->url);
	if (!r->is_address) {
		curl_slist_free_all(r->pinned);
		r->pinned = pin(r);
		if (!c) c = curl_easy_setopt(r->easy, CURLOPT_RESOLVE, r->pinned);
	}
	if (!c) c = curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
	if (!c) c = curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->curl_error);
	if (!c) c = curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r);
	if (!c) c = set_bounds(r);
	if (!c) c = set_tls(r);
	if (!c) c = set_method(r);
	return c ? error_set(e, ERR_FAILED, "libcurl takes no such request: %s", curl_easy_strerror(c)) : ERR_OK;
}

/* ---- what went wrong ---- */

/* X509_V_ERR_...: what a person can do. */
static const char *advice(long verify_result)
{
	switch (verify_result) {
	case 9:
		return "it is not valid yet: is the clock of the engine's host right?";
	case 10:
		return "it has expired: its owner must renew it";
	case 18:
	case 19:
	case 20:
	case 21:
		return "who signed it is not trusted here: name the authority's certificate in .rung/config.yaml (http: {ca: FILE}) or give it as `ca`";
	case 23:
		return "it was revoked";
	case 62:
	case 64:
		return "it is for another name: use the name that it has";
	default:
		return "is it for this name, in date, and signed by an authority that this host trusts?";
	}
}

static enum err explain_certificate(const struct http_request *r, struct error *e)
{
	long result = 0;
	curl_easy_getinfo(r->easy, CURLINFO_SSL_VERIFYRESULT, &result);
	if (strstr(r->curl_error, "subject name matches")) result = 62;
	return error_set(e, ERR_DENIED, "the certificate of %s is not accepted (%s): %s", r->host, r->curl_error, advice(result));
}

enum err http_request_explain(const struct http_request *r, CURLcode code, struct error *e)
{
	const char *said = *r->curl_error ? r->curl_error : curl_easy_strerror(code);
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		return error_set(e, ERR_FAILED, "no connection to %s port %u: %s", r->host, r->port, said);
	case CURLE_OPERATION_TIMEDOUT:
		return error_set(e, ERR_TIMEOUT, "no connection to %s port %u within %lld ms (connect_timeout)", r->host, r->port,
		                 (long long)(r->connect_us / 1000));
	case CURLE_PEER_FAILED_VERIFICATION:
		return explain_certificate(r, e);
	case CURLE_SSL_CACERT_BADFILE:
		return error_set(e, ERR_NOT_FOUND,
		                 "the authorities' certificates cannot be read (%s): install ca-certificates, or name a file of them in "
		                 ".rung/config.yaml (http: {ca: FILE})",
		                 said);
	case CURLE_SSL_CERTPROBLEM:
		return error_set(e, ERR_INVALID, "the client's certificate or its key cannot be used: both in PEM, and of each other (%s)", said);
	case CURLE_SSL_CONNECT_ERROR:
		return error_set(e, ERR_FAILED, "TLS with %s port %u failed: %s", r->host, r->port, said);
	case CURLE_GOT_NOTHING:
		return error_set(e, ERR_CLOSED, "%s closed the connection without an answer", r->host);
	case CURLE_PARTIAL_FILE:
		return error_set(e, ERR_CLOSED, "the answer of %s broke off: %s", r->host, said);
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return error_set(e, ERR_CLOSED, "the connection to %s broke: %s", r->host, said);
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return error_set(e, ERR_PROTOCOL, "what %s answers is no HTTP: %s", r->host, said);
	default:
		return error_set(e, ERR_FAILED, "%s: %s", r->host, said);
	}
}
