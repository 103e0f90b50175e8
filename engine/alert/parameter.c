#include "alert/parameter.h"

#include <string.h>

/* The field of that word (alerts_read_binding.c); never NULL. */
static const char *field_of(const struct alert *al, const char *word)
{
	const struct {
		const char *word, *value;
	} fields[] = {{"name", al->name},           {"severity", al->severity}, {"fingerprint", al->fingerprint},
	              {"group_key", al->group_key}, {"link", al->link},         {"runbook", al->runbook},
	              {"value", al->value},         {"source", al->source}};
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (strcmp(fields[i].word, word) == 0) return fields[i].value;
	return "";
}

static const char *raw_value(const struct alert_parameter *p, const struct alert *al)
{
	switch (p->from) {
	case ALERT_FROM_LABEL:
		return alert_label(al, p->key);
	case ALERT_FROM_ANNOTATION:
		return alert_annotation(al, p->key);
	case ALERT_FROM_FIELD:
		return field_of(al, p->key);
	case ALERT_FROM_VALUE:
		return p->key;
	}
	return NULL;
}

/* NULL: the parameter is left out, so that the book's default holds, or its being required. */
static const char *value_of(struct arena *a, const struct alert_parameter *p, const struct alert *al)
{
	size_t from = 0, n;
	const char *value = raw_value(p, al);
	if (p->from != ALERT_FROM_VALUE && value && !*value) value = NULL;
	if (!value || !p->pattern) return value ? value : p->otherwise;
	return pattern_match(p->pattern, value, &from, &n) == PATTERN_YES ? arena_strndup(a, value + from, n) : p->otherwise;
}

void parameter_values(struct arena *a, const struct alert_binding *rule, const struct alert *al, struct binding_decision *out)
{
	struct binding_value *values = arena_alloc(a, rule->parameter_count * sizeof *values);
	for (size_t i = 0; i < rule->parameter_count; i++) {
		const char *value = value_of(a, &rule->parameters[i], al);
		if (value) values[out->parameter_count++] = (struct binding_value){rule->parameters[i].name, value};
	}
	out->parameters = values;
}

json_t *binding_parameters_json(const struct binding_decision *d)
{
	json_t *o = json_object();
	for (size_t i = 0; i < d->parameter_count; i++) json_object_set_new(o, d->parameters[i].name, json_string(d->parameters[i].value));
	return o;
}
