#include "policy/host.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

enum { LABEL_BYTES_MAX = 63 };

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool login_is_valid(const char *s, size_t n)
{
	if (n == 0 || n > LOGIN_BYTES_MAX || !(is_letter_or_digit(*s) || *s == '_')) return false;
	for (size_t i = 0; i < n; i++)
		if (!is_letter_or_digit(s[i]) && !(s[i] && strchr("._-+$", s[i]))) return false;
	return true;
}

static enum err ipv6_normal(struct arena *a, const char *text, size_t n, char **out, struct error *e)
{
	char inner[INET6_ADDRSTRLEN], normal[INET6_ADDRSTRLEN];
	struct in6_addr address;
	size_t len = n - 2;
	if (n < 4 || text[n - 1] != ']' || len >= sizeof inner) return error_set(e, ERR_INVALID, "an IPv6 address stands between [ and ]");
	memcpy(inner, text + 1, len);
	inner[len] = 0;
	bool is_address = strspn(inner, "0123456789abcdefABCDEF:") == len && inet_pton(AF_INET6, inner, &address) == 1;
	if (!is_address || !inet_ntop(AF_INET6, &address, normal, sizeof normal))
		return error_set(e, ERR_INVALID, "[%s] is no IPv6 address in hexadecimal groups, as [2001:db8::1] (zones and IPv4 tails are not taken)", inner);
	if (strchr(normal, '.')) return error_set(e, ERR_INVALID, "[%s] holds an IPv4 address: write that", inner);
	*out = arena_strdup(a, normal);
	return ERR_OK;
}

/* A last label that resolvers take for a number: all digits, or hexadecimal. */
static bool ends_in_number(const char *host)
{
	const char *dot = strrchr(host, '.'), *last = dot ? dot + 1 : host;
	bool is_hex = last[0] == '0' && last[1] == 'x';
	return strspn(last, "0123456789") == strlen(last) || (is_hex && strspn(last + 2, "0123456789abcdef") == strlen(last + 2));
}

static enum err check_label(const char *s, size_t n, struct error *e)
{
	if (n == 0) return error_set(e, ERR_INVALID, "a host has no empty part and no dot at either end");
	if (n > LABEL_BYTES_MAX) return error_set(e, ERR_INVALID, "a part of the host is longer than %d characters", LABEL_BYTES_MAX);
	if (s[0] == '-' || s[n - 1] == '-') return error_set(e, ERR_INVALID, "a part of the host begins or ends with \"-\"");
	for (size_t i = 0; i < n; i++)
		if (!is_letter_or_digit(s[i]) && s[i] != '-' && s[i] != '_')
			return error_set(e, ERR_INVALID, "a host is written with letters, digits, hyphens and dots of ASCII; byte 0x%02x is none of them",
			                 (unsigned char)s[i]);
	return ERR_OK;
}

enum err host_normal(struct arena *a, const char *text, size_t n, char **out, enum host_kind *kind, struct error *e)
{
	*kind = HOST_NAME;
	if (n == 0) return error_set(e, ERR_INVALID, "the host is missing");
	if (n > HOST_BYTES_MAX) return error_set(e, ERR_INVALID, "a host has at most %d characters", HOST_BYTES_MAX);
	if (*text == '[') {
		*kind = HOST_IPV6;
		return ipv6_normal(a, text, n, out, e);
	}
	for (size_t from = 0, to; from <= n; from = to + 1) {
		for (to = from; to < n && text[to] != '.';) to++;
		enum err err = check_label(text + from, to - from, e);
		if (err) return err;
	}
	char *host = arena_strndup(a, text, n);
	for (char *c = host; *c; c++) *c = (char)tolower((unsigned char)*c);
	struct in_addr address;
	/* inet_pton takes four decimal numbers without leading zeros and nothing else. */
	if (inet_pton(AF_INET, host, &address) == 1)
		*kind = HOST_IPV4;
	else if (ends_in_number(host))
		return error_set(e, ERR_INVALID, "\"%s\" ends in a number, but is not an IPv4 address of four decimal numbers", host);
	*out = host;
	return ERR_OK;
}

enum err file_path_check(const char *path, struct error *e)
{
	if (*path != '/') return error_set(e, ERR_INVALID, "the file \"%.100s\" is not absolute: it begins with /", path);
	for (const char *at = path; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 127 || *at == '\\') return error_set(e, ERR_INVALID, "the file's path has a byte that none has here");
		if (*at != '/') continue;
		size_t n = strcspn(at + 1, "/");
		bool is_dots = (n == 1 || n == 2) && strspn(at + 1, ".") >= n;
		if (n == 0 || is_dots)
			return error_set(e, ERR_INVALID, "the file \"%.100s\" is not in its one spelling: no //, no . and no .., no / at its end", path);
	}
	return ERR_OK;
}
