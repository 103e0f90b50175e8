#ifndef RUNG_FLOW_FLOW_H
#define RUNG_FLOW_FLOW_H

#include "base/arena.h"
#include "base/error.h"
#include "book/graph.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The execution's state machine: a fold of events, and a pure decision of what comes next. No clock, no I/O, no randomness: the caller says what time
 * it is, turns commands into records and effects, and feeds back what happened. The same objects run live, in recovery and in simulations.
 * source: DESIGN.md 5 (states), 2 (flow/) */

enum step_state {
	STEP_PENDING, /* its needs are not met */
	STEP_READY,   /* could start now */
	STEP_WAITING, /* for a person */
	STEP_RUNNING,
	STEP_SUCCEEDED,
	STEP_FAILED,
	STEP_SKIPPED,
	STEP_UNKNOWN, /* a call was in flight and nobody knows what became of it */
	STEP_DIVERGED,
	STEP_DENIED,
	STEP_CANCELLED,
	STEP_TIMED_OUT,
	STEP_UNDONE,
	STEP_STATE_N
};

enum run_state {
	RUN_PENDING,
	RUN_RUNNING,
	RUN_WAITING,
	RUN_ATTENTION,
	RUN_SUCCEEDED,
	RUN_FAILED,
	RUN_DIVERGED,
	RUN_CANCELLED,
	RUN_TIMED_OUT,
	RUN_UNDONE,
	RUN_STATE_N
};

/* What a step waits for. */
enum flow_wait {
	WAIT_NONE,
	WAIT_APPROVAL, /* others must agree before it begins */
	WAIT_PERSON,   /* manual: a person does it and says how it went */
	WAIT_GO,       /* guided: a person starts it */
	WAIT_ANSWER,   /* a question is open */
	WAIT_CHILD,    /* a runbook that it started waits for a person */
	WAIT_RESOLVE,  /* a call's outcome is unknown */
	WAIT_DECISION, /* it ended badly while a person is at the run */
	WAIT_RETRY,    /* until due_us */
	WAIT_N
};

enum flow_mode { FLOW_AUTO, FLOW_GUIDED };

/* What happened. Each is a record of the journal. */
enum flow_event_kind {
	FLOW_REQUESTED, /* a person starts the step */
	FLOW_CONDITION, /* `if` was evaluated: outcome SUCCEEDED (true), SKIPPED (false) or FAILED (it raised) */
	FLOW_SKIP,      /* without having run */
	FLOW_ATTEMPT_STARTED,
	FLOW_ATTEMPT_FINISHED, /* outcome; to: where `go` leads, or SIZE_MAX */
	FLOW_CALL_STARTED,
	FLOW_CALL_FINISHED,
	FLOW_CALL_UNKNOWN,
	FLOW_CALL_RESOLVED,        /* answered again or failed: the attempt goes on */
	FLOW_VERIFICATION_STARTED, /* the proof of a step with unknown calls */
	FLOW_VERIFICATION_FINISHED,
	FLOW_QUESTION_ASKED,
	FLOW_QUESTION_ANSWERED,
	FLOW_CHILD_CHANGED,      /* a runbook that a call of the step runs waits for a person (is_waiting), or does not any more */
	FLOW_APPROVAL_ASKED,     /* count people must agree before the step begins */
	FLOW_APPROVAL_GIVEN,     /* one did */
	FLOW_APPROVAL_REFUSED,   /* one did not: the step is denied */
	FLOW_APPROVAL_WITHDRAWN, /* what was agreed to has changed, or too long ago: asked for again where it is still needed */
	FLOW_SETTLED,            /* outcome SUCCEEDED, FAILED or SKIPPED by a person or by verify */
	FLOW_RESET,              /* the step and all that depends on it start again; by: the step whose goto or go did it, or SIZE_MAX (a person) */
	FLOW_PAUSED,
	FLOW_RESUMED,
	FLOW_CANCEL,   /* a person asked */
	FLOW_FINISHED, /* run_state */
	FLOW_EVENT_N
};

struct flow_event {
	enum flow_event_kind kind;
	size_t step;      /* SIZE_MAX for those of the whole execution */
	int64_t t_us;     /* as recorded */
	int64_t ahead_us; /* how far the clock that deadlines run on is ahead of t_us: the wall clock was set while an engine drove this; 0 in a replay */
	enum step_state outcome;
	enum run_state run_state;
	size_t to, by;
	uint32_t count;   /* FLOW_APPROVAL_ASKED: how many */
	bool was_unknown; /* FLOW_CALL_FINISHED: a person says that it failed, of which nobody knew: it was not open any more */
	bool is_child;    /* FLOW_CALL_*: another execution does it */
	bool is_waiting;  /* FLOW_CHILD_CHANGED: the child waits for a person; FLOW_CALL_FINISHED and UNKNOWN: it did to the end */
	bool is_terminal; /* FLOW_CALL_*: a command on a person's terminal, beside the attempts of its step */
	bool is_take_up;  /* FLOW_RESUMED: an engine had ended; its deadlines have stood still since the last event */
};

struct flow_step {
	enum step_state state;
	uint32_t attempt; /* of the last attempt started, from 1; 0: none */
	uint32_t open_calls, unknown_calls, open_questions;
	uint32_t open_children, waiting_children; /* among the open calls: other executions; those that wait for a person */
	uint32_t open_terminal;                   /* commands on a person's terminal: they outlive attempts and ends of the step, not the execution */
	uint32_t approvals_needed, approvals;     /* of the round that is_awaiting_approval, or that is_approved ended */
	int retries_used, goto_used;
	bool is_in_attempt; /* running, or waiting or unknown in the middle of it */
	bool is_awaiting_approval, is_approved;
	bool is_verifying;                                 /* its proof is run, to settle what is unknown */
	bool is_requested, is_condition_known, is_decided; /* decided: a bad end stands, by on_failure or by a person */
	size_t go_to;                                      /* where `go` leads; SIZE_MAX: nowhere */
	int64_t started_us, finished_us;
	int64_t due_us;  /* on the clock of flow_decide; running: deadline; waiting: reminder; retry: not before. 0: none */
	int64_t left_us; /* of the timeout, while a question is open */
};

struct flow {
	const struct graph *graph; /* borrowed */
	enum flow_mode mode;
	struct flow_step *steps; /* graph->count of them */
	enum run_state state;    /* kept up to date by flow_apply */
	bool is_paused, is_cancelling, is_finished;
	int64_t last_us; /* of the last event */
};

struct flow *flow_new(const struct graph *g, enum flow_mode mode);
void flow_free(struct flow *f);

/* A copy to try out on what would follow: events applied to it leave f as it is. */
struct flow *flow_copy(const struct flow *f);

/* Folds one event. ERR_CONFLICT, and nothing changed, where the table of transitions does not allow it now. */
enum err flow_apply(struct flow *f, const struct flow_event *ev, struct error *e);

/* Moves every step to where it stands before anything has happened, and after a replay. flow_apply does the same behind each event. */
void flow_refresh(struct flow *f);

/* What is to be done now. */
enum flow_command_kind {
	FLOW_DO_EVALUATE, /* evaluate `if` of the step */
	FLOW_DO_START,    /* start the next attempt of the step */
	FLOW_DO_SKIP,     /* record the step as skipped: `go` led past it */
	FLOW_DO_RESET,    /* record the reset of step, by */
	FLOW_DO_STOP,     /* the running step's deadline has passed, or the execution is being cancelled */
	FLOW_DO_FINISH,   /* record the end: run_state */
	FLOW_DO_WAKE      /* ask again at at_us */
};

struct flow_command {
	enum flow_command_kind kind;
	size_t step, by;
	int64_t at_us;
	enum run_state run_state;
	bool is_timeout;
};

/* now_us: a clock that nobody sets, which agrees with the events' t_us + ahead_us. Fills at most max commands (graph->count + 1 always suffice) and returns how
 * many. FLOW_DO_EVALUATE, START and STOP are repeated until the event that answers them is applied: the caller remembers what it has under way. */
size_t flow_decide(const struct flow *f, int64_t now_us, struct flow_command *out, size_t max);

/* What the step waits for now. */
enum flow_wait flow_waits_for(const struct flow *f, size_t step);

/* Has the step a condition, as an attribute or as a fence? */
bool flow_has_condition(const struct flow *f, size_t step);

bool flow_is_over(enum step_state s); /* no more happens by itself */
bool flow_is_bad(enum step_state s);  /* failed, diverged, denied, timed out */
bool flow_run_is_over(enum run_state s);

const char *step_state_name(enum step_state s);
const char *run_state_name(enum run_state s);
const char *flow_wait_name(enum flow_wait w);
bool step_state_find(const char *name, enum step_state *out);
bool run_state_find(const char *name, enum run_state *out);

/* Exit status of the CLI for an execution in that state. A failed execution in which a step was denied is 4. */
int run_exit_status(enum run_state s, bool was_denied);

/* The tables: {"steps":[{name,means,over}], "executions":[{name,means,exit}], "transitions":[{event,from:[...],to}]}. New reference. */
json_t *flow_states_json(void);

#endif
