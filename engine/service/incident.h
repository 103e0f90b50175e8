#ifndef RUNG_SERVICE_INCIDENT_H
#define RUNG_SERVICE_INCIDENT_H

#include "base/clock.h"
#include "base/digest.h"
#include "base/table.h"
#include "flow/incident.h"
#include "service/engine_state.h"

/* Incidents as the engine has them: each a fold of its records (flow/incident.h is the machine), live and read back by the same function. All that are open,
 * and those that changed lately: guard rails and late deliveries ask them. Everything here belongs to the loop thread.
 *
 * As with executions: something happens -> incident_emit makes a record, folds it and adds it to the batch -> incident_commit submits the batch; what follows
 * from it is put behind with incident_later and runs once it is durable. Other than theirs there is one batch for all incidents, so that a delivery of a
 * thousand alerts is stored as a whole or not at all. Where a batch could not be stored (a full disk) all incidents are read back from the store: pointers do
 * not outlive a round of the loop, but for who keeps the id and asks incident_find. source: DESIGN.md 5.6, 8 */

struct incident_escalation; /* service/escalation.c's */
struct incidents;

/* What the service knows of alert i of the flow. */
struct incident_alert_kept {
	char *blob;                         /* name of its JSON as it came last; NULL: none */
	unsigned char digest[DIGEST_BYTES]; /* of that JSON; zeros: not known */
	bool was_proposed;                  /* a person was asked about this episode */
	char outcome[16];                   /* the last decision */
	int64_t within_us;                  /* its binding says that it resolves so long behind what was run for it; 0: nothing */
};

/* What was run, and is to have helped. */
struct incident_mitigation {
	const char *execution;
	struct clock_until until; /* the alerts are to be over */
	bool is_awaited;
};

struct incident {
	struct engine *engine;
	struct arena *arena;
	char id[INCIDENT_ID_BYTES];
	struct incident_flow *flow;
	const char *key;                /* of its alert, or of the group; NULL: no alert opened it */
	const char *title;              /* from outside: an alert's name, a book's title, a person's words; "" */
	const char *source;             /* of the alert that opened it; or NULL */
	const char *owner, *escalation; /* as binding or book name them; or NULL */
	const char *book;               /* that its alerts led to last, or that its execution runs; or NULL */
	struct incident_alert_kept *kept;
	size_t kept_count, kept_capacity;
	struct incident_mitigation mitigation;
	struct incident_escalation *escalating; /* NULL: nothing was raised */

	/* Under way. */
	bool is_emitting; /* the record that is folded is of this moment, not read back */
	bool is_dirty;    /* its row is to be written with the next batch */
	bool has_row;
	bool is_for_reading; /* of no table: for a view, then freed with incident_free_view */
	struct incident *next_dirty;
	uv_timer_t *timer;
};

/* Makes the table; reads back what is open or changed lately. Calls escalation_restored for each incident that has anything of an escalation. */
enum err incidents_load(struct engine *en, struct error *e);

/* After everything else has started: goes on with what the last engine left (executions that were decided and never began, or that are over; then
 * escalation_take_up for each that is open). */
void incidents_take_up(struct engine *en);

/* After incidents were read back in the middle of a run: what ended, or was to begin, and was not recorded; and escalations. What is open and has left this
 * engine waits for incidents_tick. */
void incidents_take_up_again(struct engine *en);

/* Only the executions, those that have left this engine too. */
void incidents_take_up_executions(struct engine *en);

void incidents_free(struct engine *en);

/* About once a second: forgets what is over and old. */
void incidents_tick(struct engine *en);

/* The incident with that id, if the engine has it in memory; else NULL. */
struct incident *incident_find(struct engine *en, const char *id);

/* The one whose alert that is: open, or the last one that the engine remembers. NULL: none. */
struct incident *incident_of_alert(struct engine *en, const char *alert_key);

/* The open one of a group's key. */
struct incident *incident_of_group(struct engine *en, const char *group_key);

/* The one that an execution works on, or NULL. */
struct incident *incident_of_execution(struct engine *en, const char *execution);

/* Reads back one that is not in memory, to be looked at only. ERR_NOT_FOUND. */
enum err incident_load_view(struct engine *en, const char *id, struct incident **out, struct error *e);
void incident_free_view(struct incident *inc);

/* Every incident in memory; start with *at = 0; NULL: that was all. */
struct incident *incident_next(struct engine *en, size_t *at);

size_t incidents_open(const struct engine *en);

/* The incident with that id or unique prefix: in memory, or NULL with e filled and, where the store has it, its whole id in id_out. */
struct incident *incident_lookup(struct engine *en, const char *prefix, char id_out[INCIDENT_ID_BYTES], struct error *e);

/* ---- records ---- */

struct incident_emit {
	enum record_kind kind;
	const char *by; /* NULL: the engine */
	json_t *data;   /* taken; members that are null are left out */
	int64_t t_us;   /* 0: now */
};

/* Folds the record and adds it to the batch. ERR_CONFLICT, and nothing happened, where the state does not allow it. */
enum err incident_emit(struct incident *inc, struct incident_emit em, struct error *e);

/* Folds one record, live or read back: the only place where an incident's state changes. */
enum err incident_fold(struct incident *inc, const struct record *r, struct error *e);

/* A blob in the batch; its name (in the incident's arena). At most STORE_BLOB_BYTES_MAX; text is cut there. NULL for an empty text. */
const char *incident_blob(struct incident *inc, const void *bytes, size_t n);
const char *incident_blob_text(struct incident *inc, const char *text);
const char *incident_blob_json(struct incident *inc, const json_t *v);

/* Reads one back, "" where it was erased; also one that is on its way to the store. Allocated. */
char *incident_read_blob(struct engine *en, const char *name, size_t *n);

/* The batch that is being filled, for rows of timers. */
struct store_batch *incident_batch(struct engine *en);

/* Runs fn when everything emitted so far is durable, with the incident. Not where it could not be stored, or where the engine has forgotten it by then. data is
 * taken. */
void incident_later(struct incident *inc, void (*fn)(struct incident *, json_t *), json_t *data);

/* The same for an answer that somebody waits for: it is given in any case, once; where the records could not be stored data gets "error", the sentence why. */
void incident_answer_later(struct engine *en, void (*fn)(struct engine *, json_t *), json_t *data);

/* The same without JSON: failed is NULL where it is durable. */
void incidents_when_durable(struct engine *en, void (*fn)(void *arg, const struct error *failed), void *arg);

/* Submits what was emitted. Called once at the end of whatever happened. */
void incident_commit(struct engine *en);

/* The same at the end of this round of the loop, for what comes many times in one round: deliveries share a batch then. */
void incident_commit_soon(struct engine *en);
void incidents_end_of_round(struct engine *en);

/* Asks for escalation_woken(inc) when the steady clock (clock_steady_us) has come to at_us; the last call counts, 0: not any more. */
void incident_wake(struct incident *inc, int64_t at_us);

/* ---- executions ---- */

/* Opens an incident for an execution that has none and must escalate, with execution.linked; or gives the one that it has. title and who is named come from its
 * book. The caller commits. */
struct incident *incident_open_for_execution(struct execution *x);

/* One that works on the incident without an alert's decision (a child, one by hand): the record execution.linked. */
enum err incident_link(struct incident *inc, const char *execution, const char *trigger, const char *parent, struct error *e);

/* The end of an execution is durable: its incident is told, with the cause that its playbook found, and how long its alerts have to be over now. */
void incident_execution_ended(struct execution *x);

/* Records of the execution could not be stored, and it has left the engine: it is taken up, or begun, again when a minute has passed. */
void incident_execution_lost(struct execution *x);

/* ---- what operations need ---- */

/* Opens one by hand, or (origin) otherwise: emits incident.opened. key, source, owner, escalation, execution may be NULL. */
struct incident_opening {
	enum incident_origin origin;
	const char *key, *source, *owner, *escalation, *execution, *title;
	bool is_title_in_blob; /* of alerts the alert's own blob has it */
	int priority;
	const char *by; /* NULL: the engine */
	bool is_group;
};
struct incident *incident_open(struct engine *en, const struct incident_opening *o);

/* {"incident","title","state","priority","origin","opened_us","changed_us","acknowledged_us","acknowledged_by","mitigated_us","resolved_us","resolved_by",
 *  "assigned_to","owner","escalation","alerts":N,"firing":N,"running":N}. New reference. */
json_t *incident_row_view(const struct incident *inc);

/* Its alerts, those that fire first, so many at most: as in "alert_list" below. New reference. */
json_t *incident_alert_list(const struct incident *inc, size_t most);

/* The same as incident_row_view with "alert_list":[{"key","state","outcome","seen","first_us","changed_us","starts_us","execution","alert":{...}}...] (those
 * that fire first), "executions":[{"execution","state","title","book","linked_us","ended_us","rule","alert_key","cause","why"}...],
 * "notes":[{"by","t_us","text"}...] and, where something was raised, "raised" (escalation_view). */
json_t *incident_view(const struct incident *inc);

#endif
