#include "base/clock.h"
#include "report/fleet.h"
#include "report/inert.h"
#include "report/markdown_parts.h"
#include "report/report.h"

#include <string.h>

static void head(const json_t *r, struct buf *out)
{
	const json_t *book = json_object_get(r, "book");
	buf_str(out, "# Report: ");
	markdown_member(out, book, "title", false);
	buf_str(out, "\n\n| | |\n|---|---|\n");
	markdown_field(out, "Execution", json_str(r, "execution", ""));
	markdown_field(out, "Outcome", json_str(r, "state", ""));
	markdown_field(out, "Book", json_str(book, "path", ""));
	markdown_field(out, "Book digest (SHA-256)", json_str(book, "digest", ""));
	markdown_field(out, "Plan", json_str(r, "plan", ""));
	markdown_field(out, "Driven by", json_str(r, "driver", ""));
	markdown_time(out, "Began", json_int(r, "started_us", 0));
	markdown_time(out, "Ended", json_int(r, "finished_us", 0));
	markdown_duration(out, "Took", json_int(r, "duration_us", 0));
	if (json_obj(r, "parent")) markdown_field(out, "Started by", json_str(json_obj(r, "parent"), "execution", ""));
	if (json_obj(r, "conclusion")) markdown_field(out, "Came to", json_str(json_obj(r, "conclusion"), "outcome", ""));
	if (json_str(json_obj(r, "conclusion"), "cause", NULL)) markdown_field(out, "Cause", json_str(json_obj(r, "conclusion"), "cause", ""));
	buf_printf(out, "| Steps done | %lld, of them %lld by hand |\n", (long long)json_int(r, "steps_done", 0), (long long)json_int(r, "steps_by_hand", 0));
}

static void steps(const json_t *r, struct buf *out)
{
	size_t i;
	json_t *s;
	buf_str(out, "\n## Steps\n\n| Step | Outcome | Attempts | Took | |\n|---|---|---|---|---|\n");
	json_array_foreach(json_object_get(r, "steps"), i, s)
	{
		struct buf took;
		buf_init(&took, 100);
		if (json_int(s, "duration_us", 0)) clock_duration_words(&took, json_int(s, "duration_us", 0));
		buf_str(out, "| ");
		markdown_cell(out, s, "title");
		buf_printf(out, "%s | %s | %lld | %s | ", json_bool(s, "manual", false) ? " (by hand)" : "", json_str(s, "state", "?"),
		           (long long)json_int(s, "attempts", 0), took.data ? took.data : "");
		markdown_cell(out, s, "why");
		if (json_str(s, "note", NULL)) buf_str(out, " Note: ");
		markdown_cell(out, s, "note");
		buf_str(out, " |\n");
		buf_clear(&took);
	}
}

static void hosts_cell(struct buf *out, const json_t *names)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	fleet_hosts(&text, names);
	if (text.data) markdown_inert(out, text.data, text.len, true);
	buf_clear(&text);
}

static void fleet(const json_t *f, struct buf *out)
{
	size_t i;
	json_t *g;
	buf_str(out, "\n### ");
	markdown_member(out, f, "step", false);
	buf_str(out, ": ");
	markdown_member(out, f, "command", false);
	buf_str(out, "\n\n| Outcome | Hosts | | All said |\n|---|---|---|---|\n");
	json_array_foreach(json_arr(f, "groups"), i, g)
	{
		size_t n = json_array_size(json_arr(g, "hosts"));
		buf_printf(out, "| %s", json_str(g, "state", "?"));
		if (json_int(g, "code", 0)) buf_printf(out, ", exit status %lld", (long long)json_int(g, "code", 0));
		if (json_object_get(g, "signal")) buf_printf(out, ", signal %lld", (long long)json_int(g, "signal", 0));
		buf_printf(out, " | %zu | ", n);
		hosts_cell(out, json_arr(g, "hosts"));
		buf_str(out, " | ");
		markdown_cell(out, g, "said");
		buf_str(out, " |\n");
	}
	if (json_array_size(json_arr(f, "not_started")) == 0) return;
	buf_printf(out, "| not started | %zu | ", json_array_size(json_arr(f, "not_started")));
	hosts_cell(out, json_arr(f, "not_started"));
	buf_str(out, " | |\n");
}

static void fleets(const json_t *r, struct buf *out)
{
	size_t i;
	json_t *f;
	if (json_array_size(json_arr(r, "fleets")) == 0) return;
	buf_str(out, "\n## Fleets\n\nHosts whose outcome and output are the very same stand together. Each call is in the report as JSON.\n");
	json_array_foreach(json_arr(r, "fleets"), i, f) fleet(f, out);
}

/* The calls of a fleet are one row where they begin. Is t in it, and so said? */
static bool is_said_of_fleet(const json_t *r, const json_t *t, struct buf *out)
{
	const json_t *f = json_object_get(t, "fleet") ? json_array_get(json_arr(r, "fleets"), (size_t)json_int(t, "fleet", 0)) : NULL;
	struct buf summary;
	if (!f) return false;
	if (json_int(f, "first_seq", -1) != json_int(t, "seq", 0)) return true;
	buf_init(&summary, 4096);
	fleet_summary(&summary, f);
	buf_printf(out, "| %s | %lld to %lld call.* | ", json_str(t, "t", ""), (long long)json_int(f, "first_seq", 0), (long long)json_int(f, "last_seq", 0));
	markdown_cell(out, t, "by");
	buf_str(out, " | ");
	markdown_cell(out, t, "step");
	buf_printf(out, " | ssh on %lld hosts, %s: ", (long long)json_int(f, "hosts", 0), summary.data ? summary.data : "");
	markdown_cell(out, f, "command");
	buf_str(out, " |\n");
	buf_clear(&summary);
	return true;
}

static void timeline(const json_t *r, struct buf *out)
{
	size_t i;
	json_t *t;
	buf_str(out, "\n## Timeline\n\n| Time (UTC) | Record | Who | Step | |\n|---|---|---|---|---|\n");
	json_array_foreach(json_object_get(r, "timeline"), i, t)
	{
		if (is_said_of_fleet(r, t, out)) continue;
		buf_printf(out, "| %s | %lld %s | ", json_str(t, "t", ""), (long long)json_int(t, "seq", 0), json_str(t, "kind", ""));
		markdown_cell(out, t, "by");
		buf_str(out, " | ");
		markdown_cell(out, t, "step");
		buf_str(out, " | ");
		markdown_cell(out, t, "text");
		buf_str(out, " |\n");
	}
}

static void data_cell(struct buf *out, const json_t *data)
{
	struct buf text;
	if (!data || json_is_null(data)) return;
	buf_init(&text, 1 << 20);
	if (json_canonical(data, &text)) markdown_inert(out, text.data, text.len, true);
	buf_clear(&text);
}

static void findings(const json_t *r, struct buf *out)
{
	size_t i;
	json_t *f;
	if (json_array_size(json_arr(r, "findings")) == 0) return;
	buf_str(out, "\n## What was found\n\n| | What | Certainty | Step | |\n|---|---|---|---|---|\n");
	json_array_foreach(json_arr(r, "findings"), i, f)
	{
		bool is_cause = strcmp(json_str(f, "kind", ""), "cause") == 0;
		buf_str(out, is_cause ? "| cause | " : "| evidence | ");
		markdown_cell(out, f, is_cause ? "cause" : "name");
		buf_str(out, " | ");
		if (is_cause) buf_printf(out, "%lld %%", (long long)json_int(f, "certainty", 100));
		buf_str(out, " | ");
		markdown_cell(out, f, "step");
		buf_str(out, " | ");
		data_cell(out, json_object_get(f, is_cause ? "evidence" : "data"));
		buf_str(out, " |\n");
	}
}

static void children(const json_t *r, struct buf *out)
{
	size_t i;
	json_t *c;
	if (json_array_size(json_arr(r, "children")) == 0) return;
	buf_str(out, "\n## Runbooks that it started\n\n| Runbook | Step | State | Execution |\n|---|---|---|---|\n");
	json_array_foreach(json_arr(r, "children"), i, c)
	{
		buf_str(out, "| ");
		markdown_cell(out, c, "runbook");
		buf_str(out, " | ");
		markdown_cell(out, c, "step");
		buf_printf(out, " | %s | %s |\n", json_str(c, "state", "has not begun"), json_str(c, "execution", ""));
	}
}

void report_markdown(const json_t *r, struct buf *out)
{
	head(r, out);
	steps(r, out);
	findings(r, out);
	children(r, out);
	fleets(r, out);
	timeline(r, out);
	markdown_proof(out, json_str(r, "checkpoint", ""));
}
