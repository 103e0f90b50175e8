#ifndef RUNG_FLOW_INCIDENT_H
#define RUNG_FLOW_INCIDENT_H

#include "base/arena.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An incident: a thing that is being worked on, opened by an alert that fires, by an execution that nobody looks at, or by hand. As the execution's machine
 * (flow.h) a fold of events: no clock, no I/O, and each event is a record. It knows which alerts belong to it, how they stand, and which executions run for
 * them. The tables of states and events are in incident_states.c. source: DESIGN.md 1, 8
 *
 * Rules:
 * - An alert is named by its key (of source and fingerprint). An episode is one time that it fires: from a moment its source says (starts_us) until it is over.
 * - What an alert has started once for an episode it does not start again; a delivery of an episode that is over is late, and starts nothing.
 * - An alert that fires anew makes a mitigated incident one that is open (or acknowledged, where it was) again.
 * - It is resolved by its alerts only when all of them are over; by a person at any time, and then the episodes that fire are over, too.
 * - Resolved is for good: an alert that fires anew opens another incident. What was under way still tells how it ended. */

enum incident_state { INCIDENT_OPEN, INCIDENT_ACKNOWLEDGED, INCIDENT_MITIGATED, INCIDENT_RESOLVED, INCIDENT_STATE_N };

enum incident_origin { INCIDENT_BY_ALERT, INCIDENT_BY_EXECUTION, INCIDENT_BY_PERSON, INCIDENT_ORIGIN_N };

/* What happened. Each is a record of the journal. */
enum incident_event_kind {
	INCIDENT_OPENED,           /* origin, priority */
	INCIDENT_ALERT_SEEN,       /* alert, is_firing, starts_us; execution and rule where it starts one */
	INCIDENT_EXECUTION_LINKED, /* execution; rule or NULL */
	INCIDENT_EXECUTION_ENDED,  /* execution, is_success; is_begun: false where it could not even begin */
	INCIDENT_WAS_ACKNOWLEDGED, /* by */
	INCIDENT_NOTED,
	INCIDENT_ASSIGNED, /* to */
	INCIDENT_PRIORITISED,
	INCIDENT_WAS_MITIGATED,
	INCIDENT_WAS_RESOLVED, /* by_alert, else by a person */
	INCIDENT_EVENT_N
};

enum { INCIDENT_KEY_BYTES = 65, INCIDENT_ID_BYTES = 27 };

struct incident_event {
	enum incident_event_kind kind;
	int64_t t_us; /* as recorded */
	enum incident_origin origin;
	int priority;      /* 1 (most urgent) to 5; 0: not said */
	const char *alert; /* its key: 64 hex digits */
	bool is_firing;
	int64_t starts_us;     /* of the episode, as the source says; 0: it does not */
	const char *execution; /* a ULID */
	const char *rule;      /* whose starts and failures are counted together: "binding:disk" */
	bool is_success, is_begun;
	bool by_alert;
	const char *by, *to;
};

/* One alert of the incident. */
struct incident_alert {
	char key[INCIDENT_KEY_BYTES];
	bool is_firing;
	int64_t starts_us;            /* of the episode that fires, or fired last; 0: not said */
	int64_t first_us, changed_us; /* when it was first seen; when it last began or ended */
	int64_t over_starts_us;       /* the latest beginning of an episode that is over; 0: none is known */
	int64_t executed_starts_us;   /* of the episode for which an execution was started last; 0: none, or not said */
	uint32_t seen;                /* deliveries */
	size_t running;               /* executions started for it that have not ended */
	const char *execution, *rule; /* the last one that was started for it, and its rule; or NULL */
	int64_t ended_us;             /* when the last one ended, or was found not to begin; 0: none did */
};

/* One execution of the incident. */
struct incident_execution {
	char id[INCIDENT_ID_BYTES];
	const char *rule;  /* or NULL */
	size_t alert;      /* that started it; SIZE_MAX: none did */
	int64_t linked_us; /* when it was decided, or joined */
	int64_t ended_us;  /* 0: it has not */
	bool is_success, is_begun;
};

/* Open: what a test, a report or a list wants to see. Changed by incident_apply only. Texts live in the arena. */
struct incident_flow {
	struct arena *arena;
	bool is_opened;
	enum incident_state state;
	enum incident_origin origin;
	int priority;
	int64_t opened_us, acknowledged_us, mitigated_us, resolved_us; /* acknowledged: first; mitigated: last. 0: not */
	int64_t changed_us;                                            /* of the last event but a repeated alert's */
	const char *acknowledged_by, *assigned_to, *resolved_by;       /* or NULL; resolved_by: NULL where its alerts did */
	struct incident_alert *alerts;
	size_t alert_count, alert_capacity, firing;
	struct incident_execution *executions;
	size_t execution_count, execution_capacity, running;
	uint32_t notes;
};

/* One of which nothing has happened. */
struct incident_flow *incident_flow_new(struct arena *a);

/* Folds one event. ERR_CONFLICT, and nothing changed, where the state does not allow it: a second opening, an execution that is there already or has ended, a
 * start for an episode that has had one or is over, resolved by alerts of which one fires. ERR_INVALID: an event that lacks what it needs. */
enum err incident_apply(struct incident_flow *x, const struct incident_event *ev, struct error *e);

/* The same without folding: may it happen? */
enum err incident_check(const struct incident_flow *x, const struct incident_event *ev, struct error *e);

/* The alert with that key, or NULL. Valid until the next event. */
const struct incident_alert *incident_alert_find(const struct incident_flow *x, const char *key);

const struct incident_execution *incident_execution_find(const struct incident_flow *x, const char *id);

/* The execution that runs for that alert, or NULL. */
const char *incident_running(const struct incident_flow *x, const struct incident_alert *al);

/* Is a firing with that beginning one that is over already? Where the source says no beginning nobody knows: false. */
bool incident_is_late(const struct incident_alert *al, int64_t starts_us);

/* Has that episode had its execution? */
bool incident_has_executed(const struct incident_alert *al, int64_t starts_us);

/* Are all of its alerts over, and was there one? */
bool incident_is_over(const struct incident_flow *x);

/* The state behind an event, for whoever knows no more than kinds: where it depends on the alerts, the state that it was in. */
enum incident_state incident_state_after(enum incident_state from, enum incident_event_kind kind);

/* ---- the tables ---- */

struct incident_transition {
	const char *name;
	unsigned from;          /* bits of enum incident_state */
	enum incident_state to; /* INCIDENT_STATE_N: the state it was in, or as the rules above say */
	const char *record;     /* the kind of record */
};

const struct incident_transition *incident_transition(enum incident_event_kind kind);
const char *incident_state_name(enum incident_state s);
const char *incident_state_means(enum incident_state s);
bool incident_state_find(const char *name, enum incident_state *out);
const char *incident_origin_name(enum incident_origin o);
bool incident_origin_find(const char *name, enum incident_origin *out);

/* {"states":[{name,means,over}], "transitions":[{event,from:[...],to,record}]}. New reference. */
json_t *incident_tables_json(void);

#endif
