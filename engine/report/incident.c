#include "report/incident.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { SAID_BYTES_MAX = 400, NOTE_BYTES_MAX = 4000, DATA_BYTES_MAX = 16384 };

struct building {
	json_t *report, *alerts, *executions, *findings, *messages, *notes, *timeline;
	json_t *alert_of; /* the rows of alerts by their key */
	char *level;      /* the last one that was reached, in words */
	report_blob_fn *blob;
	void *arg;
	/* Of the record at hand. */
	const json_t *record, *d;
	const char *t;
	json_int_t t_us;
	struct buf *out;
	bool is_repeat; /* it says nothing that was not said before */
};

static const char *word(const struct building *b, const char *key)
{
	return json_str(b->d, key, "");
}

/* What a blob that the record names holds; "" where it names none. Allocated. */
static char *read_blob(const struct building *b, const char *key, size_t *n)
{
	*n = 0;
	const char *name = json_str(b->d, key, NULL);
	return name ? b->blob(b->arg, name, n) : mem_strdup("");
}

static json_t *read_text(const struct building *b, const char *key, size_t max)
{
	size_t n;
	char *text = read_blob(b, key, &n);
	json_t *v = n ? json_bytes(text, text_cut(text, n, max)) : NULL;
	free(text);
	return v;
}

static json_t *read_json(const struct building *b, const char *key)
{
	size_t n;
	char *text = read_blob(b, key, &n);
	json_t *v = n ? json_loadb(text, n, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL) : NULL;
	free(text);
	return v;
}

static void say_blob(const struct building *b, const char *before, const char *key)
{
	size_t n;
	char *text = read_blob(b, key, &n);
	size_t kept = text_cut(text, n, SAID_BYTES_MAX);
	if (n) {
		buf_str(b->out, before);
		buf_add(b->out, text, kept);
		if (kept < n) buf_str(b->out, "...");
	}
	free(text);
}

static void set_once(json_t *o, const char *key, json_int_t us)
{
	if (json_int(o, key, 0) == 0) json_object_set_new(o, key, json_integer(us));
}

static json_t *find(const json_t *list, const char *key, const char *value)
{
	size_t i;
	json_t *o;
	json_array_foreach(list, i, o) if (strcmp(json_str(o, key, ""), value) == 0) return o;
	return NULL;
}

/* ---- records of the incident ---- */

static void of_opened(struct building *b)
{
	json_object_set_new(b->report, "origin", json_string(word(b, "origin")));
	json_object_set_new(b->report, "opened_us", json_integer(b->t_us));
	static const char *const members[] = {"owner", "escalation", "source"};
	for (size_t i = 0; i < 3; i++)
		if (json_str(b->d, members[i], NULL) && !json_str(b->report, members[i], NULL))
			json_object_set(b->report, members[i], json_object_get(b->d, members[i]));
	if (!json_object_get(b->report, "priority") && json_int(b->d, "priority", 0)) json_object_set(b->report, "priority", json_object_get(b->d, "priority"));
	buf_printf(b->out, "opened by %s", strcmp(word(b, "origin"), "person") == 0 ? "hand" : "an ");
	if (strcmp(word(b, "origin"), "person") != 0) buf_str(b->out, word(b, "origin"));
	say_blob(b, ": ", "title");
	say_blob(b, ": ", "reason");
}

static json_t *alert_row(struct building *b)
{
	json_t *o = json_object_get(b->alert_of, word(b, "key"));
	if (o) return o;
	o = json_pack("{s:s,s:s,s:I,s:I,s:I}", "key", word(b, "key"), "source", word(b, "source"), "starts_us", json_int(b->d, "starts_us", 0), "first_us",
	              b->t_us, "deliveries", (json_int_t)0);
	must(json_object_set(b->alert_of, word(b, "key"), o) == 0 && json_array_append_new(b->alerts, o) == 0);
	return o;
}

static void keep_alert(struct building *b, json_t *row)
{
	static const char *const members[] = {"name", "severity", "labels", "link"};
	json_t *alert = read_json(b, "alert");
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (json_object_get(alert, members[i])) json_object_set(row, members[i], json_object_get(alert, members[i]));
	json_decref(alert);
	bool is_news = strcmp(json_str(row, "state", ""), word(b, "state")) != 0;
	json_object_set_new(row, "state", json_string(word(b, "state")));
	json_object_set_new(row, "outcome", json_string(word(b, "outcome")));
	json_object_set_new(row, "deliveries", json_integer(json_int(row, "deliveries", 0) + 1));
	if (is_news) json_object_set_new(row, "changed_us", json_integer(b->t_us));
	b->is_repeat = !is_news && strcmp(json_str(b->d, "execution", ""), "") == 0;
}

static void of_alert(struct building *b)
{
	json_t *row = alert_row(b);
	keep_alert(b, row);
	json_int_t began_us = json_int(b->d, "starts_us", 0), detected_us = json_int(b->report, "detected_us", 0);
	if (!began_us || began_us > b->t_us) began_us = b->t_us;
	if (!detected_us || began_us < detected_us) json_object_set_new(b->report, "detected_us", json_integer(began_us));
	buf_printf(b->out, "%s: %s, from %s: %s", word(b, "state"), json_str(row, "name", "an alert"), word(b, "source"), word(b, "outcome"));
	if (*word(b, "book")) buf_printf(b->out, " %s", word(b, "book"));
	if (*word(b, "execution") && *word(b, "as")) buf_printf(b->out, " as %s", word(b, "as"));
	if (*word(b, "rail") && strcmp(word(b, "rail"), "free") != 0) buf_printf(b->out, ", held back by %s", word(b, "rail"));
	say_blob(b, ". ", "reason");
}

/* Which execution is meant, as people call it. */
static const char *called(const struct building *b, const char *id)
{
	const json_t *x = find(b->executions, "execution", id);
	return json_str(x, "title", json_str(x, "book", id));
}

static void of_linked(struct building *b)
{
	buf_printf(b->out, "%s works on it%s", called(b, word(b, "execution")), *word(b, "parent") ? ", begun by another" : "");
}

static void of_ended(struct building *b)
{
	json_t *x = find(b->executions, "execution", word(b, "execution"));
	if (x && *word(b, "cause")) json_object_set(x, "cause", json_object_get(b->d, "cause"));
	buf_printf(b->out, "%s ended: %s", called(b, word(b, "execution")), word(b, "state"));
	if (*word(b, "cause")) buf_printf(b->out, ", the cause is %s", word(b, "cause"));
	say_blob(b, ". ", "reason");
}

static void of_acknowledged(struct building *b)
{
	set_once(b->report, "acknowledged_us", b->t_us);
	if (!json_str(b->report, "acknowledged_by", NULL)) json_object_set(b->report, "acknowledged_by", json_object_get(b->record, "by"));
	const char *how = word(b, "how");
	if (strcmp(how, "answered") == 0)
		buf_str(b->out, "nobody else is called: whom it waited for has come");
	else
		buf_printf(b->out, "acknowledged %s",
		           strcmp(how, "link") == 0  ? "by the link of a message"
		           : strcmp(how, "api") == 0 ? "by a program"
		                                     : "at a terminal");
	if (json_int(b->d, "link", 0)) buf_printf(b->out, " (number %lld)", (long long)json_int(b->d, "link", 0));
	say_blob(b, ": ", "note");
}

static void of_note(struct building *b)
{
	json_t *text = read_text(b, "note", NOTE_BYTES_MAX);
	json_array_append_new(b->notes, json_pack("{s:O?,s:s,s:o?}", "by", json_object_get(b->record, "by"), "t", b->t, "text", text));
	say_blob(b, "note: ", "note");
}

static void of_assigned(struct building *b)
{
	buf_printf(b->out, "assigned to %s", word(b, "to"));
	say_blob(b, ": ", "reason");
}

static void of_prioritised(struct building *b)
{
	buf_printf(b->out, "priority %lld", (long long)json_int(b->d, "priority", 0));
	say_blob(b, ": ", "reason");
}

static void of_mitigated(struct building *b)
{
	json_object_set_new(b->report, "mitigated_us", json_integer(b->t_us));
	buf_printf(b->out, "mitigated (%s)", word(b, "why"));
	if (*word(b, "execution")) buf_printf(b->out, " by %s", called(b, word(b, "execution")));
	say_blob(b, ": ", "reason");
}

static void of_resolved(struct building *b)
{
	const char *how = word(b, "how");
	bool by_alert = strcmp(how, "alert") == 0, by_execution = strcmp(how, "execution") == 0;
	json_object_set_new(b->report, "resolved_us", json_integer(b->t_us));
	json_object_set_new(b->report, "resolved_how", json_string(how));
	if (!by_alert && !by_execution) json_object_set(b->report, "resolved_by", json_object_get(b->record, "by"));
	buf_str(b->out, by_alert ? "resolved: its alerts are over" : by_execution ? "resolved: what was run ended well" : "resolved by hand");
	say_blob(b, ": ", "reason");
}

/* ---- records of its escalation ---- */

static void of_raised(struct building *b)
{
	buf_printf(b->out, "escalated (%s)", word(b, "trigger"));
	if (*word(b, "policy")) buf_printf(b->out, " to %s", word(b, "policy"));
	if (json_int(b->d, "hold_us", 0)) buf_str(b->out, ", held back by maintenance");
	say_blob(b, ": ", "reason");
}

static void of_level(struct building *b)
{
	free(b->level);
	b->level = mem_printf("level %lld%s", (long long)json_int(b->d, "level", 0), json_int(b->d, "round", 1) > 1 ? ", again" : "");
	buf_printf(b->out, "%s is reached", b->level);
}

static void of_notified(struct building *b)
{
	json_array_append_new(b->messages,
	                      json_pack("{s:I,s:s,s:s,s:I,s:s,s:s?,s:s}", "number", json_int(b->d, "number", 0), "person", word(b, "name"), "channel",
	                                word(b, "kind"), "attempt", json_int(b->d, "attempt", 0), "t", b->t, "level", b->level, "result", "under way"));
	buf_printf(b->out, "message %lld to %s%s%s", (long long)json_int(b->d, "number", 0), *word(b, "name") ? word(b, "name") : "a person",
	           *word(b, "kind") ? " by " : "", word(b, "kind"));
}

static void of_told(struct building *b)
{
	size_t i;
	json_t *m;
	json_int_t number = json_int(b->d, "number", 0);
	json_array_foreach(b->messages, i, m)
	{
		if (json_int(m, "number", 0) != number) continue;
		json_object_set_new(m, "result", json_string(word(b, "result")));
		json_t *error = read_text(b, "error", SAID_BYTES_MAX);
		if (error) json_object_set_new(m, "error", error);
	}
	buf_printf(b->out, "message %lld %s", (long long)number, word(b, "result"));
	say_blob(b, ": ", "error");
}

static void of_postponed(struct building *b)
{
	buf_str(b->out, "put off for ");
	clock_duration_words(b->out, json_int(b->d, "hold_us", 0));
	say_blob(b, ": ", "reason");
}

static void of_exhausted(struct building *b)
{
	buf_printf(b->out, "nobody is left to notify; %s", json_bool(b->d, "reached", false) ? "nobody has acknowledged" : "no message has arrived anywhere");
}

static void of_escalation_over(struct building *b)
{
	buf_printf(b->out, "nobody is notified any more (%s)", word(b, "why"));
}

static void of_ladder(struct building *b)
{
	if (*word(b, "policy"))
		buf_printf(b->out, "from here on the climb is that of %s", word(b, "policy"));
	else
		buf_str(b->out, "oncall.yaml has changed: the climb goes on as it says now");
}

static void of_taken_up(struct building *b)
{
	buf_str(b->out, "taken up after its engine had ended");
}

static const struct {
	const char *kind;
	void (*say)(struct building *b);
} sayings[] = {
    {"incident.opened", of_opened},
    {"alert.received", of_alert},
    {"execution.linked", of_linked},
    {"execution.ended", of_ended},
    {"incident.acknowledged", of_acknowledged},
    {"incident.noted", of_note},
    {"incident.assigned", of_assigned},
    {"incident.prioritised", of_prioritised},
    {"incident.mitigated", of_mitigated},
    {"incident.resolved", of_resolved},
    {"escalation.raised", of_raised},
    {"level.reached", of_level},
    {"notification.started", of_notified},
    {"notification.finished", of_told},
    {"escalation.postponed", of_postponed},
    {"escalation.exhausted", of_exhausted},
    {"escalation.resolved", of_escalation_over},
    {"ladder.changed", of_ladder},
    {"escalation.resumed", of_taken_up},
};

/* ---- records of its executions ---- */

static void of_execution_started(struct building *b, const char *id)
{
	json_t *x = find(b->executions, "execution", id);
	if (x && *word(b, "trigger")) json_object_set(x, "trigger", json_object_get(b->d, "trigger"));
	if (x && *word(b, "parent")) json_object_set(x, "parent", json_object_get(b->d, "parent"));
}

/* cause(...) and evidence(...) are calls that say all with what they ask. */
static void keep_finding(struct building *b, const char *id)
{
	bool is_cause = strcmp(word(b, "module"), "cause") == 0;
	if (!is_cause && strcmp(word(b, "module"), "evidence") != 0) return;
	json_t *asked = read_json(b, "arguments"), *arguments = json_obj(asked, "arguments");
	json_t *data = json_object_get(arguments, is_cause ? "evidence" : "data");
	json_array_append_new(b->findings, json_pack("{s:s,s:O?,s:O?,s:s,s:O?,s:s,s:O?}", "kind", is_cause ? "cause" : "evidence", "name",
	                                             json_object_get(arguments, is_cause ? "id" : "name"), "data", data, "execution", id, "step",
	                                             json_object_get(b->record, "s"), "t", b->t, "by", json_object_get(b->record, "by")));
	json_decref(asked);
}

static void read_execution(struct building *b, const char *id)
{
	const char *kind = json_str(b->record, "k", "");
	if (strcmp(kind, "execution.started") == 0) of_execution_started(b, id);
	if (strcmp(kind, "call.started") == 0) keep_finding(b, id);
	report_say(b->record, b->blob, b->arg, b->out);
}

static void read_record(struct building *b, const char *incident)
{
	struct buf text;
	const char *id = json_str(b->record, "x", ""), *kind = json_str(b->record, "k", "?");
	bool is_own = strcmp(id, incident) == 0;
	int64_t t_us = 0;
	buf_init(&text, 16384);
	b->out = &text;
	b->d = json_object_get(b->record, "d");
	b->t = json_str(b->record, "t", "");
	clock_parse_rfc3339(b->t, &t_us);
	b->t_us = t_us;
	b->is_repeat = false;
	if (!is_own) read_execution(b, id);
	for (size_t i = 0; is_own && i < sizeof sayings / sizeof *sayings; i++)
		if (strcmp(sayings[i].kind, kind) == 0) sayings[i].say(b);
	json_array_append_new(b->timeline,
	                      json_pack("{s:s,s:I,s:s,s:s?,s:s?,s:s?,s:b,s:o}", "t", b->t, "seq", json_int(b->record, "seq", 0), "kind", kind, "execution",
	                                is_own ? NULL : id, "step", json_str(b->record, "s", NULL), "by", json_str(b->record, "by", NULL), "is_repeat",
	                                b->is_repeat, "text", json_bytes(text.data ? text.data : "", text.len)));
	buf_clear(&text);
}

json_t *incident_report_build(const json_t *row, const json_t *executions, const json_t *records, const char *checkpoint, report_blob_fn *blob, void *arg)
{
	size_t i;
	json_t *r;
	struct building b = {.report = json_deep_copy(row),
	                     .alerts = json_array(),
	                     .alert_of = json_object(),
	                     .executions = executions ? json_deep_copy(executions) : json_array(),
	                     .findings = json_array(),
	                     .messages = json_array(),
	                     .notes = json_array(),
	                     .timeline = json_array(),
	                     .blob = blob,
	                     .arg = arg};
	static const char *const times[] = {"detected_us", "opened_us", "acknowledged_us", "mitigated_us", "resolved_us"};
	for (i = 0; i < sizeof times / sizeof *times; i++) json_object_set_new(b.report, times[i], json_integer(0));
	json_array_foreach(records, i, r)
	{
		b.record = r;
		read_record(&b, json_str(row, "incident", ""));
	}
	if (json_int(b.report, "detected_us", 0) == 0) json_object_set(b.report, "detected_us", json_object_get(b.report, "opened_us"));
	free(b.level);
	json_decref(b.alert_of);
	must(json_object_set_new(b.report, "alerts", b.alerts) == 0 && json_object_set_new(b.report, "executions", b.executions) == 0);
	must(json_object_set_new(b.report, "findings", b.findings) == 0 && json_object_set_new(b.report, "messages", b.messages) == 0);
	must(json_object_set_new(b.report, "notes", b.notes) == 0 && json_object_set_new(b.report, "timeline", b.timeline) == 0);
	json_object_set_new(b.report, "checkpoint", json_string(checkpoint));
	return b.report;
}
