#ifndef RUNG_TESTS_SIMULATE_H
#define RUNG_TESTS_SIMULATE_H

#include "flow/replay.h"

/* A world made from a seed: one execution of a random book, an engine that carries out what flow/ decides, and around it a store, targets, a clock and people
 * that do everything that can go wrong. Nothing in it is real, and nothing depends on anything but the seed. */

enum {
	STEPS_MAX = 6,
	BRANCHES_MAX = 3,
	LENGTH_MAX = 3,
	CALLS_MAX = 200,
	RECORDS_MAX = 6000,
	BATCHES_MAX = 3000,
	LATERS_MAX = 6000,
	FLIGHTS_MAX = 200,
	DEPARTURES_MAX = 2000,
	ENGINES_MAX = 12
};

/* --- chance ---------------------------------------------------------------------------------------------------------------------------- */

uint64_t mix(uint64_t a, uint64_t b);

struct world;
unsigned roll(struct world *w, unsigned n); /* 0..n-1 */

/* --- the journal ------------------------------------------------------------------------------------------------------------------------ */

struct line {
	struct flow_event ev;
	uint64_t epoch;
	uint32_t attempt, call;
	enum step_effect effect;
	uint64_t asks;   /* of FLOW_CALL_STARTED: digest of what it does */
	uint64_t answer; /* of FLOW_CALL_FINISHED */
	bool is_question, is_in_verify, is_failure;
	bool is_again;     /* of FLOW_CALL_RESOLVED */
	bool is_by_person; /* of FLOW_SETTLED */
};

/* --- a step's code ---------------------------------------------------------------------------------------------------------------------- */

/* Branches that share what they have learned: what one asks next depends on every answer so far and on the order in which they came, as in Lua that races, or
 * counts errors. */
struct program {
	uint64_t seed;
	unsigned branches, length[BRANCHES_MAX];
	bool is_race;   /* the first branch at its end ends all */
	int errors_max; /* more failed calls than that, and it raises */
	bool is_fickle; /* asks something else in another engine */
	bool is_proof;
	enum step_effect effect;
};

struct running {
	uint64_t learned;
	unsigned at[BRANCHES_MAX];
	uint32_t waits_for[BRANCHES_MAX]; /* the call's place among those of the run, from 1; 0: it is about to ask */
	int errors;
	bool has_raised;
};

enum says { SAYS_CALL, SAYS_IDLE, SAYS_END };
struct saying {
	enum says says;
	uint64_t asks;
	enum step_effect effect;
	bool is_question;
	enum step_state outcome;
};

struct saying program_speak(const struct program *p, struct running *r, uint32_t asked);
void program_hear(const struct program *p, struct running *r, uint32_t place, uint64_t answer, bool is_failure);

/* --- an engine -------------------------------------------------------------------------------------------------------------------------- */

struct sim_call {
	struct flow_call flow;
	uint64_t asks, answer;
	bool is_failure;
	unsigned intents; /* since a person last said again */
	uint64_t id;      /* of its flight; 0: none */
};

enum purpose { FOR_ACTION, FOR_CONDITION, FOR_PROOF };

/* An attempt, an evaluation or a proof that is under way. */
struct live {
	bool is_on, has_worker, is_stopping, has_ended, is_cut_off;
	uint32_t serial;
	enum purpose purpose;
	struct replay replay;
	struct running running;
	enum step_state outcome; /* of its end, or of its stop */
};

struct sim_step {
	struct sim_call calls[CALLS_MAX];
	size_t count;
	struct live live;
	bool needs_run, is_proof_tried;
	int worker_losses;
};

enum later_kind { LATER_WORK, LATER_DEPART, LATER_HAND_OVER };
struct later {
	enum later_kind kind;
	size_t batch; /* that must be durable */
	size_t step;
	uint32_t attempt, call, order;
};

struct batch {
	size_t first, count; /* of lines */
};

struct engine {
	struct world *world;
	unsigned number; /* from 1 */
	bool is_gone, is_awaiting_lock, is_taking_up;
	uint64_t epoch, next_id;
	struct flow *flow;
	struct sim_step steps[STEPS_MAX];
	int actor_losses;
	uint32_t serial;           /* of the last that began */
	int64_t ran_us[STEPS_MAX]; /* how long each step's attempt has been running while an engine lived */
	uint32_t ran_attempt[STEPS_MAX];
	int64_t begun_us, begun_real_us; /* when it began, by the wall clock and in truth */
	/* On the way to the store: from here on only as far as it is filled. */
	struct line lines[RECORDS_MAX];
	size_t line_count, batched;
	struct batch batches[BATCHES_MAX];
	size_t batch_count, stored, told;
	struct later laters[LATERS_MAX];
	size_t later_count, later_done;
};

struct engine *engine_begin(struct world *w);    /* the execution is new */
struct engine *engine_take_up(struct world *w);  /* from the journal, by another engine */
void engine_end(struct engine *g);               /* crash: what was not stored is gone */
void engine_step_on(struct engine *g);           /* decide and submit */
void engine_tell(struct engine *g);              /* the next stored batch is acknowledged */
void engine_work(struct engine *g, size_t step); /* the step's worker says its next word */
void engine_lose_worker(struct engine *g, size_t step);
void engine_lose_actor(struct engine *g);
void engine_lock_is_free(struct engine *g);
void engine_answer(struct engine *g, uint64_t id, uint64_t answer, bool is_failure, bool is_ended_by_us); /* a target's */
void engine_person(struct engine *g, size_t step);                                                        /* does what the step waits for */
bool engine_emit(struct engine *g, struct line l);

/* --- the world -------------------------------------------------------------------------------------------------------------------------- */

/* A call with a target. */
struct flight {
	bool is_on, has_landed, is_cancelled, is_orphan; /* orphan: whoever made it has ended */
	unsigned engine;
	uint64_t id;
	size_t step;
	uint32_t attempt, call;
};

struct world {
	uint64_t seed, chance;
	bool is_loud;
	struct book book;
	struct book_step book_steps[STEPS_MAX];
	struct book_fence proofs[STEPS_MAX];
	struct graph graph;
	struct graph_node nodes[STEPS_MAX];
	size_t needs[STEPS_MAX][STEPS_MAX];
	char ids[STEPS_MAX][24];
	struct program programs[STEPS_MAX], proof_programs[STEPS_MAX];
	uint32_t approvals[STEPS_MAX];
	enum flow_mode mode;
	int64_t now_us, real_us; /* the wall clock, which people set, and the time that passes */
	bool is_clock_right;     /* nobody sets it in this world */
	unsigned faults_left;
	/* From here on only as far as it is filled. */
	struct line journal[RECORDS_MAX]; /* what is durable */
	size_t journal_count;
	struct flight departures[DEPARTURES_MAX]; /* all that ever left */
	size_t departure_count;
	struct flight flights[FLIGHTS_MAX];
	struct engine *engines[ENGINES_MAX];
	unsigned engine_count;
	uint64_t moves;
	struct tally {
		uint64_t crashes, takeovers, actors, workers, unknown, again, proofs, diverged, timeouts, refused, landed, replayed;
	} tally;
};

/* Runs one world to its end. */
void world_run(struct world *w, uint64_t seed, bool is_loud);

void world_depart(struct engine *g, size_t step, uint32_t attempt, uint32_t call, uint64_t id);
void world_cancel(struct engine *g, uint64_t id);

/* --- the oracle: what DESIGN.md 5 promises, judged by the durable journal and by what the targets saw ------------------------------------- */

void oracle_line(struct world *w, size_t at);                                        /* a line has become durable */
void oracle_depart(struct world *w, const struct engine *g, const struct flight *f); /* something leaves for a target */
void oracle_deliver(struct world *w, const struct engine *g, size_t step, const struct sim_call *c);
void oracle_work(struct world *w, const struct engine *g, size_t step); /* a worker starts */
void oracle_refold(struct world *w, const struct engine *g);            /* what was folded live and what the journal gives are the same */

void broken(const struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));

#endif
