#ifndef RUNG_FLOW_CALLS_H
#define RUNG_FLOW_CALLS_H

#include "book/book.h"
#include "flow/flow.h"

/* What becomes of a call, live and in recovery: when it may leave, what follows where its outcome is missing, what an attempt gets that asks for it again.
 * Decisions without clock or I/O; service/ carries them out, and so does the simulation in tests/simulate/.
 * source: DESIGN.md 5 (1, 3, 4) */

/* Calls of an attempt are numbered in four ranges: what belongs to one run of a worker has numbers and an order of delivery of its own. */
enum call_range {
	CALLS_OF_ACTION,    /* the action and the proof behind it, 1.. */
	CALLS_OF_CONDITION, /* `if` */
	CALLS_OF_TERMINAL,  /* commands of a shell fence on a person's terminal */
	CALLS_OF_PROOF,     /* verify, to settle what is unknown; one proof behind the other */
};

enum { CALLS_IN_RANGE = 100000 };

enum call_range call_range_of(uint32_t number);
uint32_t call_range_base(enum call_range r); /* the number before its first */

/* What the record says of a call. */
enum call_state {
	CALL_STARTED,
	CALL_FINISHED,
	CALL_UNKNOWN,
	CALL_AGAIN /* it was unknown, and a person says: again */
};

/* A call as the decisions see it. */
struct flow_call {
	uint32_t number, attempt;
	uint32_t order; /* among the finished calls of its attempt and range, from 1: the order of delivery; 0: not finished */
	enum step_effect effect;
	enum call_state state;
	bool is_question, is_in_verify;
	bool is_child;                    /* another execution does it: nothing of it is with a worker, an actor or a target */
	bool has_terminal;                /* a client runs it, is there, and will say what became of it */
	bool is_intended;                 /* its intent is on the way to the store, or it is held */
	bool is_dispatched, is_cancelled; /* it is with a target; that was asked to end it */
	bool has_left_before;             /* this is not its first intent, and a person did not say again: an earlier one may have had its effect */
	bool is_out_of_reach;             /* what was kept of it cannot be asked any more: it is as one of effect once */
};

/* Folds one record of the call. most: the highest order among the calls of its attempt and range. is_again: of FLOW_CALL_RESOLVED. */
void call_apply(struct flow_call *c, enum flow_event_kind kind, uint32_t most, bool is_again);

/* A call that is made again while its first try is still open in the record is one call: no event of its step. */
bool call_is_open(const struct flow_call *c);

/* Is it a call of an attempt that is with a target, or will be once its intent is durable? Such an attempt is not over, whoever listens to it. */
bool call_is_under_way(const struct flow_call *c);

/* May it happen twice? read and idempotent. */
bool call_effect_is_harmless(enum step_effect effect);

/* May it be made again without asking anyone? Those; keyed, whose target knows its key; receipt, which is answered from what was kept. */
bool call_effect_repeats(enum step_effect effect);

/* How the outcome of a call came to be missing. */
enum call_loss {
	LOSS_ENGINE, /* the engine that had made it ended */
	LOSS_ACTOR,  /* the process that had made it ended */
	LOSS_PEER,   /* the connection to the host that had it is gone */
	LOSS_TIME,   /* it was ended at its deadline, or because nobody wanted it any more */
	LOSS_STEP    /* its step is stopped, and nothing is with a target any more */
};

enum call_fate {
	FATE_KEPT,    /* stays as it is: the attempt, run again, asks for it again */
	FATE_AGAIN,   /* made again at once, with a new intent */
	FATE_FAILED,  /* its code is told that it failed */
	FATE_TIMEOUT, /* its code is told that its time was up */
	FATE_UNKNOWN  /* nobody knows; never made again but by a person's word */
};

enum {
	ACTOR_LOSSES_MAX = 3, /* then what was in flight is not made again */
	PEER_LOSSES_MAX = 3
};

/* What becomes of a call with no outcome. losses: of actors in this execution, or of this call's connections, this one included. */
enum call_fate call_fate_of(const struct flow_call *c, enum call_loss loss, int losses);

/* It could not be made now: FATE_FAILED, or FATE_UNKNOWN where an earlier try may have had its effect. */
enum call_fate call_fate_unmade(const struct flow_call *c);

/* What an attempt gets that asks for call c of its record (NULL: the record holds none of that number). */
enum call_meeting {
	MEETS_NOTHING,    /* a new call: right, intent, effect */
	MEETS_ANSWER,     /* it is in the record, or under way: its answer comes in its turn */
	MEETS_AGAIN,      /* it is made again under the same number, with a new intent */
	MEETS_UNKNOWN,    /* nobody knows its outcome: it is not made */
	MEETS_ANOTHER_ONE /* the record holds something else: the attempt diverged */
};
enum call_meeting call_meet(const struct flow_call *c, bool is_same);

/* Its intent is durable. May it leave? */
enum call_departure {
	DEPARTS_NOT, /* it has left, or is over */
	DEPARTS_LATER,
	DEPARTS_NEVER, /* its step has been stopped meanwhile: call_fate_unmade */
	DEPARTS
};
/* is_awaiting_lock: something of the execution may run still. is_attempt_over: its attempt is being stopped, or has ended. */
enum call_departure call_depart(const struct flow_call *c, const struct flow *f, size_t step, bool is_awaiting_lock, bool is_attempt_over);

#endif
