#ifndef RUNG_SERVICE_ATTEMPT_H
#define RUNG_SERVICE_ATTEMPT_H

#include "service/call.h"

/* Attempts: the worker's side of a step. An attempt is run over the calls that its records hold already; where they end, calls are made. */

enum { ATTEMPT_CPU_MS = 10000, ATTEMPT_LUA_BYTES = 64 << 20 };

enum attempt_purpose { ATTEMPT_ACTION, ATTEMPT_CONDITION, ATTEMPT_VERIFICATION, ATTEMPT_TARGETS };

struct worker {
	struct link *link;
	struct sandbox_child child;
	struct execution *x;
	struct attempt *attempt; /* NULL: idle */
	uint64_t rights;         /* digest of the rights that its attempts had */
	bool is_ready;           /* has said so */
	int64_t cpu_before_us;   /* of the process, when its attempt began; -1: not looked at yet */
	int64_t cpu_us;          /* when it was last looked at */
	int stalled;             /* how often it neither computed nor spoke since then, while it was its turn */
	struct worker *next;
};

struct attempt {
	struct execution *x;
	size_t step;
	uint64_t serial; /* among all that this engine began of the execution */
	enum attempt_purpose purpose;
	struct worker *worker;
	struct replay replay; /* which attempt it is, and what it has asked and got */
	size_t asked_bytes;   /* of what it asked for */
	bool is_stopping, has_ended, is_in_verify;
	bool is_cut_off; /* ended by us, not by its code: it may not have come to all that its record holds */
	enum step_state stop_outcome;
	const char *stop_why;   /* in the execution's arena; NULL: as the outcome says */
	uint32_t diverged_call; /* where it asked something else than its record holds; 0: nowhere */
	json_t *diverged_asked; /* what that was; NULL: nothing, it ended */
	json_t *end;            /* the worker's last word, kept until its calls are settled */
	struct buf log;
	int64_t now_us;  /* time.now() */
	int64_t ends_us; /* of an evaluation or a proof, which has no other deadline: on the monotonic clock; 0: none */
};

/* The step of the book that it is a try of. */
const struct book_step *attempt_step(const struct attempt *a);

/* What its worker is sent: the header (a new reference), and the sources as payload in *sources, which the caller clears. NULL with ERR_TOO_BIG where the
 * results that the code asks for are more than a frame holds. source: sandbox/wire.h */
json_t *attempt_message(struct attempt *a, struct buf *sources, struct error *e);

/* Which results a source asks for, the ids after `steps.` or in `steps["..."]`, into ids ({id: true}). False where it mentions steps in any other way: it may
 * want all. */
bool attempt_results_named(const char *source, json_t *ids);

void attempt_begin(struct execution *x, size_t step);            /* records attempt.started; the worker starts when that is durable */
void attempt_evaluate(struct execution *x, size_t step);         /* `if` */
void attempt_evaluate_targets(struct execution *x, size_t step); /* `targets` */
void attempt_revive(struct execution *x, size_t step);           /* again, over the record */
/* An unknown call: true settles the step, false proves nothing. by: who asked for it; NULL: nobody, the engine tries it. */
void attempt_settle_by_verify(struct execution *x, size_t step, const char *by);
void attempt_verify_manual(struct execution *x, size_t step, const char *by); /* a person says it is done: the step's proof runs */

void attempt_end_proof(struct execution *x, size_t step, const char *why); /* where one runs; what is unknown stays so */

/* Ends the worker and the commands of a step; when all is settled the attempt is over with that outcome. */
void attempt_stop(struct execution *x, size_t step, enum step_state outcome);

void attempt_drop(struct attempt *a);              /* forgets it without a record */
void attempt_drop_conditions(struct execution *x); /* evaluations between two calls: after a reset they begin anew */

/* The attempt failed for a reason of the engine's, with no worker any more: over when its calls are settled. */
void attempt_fail(struct attempt *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A worker for the attempt: one of the same rights that is idle, or a new one. */
enum err worker_acquire(struct attempt *a, struct error *e);

/* The attempt gives its worker back: kept for the next one where it ended as it should, else killed. */
void worker_release(struct attempt *a, bool is_clean);

void worker_drop_idle(struct execution *x); /* those that are kept for the next attempt */

/* Ends what is over its time, its CPU or its memory, or does not do its part: workers and actors of all executions. Called about once a second. */
void supervise(struct engine *en);

/* Everything that the attempt's open calls needed is settled: goes on with what it waited for (its end, say). */
void attempt_calls_changed(struct execution *x, size_t step);

/* Hands over recorded answers, in their order, as far as their calls have been asked: one for each time that the worker waits for one. */
void attempt_deliver(struct attempt *a);

/* Waits until no process holds the execution's lock, ending those that do after a while, and (with_terminal) until no command of it runs on a person's
 * terminal; then calls go. */
void lock_wait(struct execution *x, bool with_terminal, void (*go)(struct execution *x));
/* Opens and locks it; -1 with e. */
int lock_take(struct execution *x, struct error *e);
char *lock_path(const struct execution *x);
char *lock_terminal_path(const struct execution *x); /* commands on a person's terminal hold this one */

#endif
