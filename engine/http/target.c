#include "http/target.h"
#include "http/limits.h"

#include <stdio.h>
#include <string.h>

_Static_assert(sizeof((struct target *)0)->text >= HTTP_TARGET_MAX, "the limit of targets is what is kept of one");

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("-._~:@", c));
}

/* Any visible character: what a source's sender puts there is for the source to read. */
static bool is_query(const char *s)
{
	for (; *s; s++)
		if (*s <= 0x20 || *s >= 0x7f || *s == '#') return false;
	return true;
}

static enum err add_part(struct target *out, char *part, size_t n, struct error *e)
{
	if (n == 0 || strcmp(part, ".") == 0 || strcmp(part, "..") == 0) return error_set(e, ERR_PROTOCOL, "a path has no empty parts, no . and no ..");
	if (n > TARGET_PART_BYTES_MAX || out->part_count == TARGET_PARTS_MAX) return error_set(e, ERR_PROTOCOL, "no path here is that long");
	out->part[out->part_count++] = part;
	return ERR_OK;
}

enum err target_read(const char *text, struct target *out, struct error *e)
{
	const char *question = strchr(text, '?');
	size_t n = question ? (size_t)(question - text) : strlen(text);
	*out = (struct target){.query = question ? question + 1 : NULL};
	if (n + (question ? strlen(question) : 0) >= HTTP_TARGET_MAX) return error_set(e, ERR_TOO_BIG, "a path has at most %d bytes", HTTP_TARGET_MAX);
	if (text[0] != '/') return error_set(e, ERR_PROTOCOL, "a request names a path that begins with a slash");
	if (question && !is_query(out->query)) return error_set(e, ERR_PROTOCOL, "a query has visible characters of ASCII only");
	for (size_t i = 1; i < n; i++)
		if (text[i] != '/' && !is_plain(text[i])) return error_set(e, ERR_PROTOCOL, "a path has letters, digits and -._~:@ only, nothing encoded");
	if (n == 1) return ERR_OK;
	memcpy(out->text, text + 1, n - 1);
	for (char *at = out->text, *end;; at = end + 1) {
		end = at + strcspn(at, "/");
		bool is_last = !*end;
		*end = 0;
		enum err err = add_part(out, at, (size_t)(end - at), e);
		if (err || is_last) return err;
	}
}

static bool is_name(const char *s, size_t n)
{
	return n > 0 && n <= 32 && strspn(s, "abcdefghijklmnopqrstuvwxyz_") >= n;
}

/* What a value of plain characters is. A new reference. */
static json_t *query_value(const char *s, size_t n)
{
	if (n == 4 && memcmp(s, "true", 4) == 0) return json_true();
	if (n == 5 && memcmp(s, "false", 5) == 0) return json_false();
	if (n == 0 || n > 18 || strspn(s, "0123456789") < n) return json_stringn(s, n);
	json_int_t number = 0;
	for (size_t i = 0; i < n; i++) number = number * 10 + (s[i] - '0');
	return json_integer(number);
}

enum err target_read_query(const char *query, json_t *args, struct error *e)
{
	for (const char *at = query; at && *at;) {
		const char *end = at + strcspn(at, "&"), *equals = memchr(at, '=', (size_t)(end - at));
		if (!equals || !is_name(at, (size_t)(equals - at))) return error_set(e, ERR_PROTOCOL, "a query is name=value, with an ampersand between two");
		for (const char *p = equals + 1; p < end; p++)
			if (!is_plain(*p))
				return error_set(e, ERR_PROTOCOL,
				                 "a query's value has letters, digits and -._~:@ only, nothing encoded: POST takes everything");
		char name[33];
		snprintf(name, sizeof name, "%.*s", (int)(equals - at), at);
		if (json_object_get(args, name)) return error_set(e, ERR_PROTOCOL, "a query names nothing twice");
		json_object_set_new(args, name, query_value(equals + 1, (size_t)(end - equals - 1)));
		at = *end ? end + 1 : end;
	}
	return ERR_OK;
}

enum err target_read_event_id(const char *text, size_t n, uint64_t *out, struct error *e)
{
	*out = 0;
	if (n == 0 || n > 18) return error_set(e, ERR_PROTOCOL, "Last-Event-ID is a number that an event had");
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9') return error_set(e, ERR_PROTOCOL, "Last-Event-ID is a number that an event had");
		*out = *out * 10 + (uint64_t)(text[i] - '0');
	}
	return ERR_OK;
}
