#ifndef RUNG_TESTS_SIMULATE_H
#define RUNG_TESTS_SIMULATE_H

#include "flow/approval.h"
#include "flow/lease.h"
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
	DRIVERS_MAX = 64,
	ENGINES_MAX = 24,
	PEOPLE = 5, /* the last is a service */
	POLICIES_MAX = 4,
	HOSTS = 2,
	TARGETS_UNKNOWN = 1 << HOSTS /* else a set of hosts, as bits */
};

/* --- chance ---------------------------------------------------------------------------------------------------------------------------- */

uint64_t mix(uint64_t a, uint64_t b);

struct world;
unsigned roll(struct world *w, unsigned n); /* 0..n-1 */

/* --- the journal ------------------------------------------------------------------------------------------------------------------------ */

/* What is no event of flow/ has the kind FLOW_EVENT_N. */
enum line_what { LINE_EVENT, LINE_DRIVER, LINE_TARGETS };

struct line {
	enum line_what what;
	struct flow_event ev;
	unsigned engine, policy; /* who wrote it, and the policy of that moment */
	int64_t real_us;
	uint64_t epoch;
	uint32_t attempt, call;
	enum step_effect effect;
	uint64_t asks;   /* of FLOW_CALL_STARTED: digest of what it does */
	uint64_t answer; /* of FLOW_CALL_FINISHED */
	bool is_question, is_in_verify, is_failure;
	bool is_again;     /* of FLOW_CALL_RESOLVED */
	bool is_by_person; /* of FLOW_SETTLED */
	bool is_by_hand;   /* of FLOW_SETTLED: of what nobody had begun */
	bool is_denied;    /* of FLOW_ATTEMPT_STARTED: nobody can agree to it, and so it does not begin */
	unsigned who;      /* LINE_DRIVER, FLOW_APPROVAL_GIVEN */
	unsigned targets;  /* LINE_TARGETS */
	struct sim_asking {
		char binding[APPROVAL_BINDING_BYTES];
		uint32_t needed;
		int64_t within_us;
		const char *from; /* in the world's arena */
		const char *rule; /* or NULL */
	} asking;                 /* FLOW_APPROVAL_ASKED */
	int64_t until_us;         /* FLOW_APPROVAL_GIVEN */
	uint32_t code_needed;     /* of FLOW_QUESTION_ASKED: so many of code_from, or 0: an answer */
	unsigned code_from;
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
	uint32_t code_needed; /* it asks others to agree: so many of that group */
	unsigned code_from;
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
	uint32_t code_needed;
	unsigned code_from;
	struct approval approval;
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
	size_t count;
	struct live live;
	bool needs_run, is_proof_tried;
	int worker_losses;
	struct approval approval;
	unsigned targets;
	bool has_targets, are_targets_fresh;
	struct sim_call calls[CALLS_MAX]; /* only as far as it is filled */
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
	bool is_refused;     /* which the engine hears when it is answered */
};

struct engine {
	struct world *world;
	unsigned number; /* from 1 */
	bool is_gone, is_awaiting_lock, is_taking_up, is_paused;
	bool is_emitting; /* what is folded is of this moment */
	bool is_claiming; /* it takes over, and has not heard that it may */
	uint64_t epoch, next_id;
	struct lease_claim claim;
	struct arena *arena;
	const char *drivers[DRIVERS_MAX];
	size_t driver_count;
	int64_t armed_us; /* when its timer goes off, on its steady clock; INT64_MAX: never */
	struct flow *flow;
	int actor_losses;
	uint32_t serial;           /* of the last that began */
	int64_t ran_us[STEPS_MAX]; /* how long each step's attempt has been running while an engine lived */
	uint32_t ran_attempt[STEPS_MAX];
	int64_t begun_us, begun_real_us; /* when it began, by the wall clock and in truth */
	struct sim_step steps[STEPS_MAX];
	/* On the way to the store: from here on only as far as it is filled. */
	struct line lines[RECORDS_MAX];
	size_t line_count, batched;
	struct batch batches[BATCHES_MAX];
	size_t batch_count, stored, told;
	struct later laters[LATERS_MAX];
	size_t later_count, later_done;
};

struct engine *engine_begin(struct world *w);    /* the execution is new */
struct engine *engine_take_up(struct world *w);  /* from the journal, by another engine: asks for the lease */
void engine_end(struct engine *g);               /* crash: what was not stored is gone */
void engine_step_on(struct engine *g);           /* decide and submit */
void engine_tell(struct engine *g);              /* the next stored batch is acknowledged */
void engine_work(struct engine *g, size_t step); /* the step's worker says its next word */
void engine_lose_worker(struct engine *g, size_t step);
void engine_lose_actor(struct engine *g);
void engine_lock_is_free(struct engine *g);
void engine_answer(struct engine *g, uint64_t id, uint64_t answer, bool is_failure, bool is_ended_by_us); /* a target's */
void engine_person(struct engine *g, size_t step);                                                        /* does what the step waits for */
void engine_hand_over(struct engine *g, unsigned who);
int64_t engine_steady_us(const struct engine *g);
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
	enum flow_mode mode;
	struct people {
		struct policy_rules {
			bool is_member[2][PEOPLE]; /* of group a, of group b */
			bool is_author[PEOPLE];    /* it knows the author's name */
			uint32_t needed;           /* by its rule, of the group; 0: it has none */
			unsigned from;
			int64_t within_us;
		} says[POLICIES_MAX]; /* from which the policies are made, and by which the oracle judges */
		size_t count, now;
		struct book_meta meta[1];
		unsigned targets[STEPS_MAX];                   /* what the step's expression would give now */
		char shown[STEPS_MAX][APPROVAL_BINDING_BYTES]; /* what somebody has seen of it a while ago */
	} people;
	int64_t now_us, real_us; /* the wall clock, which people set, and the time that passes */
	bool is_clock_right;     /* nobody sets it in this world */
	struct arena *arena;     /* of this world */
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
		uint64_t agreed, not_agreed, withdrawn, claims_refused, timers;
		uint64_t crashes, takeovers, actors, workers, unknown, again, proofs, diverged, timeouts, refused, landed, replayed;
	} tally;
};

/* Runs one world to its end. */
void world_run(struct world *w, uint64_t seed, bool is_loud);

void world_depart(struct engine *g, size_t step, uint32_t attempt, uint32_t call, uint64_t id);
void world_cancel(struct engine *g, uint64_t id);

/* --- people and policies -------------------------------------------------------------------------------------------------------------------- */

extern const char *const people_names[PEOPLE];
extern const char *const people_groups[3]; /* as a step's "from": NULL, and two groups */

void people_make(struct world *w);
void people_move(struct world *w); /* a policy is written, targets change */
const struct policy *people_policy(const struct world *w);
const json_t *people_hosts(unsigned targets);
void people_free(void);

/* --- the oracle: what DESIGN.md 5 promises, judged by the durable journal and by what the targets saw ------------------------------------- */

void oracle_line(struct world *w, size_t at);                                        /* a line has become durable */
void oracle_depart(struct world *w, const struct engine *g, const struct flight *f); /* something leaves for a target */
void oracle_deliver(struct world *w, const struct engine *g, size_t step, const struct sim_call *c);
void oracle_work(struct world *w, const struct engine *g, size_t step); /* a worker starts */
void oracle_retry(struct world *w, size_t at);                          /* an attempt begins */
void oracle_agreed(struct world *w, size_t at);                         /* a line by which something begins that others agree to */
void oracle_agrees(struct world *w, size_t at);                         /* one agrees */
void oracle_timers(struct world *w, const struct engine *g);            /* nothing is due, and nobody wakes up */
void oracle_refold(struct world *w, const struct engine *g);            /* what was folded live and what the journal gives are the same */

void broken(const struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));

#endif
