#include "base/yaml.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* ---- before libyaml ---- */

/* Where brackets are nested deeper than that, or NULL. */
static const char *too_deep_at(const char *s, size_t n, int depth_max)
{
	int depth = 0;
	char quote = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n') quote = 0; /* a quoted text over several lines is counted too strictly, never too mildly */
		if (quote) {
			if (s[i] == '\\' && quote == '"')
				i++;
			else if (s[i] == quote)
				quote = 0;
		} else if ((s[i] == '"' || s[i] == '\'') && (i == 0 || strchr(" \t\n[{,:", s[i - 1]))) {
			quote = s[i];
		} else if (s[i] == '[' || s[i] == '{') {
			if (++depth > depth_max) return s + i;
		} else if ((s[i] == ']' || s[i] == '}') && depth > 0) {
			depth--;
		}
	}
	return NULL;
}

bool yaml_is_too_deep(const char *s, size_t n, int depth_max)
{
	return too_deep_at(s, n, depth_max) != NULL;
}

/* May these bytes stand in the file, in a comment too? What hides there, or begins a line for YAML only, would show people another file than the one that is
 * read. */
static bool is_plain_text(const char *at, const char *end, uint32_t code)
{
	if (code == '\r') return at + 1 < end && at[1] == '\n';
	return code == '\n' || code == '\t' || !text_is_control(code);
}

static enum err wrong_byte(const char *file, const char *bytes, const char *at, struct error *e, const char *why)
{
	int line = 1, column = 1;
	uint32_t code;
	for (const char *p = bytes; p < at; p += text_decode(p, at, &code)) {
		column = *p == '\n' ? 1 : column + 1;
		line += *p == '\n';
	}
	return error_set(e, ERR_INVALID, "%s:%d:%d: %s", file, line, column, why);
}

/* What libyaml would not find, or not say where. */
static enum err check_bytes(const char *file, const char *bytes, size_t n, struct error *e)
{
	uint32_t code;
	size_t step;
	if (n > YAML_BYTES_MAX) return error_set(e, ERR_TOO_BIG, "%s:1:1: the file has more than 1 MiB", file);
	for (const char *at = bytes, *end = bytes + n; at < end; at += step) {
		step = text_decode(at, end, &code);
		if (!step) return wrong_byte(file, bytes, at, e, "it is not UTF-8 text: save it as UTF-8");
		if (!is_plain_text(at, end, code))
			return wrong_byte(file, bytes, at, e, "control characters and invisible marks are not used here: remove them");
	}
	const char *deep = too_deep_at(bytes, n, YAML_DEPTH_MAX);
	return deep ? wrong_byte(file, bytes, deep, e, "its brackets are nested deeper than 16 levels") : ERR_OK;
}

/* ---- events to nodes ---- */

struct reader {
	struct arena *arena;
	const char *file, *bytes, *end;
	yaml_parser_t parser;
	struct error *error;
};

static enum err wrong_at(const struct reader *r, const yaml_mark_t *at, const char *why)
{
	return error_set(r->error, ERR_INVALID, "%s:%zu:%zu: %s", r->file, at->line + 1, at->column + 1, why);
}

/* What libyaml cannot read, in its words; but of a tab they say too little. */
static enum err not_yaml(const struct reader *r)
{
	const yaml_mark_t *at = r->parser.problem_mark.line || r->parser.problem_mark.column ? &r->parser.problem_mark : &r->parser.mark;
	const char *line = r->bytes, *why = r->parser.problem ? r->parser.problem : "something else was expected";
	char text[200];
	for (size_t i = 0; i < at->line && line < r->end; line++) i += *line == '\n';
	while (line < r->end && *line == ' ') line++;
	if (line < r->end && *line == '\t') return wrong_at(r, at, "a line is indented with spaces, not with a tab");
	snprintf(text, sizeof text, "it is not YAML: %s", why);
	return wrong_at(r, at, text);
}

/* The next event, checked for what these files may not have. */
static enum err next_event(struct reader *r, yaml_event_t *ev)
{
	if (!yaml_parser_parse(&r->parser, ev)) {
		memset(ev, 0, sizeof *ev);
		if (r->parser.error == YAML_MEMORY_ERROR) die("out of memory while %s is read", r->file);
		return not_yaml(r);
	}
	const yaml_mark_t *at = &ev->start_mark;
	switch (ev->type) {
	case YAML_ALIAS_EVENT:
		return wrong_at(r, at, "aliases (*name) are not used here: write the value out");
	case YAML_SCALAR_EVENT:
		if (ev->data.scalar.anchor) return wrong_at(r, at, "anchors (&name) are not used here: write the value out where it is needed");
		if (ev->data.scalar.tag) return wrong_at(r, at, "tags (!name) are not used here: write the plain value");
		break;
	case YAML_SEQUENCE_START_EVENT:
		if (ev->data.sequence_start.anchor) return wrong_at(r, at, "anchors (&name) are not used here: write the list out where it is needed");
		if (ev->data.sequence_start.tag) return wrong_at(r, at, "tags (!name) are not used here: write the plain list");
		break;
	case YAML_MAPPING_START_EVENT:
		if (ev->data.mapping_start.anchor) return wrong_at(r, at, "anchors (&name) are not used here: write the map out where it is needed");
		if (ev->data.mapping_start.tag) return wrong_at(r, at, "tags (!name) are not used here: write the plain map");
		break;
	case YAML_DOCUMENT_START_EVENT:
		if (ev->data.document_start.version_directive || ev->data.document_start.tag_directives.start != ev->data.document_start.tag_directives.end)
			return wrong_at(r, at, "directives (%YAML, %TAG) are not used here: remove them");
		break;
	default:
		break;
	}
	return ERR_OK;
}

static struct yaml *node_new(const struct reader *r, enum yaml_kind kind, const yaml_event_t *ev)
{
	struct yaml *y = arena_alloc(r->arena, sizeof *y);
	*y = (struct yaml){.kind = kind, .file = r->file, .line = (int)ev->start_mark.line + 1, .column = (int)ev->start_mark.column + 1};
	return y;
}

static enum err read_node(struct reader *r, yaml_event_t *ev, int depth, struct yaml **out);

static enum err read_text(struct reader *r, const yaml_event_t *ev, struct yaml **out)
{
	const char *text = (const char *)ev->data.scalar.value;
	size_t n = ev->data.scalar.length;
	if (n > YAML_TEXT_BYTES_MAX) return wrong_at(r, &ev->start_mark, "a text has at most 64 KiB");
	for (const char *at = text, *end = text + n; at < end;) {
		uint32_t code;
		size_t len = text_decode(at, end, &code);
		if (len == 0 || (text_is_control(code) && code != '\n' && code != '\t'))
			return wrong_at(r, &ev->start_mark, "control characters and invisible marks are not used here: remove them");
		at += len;
	}
	struct yaml *y = node_new(r, YAML_TEXT, ev);
	y->text = arena_strndup(r->arena, text, n);
	y->is_quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	*out = y;
	return ERR_OK;
}

static enum err read_list(struct reader *r, const yaml_event_t *start, int depth, struct yaml **out)
{
	struct yaml *y = *out = node_new(r, YAML_LIST, start);
	size_t capacity = 0;
	for (;;) {
		yaml_event_t ev;
		struct yaml *item = NULL;
		enum err err = next_event(r, &ev);
		bool is_end = !err && ev.type == YAML_SEQUENCE_END_EVENT;
		if (!err && !is_end) err = read_node(r, &ev, depth + 1, &item);
		yaml_event_delete(&ev);
		if (err || is_end) return err;
		y->items = arena_grow(r->arena, y->items, y->count, &capacity, sizeof *y->items);
		y->items[y->count++] = item;
	}
}

static enum err check_key(const struct reader *r, const struct yaml *map, const struct yaml *key, const yaml_mark_t *at)
{
	if (key->kind != YAML_TEXT || !*key->text) return wrong_at(r, at, "a key is a text that is not empty");
	if (map->count >= YAML_KEYS_MAX) return wrong_at(r, at, "a map has at most 10000 keys");
	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->keys[i]->text, key->text) == 0)
			return yaml_wrong(key, r->error, "\"%.60s\" stands twice: line %d has it too; keep one", key->text, map->keys[i]->line);
	return ERR_OK;
}

static enum err read_map(struct reader *r, const yaml_event_t *start, int depth, struct yaml **out)
{
	struct yaml *y = *out = node_new(r, YAML_MAP, start);
	size_t keys = 0, values = 0;
	for (;;) {
		yaml_event_t ev;
		struct yaml *key = NULL, *value = NULL;
		enum err err = next_event(r, &ev);
		bool is_end = !err && ev.type == YAML_MAPPING_END_EVENT;
		if (!err && !is_end) err = read_node(r, &ev, depth + 1, &key);
		if (!err && !is_end) err = check_key(r, y, key, &ev.start_mark);
		yaml_event_delete(&ev);
		if (err || is_end) return err;
		err = next_event(r, &ev);
		if (!err) err = read_node(r, &ev, depth + 1, &value);
		yaml_event_delete(&ev);
		if (err) return err;
		y->keys = arena_grow(r->arena, y->keys, y->count, &keys, sizeof *y->keys);
		y->items = arena_grow(r->arena, y->items, y->count, &values, sizeof *y->items);
		y->keys[y->count] = key;
		y->items[y->count++] = value;
	}
}

static enum err read_node(struct reader *r, yaml_event_t *ev, int depth, struct yaml **out)
{
	if (depth > YAML_DEPTH_MAX && ev->type != YAML_SCALAR_EVENT) return wrong_at(r, &ev->start_mark, "it is nested deeper than 16 levels");
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return read_text(r, ev, out);
	case YAML_SEQUENCE_START_EVENT:
		return read_list(r, ev, depth, out);
	case YAML_MAPPING_START_EVENT:
		return read_map(r, ev, depth, out);
	default:
		return wrong_at(r, &ev->start_mark, "a value was expected");
	}
}

static enum err read_stream(struct reader *r, struct yaml **out)
{
	size_t documents = 0;
	for (;;) {
		yaml_event_t ev;
		enum err err = next_event(r, &ev);
		bool is_end = !err && ev.type == YAML_STREAM_END_EVENT;
		if (!err && ev.type == YAML_DOCUMENT_START_EVENT && documents++)
			err = wrong_at(r, &ev.start_mark, "a file is one document: remove what follows ---");
		bool is_node = !err && (ev.type == YAML_SCALAR_EVENT || ev.type == YAML_SEQUENCE_START_EVENT || ev.type == YAML_MAPPING_START_EVENT);
		if (is_node) err = read_node(r, &ev, 1, out);
		yaml_event_delete(&ev);
		if (err || is_end) return err;
	}
}

enum err yaml_read(struct arena *a, const char *file, const char *bytes, size_t n, struct yaml **out, struct error *e)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf"; /* some editors begin a file with it */
	if (n >= 3 && memcmp(bytes, byte_order_mark, 3) == 0) bytes += 3, n -= 3;
	enum err err = check_bytes(file, bytes, n, e);
	if (err) return err;
	struct reader r = {.arena = a, .file = arena_strdup(a, file), .bytes = bytes, .end = bytes + n, .error = e};
	if (!yaml_parser_initialize(&r.parser)) die("out of memory");
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)bytes, n);
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	*out = NULL;
	err = read_stream(&r, out);
	yaml_parser_delete(&r.parser);
	if (err || (*out && ((*out)->kind != YAML_TEXT || *(*out)->text))) return err;
	*out = arena_alloc(a, sizeof **out);
	**out = (struct yaml){.kind = YAML_MAP, .file = r.file, .line = 1, .column = 1};
	return ERR_OK;
}

enum err yaml_read_file(struct arena *a, const char *path, const char *shown, struct yaml **out, struct error *e)
{
	struct buf b;
	buf_init(&b, YAML_BYTES_MAX + 1);
	enum err err = fs_read(path, &b, e);
	if (!err) err = yaml_read(a, shown, b.data ? b.data : "", b.len, out, e);
	buf_clear(&b);
	return err;
}

/* ---- typed ---- */

enum err yaml_wrong(const struct yaml *at, struct error *e, const char *fmt, ...)
{
	char why[ERROR_TEXT_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	return error_set(e, ERR_INVALID, "%s:%d:%d: %s", at->file, at->line, at->column, why);
}

struct yaml *yaml_get(const struct yaml *map, const char *key)
{
	for (size_t i = 0; map && map->kind == YAML_MAP && i < map->count; i++)
		if (strcmp(map->keys[i]->text, key) == 0) return map->items[i];
	return NULL;
}

static const char *found(const struct yaml *v, char out[96])
{
	if (v->kind == YAML_MAP) return "a map";
	if (v->kind == YAML_LIST) return "a list";
	if (!*v->text) return "nothing";
	snprintf(out, 96, "\"%.60s\"%s", v->text, v->is_quoted ? " in quotes" : "");
	return out;
}

static enum err expected(const struct yaml *v, const char *what, const char *type, struct error *e)
{
	char there[96];
	return yaml_wrong(v, e, "%s is %s, and here is %s", what, type, found(v, there));
}

/* "a, b or c" */
static void add_words(struct buf *b, const char *const *words)
{
	for (size_t i = 0; words[i]; i++) buf_printf(b, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
}

enum err yaml_keys(const struct yaml *map, const char *what, const char *const *keys, struct error *e)
{
	enum err err = yaml_map(map, what, e);
	for (size_t i = 0; !err && i < map->count; i++) {
		bool known = false;
		for (size_t k = 0; keys[k]; k++) known = known || strcmp(keys[k], map->keys[i]->text) == 0;
		if (known) continue;
		struct buf b;
		buf_init(&b, 512);
		const char *near = text_nearest(map->keys[i]->text, keys);
		if (near)
			buf_printf(&b, "did you mean \"%s\"?", near);
		else
			buf_str(&b, "it may have "), add_words(&b, keys);
		err = yaml_wrong(map->keys[i], e, "%s has no \"%.60s\": %s", what, map->keys[i]->text, b.data ? b.data : "");
		buf_clear(&b);
	}
	return err;
}

enum err yaml_map(const struct yaml *v, const char *what, struct error *e)
{
	return v->kind == YAML_MAP ? ERR_OK : expected(v, what, "a map of keys and values", e);
}

enum err yaml_text(const struct yaml *v, const char *what, const char **out, struct error *e)
{
	if (v->kind != YAML_TEXT || !*v->text) return expected(v, what, "a text", e);
	*out = v->text;
	return ERR_OK;
}

enum err yaml_bool(const struct yaml *v, const char *what, bool *out, struct error *e)
{
	bool is_true = v->kind == YAML_TEXT && !v->is_quoted && strcmp(v->text, "true") == 0;
	bool is_false = v->kind == YAML_TEXT && !v->is_quoted && strcmp(v->text, "false") == 0;
	if (!is_true && !is_false) return expected(v, what, "true or false", e);
	*out = is_true;
	return ERR_OK;
}

enum err yaml_int(const struct yaml *v, const char *what, int64_t least, int64_t most, int64_t *out, struct error *e)
{
	char range[80], *end = NULL;
	errno = 0;
	bool is_plain = v->kind == YAML_TEXT && !v->is_quoted && *v->text && strspn(v->text, "-0123456789") == strlen(v->text);
	/* 010 is ten to some and eight to others. */
	const char *digits = v->kind == YAML_TEXT ? v->text + (*v->text == '-') : "";
	if (digits[0] == '0' && digits[1]) is_plain = false;
	long long n = is_plain ? strtoll(v->text, &end, 10) : 0;
	snprintf(range, sizeof range, least == most ? "%lld" : "a whole number from %lld to %lld", (long long)least, (long long)most);
	if (!is_plain || *end || errno || n < least || n > most) return expected(v, what, range, e);
	*out = n;
	return ERR_OK;
}

enum err yaml_duration(const struct yaml *v, const char *what, int64_t *us, struct error *e)
{
	if (v->kind != YAML_TEXT || clock_parse_duration(v->text, us, NULL)) return expected(v, what, "a duration such as 90s, 15m or 2h", e);
	return ERR_OK;
}

enum err yaml_instant(const struct yaml *v, const char *what, bool is_end, int64_t *us, struct error *e)
{
	const char *text = NULL;
	enum err err = yaml_text(v, what, &text, e);
	if (err) return err;
	if (clock_parse_date(text, us)) {
		if (is_end) *us += INT64_C(86400000000);
		return ERR_OK;
	}
	if (clock_parse_instant(text, us)) return ERR_OK;
	return yaml_wrong(v, e, "%s is a day (2026-12-20, in UTC) or an instant (2026-12-20T08:00:00Z, or with +01:00), not \"%.40s\"", what, text);
}

enum err yaml_texts(const struct yaml *v, const char *what, struct yaml ***items, size_t *count, struct arena *a, struct error *e)
{
	const char *text;
	*count = v->kind == YAML_LIST ? v->count : 1;
	*items = v->items;
	if (v->kind == YAML_MAP) return expected(v, what, "a text or a list of texts", e);
	if (v->kind == YAML_TEXT) {
		*items = arena_alloc(a, sizeof **items);
		(*items)[0] = arena_alloc(a, sizeof ***items);
		*(*items)[0] = *v;
		return yaml_text(v, what, &text, e);
	}
	for (size_t i = 0; i < v->count; i++) {
		enum err err = yaml_text(v->items[i], what, &text, e);
		if (err) return err;
	}
	return ERR_OK;
}

enum err yaml_word(const struct yaml *v, const char *what, const char *const *words, size_t *index, struct error *e)
{
	for (size_t i = 0; v->kind == YAML_TEXT && words[i]; i++)
		if (strcmp(words[i], v->text) == 0) {
			*index = i;
			return ERR_OK;
		}
	struct buf b;
	buf_init(&b, 512);
	add_words(&b, words);
	enum err err = expected(v, what, b.data ? b.data : "", e);
	buf_clear(&b);
	return err;
}
