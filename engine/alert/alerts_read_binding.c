#include "alert/alerts_read.h"
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

/* bindings: and defaults: of alerts.yaml. */

/* ---- matchers ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum err read_values(const struct alerts_reader *r, const struct yaml *v, struct alert_matcher *m)
{
	size_t count = v->kind == YAML_LIST ? v->count : 1;
	if (count == 0 || count > ALERTS_VALUES_MAX) return yaml_wrong(v, r->e, "a label is matched against 1 to %d values", ALERTS_VALUES_MAX);
	enum err err = ERR_OK;
	m->values = arena_alloc(r->arena, count * sizeof *m->values);
	for (size_t i = 0; i < count && !err; i++) {
		err = alerts_read_text(r, v->kind == YAML_LIST ? v->items[i] : v, "the value of a label", true, &m->values[i]);
		m->value_count += !err;
	}
	if (!err) qsort(m->values, count, sizeof *m->values, by_text);
	return err;
}

/* A text or a list: any of them. {not: ...}: none of them. {regex: P}, {not_regex: P}: the whole value. */
static enum err read_matcher(const struct alerts_reader *r, const struct yaml *key, const struct yaml *v, struct alert_matcher *m)
{
	static const char *const keys[] = {"not", "regex", "not_regex", NULL};
	static const enum alert_matcher_kind kinds[] = {ALERT_MATCH_NONE_OF, ALERT_MATCH_REGEX, ALERT_MATCH_NOT_REGEX};
	*m = (struct alert_matcher){.label = key->text, .kind = ALERT_MATCH_ANY_OF, .line = key->line};
	if (strlen(key->text) > ALERT_LABEL_NAME_BYTES_MAX) return yaml_wrong(key, r->e, "a label's name has at most %d bytes", ALERT_LABEL_NAME_BYTES_MAX);
	if (v->kind != YAML_MAP) return read_values(r, v, m);
	enum err err = yaml_keys(v, "a matcher", keys, r->e);
	if (!err && v->count != 1) err = yaml_wrong(v, r->e, "a matcher is a value, a list of values, or one of {not: ...}, {regex: ...}, {not_regex: ...}");
	for (size_t i = 0; !err && keys[i]; i++)
		if (strcmp(v->keys[0]->text, keys[i]) == 0) m->kind = kinds[i];
	if (err) return err;
	return m->kind == ALERT_MATCH_NONE_OF ? read_values(r, v->items[0], m) : alerts_read_pattern(r, v->items[0], "a matcher", &m->pattern);
}

enum err alerts_read_matchers(const struct alerts_reader *r, const struct yaml *v, struct alert_matcher **out, size_t *count)
{
	size_t n;
	enum err err = alerts_read_count(r, v, "match", ALERTS_MATCHERS_MAX, &n);
	if (err) return err;
	*out = arena_alloc(r->arena, n * sizeof **out);
	for (size_t i = 0; i < n && !err; i++) err = read_matcher(r, v->keys[i], v->items[i], &(*out)[i]);
	*count = n;
	return err;
}

/* ---- parameters ---- */

/* The words of what can be taken besides labels and annotations: those of alert_json. */
static const char *const fields[] = {"name", "severity", "fingerprint", "group_key", "link", "runbook", "value", "source", NULL};

static enum err read_from(const struct alerts_reader *r, const struct yaml *v, struct alert_parameter *p)
{
	static const char *const words[] = {"label", "annotation", "field", "value"};
	const struct yaml *given = NULL;
	size_t index;
	for (size_t i = 0; i < 4; i++) {
		const struct yaml *m = yaml_get(v, words[i]);
		if (!m) continue;
		if (given) return yaml_wrong(m, r->e, "a parameter has one of label, annotation, field and value");
		given = m;
		p->from = (enum alert_parameter_from)i;
	}
	if (!given) return yaml_wrong(v, r->e, "a parameter has one of label, annotation, field and value");
	enum err err = alerts_read_text(r, given, words[p->from], p->from == ALERT_FROM_VALUE, &p->key);
	if (!err && p->from == ALERT_FROM_FIELD) err = yaml_word(given, "field", fields, &index, r->e);
	return err;
}

static enum err read_parameter(const struct alerts_reader *r, const struct yaml *key, const struct yaml *v, struct alert_parameter *p)
{
	static const char *const keys[] = {"label", "annotation", "field", "value", "regex", "default", NULL};
	const struct yaml *m;
	*p = (struct alert_parameter){.line = key->line};
	enum err err = alerts_read_text(r, key, "a parameter's name", false, &p->name);
	if (!err) err = yaml_keys(v, "a parameter", keys, r->e);
	if (!err) err = read_from(r, v, p);
	if (!err && p->from == ALERT_FROM_VALUE && v->count > 1) err = yaml_wrong(v, r->e, "a parameter with a fixed value has nothing beside it");
	if (!err && (m = yaml_get(v, "regex"))) err = alerts_read_pattern(r, m, "regex", &p->pattern);
	if (!err && (m = yaml_get(v, "default"))) err = alerts_read_text(r, m, "default", true, &p->otherwise);
	return err;
}

enum err alerts_read_parameters(const struct alerts_reader *r, const struct yaml *v, struct alert_binding *out)
{
	size_t count;
	enum err err = alerts_read_count(r, v, "parameters", ALERTS_PARAMETERS_MAX, &count);
	if (err) return err;
	out->parameters = arena_alloc(r->arena, count * sizeof *out->parameters);
	for (size_t i = 0; i < count && !err; i++) {
		err = read_parameter(r, v->keys[i], v->items[i], &out->parameters[i]);
		out->parameter_count += !err;
	}
	return err;
}

/* ---- guard rails ---- */

enum { US_MAX_DAYS = ALERTS_WINDOW_MAX_US / INT64_C(86400000000) };

static enum err read_span(const struct alerts_reader *r, const struct yaml *v, const char *what, int64_t least_us, int64_t *out)
{
	enum err err = yaml_duration(v, what, out, r->e);
	if (!err && (*out < least_us || *out > ALERTS_WINDOW_MAX_US))
		err = yaml_wrong(v, r->e, "%s is at %s and at most %dd", what, least_us ? "least 1s" : "least 0s", US_MAX_DAYS);
	return err;
}

/* {NAME: N, within: DURATION}; false switches it off. */
static enum err read_count_within(const struct alerts_reader *r, const struct yaml *v, const char *what, const char *name, int64_t *count, int64_t *us)
{
	const char *const keys[] = {name, "within", NULL};
	if (v->kind == YAML_TEXT && !v->is_quoted && strcmp(v->text, "false") == 0) return *count = 0, ERR_OK;
	if (v->kind == YAML_TEXT) return yaml_wrong(v, r->e, "%s is {%s: N, within: 1h}, or false", what, name);
	enum err err = yaml_keys(v, what, keys, r->e);
	if (!err && (!yaml_get(v, name) || !yaml_get(v, "within")))
		err = yaml_wrong(v, r->e, "%s needs %s and within, as in {%s: 3, within: 1h}", what, name, name);
	if (!err) err = yaml_int(yaml_get(v, name), name, 1, 100000, count, r->e);
	return err ? err : read_span(r, yaml_get(v, "within"), "within", 1000000, us);
}

static enum err read_guards(const struct alerts_reader *r, const struct yaml *v, struct alert_guards *g)
{
	const struct yaml *m;
	enum err err = ERR_OK;
	if ((m = yaml_get(v, "cooldown"))) err = read_span(r, m, "cooldown", 0, &g->cooldown_us);
	if (!err && (m = yaml_get(v, "runs"))) err = read_count_within(r, m, "runs", "count", &g->runs, &g->runs_us);
	if (!err && (m = yaml_get(v, "max_running"))) err = yaml_int(m, "max_running", 1, 100000, &g->max_running, r->e);
	if (!err && (m = yaml_get(v, "breaker"))) err = read_count_within(r, m, "breaker", "failures", &g->breaker_count, &g->breaker_us);
	return err;
}

/* ---- a binding ---- */

/* Relative to the workspace, without stars: one page, perhaps one heading of it. */
static enum err read_playbook(const struct alerts_reader *r, const struct yaml *v, const char **out)
{
	enum err err = alerts_read_text(r, v, "playbook", false, out);
	const char *fault = err ? NULL : policy_book_fault(*out);
	if (err) return err;
	if (!fault && (strchr(*out, '*') || strncmp(*out, "external/", 9) == 0)) fault = "one book is named, without stars";
	return fault ? yaml_wrong(v, r->e, "playbook is PATH or PATH#ANCHOR from the workspace's folder, as in playbooks/disk.md: %s", fault) : ERR_OK;
}

static enum err read_account(const struct alerts_reader *r, const struct yaml *v, const char **out)
{
	const char *text;
	enum err err = yaml_text(v, "as", &text, r->e);
	if (err) return err;
	*out = strncmp(text, "service:", 8) == 0 ? text + 8 : text;
	return policy_is_name(*out) ? ERR_OK
	                            : yaml_wrong(v, r->e, "as is the name of a service account of policy.yaml, such as alert-bot, not \"%.60s\"", text);
}

static const char *const incident_words[] = {"alert", "group", NULL};

/* What binding and defaults share. */
static enum err read_shared(const struct alerts_reader *r, const struct yaml *v, struct alert_binding *b)
{
	const struct yaml *m;
	int64_t priority = b->priority;
	enum err err = ERR_OK;
	if ((m = yaml_get(v, "as"))) err = read_account(r, m, &b->as);
	if (!err && (m = yaml_get(v, "owner"))) err = alerts_read_text(r, m, "owner", false, &b->owner);
	if (!err && (m = yaml_get(v, "priority"))) err = yaml_int(m, "priority", 1, 5, &priority, r->e);
	b->priority = (int)priority;
	if (!err && (m = yaml_get(v, "escalation"))) err = alerts_read_name(r, m, "escalation", &b->escalation);
	if (!err && (m = yaml_get(v, "incident"))) {
		size_t which;
		err = yaml_word(m, "incident", incident_words, &which, r->e);
		b->is_by_group = !err && which == 1;
	}
	if (!err && (m = yaml_get(v, "resolves_within"))) err = read_span(r, m, "resolves_within", 1000000, &b->resolves_within_us);
	return err ? err : read_guards(r, v, &b->guards);
}

static enum err read_rule(const struct alerts_reader *r, const struct yaml *v, struct alert_binding *b)
{
	const struct yaml *m;
	enum err err = ERR_OK;
	if (!(m = yaml_get(v, "id"))) return yaml_wrong(v, r->e, "a binding needs an id: decisions name it");
	err = alerts_read_name(r, m, "a binding's id", &b->id);
	if (!err && !(m = yaml_get(v, "playbook"))) err = yaml_wrong(v, r->e, "a binding needs a playbook");
	if (!err) err = read_playbook(r, m, &b->playbook);
	if (!err && (m = yaml_get(v, "source"))) err = alerts_read_source_name(r, m, &b->source);
	if (!err && (m = yaml_get(v, "match"))) err = alerts_read_matchers(r, m, &b->matchers, &b->matcher_count);
	if (!err && !b->source && b->matcher_count == 0) err = yaml_wrong(v, r->e, "a binding needs match or source: which alerts it is for");
	if (!err && (m = yaml_get(v, "parameters"))) err = alerts_read_parameters(r, m, b);
	return err;
}

enum err alerts_read_binding(const struct alerts_reader *r, const struct yaml *v, bool is_default, struct alert_binding *out)
{
	static const char *const keys[] = {"id",         "source",   "match",    "playbook", "parameters",  "as",      "owner",           "priority",
	                                   "escalation", "incident", "cooldown", "runs",     "max_running", "breaker", "resolves_within", NULL};
	*out = r->f->defaults;
	out->line = v->line;
	if (is_default && v->kind == YAML_TEXT && !*v->text) return ERR_OK;
	enum err err = yaml_keys(v, is_default ? "defaults" : "a binding", is_default ? keys + 5 : keys, r->e);
	if (!err && !is_default) err = read_rule(r, v, out);
	if (!err) err = read_shared(r, v, out);
	if (!err && !is_default && !out->as)
		err = yaml_wrong(v, r->e, "a binding needs as, here or under defaults: the service account whose rights its playbook gets");
	return err;
}
