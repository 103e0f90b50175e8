#include "flow/incident.h"

#include <string.h>

struct incident_flow *incident_flow_new(struct arena *a)
{
	struct incident_flow *x = arena_alloc(a, sizeof *x);
	x->arena = a;
	return x;
}

/* Keys are digests: their first eight bytes tell nearly all of them apart. */
static struct incident_alert *find_alert(const struct incident_flow *x, const char *key)
{
	for (size_t i = x->alert_count; i-- > 0;)
		if (memcmp(x->alerts[i].key, key, 8) == 0 && strcmp(x->alerts[i].key, key) == 0) return &x->alerts[i];
	return NULL;
}

static struct incident_execution *find_execution(const struct incident_flow *x, const char *id)
{
	for (size_t i = x->execution_count; i-- > 0;)
		if (strcmp(x->executions[i].id, id) == 0) return &x->executions[i];
	return NULL;
}

const struct incident_alert *incident_alert_find(const struct incident_flow *x, const char *key)
{
	return find_alert(x, key);
}

const struct incident_execution *incident_execution_find(const struct incident_flow *x, const char *id)
{
	return find_execution(x, id);
}

const char *incident_running(const struct incident_flow *x, const struct incident_alert *al)
{
	for (size_t i = x->execution_count; al->running && i-- > 0;)
		if (x->executions[i].alert == (size_t)(al - x->alerts) && !x->executions[i].ended_us) return x->executions[i].id;
	return NULL;
}

bool incident_is_late(const struct incident_alert *al, int64_t starts_us)
{
	return starts_us && al->over_starts_us && starts_us <= al->over_starts_us;
}

bool incident_has_executed(const struct incident_alert *al, int64_t starts_us)
{
	return starts_us && al->executed_starts_us && starts_us <= al->executed_starts_us;
}

bool incident_is_over(const struct incident_flow *x)
{
	return x->alert_count > 0 && x->firing == 0;
}

enum incident_state incident_state_after(enum incident_state from, enum incident_event_kind kind)
{
	enum incident_state to = incident_transition(kind)->to;
	if (kind == INCIDENT_WAS_ACKNOWLEDGED && from == INCIDENT_OPEN) return INCIDENT_ACKNOWLEDGED;
	return to == INCIDENT_STATE_N ? from : to;
}

static enum err conflict(const struct incident_flow *x, const struct incident_event *ev, const char *why, struct error *e)
{
	return error_set(e, ERR_CONFLICT, "an incident that is %s: %s cannot be: %s", x->is_opened ? incident_state_name(x->state) : "not there yet",
	                 incident_transition(ev->kind)->name, why);
}

static bool is_ulid(const char *id)
{
	return id && strlen(id) == INCIDENT_ID_BYTES - 1;
}

static bool is_key(const char *key)
{
	return key && strlen(key) == INCIDENT_KEY_BYTES - 1;
}

static enum err check_alert(const struct incident_flow *x, const struct incident_event *ev, struct error *e)
{
	if (!is_key(ev->alert)) return error_set(e, ERR_INVALID, "an alert is named by its key: 64 hex digits");
	const struct incident_alert *al = find_alert(x, ev->alert);
	if (!ev->execution) return ERR_OK;
	if (!is_ulid(ev->execution) || !ev->rule) return error_set(e, ERR_INVALID, "an execution that an alert starts has a ULID and a rule");
	if (!ev->is_firing) return conflict(x, ev, "an alert that is over starts nothing", e);
	if (x->state == INCIDENT_RESOLVED) return conflict(x, ev, "it starts nothing more", e);
	if (find_execution(x, ev->execution)) return conflict(x, ev, "it has that execution already", e);
	if (al && al->running) return conflict(x, ev, "an execution runs for that alert already", e);
	if (al && incident_is_late(al, ev->starts_us)) return conflict(x, ev, "the episode is over", e);
	if (al && incident_has_executed(al, ev->starts_us)) return conflict(x, ev, "the episode has had its execution", e);
	return ERR_OK;
}

enum err incident_check(const struct incident_flow *x, const struct incident_event *ev, struct error *e)
{
	if (ev->t_us <= 0) return error_set(e, ERR_INVALID, "an event has a time");
	if ((ev->kind == INCIDENT_OPENED) == x->is_opened) return conflict(x, ev, x->is_opened ? "it was opened already" : "it is opened first", e);
	if (!(incident_transition(ev->kind)->from & (1u << x->state))) return conflict(x, ev, "it is over", e);
	const struct incident_execution *run = is_ulid(ev->execution) ? find_execution(x, ev->execution) : NULL;
	switch (ev->kind) {
	case INCIDENT_ALERT_SEEN:
		return check_alert(x, ev, e);
	case INCIDENT_EXECUTION_LINKED:
		if (!is_ulid(ev->execution)) return error_set(e, ERR_INVALID, "an execution is named by its ULID");
		return run ? conflict(x, ev, "it has that execution already", e) : ERR_OK;
	case INCIDENT_EXECUTION_ENDED:
		if (!run || run->ended_us) return conflict(x, ev, run ? "that execution has ended already" : "it has no such execution", e);
		return ERR_OK;
	case INCIDENT_WAS_ACKNOWLEDGED:
		return ev->by ? ERR_OK : error_set(e, ERR_INVALID, "somebody acknowledges");
	case INCIDENT_ASSIGNED:
		return ev->to ? ERR_OK : error_set(e, ERR_INVALID, "it is assigned to somebody");
	case INCIDENT_WAS_RESOLVED:
		return ev->by_alert && !incident_is_over(x) ? conflict(x, ev, "one of its alerts fires", e) : ERR_OK;
	default:
		return ERR_OK;
	}
}

static struct incident_alert *add_alert(struct incident_flow *x, const struct incident_event *ev)
{
	x->alerts = arena_grow(x->arena, x->alerts, x->alert_count, &x->alert_capacity, sizeof *x->alerts);
	struct incident_alert *al = &x->alerts[x->alert_count++];
	*al = (struct incident_alert){.first_us = ev->t_us};
	memcpy(al->key, ev->alert, INCIDENT_KEY_BYTES);
	return al;
}

static void add_execution(struct incident_flow *x, const struct incident_event *ev, size_t alert)
{
	x->executions = arena_grow(x->arena, x->executions, x->execution_count, &x->execution_capacity, sizeof *x->executions);
	struct incident_execution *run = &x->executions[x->execution_count++];
	*run = (struct incident_execution){.rule = arena_strdup(x->arena, ev->rule), .alert = alert, .linked_us = ev->t_us, .is_begun = true};
	memcpy(run->id, ev->execution, INCIDENT_ID_BYTES);
	x->running++;
}

static void end_episode(struct incident_flow *x, struct incident_alert *al, int64_t t_us)
{
	if (!al->is_firing) return;
	al->is_firing = false;
	al->changed_us = t_us;
	x->firing--;
	if (al->starts_us > al->over_starts_us) al->over_starts_us = al->starts_us;
}

/* A firing of a later episode than the one that fires: that one is over, though nobody said so. */
static void begin_episode(struct incident_flow *x, struct incident_alert *al, const struct incident_event *ev)
{
	bool is_new = !al->is_firing || ev->starts_us > al->starts_us;
	if (al->is_firing && ev->starts_us > al->starts_us && al->starts_us > al->over_starts_us) al->over_starts_us = al->starts_us;
	if (!is_new) return;
	if (!al->is_firing) x->firing++;
	al->is_firing = true;
	al->starts_us = ev->starts_us;
	al->changed_us = ev->t_us;
	if (x->state == INCIDENT_MITIGATED) x->state = x->acknowledged_by ? INCIDENT_ACKNOWLEDGED : INCIDENT_OPEN;
}

static void see_alert(struct incident_flow *x, const struct incident_event *ev)
{
	struct incident_alert *al = find_alert(x, ev->alert);
	if (!al) al = add_alert(x, ev);
	al->seen++;
	bool was_firing = al->is_firing, is_late = ev->is_firing && incident_is_late(al, ev->starts_us);
	int64_t began_us = al->starts_us;
	if (ev->is_firing && !is_late && x->state != INCIDENT_RESOLVED) begin_episode(x, al, ev);
	/* The end of an earlier episode than the one that fires is late news. */
	if (!ev->is_firing && (!ev->starts_us || ev->starts_us >= al->starts_us)) {
		if (ev->starts_us) al->starts_us = ev->starts_us;
		end_episode(x, al, ev->t_us);
		if (al->starts_us > al->over_starts_us) al->over_starts_us = al->starts_us;
	}
	if (ev->execution) {
		add_execution(x, ev, (size_t)(al - x->alerts));
		al->running++;
		al->execution = arena_strdup(x->arena, ev->execution);
		al->rule = x->executions[x->execution_count - 1].rule;
		if (ev->starts_us > al->executed_starts_us) al->executed_starts_us = ev->starts_us;
	}
	if (al->seen == 1 || was_firing != al->is_firing || began_us != al->starts_us || ev->execution) x->changed_us = ev->t_us;
}

static void end_execution(struct incident_flow *x, const struct incident_event *ev)
{
	struct incident_execution *run = find_execution(x, ev->execution);
	run->ended_us = ev->t_us;
	run->is_success = ev->is_success;
	run->is_begun = ev->is_begun;
	x->running--;
	if (run->alert == SIZE_MAX) return;
	x->alerts[run->alert].running--;
	x->alerts[run->alert].ended_us = ev->t_us;
}

static void resolve(struct incident_flow *x, const struct incident_event *ev)
{
	x->resolved_us = ev->t_us;
	x->resolved_by = ev->by_alert ? NULL : arena_strdup(x->arena, ev->by);
	for (size_t i = 0; i < x->alert_count; i++) end_episode(x, &x->alerts[i], ev->t_us);
}

enum err incident_apply(struct incident_flow *x, const struct incident_event *ev, struct error *e)
{
	enum err err = incident_check(x, ev, e);
	if (err) return err;
	x->state = incident_state_after(x->state, ev->kind);
	if (ev->kind != INCIDENT_ALERT_SEEN) x->changed_us = ev->t_us;
	switch (ev->kind) {
	case INCIDENT_OPENED:
		x->is_opened = true;
		x->origin = ev->origin;
		x->priority = ev->priority;
		x->opened_us = ev->t_us;
		break;
	case INCIDENT_ALERT_SEEN:
		see_alert(x, ev);
		break;
	case INCIDENT_EXECUTION_LINKED:
		add_execution(x, ev, SIZE_MAX);
		break;
	case INCIDENT_EXECUTION_ENDED:
		end_execution(x, ev);
		break;
	case INCIDENT_WAS_ACKNOWLEDGED:
		if (!x->acknowledged_us) x->acknowledged_us = ev->t_us;
		x->acknowledged_by = arena_strdup(x->arena, ev->by);
		break;
	case INCIDENT_NOTED:
		x->notes++;
		break;
	case INCIDENT_ASSIGNED:
		x->assigned_to = arena_strdup(x->arena, ev->to);
		break;
	case INCIDENT_PRIORITISED:
		x->priority = ev->priority;
		break;
	case INCIDENT_WAS_MITIGATED:
		x->mitigated_us = ev->t_us;
		break;
	case INCIDENT_WAS_RESOLVED:
		resolve(x, ev);
		break;
	case INCIDENT_EVENT_N:
		break;
	}
	return ERR_OK;
}
