#include "alert/binding.h"

#include <stdlib.h>
#include <string.h>

/* Matchers and parameters: what is read out of an alert's labels. */

static int by_text(const void *key, const void *item)
{
	return strcmp(key, *(const char *const *)item);
}

static enum pattern_answer holds(const struct alert_matcher *m, const struct alert *al)
{
	const char *value = alert_label(al, m->label);
	if (!value) value = "";
	if (m->kind == ALERT_MATCH_ANY_OF || m->kind == ALERT_MATCH_NONE_OF) {
		bool is_among = bsearch(value, m->values, m->value_count, sizeof *m->values, by_text) != NULL;
		return is_among == (m->kind == ALERT_MATCH_ANY_OF) ? PATTERN_YES : PATTERN_NO;
	}
	enum pattern_answer answer = pattern_match(m->pattern, value, NULL, NULL);
	if (m->kind == ALERT_MATCH_REGEX || answer == PATTERN_OVER_LIMIT) return answer;
	return answer == PATTERN_YES ? PATTERN_NO : PATTERN_YES;
}

enum pattern_answer binding_matches(const struct alert_matcher *matchers, size_t count, const struct alert *al)
{
	enum pattern_answer all = PATTERN_YES;
	for (size_t i = 0; i < count; i++) {
		enum pattern_answer one = holds(&matchers[i], al);
		if (one == PATTERN_NO) return PATTERN_NO;
		if (one == PATTERN_OVER_LIMIT) all = one;
	}
	return all;
}
