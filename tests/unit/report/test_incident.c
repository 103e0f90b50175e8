#include "base/fs.h"
#include "report/incident.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A blob's text is its name here. */
static char *blob(void *arg, const char *name, size_t *n)
{
	(void)arg;
	*n = strlen(name);
	return strcpy(malloc(*n + 4), name);
}

static json_int_t next_seq;

/* The next record, a second behind the one before; x NULL: of the incident. d: JSON with ' for ". */
static void add(json_t *records, const char *x, const char *kind, const char *step, const char *by, const char *d)
{
	char t[64], *text = strdup(d);
	for (char *at = text; *at; at++)
		if (*at == '\'') *at = '"';
	json_error_t e;
	json_t *data = json_loads(text, 0, &e);
	if (!data) fail_msg("%s: %s", e.text, text);
	snprintf(t, sizeof t, "2026-11-29T03:00:%02d.000000Z", (int)next_seq);
	json_array_append_new(records, json_pack("{s:I,s:s,s:s,s:s,s:s*,s:s,s:o}", "seq", next_seq++, "t", t, "k", kind, "x", x ? x : "INCIDENT", "s", step,
	                                         "by", by, "d", data));
	free(text);
}

static const char alert[] = "{\\'name\\':\\'HostOutOfDiskSpace\\',\\'severity\\':\\'critical\\',\\'labels\\':{\\'mountpoint\\':\\'/var | /log\\'}}";

static void deliver(json_t *records, const char *state, const char *outcome, const char *more)
{
	char d[1024], key[65];
	memset(key, 'a', 64), key[64] = 0;
	snprintf(d, sizeof d, "{'source':'prometheus','key':'%s','state':'%s','outcome':'%s','starts_us':1795921190000000,'alert':'%s'%s}", key, state, outcome,
	         alert, more);
	add(records, NULL, "alert.received", NULL, "system:engine", d);
}

/* From the alert to the end of a night: a playbook finds a cause, its runbook fails at first, somebody is woken and acknowledges by the link. */
static json_t *night(void)
{
	json_t *r = json_array();
	next_seq = 0;
	add(r, NULL, "incident.opened", NULL, "system:engine", "{'origin':'alert','source':'prometheus','priority':2,'owner':'sre','escalation':'web-oncall'}");
	deliver(r, "firing", "starts", ",'execution':'PLAYBOOK','book':'playbooks/disk.md','as':'service:alert-bot','rail':'free'");
	add(r, "PLAYBOOK", "execution.started", NULL, "service:alert-bot",
	    "{'book':'playbooks/disk.md','mode':'auto','steps':2,'plan':'0123456789abcdef','trigger':'alert'}");
	add(r, "PLAYBOOK", "attempt.started", "look", "system:engine", "{}");
	add(r, "PLAYBOOK", "call.started", "look", "system:engine",
	    "{'module':'evidence','function':'add','effect':'read','arguments':'{\\'arguments\\':{\\'name\\':\\'largest\\',\\'data\\':{\\'path\\':\\'/var/"
	    "log\\'}}}'}");
	add(r, "PLAYBOOK", "call.started", "look", "system:engine",
	    "{'module':'cause','function':'found','effect':'read','arguments':'{\\'arguments\\':{\\'id\\':\\'old-logs\\'}}'}");
	deliver(r, "firing", "joins", "");
	add(r, NULL, "execution.linked", NULL, "system:engine", "{'execution':'RUNBOOK','trigger':'parent','parent':'PLAYBOOK'}");
	add(r, "RUNBOOK", "execution.started", NULL, "service:alert-bot",
	    "{'book':'runbooks/logs.md','mode':'auto','steps':1,'plan':'fedcba9876543210','trigger':'parent','parent':'PLAYBOOK','parent_step':'remedy'}");
	add(r, NULL, "execution.ended", NULL, "system:engine", "{'execution':'RUNBOOK','state':'failed'}");
	add(r, NULL, "execution.ended", NULL, "system:engine", "{'execution':'PLAYBOOK','state':'failed','cause':'old-logs'}");
	add(r, NULL, "escalation.raised", NULL, "system:engine", "{'trigger':'failed','policy':'web-oncall','reason':'compress: no space'}");
	add(r, NULL, "level.reached", NULL, "system:engine", "{'climb':1,'policy':1,'round':1,'level':1}");
	add(r, NULL, "notification.started", NULL, "system:engine", "{'number':1,'person':0,'channel':0,'attempt':1,'name':'ana','kind':'mail'}");
	add(r, NULL, "notification.finished", NULL, "system:engine", "{'number':1,'result':'failed','error':'<b>450</b> busy'}");
	add(r, NULL, "level.reached", NULL, "system:engine", "{'climb':1,'policy':1,'round':1,'level':2}");
	add(r, NULL, "notification.started", NULL, "system:engine", "{'number':2,'person':0,'channel':0,'attempt':1,'name':'bo','kind':'webhook'}");
	add(r, NULL, "notification.finished", NULL, "system:engine", "{'number':2,'result':'delivered'}");
	add(r, NULL, "incident.acknowledged", NULL, "user:bo", "{'how':'link','link':2}");
	add(r, NULL, "incident.noted", NULL, "user:bo", "{'note':'cleaned up by hand'}");
	add(r, NULL, "incident.mitigated", NULL, "user:bo", "{'why':'person'}");
	deliver(r, "resolved", "resolves", "");
	add(r, NULL, "incident.resolved", NULL, "system:engine", "{'how':'alert'}");
	return r;
}

static json_t *build(void)
{
	json_t *records = night();
	json_t *row = json_pack("{s:s,s:s,s:s,s:i}", "incident", "INCIDENT", "title", "HostOutOfDiskSpace", "state", "resolved", "priority", 2);
	json_t *executions = json_pack("[{s:s,s:s,s:s,s:s,s:s},{s:s,s:s,s:s,s:s,s:s}]", "execution", "PLAYBOOK", "book", "playbooks/disk.md", "title",
	                               "Disk is filling", "state", "failed", "driver", "service:alert-bot", "execution", "RUNBOOK", "book", "runbooks/logs.md",
	                               "title", "Rotate logs", "state", "failed", "driver", "service:alert-bot");
	json_t *report = incident_report_build(row, executions, records, "origin\n1\nroot=\n", blob, NULL);
	json_decref(row);
	json_decref(executions);
	json_decref(records);
	return report;
}

static json_int_t second(const json_t *r, const char *key)
{
	return json_int(r, key, 0) / 1000000 - 1795921200;
}

static void its_times_are_those_of_the_records(void **state)
{
	(void)state;
	json_t *r = build();
	assert_int_equal(second(r, "detected_us"), -10);
	assert_int_equal(second(r, "opened_us"), 0);
	assert_int_equal(second(r, "acknowledged_us"), 18);
	assert_int_equal(second(r, "mitigated_us"), 20);
	assert_int_equal(second(r, "resolved_us"), 22);
	assert_string_equal(json_str(r, "acknowledged_by", ""), "user:bo");
	assert_null(json_str(r, "resolved_by", NULL));
	json_decref(r);
}

static void alert_findings_executions_and_messages_are_told_once_each(void **state)
{
	(void)state;
	json_t *r = build();
	json_t *a = json_array_get(json_arr(r, "alerts"), 0);
	assert_int_equal(json_array_size(json_arr(r, "alerts")), 1);
	assert_int_equal(json_int(a, "deliveries", 0), 3);
	assert_string_equal(json_str(a, "state", ""), "resolved");
	assert_int_equal(json_array_size(json_arr(r, "findings")), 2);
	assert_string_equal(json_str(json_array_get(json_arr(r, "findings"), 1), "name", ""), "old-logs");
	assert_string_equal(json_str(json_array_get(json_arr(r, "executions"), 0), "cause", ""), "old-logs");
	assert_string_equal(json_str(json_array_get(json_arr(r, "executions"), 1), "parent", ""), "PLAYBOOK");
	assert_int_equal(json_array_size(json_arr(r, "messages")), 2);
	assert_string_equal(json_str(json_array_get(json_arr(r, "messages"), 0), "result", ""), "failed");
	assert_string_equal(json_str(json_array_get(json_arr(r, "messages"), 1), "level", ""), "level 2");
	assert_int_equal(json_array_size(json_arr(r, "timeline")), 23);
	json_decref(r);
}

/* RUNG_GOLDEN=write makes the file anew. */
static void the_whole_reads_as_one_timeline(void **state)
{
	(void)state;
	struct buf got, want;
	struct error e;
	json_t *r = build();
	const char *path = "tests/golden/report/incident.md", *mode = getenv("RUNG_GOLDEN");
	buf_init(&got, 1 << 20);
	buf_init(&want, 1 << 20);
	incident_report_markdown(r, &got);
	if (mode && strcmp(mode, "write") == 0) {
		if (fs_write_atomic(path, got.data, got.len, 0644, &e)) fail_msg("%s", e.text);
	} else if (fs_read(path, &want, &e)) {
		fail_msg("%s (run with RUNG_GOLDEN=write)", e.text);
	} else {
		assert_string_equal(got.data, want.data ? want.data : "");
	}
	buf_clear(&got);
	buf_clear(&want);
	json_decref(r);
}

/* What is missing, erased or of another shape than today's is left out, and nothing breaks. */
static void records_that_say_little_are_no_trouble(void **state)
{
	(void)state;
	json_t *records = json_array();
	next_seq = 0;
	static const char *const kinds[] = {"incident.opened",       "alert.received",       "execution.linked",      "execution.ended",
	                                    "incident.acknowledged", "incident.noted",       "incident.resolved",     "escalation.raised",
	                                    "level.reached",         "notification.started", "notification.finished", "something.new"};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) add(records, NULL, kinds[i], NULL, "?", "{}");
	add(records, "OTHER", "call.started", "s", "?", "{'module':'cause','arguments':'no JSON'}");
	json_t *row = json_pack("{s:s}", "incident", "INCIDENT"), *r = incident_report_build(row, NULL, records, "", blob, NULL);
	struct buf out;
	buf_init(&out, 1 << 20);
	incident_report_markdown(r, &out);
	assert_non_null(strstr(out.data, "something.new"));
	assert_int_equal(json_array_size(json_arr(r, "timeline")), 13);
	buf_clear(&out);
	json_decref(r);
	json_decref(row);
	json_decref(records);
}

/* The report of an incident of which three things are recorded: that it was opened, one by whom and with what data, and its end. */
static json_t *of_three(const char *kind, const char *by, const char *d, const char *end)
{
	json_t *records = json_array(), *row = json_pack("{s:s,s:s}", "incident", "INCIDENT", "title", "A runbook waits");
	next_seq = 0;
	add(records, NULL, "incident.opened", NULL, "system:engine", "{'origin':'execution'}");
	add(records, NULL, kind, NULL, by, d);
	if (end) add(records, NULL, "incident.resolved", NULL, "system:engine", end);
	json_t *r = incident_report_build(row, NULL, records, "", blob, NULL);
	json_decref(row);
	json_decref(records);
	return r;
}

static const char *text_at(const json_t *r, size_t i)
{
	return json_str(json_array_get(json_arr(r, "timeline"), i), "text", "");
}

static void expect_markdown(const json_t *r, const char *there, const char *not_there)
{
	struct buf out;
	buf_init(&out, 1 << 20);
	incident_report_markdown(r, &out);
	if (!strstr(out.data, there) || strstr(out.data, not_there)) fail_msg("%s, and not %s:\n%s", there, not_there, out.data);
	buf_clear(&out);
}

static void what_an_execution_ended_is_said_of_no_person_and_no_alert(void **state)
{
	(void)state;
	json_t *r = of_three("incident.acknowledged", "system:engine", "{'how':'answered'}", "{'how':'execution'}");
	assert_string_equal(text_at(r, 1), "nobody else is called: whom it waited for has come");
	assert_string_equal(text_at(r, 2), "resolved: what was run ended well");
	assert_string_equal(json_str(r, "resolved_how", ""), "execution");
	expect_markdown(r, "| Resolved by | executions, which ended well |", "alerts");
	json_decref(r);
}

static void a_policy_that_a_person_turned_to_is_no_edit_of_a_file(void **state)
{
	(void)state;
	json_t *r = of_three("ladder.changed", "user:ana", "{'ladder':'l','policy':'dba'}", NULL);
	assert_string_equal(text_at(r, 1), "from here on the climb is that of dba");
	json_decref(r);
	r = of_three("ladder.changed", "system:engine", "{'ladder':'l'}", NULL);
	assert_string_equal(text_at(r, 1), "oncall.yaml has changed: the climb goes on as it says now");
	json_decref(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(its_times_are_those_of_the_records),
	    cmocka_unit_test(alert_findings_executions_and_messages_are_told_once_each),
	    cmocka_unit_test(the_whole_reads_as_one_timeline),
	    cmocka_unit_test(records_that_say_little_are_no_trouble),
	    cmocka_unit_test(what_an_execution_ended_is_said_of_no_person_and_no_alert),
	    cmocka_unit_test(a_policy_that_a_person_turned_to_is_no_edit_of_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
