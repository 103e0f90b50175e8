#ifndef RUNG_FLOW_REPLAY_H
#define RUNG_FLOW_REPLAY_H

#include "flow/calls.h"

/* An attempt, run over the calls that its record holds: which answers it gets and when, and what it comes to. After a crash it is the same run, only that more
 * of its answers are there already.
 * source: DESIGN.md 5 (2 to 4) */

/* One run of an attempt, an evaluation or a proof over the record. */
struct replay {
	uint32_t attempt;
	enum call_range range;
	uint32_t first_call;     /* its calls count from behind this number */
	uint32_t asked;          /* calls asked so far in this run */
	uint32_t delivered;      /* answers handed over: orders 1..delivered */
	uint32_t recorded;       /* answers that are durable: orders 1..recorded */
	uint32_t replayed;       /* those that were when the run began */
	uint32_t answers, idles; /* answers sent; how often it said that it waits for one */
};

/* Puts a run over the record: begin, then take each call of its step. */
void replay_begin(struct replay *r, uint32_t attempt, enum call_range range, uint32_t first_call);
void replay_take(struct replay *r, const struct flow_call *c);

bool replay_owns(const struct replay *r, const struct flow_call *c);

/* Is it asked, or under way since a run before, and not over? Questions are not: they outlive the run. */
bool replay_awaits(const struct replay *r, const struct flow_call *c);

/* Is it open in the record, and not asked again yet? Where the run is stopped, it is over too: told as failed. */
bool replay_abandons(const struct replay *r, const struct flow_call *c);

/* A finished call has become durable: true where it is of this run, and there may be something to hand over. */
bool replay_recorded(struct replay *r, const struct flow_call *c);

/* Is it the answer to hand over now? One for each time that the run waits for one, in the order of the record, none before it is durable. */
bool replay_gets_next(const struct replay *r, const struct flow_call *c);
void replay_delivered(struct replay *r);

/* What call c means for a run whose branches all wait and that gets no answer now. */
enum replay_wait {
	REPLAY_WAITS_NOT,
	REPLAY_WAITS_FOR_STORE,
	REPLAY_WAITS_FOR_TARGET,
	REPLAY_WAITS_FOR_LONG /* a person, or another execution: its worker need not wait with it */
};
enum replay_wait replay_waits_for(const struct replay *r, const struct flow_call *c);

/* The run came to its end: does the record hold a call that it should have asked? Then it diverged. What a proof asks may differ from run to run. */
bool replay_left_out(const struct replay *r, const struct flow_call *c);

/* What follows for an attempt when something of its calls changed. open: calls that replay_awaits. */
enum replay_next {
	REPLAY_GOES_ON,
	REPLAY_IS_DROPPED,     /* without a record: it is run again when its calls are known */
	REPLAY_LOSES_WORKER,   /* its other calls are recorded as they come */
	REPLAY_PROVES_NOTHING, /* a proof was stopped: what is unknown stays so */
	REPLAY_IS_STOPPED,     /* over, with the outcome it was stopped for */
	REPLAY_CONCLUDES       /* over, as its code said */
};
enum replay_next replay_follow(const struct replay *r, enum step_state step, size_t open, bool is_stopping, bool has_ended);

/* Does a step in the middle of an attempt need a worker? */
enum step_need { STEP_NEEDS_NOTHING, STEP_NEEDS_RUN, STEP_NEEDS_PROOF };
struct step_around {
	bool is_live;        /* something of it is under way */
	bool has_news;       /* something came that its branches have not seen, or an engine has just begun */
	bool has_proof;      /* the book gives it a verify */
	bool is_proof_tried; /* since its calls became unknown */
};
enum step_need step_need_of(const struct flow *f, size_t step, struct step_around around);

/* May a person say what became of the step's unknown calls? Not while others of the same attempt are, or will be, with a target. */
bool step_is_resolvable(const struct flow *f, size_t step, bool is_any_under_way);

#endif
