#ifndef RUNG_FLOW_ESCALATION_H
#define RUNG_FLOW_ESCALATION_H

#include "base/arena.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An escalation: somebody must look, and it climbs a ladder of people until one says so. As the execution's machine (flow.h) a fold of events and a pure
 * decision of what comes next: no clock, no I/O. Each event is a record; what escalation_decide says is done by the caller, who records it first and does it
 * once the record is durable. The tables of states, events and triggers are in escalation_states.c; ../escalate/README.md shows them. source: DESIGN.md 5.7, 8
 *
 * Rules:
 * - Levels are reached one after the other, each once a round. A round begins when the last level has had its whole wait; behind the last round of a policy
 * comes the next policy of the ladder; behind the last policy the escalation is exhausted, which is said loudly.
 * - All people of a level are notified at once, each on their first channel. A channel that failed is tried again after a delay that grows; when it has had its
 *   attempts, or where nobody knows whether the message arrived, the person's next channel follows. A message that arrived ends it for that person.
 * - A level none of whose people can be reached by any channel counts as not answered, and the next one is reached at once: but for a new round of the same
 *   policy, since a network that is away for a minute would use up all rounds. Where nobody knows of one message whether it arrived, the level keeps its wait.
 * - Where oncall.yaml is written anew, the level goes on with its people, as far as they are there still, and what comes behind it is as the new file says; a
 * file that no longer has the policy, or would climb one twice, is refused, and the escalation keeps its ladder.
 * - An acknowledgement stops the climb at once, and whatever was still to be sent.
 * - What is raised while another escalation of the same incident is open joins it (the table of triggers says what else it does).
 * - Times last as long as they say whatever the wall clock does; across the end of an engine they are what remained of them, never more than all of it. */

enum {
	ESCALATION_LEVELS_MAX = 32,   /* of one policy */
	ESCALATION_PEOPLE_MAX = 64,   /* of one level */
	ESCALATION_CHANNELS_MAX = 8,  /* of one person */
	ESCALATION_POLICIES_MAX = 16, /* one behind the other */
	ESCALATION_ROUNDS_MAX = 20,
	ESCALATION_ATTEMPTS_MAX = 10 /* on one channel */
};

/* ---- the ladder: whom to notify, as oncall.yaml said when it was raised ---- */

struct escalation_person {
	const char *name;
	uint32_t channels; /* how many they have, in their order of preference */
};

struct escalation_level {
	struct escalation_person *people;
	size_t count;
	int64_t wait_us; /* for an acknowledgement */
};

struct escalation_policy {
	const char *name;
	struct escalation_level *levels;
	size_t count;
	uint32_t rounds; /* how often the levels are climbed; one more than its repeats */
};

struct escalation_retry {
	uint32_t attempts; /* on one channel */
	int64_t delay_us, delay_most_us;
	uint32_t factor;    /* of the delay, for each further attempt */
	int64_t timeout_us; /* how long a channel may take to say whether it has delivered */
};

/* With no policy it is exhausted at once: there is nobody to notify. */
struct escalation_ladder {
	struct escalation_policy *policies;
	size_t count;
	struct escalation_retry retry;
};

/* Is it one that can be climbed? What comes from a record is asked. ERR_INVALID. */
enum err escalation_ladder_check(const struct escalation_ladder *l, struct error *e);

/* ---- the state ---- */

enum escalation_state {
	ESCALATION_NEW,          /* nothing was raised yet */
	ESCALATION_HELD,         /* maintenance, or somebody put it off: nobody is notified until due */
	ESCALATION_CLIMBING,     /* people are notified, level by level */
	ESCALATION_ACKNOWLEDGED, /* somebody has it */
	ESCALATION_EXHAUSTED,    /* every level was reached, and nobody acknowledged */
	ESCALATION_RESOLVED,     /* over */
	ESCALATION_STATE_N
};

/* Why it was raised. */
enum escalation_trigger {
	RAISED_BY_FAILED,
	RAISED_BY_UNKNOWN,
	RAISED_BY_DIVERGED,
	RAISED_BY_OVERDUE,
	RAISED_BY_WAITING,
	RAISED_BY_APPROVAL,
	RAISED_BY_DENIED,
	RAISED_BY_NO_CAUSE,
	RAISED_BY_NOT_RESOLVED,
	RAISED_BY_STEP,
	RAISED_BY_HAND,
	RAISED_BY_N
};

/* Where on the ladder. Climbs, rounds and levels count from 1; level 0: none of this climb is reached yet. */
struct escalation_place {
	uint32_t climb, policy, round, level;
};

struct escalation_timer {
	int64_t due_us, whole_us; /* on the clock of escalation_decide; due 0: none */
};

enum escalation_reach {
	REACH_DUE,       /* to be notified when its timer is due */
	REACH_UNDER_WAY, /* a message is with a channel; its timer says how long that may take */
	REACH_DELIVERED,
	REACH_NOWHERE, /* no channel is left */
	REACH_N
};

struct escalation_recipient {
	const char *name;
	uint32_t channels;
	enum escalation_reach reach;
	uint32_t channel;          /* from 0 */
	uint32_t attempt;          /* the last one on that channel, from 1; 0: none */
	uint32_t number;           /* of the last notification */
	bool is_perhaps_delivered; /* of one message nobody knows */
	struct escalation_timer timer;
};

/* Open: what a test, a report or a list wants to see. Changed by escalation_apply only. */
struct escalation {
	struct arena *arena;
	enum escalation_state state;
	const struct escalation_ladder *ladder; /* borrowed: of the last event that brought one */
	struct escalation_place at;
	struct escalation_timer timer; /* held: until when; climbing: the level's wait */
	bool is_pushed;                /* the next level now, somebody said */
	struct escalation_recipient *recipients;
	size_t recipient_count, recipient_capacity;
	uint32_t *sent_to; /* of the notifications of this level, whom: index of recipients */
	size_t sent_count, sent_capacity;
	uint32_t sent;               /* notifications in all; the last one's number */
	uint32_t climb_sent;         /* those before this climb */
	bool was_reached;            /* a message of this climb was delivered */
	unsigned triggers;           /* bits of enum escalation_trigger */
	uint32_t raised;             /* how often */
	const char *acknowledged_by; /* NULL: nobody */
	uint32_t *links_used;        /* numbers of the notifications whose link has acknowledged */
	size_t link_count, link_capacity;
	const char **called; /* names of those who are on levels that were reached, in whichever climb */
	size_t called_count, called_capacity;
	int64_t last_us; /* of the last event, on the clock of escalation_decide */
};

/* An escalation of which nothing has happened. It and all that it keeps live in the arena; ladders are the caller's and must live as long. */
struct escalation *escalation_new(struct arena *a);

/* ---- events ---- */

/* What happened. Each is a record of the journal; the names and members are in the table of ../escalate/README.md. */
enum escalation_event_kind {
	ESCALATION_RAISED,           /* trigger; hold_us: how long maintenance lasts still, or 0. The first one brings the ladder */
	ESCALATION_LEVEL_REACHED,    /* at: as decided */
	ESCALATION_NOTIFIED,         /* the intent: person, channel, attempt, number as decided */
	ESCALATION_TOLD,             /* what became of the notification number: result */
	ESCALATION_WAS_ACKNOWLEDGED, /* by; link: the number of the notification whose link was used, or 0 (command line, API) */
	ESCALATION_PUT_OFF,          /* by, for hold_us */
	ESCALATION_WAS_EXHAUSTED,    /* as decided */
	ESCALATION_WAS_RESOLVED,     /* the incident, or what was raised, is over */
	ESCALATION_LADDER_CHANGED,   /* oncall.yaml was written anew: ladder */
	ESCALATION_TAKEN_UP,         /* another engine goes on; alive_us */
	ESCALATION_EVENT_N
};

enum escalation_result {
	NOTIFICATION_DELIVERED,
	NOTIFICATION_FAILED,
	NOTIFICATION_UNKNOWN, /* it was on the way when its time, or its engine, ended */
	NOTIFICATION_RESULT_N
};

struct escalation_event {
	enum escalation_event_kind kind;
	int64_t t_us;     /* as recorded */
	int64_t ahead_us; /* how far the clock of escalation_decide is ahead of t_us; 0 in a replay, as in struct flow_event */
	enum escalation_trigger trigger;
	const struct escalation_ladder *ladder;
	int64_t hold_us;
	struct escalation_place at;
	uint32_t person, channel, attempt, number;
	enum escalation_result result;
	const char *by;
	uint32_t link;
	int64_t alive_us; /* until when the former engine is known to have lived (the log's last record of any kind); 0: until this escalation's last event */
};

/* The longest that anything is held. */
#define ESCALATION_HOLD_MAX_US (400 * INT64_C(86400000000))

/* Folds one event. ERR_CONFLICT, and nothing changed, where the state does not allow it: a level that is not the next one, a notification that nobody decided,
 * a link that was used. ERR_INVALID: a ladder that cannot be climbed, a time that is none. */
enum err escalation_apply(struct escalation *x, const struct escalation_event *ev, struct error *e);

/* ---- what is to be done now ---- */

enum escalation_command_kind {
	ESCALATION_DO_REACH,   /* record that the level `at` is reached */
	ESCALATION_DO_NOTIFY,  /* record the intent; once it is durable, send to person on channel */
	ESCALATION_DO_LOSE,    /* the channel has not said in time what became of number: record that nobody knows */
	ESCALATION_DO_EXHAUST, /* record that nobody is left, and say so loudly: was_reached tells whether any message arrived */
	ESCALATION_DO_WAKE     /* ask again at at_us: the row of its timer. Without it there is none */
};

struct escalation_command {
	enum escalation_command_kind kind;
	struct escalation_place at; /* of DO_REACH the next; else where it stands */
	uint32_t person;            /* index in the level */
	const char *name;           /* of the person */
	uint32_t channel, attempt, number;
	int64_t at_us;
	bool was_reached;
};

enum { ESCALATION_COMMANDS_MAX = ESCALATION_PEOPLE_MAX + 1 };

/* now_us: a clock that nobody sets, which agrees with the events' t_us + ahead_us. Fills out (room for ESCALATION_COMMANDS_MAX) and returns how many. A command
 * is repeated until the event that answers it is applied. Numbers are given in this order: the events of several DO_NOTIFY are applied in it. */
size_t escalation_decide(const struct escalation *x, int64_t now_us, struct escalation_command *out);

/* Is that notification, whose intent is durable by now, still to be sent? Where somebody has acknowledged meanwhile it is not, and ESCALATION_TOLD says failed.
 */
bool escalation_is_wanted(const struct escalation *x, uint32_t number);

/* Does it climb, or may it climb by itself: can a further trigger of the same incident join it? */
bool escalation_is_open(const struct escalation *x);

/* Is that person on the ladder, and was on a level that was reached? */
bool escalation_has_called(const struct escalation *x, const char *name);

/* Was the link of that notification used, or is there no such notification? */
bool escalation_is_link_used(const struct escalation *x, uint32_t number);

/* The level behind that one; false: there is none. */
bool escalation_next(const struct escalation_ladder *l, struct escalation_place at, struct escalation_place *next);

/* ---- the tables ---- */

struct escalation_trigger_row {
	const char *name, *means;
	bool is_held_by_maintenance;
	bool begins_anew; /* where somebody has acknowledged */
	bool climbs;      /* where it climbs: the next level now */
};

struct escalation_transition {
	const char *name;
	unsigned from;            /* bits of enum escalation_state */
	enum escalation_state to; /* ESCALATION_STATE_N: as the event says, or the state it was in */
	const char *record;       /* the kind of record */
};

const struct escalation_trigger_row *escalation_trigger_row(enum escalation_trigger t);
const struct escalation_transition *escalation_transition(enum escalation_event_kind kind);
const char *escalation_state_name(enum escalation_state s);
const char *escalation_result_name(enum escalation_result r);
bool escalation_trigger_find(const char *name, enum escalation_trigger *out);
bool escalation_result_find(const char *name, enum escalation_result *out);

/* {"states":[{name,means}], "triggers":[{name,means,held,anew,climbs}], "transitions":[{event,from:[...],to,record}]}. New reference. */
json_t *escalation_tables_json(void);

#endif
