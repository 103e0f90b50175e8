#ifndef RUNG_SERVICE_EXECUTION_H
#define RUNG_SERVICE_EXECUTION_H

#include "base/clock.h"
#include "book/graph.h"
#include "flow/approval.h"
#include "flow/replay.h"
#include "policy/bounds.h"
#include "policy/capability.h"
#include "sandbox/sandbox.h"
#include "service/link.h"
#include "store/store.h"

/* An execution that this engine drives: the fold of its records, and what is under way. Everything here belongs to the loop thread.
 *
 * The one way in: something happens -> execution_emit makes a record and folds it -> execution_advance asks flow what comes next -> execution_commit
 * submits the records as one batch. The one way out: what is told to workers, actors and clients is put behind a batch with execution_later and
 * runs when the batch is durable. So intent comes before effect and outcome before successor without anyone having to remember it. */

struct engine;
struct execution;
struct attempt;

struct call {
	uint32_t number, attempt;
	size_t step;
	const char *module, *function; /* in the execution's arena */
	enum step_effect effect;
	enum call_state state;
	bool is_in_verify, is_question;
	bool is_of_engine;                  /* the engine answers it itself */
	uint64_t client;                    /* of a shell command that a client runs; else 0 */
	const char *words;                  /* for people: the command as one line */
	char *arguments_blob, *answer_blob; /* names; NULL: none */
	char *text_blob;                    /* what the right was asked for; NULL: its arguments say it */
	char digest[65];                    /* of the canonical arguments */
	char *key, *place;                  /* of keyed and receipt calls, as their intent says; NULL: none */
	uint32_t intents, again;            /* how often it was begun under this key; how often a person had it made anew */
	int64_t intended_us;                /* when first under this key */
	json_t *finished;                   /* d of its call.finished or call.unknown */
	uint32_t order;                     /* among the finished calls of its attempt and range, from 1: the order of delivery */
	int64_t started_us, finished_us;
	int64_t lost_us;                       /* when it became unknown; 0: it never did */
	const char *resolved_by, *resolved_as; /* who answered last what became of it, and what; or NULL */
	const char *outcome;                   /* "ok", "failed", "denied", "timeout": of call.finished */
	char *child;                           /* the execution that does it, by its id; NULL: none */
	bool is_child_waiting;                 /* for a person, as the record says */
	const char *child_state;               /* once it is over, where that was looked at; else NULL */
	struct approval approval;              /* where the code asked others to agree */
	/* Live only. */
	struct buf out[2];      /* the bytes kept; moved to blobs when it ends */
	struct buf tail[2];     /* the last part, once the first is full */
	uint64_t seen_bytes[2]; /* all that came */
	int spool_fd[2];
	bool is_spooled[2]; /* a file of it is in the spool */
	uint64_t id;        /* the actor's name for it while it is in flight; 0: it is not */
	bool is_intended;   /* its intent is on the way to the store; it leaves when that is durable */
	bool is_dispatched, is_held, is_cancelled, is_started;
	bool is_redacted; /* a secret was taken out of what it printed */
	const char *host; /* that it is sent to; NULL: this one */
	json_t *facts;    /* what the actor said of the command or the host */
	int64_t ends_us;  /* on the monotonic clock: when the actor should have ended it, or was asked to; 0: never */
	uint64_t told;    /* what attached clients know of it, as one number; 0: nothing */
};

/* A right taken with a reason and for a time. */
struct elevation {
	const char *name, *by;
	struct clock_until until;
};

/* A proof that was run to settle what is unknown of a step. */
struct proof {
	int64_t started_us, finished_us; /* 0: there was none, it is not over */
	const char *by;                  /* who asked for it; NULL: the engine, by itself */
	const char *outcome, *why;       /* "succeeded", "failed"; a word where it did not come to its end: "engine_ended", "resolved" */
	char *error_blob;
	uint32_t first; /* its calls have numbers behind that one */
};

/* How a step is, and since when: for escalation_watch.c, whose it is. */
struct step_watch {
	enum step_state state;
	enum flow_wait wait;
	uint32_t attempt;
	int64_t since_us;   /* as recorded */
	int64_t steady_us;  /* on the steady clock; 0: it began under another engine */
	int64_t put_off_us; /* on that: not before */
	bool is_raised;
};

struct step_data {
	struct step_watch watch;
	struct approval approval;
	json_t *targets;        /* what `targets` gave, texts; NULL: not evaluated, or no list */
	char *targets_why_blob; /* why it gave none */
	int64_t target_count;
	bool has_targets, are_targets_fresh; /* evaluated since the last approval, reset or attempt */
	struct call **calls;                 /* of all attempts, in asking order within each */
	size_t call_count, call_capacity;
	json_t *result; /* what the step returned; NULL: nothing, or not read yet */
	char *result_blob, *why_blob, *note_blob;
	char *why;              /* read from the blob when it is asked for */
	uint32_t diverged_call; /* of the last attempt: which call was not asked as the record has it; 0: none */
	char *asked_blob;       /* and what was asked instead; NULL: nothing */
	const char *to;
	struct proof proof;                  /* the last one of this attempt */
	const char *settled_by, *settled_as; /* who said last what became of the step (NULL: the engine), and why: "person", "resolved", "verify"; or NULL */
	struct attempt *live;
	int worker_losses;
	uint32_t condition_attempt, condition_end; /* before that attempt, the condition's calls up to this number belong to evaluations that are over */
	bool is_dirty;                             /* differs from what attached clients were told */
	bool is_verify_tried;
	bool needs_run;        /* in the middle of an attempt: something came that its branches have not seen */
	int told;              /* state and wait that attached clients know of */
	uint32_t told_attempt; /* whose calls they know; 0: they are to get all of them */
};

/* One that asked and waits until what it asked for is durable. */
struct later {
	struct later *next;
	void (*run)(struct execution *x, json_t *data);
	json_t *data;
	bool is_answer; /* somebody waits for it, even when the execution is gone by then */
};

/* A blob on its way to the store: readers cannot see it yet. */
struct recent_blob {
	const char *name;
	char *bytes;
	size_t n;
};

struct commit; /* a submitted batch */

/* The call of another execution that an execution is the child of. */
struct parent_call {
	const char *execution, *step; /* NULL: it has no parent */
	uint32_t attempt, call;
};

struct execution {
	struct engine *engine;
	struct store_reader *reader; /* the loop's, or that of the query that folds it */
	struct arena *arena;
	char id[27];
	struct book *book;
	struct graph *graph;
	struct flow *flow;
	struct step_data *steps;
	char plan_digest[65];
	json_t *params;
	const char *book_path, *workspace; /* as shown; the folder that the book belongs to */
	const char *book_name;             /* for rules: the path with "#anchor" where one is named */
	const char *policy_root;           /* the workspace whose policy governs it */
	char policy_digest[65];            /* of the policy under which it began; "": none */
	bool is_under_policy;
	const char *driver, *trigger;
	const char *incident;      /* that it began for; NULL: none */
	char *alert_blob;          /* the alert's JSON; NULL: none */
	struct parent_call parent; /* that started it */
	json_t *children;          /* the books that it may start, as the plan has them: children.h */
	json_t *ancestors;         /* the books above it, outermost first: paths */
	json_t *secret_aliases;    /* parameters of type secret that are another secret of the workspace: {parameter: name} */
	json_t *findings;          /* of its steps, as finding.h says; NULL: to be read anew */
	json_t *conclusion;        /* d of playbook.concluded; NULL: none yet */
	const char **drivers;      /* all who have driven it, the first started it */
	size_t driver_count, driver_capacity;
	const char **forebears; /* who had driven its parents when it began: they agree to nothing in it either */
	size_t forebear_count, forebear_capacity;
	struct elevation *elevations;
	size_t elevation_count, elevation_capacity;
	struct bounds *bounds; /* what the book lets its steps call */
	json_t *allow;         /* patterns, as given */
	struct capability **allowed;
	size_t allowed_count, allowed_capacity;
	bool is_all_declared;
	uint64_t epoch, last_seq; /* last_seq: of the records that it was read from */
	int64_t started_us, finished_us;

	/* Under way. */
	struct store_batch *batch;
	struct store_chain chain; /* of its batches: each builds on the one before */
	struct later *first, **last;
	struct flow_command *commands; /* room for what flow decides */
	size_t commands_max;
	struct commit *newest; /* the last one submitted and not yet answered */
	int commits;
	struct recent_blob *recent;
	size_t recent_count, recent_capacity;
	bool is_claiming;           /* it is being taken over, and that is not durable yet */
	bool is_ahead;              /* of the store, for good: records of it could not be stored */
	bool is_loaded_for_reading; /* a fold of the records for a view; nothing may move */
	bool is_terminal_awaited, is_waiting_for_lock, is_gone, is_run_dirty, is_advancing, is_end_told;
	bool is_watching;  /* what somebody must be told of is looked for */
	int64_t read_us;   /* of the last record that was read back */
	int64_t folded_us; /* of the last record */
	bool is_emitting;  /* the record that is folded is of this moment, not read back */
	struct link *actor;
	bool is_actor_ready;
	struct sandbox_child actor_child;
	char *group; /* the control group of its commands; NULL: none */
	struct worker *idle_workers;
	uv_timer_t *timer, *lock_timer;
	void (*lock_go)(struct execution *x);
	int64_t lock_since_us;
	uint64_t next_call_id, attempt_serial;
	struct call **flying; /* dispatched to the actor, no outcome yet */
	size_t flying_count, flying_capacity;
	uint64_t output_bytes;
	int actor_losses;
	json_t *notes;
	json_t *denied;
	json_t *secrets_used;  /* names of those that calls got: {name: true} */
	json_t *queries;       /* of parameters of type hosts, by name: what came of them stands in params */
	json_t *secret_params; /* values of parameters of type secret, by name: here and nowhere else */
	bool is_actor_new;     /* the actor knows no secret yet */
	struct execution *next;
};

/* What a principal asks for who wants a book run. */
struct execution_wish {
	const char *book;     /* absolute path, "#anchor" behind it */
	const json_t *params; /* as text or values */
	enum flow_mode mode;
	const json_t *allow; /* patterns; may be NULL */
	bool is_all_declared;
	const char *id; /* given beforehand, a ULID; NULL: one is made */
	const char *driver;
	const char *trigger;      /* a word of policy_trigger_word; NULL: by the driver */
	const char *incident;     /* that it works on; or NULL */
	const json_t *alert;      /* as alert_json; or NULL */
	struct execution *parent; /* whose call starts it: the book is a name that the parent's plan has; or NULL */
	struct parent_call parent_call;
	const json_t *secret_aliases;   /* {parameter: name of a secret}; or NULL */
	const char *elevation, *reason; /* a right to take with a reason; NULL: none */
	bool is_start;                  /* not only a look: a denial is recorded */
	struct inventory_at **awaited;  /* gets the inventory whose command has to be run first, with ERR_WAITING; may be NULL */
};

/* Makes a new execution; the records are in its first batch, nothing is submitted yet. ERR_INVALID for a book that cannot run or parameters that do not fit,
 * ERR_DENIED where the policy denies it, and in auto mode where anything that the book declares is not allowed. */
enum err execution_new(struct engine *en, const struct execution_wish *w, struct execution **out, struct error *e);

/* The same without a record and without asking for the right to start: to be looked at and freed. */
enum err execution_prepare(struct engine *en, const struct execution_wish *w, struct execution **out, struct error *e);

/* Reads an execution back from the store by folding its records. Nothing moves until execution_take_up. On the loop with the engine's reader, or on a thread
 * of the pool with one of its own, where it may only be looked at. */
enum err execution_load(struct engine *en, struct store_reader *reader, const char *id, struct execution **out, struct error *e);

/* Takes up what an engine's end left: new epoch, waits for the lock that its commands hold, settles calls in flight by their effect class, goes on. */
void execution_take_up(struct execution *x, const char *by);

/* Allows more calls: patterns as text. ERR_INVALID for one that is no capability. */
enum err execution_allow(struct execution *x, const json_t *patterns, struct error *e);

void execution_free(struct execution *x);

/* Adds a record to the batch and folds it. data is taken. step SIZE_MAX and call 0 where there is none. A record that flow refuses is not added: ERR_CONFLICT.
 */
struct emit {
	enum record_kind kind;
	size_t step;
	uint32_t attempt, call;
	const char *by; /* NULL: the engine */
	json_t *data;
};
enum err execution_emit(struct execution *x, struct emit em, struct error *e);

/* Folds one record, live or read back: the only place where an execution's state changes. */
enum err execution_fold(struct execution *x, const struct record *r, struct error *e);

/* A blob in the batch; its name (in the arena). */
const char *execution_blob(struct execution *x, const void *bytes, size_t n);
const char *execution_blob_text(struct execution *x, const char *text);
const char *execution_blob_json(struct execution *x, const json_t *v);

/* Reads a blob back, "" where it was erased. Allocated. */
char *execution_read_blob(struct execution *x, const char *name, size_t *n);

/* Runs fn when everything emitted so far is durable. data is taken. */
void execution_later(struct execution *x, void (*fn)(struct execution *, json_t *), json_t *data);

/* The same for an answer that a client waits for: it is given even when the execution is over by then; where the records could not be stored, data gets
 * "error", the sentence why. */
void execution_answer_later(struct execution *x, void (*fn)(struct execution *, json_t *), json_t *data);

/* Asks flow what comes next and does it, until nothing more follows. */
void execution_advance(struct execution *x);

/* Submits what was emitted. Called once at the end of whatever happened. */
void execution_commit(struct execution *x);

/* advance and commit. */
void execution_step_on(struct execution *x);

json_t *execution_view(struct execution *x); /* whole; new reference */
json_t *execution_step_view(struct execution *x, size_t i);
void execution_tell_changes(struct execution *x); /* to attached clients, once durable */

/* What step i returned: borrowed, NULL where nothing. */
json_t *execution_result(struct execution *x, size_t i);
const char *execution_why(struct execution *x, size_t i);

struct call *execution_call(struct execution *x, size_t step, uint32_t attempt, uint32_t number);
struct call *execution_call_add(struct execution *x, size_t step, uint32_t attempt, uint32_t number);
uint32_t execution_next_call(struct execution *x, size_t step, uint32_t attempt, enum call_range range);

/* Ends what runs; records stay. */
void execution_drop_processes(struct execution *x);

#endif
