#include "flow/escalation.h"

#include <string.h>

#define BIT(s) (1u << (s))

static const struct {
	const char *name, *means;
} state_table[ESCALATION_STATE_N] = {
    [ESCALATION_NEW] = {"new", "nothing was raised yet"},
    [ESCALATION_HELD] = {"held", "maintenance, or somebody put it off: nobody is notified until that is over"},
    [ESCALATION_CLIMBING] = {"climbing", "people are notified, level by level"},
    [ESCALATION_ACKNOWLEDGED] = {"acknowledged", "somebody has it; nobody else is notified"},
    [ESCALATION_EXHAUSTED] = {"exhausted", "every level was reached and nobody acknowledged"},
    [ESCALATION_RESOLVED] = {"resolved", "over"},
};

static const struct escalation_trigger_row trigger_table[RAISED_BY_N] = {
    [RAISED_BY_FAILED] = {"failed", "a step failed or timed out", true, false, false},
    [RAISED_BY_UNKNOWN] = {"unknown", "nobody knows what became of a call", true, false, false},
    [RAISED_BY_DIVERGED] = {"diverged", "a step, run again, asked something else", true, false, false},
    [RAISED_BY_OVERDUE] = {"overdue", "a step takes longer than expected", true, false, false},
    [RAISED_BY_WAITING] = {"waiting", "a step waits for a person too long", true, false, false},
    [RAISED_BY_APPROVAL] = {"approval", "an approval is waited for too long", true, false, false},
    [RAISED_BY_DENIED] = {"denied", "a right was missing", true, false, false},
    [RAISED_BY_NO_CAUSE] = {"no_cause", "a playbook ended and found no cause", true, false, false},
    [RAISED_BY_NOT_RESOLVED] = {"not_resolved", "a cause was dealt with, and the alert fires still", true, false, false},
    [RAISED_BY_STEP] = {"step", "a step asked for a person", false, true, false},
    [RAISED_BY_HAND] = {"hand", "a person asked for another", false, true, true},
};

enum {
	STARTED = BIT(ESCALATION_HELD) | BIT(ESCALATION_CLIMBING) | BIT(ESCALATION_ACKNOWLEDGED) | BIT(ESCALATION_EXHAUSTED),
	TO_CLIMB = BIT(ESCALATION_HELD) | BIT(ESCALATION_CLIMBING)
};

static const struct escalation_transition transitions[ESCALATION_EVENT_N] = {
    [ESCALATION_RAISED] = {"raised", BIT(ESCALATION_NEW) | STARTED, ESCALATION_STATE_N, "escalation.raised"},
    [ESCALATION_LEVEL_REACHED] = {"level reached", TO_CLIMB, ESCALATION_CLIMBING, "level.reached"},
    [ESCALATION_NOTIFIED] = {"notified", BIT(ESCALATION_CLIMBING), ESCALATION_CLIMBING, "notification.started"},
    /* A channel may say what became of a message when all is over. */
    [ESCALATION_TOLD] = {"told", STARTED | BIT(ESCALATION_RESOLVED), ESCALATION_STATE_N, "notification.finished"},
    [ESCALATION_WAS_ACKNOWLEDGED] = {"acknowledged", STARTED, ESCALATION_ACKNOWLEDGED, "incident.acknowledged"},
    [ESCALATION_PUT_OFF] = {"put off", STARTED, ESCALATION_HELD, "escalation.postponed"},
    [ESCALATION_WAS_EXHAUSTED] = {"exhausted", TO_CLIMB, ESCALATION_EXHAUSTED, "escalation.exhausted"},
    [ESCALATION_WAS_RESOLVED] = {"resolved", STARTED, ESCALATION_RESOLVED, "incident.resolved"},
    [ESCALATION_LADDER_CHANGED] = {"ladder changed", STARTED, ESCALATION_STATE_N, "ladder.changed"},
    [ESCALATION_TAKEN_UP] = {"taken up", STARTED, ESCALATION_STATE_N, "escalation.resumed"},
};

static const char *const result_names[NOTIFICATION_RESULT_N] = {"delivered", "failed", "unknown"};

const struct escalation_trigger_row *escalation_trigger_row(enum escalation_trigger t)
{
	must(t < RAISED_BY_N);
	return &trigger_table[t];
}

const struct escalation_transition *escalation_transition(enum escalation_event_kind kind)
{
	must(kind < ESCALATION_EVENT_N);
	return &transitions[kind];
}

const char *escalation_state_name(enum escalation_state s)
{
	must(s < ESCALATION_STATE_N);
	return state_table[s].name;
}

const char *escalation_result_name(enum escalation_result r)
{
	must(r < NOTIFICATION_RESULT_N);
	return result_names[r];
}

bool escalation_trigger_find(const char *name, enum escalation_trigger *out)
{
	for (int i = 0; name && i < RAISED_BY_N; i++)
		if (strcmp(trigger_table[i].name, name) == 0) return *out = (enum escalation_trigger)i, true;
	return false;
}

bool escalation_result_find(const char *name, enum escalation_result *out)
{
	for (int i = 0; name && i < NOTIFICATION_RESULT_N; i++)
		if (strcmp(result_names[i], name) == 0) return *out = (enum escalation_result)i, true;
	return false;
}

json_t *escalation_tables_json(void)
{
	json_t *states = json_array(), *triggers = json_array(), *moves = json_array();
	for (int i = 0; i < ESCALATION_STATE_N; i++)
		json_array_append_new(states, json_pack("{s:s,s:s}", "name", state_table[i].name, "means", state_table[i].means));
	for (int i = 0; i < RAISED_BY_N; i++) {
		const struct escalation_trigger_row *t = &trigger_table[i];
		json_array_append_new(triggers, json_pack("{s:s,s:s,s:b,s:b,s:b}", "name", t->name, "means", t->means, "held", t->is_held_by_maintenance,
		                                          "anew", t->begins_anew, "climbs", t->climbs));
	}
	for (int i = 0; i < ESCALATION_EVENT_N; i++) {
		json_t *from = json_array();
		for (int s = 0; s < ESCALATION_STATE_N; s++)
			if (transitions[i].from & BIT(s)) json_array_append_new(from, json_string(state_table[s].name));
		const char *to = transitions[i].to == ESCALATION_STATE_N ? "as the event says" : state_table[transitions[i].to].name;
		json_array_append_new(moves,
		                      json_pack("{s:s,s:o,s:s,s:s}", "event", transitions[i].name, "from", from, "to", to, "record", transitions[i].record));
	}
	return json_pack("{s:o,s:o,s:o}", "states", states, "triggers", triggers, "transitions", moves);
}
