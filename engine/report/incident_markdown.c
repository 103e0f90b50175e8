#include "base/clock.h"
#include "report/incident.h"
#include "report/inert.h"
#include "report/markdown_parts.h"

#include <string.h>

static void span(struct buf *out, const char *name, json_int_t from, json_int_t to)
{
	if (from && to > from) markdown_duration(out, name, to - from);
}

static void head(const json_t *r, struct buf *out)
{
	json_int_t detected = json_int(r, "detected_us", 0), opened = json_int(r, "opened_us", 0), resolved = json_int(r, "resolved_us", 0);
	buf_str(out, "# Incident: ");
	markdown_member(out, r, "title", false);
	buf_str(out, "\n\n| | |\n|---|---|\n");
	markdown_field(out, "Incident", json_str(r, "incident", ""));
	markdown_field(out, "State", json_str(r, "state", ""));
	if (json_int(r, "priority", 0)) buf_printf(out, "| Priority | %lld |\n", (long long)json_int(r, "priority", 0));
	markdown_field(out, "Owner", json_str(r, "owner", ""));
	markdown_field(out, "Assigned to", json_str(r, "assigned_to", ""));
	markdown_field(out, "Escalation policy", json_str(r, "escalation", ""));
	markdown_time(out, "Began", detected);
	markdown_time(out, "Opened", opened);
	markdown_time(out, "Acknowledged", json_int(r, "acknowledged_us", 0));
	markdown_field(out, "Acknowledged by", json_str(r, "acknowledged_by", ""));
	markdown_time(out, "Mitigated", json_int(r, "mitigated_us", 0));
	markdown_time(out, "Resolved", resolved);
	bool by_execution = strcmp(json_str(r, "resolved_how", ""), "execution") == 0;
	const char *by_itself = by_execution ? "executions, which ended well" : "its alerts, which are over";
	markdown_field(out, "Resolved by", json_str(r, "resolved_by", resolved ? by_itself : ""));
	span(out, "Time to detect", detected, opened);
	span(out, "Time to acknowledge", opened, json_int(r, "acknowledged_us", 0));
	span(out, "Time to mitigate", opened, json_int(r, "mitigated_us", 0));
	span(out, "Time to resolve", opened, resolved);
}

/* The header of a section that is left out where its list is empty. */
static bool section(const json_t *r, struct buf *out, const char *key, const char *title)
{
	if (json_array_size(json_arr(r, key)) == 0) return false;
	buf_printf(out, "\n## %s\n\n", title);
	return true;
}

static void time_cell(struct buf *out, json_int_t us)
{
	char when[CLOCK_RFC3339_BYTES];
	if (us) {
		clock_rfc3339(when, us);
		buf_printf(out, "%.19sZ", when);
	}
	buf_str(out, " | ");
}

static void labels_cell(struct buf *out, const json_t *labels)
{
	const char *key;
	json_t *v;
	struct buf text;
	buf_init(&text, 1 << 20);
	json_object_foreach((json_t *)labels, key, v) buf_printf(&text, "%s%s=%s", text.len ? ", " : "", key, json_is_string(v) ? json_string_value(v) : "?");
	if (text.data) markdown_inert(out, text.data, text.len, true);
	buf_clear(&text);
}

static void alerts(const json_t *r, struct buf *out)
{
	size_t i;
	json_t *a;
	if (!section(r, out, "alerts", "Alerts")) return;
	buf_str(out, "| Alert | Severity | Source | State | First seen | Last changed | Deliveries | Labels |\n|---|---|---|---|---|---|---|---|\n");
	json_array_foreach(json_arr(r, "alerts"), i, a)
	{
		static const char *const members[] = {"name", "severity", "source", "state"};
		buf_str(out, "| ");
		for (size_t k = 0; k < sizeof members / sizeof *members; k++) {
			markdown_cell(out, a, members[k]);
			buf_str(out, " | ");
		}
		time_cell(out, json_int(a, "first_us", 0));
		time_cell(out, json_int(a, "changed_us", 0));
		buf_printf(out, "%lld | ", (long long)json_int(a, "deliveries", 0));
		labels_cell(out, json_obj(a, "labels"));
		buf_str(out, " |\n");
	}
}

static void data_cell(struct buf *out, const json_t *data)
{
	struct buf text;
	if (!data || json_is_null(data)) return;
	buf_init(&text, 1 << 20);
	if (json_is_string(data))
		buf_add(&text, json_string_value(data), json_string_length(data));
	else
		json_canonical(data, &text);
	if (text.data) markdown_inert(out, text.data, text.len, true);
	buf_clear(&text);
}

static void findings(const json_t *r, struct buf *out)
{
	size_t i;
	json_t *f;
	if (!section(r, out, "findings", "What was found")) return;
	buf_str(out, "| | What | Step | |\n|---|---|---|---|\n");
	json_array_foreach(json_arr(r, "findings"), i, f)
	{
		buf_printf(out, "| %s | ", json_str(f, "kind", ""));
		markdown_cell(out, f, "name");
		buf_str(out, " | ");
		markdown_cell(out, f, "step");
		buf_str(out, " | ");
		data_cell(out, json_object_get(f, "data"));
		buf_str(out, " |\n");
	}
}

static void executions(const json_t *r, struct buf *out)
{
	size_t i;
	json_t *x;
	if (!section(r, out, "executions", "What was run")) return;
	buf_str(out, "| Book | Outcome | Cause | Driven by | Began | Ended | Execution |\n|---|---|---|---|---|---|---|\n");
	json_array_foreach(json_arr(r, "executions"), i, x)
	{
		static const char *const members[] = {"title", "state", "cause", "driver"};
		buf_str(out, "| ");
		for (size_t k = 0; k < sizeof members / sizeof *members; k++) {
			markdown_cell(out, x, members[k]);
			buf_str(out, " | ");
		}
		time_cell(out, json_int(x, "started_us", 0));
		time_cell(out, json_int(x, "finished_us", 0));
		buf_printf(out, "%s%s |\n", json_str(x, "execution", ""), json_str(x, "parent", NULL) ? " (for another)" : "");
	}
}

static void messages(const json_t *r, struct buf *out)
{
	size_t i;
	json_t *m;
	if (!section(r, out, "messages", "Who was told")) return;
	buf_str(out, "| Time (UTC) | Number | Level | Who | How | Result | |\n|---|---|---|---|---|---|---|\n");
	json_array_foreach(json_arr(r, "messages"), i, m)
	{
		buf_printf(out, "| %s | %lld | %s | ", json_str(m, "t", ""), (long long)json_int(m, "number", 0), json_str(m, "level", ""));
		markdown_cell(out, m, "person");
		buf_printf(out, " | %s | %s | ", json_str(m, "channel", ""), json_str(m, "result", ""));
		markdown_cell(out, m, "error");
		buf_str(out, " |\n");
	}
}

static void notes(const json_t *r, struct buf *out)
{
	size_t i;
	json_t *n;
	if (!section(r, out, "notes", "Notes")) return;
	json_array_foreach(json_arr(r, "notes"), i, n)
	{
		buf_printf(out, "- %s, ", json_str(n, "t", ""));
		markdown_member(out, n, "by", false);
		buf_str(out, ": ");
		markdown_member(out, n, "text", false);
		buf_str(out, "\n");
	}
}

/* What only says that something else is about to be said, or says again what stands above, is in the JSON. */
static bool is_left_out(const json_t *t)
{
	static const char *const kinds[] = {"attempt.started", "condition.evaluated", "secret.used"};
	const char *kind = json_str(t, "kind", "");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kind, kinds[i]) == 0) return true;
	return json_bool(t, "is_repeat", false);
}

/* Whose record it is: the incident's own, or of the book that was run. */
static void whose_cell(const json_t *r, const json_t *t, struct buf *out)
{
	const char *id = json_str(t, "execution", NULL);
	size_t i;
	json_t *x;
	if (id) json_array_foreach(json_arr(r, "executions"), i, x) if (strcmp(json_str(x, "execution", ""), id) == 0) markdown_cell(out, x, "title");
	if (json_str(t, "step", NULL)) {
		buf_str(out, ", ");
		markdown_cell(out, t, "step");
	}
}

static void timeline(const json_t *r, struct buf *out)
{
	size_t i;
	json_t *t;
	buf_str(out, "\n## Timeline\n\nDeliveries that say nothing new are left out; the report as JSON has each record.\n\n");
	buf_str(out, "| Time (UTC) | Record | Who | Book, step | |\n|---|---|---|---|---|\n");
	json_array_foreach(json_arr(r, "timeline"), i, t)
	{
		if (is_left_out(t)) continue;
		buf_printf(out, "| %s | %lld %s | ", json_str(t, "t", ""), (long long)json_int(t, "seq", 0), json_str(t, "kind", ""));
		markdown_cell(out, t, "by");
		buf_str(out, " | ");
		whose_cell(r, t, out);
		buf_str(out, " | ");
		markdown_cell(out, t, "text");
		buf_str(out, " |\n");
	}
}

void incident_report_markdown(const json_t *r, struct buf *out)
{
	head(r, out);
	alerts(r, out);
	findings(r, out);
	executions(r, out);
	messages(r, out);
	notes(r, out);
	timeline(r, out);
	markdown_proof(out, json_str(r, "checkpoint", ""));
}
