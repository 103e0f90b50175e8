#include "alert/alerts_file.h"
#include "alert/alerts_read.h"
#include "base/text.h"
#include "policy/policy.h"

#include <string.h>

/* The whole of alerts.yaml, and what its parts share. Strict: what is not understood is an error with its place, since a guard rail that is silently not there
 * is found out at night. */

/* What holds where neither a binding nor the defaults say otherwise: a loop of alert and playbook ends by itself, and a person is told. */
static const struct alert_guards guards_default = {
    .cooldown_us = INT64_C(15) * 60000000, .runs = 20, .runs_us = INT64_C(3600000000), .max_running = 5, .breaker_count = 3, .breaker_us = INT64_C(3600000000)};

enum err alerts_read_name(const struct alerts_reader *r, const struct yaml *v, const char *what, const char **out)
{
	enum err err = yaml_text(v, what, out, r->e);
	if (!err && !policy_is_name(*out)) err = yaml_wrong(v, r->e, "%s is 1 to 64 letters, digits, and any of _ . @ -, not \"%.60s\"", what, *out);
	return err;
}

enum err alerts_read_text(const struct alerts_reader *r, const struct yaml *v, const char *what, bool may_be_empty, const char **out)
{
	bool is_empty = v->kind == YAML_TEXT && v->is_quoted && !*v->text;
	enum err err = may_be_empty && is_empty ? ERR_OK : yaml_text(v, what, out, r->e);
	if (err) return err;
	*out = v->text;
	return strlen(v->text) <= ALERTS_TEXT_BYTES_MAX ? ERR_OK : yaml_wrong(v, r->e, "%s has at most %d bytes", what, ALERTS_TEXT_BYTES_MAX);
}

enum err alerts_read_count(const struct alerts_reader *r, const struct yaml *v, const char *what, size_t most, size_t *count)
{
	*count = 0;
	if (v->kind == YAML_TEXT && !*v->text) return ERR_OK;
	enum err err = yaml_map(v, what, r->e);
	if (!err && v->count > most) err = yaml_wrong(v, r->e, "%s has at most %zu entries", what, most);
	if (!err) *count = v->count;
	return err;
}

enum err alerts_read_pattern(const struct alerts_reader *r, const struct yaml *v, const char *what, struct pattern **out)
{
	const char *text;
	struct error why;
	enum err err = yaml_text(v, what, &text, r->e);
	if (!err && pattern_compile(r->arena, text, out, &why)) err = yaml_wrong(v, r->e, "%s: %.400s", what, why.text);
	return err;
}

enum err alerts_read_source_name(const struct alerts_reader *r, const struct yaml *v, const char **out)
{
	const char *known[ALERTS_SOURCES_MAX + 1] = {NULL};
	enum err err = alerts_read_name(r, v, "source", out);
	if (err || alerts_source_find(r->f, *out)) return err;
	for (size_t i = 0; i < r->f->source_count; i++) known[i] = r->f->sources[i].name;
	const char *near = text_nearest(*out, known);
	return near ? yaml_wrong(v, r->e, "there is no source \"%.60s\": did you mean \"%s\"?", *out, near)
	            : yaml_wrong(v, r->e, "there is no source \"%.60s\": name it under sources:", *out);
}

/* ---- maintenance ---- */

static enum err read_window(const struct alerts_reader *r, const struct yaml *v, struct alert_window *w)
{
	static const char *const keys[] = {"id", "from", "to", "source", "match", "why", NULL};
	const struct yaml *m, *to;
	*w = (struct alert_window){.line = v->line};
	enum err err = yaml_keys(v, "a maintenance window", keys, r->e);
	if (!err && !(m = yaml_get(v, "id"))) err = yaml_wrong(v, r->e, "a maintenance window needs an id: decisions name it");
	if (!err) err = alerts_read_name(r, m, "a maintenance window's id", &w->id);
	if (!err && (!yaml_get(v, "from") || !yaml_get(v, "to"))) err = yaml_wrong(v, r->e, "a maintenance window needs from and to");
	if (!err) err = yaml_instant(yaml_get(v, "from"), "from", false, &w->from_us, r->e);
	if (!err) err = yaml_instant(to = yaml_get(v, "to"), "to", true, &w->to_us, r->e);
	if (!err && w->from_us >= w->to_us) err = yaml_wrong(to, r->e, "a maintenance window ends after it begins");
	if (!err && (m = yaml_get(v, "source"))) err = alerts_read_source_name(r, m, &w->source);
	if (!err && (m = yaml_get(v, "match"))) err = alerts_read_matchers(r, m, &w->matchers, &w->matcher_count);
	if (!err && (m = yaml_get(v, "why"))) err = alerts_read_text(r, m, "why", false, &w->why);
	return err;
}

/* ---- the whole ---- */

static enum err read_sources(const struct alerts_reader *r, const struct yaml *v)
{
	size_t count;
	enum err err = v ? alerts_read_count(r, v, "sources", ALERTS_SOURCES_MAX, &count) : ERR_OK;
	if (!v || err) return err;
	r->f->sources = arena_alloc(r->arena, count * sizeof *r->f->sources);
	for (size_t i = 0; i < count && !err; i++) {
		err = alerts_read_source(r, v->keys[i], v->items[i], &r->f->sources[i]);
		r->f->source_count += !err;
	}
	return err;
}

static enum err read_list(const struct alerts_reader *r, const struct yaml *v, const char *what, size_t most, size_t *count)
{
	*count = 0;
	if (!v || (v->kind == YAML_TEXT && !*v->text)) return ERR_OK;
	if (v->kind != YAML_LIST) return yaml_wrong(v, r->e, "%s is a list, an item begins with -", what);
	if (v->count > most) return yaml_wrong(v, r->e, "there are at most %zu %s", most, what);
	*count = v->count;
	return ERR_OK;
}

static bool is_same_matcher(const struct alert_matcher *a, const struct alert_matcher *b)
{
	if (strcmp(a->label, b->label) != 0 || a->kind != b->kind || a->value_count != b->value_count) return false;
	if (a->pattern) return strcmp(pattern_text(a->pattern), pattern_text(b->pattern)) == 0;
	for (size_t i = 0; i < a->value_count; i++)
		if (strcmp(a->values[i], b->values[i]) != 0) return false;
	return true;
}

/* Does the first match whatever the second does? Where it is not certain: no. */
static bool is_above(const struct alert_binding *first, const struct alert_binding *second)
{
	if (first->source && (!second->source || strcmp(first->source, second->source) != 0)) return false;
	for (size_t i = 0; i < first->matcher_count; i++) {
		bool is_there = false;
		for (size_t k = 0; k < second->matcher_count && !is_there; k++) is_there = is_same_matcher(&first->matchers[i], &second->matchers[k]);
		if (!is_there) return false;
	}
	return true;
}

/* The first binding that matches decides: one that can never be it is a mistake. */
static enum err check_binding(const struct alerts_reader *r, const struct yaml *v, size_t index)
{
	const struct alert_binding *b = &r->f->bindings[index];
	for (size_t i = 0; i < index; i++) {
		const struct alert_binding *other = &r->f->bindings[i];
		if (strcmp(other->id, b->id) == 0)
			return yaml_wrong(yaml_get(v, "id"), r->e, "the binding \"%s\" stands twice: line %d has it too", b->id, other->line);
		if (is_above(other, b))
			return yaml_wrong(v, r->e,
			                  "the binding \"%s\" is never reached: the first that matches decides, and \"%s\" (line %d) matches whatever it does",
			                  b->id, other->id, other->line);
	}
	return ERR_OK;
}

static enum err read_bindings(const struct alerts_reader *r, const struct yaml *v)
{
	size_t count;
	enum err err = read_list(r, v, "bindings", ALERTS_BINDINGS_MAX, &count);
	r->f->bindings = arena_alloc(r->arena, count * sizeof *r->f->bindings);
	for (size_t i = 0; i < count && !err; i++) {
		err = alerts_read_binding(r, v->items[i], false, &r->f->bindings[i]);
		if (!err) err = check_binding(r, v->items[i], i);
		r->f->binding_count += !err;
	}
	return err;
}

static enum err read_windows(const struct alerts_reader *r, const struct yaml *v)
{
	size_t count;
	enum err err = read_list(r, v, "maintenance", ALERTS_WINDOWS_MAX, &count);
	r->f->windows = arena_alloc(r->arena, count * sizeof *r->f->windows);
	for (size_t i = 0; i < count && !err; i++) {
		struct alert_window *w = &r->f->windows[i];
		err = read_window(r, v->items[i], w);
		for (size_t k = 0; k < i && !err; k++)
			if (strcmp(r->f->windows[k].id, w->id) == 0)
				err = yaml_wrong(yaml_get(v->items[i], "id"), r->e, "the maintenance window \"%s\" stands twice: line %d has it too", w->id,
				                 r->f->windows[k].line);
		r->f->window_count += !err;
	}
	return err;
}

static struct alerts_file *file_new(struct arena *a, const char *file)
{
	struct alerts_file *f = arena_alloc(a, sizeof *f);
	*f = (struct alerts_file){.file = arena_strdup(a, file), .defaults = {.id = "defaults", .guards = guards_default}};
	return f;
}

enum err alerts_file_read(struct arena *a, const char *file, const char *bytes, size_t n, const struct alerts_file **out, struct error *e)
{
	static const char *const keys[] = {"version", "sources", "defaults", "bindings", "maintenance", NULL};
	struct yaml *root;
	const struct yaml *v;
	int64_t version;
	struct alerts_file *f = file_new(a, file);
	struct alerts_reader r = {.arena = a, .f = f, .e = e};
	digest_sha256_hex(f->digest, bytes, n);
	enum err err = yaml_read(a, file, bytes, n, &root, e);
	if (!err) err = yaml_keys(root, "alerts.yaml", keys, e);
	if (!err && !(v = yaml_get(root, "version"))) err = yaml_wrong(root, e, "alerts.yaml begins with version: 1");
	if (!err) err = yaml_int(v, "version", 1, 1, &version, e);
	if (!err) err = read_sources(&r, yaml_get(root, "sources"));
	if (!err && (v = yaml_get(root, "defaults"))) err = alerts_read_binding(&r, v, true, &f->defaults);
	if (!err) err = read_bindings(&r, yaml_get(root, "bindings"));
	if (!err) err = read_windows(&r, yaml_get(root, "maintenance"));
	if (!err) *out = f;
	return err;
}

const struct alerts_file *alerts_file_none(struct arena *a)
{
	struct alerts_file *f = file_new(a, "alerts.yaml");
	digest_sha256_hex(f->digest, "", 0);
	return f;
}

const struct alert_source *alerts_source_find(const struct alerts_file *f, const char *name)
{
	for (size_t i = 0; i < f->source_count; i++)
		if (strcmp(f->sources[i].name, name) == 0) return &f->sources[i];
	return NULL;
}

const char *alert_mapped(const struct alert_field *f, const char *word)
{
	if (!word || !*word) return f->otherwise ? f->otherwise : "";
	for (size_t i = 0; i < f->map_count; i++)
		if (strcmp(f->map[i].from, word) == 0) return f->map[i].to;
	return word;
}
