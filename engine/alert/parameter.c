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

/* What it is taken from; NULL where that is not there or empty. */
static const char *given_value(const struct alert_parameter *p, const struct alert *al)
{
	const char *value = raw_value(p, al);
	return p->from != ALERT_FROM_VALUE && value && !*value ? NULL : value;
}

/* NULL: the parameter is left out, so that the book's default holds, or its being required. */
static const char *value_of(struct arena *a, const struct alert_parameter *p, const struct alert *al)
{
	size_t from = 0, n;
	const char *value = given_value(p, al);
	if (!value || !p->pattern) return value ? value : p->otherwise;
	enum pattern_answer answer = pattern_match(p->pattern, value, &from, &n);
	if (answer == PATTERN_OVER_LIMIT) return NULL;
	return answer == PATTERN_YES ? arena_strndup(a, value + from, n) : p->otherwise;
}

const char *parameter_in_doubt(const struct alert_binding *rule, const struct alert *al)
{
	for (size_t i = 0; i < rule->parameter_count; i++) {
		const struct alert_parameter *p = &rule->parameters[i];
		const char *value = p->pattern ? given_value(p, al) : NULL;
		if (value && pattern_match(p->pattern, value, NULL, NULL) == PATTERN_OVER_LIMIT) return p->name;
	}
	return NULL;
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
