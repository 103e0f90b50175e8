#include "alert/body.h"
#include "alert/normaliser.h"
#include "base/json.h"
#include "base/text.h"

#include <string.h>

/* Any JSON: alerts.yaml says where the fields are. What it does not say is looked for in the usual places. */

/* The usual places of each field, and the usual words of a state that is over. Others fire: an alert that is not understood is worth a look. */
static const char *const usual[ALERT_FIELD_N][6] = {
    [ALERT_FIELD_ALERTS] = {"alerts"},
    [ALERT_FIELD_NAME] = {"name", "alertname", "alert", "title"},
    [ALERT_FIELD_STATE] = {"state", "status"},
    [ALERT_FIELD_SEVERITY] = {"severity", "priority", "level"},
    [ALERT_FIELD_FINGERPRINT] = {"fingerprint", "id"},
    [ALERT_FIELD_GROUP] = {"group", "groupKey", "group_key"},
    [ALERT_FIELD_LABELS] = {"labels", "tags"},
    [ALERT_FIELD_ANNOTATIONS] = {"annotations"},
    [ALERT_FIELD_STARTS] = {"startsAt", "starts_at", "started_at", "timestamp"},
    [ALERT_FIELD_ENDS] = {"endsAt", "ends_at", "ended_at"},
    [ALERT_FIELD_LINK] = {"link", "url", "generatorURL"},
    [ALERT_FIELD_RUNBOOK] = {"runbook_url", "runbook"},
    [ALERT_FIELD_VALUE] = {"value"},
};
static const char *const over_words[] = {"resolved", "ok",       "normal",    "closed",  "close", "inactive", "recovered",
                                         "recovery", "canceled", "cancelled", "cleared", "clear", "up",       NULL};

static bool is_there(const json_t *v)
{
	return v && !json_is_null(v);
}

static const json_t *value_of(const struct alert_source *s, enum alert_field_id id, const json_t *item)
{
	const struct alert_field *f = &s->fields[id];
	const json_t *v = NULL;
	for (size_t i = 0; i < f->at_count && !is_there(v); i++) v = pointer_get(&f->at[i], item);
	/* A mapping alone leaves the place as usual. */
	for (size_t i = 0; f->at_count == 0 && f->member_count == 0 && i < 6 && usual[id][i] && !is_there(v); i++) v = json_object_get(item, usual[id][i]);
	return v;
}

static const char *text_at(struct arena *a, const struct alert_source *s, enum alert_field_id id, const json_t *item, size_t max)
{
	return alert_mapped(&s->fields[id], body_text(a, value_of(s, id, item), max, NULL));
}

static bool is_over_word(const char *word)
{
	for (size_t i = 0; over_words[i]; i++)
		if (text_equal_nocase(over_words[i], word)) return true;
	return false;
}

/* The mapping decides, else the usual words. A default is firing or resolved itself. */
static enum alert_state state_of(struct arena *a, const struct alert_source *s, const json_t *item)
{
	return is_over_word(text_at(a, s, ALERT_FIELD_STATE, item, ALERT_NAME_BYTES_MAX)) ? ALERT_RESOLVED : ALERT_FIRING;
}

static void labels_of(struct body_labels *l, const struct alert_source *s, enum alert_field_id id, const json_t *item)
{
	const struct alert_field *f = &s->fields[id];
	for (size_t i = 0; i < f->member_count; i++) {
		const json_t *v = pointer_get(&f->members[i].at, item);
		if (is_there(v)) body_labels_add(l, f->members[i].name, strlen(f->members[i].name), v);
	}
	body_labels_add_all(l, value_of(s, id, item));
}

static void read_alert(struct arena *a, const struct alert_source *s, const json_t *item, struct alert *al)
{
	struct body_labels labels = {.arena = a, .max_value = ALERT_LABEL_BYTES_MAX}, annotations = {.arena = a, .max_value = ALERT_NOTE_BYTES_MAX};
	*al = (struct alert){.source = s->name, .state = state_of(a, s, item)};
	labels_of(&labels, s, ALERT_FIELD_LABELS, item);
	body_labels_take(&labels, &al->labels, &al->label_count);
	labels_of(&annotations, s, ALERT_FIELD_ANNOTATIONS, item);
	body_labels_take(&annotations, &al->annotations, &al->annotation_count);
	al->is_cut = labels.is_cut;
	al->name = text_at(a, s, ALERT_FIELD_NAME, item, ALERT_NAME_BYTES_MAX);
	al->severity = text_at(a, s, ALERT_FIELD_SEVERITY, item, ALERT_NAME_BYTES_MAX);
	al->fingerprint = text_at(a, s, ALERT_FIELD_FINGERPRINT, item, ALERT_NAME_BYTES_MAX);
	al->is_own_fingerprint = *al->fingerprint;
	if (!al->is_own_fingerprint) al->fingerprint = body_fingerprint(a, al->name, al->labels, al->label_count);
	al->group_key = text_at(a, s, ALERT_FIELD_GROUP, item, ALERT_KEY_BYTES_MAX);
	al->starts_us = body_time_us(value_of(s, ALERT_FIELD_STARTS, item));
	al->ends_us = body_time_us(value_of(s, ALERT_FIELD_ENDS, item));
	al->link = text_at(a, s, ALERT_FIELD_LINK, item, ALERT_LABEL_BYTES_MAX);
	al->runbook = text_at(a, s, ALERT_FIELD_RUNBOOK, item, ALERT_LABEL_BYTES_MAX);
	if (!*al->runbook) al->runbook = body_runbook(al);
	al->value = text_at(a, s, ALERT_FIELD_VALUE, item, ALERT_NAME_BYTES_MAX);
}

/* Where the list is said to be it must be; else a list under "alerts", a body that is a list, or the body itself. */
static const json_t *alerts_in(const struct alert_source *s, const json_t *body, struct error *e)
{
	const struct alert_field *f = &s->fields[ALERT_FIELD_ALERTS];
	const json_t *v = value_of(s, ALERT_FIELD_ALERTS, body);
	if (f->is_given && !json_is_array(v) && !json_is_object(v)) {
		error_set(e, ERR_INVALID, "at \"%.60s\", where alerts.yaml:%d says that the alerts are, there is no list and no object", f->at[0].text,
		          s->line);
		return NULL;
	}
	return f->is_given || json_is_array(v) ? v : body;
}

static enum err read(struct arena *a, const struct alert_source *s, const json_t *body, struct alert_delivery *d, struct error *e)
{
	const json_t *alerts = alerts_in(s, body, e);
	if (!alerts) return ERR_INVALID;
	normaliser_make_room(a, alerts, d);
	for (size_t i = 0; i < d->count; i++) {
		const json_t *item = normaliser_item(alerts, i);
		if (!json_is_object(item)) return error_set(e, ERR_INVALID, "alert %zu of the delivery is no JSON object", i + 1);
		read_alert(a, s, item, &d->alerts[i]);
	}
	return ERR_OK;
}

const struct normaliser normaliser_generic = {"generic", read};
