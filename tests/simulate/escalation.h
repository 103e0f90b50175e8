#ifndef SIMULATE_ESCALATION_H
#define SIMULATE_ESCALATION_H

#include "flow/escalation.h"

/* One escalation in a random world: its engines, store, clock, channels and people. See README.md. Nothing here looks at a clock or at random numbers of the
 * process: a world depends on its seed alone. */

enum { CLIMB_LINES_MAX = 20000, CLIMB_FLIGHTS_MAX = 400, CLIMB_NAMES = 6, CLIMB_LADDERS_MAX = 4, CLIMB_LINKS_MAX = 64, CLIMB_SENT_MAX = 400 };

/* An event, and the world's time of it. */
struct climb_line {
	struct escalation_event ev;
	int64_t real_us;
	unsigned engine;
};

/* A message that a channel has. */
struct climb_flight {
	bool is_on;
	unsigned engine; /* that hears what becomes of it */
	uint32_t number;
	int64_t lands_us;
	enum escalation_result result;
};

/* What the oracle knows of one person of the level. */
struct climb_person {
	const char *name;
	uint32_t channels, told, number; /* the last message's */
	bool is_out, is_delivered, is_perhaps, is_awaited;
	uint32_t channel, attempt; /* of the message that may come next */
	int64_t not_before_us;
};

/* What the oracle knows, from the durable lines alone. Times are the world's. */
struct climb_oracle {
	const struct escalation_ladder *ladder;
	enum escalation_state state;
	struct escalation_place at;
	int64_t since_us, wait_us; /* of the level, or of the hold */
	bool is_pushed, is_vague;  /* vague: the clock is set in this world, and an engine ended meanwhile */
	bool is_changed;           /* the ladder has, since the level was reached */
	bool was_reached;          /* a message of this climb arrived */
	uint32_t notified, climb_first, level_first, departed;
	struct climb_person people[ESCALATION_PEOPLE_MAX];
	size_t people_count;
	uint32_t sent_to[CLIMB_SENT_MAX];
	uint32_t links[CLIMB_LINKS_MAX];
	size_t link_count;
};

struct climb_world {
	uint64_t seed, chance;
	bool is_loud, is_clock_right;
	struct arena *arena;
	struct escalation_ladder ladders[CLIMB_LADDERS_MAX];
	size_t ladder;
	int64_t real_us, wall_us; /* the time that passes, and the clock that people set */
	unsigned engine;          /* number of the one that lives; 0: none */
	unsigned engines;
	int64_t begun_us, begun_real_us, armed_us;
	int64_t died_us; /* by the wall clock */
	struct escalation *x;
	struct climb_line lines[CLIMB_LINES_MAX];
	size_t line_count, stored;
	struct climb_flight flights[CLIMB_FLIGHTS_MAX];
	unsigned faults_left, wishes_left;
	uint64_t moves;
	struct climb_oracle oracle;
	struct climb_tally {
		uint64_t levels, notified, delivered, acknowledged, exhausted, crashes, changes, links_refused, sooner, late;
	} tally;
};

/* Runs one world to its end. */
void climb_run(struct climb_world *w, uint64_t seed, bool is_loud);

void climb_oracle_line(struct climb_world *w, size_t at);         /* a line has become durable */
void climb_oracle_depart(struct climb_world *w, uint32_t number); /* a message leaves */
void climb_oracle_idle(struct climb_world *w);                    /* the engine lives and has done what it wanted */
void climb_broken(const struct climb_world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));

/* simulate escalation FIRST COUNT | FIRST seconds=N | loud SEED: the arguments behind the first. */
int climb_main(int argc, char **argv);

#endif
