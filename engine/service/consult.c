#include "base/clock.h"
#include "report/report.h"
#include "service/attempt.h"
#include "service/operations.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Operations that look. */

enum { LOG_MAX = 1000, RECORDS_MAX = 2000, OUTPUT_PIECE = 1 << 20 };

void op_hello(struct request *q)
{
	const struct engine *en = q->engine;
	request_answer(q,
	               json_pack("{s:s,s:i,s:s,s:s,s:s,s:s}", "version", RUNG_VERSION, "pid", (int)getpid(), "user", en->user, "host", en->host, "principal",
	                         q->client->principal, "state_dir", en->state_dir),
	               NULL, 0);
}

/* Runs fn on the execution as it stands: live, or folded from the store for this one question. */
static void with_execution(struct request *q, void (*fn)(struct request *, struct execution *))
{
	struct execution *x = q->x;
	struct error e;
	if (!x && execution_load(q->engine, q->execution, &x, &e)) {
		request_fail(q, &e);
		return;
	}
	fn(q, x);
	if (x != q->x) execution_free(x);
}

static void answer_view(struct request *q, struct execution *x)
{
	request_answer(q, execution_view(x), NULL, 0);
}

void op_attach(struct request *q)
{
	if (q->x) {
		client_attach(q->client, q->execution);
		for (size_t i = 0; i < q->x->graph->count; i++) q->x->steps[i].is_dirty = true;
	}
	with_execution(q, answer_view);
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

void op_output(struct request *q)
{
	with_execution(q, answer_output);
}

/* --- lists -------------------------------------------------------------------------------------------------------------------------------- */

struct listing {
	struct engine *engine;
	json_t *list;
};

static bool list_one(void *arg, const struct store_execution *x)
{
	struct listing *l = arg;
	const struct execution *live = engine_find(l->engine, x->id);
	json_array_append_new(l->list, json_pack("{s:s,s:s?,s:s?,s:s,s:s?,s:I,s:I,s:I,s:I,s:b,s:b}", "execution", x->id, "book", x->book, "title", x->title,
	                                         "state", x->state, "driver", x->driver, "started_us", (json_int_t)x->started_us, "finished_us",
	                                         (json_int_t)x->finished_us, "steps_done", (json_int_t)x->steps_done, "steps", (json_int_t)x->steps, "open",
	                                         x->is_open, "interrupted", x->is_open && !live));
	return true;
}

void op_log(struct request *q)
{
	struct error e;
	struct listing l = {.engine = q->engine, .list = json_array()};
	json_int_t limit = json_int(q->args, "limit", 50);
	if (limit < 1 || limit > LOG_MAX) limit = LOG_MAX;
	if (store_executions(q->engine->reader, json_bool(q->args, "open", false), NULL, json_str(q->args, "before", NULL), (size_t)limit, list_one, &l, &e)) {
		json_decref(l.list);
		request_fail(q, &e);
		return;
	}
	request_answer(q, json_pack("{s:o}", "executions", l.list), NULL, 0);
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

void op_records(struct request *q)
{
	struct error e;
	json_int_t limit = json_int(q->args, "limit", RECORDS_MAX);
	struct records r = {.lines = json_array(), .limit = limit < 1 || limit > RECORDS_MAX ? RECORDS_MAX : (size_t)limit};
	if (store_records(q->engine->reader, q->execution, (uint64_t)json_int(q->args, "from", 0), r.limit + 1, record_one, &r, &e)) {
		json_decref(r.lines);
		request_fail(q, &e);
		return;
	}
	request_answer(q, json_pack("{s:o,s:o}", "lines", r.lines, "next", r.next ? json_integer((json_int_t)r.next) : json_null()), NULL, 0);
}

/* --- the report ------------------------------------------------------------------------------------------------------------------------------ */

static bool gather(void *arg, uint64_t seq, const char *line, size_t n)
{
	(void)seq;
	json_t *v = json_loadb(line, n, 0, NULL);
	if (v) json_array_append_new(arg, v);
	return true;
}

struct blob_reader {
	struct execution *x;
};

static char *blob_text(void *arg, const char *name, size_t *n)
{
	return execution_read_blob(((struct blob_reader *)arg)->x, name, n);
}

static void answer_report(struct request *q, struct execution *x)
{
	struct error e;
	json_t *records = json_array(), *view = execution_view(x);
	struct buf note;
	buf_init(&note, 65536);
	enum err err = store_records(q->engine->reader, x->id, 0, 0, gather, records, &e);
	if (!err) err = store_checkpoint(q->engine->reader, &note, &e);
	if (err) {
		request_fail(q, &e);
	} else {
		struct blob_reader b = {x};
		json_t *report = report_build(view, records, note.data ? note.data : "", blob_text, &b);
		if (strcmp(json_str(q->args, "format", "markdown"), "json") == 0) {
			request_answer(q, json_pack("{s:o}", "report", report), NULL, 0);
		} else {
			struct buf text;
			buf_init(&text, 8 << 20);
			report_markdown(report, &text);
			request_answer(q, json_pack("{s:o}", "text", json_bytes(text.data ? text.data : "", text.len)), NULL, 0);
			buf_clear(&text);
			json_decref(report);
		}
	}
	json_decref(records);
	json_decref(view);
	buf_clear(&note);
}

void op_report(struct request *q)
{
	with_execution(q, answer_report);
}
