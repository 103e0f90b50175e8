#include "flow/incident.h"

#include <string.h>

#define BIT(s) (1u << (s))

static const struct {
	const char *name, *means;
	bool is_over;
} state_table[INCIDENT_STATE_N] = {
    [INCIDENT_OPEN] = {"open", "nobody has said that they have it", false},
    [INCIDENT_ACKNOWLEDGED] = {"acknowledged", "somebody has it", false},
    [INCIDENT_MITIGATED] = {"mitigated", "what was done about it worked, and it is not closed yet", false},
    [INCIDENT_RESOLVED] = {"resolved", "over, by its alerts or by a person", true},
};

enum {
	LIVE = BIT(INCIDENT_OPEN) | BIT(INCIDENT_ACKNOWLEDGED) | BIT(INCIDENT_MITIGATED),
	ANY = LIVE | BIT(INCIDENT_RESOLVED),
};

static const struct incident_transition transitions[INCIDENT_EVENT_N] = {
    [INCIDENT_OPENED] = {"opened", BIT(INCIDENT_OPEN), INCIDENT_OPEN, "incident.opened"},
    [INCIDENT_ALERT_SEEN] = {"alert received", ANY, INCIDENT_STATE_N, "alert.received"},
    [INCIDENT_EXECUTION_LINKED] = {"execution linked", ANY, INCIDENT_STATE_N, "execution.linked"},
    [INCIDENT_EXECUTION_ENDED] = {"execution ended", ANY, INCIDENT_STATE_N, "execution.ended"},
    [INCIDENT_WAS_ACKNOWLEDGED] = {"acknowledged", LIVE, INCIDENT_STATE_N, "incident.acknowledged"},
    [INCIDENT_NOTED] = {"noted", ANY, INCIDENT_STATE_N, "incident.noted"},
    [INCIDENT_ASSIGNED] = {"assigned", LIVE, INCIDENT_STATE_N, "incident.assigned"},
    [INCIDENT_PRIORITISED] = {"prioritised", LIVE, INCIDENT_STATE_N, "incident.prioritised"},
    [INCIDENT_WAS_MITIGATED] = {"mitigated", LIVE, INCIDENT_MITIGATED, "incident.mitigated"},
    [INCIDENT_WAS_RESOLVED] = {"resolved", LIVE, INCIDENT_RESOLVED, "incident.resolved"},
};

static const char *const origin_names[INCIDENT_ORIGIN_N] = {"alert", "execution", "person"};

const struct incident_transition *incident_transition(enum incident_event_kind kind)
{
	must(kind < INCIDENT_EVENT_N);
	return &transitions[kind];
}

const char *incident_state_name(enum incident_state s)
{
	must(s < INCIDENT_STATE_N);
	return state_table[s].name;
}

const char *incident_state_means(enum incident_state s)
{
	must(s < INCIDENT_STATE_N);
	return state_table[s].means;
}

bool incident_state_find(const char *name, enum incident_state *out)
{
	for (int i = 0; name && i < INCIDENT_STATE_N; i++)
		if (strcmp(state_table[i].name, name) == 0) return *out = (enum incident_state)i, true;
	return false;
}

const char *incident_origin_name(enum incident_origin o)
{
	must(o < INCIDENT_ORIGIN_N);
	return origin_names[o];
}

bool incident_origin_find(const char *name, enum incident_origin *out)
{
	for (int i = 0; name && i < INCIDENT_ORIGIN_N; i++)
		if (strcmp(origin_names[i], name) == 0) return *out = (enum incident_origin)i, true;
	return false;
}

json_t *incident_tables_json(void)
{
	json_t *states = json_array(), *moves = json_array();
	for (int i = 0; i < INCIDENT_STATE_N; i++)
		json_array_append_new(states,
		                      json_pack("{s:s,s:s,s:b}", "name", state_table[i].name, "means", state_table[i].means, "over", state_table[i].is_over));
	for (int i = 0; i < INCIDENT_EVENT_N; i++) {
		json_t *from = json_array();
		for (int s = 0; s < INCIDENT_STATE_N; s++)
			if (transitions[i].from & BIT(s)) json_array_append_new(from, json_string(state_table[s].name));
		const char *to = transitions[i].to == INCIDENT_STATE_N ? "as the event says" : state_table[transitions[i].to].name;
		json_array_append_new(moves,
		                      json_pack("{s:s,s:o,s:s,s:s}", "event", transitions[i].name, "from", from, "to", to, "record", transitions[i].record));
	}
	return json_pack("{s:o,s:o}", "states", states, "transitions", moves);
}
