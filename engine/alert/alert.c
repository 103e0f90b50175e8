#include "alert/alert.h"
#include "base/clock.h"

#include <string.h>

static const char *const state_words[ALERT_STATE_N] = {[ALERT_FIRING] = "firing", [ALERT_RESOLVED] = "resolved"};

const char *alert_state_word(enum alert_state s)
{
	must(s < ALERT_STATE_N);
	return state_words[s];
}

static const char *find(const struct alert_label *labels, size_t count, const char *name)
{
	size_t from = 0, to = count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = strcmp(labels[middle].name, name);
		if (order == 0) return labels[middle].value;
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

const char *alert_label(const struct alert *al, const char *name)
{
	return find(al->labels, al->label_count, name);
}

const char *alert_annotation(const struct alert *al, const char *name)
{
	return find(al->annotations, al->annotation_count, name);
}

static json_t *labels_json(const struct alert_label *labels, size_t count)
{
	json_t *o = json_object();
	for (size_t i = 0; i < count; i++) json_object_set_new(o, labels[i].name, json_string(labels[i].value));
	return o;
}

static json_t *time_json(int64_t us)
{
	char text[CLOCK_RFC3339_BYTES];
	if (us <= 0) return json_null();
	clock_rfc3339(text, us);
	return json_string(text);
}

json_t *alert_json(const struct alert *al)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:s}", "source", al->source, "name", al->name, "state",
	                      alert_state_word(al->state), "severity", al->severity, "fingerprint", al->fingerprint, "group_key", al->group_key, "labels",
	                      labels_json(al->labels, al->label_count), "annotations", labels_json(al->annotations, al->annotation_count), "starts",
	                      time_json(al->starts_us), "ends", time_json(al->ends_us), "link", al->link, "runbook", al->runbook, "value", al->value);
	if (al->is_cut) json_object_set_new(o, "is_cut", json_true());
	return o;
}
