#include "book/attributes.h"

#include "base/json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* What is read: s[at] is next. */
struct reader {
	struct arena *arena;
	const char *s;
	size_t n, at;
	struct attributes *out;
};

static bool fail(struct reader *r, const char *why, size_t at)
{
	r->out->error = why;
	r->out->error_column = (int)at;
	return false;
}

static bool is_name_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.' || (unsigned char)c >= 0x80;
}

static bool add(struct reader *r, const char *name, const char *value, size_t column)
{
	struct attributes *t = r->out;
	if (t->count == ATTRIBUTES_MAX) return fail(r, "there are more than 64 attributes", column);
	t->items[t->count++] = (struct attribute){.name = name, .value = value, .column = (int)column};
	return true;
}

/* A quoted value; \" and \\ stand for themselves. */
static const char *quoted(struct reader *r)
{
	char quote = r->s[r->at];
	size_t start = r->at++, len = 0;
	char *value = arena_alloc(r->arena, r->n - start + 1);
	for (; r->at < r->n; r->at++) {
		char c = r->s[r->at];
		if (c == quote) {
			r->at++;
			return value;
		}
		if (c == '\\' && r->at + 1 < r->n && (r->s[r->at + 1] == quote || r->s[r->at + 1] == '\\')) c = r->s[++r->at];
		value[len++] = c;
	}
	fail(r, "a quote is not closed", start);
	return NULL;
}

static const char *bare(struct reader *r, bool in_braces)
{
	size_t start = r->at;
	while (r->at < r->n && !isspace((unsigned char)r->s[r->at]) && !(in_braces && r->s[r->at] == '}')) r->at++;
	return arena_strndup(r->arena, r->s + start, r->at - start);
}

/* One attribute; false where the text is wrong. */
static bool item(struct reader *r, bool in_braces)
{
	size_t start = r->at;
	bool is_id = r->s[r->at] == '#';
	if (is_id || r->s[r->at] == '.') r->at++; /* Pandoc's {#id .class} */
	size_t name = r->at;
	while (r->at < r->n && is_name_byte(r->s[r->at])) r->at++;
	if (r->at == name) return fail(r, "a name was expected here, as in {id=restart timeout=5m}", start);
	const char *word = arena_strndup(r->arena, r->s + name, r->at - name);
	if (is_id) return add(r, "id", word, start);
	if (r->s[start] == '.') return true; /* a class: for style sheets */
	if (r->at >= r->n || r->s[r->at] != '=') return add(r, word, NULL, start);
	r->at++;
	bool is_quoted = r->at < r->n && (r->s[r->at] == '"' || r->s[r->at] == '\'');
	const char *value = is_quoted ? quoted(r) : bare(r, in_braces);
	return value && add(r, word, value, start);
}

static void items(struct reader *r, bool in_braces)
{
	for (;;) {
		while (r->at < r->n && (isspace((unsigned char)r->s[r->at]) || r->s[r->at] == ',')) r->at++;
		if (r->at >= r->n) {
			if (in_braces) fail(r, "the closing brace } is missing", r->n);
			return;
		}
		if (in_braces && r->s[r->at] == '}') return;
		if (!item(r, in_braces)) return;
	}
}

/* Runme's form: a JSON object; its name is our id. */
static void json_items(struct reader *r)
{
	struct error e;
	size_t end = r->n;
	while (end > r->at && r->s[end - 1] != '}') end--;
	json_t *o = json_parse(r->s + r->at, end - r->at, 8, &e);
	r->out->is_json = true;
	if (!json_is_object(o)) {
		fail(r, "this is no JSON object on one line, as {\"name\":\"restart\"} is", r->at);
		json_decref(o);
		return;
	}
	const char *key;
	json_t *value;
	json_object_foreach(o, key, value)
	{
		const char *name = strcmp(key, "name") == 0 ? "id" : arena_strdup(r->arena, key);
		char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		const char *kept = arena_strdup(r->arena, text ? text : json_string_value(value));
		free(text);
		if (!add(r, name, kept, r->at)) break;
	}
	json_decref(o);
}

void attributes_parse(struct arena *a, const char *text, size_t n, struct attributes *out)
{
	*out = (struct attributes){.count = 0};
	const char *brace = memchr(text, '{', n);
	if (!brace) return;
	struct reader r = {.arena = a, .s = text, .n = n, .at = (size_t)(brace - text) + 1, .out = out};
	size_t next = r.at;
	while (next < n && isspace((unsigned char)text[next])) next++;
	if (next < n && text[next] == '"') {
		r.at--;
		json_items(&r);
	} else {
		items(&r, true);
	}
}

void attributes_parse_bare(struct arena *a, const char *text, size_t n, struct attributes *out)
{
	*out = (struct attributes){.count = 0};
	struct reader r = {.arena = a, .s = text, .n = n, .out = out};
	items(&r, false);
}

const char *attributes_get(const struct attributes *t, const char *name)
{
	for (size_t i = t->count; i > 0; i--)
		if (strcmp(t->items[i - 1].name, name) == 0) return t->items[i - 1].value ? t->items[i - 1].value : "";
	return NULL;
}

const char *attributes_language(struct arena *a, const char *info)
{
	size_t n = strcspn(info, " \t{,");
	char *word = arena_strndup(a, info, n);
	for (size_t i = 0; i < n; i++) word[i] = (char)tolower((unsigned char)word[i]);
	return word;
}
