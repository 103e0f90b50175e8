#include "http/target.h"
#include "http/limits.h"

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
