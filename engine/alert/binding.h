#ifndef RUNG_ALERT_BINDING_H
#define RUNG_ALERT_BINDING_H

#include "alert/alerts_file.h"
#include "alert/book_index.h"

/* What becomes of an alert: a pure function of the alert, alerts.yaml, the books, what the records say and the time. In two halves, since what the records must
 * be asked depends on the first:
 *
 *   binding_choose  which book: by the first binding that matches, else by an annotation, else by the alert's name
 *   binding_decide  whether it starts now: guard rails, maintenance, what runs already
 *
 * Nothing here gives a right: what is started has its service account's, and only those (policy.h). No reason holds a text of the alert. source: DESIGN.md 8 */

enum binding_route { BINDING_BY_RULE, BINDING_BY_ANNOTATION, BINDING_BY_NAME, BINDING_NONE };

/* Lives in the arena, points into file, index and alert. */
struct binding_choice {
	enum binding_route route;
	const struct alert_binding *rule; /* BY_RULE the binding, else the file's defaults: owner, priority, escalation, account, guard rails; never NULL */
	int line;                         /* of the binding; 0 */
	const char *key;                  /* whose starts and failures are counted together: "binding:ID", "book:PATH#ANCHOR"; "" for NONE */
	const char *book;                 /* "PATH" or "PATH#ANCHOR"; NULL for NONE */
	const char *how;                  /* how it was found, a sentence without its full stop */
	const char *doubt;                /* why a person should look at it first; NULL: nothing */
};

void binding_choose(struct arena *a, const struct alerts_file *f, const struct book_index *books, const struct alert *al, struct binding_choice *out);

/* What the records say of a choice now. An alert is one by its source and fingerprint. */
struct binding_state {
	int64_t now_us;
	const char *running;        /* the execution that runs for this alert already, of whatever rule; or NULL */
	int64_t ended_us;           /* when the last execution of the choice's key for this alert ended; 0: there was none */
	const int64_t *starts_us;   /* of the choice's key, for any alert; ascending; those of the last alert_guards.runs_us suffice */
	const int64_t *failures_us; /* when executions of the key ended without success; likewise */
	size_t start_count, failure_count;
	int64_t running_count; /* executions of the key, for any alert */
};

enum binding_outcome {
	BINDING_STARTS,
	BINDING_JOINS,      /* one runs for this alert: it is told to that one */
	BINDING_SUPPRESSED, /* recorded, nothing starts */
	BINDING_PROPOSED,   /* a person is paged, with the book at hand, and decides */
	BINDING_UNBOUND,    /* recorded; nobody has said what to do */
	BINDING_RESOLVES,   /* the alert is over: nothing starts, its incident is told */
	BINDING_OUTCOME_N
};

/* What held back a start. */
enum binding_rail {
	BINDING_FREE,
	BINDING_MAINTENANCE,
	BINDING_COOLDOWN,
	BINDING_RATE,
	BINDING_MAX_RUNNING,
	BINDING_BREAKER,
	BINDING_DOUBT,   /* two books are as near, labels are missing, a matcher could not be judged */
	BINDING_ACCOUNT, /* no service account is named */
	BINDING_RAIL_N
};

/* Lives in the arena. */
struct binding_decision {
	enum binding_outcome outcome;
	enum binding_rail rail;
	const char *reason;                         /* sentences for a person, without a text of the alert */
	int line;                                   /* of alerts.yaml: of the window or rule that decided; 0: none did */
	const char *running;                        /* BINDING_JOINS */
	int64_t again_us;                           /* when that rail alone no longer holds; 0: not by time */
	const char *book, *as, *owner, *escalation; /* or NULL */
	int priority;
	int64_t resolves_within_us; /* 0: not said */
	const struct binding_value {
		const char *name, *value;
	} * parameters; /* of STARTS and PROPOSED: texts, to be typed and checked by the book */
	size_t parameter_count;
};

void binding_decide(struct arena *a, const struct alerts_file *f, const struct alert *al, const struct binding_choice *choice,
                    const struct binding_state *state, struct binding_decision *out);

/* {name: text, ...} for book_bind. New reference. */
json_t *binding_parameters_json(const struct binding_decision *d);

/* "starts", "joins", ...; "free", "maintenance", ... */
const char *binding_outcome_word(enum binding_outcome o);
const char *binding_rail_word(enum binding_rail r);

/* Do all hold for the alert? PATTERN_OVER_LIMIT where one could not be judged and no other says no. */
enum pattern_answer binding_matches(const struct alert_matcher *matchers, size_t count, const struct alert *al);

#endif
