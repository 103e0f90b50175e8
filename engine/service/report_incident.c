#include "base/arena.h"
#include "report/incident.h"
#include "service/client.h"
#include "service/incident.h"
#include "service/operations.h"
#include "service/protocol.h"
#include "service/rights.h"

#include <stdlib.h>
#include <string.h>

/* The report of an incident: its records and those of its executions, merged by seq. */

enum { EXECUTIONS_MAX = 1000 };

struct gathering {
	struct store_reader *reader;
	json_t *row, *records, *executions;
	json_t *seen; /* {id: true} of executions */
	bool is_too_many;
};

static bool take_row(void *arg, const struct store_incident *i)
{
	struct gathering *g = arg;
	g->row = json_pack("{s:s,s:s?,s:s?,s:s?}", "incident", i->id, "title", i->title, "state", i->state, "assigned_to", i->assigned_to);
	if (i->priority) json_object_set_new(g->row, "priority", json_integer(i->priority));
	return false;
}

static bool take_execution(void *arg, const struct store_execution *x)
{
	struct gathering *g = arg;
	json_array_append_new(g->executions, json_pack("{s:s,s:s?,s:s?,s:s?,s:s?,s:s*,s:I,s:I}", "execution", x->id, "book", x->book, "title", x->title,
	                                               "state", x->state, "driver", x->driver, "parent", x->parent, "started_us", (json_int_t)x->started_us,
	                                               "finished_us", (json_int_t)x->finished_us));
	return false;
}

static bool take_record(void *arg, uint64_t seq, const char *line, size_t n)
{
	(void)seq;
	struct gathering *g = arg;
	json_t *v = json_loadb(line, n, 0, NULL);
	const char *id = json_str(json_object_get(v, "d"), "execution", NULL);
	if (v) json_array_append_new(g->records, v);
	if (id && ulid_is_valid(id)) json_object_set_new(g->seen, id, json_true());
	return true;
}

static bool take_its_record(void *arg, uint64_t seq, const char *line, size_t n)
{
	(void)seq;
	struct gathering *g = arg;
	json_t *v = json_loadb(line, n, 0, NULL);
	if (v) json_array_append_new(g->records, v);
	return true;
}

static int compare_seq(const void *a, const void *b)
{
	json_int_t x = json_int(*(json_t *const *)a, "seq", 0), y = json_int(*(json_t *const *)b, "seq", 0);
	return x < y ? -1 : x > y;
}

static void sort_records(struct gathering *g)
{
	size_t n = json_array_size(g->records);
	json_t **list = mem_zero((n + 1) * sizeof(json_t *)), *sorted = json_array();
	for (size_t i = 0; i < n; i++) list[i] = json_array_get(g->records, i);
	qsort(list, n, sizeof(json_t *), compare_seq);
	for (size_t i = 0; i < n; i++) json_array_append(sorted, list[i]);
	json_decref(g->records);
	g->records = sorted;
	free(list);
}

static enum err gather(struct gathering *g, const char *incident, struct error *e)
{
	const char *id;
	json_t *v;
	enum err err = store_incidents(g->reader, STORE_INCIDENTS_ALL, 0, incident, NULL, 1, take_row, g, e);
	if (!err && !g->row) err = error_set(e, ERR_NOT_FOUND, "the store has no incident %s yet", incident);
	if (!err) err = store_records(g->reader, incident, 0, 0, take_record, g, e);
	if (!err && json_object_size(g->seen) > EXECUTIONS_MAX)
		err = error_set(e, ERR_TOO_BIG, "incident %s has %zu executions, a report has at most %d", incident, json_object_size(g->seen), EXECUTIONS_MAX);
	if (err) return err;
	json_object_foreach(g->seen, id, v)
	{
		if (!err) err = store_executions(g->reader, false, id, NULL, 1, take_execution, g, e);
		if (!err) err = store_records(g->reader, id, 0, 0, take_its_record, g, e);
	}
	sort_records(g);
	return err;
}

static char *blob_text(void *arg, const char *name, size_t *n)
{
	struct buf b;
	buf_init(&b, STORE_BLOB_BYTES_MAX);
	if (store_blob(arg, name, &b, NULL)) buf_reset(&b);
	*n = b.len;
	return buf_take(&b);
}

static void build(struct request *q)
{
	struct error e;
	struct buf note;
	struct gathering g = {.reader = q->reader, .records = json_array(), .executions = json_array(), .seen = json_object()};
	buf_init(&note, 65536);
	enum err err = gather(&g, json_str(q->seen, "incident", ""), &e);
	if (!err) err = store_checkpoint(q->reader, &note, &e);
	if (err)
		request_fail(q, &e);
	else
		request_answer(q,
		               json_pack("{s:o,s:s}", "report",
		                         incident_report_build(g.row, g.executions, g.records, note.data ? note.data : "", blob_text, q->reader), "format",
		                         json_str(q->args, "format", "markdown")),
		               NULL, 0);
	json_decref(g.row);
	json_decref(g.records);
	json_decref(g.executions);
	json_decref(g.seen);
	buf_clear(&note);
}

/* Takes out of a list what belongs to that execution. */
static void leave_out(json_t *list, const char *execution)
{
	for (size_t i = json_array_size(list); i-- > 0;)
		if (strcmp(json_str(json_array_get(list, i), "execution", ""), execution) == 0) json_array_remove(list, i);
}

/* Of executions that this client may not read it learns that there are such, and how they ended. */
static void leave_out_unread(struct client *c, json_t *report)
{
	size_t i;
	json_t *x;
	json_array_foreach(json_arr(report, "executions"), i, x)
	{
		if (rights_may_read(c->engine, c->principal, json_str(x, "driver", ""), json_str(x, "book", ""))) continue;
		static const char *const members[] = {"book", "title", "driver", "cause"};
		for (size_t k = 0; k < sizeof members / sizeof *members; k++) json_object_del(x, members[k]);
		json_object_set_new(x, "is_hidden", json_true());
		leave_out(json_arr(report, "timeline"), json_str(x, "execution", ""));
		leave_out(json_arr(report, "findings"), json_str(x, "execution", ""));
	}
}

/* On the loop, which knows the policy. */
static void finish(struct client *c, json_t *head)
{
	struct buf text;
	json_t *value = json_obj(head, "value"), *report = json_obj(value, "report");
	if (!report) return;
	leave_out_unread(c, report);
	if (strcmp(json_str(value, "format", ""), "json") == 0) {
		json_object_del(value, "format");
		return;
	}
	buf_init(&text, PROTOCOL_HEAD_BYTES_MAX / 2);
	incident_report_markdown(report, &text);
	json_object_clear(value);
	json_object_set_new(value, "text", json_bytes(text.data ? text.data : "", text.len));
	if (text.is_full) {
		json_object_set_new(head, "ok", json_false());
		json_object_set_new(
		    head, "error",
		    json_pack("{s:s,s:s}", "kind", err_info(ERR_TOO_BIG)->name, "text", "the report is too long for Markdown: ask for it as JSON"));
	}
	buf_clear(&text);
}

/* As for incident.show: what strangers wrote in it is for those who may see it. */
static enum err may_see(struct request *q, const struct incident *inc, const char *id, struct error *e)
{
	struct incident *old = NULL;
	enum err err = inc ? ERR_OK : incident_load_view(q->engine, id, &old, e);
	if (!err) err = rights_see_incident(inc ? inc : old, q->client->principal, e);
	if (old) incident_free_view(old);
	return err;
}

void op_incident_report(struct request *q)
{
	char id[INCIDENT_ID_BYTES];
	struct error e;
	struct incident *inc = incident_lookup(q->engine, json_str(q->args, "incident", NULL), id, &e);
	if ((!inc && e.kind) || may_see(q, inc, id, &e))
		request_fail(q, &e);
	else
		request_query_then(q, build, json_pack("{s:s}", "incident", id), finish);
}
