#include "book/front_matter.h"
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

static const char *too_long(const char *s, size_t n)
{
	if (n > FRONT_MATTER_BYTES_MAX) return "it has more than 64 KiB";
	return yaml_is_too_deep(s, n, FRONT_MATTER_DEPTH_MAX) ? "its brackets are nested deeper than 16 levels" : NULL;
}

/* What is open while YAML events come. */
struct level {
	bool is_map, expects_value;
	const char *key;                 /* of the value that comes next, joined with those above */
	struct front_matter_entry *list; /* entry that the scalars of a list go to */
};

struct reader {
	struct document *d;
	struct level levels[FRONT_MATTER_DEPTH_MAX + 1];
	size_t depth, capacity;
	int first_line;
};

static struct front_matter_entry *add_entry(struct reader *r, const char *key, const char *value, size_t mark_line)
{
	struct document *d = r->d;
	if (d->front_matter_count >= FRONT_MATTER_ENTRIES_MAX) return NULL;
	d->front_matter = arena_grow(d->arena, d->front_matter, d->front_matter_count, &r->capacity, sizeof *d->front_matter);
	struct front_matter_entry *m = &d->front_matter[d->front_matter_count++];
	*m = (struct front_matter_entry){.key = key, .value = value, .line = r->first_line + (int)mark_line};
	return m;
}

static void take_scalar(struct reader *r, const yaml_event_t *event)
{
	struct level *at = &r->levels[r->depth];
	const char *text = arena_strndup(r->d->arena, (const char *)event->data.scalar.value, event->data.scalar.length);
	size_t line = event->start_mark.line;
	if (at->is_map && !at->expects_value) {
		const char *above = r->depth > 1 ? r->levels[r->depth - 1].key : NULL;
		at->key = above ? arena_printf(r->d->arena, "%s.%s", above, text) : text;
		at->expects_value = true;
	} else if (at->is_map) {
		add_entry(r, at->key, text, line);
		at->expects_value = false;
	} else if (r->depth > 0 && at->key) {
		/* Entries may move while the array grows, so the last one is looked up by its key. */
		struct document *d = r->d;
		struct front_matter_entry *last = d->front_matter_count ? &d->front_matter[d->front_matter_count - 1] : NULL;
		if (last && last->key == at->key)
			last->value = strlen(last->value) < 4096 ? arena_printf(d->arena, "%s, %s", last->value, text) : last->value;
		else
			add_entry(r, at->key, text, line);
	}
}

static bool open_level(struct reader *r, bool is_map)
{
	struct level *above = &r->levels[r->depth];
	if (r->depth >= FRONT_MATTER_DEPTH_MAX) return false;
	const char *key = above->key;
	above->expects_value = false;
	r->levels[++r->depth] = (struct level){.is_map = is_map, .key = is_map ? NULL : key};
	if (is_map && r->depth > 1 && !above->is_map) r->levels[r->depth].key = NULL;
	return true;
}

/* Why the YAML cannot be used, or NULL. */
static const char *take_event(struct reader *r, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		take_scalar(r, event);
		return NULL;
	case YAML_ALIAS_EVENT:
		r->levels[r->depth].expects_value = false;
		return NULL;
	case YAML_MAPPING_START_EVENT:
		return open_level(r, true) ? NULL : "it is nested deeper than 16 levels";
	case YAML_SEQUENCE_START_EVENT:
		return open_level(r, false) ? NULL : "it is nested deeper than 16 levels";
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		r->depth--;
		return NULL;
	default:
		return NULL;
	}
}

static void read_yaml(struct document *d, const char *s, size_t n, int first_line)
{
	yaml_parser_t parser;
	struct reader r = {.d = d, .first_line = first_line};
	d->front_matter_error = too_long(s, n);
	d->front_matter_error_line = first_line;
	if (d->front_matter_error) return;
	if (!yaml_parser_initialize(&parser)) die("out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)s, n);
	for (bool is_over = false; !is_over && !d->front_matter_error;) {
		yaml_event_t event;
		if (!yaml_parser_parse(&parser, &event)) {
			if (parser.error == YAML_MEMORY_ERROR) die("out of memory while a book's front matter is read");
			d->front_matter_error = arena_strdup(d->arena, parser.problem ? parser.problem : "it is not YAML");
			d->front_matter_error_line = first_line + (int)parser.problem_mark.line;
			break;
		}
		is_over = event.type == YAML_STREAM_END_EVENT;
		d->front_matter_error = take_event(&r, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
}

static bool is_fence_line(const struct document *d, int line, const char *mark)
{
	size_t n;
	const char *s = document_line(d, line, &n);
	while (n && strchr(" \t", s[n - 1])) n--;
	return n == 3 && memcmp(s, mark, 3) == 0;
}

size_t front_matter_read(struct document *d)
{
	if (d->line_count < 2) return 0;
	bool is_toml = is_fence_line(d, 1, "+++");
	if (!is_toml && !is_fence_line(d, 1, "---")) return 0;
	int close = 2;
	while (close <= (int)d->line_count && !is_fence_line(d, close, is_toml ? "+++" : "---") && (is_toml || !is_fence_line(d, close, "..."))) close++;
	if (close > (int)d->line_count) return 0; /* a rule, and no front matter */
	size_t from = d->line_starts[1], to = d->line_starts[close - 1];
	if (!is_toml) read_yaml(d, d->text + from, to - from, 2);
	d->body_line = close + 1;
	return d->line_starts[close];
}
