#include "report/report.h"
#include "base/clock.h"
#include "base/text.h"
#include "report/fleet.h"

#include <stdlib.h>
#include <string.h>

enum { CALL_BYTES_MAX = 2000, SHOWN_BYTES_MAX = 1000, WHY_BYTES_MAX = 1000 /* two questions and what they are about */, ALLOWED_BYTES_MAX = 2000 };

struct building {
	json_t *timeline, *members; /* members: calls of fleets */
	report_blob_fn *blob;
	void *arg;
};

struct line {
	const struct building *b;
	const json_t *d;
	struct buf *out;
};

static void add_cut(struct buf *out, const char *text, size_t n, size_t max)
{
	size_t kept = text_cut(text, n, max);
	buf_add(out, text, kept);
	if (kept < n) buf_str(out, "...");
}

/* The command of a call, out of its recorded arguments. */
static void add_call_words(struct line *l)
{
	size_t n, i;
	const char *kept = json_str(l->d, "text", NULL);
	char *text = l->b->blob(l->b->arg, kept ? kept : json_str(l->d, "arguments", ""), &n);
	if (kept) {
		add_cut(l->out, text, n, CALL_BYTES_MAX);
		free(text);
		return;
	}
	json_t *form = json_loadb(text, n, JSON_ALLOW_NUL, NULL), *v, *argv = json_arr(json_obj(form, "arguments"), "argv");
	struct buf words;
	buf_init(&words, 2 * n + 16);
	json_array_foreach(argv, i, v)
	{
		if (i) buf_char(&words, ' ');
		if (json_is_string(v)) buf_add(&words, json_string_value(v), json_string_length(v));
	}
	const json_t *arguments = json_obj(form, "arguments");
	const char *found = json_str(arguments, "id", json_str(arguments, "name", "")); /* of cause and evidence */
	if (!argv) buf_str(&words, json_str(form, "command", json_str(arguments, "prompt", found)));
	if (words.len) add_cut(l->out, words.data, words.len, CALL_BYTES_MAX);
	buf_clear(&words);
	json_decref(form);
	free(text);
}

/* What a blob of the record says, shortened for a line of the timeline; nothing where there is none. */
static void say(struct line *l, const char *before, const char *key, size_t max)
{
	const char *name = json_str(l->d, key, NULL);
	size_t n = 0;
	char *text = name ? l->b->blob(l->b->arg, name, &n) : NULL;
	if (n) {
		buf_str(l->out, before);
		add_cut(l->out, text, n, max);
	}
	free(text);
}

/* What the driver allowed at the start. */
static void add_allowed(struct line *l)
{
	const char *name = json_str(l->d, "rights", NULL);
	size_t n = 0, i;
	char *text = name ? l->b->blob(l->b->arg, name, &n) : NULL;
	json_t *rights = n ? json_loadb(text, n, JSON_ALLOW_NUL, NULL) : NULL, *v;
	struct buf all;
	buf_init(&all, n + 64);
	if (json_bool(rights, "declared", false)) buf_str(&all, "what the book declares");
	json_array_foreach(json_arr(rights, "allow"), i, v)
	{
		if (all.len) buf_str(&all, ", ");
		if (json_is_string(v)) buf_add(&all, json_string_value(v), json_string_length(v));
	}
	if (all.len) {
		buf_str(l->out, "; allowed: ");
		add_cut(l->out, all.data, all.len, ALLOWED_BYTES_MAX);
	}
	buf_clear(&all);
	json_decref(rights);
	free(text);
}

static void of_started(struct line *l)
{
	buf_printf(l->out, "began: %s, %s, %lld steps, plan %.12s", json_str(l->d, "book", "?"), json_str(l->d, "mode", "?"),
	           (long long)json_int(l->d, "steps", 0), json_str(l->d, "plan", "?"));
	if (json_str(l->d, "policy", NULL)) buf_printf(l->out, ", policy %.12s", json_str(l->d, "policy", ""));
	if (json_str(l->d, "trigger", NULL) && !json_str(l->d, "parent", NULL)) buf_printf(l->out, ", trigger %s", json_str(l->d, "trigger", ""));
	if (json_str(l->d, "incident", NULL)) buf_printf(l->out, ", for incident %s", json_str(l->d, "incident", ""));
	if (json_str(l->d, "parent", NULL)) buf_printf(l->out, ", started by step %s of %s", json_str(l->d, "parent_step", "?"), json_str(l->d, "parent", "?"));
	add_allowed(l);
}

static void of_finished(struct line *l)
{
	buf_printf(l->out, "ended: %s", json_str(l->d, "state", "?"));
	say(l, ": ", "reason", 300);
}

static void of_resumed(struct line *l)
{
	buf_printf(l->out, "taken up again%s", strcmp(json_str(l->d, "why", ""), "engine_ended") == 0 ? " after its engine had ended" : "");
}

static void of_paused(struct line *l)
{
	buf_str(l->out, "paused");
}

static void of_cancelled(struct line *l)
{
	buf_str(l->out, "asked to stop");
	say(l, ": ", "reason", 300);
}

static void of_requested(struct line *l)
{
	buf_str(l->out, "said go");
}

static void of_skipped(struct line *l)
{
	buf_printf(l->out, "skipped (%s)", json_str(l->d, "why", "?"));
	say(l, ": ", "reason", 300);
}

/* What stood when somebody said what became of a call, in the words that were kept with the answer. */
static void say_shown(struct line *l)
{
	const char *name = json_str(l->d, "shown", NULL);
	size_t n = 0;
	char *text = name ? l->b->blob(l->b->arg, name, &n) : NULL;
	json_t *shown = n ? json_loadb(text, n, JSON_ALLOW_NUL, NULL) : NULL;
	const char *summary = json_str(shown, "summary", "");
	if (*summary) {
		buf_str(l->out, json_bool(l->d, "is_seen", false) ? "; shown before: " : "; known then, not shown: ");
		add_cut(l->out, summary, strlen(summary), SHOWN_BYTES_MAX);
	}
	json_decref(shown);
	free(text);
}

static void of_settled(struct line *l)
{
	buf_printf(l->out, "settled as %s by %s", json_str(l->d, "outcome", "?"), json_str(l->d, "why", "?"));
	say(l, ": ", "note", 300);
	say(l, ": ", "reason", 300);
	say(l, ", result ", "result", 200);
	say_shown(l);
}

static void of_reset(struct line *l)
{
	buf_printf(l->out, "starts again (%s%s%s)", json_str(l->d, "why", "?"), json_str(l->d, "from", NULL) ? " of " : "", json_str(l->d, "from", ""));
}

static void of_condition(struct line *l)
{
	if (strcmp(json_str(l->d, "what", ""), "targets") == 0) {
		buf_printf(l->out, "targets: %lld", (long long)json_int(l->d, "count", 0));
		say(l, ", ", "result", 300);
		say(l, ": ", "error", 300);
		return;
	}
	buf_printf(l->out, "condition: %s", json_bool(l->d, "value", false) ? "true" : "false");
	say(l, ": ", "error", 300);
}

static void of_attempt(struct line *l)
{
	buf_str(l->out, "started");
}

static void of_outcome(struct line *l)
{
	buf_printf(l->out, "%s", json_str(l->d, "outcome", "?"));
	say(l, ": ", "error", WHY_BYTES_MAX);
	say(l, ", result ", "result", 200);
}

static void of_verification(struct line *l)
{
	buf_printf(l->out, "its proof is run%s", strcmp(json_str(l->d, "why", ""), "person") == 0 ? " on request" : "");
}

/* Which rule of the policy allowed it. */
static void add_rule_of_call(struct line *l)
{
	if (json_str(l->d, "rule", NULL)) buf_printf(l->out, ", allowed by %s", json_str(l->d, "rule", "?"));
}

static void of_call(struct line *l)
{
	buf_printf(l->out, "%s (%s%s)", json_str(l->d, "module", "?"), json_str(l->d, "effect", "?"), json_int(l->d, "again", 0) ? ", made again" : "");
	add_rule_of_call(l);
	buf_str(l->out, ": ");
	add_call_words(l);
	if (json_str(l->d, "child", NULL)) buf_printf(l->out, ", as execution %s", json_str(l->d, "child", "?"));
}

static void of_child(struct line *l)
{
	bool is_stuck = strcmp(json_str(l->d, "state", ""), "running") != 0;
	buf_printf(l->out, "its runbook, execution %s, %s", json_str(l->d, "execution", "?"), is_stuck ? "waits for a person" : "goes on");
}

static void of_conclusion(struct line *l)
{
	static const struct {
		const char *outcome, *words;
	} rows[] = {{"mended", "the cause was found, and its runbook succeeded"},
	            {"proposed", "the cause was found; nothing was run for it"},
	            {"failed", "the cause was found; its runbook did not succeed"},
	            {"no_cause", "no root cause was found"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].outcome, json_str(l->d, "outcome", "")) == 0) buf_str(l->out, rows[i].words);
	if (json_str(l->d, "cause", NULL)) buf_printf(l->out, ": %s", json_str(l->d, "cause", "?"));
	if (json_str(l->d, "execution", NULL)) buf_printf(l->out, " (execution %s)", json_str(l->d, "execution", "?"));
}

static void of_call_finished(struct line *l)
{
	buf_printf(l->out, "call %s", json_str(l->d, "outcome", "?"));
	if (json_object_get(l->d, "code")) buf_printf(l->out, ", exit status %lld", (long long)json_int(l->d, "code", 0));
	if (json_object_get(l->d, "signal")) buf_printf(l->out, ", signal %lld", (long long)json_int(l->d, "signal", 0));
	say(l, ": ", "error", 300);
	say(l, ", answer ", "answer", 200);
}

static void of_unknown(struct line *l)
{
	buf_printf(l->out, "outcome unknown (%s)", json_str(l->d, "why", "?"));
}

static void of_resolved(struct line *l)
{
	buf_printf(l->out, "unknown call resolved: %s", json_str(l->d, "answer", "?"));
	say(l, ": ", "reason", 300);
	say_shown(l);
}

static void of_question(struct line *l)
{
	buf_str(l->out, "asked");
	say(l, ": ", "prompt", 300);
}

static void of_answer(struct line *l)
{
	buf_str(l->out, "answered");
	say(l, ": ", "answer", 300);
}

static void add_rule(struct line *l)
{
	const char *policy = json_str(l->d, "policy", NULL);
	if (!json_str(l->d, "rule", NULL)) return;
	buf_printf(l->out, " by rule %s (line %lld%s%.12s)", json_str(l->d, "rule", "?"), (long long)json_int(l->d, "line", 0), policy ? ", policy " : "",
	           policy ? policy : "");
}

static void of_secret(struct line *l)
{
	size_t i;
	json_t *v;
	buf_str(l->out, "gets the secrets ");
	json_array_foreach(json_arr(l->d, "names"), i, v) buf_printf(l->out, "%s%s", i ? ", " : "", json_is_string(v) ? json_string_value(v) : "?");
}

static void of_elevated(struct line *l)
{
	char until[CLOCK_RFC3339_BYTES];
	clock_rfc3339(until, json_int(l->d, "until_us", 0));
	buf_printf(l->out, "took %s until %.19sZ", json_str(l->d, "elevation", "?"), until);
	say(l, ": ", "reason", 300);
}

static void of_review(struct line *l)
{
	buf_str(l->out, "reviewed what was done with it");
	say(l, ": ", "reason", 300);
}

static void of_approval_asked(struct line *l)
{
	buf_printf(l->out, "waits for %s", json_str(l->d, "from", "?"));
	say(l, ", targets ", "targets", 300);
}

static void of_approval_given(struct line *l)
{
	buf_str(l->out, "agreed");
	say(l, ": ", "reason", 300);
}

static void of_approval_refused(struct line *l)
{
	buf_str(l->out, "refused");
	say(l, ": ", "reason", 300);
}

static void of_approval_withdrawn(struct line *l)
{
	buf_printf(l->out, "what was agreed to counts no more (%s)", json_str(l->d, "why", "?"));
}

static void of_right(struct line *l)
{
	buf_printf(l->out, "right %s", json_bool(l->d, "allowed", false) ? "given" : "denied");
	add_rule(l);
	say(l, ": ", "pattern", 300);
	say(l, ": ", "patterns", 300);
}

static void of_driver(struct line *l)
{
	buf_printf(l->out, "now driven by %s", json_str(l->d, "to", "?"));
	say(l, ": ", "reason", 300);
}

static void of_note(struct line *l)
{
	say(l, "note: ", "note", 2000);
}

static const struct {
	const char *kind;
	void (*say)(struct line *l);
} sayings[] = {
    {"execution.started", of_started},
    {"execution.finished", of_finished},
    {"execution.resumed", of_resumed},
    {"execution.paused", of_paused},
    {"execution.cancelled", of_cancelled},
    {"step.requested", of_requested},
    {"step.skipped", of_skipped},
    {"step.settled", of_settled},
    {"step.reset", of_reset},
    {"condition.evaluated", of_condition},
    {"attempt.started", of_attempt},
    {"attempt.finished", of_outcome},
    {"verification.started", of_verification},
    {"verification.finished", of_outcome},
    {"call.started", of_call},
    {"call.finished", of_call_finished},
    {"call.unknown", of_unknown},
    {"call.resolved", of_resolved},
    {"question.asked", of_question},
    {"question.answered", of_answer},
    {"right.decided", of_right},
    {"right.elevated", of_elevated},
    {"elevation.reviewed", of_review},
    {"approval.asked", of_approval_asked},
    {"approval.given", of_approval_given},
    {"approval.refused", of_approval_refused},
    {"approval.withdrawn", of_approval_withdrawn},
    {"secret.used", of_secret},
    {"driver.changed", of_driver},
    {"child.changed", of_child},
    {"playbook.concluded", of_conclusion},
    {"note.added", of_note},
};

void report_say(const json_t *record, report_blob_fn *blob, void *arg, struct buf *out)
{
	struct building b = {.blob = blob, .arg = arg};
	struct line l = {.b = &b, .d = json_object_get(record, "d"), .out = out};
	const char *kind = json_str(record, "k", "?");
	for (size_t i = 0; i < sizeof sayings / sizeof *sayings; i++)
		if (strcmp(sayings[i].kind, kind) == 0) sayings[i].say(&l);
}

static void add_line(struct building *b, const json_t *record)
{
	struct buf text;
	buf_init(&text, 8192);
	const char *kind = json_str(record, "k", "?");
	report_say(record, b->blob, b->arg, &text);
	json_t *o = json_pack("{s:s,s:I,s:s,s:s?,s:s?,s:o}", "t", json_str(record, "t", ""), "seq", json_int(record, "seq", 0), "kind", kind, "step",
	                      json_str(record, "s", NULL), "by", json_str(record, "by", NULL), "text", json_bytes(text.data ? text.data : "", text.len));
	if (json_object_get(record, "a")) json_object_set(o, "attempt", json_object_get(record, "a"));
	if (json_object_get(record, "c")) json_object_set(o, "call", json_object_get(record, "c"));
	if (fleet_of(b->members, record) >= 0) json_object_set_new(o, "fleet", json_integer(fleet_of(b->members, record)));
	json_array_append_new(b->timeline, o);
	buf_clear(&text);
}

static json_t *step_line(const json_t *s, size_t *manual, size_t *done)
{
	json_int_t from = json_int(s, "started_us", 0), to = json_int(s, "finished_us", 0);
	const char *state = json_str(s, "state", "");
	bool is_manual = json_bool(s, "manual", false);
	if (strcmp(state, "succeeded") == 0 || strcmp(state, "failed") == 0) {
		++*done;
		*manual += is_manual;
	}
	return json_pack("{s:O?,s:O?,s:O?,s:b,s:s,s:O?,s:I,s:O?,s:O?,s:O?,s:O*}", "id", json_object_get(s, "id"), "title", json_object_get(s, "title"), "phase",
	                 json_object_get(s, "phase"), "manual", is_manual, "state", state, "attempts", json_object_get(s, "attempt"), "duration_us",
	                 to > from && from ? to - from : (json_int_t)0, "why", json_object_get(s, "why"), "note", json_object_get(s, "note"), "result",
	                 json_object_get(s, "result"), "diverged", json_obj(s, "diverged"));
}

json_t *report_build(const json_t *view, const json_t *records, const char *checkpoint, report_blob_fn *blob, void *arg)
{
	struct building b = {.timeline = json_array(), .blob = blob, .arg = arg};
	size_t i, manual = 0, done = 0;
	json_t *r, *steps = json_array(), *fleets = fleets_build(records, blob, arg, &b.members);
	json_array_foreach(records, i, r) add_line(&b, r);
	json_array_foreach(json_object_get(view, "steps"), i, r) json_array_append_new(steps, step_line(r, &manual, &done));
	json_int_t from = json_int(view, "started_us", 0), to = json_int(view, "finished_us", 0);
	json_t *o = json_pack("{s:O?,s:O?,s:O?,s:O?,s:O?,s:O?,s:I,s:I,s:I,s:I,s:I,s:o,s:O?,s:o,s:o,s:s}", "execution", json_object_get(view, "execution"),
	                      "book", json_object_get(view, "book"), "plan", json_object_get(view, "plan"), "state", json_object_get(view, "state"), "driver",
	                      json_object_get(view, "driver"), "params", json_object_get(view, "params"), "started_us", from, "finished_us", to, "duration_us",
	                      to ? to - from : (json_int_t)0, "steps_done", (json_int_t)done, "steps_by_hand", (json_int_t)manual, "steps", steps, "notes",
	                      json_object_get(view, "notes"), "fleets", fleets, "timeline", b.timeline, "checkpoint", checkpoint);
	must(o != NULL);
	static const char *const taken[] = {"trigger", "parent", "findings", "conclusion", "children"};
	for (i = 0; i < sizeof taken / sizeof *taken; i++)
		if (json_object_get(view, taken[i])) json_object_set(o, taken[i], json_object_get(view, taken[i]));
	json_decref(b.members);
	return o;
}
