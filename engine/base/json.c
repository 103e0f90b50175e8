#include "base/json.h"
#include "base/arena.h"
#include "base/encode.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

void json_prepare(void)
{
	json_set_alloc_funcs(mem_alloc, free);
}

/* Depth is judged before jansson recurses (its own bound is 2048, fixed when it was built). */
static bool too_deep(const char *text, size_t n, size_t max_depth)
{
	size_t depth = 0;
	bool in_string = false;
	for (size_t i = 0; i < n; i++) {
		char c = text[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > max_depth) return true;
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		}
	}
	return false;
}

json_t *json_parse(const char *text, size_t n, size_t max_depth, struct error *e)
{
	if (too_deep(text, n, max_depth)) {
		error_set(e, ERR_TOO_BIG, "JSON is nested deeper than %zu levels", max_depth);
		return NULL;
	}
	json_error_t je;
	json_t *v = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
	if (!v) error_set(e, ERR_INVALID, "not JSON at line %d, column %d: %s", je.line, je.column, je.text);
	return v;
}

static int add_bytes(const char *data, size_t n, void *arg)
{
	return buf_add(arg, data, n) ? 0 : -1;
}

bool json_canonical(const json_t *v, struct buf *b)
{
	return json_dump_callback(v, add_bytes, b, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) == 0;
}

bool json_escape(struct buf *b, uint32_t code)
{
	if (code < 0x10000) return buf_printf(b, "\\u%04x", code);
	return buf_printf(b, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10), 0xdc00 + ((code - 0x10000) & 0x3ff));
}

/* How many bytes are seen as they are: nearly all. */
static size_t plain_length(const char *p, const char *end)
{
	const char *at = p;
	while (at < end && *at >= ' ' && *at < 0x7f) at++;
	return (size_t)(at - p);
}

/* jansson hands out whole code points, and line feeds between members where it indents. */
static int add_inert(const char *data, size_t n, void *arg)
{
	struct buf *b = arg;
	bool fits = true;
	for (const char *p = data, *end = data + n; p < end && fits;) {
		uint32_t code;
		size_t step = plain_length(p, end);
		if (step) {
			fits = buf_add(b, p, step);
			p += step;
			continue;
		}
		step = text_decode(p, end, &code);
		must(step > 0);
		fits = code != '\n' && text_is_hidden(code) ? json_escape(b, code) : buf_add(b, p, step);
		p += step;
	}
	return fits ? 0 : -1;
}

bool json_inert(const json_t *v, size_t flags, struct buf *b)
{
	return json_dump_callback(v, add_inert, b, flags) == 0;
}

size_t json_depth(const json_t *v)
{
	size_t deepest = 0;
	if (json_is_object(v)) {
		const char *k;
		json_t *m;
		json_object_foreach((json_t *)v, k, m)
		{
			size_t d = json_depth(m);
			if (d > deepest) deepest = d;
		}
		return deepest + 1;
	}
	if (json_is_array(v)) {
		size_t i;
		json_t *m;
		json_array_foreach(v, i, m)
		{
			size_t d = json_depth(m);
			if (d > deepest) deepest = d;
		}
		return deepest + 1;
	}
	return 0;
}

const char *json_str(const json_t *o, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : otherwise;
}

json_int_t json_int(const json_t *o, const char *key, json_int_t otherwise)
{
	const json_t *v = json_object_get(o, key);
	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

bool json_bool(const json_t *o, const char *key, bool otherwise)
{
	const json_t *v = json_object_get(o, key);
	return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

json_t *json_arr(const json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);
	return json_is_array(v) ? v : NULL;
}

json_t *json_obj(const json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);
	return json_is_object(v) ? v : NULL;
}

json_t *json_drop_nulls(json_t *o)
{
	const char *key;
	json_t *v;
	void *next;
	json_object_foreach_safe(o, next, key, v) if (json_is_null(v)) json_object_del(o, key);
	return o;
}

json_t *json_text(const char *s)
{
	if (!s) return json_null();
	size_t n = strlen(s);
	if (text_is_utf8(s, n)) return json_stringn(s, n);
	struct buf b;
	buf_init(&b, 8 * n + 16);
	text_visible(&b, s, n, TEXT_KEEP_NEWLINE | TEXT_KEEP_TAB);
	json_t *v = json_stringn(b.data, b.len);
	buf_clear(&b);
	return v;
}

json_t *json_bytes(const void *data, size_t n)
{
	if (text_is_utf8(data, n)) return json_stringn(n ? data : "", n);
	struct buf b;
	buf_init(&b, n * 2 + 8);
	buf_reserve(&b, (n + 2) / 3 * 4);
	encode_base64(&b, data, n);
	json_t *v = json_pack("{s:s#}", "b64", b.data, (int)b.len);
	buf_wipe(&b); /* it may be a secret's */
	return v;
}

bool json_bytes_get(const json_t *v, struct buf *b)
{
	if (json_is_string(v)) return buf_add(b, json_string_value(v), json_string_length(v));
	const json_t *s = json_object_get(v, "b64");
	if (!json_is_string(s) || json_object_size(v) != 1) return false;
	return decode_base64(b, json_string_value(s), json_string_length(s));
}

void json_wipe(json_t *v)
{
	json_t *s = json_is_string(v) ? v : json_object_get(v, "b64");
	if (json_is_string(s)) explicit_bzero((char *)json_string_value(s), json_string_length(s));
}
