#ifndef RUNG_SERVICE_OPERATIONS_H
#define RUNG_SERVICE_OPERATIONS_H

#include "service/engine_state.h"

struct query;

/* One request of a client, while its operation runs. */
struct request {
	struct client *client;
	struct engine *engine;
	json_int_t id;
	const json_t *args; /* an object */
	const char *payload;
	size_t payload_len;
	struct execution *x; /* for operations on an execution: live, or NULL */
	char execution[27];
	struct query *query;         /* on a thread of the pool: the answer is kept there until the loop sends it */
	struct store_reader *reader; /* the engine's, or the query's own */
	const json_t *seen;          /* what the loop gave the query to know */
};

/* How an operation ends: an answer now, an answer when what it emitted is durable, or an error. Each exactly once. value is taken (NULL: {}). */
void request_answer(struct request *q, json_t *value, const void *payload, size_t n);
void request_answer_durable(struct request *q, json_t *value);
void request_answer_incident(struct request *q, json_t *value); /* when what was emitted of incidents is; submits it (operate_incident.c) */
void request_fail(struct request *q, const struct error *e);
void request_refuse(struct request *q, enum err kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Runs fn on a thread of the pool, on a reader of its own, so that a long answer keeps nobody waiting: for operations that only look. fn ends the request; it
 * may use args, execution, reader and seen, nothing else of the engine. seen is taken (a copy of its own, or NULL). */
void request_query(struct request *q, void (*fn)(struct request *q), json_t *seen);

/* The same; finish is called on the loop with the answer before it is sent (NULL: nothing to do), so that it can take out what this client may not see. */
void request_query_then(struct request *q, void (*fn)(struct request *q), json_t *seen, void (*finish)(struct client *c, json_t *answer));

/* Runs op with the same request once the inventory's command has been run, or fails it with the reason; to be called where inventory_now gave ERR_WAITING. The
 * client is told that it has to wait. Not for requests with a payload. */
struct inventory_at;
void request_await_inventory(struct request *q, struct inventory_at *at, void (*op)(struct request *q));

/* What a client asks for that wants a book run. */
struct execution_wish wish_of(const struct request *q);

/* Who asks becomes the driver, where they are not. The right was looked at. */
enum err operate_take_over(struct request *q, struct error *e);

/* The step that args name; SIZE_MAX with the request failed. */
size_t request_step(struct request *q);

/* The call that args name; 0: none. */
uint32_t request_call(const struct request *q);

/* Operations on executions that run (operate.c, operate_resolve.c) and that read (consult.c). */
void op_run(struct request *q);
void op_go(struct request *q);
void op_settle(struct request *q);
void op_again(struct request *q);
void op_answer(struct request *q);
void op_resolve(struct request *q);
void op_resolve_show(struct request *q);
void op_resolve_verify(struct request *q);
void op_pause(struct request *q);
void op_resume(struct request *q);
void op_cancel(struct request *q);
void op_stop(struct request *q);
void op_note(struct request *q);
void op_allow(struct request *q);
void op_rights(struct request *q);
void op_hosts(struct request *q);
void op_oncall_test(struct request *q);
void op_escalate(struct request *q);
void op_handover(struct request *q);
void op_elevate(struct request *q);
void op_review(struct request *q);
void op_shell_start(struct request *q);
void op_shell_output(struct request *q);
void op_shell_finish(struct request *q);

void op_alerts_receive(struct request *q);
void op_alerts_list(struct request *q);
void op_incidents(struct request *q);
void op_incident_show(struct request *q);
void op_incident_open(struct request *q);
void op_incident_ack(struct request *q);
void op_incident_put_off(struct request *q);
void op_incident_note(struct request *q);
void op_incident_assign(struct request *q);
void op_incident_prioritise(struct request *q);
void op_incident_resolve(struct request *q);

void op_hello(struct request *q);
void op_attach(struct request *q);
void op_detach(struct request *q);
void op_output(struct request *q);
void op_log(struct request *q);
void op_records(struct request *q);
void op_report(struct request *q);
void op_incident_report(struct request *q); /* report_incident.c */

#endif
