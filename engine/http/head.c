#include "http/head.h"

#include <string.h>
#include <strings.h>

/* ---- where everything lies ----
 *
 * The library cuts the head in place: the byte behind each part (a space, a colon, CR and LF) becomes NUL, nothing moves. So each part must begin exactly where
 * the one before it ended, and every difference is something that was not written as it should be: a line feed alone, a second space, a NUL, a folded line. */

static bool is_at(const struct head *h, const char *p, size_t n)
{
	return p >= h->bytes && (size_t)(p - h->bytes) <= h->n && n <= h->n - (size_t)(p - h->bytes);
}

/* METHOD SP TARGET SP VERSION CR LF */
static const char *lie_of_first_line(const struct head *h)
{
	const char *at = h->method + strlen(h->method) + 1;
	if (h->method != h->bytes) return NULL;
	at += strlen(h->target) + 1;
	if (at != h->version) return NULL;
	at += strlen(h->version);
	return is_at(h, at, 2) && at[0] == 0 && at[1] == 0 ? at + 2 : NULL;
}

/* NAME ":" space VALUE CR LF; the library has skipped the space. */
static const char *lie_of_field(const struct head *h, const struct head_field *f, const char *at)
{
	if (f->name != at || !is_at(h, at, f->name_n + 1)) return NULL;
	at += f->name_n;
	if (*at++ != 0) return NULL;
	while (at < f->value && is_at(h, at, 1) && (*at == ' ' || *at == '\t')) at++;
	if (at != f->value || !is_at(h, at, f->value_n + 2)) return NULL;
	at += f->value_n;
	return at[0] == 0 && at[1] == 0 ? at + 2 : NULL;
}

static bool lies_right(const struct head *h)
{
	const char *at = lie_of_first_line(h);
	for (size_t i = 0; at && i < h->field_count; i++) at = lie_of_field(h, &h->fields[i], at);
	/* The empty line is the last. */
	return at && is_at(h, at, 2) && at + 2 == h->bytes + h->n;
}

/* ---- what it is made of ---- */

/* RFC 9110, 5.6.2 */
static bool is_token(const char *s, size_t n)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	for (size_t i = 0; i < n; i++) {
		char c = s[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr(others, c)))) return false;
	}
	return n > 0;
}

static bool is_value(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f) return false;
	return true;
}

static bool is_named(const struct head_field *f, const char *name)
{
	return strlen(name) == f->name_n && strncasecmp(f->name, name, f->name_n) == 0;
}

static size_t count(const struct head *h, const char *name)
{
	size_t n = 0;
	for (size_t i = 0; i < h->field_count; i++) n += is_named(&h->fields[i], name);
	return n;
}

const struct head_field *head_find(const struct head *h, const char *name)
{
	for (size_t i = 0; i < h->field_count; i++)
		if (is_named(&h->fields[i], name)) return &h->fields[i];
	return NULL;
}

/* Those of which two would leave it to the reader which one counts. */
static const char *const once[] = {"host", "content-length", "transfer-encoding", "authorization", "content-type", "last-event-id", "expect", NULL};

static enum err check_fields(const struct head *h, struct error *e)
{
	for (size_t i = 0; i < h->field_count; i++) {
		const struct head_field *f = &h->fields[i];
		if (!is_token(f->name, f->name_n)) return error_set(e, ERR_PROTOCOL, "a header's name has characters that a name has not");
		if (!is_value(f->value, f->value_n)) return error_set(e, ERR_PROTOCOL, "a header's value has control characters");
	}
	for (size_t i = 0; once[i]; i++)
		if (count(h, once[i]) > 1) return error_set(e, ERR_PROTOCOL, "the header %s stands more than once", once[i]);
	return ERR_OK;
}

/* Digits alone, no more of them than a length has. */
static bool read_length(const struct head_field *f, size_t *out)
{
	*out = 0;
	if (f->value_n == 0 || f->value_n > 18) return false;
	for (size_t i = 0; i < f->value_n; i++) {
		if (f->value[i] < '0' || f->value[i] > '9') return false;
		*out = *out * 10 + (size_t)(f->value[i] - '0');
	}
	return true;
}

static enum err check_host(const struct head *h, struct error *e)
{
	const struct head_field *host = head_find(h, "host");
	if (!host && strcmp(h->version, "HTTP/1.0") == 0) return ERR_OK;
	if (!host || host->value_n == 0) return error_set(e, ERR_PROTOCOL, "a request of HTTP/1.1 names its Host");
	for (size_t i = 0; i < host->value_n; i++) {
		char c = host->value[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("-._:[]", c))))
			return error_set(e, ERR_PROTOCOL, "Host is a name or an address, and perhaps a port");
	}
	return ERR_OK;
}

enum err head_check(const struct head *h, struct head_body *body, struct error *e)
{
	*body = (struct head_body){.is_given = false};
	if (h->is_over) return error_set(e, ERR_TOO_BIG, "a request has at most %d headers", HTTP_HEADERS_MAX);
	if (!lies_right(h)) return error_set(e, ERR_PROTOCOL, "the request is not written as HTTP/1.1 has it: lines end with CR LF, parts are one space apart");
	for (const char *p = h->target; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f) return error_set(e, ERR_PROTOCOL, "a target has visible characters of ASCII only");
	if (!is_token(h->method, strlen(h->method))) return error_set(e, ERR_PROTOCOL, "the method is no word");
	if (strcmp(h->version, "HTTP/1.1") != 0 && strcmp(h->version, "HTTP/1.0") != 0)
		return error_set(e, ERR_PROTOCOL, "HTTP/1.1 or HTTP/1.0 is spoken here");
	enum err err = check_fields(h, e);
	if (!err) err = check_host(h, e);
	const struct head_field *length = head_find(h, "content-length"), *coding = head_find(h, "transfer-encoding");
	if (!err && length && coding) err = error_set(e, ERR_PROTOCOL, "a body has a Content-Length or a Transfer-Encoding, not both");
	/* One way to say where a body ends, known before it is read: what two readers take differently cannot be sent. RFC 9112, 6.3 */
	if (!err && coding) err = error_set(e, ERR_USAGE, "say the body's length: Transfer-Encoding is not taken here");
	if (!err && length && !read_length(length, &body->n)) err = error_set(e, ERR_PROTOCOL, "Content-Length is a number");
	body->is_given = !err && length != NULL;
	return err;
}
