#include "alert/body.h"
#include "alert/normaliser.h"
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

/* Alertmanager's webhook, versions 4 and 3: an envelope with many alerts, each with its own state. An alert alone, and a list of alerts as Prometheus posts
 * them to Alertmanager, are read too. source: Prometheus' documentation, "webhook_config" */

/* Prometheus' own fingerprint of a set of labels (FNV-1a, 64 bits, over names and values, each with 0xff behind it): what version 4 sends, so that an alert
 * keeps its fingerprint over an update of Alertmanager. labels: by name. */
static const char *fingerprint_of(struct arena *a, const struct alert_label *labels, size_t count)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < count; i++) {
		const char *const parts[] = {labels[i].name, labels[i].value};
		for (size_t k = 0; k < 2; k++) {
			for (const char *p = parts[k]; *p; p++) h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
			h = (h ^ 0xff) * UINT64_C(1099511628211);
		}
	}
	return arena_printf(a, "%016" PRIx64, h);
}

/* resolved is resolved; everything else, also what is not known, fires. */
static enum alert_state state_of(const json_t *item, const json_t *body)
{
	const char *word = json_str(item, "status", json_str(body, "status", ""));
	return strcmp(word, "resolved") == 0 ? ALERT_RESOLVED : ALERT_FIRING;
}

/* The label alertname; where there is none what people are told, so that a record has a name. */
static const char *name_of(struct arena *a, const json_t *item, const struct alert *al)
{
	const char *name = alert_label(al, "alertname");
	if (!name || !*name) name = alert_annotation(al, "summary");
	if (!name || !*name) name = body_text_or_empty(a, json_object_get(item, "summary"), ALERT_NAME_BYTES_MAX);
	return body_cut(a, name, ALERT_NAME_BYTES_MAX);
}

static void read_alert(struct arena *a, const struct alert_source *s, const json_t *body, const json_t *item, struct alert *al)
{
	struct body_labels labels = {.arena = a, .max_value = ALERT_LABEL_BYTES_MAX}, annotations = {.arena = a, .max_value = ALERT_NOTE_BYTES_MAX};
	*al = (struct alert){.source = s->name, .state = state_of(item, body)};
	body_labels_add_all(&labels, json_obj(item, "labels"));
	body_labels_take(&labels, &al->labels, &al->label_count);
	body_labels_add_all(&annotations, json_obj(item, "annotations"));
	body_labels_take(&annotations, &al->annotations, &al->annotation_count);
	al->is_cut = labels.is_cut;
	al->name = name_of(a, item, al);
	al->severity = alert_mapped(&s->fields[ALERT_FIELD_SEVERITY], alert_label(al, "severity"));
	al->fingerprint = body_text_or_empty(a, json_object_get(item, "fingerprint"), ALERT_NAME_BYTES_MAX);
	al->is_own_fingerprint = *al->fingerprint;
	if (!al->is_own_fingerprint) al->fingerprint = fingerprint_of(a, al->labels, al->label_count);
	al->group_key = body_text_or_empty(a, json_object_get(body, "groupKey"), ALERT_KEY_BYTES_MAX);
	al->starts_us = body_time_us(json_object_get(item, "startsAt"));
	al->ends_us = body_time_us(json_object_get(item, "endsAt"));
	al->link = body_text_or_empty(a, json_object_get(item, "generatorURL"), ALERT_LABEL_BYTES_MAX);
	al->runbook = body_runbook(al);
	const char *value = alert_annotation(al, "value");
	al->value = value ? value : "";
}

/* The alerts of a body, or NULL. */
static const json_t *alerts_in(const json_t *body)
{
	if (json_is_array(body)) return body;
	if (json_arr(body, "alerts")) return json_arr(body, "alerts");
	return json_obj(body, "labels") && !json_object_get(body, "alerts") ? body : NULL;
}

static enum err read(struct arena *a, const struct alert_source *s, const json_t *body, struct alert_delivery *d, struct error *e)
{
	const json_t *alerts = alerts_in(body), *envelope = alerts == body ? NULL : body;
	if (!alerts) return error_set(e, ERR_INVALID, "a delivery of Alertmanager is an object with a list \"alerts\" of objects with \"labels\"");
	json_int_t truncated = json_int(envelope, "truncatedAlerts", 0);
	d->receiver = body_text_or_empty(a, json_object_get(envelope, "receiver"), ALERT_NAME_BYTES_MAX);
	d->truncated = truncated < 0 ? 0 : truncated > ALERT_TRUNCATED_MAX ? ALERT_TRUNCATED_MAX : truncated;
	normaliser_make_room(a, alerts, d);
	for (size_t i = 0; i < d->count; i++) {
		const json_t *item = normaliser_item(alerts, i);
		if (!json_obj(item, "labels")) return error_set(e, ERR_INVALID, "alert %zu of the delivery is no object with \"labels\"", i + 1);
		read_alert(a, s, envelope, item, &d->alerts[i]);
	}
	return ERR_OK;
}

const struct normaliser normaliser_alertmanager = {"alertmanager", read};
