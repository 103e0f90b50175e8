#include "journal/record_kinds.h"
#include "base/clock.h"
#include "base/text.h"

#include <string.h>

enum { NAME_BYTES_MAX = 1024, WORD_BYTES_MAX = 64, BLOB_NAME_BYTES = 76, DIGEST_TEXT_BYTES = 64 };

/* clang-format off */
#define MUST(key, type) {key, FIELD_##type, true}
#define MAY(key, type) {key, FIELD_##type, false}

/* Keys that several kinds share mean the same in each: why is a word from a table, reason what a person wrote. */
const struct record_kind_row record_kind_table[RECORD_KIND_N] = {
	[RECORD_LOG_OPENED] = {"log.opened", "the first record of a log", SCOPE_LOG, {
		MUST("origin", NAME), MUST("key", NAME), MUST("hash", WORD), MUST("engine", WORD)}},
	[RECORD_LOG_CONTINUED] = {"log.continued", "a guard was set aside, or this log goes on where an older one stopped", SCOPE_LOG, {
		MUST("why", WORD), MAY("reason", BLOB), MAY("origin", NAME), MAY("size", INT), MAY("root", DIGEST), MAY("key", NAME)}},
	[RECORD_KEY_ROTATED] = {"key.rotated", "checkpoints after the one that covers this record are signed by another key", SCOPE_LOG, {
		MUST("key", NAME), MAY("why", WORD), MAY("reason", BLOB)}},
	[RECORD_CLOCK_STEPPED] = {"clock.stepped", "the clock is more than a second behind the record before", SCOPE_LOG, {
		MUST("back_us", INT)}},
	[RECORD_EXECUTION_STARTED] = {"execution.started", "a plan begins to run", SCOPE_EXECUTION, {
		MUST("book", NAME), MUST("plan", DIGEST), MAY("anchor", NAME), MAY("trigger", WORD), MAY("mode", WORD), MAY("driver", NAME), MAY("parent", NAME),
		MAY("parent_step", NAME), MAY("parent_attempt", INT), MAY("parent_call", INT), MAY("from", NAME), MAY("from_step", NAME), MAY("parameters", BLOB),
		MAY("title", BLOB), MAY("reason", BLOB), MAY("rights", BLOB), MAY("environment", BLOB), MAY("engine", WORD), MAY("steps", INT),
		MAY("policy", DIGEST), MAY("revision", WORD), MAY("incident", NAME), MAY("alert", BLOB)}},
	[RECORD_EXECUTION_FINISHED] = {"execution.finished", "it reached a state that it does not leave by itself", SCOPE_EXECUTION, {
		MUST("state", WORD), MAY("why", WORD), MAY("step", NAME), MAY("reason", BLOB), MAY("result", BLOB), MAY("error", BLOB), MAY("counts", TREE)}},
	[RECORD_EXECUTION_RESUMED] = {"execution.resumed", "it goes on after a pause, a wait or a crash", SCOPE_EXECUTION, {
		MAY("why", WORD), MAY("driver", NAME), MAY("reason", BLOB), MAY("engine", WORD), MAY("mode", WORD), MAY("state", WORD)}},
	[RECORD_EXECUTION_PAUSED] = {"execution.paused", "nothing new starts until somebody says so", SCOPE_EXECUTION, {
		MAY("why", WORD), MAY("state", WORD), MAY("step", NAME), MAY("reason", BLOB)}},
	[RECORD_EXECUTION_CANCELLED] = {"execution.cancelled", "somebody asked to stop it", SCOPE_EXECUTION, {
		MAY("why", WORD), MAY("reason", BLOB)}},
	[RECORD_STEP_REQUESTED] = {"step.requested", "a person said go", SCOPE_STEP, {
		MAY("how", WORD), MAY("why", WORD), MAY("attempt", INT)}},
	[RECORD_STEP_SKIPPED] = {"step.skipped", "the step does not run", SCOPE_STEP, {
		MUST("why", WORD), MAY("to", NAME), MAY("reason", BLOB)}},
	[RECORD_STEP_SETTLED] = {"step.settled", "a person's word on what became of the step", SCOPE_STEP, {
		MUST("outcome", WORD), MAY("why", WORD), MAY("note", BLOB), MAY("reason", BLOB), MAY("result", BLOB), MAY("to", NAME), MAY("not_made", INT), MAY("shown", BLOB),
		MAY("is_seen", BOOL)}},
	[RECORD_STEP_RESET] = {"step.reset", "the step is pending again", SCOPE_STEP, {
		MUST("why", WORD), MAY("attempt", INT), MAY("from", NAME), MAY("count", INT)}},
	[RECORD_CONDITION_EVALUATED] = {"condition.evaluated", "an expression of the step gave an answer", SCOPE_STEP, {
		MUST("outcome", WORD), MAY("what", WORD), MAY("value", BOOL), MAY("count", INT), MAY("result", BLOB), MAY("error", BLOB)}},
	[RECORD_ATTEMPT_STARTED] = {"attempt.started", "a worker begins a try of the step", SCOPE_ATTEMPT, {
		MAY("how", WORD), MAY("why", WORD), MAY("effect", WORD), MAY("risk", WORD), MAY("phase", WORD), MAY("key", NAME), MAY("item", BLOB), MAY("items", INT),
		MAY("time_us", INT), MAY("seed", INT), MAY("timeout_us", INT), MAY("due_us", INT), MAY("is_replay", BOOL), MAY("inputs", BLOB), MAY("text", BLOB)}},
	[RECORD_ATTEMPT_FINISHED] = {"attempt.finished", "the try is over", SCOPE_ATTEMPT, {
		MUST("outcome", WORD), MAY("why", WORD), MAY("to", NAME), MAY("result", BLOB), MAY("error", BLOB), MAY("reason", BLOB), MAY("calls", INT),
		MAY("duration_us", INT), MAY("cpu_us", INT), MAY("memory_bytes", INT), MAY("retry_us", INT), MAY("output", BLOBS), MAY("log", BLOBS), MAY("diverged", INT), MAY("asked", BLOB)}},
	[RECORD_VERIFICATION_STARTED] = {"verification.started", "the step's proof begins", SCOPE_STEP, {
		MAY("why", WORD), MAY("time_us", INT), MAY("seed", INT), MAY("timeout_us", INT), MAY("due_us", INT)}},
	[RECORD_VERIFICATION_FINISHED] = {"verification.finished", "the proof holds, or does not", SCOPE_STEP, {
		MUST("outcome", WORD), MAY("why", WORD), MAY("result", BLOB), MAY("error", BLOB), MAY("reason", BLOB), MAY("calls", INT), MAY("duration_us", INT), MAY("cpu_us", INT)}},
	[RECORD_CALL_STARTED] = {"call.started", "the intent: a call is about to be made", SCOPE_CALL, {
		MUST("module", WORD), MUST("function", WORD), MUST("effect", WORD), MAY("arguments", BLOB), MAY("digest", DIGEST), MAY("purpose", WORD), MAY("risk", WORD),
		MAY("key", NAME), MAY("target", NAME), MAY("again", INT), MAY("timeout_us", INT), MAY("due_us", INT), MAY("text", BLOB), MAY("by", WORD), MAY("rule", NAME),
		MAY("line", INT), MAY("policy", DIGEST), MAY("child", NAME)}},
	[RECORD_CALL_FINISHED] = {"call.finished", "the outcome of a call", SCOPE_CALL, {
		MUST("outcome", WORD), MAY("why", WORD), MAY("answer", BLOB), MAY("error", BLOB), MAY("code", INT), MAY("signal", INT), MAY("status", INT), MAY("time_us", INT),
		MAY("duration_us", INT), MAY("output", BLOBS), MAY("stdout", BLOBS), MAY("stderr", BLOBS), MAY("output_bytes", INT), MAY("stdout_bytes", INT),
		MAY("stderr_bytes", INT), MAY("is_truncated", BOOL), MAY("is_redacted", BOOL), MAY("by", WORD), MAY("payload", BLOBS), MAY("details", BLOB)}},
	[RECORD_CALL_UNKNOWN] = {"call.unknown", "a call was in flight and nobody knows what became of it", SCOPE_CALL, {
		MUST("why", WORD), MAY("effect", WORD), MAY("output", BLOBS), MAY("stdout", BLOBS), MAY("stderr", BLOBS), MAY("output_bytes", INT), MAY("still_running", INT), MAY("error", BLOB)}},
	[RECORD_CALL_RESOLVED] = {"call.resolved", "what to believe of an unknown call", SCOPE_CALL, {
		MUST("answer", WORD), MAY("why", WORD), MAY("reason", BLOB), MAY("result", BLOB), MAY("shown", BLOB), MAY("is_seen", BOOL)}},
	[RECORD_CHILD_CHANGED] = {"child.changed", "the execution that the call runs begins to wait for a person, or goes on", SCOPE_CALL, {
		MUST("execution", NAME), MUST("state", WORD)}},
	[RECORD_QUESTION_ASKED] = {"question.asked", "the step waits for a person", SCOPE_STEP, {
		MAY("type", WORD), MAY("why", WORD), MAY("prompt", BLOB), MAY("choices", BLOB), MAY("from", NAME), MAY("needed", INT), MAY("due_us", INT)}},
	[RECORD_QUESTION_ANSWERED] = {"question.answered", "a person's answer", SCOPE_STEP, {
		MAY("outcome", WORD), MAY("answer", BLOB), MAY("choice", INT), MAY("reason", BLOB)}},
	[RECORD_RIGHT_DECIDED] = {"right.decided", "a right was granted or denied", SCOPE_EXECUTION, {
		MUST("allowed", BOOL), MUST("by", WORD), MAY("why", WORD), MAY("pattern", BLOB), MAY("patterns", BLOB), MAY("capability", BLOB), MAY("rule", NAME), MAY("reason", BLOB),
		MAY("line", INT), MAY("policy", DIGEST)}},
	[RECORD_RIGHT_ELEVATED] = {"right.elevated", "somebody took a right that the policy gives with a reason and for a time", SCOPE_EXECUTION, {
		MUST("elevation", NAME), MUST("until_us", INT), MUST("reason", BLOB), MAY("policy", DIGEST), MAY("line", INT)}},
	[RECORD_ELEVATION_REVIEWED] = {"elevation.reviewed", "somebody else looked at what was done with it", SCOPE_EXECUTION, {
		MUST("reason", BLOB)}},
	[RECORD_APPROVAL_ASKED] = {"approval.asked", "the step begins when enough others agree", SCOPE_STEP, {
		MUST("needed", INT), MUST("binding", DIGEST), MUST("from", NAME), MAY("within_us", INT), MAY("rules", NAMES), MAY("policy", DIGEST), MAY("targets", BLOB),
		MAY("target_count", INT)}},
	[RECORD_APPROVAL_GIVEN] = {"approval.given", "one agrees to exactly what the binding is the digest of", SCOPE_STEP, {
		MUST("binding", DIGEST), MUST("reason", BLOB), MUST("until_us", INT)}},
	[RECORD_APPROVAL_REFUSED] = {"approval.refused", "one does not: the step is denied", SCOPE_STEP, {
		MUST("reason", BLOB)}},
	[RECORD_APPROVAL_WITHDRAWN] = {"approval.withdrawn", "what was agreed to counts no more", SCOPE_STEP, {
		MUST("why", WORD)}},
	[RECORD_START_DENIED] = {"start.denied", "somebody wanted a book run, and may not", SCOPE_LOG, {
		MUST("book", NAME), MUST("by", WORD), MUST("reason", BLOB), MAY("rule", NAME), MAY("line", INT), MAY("policy", DIGEST)}},
	[RECORD_BOOK_APPROVED] = {"book.approved", "a revision of a book that services may run", SCOPE_LOG, {
		MUST("book", NAME), MUST("digest", DIGEST), MUST("reason", BLOB)}},
	[RECORD_SECRET_USED] = {"secret.used", "a call gets the values of secrets; names only", SCOPE_CALL, {
		MUST("names", NAMES)}},
	[RECORD_DRIVER_CHANGED] = {"driver.changed", "another principal is in charge", SCOPE_EXECUTION, {
		MUST("to", NAME), MAY("from", NAME), MAY("why", WORD), MAY("reason", BLOB)}},
	[RECORD_NOTE_ADDED] = {"note.added", "what somebody wrote down", SCOPE_EXECUTION, {
		MUST("note", BLOB), MAY("why", WORD)}},
	[RECORD_PLAYBOOK_CONCLUDED] = {"playbook.concluded", "its steps are over: was the cause found, and what became of it", SCOPE_EXECUTION, {
		MUST("outcome", WORD), MAY("cause", NAME), MAY("runbook", NAME), MAY("execution", NAME), MAY("count", INT), MAY("within_us", INT)}},
	[RECORD_INCIDENT_OPENED] = {"incident.opened", "a thing to be worked on", SCOPE_INCIDENT, {
		MUST("origin", WORD), MAY("key", DIGEST), MAY("source", NAME), MAY("priority", INT), MAY("owner", NAME), MAY("escalation", NAME), MAY("execution", NAME),
		MAY("title", BLOB), MAY("reason", BLOB)}},
	[RECORD_ALERT_RECEIVED] = {"alert.received", "what a source delivered of one alert, and what was decided", SCOPE_LOG, {
		MUST("source", NAME), MUST("key", DIGEST), MUST("state", WORD), MUST("outcome", WORD), MAY("rail", WORD), MAY("starts_us", INT), MAY("execution", NAME),
		MAY("rule", NAME), MAY("line", INT), MAY("again_us", INT), MAY("book", NAME), MAY("as", NAME), MAY("owner", NAME), MAY("escalation", NAME), MAY("priority", INT),
		MAY("parameters", BLOB), MAY("alert", BLOB), MAY("body", BLOBS), MAY("reason", BLOB), MAY("is_cut", BOOL), MAY("alerts", DIGEST), MAY("within_us", INT)}},
	[RECORD_EXECUTION_LINKED] = {"execution.linked", "an execution that no alert started works on the incident", SCOPE_INCIDENT, {
		MUST("execution", NAME), MAY("trigger", WORD), MAY("parent", NAME), MAY("rule", NAME), MAY("book", NAME)}},
	[RECORD_EXECUTION_ENDED] = {"execution.ended", "how an execution of the incident ended, or why it did not begin", SCOPE_INCIDENT, {
		MUST("execution", NAME), MUST("state", WORD), MAY("cause", NAME), MAY("reason", BLOB), MAY("within_us", INT)}},
	[RECORD_INCIDENT_ACKNOWLEDGED] = {"incident.acknowledged", "somebody has it: nobody else is notified", SCOPE_INCIDENT, {
		MUST("how", WORD), MAY("link", INT), MAY("note", BLOB)}},
	[RECORD_INCIDENT_NOTED] = {"incident.noted", "what somebody wrote down", SCOPE_INCIDENT, {
		MUST("note", BLOB)}},
	[RECORD_INCIDENT_ASSIGNED] = {"incident.assigned", "somebody else has it from now on", SCOPE_INCIDENT, {
		MUST("to", NAME), MAY("reason", BLOB)}},
	[RECORD_INCIDENT_PRIORITISED] = {"incident.prioritised", "how urgent it is", SCOPE_INCIDENT, {
		MUST("priority", INT), MAY("reason", BLOB)}},
	[RECORD_INCIDENT_MITIGATED] = {"incident.mitigated", "what was done about it worked", SCOPE_INCIDENT, {
		MUST("why", WORD), MAY("execution", NAME), MAY("reason", BLOB)}},
	[RECORD_INCIDENT_RESOLVED] = {"incident.resolved", "it is over", SCOPE_INCIDENT, {
		MUST("how", WORD), MAY("reason", BLOB)}},
	[RECORD_ESCALATION_RAISED] = {"escalation.raised", "somebody must look", SCOPE_INCIDENT, {
		MUST("trigger", WORD), MAY("hold_us", INT), MAY("execution", NAME), MAY("step", NAME), MAY("reason", BLOB), MAY("policy", NAME), MAY("ladder", BLOB),
		MAY("oncall", DIGEST)}},
	[RECORD_LEVEL_REACHED] = {"level.reached", "the next people are notified", SCOPE_INCIDENT, {
		MUST("climb", INT), MUST("policy", INT), MUST("round", INT), MUST("level", INT)}},
	[RECORD_NOTIFICATION_STARTED] = {"notification.started", "the intent: a message is about to be sent", SCOPE_INCIDENT, {
		MUST("number", INT), MUST("person", INT), MUST("channel", INT), MUST("attempt", INT), MAY("name", NAME), MAY("kind", WORD)}},
	[RECORD_NOTIFICATION_FINISHED] = {"notification.finished", "what became of the message", SCOPE_INCIDENT, {
		MUST("number", INT), MUST("result", WORD), MAY("error", BLOB)}},
	[RECORD_ESCALATION_POSTPONED] = {"escalation.postponed", "nobody is notified for a while", SCOPE_INCIDENT, {
		MUST("hold_us", INT), MAY("reason", BLOB)}},
	[RECORD_ESCALATION_EXHAUSTED] = {"escalation.exhausted", "every level was reached and nobody acknowledged", SCOPE_INCIDENT, {
		MUST("reached", BOOL)}},
	[RECORD_LADDER_CHANGED] = {"ladder.changed", "oncall.yaml was written anew, or a person turned to another policy", SCOPE_INCIDENT, {
		MUST("ladder", BLOB), MAY("oncall", DIGEST), MAY("policy", NAME)}},
	[RECORD_ESCALATION_RESUMED] = {"escalation.resumed", "another engine goes on with it", SCOPE_INCIDENT, {
		MAY("alive_us", INT)}},
	[RECORD_TOKEN_CREATED] = {"token.created", "who has the token may ask over HTTP as somebody", SCOPE_LOG, {
		MUST("name", NAME), MUST("for", NAME), MUST("hash", DIGEST), MAY("expires_us", INT)}},
	[RECORD_TOKEN_REVOKED] = {"token.revoked", "the token counts no more", SCOPE_LOG, {
		MUST("name", NAME)}},
	[RECORD_ONCALL_TESTED] = {"oncall.tested", "the intent: somebody asked for a test message on each channel of a person", SCOPE_LOG, {
		MUST("person", NAME), MUST("channels", INT)}},
	[RECORD_BLOB_ERASED] = {"blob.erased", "blobs lost their bytes and salts for good", SCOPE_LOG, {
		MUST("count", INT), MAY("why", WORD), MAY("reason", BLOB)}},
};
/* clang-format on */

static const char *const type_names[FIELD_TYPE_N] = {"word", "name", "digest", "blob", "blobs", "names", "integer", "boolean", "tree"};
static const char *const type_words[FIELD_TYPE_N] = {
    "a word", "a name", "a digest", "the name of a blob", "an array of names of blobs", "an array of names", "an integer", "a boolean", "plain data"};
static const char *const scope_names[SCOPE_N] = {"log", "execution", "step", "attempt", "call", "incident"};

const char *record_kind_name(enum record_kind k)
{
	must(k < RECORD_KIND_N);
	return record_kind_table[k].name;
}

enum err record_kind_find(const char *name, enum record_kind *out, struct error *e)
{
	for (int k = 0; k < RECORD_KIND_N; k++) {
		if (strcmp(record_kind_table[k].name, name) != 0) continue;
		*out = (enum record_kind)k;
		return ERR_OK;
	}
	return error_set(e, ERR_INVALID, "\"%.64s\" is no kind of record (`rung help records` lists them)", name);
}

static bool is_hex(const char *s, size_t n)
{
	return strspn(s, "0123456789abcdef") == n;
}

bool record_is_blob_name(const char *text, size_t n)
{
	return n == BLOB_NAME_BYTES && memcmp(text, "hmac-sha256:", 12) == 0 && is_hex(text + 12, n - 12);
}

static bool is_word(const char *s, size_t n)
{
	return n > 0 && n <= WORD_BYTES_MAX && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/-") == n;
}

static bool is_name(const json_t *v)
{
	size_t n = json_string_length(v);
	return json_is_string(v) && n > 0 && n <= NAME_BYTES_MAX;
}

static bool all(const json_t *array, bool (*is_fine)(const json_t *))
{
	size_t i;
	json_t *v;
	if (!json_is_array(array)) return false;
	json_array_foreach(array, i, v) if (!is_fine(v)) return false;
	return true;
}

static bool is_blob(const json_t *v)
{
	return json_is_string(v) && record_is_blob_name(json_string_value(v), json_string_length(v));
}

/* The caller has checked the depth. */
static bool is_tree(const json_t *v)
{
	if (json_is_object(v)) {
		const char *key;
		json_t *m;
		json_object_foreach((json_t *)v, key, m) if (!is_tree(m)) return false;
		return true;
	}
	return is_name(v) || json_is_integer(v) || json_is_boolean(v) || all(v, is_tree);
}

static bool matches(const json_t *v, enum record_field_type type)
{
	const char *s = json_is_string(v) ? json_string_value(v) : "";
	size_t n = json_is_string(v) ? json_string_length(v) : 0;
	switch (type) {
	case FIELD_WORD:
		return is_word(s, n);
	case FIELD_NAME:
		return is_name(v);
	case FIELD_DIGEST:
		return n == DIGEST_TEXT_BYTES && is_hex(s, n);
	case FIELD_BLOB:
		return is_blob(v);
	case FIELD_BLOBS:
		return all(v, is_blob);
	case FIELD_NAMES:
		return all(v, is_name);
	case FIELD_INT:
		return json_is_integer(v);
	case FIELD_BOOL:
		return json_is_boolean(v);
	case FIELD_TREE:
		return is_tree(v);
	case FIELD_TYPE_N:
		break;
	}
	return false;
}

static const struct record_field *field_of(const struct record_kind_row *row, const char *key)
{
	for (const struct record_field *f = row->fields; f < row->fields + RECORD_FIELDS_MAX && f->key; f++)
		if (strcmp(f->key, key) == 0) return f;
	return NULL;
}

static enum err check_data(const struct record_kind_row *row, const json_t *d, struct error *e)
{
	const char *key;
	json_t *v;
	if (d && !json_is_object(d)) return error_set(e, ERR_INVALID, "d of %s must be an object", row->name);
	if (d && json_depth(d) > JOURNAL_DATA_DEPTH_MAX)
		return error_set(e, ERR_INVALID, "d of %s is nested deeper than %d levels", row->name, JOURNAL_DATA_DEPTH_MAX);
	json_object_foreach((json_t *)d, key, v)
	{
		const struct record_field *f = field_of(row, key);
		if (!f) return error_set(e, ERR_INVALID, "%s has no key d.%.64s", row->name, key);
		must(f->type < FIELD_TYPE_N);
		if (!matches(v, f->type)) return error_set(e, ERR_INVALID, "d.%s of %s must be %s", key, row->name, type_words[f->type]);
	}
	for (const struct record_field *f = row->fields; f < row->fields + RECORD_FIELDS_MAX && f->key; f++)
		if (f->is_required && !json_object_get(d, f->key))
			return error_set(e, ERR_INVALID, "%s needs d.%s, %s", row->name, f->key, type_words[f->type]);
	return ERR_OK;
}

static bool is_short(const char *s)
{
	return !s || (s[0] && strlen(s) <= NAME_BYTES_MAX);
}

enum err record_check(const struct record *r, struct error *e)
{
	if (r->kind < 0 || r->kind >= RECORD_KIND_N) return error_set(e, ERR_INVALID, "%d is no kind of record", (int)r->kind);
	const struct record_kind_row *row = &record_kind_table[r->kind];
	if (r->execution && !ulid_is_valid(r->execution))
		return error_set(e, ERR_INVALID, "the execution of %s must be a ULID, not \"%.64s\"", row->name, r->execution);
	if (!is_short(r->step) || !is_short(r->node) || !is_short(r->by))
		return error_set(e, ERR_INVALID, "step, node and principal of %s must have 1 to %d bytes", row->name, NAME_BYTES_MAX);
	if (r->epoch > INT64_MAX) return error_set(e, ERR_INVALID, "the lease epoch of %s is over 63 bits", row->name);
	bool has[SCOPE_N] = {true, r->execution != NULL, r->step != NULL, r->attempt != 0, r->call != 0, r->execution != NULL};
	bool is_deeper = r->step || r->attempt || r->call;
	if ((row->scope == SCOPE_INCIDENT || r->kind == RECORD_ALERT_RECEIVED) && is_deeper)
		return error_set(e, ERR_INVALID, "%s is about no step, attempt or call", row->name);
	for (int s = row->scope == SCOPE_INCIDENT ? SCOPE_INCIDENT : 0; s <= (int)row->scope; s++)
		if (!has[s]) return error_set(e, ERR_INVALID, "%s must name its %s", row->name, scope_names[s]);
	return check_data(row, r->data, e);
}

void record_blobs(const struct record *r, void (*fn)(void *arg, const char *name), void *arg)
{
	const char *key;
	json_t *v, *m;
	size_t i;
	json_object_foreach((json_t *)r->data, key, v)
	{
		const struct record_field *f = field_of(&record_kind_table[r->kind], key);
		if (f && f->type == FIELD_BLOB) fn(arg, json_string_value(v));
		if (f && f->type == FIELD_BLOBS) json_array_foreach(v, i, m) fn(arg, json_string_value(m));
	}
}

json_t *record_kinds_json(void)
{
	json_t *list = json_array();
	for (int k = 0; k < RECORD_KIND_N; k++) {
		const struct record_kind_row *row = &record_kind_table[k];
		json_t *fields = json_array();
		for (const struct record_field *f = row->fields; f < row->fields + RECORD_FIELDS_MAX && f->key; f++)
			json_array_append_new(fields, json_pack("{s:s,s:s,s:b}", "key", f->key, "type", type_names[f->type], "required", f->is_required));
		json_array_append_new(list,
		                      json_pack("{s:s,s:s,s:s,s:o}", "kind", row->name, "about", scope_names[row->scope], "what", row->what, "d", fields));
	}
	return list;
}
