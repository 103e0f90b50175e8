#include "incident.h"

#include <string.h>

/* The judge of alerts and incidents, written from DESIGN.md 5.6 and 8 and the rules of flow/incident.h, over the durable lines and what happened outside. */

static void judge_start(struct alarm_world *w, const struct alarm_line *l, size_t at)
{
	struct alarm_oracle *o = &w->oracle;
	const struct incident_event *ev = &l->ev;
	size_t a = l->alert;
	if (!ev->is_firing) alarm_broken(w, "line %zu: an alert that is over starts something", at);
	if (ev->starts_us <= o->over_us[a]) alarm_broken(w, "line %zu: something starts for an episode that is over", at);
	if (ev->starts_us <= o->executed_us[a]) alarm_broken(w, "line %zu: the episode has had its execution", at);
	if (o->is_decided[l->run]) alarm_broken(w, "line %zu: that execution was decided before", at);
	for (size_t r = 0; r < w->run_count; r++)
		if (o->is_decided[r] && !o->is_ended[r] && o->run_alert[r] == a) alarm_broken(w, "line %zu: one runs for that alert", at);
	o->is_decided[l->run] = true;
	o->run_alert[l->run] = a;
	o->executed_us[a] = ev->starts_us;
}

static void judge_seen(struct alarm_world *w, const struct alarm_line *l, size_t at)
{
	struct alarm_oracle *o = &w->oracle;
	size_t a = l->alert, i = l->incident;
	if (l->run != SIZE_MAX) judge_start(w, l, at);
	if (i == SIZE_MAX) return;
	bool is_late = l->ev.is_firing && l->ev.starts_us <= o->over_us[a];
	if (is_late) return;
	if (l->ev.is_firing) {
		if (o->states[i] == INCIDENT_RESOLVED) alarm_broken(w, "line %zu: an alert fires in an incident that is over", at);
		if (o->fires[a] && o->of[a] != i) alarm_broken(w, "line %zu: one alert has two open incidents", at);
		bool is_new = !o->fires[a] || l->ev.starts_us > o->starts_us[a];
		if (is_new && o->states[i] == INCIDENT_MITIGATED) o->states[i] = o->is_acknowledged[i] ? INCIDENT_ACKNOWLEDGED : INCIDENT_OPEN;
		if (o->fires[a] && is_new) o->over_us[a] = o->starts_us[a];
		if (is_new) o->starts_us[a] = l->ev.starts_us;
		o->fires[a] = true, o->of[a] = i;
	} else if (l->ev.starts_us >= o->starts_us[a]) {
		o->fires[a] = false;
		o->starts_us[a] = l->ev.starts_us;
		if (l->ev.starts_us > o->over_us[a]) o->over_us[a] = l->ev.starts_us;
	} else if (l->ev.starts_us > o->over_us[a]) {
		o->over_us[a] = o->over_us[a]; /* an earlier one than the one that fires: it was over already */
	}
}

static void judge_resolved(struct alarm_world *w, const struct alarm_line *l, size_t at)
{
	struct alarm_oracle *o = &w->oracle;
	for (size_t a = 0; a < ALARM_ALERTS; a++) {
		if (!o->fires[a] || o->of[a] != l->incident) continue;
		if (l->ev.by_alert) alarm_broken(w, "line %zu: it is resolved by its alerts, and one fires", at);
		o->fires[a] = false;
		if (o->starts_us[a] > o->over_us[a]) o->over_us[a] = o->starts_us[a];
	}
}

void alarm_oracle_line(struct alarm_world *w, size_t at)
{
	const struct alarm_line *l = &w->lines[at];
	struct alarm_oracle *o = &w->oracle;
	size_t i = l->incident;
	if (l->ev.kind == INCIDENT_OPENED) {
		if (o->is_opened[i]) alarm_broken(w, "line %zu: it is opened twice", at);
		o->is_opened[i] = true;
		return;
	}
	if (i != SIZE_MAX && !o->is_opened[i]) alarm_broken(w, "line %zu: the incident was not opened", at);
	bool is_over = i != SIZE_MAX && o->states[i] == INCIDENT_RESOLVED;
	switch (l->ev.kind) {
	case INCIDENT_ALERT_SEEN:
		judge_seen(w, l, at);
		break;
	case INCIDENT_EXECUTION_ENDED:
		if (!o->is_decided[l->run] || o->is_ended[l->run]) alarm_broken(w, "line %zu: an execution ends that does not run", at);
		o->is_ended[l->run] = true;
		break;
	case INCIDENT_WAS_ACKNOWLEDGED:
		if (is_over) alarm_broken(w, "line %zu: what is over is acknowledged", at);
		o->is_acknowledged[i] = true;
		if (o->states[i] == INCIDENT_OPEN) o->states[i] = INCIDENT_ACKNOWLEDGED;
		break;
	case INCIDENT_WAS_MITIGATED:
		if (is_over) alarm_broken(w, "line %zu: what is over is mitigated", at);
		o->states[i] = INCIDENT_MITIGATED;
		break;
	case INCIDENT_WAS_RESOLVED:
		if (is_over) alarm_broken(w, "line %zu: what is over is resolved", at);
		judge_resolved(w, l, at);
		o->states[i] = INCIDENT_RESOLVED;
		break;
	default:
		break;
	}
}

void alarm_oracle_begin(struct alarm_world *w, size_t run)
{
	if (!w->oracle.is_decided[run]) alarm_broken(w, "execution %zu begins before its decision is durable", run);
	if (w->runs[run].begun) alarm_broken(w, "execution %zu begins twice", run);
}

void alarm_oracle_answer(struct alarm_world *w, size_t line)
{
	if (line >= w->stored) alarm_broken(w, "a delivery is answered, and line %zu is not durable", line);
}

void alarm_oracle_end(struct alarm_world *w)
{
	const struct alarm_oracle *o = &w->oracle;
	for (size_t r = 0; r < w->run_count; r++) {
		if (!o->is_decided[r]) continue;
		if (w->runs[r].begun != 1) alarm_broken(w, "execution %zu was decided and never began", r);
		if (!o->is_ended[r]) alarm_broken(w, "nobody heard how execution %zu ended", r);
	}
	for (size_t i = 0; i < w->incident_count; i++) {
		bool fires = false;
		for (size_t a = 0; a < ALARM_ALERTS; a++) fires = fires || (o->fires[a] && o->of[a] == i);
		if (w->incidents[i]->state != o->states[i])
			alarm_broken(w, "incident %zu is %s, it should be %s", i, incident_state_name(w->incidents[i]->state),
			             incident_state_name(o->states[i]));
		if (fires != (w->incidents[i]->firing > 0)) alarm_broken(w, "incident %zu does not know what fires", i);
		if (!fires && o->states[i] != INCIDENT_RESOLVED) alarm_broken(w, "all alerts of incident %zu are over, and it is not", i);
	}
	for (size_t a = 0; a < ALARM_ALERTS; a++)
		if (w->sources[a].is_firing && !o->fires[a] && o->over_us[a] < w->sources[a].starts_us) alarm_broken(w, "alert %zu fires, and nobody knows", a);
}
