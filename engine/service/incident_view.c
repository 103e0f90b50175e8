#include "service/escalation.h"
#include "service/incident.h"
#include "service/incidents.h"

#include <stdlib.h>
#include <string.h>

/* Incidents as clients see them (protocol.h, INCIDENT). */

enum { ALERTS_SHOWN_MAX = 100, EXECUTIONS_SHOWN_MAX = 100, NOTES_SHOWN_MAX = 200 };

static void set_time(json_t *o, const char *key, int64_t us)
{
	if (us) json_object_set_new(o, key, json_integer(us));
}

static void set_text(json_t *o, const char *key, const char *text)
{
	if (text) json_object_set_new(o, key, json_text(text));
}

json_t *incident_row_view(const struct incident *inc)
{
	const struct incident_flow *f = inc->flow;
	json_t *o =
	    json_pack("{s:s,s:o,s:s,s:i,s:s,s:I,s:I,s:I,s:I}", "incident", inc->id, "title", json_text(inc->title), "state", incident_state_name(f->state),
	              "priority", f->priority, "origin", incident_origin_name(f->origin), "opened_us", (json_int_t)f->opened_us, "alerts",
	              (json_int_t)f->alert_count, "firing", (json_int_t)f->firing, "running", (json_int_t)f->running);
	set_time(o, "changed_us", f->changed_us);
	set_time(o, "acknowledged_us", f->acknowledged_us);
	set_time(o, "mitigated_us", f->mitigated_us);
	set_time(o, "resolved_us", f->resolved_us);
	set_text(o, "acknowledged_by", f->acknowledged_by);
	set_text(o, "assigned_to", f->assigned_to);
	set_text(o, "resolved_by", f->resolved_by);
	set_text(o, "owner", inc->owner);
	set_text(o, "escalation", inc->escalation);
	set_text(o, "source", inc->source);
	set_text(o, "book", inc->book);
	return o;
}

static json_t *read_json(const struct incident *inc, const char *name)
{
	size_t n;
	char *text = name ? incident_read_blob(inc->engine, name, &n) : NULL;
	json_t *v = text && n ? json_loadb(text, n, JSON_ALLOW_NUL, NULL) : NULL;
	free(text);
	return v;
}

static json_t *alert_view(const struct incident *inc, size_t i)
{
	const struct incident_alert *al = &inc->flow->alerts[i];
	const struct incident_alert_kept *k = &inc->kept[i];
	json_t *o = json_pack("{s:s,s:s,s:s,s:i,s:I,s:I}", "key", al->key, "state", al->is_firing ? "firing" : "resolved", "outcome", k->outcome, "seen",
	                      (int)al->seen, "first_us", (json_int_t)al->first_us, "changed_us", (json_int_t)al->changed_us);
	set_time(o, "starts_us", al->starts_us);
	set_text(o, "execution", al->execution);
	json_t *alert = read_json(inc, k->blob);
	if (alert) json_object_set_new(o, "alert", alert);
	return o;
}

static bool keep_state(void *arg, const struct store_execution *x)
{
	json_object_set_new(arg, "state", json_string(x->state ? x->state : "?"));
	if (x->title) json_object_set_new(arg, "title", json_text(x->title));
	if (x->book) json_object_set_new(arg, "book", json_text(x->book));
	return false;
}

static json_t *execution_view_of(const struct incident *inc, size_t i)
{
	const struct incident_execution *run = &inc->flow->executions[i];
	json_t *o = json_pack("{s:s,s:I}", "execution", run->id, "linked_us", (json_int_t)run->linked_us);
	store_executions(inc->engine->reader, false, run->id, NULL, 1, keep_state, o, NULL);
	if (!json_object_get(o, "state")) set_text(o, "state", run->ended_us ? "not begun" : "decided");
	set_time(o, "ended_us", run->ended_us);
	set_text(o, "rule", run->rule);
	if (run->alert != SIZE_MAX) set_text(o, "alert_key", inc->flow->alerts[run->alert].key);
	return o;
}

/* ---- what is only in the records ---- */

struct gathering {
	const struct incident *inc;
	json_t *notes, *executions;
};

static json_t *text_of(const struct incident *inc, const char *name)
{
	char *text = incident_read_blob(inc->engine, name, NULL);
	json_t *v = json_text(text);
	free(text);
	return v;
}

/* Why one did not begin. */
static void add_reason(struct gathering *g, const struct record *r)
{
	size_t i;
	json_t *o;
	const char *reason = json_str(r->data, "reason", NULL);
	json_array_foreach(g->executions, i, o)
	{
		if (strcmp(json_str(o, "execution", ""), json_str(r->data, "execution", "?")) != 0) continue;
		json_object_set_new(o, "state", json_string(json_str(r->data, "state", "?")));
		if (json_str(r->data, "cause", NULL)) json_object_set_new(o, "cause", json_string(json_str(r->data, "cause", NULL)));
		if (reason) json_object_set_new(o, "why", text_of(g->inc, reason));
	}
}

static bool gather(void *arg, uint64_t seq, const char *line, size_t n)
{
	struct gathering *g = arg;
	struct record r;
	json_t *hold = NULL;
	(void)seq;
	/* Most records are of alerts that came again: they are not read. */
	if (memmem(line, n, "\"k\":\"alert.received\"", 20) || record_decode(line, n, &r, &hold, NULL) != ERR_OK) return true;
	if (r.kind == RECORD_INCIDENT_NOTED && json_array_size(g->notes) < NOTES_SHOWN_MAX)
		json_array_append_new(g->notes, json_pack("{s:s,s:I,s:o}", "by", r.by ? r.by : "?", "t_us", (json_int_t)r.t_us, "text",
		                                          text_of(g->inc, json_str(r.data, "note", NULL))));
	if (r.kind == RECORD_EXECUTION_ENDED) add_reason(g, &r);
	json_decref(hold);
	return true;
}

json_t *incident_alert_list(const struct incident *inc, size_t most)
{
	const struct incident_flow *f = inc->flow;
	json_t *alerts = json_array();
	size_t shown = 0;
	/* Those that fire before those that are over. */
	for (int firing = 1; firing >= 0; firing--)
		for (size_t i = 0; i < f->alert_count && shown < most; i++)
			if (f->alerts[i].is_firing == firing) json_array_append_new(alerts, alert_view(inc, i)), shown++;
	return alerts;
}

json_t *incident_view(const struct incident *inc)
{
	const struct incident_flow *f = inc->flow;
	json_t *o = incident_row_view(inc), *alerts = incident_alert_list(inc, ALERTS_SHOWN_MAX);
	struct gathering g = {.inc = inc, .notes = json_array(), .executions = json_array()};
	size_t from = f->execution_count > EXECUTIONS_SHOWN_MAX ? f->execution_count - EXECUTIONS_SHOWN_MAX : 0;
	for (size_t i = from; i < f->execution_count; i++) json_array_append_new(g.executions, execution_view_of(inc, i));
	store_records(inc->engine->reader, inc->id, 0, 0, gather, &g, NULL);
	json_object_set_new(o, "alert_list", alerts);
	json_object_set_new(o, "executions", g.executions);
	json_object_set_new(o, "notes", g.notes);
	json_t *raised = escalation_view(inc);
	if (raised) json_object_set_new(o, "raised", raised);
	return o;
}
