#include "base/clock.h"
#include "report/report.h"
#include "service/attempt.h"
#include "service/client.h"
#include "service/config.h"
#include "service/operations.h"
#include "service/protocol.h"
#include "service/rights.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Operations that look. */

enum { LOG_MAX = 1000, RECORDS_MAX = 2000, OUTPUT_PIECE = 1 << 20 };

void op_hello(struct request *q)
{
	const struct engine *en = q->engine;
	request_answer(q,
	               json_pack("{s:s,s:i,s:s,s:s,s:s,s:s,s:o}", "version", RUNG_VERSION, "pid", (int)getpid(), "user", en->user, "host", en->host,
	                         "principal", q->client->principal, "state_dir", en->state_dir, "config", config_json(en->config)),
	               NULL, 0);
}

/* The execution as it stands: live, or folded from the store by a query. */
static void with_stored(struct request *q, void (*fn)(struct request *, struct execution *))
{
	struct execution *x;
	struct error e;
	if (execution_load(q->engine, q->reader, q->execution, &x, &e)) {
		request_fail(q, &e);
		return;
	}
	fn(q, x);
	execution_free(x);
}

static void answer_view(struct request *q, struct execution *x)
{
	request_answer(q, execution_view(x), NULL, 0);
}

static void view_stored(struct request *q)
{
	with_stored(q, answer_view);
}

void op_attach(struct request *q)
{
	/* Attached to one that is not under way, it hears when somebody takes it up. */
	client_attach(q->client, q->execution);
	if (!q->x) {
		request_query(q, view_stored, NULL);
		return;
	}
	for (size_t i = 0; i < q->x->graph->count; i++) {
		q->x->steps[i].is_dirty = true;
		q->x->steps[i].told_attempt = 0;
	}
	/* What a view says must hold after a crash: it waits for what it shows to be durable. */
	request_answer_durable(q, execution_view(q->x));
}

void op_detach(struct request *q)
{
	client_detach(q->client, q->execution);
	request_answer(q, NULL, NULL, 0);
}

/* --- output of a call ----------------------------------------------------------------------------------------------------------------- */

static void answer_output(struct request *q, struct execution *x)
{
	size_t step = graph_find(x->graph, json_str(q->args, "step", ""));
	uint32_t attempt = (uint32_t)json_int(q->args, "attempt", step == SIZE_MAX ? 1 : x->flow->steps[step].attempt);
	struct call *c = step == SIZE_MAX ? NULL : execution_call(x, step, attempt, (uint32_t)json_int(q->args, "call", 1));
	if (!c) {
		request_refuse(q, ERR_NOT_FOUND, "there is no such call");
		return;
	}
	struct buf all;
	buf_init(&all, 32 << 20);
	output_add(x, c, strcmp(json_str(q->args, "stream", "stdout"), "stderr") == 0, &all);
	size_t from = (size_t)json_int(q->args, "from", 0);
	if (from > all.len) from = all.len;
	size_t n = all.len - from < OUTPUT_PIECE ? all.len - from : OUTPUT_PIECE;
	request_answer(q, json_pack("{s:I,s:I}", "bytes", (json_int_t)n, "total", (json_int_t)all.len), n ? all.data + from : "", n);
	buf_clear(&all);
}

static void output_stored(struct request *q)
{
	with_stored(q, answer_output);
}

void op_output(struct request *q)
{
	if (q->x)
		answer_output(q, q->x);
	else
		request_query(q, output_stored, NULL);
}

/* --- lists -------------------------------------------------------------------------------------------------------------------------------- */

struct listing {
	const json_t *live; /* ids of the executions that the engine drives */
	json_t *list;
	char last[27];
};

static bool list_one(void *arg, const struct store_execution *x)
{
	struct listing *l = arg;
	bool is_live = json_object_get(l->live, x->id) != NULL;
	snprintf(l->last, sizeof l->last, "%s", x->id);
	json_array_append_new(l->list, json_pack("{s:s,s:s?,s:s?,s:s,s:s?,s:I,s:I,s:I,s:I,s:b,s:b,s:s*}", "execution", x->id, "book", x->book, "title",
	                                         x->title, "state", x->state, "driver", x->driver, "started_us", (json_int_t)x->started_us, "finished_us",
	                                         (json_int_t)x->finished_us, "steps_done", (json_int_t)x->steps_done, "steps", (json_int_t)x->steps, "open",
	                                         x->is_open, "interrupted", x->is_open && !is_live, "parent", x->parent));
	return true;
}

static void list_stored(struct request *q)
{
	struct error e;
	struct listing l = {.live = q->seen, .list = json_array()};
	json_int_t limit = json_int(q->args, "limit", 50);
	if (limit < 1 || limit > LOG_MAX) limit = LOG_MAX;
	if (store_executions(q->reader, json_bool(q->args, "open", false), NULL, json_str(q->args, "before", NULL), (size_t)limit, list_one, &l, &e)) {
		json_decref(l.list);
		request_fail(q, &e);
		return;
	}
	/* By what was looked at: what this client may not read is taken out later. */
	const char *next = json_array_size(l.list) == (size_t)limit ? l.last : NULL;
	request_answer(q, json_pack("{s:o,s:s*}", "executions", l.list, "next", next), NULL, 0);
}

static void only_what_may_be_read(struct client *c, json_t *answer)
{
	json_t *list = json_arr(json_obj(answer, "value"), "executions");
	client_identify(c);
	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *o = json_array_get(list, i);
		if (!rights_may_read(c->engine, c->principal, json_str(o, "driver", NULL), json_str(o, "book", NULL))) json_array_remove(list, i);
	}
}

void op_log(struct request *q)
{
	json_t *live = json_object();
	for (const struct execution *x = q->engine->executions; x; x = x->next) json_object_set_new(live, x->id, json_true());
	request_query_then(q, list_stored, live, only_what_may_be_read);
}

struct records {
	json_t *lines;
	uint64_t next;
	size_t count, limit;
};

static bool record_one(void *arg, uint64_t seq, const char *line, size_t n)
{
	struct records *r = arg;
	if (r->count++ >= r->limit) {
		r->next = seq;
		return false;
	}
	json_array_append_new(r->lines, json_stringn(line, n));
	return true;
}

static void records_stored(struct request *q)
{
	struct error e;
	json_int_t limit = json_int(q->args, "limit", RECORDS_MAX);
	struct records r = {.lines = json_array(), .limit = limit < 1 || limit > RECORDS_MAX ? RECORDS_MAX : (size_t)limit};
	if (store_records(q->reader, q->execution, (uint64_t)json_int(q->args, "from", 0), r.limit + 1, record_one, &r, &e)) {
		json_decref(r.lines);
		request_fail(q, &e);
		return;
	}
	request_answer(q, json_pack("{s:o,s:o}", "lines", r.lines, "next", r.next ? json_integer((json_int_t)r.next) : json_null()), NULL, 0);
}

void op_records(struct request *q)
{
	request_query(q, records_stored, NULL);
}

/* --- the report ------------------------------------------------------------------------------------------------------------------------------ */

static bool gather(void *arg, uint64_t seq, const char *line, size_t n)
{
	(void)seq;
	json_t *v = json_loadb(line, n, 0, NULL);
	if (v) json_array_append_new(arg, v);
	return true;
}

static char *blob_text(void *arg, const char *name, size_t *n)
{
	struct buf b;
	buf_init(&b, STORE_BLOB_BYTES_MAX);
	if (store_blob(arg, name, &b, NULL)) buf_reset(&b);
	*n = b.len;
	return buf_take(&b);
}

static void answer_report(struct request *q, const json_t *view)
{
	struct error e;
	json_t *records = json_array();
	struct buf note, text;
	buf_init(&note, 65536);
	buf_init(&text, PROTOCOL_HEAD_BYTES_MAX / 2);
	enum err err = store_records(q->reader, q->execution, 0, 0, gather, records, &e);
	if (!err) err = store_checkpoint(q->reader, &note, &e);
	json_t *report = err ? NULL : report_build(view, records, note.data ? note.data : "", blob_text, q->reader);
	bool as_json = strcmp(json_str(q->args, "format", "markdown"), "json") == 0;
	if (!err && !as_json) report_markdown(report, &text);
	if (!err && text.is_full) err = error_set(&e, ERR_TOO_BIG, "the report is too long for Markdown: ask for it as JSON");
	if (err)
		request_fail(q, &e);
	else if (as_json)
		request_answer(q, json_pack("{s:O}", "report", report), NULL, 0);
	else
		request_answer(q, json_pack("{s:o}", "text", json_bytes(text.data ? text.data : "", text.len)), NULL, 0);
	json_decref(report);
	json_decref(records);
	buf_clear(&note);
	buf_clear(&text);
}

static void report_of(struct request *q, struct execution *x)
{
	json_t *view = execution_view(x);
	answer_report(q, view);
	json_decref(view);
}

static void report_stored(struct request *q)
{
	if (q->seen)
		answer_report(q, q->seen);
	else
		with_stored(q, report_of);
}

void op_report(struct request *q)
{
	json_t *view = q->x ? execution_view(q->x) : NULL;
	request_query(q, report_stored, view ? json_deep_copy(view) : NULL);
	json_decref(view);
}
