#include "service/operations.h"
#include "base/failpoint.h"
#include "service/approval.h"
#include "service/client.h"
#include "service/protocol.h"
#include "service/revision.h"
#include "service/rights.h"
#include "service/token.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The table of operations: the one door of the engine. */

/* What a request holds becomes blobs, plans and records: all of them fit then. */
enum { REQUEST_BYTES_MAX = 512 << 10 };

/* What the request must name: an execution, or one that is under way here. And what the client must be: one with a terminal (and a live execution), one whom
 * the kernel vouches for; those are offered on the engine's sockets only, the others over HTTP too. */
enum needs { NEEDS_NOTHING, NEEDS_EXECUTION, NEEDS_LIVE, NEEDS_TERMINAL, NEEDS_PEER };

/* Who may: anyone who may talk to this engine (the operation itself looks further), who may read the execution, who drives it, who may cancel it, who may say
 * what became of an unknown call. */
enum access { FOR_ALL, FOR_READERS, FOR_DRIVER, FOR_CANCELLERS, FOR_RESOLVERS };

static const struct operation {
	const char *name;
	enum needs needs;
	enum access access;
	void (*run)(struct request *q);
} operations[] = {
    {"hello", NEEDS_NOTHING, FOR_ALL, op_hello},
    {"run", NEEDS_NOTHING, FOR_ALL, op_run},
    {"attach", NEEDS_EXECUTION, FOR_READERS, op_attach},
    {"detach", NEEDS_EXECUTION, FOR_ALL, op_detach},
    {"go", NEEDS_LIVE, FOR_DRIVER, op_go},
    {"settle", NEEDS_LIVE, FOR_DRIVER, op_settle},
    {"again", NEEDS_LIVE, FOR_DRIVER, op_again},
    {"answer", NEEDS_LIVE, FOR_DRIVER, op_answer},
    {"resolve", NEEDS_LIVE, FOR_RESOLVERS, op_resolve},
    {"resolve.show", NEEDS_LIVE, FOR_READERS, op_resolve_show},
    {"resolve.verify", NEEDS_LIVE, FOR_RESOLVERS, op_resolve_verify},
    {"pause", NEEDS_LIVE, FOR_DRIVER, op_pause},
    {"resume", NEEDS_EXECUTION, FOR_ALL, op_resume},
    {"cancel", NEEDS_LIVE, FOR_CANCELLERS, op_cancel},
    {"stop", NEEDS_LIVE, FOR_DRIVER, op_stop},
    {"note", NEEDS_LIVE, FOR_READERS, op_note},
    {"allow", NEEDS_LIVE, FOR_DRIVER, op_allow},
    {"rights", NEEDS_NOTHING, FOR_ALL, op_rights},
    {"hosts", NEEDS_NOTHING, FOR_ALL, op_hosts},
    {"oncall.test", NEEDS_PEER, FOR_ALL, op_oncall_test},
    {"escalate", NEEDS_NOTHING, FOR_ALL, op_escalate},
    {"handover", NEEDS_LIVE, FOR_DRIVER, op_handover},
    {"elevate", NEEDS_LIVE, FOR_DRIVER, op_elevate},
    {"review", NEEDS_EXECUTION, FOR_READERS, op_review},
    {"approval.show", NEEDS_LIVE, FOR_READERS, op_approval_show},
    {"approve", NEEDS_LIVE, FOR_READERS, op_approve},
    {"refuse", NEEDS_LIVE, FOR_READERS, op_refuse},
    {"book.approve", NEEDS_NOTHING, FOR_ALL, op_book_approve},
    {"token.create", NEEDS_PEER, FOR_ALL, op_token_create},
    {"token.list", NEEDS_PEER, FOR_ALL, op_token_list},
    {"token.revoke", NEEDS_PEER, FOR_ALL, op_token_revoke},
    {"shell.start", NEEDS_TERMINAL, FOR_DRIVER, op_shell_start},
    {"shell.output", NEEDS_TERMINAL, FOR_READERS, op_shell_output}, /* of the terminal that runs it, whoever drives by then */
    {"shell.finish", NEEDS_TERMINAL, FOR_READERS, op_shell_finish},
    {"output", NEEDS_EXECUTION, FOR_READERS, op_output},
    {"log", NEEDS_NOTHING, FOR_ALL, op_log},
    {"alerts.receive", NEEDS_NOTHING, FOR_ALL, op_alerts_receive},
    {"alerts.list", NEEDS_NOTHING, FOR_ALL, op_alerts_list},
    {"incidents", NEEDS_NOTHING, FOR_ALL, op_incidents},
    {"incident.show", NEEDS_NOTHING, FOR_ALL, op_incident_show},
    {"incident.open", NEEDS_NOTHING, FOR_ALL, op_incident_open},
    {"incident.ack", NEEDS_NOTHING, FOR_ALL, op_incident_ack},
    {"incident.put_off", NEEDS_NOTHING, FOR_ALL, op_incident_put_off},
    {"incident.note", NEEDS_NOTHING, FOR_ALL, op_incident_note},
    {"incident.assign", NEEDS_NOTHING, FOR_ALL, op_incident_assign},
    {"incident.prioritise", NEEDS_NOTHING, FOR_ALL, op_incident_prioritise},
    {"incident.resolve", NEEDS_NOTHING, FOR_ALL, op_incident_resolve},
    {"records", NEEDS_EXECUTION, FOR_READERS, op_records},
    {"report", NEEDS_EXECUTION, FOR_READERS, op_report},
    {"incident.report", NEEDS_NOTHING, FOR_ALL, op_incident_report}, /* who may see it, without what they may not read of its executions */
};

/* A request that runs on a thread of the pool, with copies of what it needs. */
struct query {
	uv_work_t work;
	struct request q;
	uint64_t client;
	void (*fn)(struct request *q);
	void (*finish)(struct client *c, json_t *answer);
	json_t *args, *seen, *head;
	struct buf payload;
};

static void query_run(uv_work_t *w)
{
	struct query *query = w->data;
	struct error e;
	if (store_reader_open(query->q.engine->store, &query->q.reader, &e)) {
		request_fail(&query->q, &e);
		return;
	}
	query->fn(&query->q);
	store_reader_close(query->q.reader);
}

static void query_done(uv_work_t *w, int status)
{
	(void)status;
	struct query *query = w->data;
	struct client *c = engine_client(query->q.engine, query->client);
	if (c && query->finish) query->finish(c, query->head);
	if (c) client_say(c, query->head, query->payload.data, query->payload.len);
	query->q.engine->queries--;
	json_decref(query->args);
	json_decref(query->seen);
	json_decref(query->head);
	buf_clear(&query->payload);
	free(query);
}

void request_query(struct request *q, void (*fn)(struct request *q), json_t *seen)
{
	request_query_then(q, fn, seen, NULL);
}

void request_query_then(struct request *q, void (*fn)(struct request *q), json_t *seen, void (*finish)(struct client *c, json_t *answer))
{
	struct query *query = mem_zero(sizeof *query);
	query->work.data = query;
	query->q = *q;
	query->client = q->client->id;
	query->fn = fn;
	query->finish = finish;
	query->args = json_deep_copy(q->args);
	query->seen = seen;
	buf_init(&query->payload, PROTOCOL_PAYLOAD_BYTES_MAX);
	query->q.args = query->args;
	query->q.seen = seen;
	query->q.query = query;
	query->q.x = NULL;
	query->q.client = NULL;
	q->engine->queries++;
	must(uv_queue_work(&q->engine->loop, &query->work, query_run, query_done) == 0);
}

/* Takes head. */
static void request_end(struct request *q, json_t *head, const void *payload, size_t n)
{
	if (!q->query) {
		failpoint(CLIENT_ANSWER);
		client_say_new(q->client, head, payload, n);
		return;
	}
	q->query->head = head;
	buf_add(&q->query->payload, payload, n);
}

void request_answer(struct request *q, json_t *value, const void *payload, size_t n)
{
	request_end(q, json_pack("{s:I,s:b,s:o}", "re", q->id, "ok", 1, "value", value ? value : json_object()), payload, n);
}

static void answer_later(struct execution *x, json_t *data)
{
	struct client *c = engine_client(x->engine, (uint64_t)json_int(data, "client", 0));
	const char *error = json_str(data, "error", NULL);
	failpoint(CLIENT_ANSWER_DURABLE);
	json_t *answer = json_object_get(data, "answer");
	if (error) {
		json_object_set_new(answer, "ok", json_false());
		json_object_set_new(answer, "error", json_pack("{s:s,s:s}", "kind", err_info(ERR_FULL)->name, "text", error));
	}
	if (c) client_say(c, answer, NULL, 0);
}

void request_answer_durable(struct request *q, json_t *value)
{
	json_t *answer = json_pack("{s:I,s:b,s:o}", "re", q->id, "ok", 1, "value", value ? value : json_object());
	execution_answer_later(q->x, answer_later, json_pack("{s:I,s:o}", "client", (json_int_t)q->client->id, "answer", answer));
	execution_step_on(q->x);
}

void request_fail(struct request *q, const struct error *e)
{
	json_t *error = json_pack("{s:s,s:o}", "kind", err_info(e->kind)->name, "text", json_text(e->text));
	request_end(q, json_pack("{s:I,s:b,s:o}", "re", q->id, "ok", 0, "error", error), NULL, 0);
}

void request_refuse(struct request *q, enum err kind, const char *fmt, ...)
{
	struct error e;
	va_list ap;
	va_start(ap, fmt);
	e.kind = kind;
	vsnprintf(e.text, sizeof e.text, fmt, ap);
	va_end(ap);
	request_fail(q, &e);
}

size_t request_step(struct request *q)
{
	const char *id = json_str(q->args, "step", "");
	size_t step = graph_find(q->x->graph, id);
	if (step == SIZE_MAX) request_refuse(q, ERR_NOT_FOUND, "the book has no step \"%.100s\"", id);
	return step;
}

uint32_t request_call(const struct request *q)
{
	json_int_t n = json_int(q->args, "call", 0);
	return n > 0 && n <= UINT32_MAX ? (uint32_t)n : 0;
}

static bool find_execution(struct request *q, enum needs needs)
{
	struct error e;
	if (needs == NEEDS_NOTHING || needs == NEEDS_PEER) return true;
	q->x = engine_lookup(q->engine, json_str(q->args, "execution", NULL), q->execution, &e);
	if (!q->x && e.kind) {
		request_fail(q, &e);
		return false;
	}
	if (q->x || needs == NEEDS_EXECUTION) return true;
	request_refuse(q, ERR_CONFLICT, "execution %s is not under way in this engine: `rung log %s` shows how it stands, `rung resume %s` takes it up",
	               q->execution, q->execution, q->execution);
	return false;
}

/* With no policy the engine is its user's alone; with one, what a stored execution's row says is enough to know who may read it. */
static enum err check_access(struct request *q, enum access access, struct error *e)
{
	const char *who = q->client->principal;
	struct execution *x = q->x;
	if (access == FOR_ALL) return rights_talk(q->engine, who, e);
	if (!x) return rights_read_stored(q->engine, q->execution, who, e);
	if (access == FOR_READERS) return rights_verb(x, who, VERB_READ, e);
	if (access == FOR_RESOLVERS) return rights_resolve(x, who, e);
	if (strcmp(who, x->driver) == 0) return ERR_OK;
	if (access == FOR_CANCELLERS) return rights_verb(x, who, VERB_CANCEL, e);
	return error_set(e, ERR_DENIED, "%s drives this execution: ask them to hand it over (rung handover), or take it over with rung resume %s", x->driver,
	                 x->id);
}

static const struct operation *find_operation(const char *name)
{
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
		if (strcmp(operations[i].name, name) == 0) return &operations[i];
	return NULL;
}

enum operation_offer operation_offered(const char *name)
{
	const struct operation *o = find_operation(name);
	if (!o) return OPERATION_NONE;
	return o->needs < NEEDS_TERMINAL ? OPERATION_EVERYWHERE : OPERATION_ON_SOCKET;
}

json_t *operations_json(void)
{
	static const char *const abouts[] = {"nothing", "execution", "live execution", "live execution", "nothing"};
	static const char *const fors[] = {"anyone whom the policy knows", "who may read it", "who drives it", "who may cancel it", "who may resolve it"};
	json_t *list = json_array();
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
		const struct operation *o = &operations[i];
		if (operation_offered(o->name) == OPERATION_EVERYWHERE)
			json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "name", o->name, "about", abouts[o->needs], "for", fors[o->access]));
	}
	return list;
}

/* Nothing new begins while the engine ends. */
static bool is_start(const struct operation *o)
{
	return o->run == op_run || o->run == op_resume;
}

static void ask(struct request *q, const char *name)
{
	const struct operation *o = find_operation(name);
	struct error e;
	if (json_dumpb(q->args, NULL, 0, JSON_COMPACT) > REQUEST_BYTES_MAX)
		request_refuse(q, ERR_TOO_BIG, "a request has at most %d KiB", REQUEST_BYTES_MAX >> 10);
	else if (!o)
		request_refuse(q, ERR_USAGE, "this engine (%s) has no operation \"%.60s\"", RUNG_VERSION, name);
	else if (o->needs >= NEEDS_TERMINAL && !q->client->link)
		request_refuse(q, ERR_DENIED, "%s is offered on the engine's socket only", o->name);
	else if (q->engine->drain.is_begun && is_start(o))
		request_refuse(q, ERR_CLOSED, "this engine is ending: nothing new begins in it");
	else if (find_execution(q, o->needs)) {
		if (check_access(q, o->access, &e))
			request_fail(q, &e);
		else
			o->run(q);
	}
}

void operations_ask(struct client *c, json_int_t id, const char *name, const json_t *args)
{
	failpoint(CLIENT_REQUEST);
	client_identify(c);
	struct request q = {.client = c, .engine = c->engine, .id = id, .args = args, .reader = c->engine->reader, .payload = ""};
	ask(&q, name);
}

bool operations_frame(struct client *c, const struct frame *f)
{
	const json_t *args = json_object_get(f->head, "args"), *id = json_object_get(f->head, "id");
	if (!json_is_integer(id) || (args && !json_is_object(args))) return false;
	json_t *none = json_object();
	failpoint(CLIENT_REQUEST);
	client_identify(c);
	struct request q = {.client = c,
	                    .engine = c->engine,
	                    .id = json_integer_value(id),
	                    .args = args ? args : none,
	                    .reader = c->engine->reader,
	                    .payload = f->payload,
	                    .payload_len = f->payload_len};
	ask(&q, json_str(f->head, "op", ""));
	json_decref(none);
	return true;
}
