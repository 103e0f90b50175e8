#include "base/shape.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/text.h"

#include <string.h>

enum { SECRET_NAME_BYTES = 256 };

static enum err check_value(const struct shape *s, const json_t *v, struct error *e);

static bool is_within(const struct shape *s, size_t n)
{
	return n <= INT64_MAX && (int64_t)n >= s->least && (int64_t)n <= s->most;
}

static enum err check_size(const struct shape *s, size_t n, const char *what, struct error *e)
{
	if (is_within(s, n)) return ERR_OK;
	return error_set(e, ERR_PROTOCOL, "\"%s\" has %zu %s, %lld to %lld were expected", s->key, n, what, (long long)s->least, (long long)s->most);
}

static enum err wrong(const struct shape *s, const char *expected, struct error *e)
{
	return error_set(e, ERR_PROTOCOL, "\"%s\" must be %s", s->key, expected);
}

static enum err check_string(const struct shape *s, const json_t *v, struct error *e)
{
	if (!json_is_string(v)) return wrong(s, "a string", e);
	const char *text = json_string_value(v), *end = text + json_string_length(v);
	if (memchr(text, 0, json_string_length(v))) return wrong(s, "a string without zero bytes", e);
	for (uint32_t code; s->kind == SHAPE_TEXT && text < end;) {
		if (*text >= 0x20 && *text < 0x7f) {
			text++; /* most of what is written */
			continue;
		}
		size_t n = text_decode(text, end, &code);
		if (n == 0 || (text_is_control(code) && code != '\n' && code != '\t')) return wrong(s, "a text without control characters", e);
		text += n;
	}
	return check_size(s, json_string_length(v), "bytes", e);
}

static enum err check_bytes(const struct shape *s, const json_t *v, struct error *e)
{
	const json_t *encoded = json_object_get(v, "b64");
	if (json_is_string(v)) return check_size(s, json_string_length(v), "bytes", e);
	if (!json_is_string(encoded) || json_object_size(v) != 1) return wrong(s, "a string or {\"b64\"}", e);
	struct buf b;
	buf_init(&b, json_string_length(encoded) + 8);
	bool ok = decode_base64(&b, json_string_value(encoded), json_string_length(encoded));
	buf_clear(&b);
	return ok ? check_size(s, json_string_length(encoded), "characters", e) : wrong(s, "base64 in its \"b64\"", e);
}

static enum err check_secret(const struct shape *s, const json_t *v, struct error *e)
{
	const json_t *name = json_object_get(v, "secret");
	size_t n = json_string_length(name);
	if (json_object_size(v) == 1 && n > 0 && n <= SECRET_NAME_BYTES &&
	    strspn(json_string_value(name), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:") == n)
		return ERR_OK;
	return wrong(s, "{\"secret\": \"...\"} with a name", e);
}

static enum err check_word(const struct shape *s, const json_t *v, struct error *e)
{
	for (const char *const *w = s->words; json_is_string(v) && *w; w++)
		if (json_string_length(v) == strlen(*w) && memcmp(json_string_value(v), *w, strlen(*w)) == 0) return ERR_OK;
	return wrong(s, "a word of the protocol", e);
}

static enum err check_integer(const struct shape *s, const json_t *v, struct error *e)
{
	if (json_is_integer(v) && json_integer_value(v) >= s->least && json_integer_value(v) <= s->most) return ERR_OK;
	return error_set(e, ERR_PROTOCOL, "\"%s\" must be an integer from %lld to %lld", s->key, (long long)s->least, (long long)s->most);
}

static enum err check_list(const struct shape *s, const json_t *v, struct error *e)
{
	size_t i;
	json_t *item;
	if (!json_is_array(v)) return wrong(s, "a list", e);
	enum err err = check_size(s, json_array_size(v), "items", e);
	json_array_foreach(v, i, item)
	{
		if (err) break;
		err = check_value(s->of, item, e);
	}
	return err;
}

static enum err check_map(const struct shape *s, const json_t *v, struct error *e)
{
	const char *name;
	json_t *item;
	if (!json_is_object(v)) return wrong(s, "an object", e);
	enum err err = check_size(s, json_object_size(v), "members", e);
	json_object_foreach((json_t *)v, name, item)
	{
		if (!err && (!*name || strchr(name, '='))) err = wrong(s, "an object whose names are neither empty nor have a \"=\"", e);
		if (err) break;
		err = check_value(s->of, item, e);
	}
	return err;
}

static enum err check_any(const struct shape *s, const json_t *v, struct error *e)
{
	size_t depth = json_depth(v);
	if (is_within(s, depth)) return ERR_OK;
	return error_set(e, ERR_PROTOCOL, "\"%s\" is nested deeper than %lld levels", s->key, (long long)s->most);
}

static enum err check_value(const struct shape *s, const json_t *v, struct error *e)
{
	switch (s->kind) {
	case SHAPE_TEXT:
	case SHAPE_STRING:
		return check_string(s, v, e);
	case SHAPE_BYTES:
		return check_bytes(s, v, e);
	case SHAPE_VALUE:
		return json_object_get(v, "secret") ? check_secret(s, v, e) : check_bytes(s, v, e);
	case SHAPE_WORD:
		return check_word(s, v, e);
	case SHAPE_INTEGER:
		return check_integer(s, v, e);
	case SHAPE_TRUE:
		return json_is_true(v) ? ERR_OK : wrong(s, "true, or absent", e);
	case SHAPE_BOOLEAN:
		return json_is_boolean(v) ? ERR_OK : wrong(s, "true or false", e);
	case SHAPE_OBJECT:
		if (!json_is_object(v)) return wrong(s, "an object", e);
		return shape_check(s->of, v, e) ? error_context(e, "in \"%s\"", s->key) : ERR_OK;
	case SHAPE_LIST:
		return check_list(s, v, e);
	case SHAPE_MAP:
		return check_map(s, v, e);
	case SHAPE_ANY:
		return check_any(s, v, e);
	}
	return ERR_PROTOCOL;
}

enum err shape_check(const struct shape *members, const json_t *object, struct error *e)
{
	size_t known = 0;
	for (const struct shape *s = members; s->key; s++) {
		const json_t *v = json_object_get(object, s->key);
		if (!v && s->is_required) return error_set(e, ERR_PROTOCOL, "\"%s\" is missing", s->key);
		if (!v) continue;
		known++;
		enum err err = check_value(s, v, e);
		if (err) return err;
	}
	/* Every member that is known was counted once: keys are unique. */
	if (json_object_size(object) == known) return ERR_OK;
	return error_set(e, ERR_PROTOCOL, "a member that is not known");
}

static void each_in(const struct shape *s, const json_t *v, enum shape_kind kind, void (*found)(const json_t *v, void *arg), void *arg)
{
	const char *name;
	json_t *item;
	size_t i;
	if (s->kind == kind) found(v, arg);
	if (s->kind == SHAPE_OBJECT) shape_each(s->of, v, kind, found, arg);
	if (s->kind == SHAPE_LIST) json_array_foreach(v, i, item) each_in(s->of, item, kind, found, arg);
	if (s->kind == SHAPE_MAP) json_object_foreach((json_t *)v, name, item) each_in(s->of, item, kind, found, arg);
}

void shape_each(const struct shape *members, const json_t *object, enum shape_kind kind, void (*found)(const json_t *v, void *arg), void *arg)
{
	for (const struct shape *s = members; s->key; s++) {
		const json_t *v = json_object_get(object, s->key);
		if (v) each_in(s, v, kind, found, arg);
	}
}
