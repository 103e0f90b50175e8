#include "base/clock.h"
#include "service/client.h"
#include "service/escalation.h"
#include "service/incident.h"
#include "service/operations.h"
#include "service/rights.h"

#include <stdlib.h>
#include <string.h>

/* What people see of incidents, and what they say about them. */

enum { LIST_MAX = 500, TEXT_BYTES_MAX = 64 << 10, NAME_BYTES_MAX = 256 };
static const int64_t SECOND_US = 1000000, PUT_OFF_MAX_US = 7LL * 24 * 3600 * 1000000;

/* ---- who may ---- */

static enum err may_see(struct request *q, const struct incident *inc, struct error *e)
{
	return rights_see_incident(inc, q->client->principal, e);
}

/* The incident that args name, in memory and not resolved (is_open), which who asks may respond to; else NULL with the request failed. */
static struct incident *find(struct request *q, bool is_open, bool is_ack)
{
	char id[INCIDENT_ID_BYTES];
	struct error e;
	struct incident *inc = incident_lookup(q->engine, json_str(q->args, "incident", NULL), id, &e);
	if (!inc && e.kind) {
		request_fail(q, &e);
		return NULL;
	}
	if (!inc || (is_open && inc->flow->state == INCIDENT_RESOLVED)) {
		/* Whether it is there is told to those only who may see incidents. */
		if (inc && is_ack ? may_see(q, inc, &e) : rights_respond(q->engine, inc ? inc->book : NULL, q->client->principal, &e))
			request_fail(q, &e);
		else
			request_refuse(q, ERR_CONFLICT, "incident %s is resolved", id);
		return NULL;
	}
	enum err err = is_ack ? may_see(q, inc, &e) : rights_respond(q->engine, inc->book, q->client->principal, &e);
	if (err) request_fail(q, &e);
	return err ? NULL : inc;
}

/* ---- answers ---- */

static void answer_later(struct engine *en, json_t *data)
{
	struct client *c = engine_client(en, (uint64_t)json_int(data, "client", 0));
	const char *error = json_str(data, "error", NULL);
	struct request q = {.client = c, .engine = en, .id = json_int(data, "id", 0)};
	if (!c) return;
	if (error)
		request_refuse(&q, ERR_FULL, "%s", error);
	else
		request_answer(&q, json_incref(json_object_get(data, "value")), NULL, 0);
}

void request_answer_incident(struct request *q, json_t *value)
{
	json_t *data = json_pack("{s:I,s:I,s:o}", "client", (json_int_t)q->client->id, "id", q->id, "value", value);
	incident_answer_later(q->engine, answer_later, data);
	incident_commit(q->engine);
}

static void emit_or_fail(struct request *q, struct incident *inc, enum record_kind kind, json_t *data)
{
	struct error e;
	if (incident_emit(inc, (struct incident_emit){.kind = kind, .by = q->client->principal, .data = data}, &e)) {
		request_fail(q, &e);
		incident_commit(q->engine);
	} else {
		request_answer_incident(q, json_pack("{s:s,s:s}", "incident", inc->id, "state", incident_state_name(inc->flow->state)));
	}
}

static bool is_text(struct request *q, const char *key, size_t most)
{
	const char *text = json_str(q->args, key, "");
	if (*text && strlen(text) <= most) return true;
	request_refuse(q, ERR_USAGE, "\"%s\" is a text of 1 to %zu bytes", key, most);
	return false;
}

/* ---- what people say ---- */

void op_incident_ack(struct request *q)
{
	struct incident *inc = find(q, true, true);
	if (!inc) return;
	/* Who comes over HTTP sits at no terminal. */
	bool is_api = !q->client->link || strcmp(json_str(q->args, "how", ""), "api") == 0;
	json_t *d = json_pack("{s:s,s:s*}", "how", is_api ? "api" : "cli", "note", incident_blob_text(inc, json_str(q->args, "note", NULL)));
	emit_or_fail(q, inc, RECORD_INCIDENT_ACKNOWLEDGED, d);
}

void op_incident_put_off(struct request *q)
{
	struct error e = {0};
	int64_t hold_us = 0;
	if (clock_parse_duration(json_str(q->args, "for", ""), &hold_us, &e) || hold_us < SECOND_US || hold_us > PUT_OFF_MAX_US) {
		request_refuse(q, ERR_USAGE, "an incident is put off for 1s to 7d%s%s", *e.text ? ": " : "", e.text);
		return;
	}
	struct incident *inc = find(q, true, true);
	if (!inc) return;
	if (escalation_put_off(inc, q->client->principal, &hold_us, json_str(q->args, "reason", NULL), &e)) {
		request_fail(q, &e);
		incident_commit(q->engine);
		return;
	}
	json_t *value = json_pack("{s:s,s:I}", "incident", inc->id, "until_us", (json_int_t)(clock_now_us() + hold_us));
	request_answer_incident(q, value);
}

void op_incident_note(struct request *q)
{
	struct incident *inc = is_text(q, "text", TEXT_BYTES_MAX) ? find(q, false, true) : NULL;
	if (inc) emit_or_fail(q, inc, RECORD_INCIDENT_NOTED, json_pack("{s:s}", "note", incident_blob_text(inc, json_str(q->args, "text", ""))));
}

void op_incident_assign(struct request *q)
{
	const char *to = json_str(q->args, "to", "");
	if (strncmp(to, "user:", 5) != 0 || !policy_is_name(to + 5)) {
		request_refuse(q, ERR_USAGE, "an incident is assigned to a person: user:NAME");
		return;
	}
	struct incident *inc = find(q, true, false);
	if (!inc) return;
	json_t *d = json_pack("{s:s,s:s*}", "to", to, "reason", incident_blob_text(inc, json_str(q->args, "reason", NULL)));
	emit_or_fail(q, inc, RECORD_INCIDENT_ASSIGNED, d);
}

void op_incident_prioritise(struct request *q)
{
	json_int_t priority = json_int(q->args, "priority", 0);
	if (priority < 1 || priority > 5) {
		request_refuse(q, ERR_USAGE, "a priority is 1 (the most urgent) to 5");
		return;
	}
	struct incident *inc = find(q, true, false);
	if (!inc) return;
	json_t *d = json_pack("{s:I,s:s*}", "priority", priority, "reason", incident_blob_text(inc, json_str(q->args, "reason", NULL)));
	emit_or_fail(q, inc, RECORD_INCIDENT_PRIORITISED, d);
}

void op_incident_resolve(struct request *q)
{
	struct incident *inc = is_text(q, "reason", TEXT_BYTES_MAX) ? find(q, true, false) : NULL;
	if (!inc) return;
	json_t *d = json_pack("{s:s,s:s}", "how", "person", "reason", incident_blob_text(inc, json_str(q->args, "reason", "")));
	emit_or_fail(q, inc, RECORD_INCIDENT_RESOLVED, d);
}

void op_incident_open(struct request *q)
{
	struct error e;
	json_int_t priority = json_int(q->args, "priority", 0);
	const char *owner = json_str(q->args, "owner", NULL), *escalation = json_str(q->args, "escalation", NULL);
	if (!is_text(q, "title", NAME_BYTES_MAX)) return;
	if (rights_respond(q->engine, NULL, q->client->principal, &e)) {
		request_fail(q, &e);
		return;
	}
	bool is_fine = priority >= 0 && priority <= 5 && (!owner || (*owner && strlen(owner) <= NAME_BYTES_MAX)) && (!escalation || policy_is_name(escalation));
	if (!is_fine || q->engine->is_ending) {
		request_refuse(q, ERR_USAGE, "an incident has a priority of 1 to 5, perhaps an owner, and an escalation that is a name of oncall.yaml");
		return;
	}
	struct incident_opening o = {.origin = INCIDENT_BY_PERSON,
	                             .title = json_str(q->args, "title", ""),
	                             .owner = owner,
	                             .escalation = escalation,
	                             .priority = (int)priority,
	                             .by = q->client->principal};
	struct incident *inc = incident_open(q->engine, &o);
	request_answer_incident(q, json_pack("{s:s}", "incident", inc->id));
}

/* ---- what they see ---- */

static void show(struct request *q, const char *id)
{
	struct error e;
	struct incident *inc = incident_find(q->engine, id), *old = NULL;
	enum err err = inc ? ERR_OK : incident_load_view(q->engine, id, &old, &e);
	if (!inc) inc = old;
	if (!err) err = may_see(q, inc, &e);
	if (err)
		request_fail(q, &e);
	else
		request_answer(q, incident_view(inc), NULL, 0);
	if (old) incident_free_view(old);
}

static void show_later(struct engine *en, json_t *data)
{
	struct request q = {.client = engine_client(en, (uint64_t)json_int(data, "client", 0)), .engine = en, .id = json_int(data, "id", 0)};
	if (q.client) show(&q, json_str(data, "incident", ""));
}

/* Part of it is read from the store: it waits for what is on its way there. */
void op_incident_show(struct request *q)
{
	char id[INCIDENT_ID_BYTES];
	struct error e;
	if (!incident_lookup(q->engine, json_str(q->args, "incident", NULL), id, &e) && e.kind) {
		request_fail(q, &e);
		return;
	}
	incident_answer_later(q->engine, show_later, json_pack("{s:I,s:I,s:s}", "client", (json_int_t)q->client->id, "id", q->id, "incident", id));
	incident_commit(q->engine);
}

/* The most urgent first; those of which nobody said come behind; then the oldest. */
static int compare(const void *a, const void *b)
{
	const struct incident *x = *(const struct incident *const *)a, *y = *(const struct incident *const *)b;
	int p = x->flow->priority ? x->flow->priority : 6, r = y->flow->priority ? y->flow->priority : 6;
	if (p != r) return p - r;
	return strcmp(x->id, y->id);
}

/* All that are open and may be seen, sorted. Allocated. */
static struct incident **open_ones(struct request *q, size_t *count)
{
	size_t at = 0, room = incidents_open(q->engine) + 1;
	struct incident *inc, **list = mem_alloc(room * sizeof *list);
	struct error e;
	*count = 0;
	while ((inc = incident_next(q->engine, &at)) != NULL)
		if (inc->flow->state != INCIDENT_RESOLVED && *count < room && may_see(q, inc, &e) == ERR_OK) list[(*count)++] = inc;
	qsort(list, *count, sizeof *list, compare);
	return list;
}

static size_t limit_of(const struct request *q)
{
	json_int_t limit = json_int(q->args, "limit", LIST_MAX);
	return limit < 1 || limit > LIST_MAX ? LIST_MAX : (size_t)limit;
}

struct listing {
	json_t *list;
	char last[INCIDENT_ID_BYTES];
};

static bool list_row(void *arg, const struct store_incident *i)
{
	struct listing *l = arg;
	snprintf(l->last, sizeof l->last, "%s", i->id);
	json_array_append_new(l->list, json_pack("{s:s,s:o,s:s?,s:i,s:I,s:I,s:I,s:I,s:s*,s:I}", "incident", i->id, "title", json_text(i->title ? i->title : ""),
	                                         "state", i->state, "priority", i->priority, "opened_us", (json_int_t)i->opened_us, "changed_us",
	                                         (json_int_t)i->changed_us, "acknowledged_us", (json_int_t)i->acknowledged_us, "resolved_us",
	                                         (json_int_t)i->resolved_us, "assigned_to", i->assigned_to, "alerts", (json_int_t)i->alerts));
	return true;
}

static void list_all(struct request *q)
{
	struct error e;
	struct listing l = {.list = json_array()};
	size_t limit = limit_of(q);
	enum err err = rights_respond(q->engine, NULL, q->client->principal, &e);
	if (!err) err = store_incidents(q->engine->reader, STORE_INCIDENTS_ALL, 0, NULL, json_str(q->args, "before", NULL), limit, list_row, &l, &e);
	const char *next = json_array_size(l.list) == limit ? l.last : NULL;
	if (err)
		request_fail(q, &e);
	else
		request_answer(q, json_pack("{s:O,s:s*}", "incidents", l.list, "next", next), NULL, 0);
	json_decref(l.list);
}

void op_incidents(struct request *q)
{
	size_t count, limit = limit_of(q);
	if (json_bool(q->args, "all", false)) {
		list_all(q);
		return;
	}
	struct incident **list = open_ones(q, &count);
	json_t *out = json_array();
	for (size_t i = 0; i < count && i < limit; i++) json_array_append_new(out, incident_row_view(list[i]));
	request_answer(q, json_pack("{s:o,s:I}", "incidents", out, "open", (json_int_t)count), NULL, 0);
	free(list);
}

void op_alerts_list(struct request *q)
{
	size_t count, limit = limit_of(q);
	struct incident **list = open_ones(q, &count);
	json_t *out = json_array();
	bool has_more = false;
	for (size_t i = 0; i < count && !has_more; i++) {
		size_t room = limit - json_array_size(out), k;
		json_t *alerts = incident_alert_list(list[i], room), *alert;
		json_array_foreach(alerts, k, alert)
		{
			json_object_set_new(alert, "incident", json_string(list[i]->id));
			json_object_set_new(alert, "priority", json_integer(list[i]->flow->priority));
		}
		json_array_extend(out, alerts);
		json_decref(alerts);
		has_more = list[i]->flow->alert_count > room;
	}
	request_answer(q, json_pack("{s:o,s:b}", "alerts", out, "more", has_more), NULL, 0);
	free(list);
}
