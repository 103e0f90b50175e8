#include "alert/pointer.h"

#include <string.h>

/* ~0 is ~, ~1 is /; nothing else follows a ~. */
static const char *unescape(struct arena *a, const char *s, size_t n)
{
	char *out = arena_strndup(a, s, n), *to = out;
	for (const char *p = out; *p; p++) {
		if (*p == '~' && p[1] != '0' && p[1] != '1') return NULL;
		if (*p == '~')
			*to++ = *++p == '0' ? '~' : '/';
		else
			*to++ = *p;
	}
	*to = 0;
	return out;
}

enum err pointer_parse(struct arena *a, const char *text, struct pointer *out, struct error *e)
{
	size_t n = strlen(text), count = 0;
	if (n > POINTER_BYTES_MAX) return error_set(e, ERR_INVALID, "a JSON Pointer has at most %d bytes", POINTER_BYTES_MAX);
	if (n > 0 && *text != '/') return error_set(e, ERR_INVALID, "a JSON Pointer is empty or begins with /, as in /data/name, not \"%.60s\"", text);
	for (const char *p = text; *p; p++) count += *p == '/';
	if (count > POINTER_PARTS_MAX) return error_set(e, ERR_INVALID, "a JSON Pointer has at most %d parts", POINTER_PARTS_MAX);
	*out = (struct pointer){.text = arena_strdup(a, text), .parts = arena_alloc(a, count * sizeof *out->parts)};
	for (const char *p = text; *p;) {
		size_t part = strcspn(p + 1, "/");
		const char *plain = unescape(a, p + 1, part);
		if (!plain) return error_set(e, ERR_INVALID, "in a JSON Pointer ~0 stands for ~ and ~1 for /, and no ~ stands alone: \"%.60s\"", text);
		out->parts[out->count++] = plain;
		p += 1 + part;
	}
	return ERR_OK;
}

/* An index has no sign and no zero in front; "-" is behind the last, where nothing is. */
static json_t *item_of(const json_t *list, const char *part)
{
	size_t n = strlen(part), index = 0;
	if (n == 0 || n > 9 || strspn(part, "0123456789") != n || (*part == '0' && n > 1)) return NULL;
	for (const char *p = part; *p; p++) index = index * 10 + (size_t)(*p - '0');
	return json_array_get(list, index);
}

json_t *pointer_get(const struct pointer *p, const json_t *v)
{
	json_t *at = (json_t *)v;
	for (size_t i = 0; at && i < p->count; i++) at = json_is_array(at) ? item_of(at, p->parts[i]) : json_object_get(at, p->parts[i]);
	return at;
}
