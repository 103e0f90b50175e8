#ifndef SIMULATE_INCIDENT_H
#define SIMULATE_INCIDENT_H

#include "flow/incident.h"

/* Alerts and their incidents in a random world: sources that repeat, a network that doubles and delays, an engine that crashes, a store, executions, people.
 * See README.md. A world depends on its seed alone. */

enum { ALARM_ALERTS = 4, ALARM_LINES_MAX = 6000, ALARM_INCIDENTS_MAX = 800, ALARM_RUNS_MAX = 800, ALARM_MAIL_MAX = 64 };

/* What a line is about, by numbers of the world. */
struct alarm_line {
	struct incident_event ev;
	size_t incident, alert, run; /* SIZE_MAX: none */
	bool is_end_of_batch;
	uint64_t mail; /* of the delivery that it is about; 0: none */
};

/* A delivery on its way, or waiting for its answer. */
struct alarm_mail {
	uint64_t id; /* 0: free */
	size_t alert;
	bool is_firing, is_waiting; /* waiting: the engine has it, and answers when the line is durable */
	int64_t starts_us;
	size_t line;
};

/* An alert as its source sees it. */
struct alarm_source {
	char key[INCIDENT_KEY_BYTES];
	bool is_firing, is_told; /* told: the last word was answered */
	int64_t starts_us;
	unsigned episodes_left;
};

/* An execution as the world sees it. */
struct alarm_run {
	char id[INCIDENT_ID_BYTES];
	unsigned begun;
	bool is_over, is_success;
};

/* What the engine keeps of an alert beside its incident, as service/remembered.h. */
struct alarm_memory {
	size_t last; /* SIZE_MAX: none */
	int64_t over_us, executed_us;
	size_t running; /* SIZE_MAX: none */
};

/* What the oracle knows, from the durable lines alone. */
struct alarm_oracle {
	enum incident_state states[ALARM_INCIDENTS_MAX];
	bool is_opened[ALARM_INCIDENTS_MAX], is_acknowledged[ALARM_INCIDENTS_MAX];
	bool fires[ALARM_ALERTS];
	size_t of[ALARM_ALERTS]; /* the open incident that the alert fires in */
	int64_t starts_us[ALARM_ALERTS], over_us[ALARM_ALERTS], executed_us[ALARM_ALERTS];
	bool is_decided[ALARM_RUNS_MAX], is_ended[ALARM_RUNS_MAX];
	size_t run_alert[ALARM_RUNS_MAX];
};

struct alarm_world {
	uint64_t seed, chance, moves, next_mail;
	bool is_loud, is_grouped, is_alive;
	struct arena *arena;
	int64_t now_us;
	struct alarm_source sources[ALARM_ALERTS];
	struct alarm_mail mail[ALARM_MAIL_MAX];
	struct alarm_run runs[ALARM_RUNS_MAX];
	size_t run_count;
	struct alarm_line lines[ALARM_LINES_MAX];
	size_t line_count, stored, followed; /* followed: what comes behind those lines was done */
	/* The engine. */
	struct incident_flow *incidents[ALARM_INCIDENTS_MAX];
	size_t incident_count;
	struct alarm_memory memory[ALARM_ALERTS];
	unsigned faults_left, wishes_left;
	struct alarm_oracle oracle;
	struct alarm_tally {
		uint64_t deliveries, repeats, late, starts, joined, crashes, lost_lines, resolved, by_hand, groups;
	} tally;
};

void alarm_run(struct alarm_world *w, uint64_t seed, bool is_loud);

void alarm_oracle_line(struct alarm_world *w, size_t at);     /* a line has become durable */
void alarm_oracle_begin(struct alarm_world *w, size_t run);   /* an execution begins */
void alarm_oracle_answer(struct alarm_world *w, size_t line); /* a source is told that its delivery was taken */
void alarm_oracle_end(struct alarm_world *w);                 /* nothing happens any more */
void alarm_broken(const struct alarm_world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));

/* simulate incident FIRST COUNT | FIRST seconds=N | loud SEED: the arguments behind the first. */
int alarm_main(int argc, char **argv);

#endif
