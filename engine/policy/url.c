#include "policy/url.h"

#include "base/buf.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
static const char path_bytes[] = "!$&'()*+,;=:@/", query_bytes[] = "!$&'()*+,;=:@/?";

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One %XX. In a path, what a server could take for a slash, or decode once more, is refused. */
static enum err add_escape(struct buf *out, struct buf *plain, const char *s, bool is_query, struct error *e)
{
	int high = hex_digit(s[1]), low = high < 0 ? -1 : hex_digit(s[2]);
	if (low < 0) return error_set(e, ERR_INVALID, "a %% is followed by two hexadecimal digits");
	int byte = high * 16 + low;
	if (byte < ' ' || byte == 127) return error_set(e, ERR_INVALID, "%%%02X is a control character", (unsigned)byte);
	if (!is_query && strchr("/\\%", byte))
		return error_set(e, ERR_INVALID, "%%%02X in a path reads as \"%c\" to some servers and not to others", (unsigned)byte, byte);
	if (strchr(unreserved, byte))
		buf_char(out, (char)byte);
	else
		buf_printf(out, "%%%02X", (unsigned)byte);
	buf_char(plain, (char)byte);
	return ERR_OK;
}

static enum err add_normal(struct buf *out, struct buf *plain, const char *s, bool is_query, struct error *e)
{
	for (; *s; s++) {
		if (*s == '%') {
			enum err err = add_escape(out, plain, s, is_query, e);
			if (err) return err;
			s += 2;
		} else if (strchr(unreserved, *s) || strchr(is_query ? query_bytes : path_bytes, *s)) {
			buf_char(out, *s);
			buf_char(plain, *s);
		} else {
			return error_set(e, ERR_INVALID, "byte 0x%02x cannot stand in a %s: write it as %%%02X", (unsigned char)*s, is_query ? "query" : "path",
			                 (unsigned char)*s);
		}
	}
	/* Overlong forms of "." and "/" are not UTF-8. */
	if (plain->len && !text_is_utf8(plain->data, plain->len)) return error_set(e, ERR_INVALID, "its %%XX are not UTF-8");
	return ERR_OK;
}

enum err url_escapes_normal(struct arena *a, const char *text, bool is_query, char **out, struct error *e)
{
	struct buf b, plain;
	buf_init(&b, 3 * URL_BYTES_MAX);
	buf_init(&plain, URL_BYTES_MAX);
	enum err err = add_normal(&b, &plain, text, is_query, e);
	if (!err && (b.is_full || plain.is_full)) err = error_set(e, ERR_TOO_BIG, "it is longer than %d bytes", URL_BYTES_MAX);
	*out = err ? NULL : arena_strdup(a, b.data ? b.data : "");
	buf_clear(&b);
	buf_clear(&plain);
	return err;
}

enum err url_check_path(const char *path, struct error *e)
{
	if (*path != '/') return error_set(e, ERR_INVALID, "a path begins with \"/\"");
	for (const char *s = path + 1; *s; s += strcspn(s, "/"), s += *s == '/') {
		size_t n = strcspn(s, "/"), dots = strspn(s, ".");
		if (n == 0) return error_set(e, ERR_INVALID, "the path has an empty segment (//)");
		if ((dots == 1 || dots == 2) && (dots == n || s[dots] == ';' || strncasecmp(s + dots, "%3b", 3) == 0))
			return error_set(e, ERR_INVALID, "the path has a segment \"%.*s\"", (int)dots, s);
	}
	return ERR_OK;
}

static enum err read_port(const char *s, size_t n, unsigned *port, struct error *e)
{
	unsigned value = 0;
	for (size_t i = 0; i < n && i < 5; i++) value = value * 10 + (unsigned)(s[i] - '0');
	if (n == 0 || n > 5 || strspn(s, "0123456789") < n || *s == '0' || value > 65535)
		return error_set(e, ERR_INVALID, "the port is a number from 1 to 65535");
	*port = value;
	return ERR_OK;
}

static enum err read_authority(struct arena *a, const char *s, size_t n, struct url *u, struct error *e)
{
	if (memchr(s, '@', n)) return error_set(e, ERR_INVALID, "a user name in the URL is not taken: use auth");
	const char *end = *s == '[' ? memchr(s, ']', n) : NULL, *colon = memchr(end ? end : s, ':', n - (size_t)((end ? end : s) - s));
	size_t host_len = colon ? (size_t)(colon - s) : n;
	char *host;
	enum err err = host_normal(a, s, host_len, &host, &u->host_kind, e);
	if (err) return err;
	u->host = host;
	return colon ? read_port(colon + 1, n - host_len - 1, &u->port, e) : ERR_OK;
}

static enum err check_bytes(const char *text, struct error *e)
{
	if (strlen(text) > URL_BYTES_MAX) return error_set(e, ERR_TOO_BIG, "it is longer than %d bytes", URL_BYTES_MAX);
	for (const char *s = text; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c <= ' ' || c >= 127)
			return error_set(e, ERR_INVALID, "it holds the byte 0x%02x: spaces, control characters and what is not ASCII are written as %%XX", c);
		if (c == '\\') return error_set(e, ERR_INVALID, "it holds a backslash, which some programs read as a slash");
		if (c == '#') return error_set(e, ERR_INVALID, "it has a fragment (#), which is never sent");
	}
	return ERR_OK;
}

static enum err read_scheme(const char **s, struct url *u, struct error *e)
{
	static const struct {
		const char *word;
		unsigned port;
	} schemes[] = {{"http", 80}, {"https", 443}};
	size_t n = strcspn(*s, ":/");
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		if (n != strlen(schemes[i].word) || strncasecmp(*s, schemes[i].word, n) != 0 || strncmp(*s + n, "://", 3) != 0) continue;
		u->scheme = schemes[i].word;
		u->port = schemes[i].port;
		*s += n + 3;
		return ERR_OK;
	}
	return error_set(e, ERR_INVALID, "it begins with http:// or https://");
}

static const char *whole(struct arena *a, const struct url *u)
{
	bool is_default = u->port == (u->scheme[4] ? 443 : 80), is_ipv6 = u->host_kind == HOST_IPV6;
	const char *port = is_default ? "" : arena_printf(a, ":%u", u->port);
	return arena_printf(a, "%s://%s%s%s%s%s%s%s", u->scheme, is_ipv6 ? "[" : "", u->host, is_ipv6 ? "]" : "", port, u->path, u->query ? "?" : "",
	                    u->query ? u->query : "");
}

static enum err read_url(struct arena *a, const char *s, struct url *u, struct error *e)
{
	enum err err = check_bytes(s, e);
	if (!err) err = read_scheme(&s, u, e);
	if (err) return err;
	size_t authority = strcspn(s, "/?");
	err = read_authority(a, s, authority, u, e);
	if (err) return err;
	s += authority;
	char *path = "/", *query = NULL;
	size_t path_len = strcspn(s, "?");
	if (path_len) err = url_escapes_normal(a, arena_strndup(a, s, path_len), false, &path, e);
	if (!err) err = url_check_path(path, e);
	if (!err && s[path_len] == '?') err = url_escapes_normal(a, s + path_len + 1, true, &query, e);
	if (err) return err;
	u->path = path;
	u->query = query;
	u->text = whole(a, u);
	return ERR_OK;
}

enum err url_parse(struct arena *a, const char *text, struct url *out, struct error *e)
{
	*out = (struct url){0};
	enum err err = read_url(a, text, out, e);
	if (err && e) error_context(e, "URL \"%.200s\"", url_masked(a, text));
	return err;
}

const char *url_masked(struct arena *a, const char *text)
{
	const char *from = strstr(text, "://"), *at = NULL;
	if (!from) return text;
	from += 3;
	for (const char *s = from; *s && !strchr("/?# \t", *s); s++)
		if (*s == '@') at = s;
	return at ? arena_printf(a, "%.*s...%s", (int)(from - text), text, at) : text;
}
