#include "report/report.h"

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

static json_t *parse(const char *text)
{
	json_error_t e;
	json_t *v = json_loads(text, 0, &e);
	if (!v) fail_msg("%s", e.text);
	return v;
}

static json_t *build(const char *view_text, const char *records_text)
{
	json_t *view = parse(view_text), *records = parse(records_text), *report = report_build(view, records, "origin\n1\nroot=\n", blob, NULL);
	json_decref(view);
	json_decref(records);
	return report;
}

static const char *const view =
    "{\"execution\":\"X\",\"state\":\"failed\",\"driver\":\"user:ana\",\"started_us\":1000000,\"finished_us\":3500000,\"plan\":\"p\",\"book\":{\"title\":\"A "
    "<b>|title\",\"path\":\"x.md\",\"digest\":\"d\"},"
    "\"steps\":[{\"id\":\"a\",\"title\":\"Look\",\"state\":\"succeeded\",\"manual\":true,\"attempt\":1,\"started_us\":1,\"finished_us\":1000001},"
    "{\"id\":\"b\",\"title\":\"Do\",\"state\":\"failed\",\"manual\":false,\"attempt\":2,\"why\":\"![x](http://evil) \\u001b[31m $a$ `c` www.evil "
    "@team\"}],\"notes\":[]}";

static void what_was_done_by_hand_is_counted(void **state)
{
	(void)state;
	json_t *r = build(view, "[]");
	assert_int_equal(json_int(r, "steps_done", 0), 2);
	assert_int_equal(json_int(r, "steps_by_hand", 0), 1);
	assert_int_equal(json_int(r, "duration_us", 0), 2500000);
	json_decref(r);
}

static void each_record_is_a_line_of_the_timeline(void **state)
{
	(void)state;
	json_t *r = build(view, "[{\"seq\":1,\"t\":\"T\",\"k\":\"execution.started\",\"by\":\"user:ana\",\"d\":{\"book\":\"x.md\",\"mode\":\"auto\",\"steps\":"
	                        "2,\"plan\":\"0123456789abcdef\"}},"
	                        "{\"seq\":2,\"t\":\"T\",\"k\":\"call.finished\",\"s\":\"a\",\"c\":1,\"d\":{\"outcome\":\"ok\",\"code\":3}},"
	                        "{\"seq\":3,\"t\":\"T\",\"k\":\"note.added\",\"by\":\"user:bo\",\"d\":{\"note\":\"the disk was "
	                        "full\"}},{\"seq\":4,\"t\":\"T\",\"k\":\"something.new\",\"d\":{}}]");
	json_t *t = json_arr(r, "timeline");
	assert_int_equal(json_array_size(t), 4);
	assert_string_equal(json_str(json_array_get(t, 0), "text", ""), "began: x.md, auto, 2 steps, plan 0123456789ab");
	assert_string_equal(json_str(json_array_get(t, 1), "text", ""), "call ok, exit status 3");
	assert_string_equal(json_str(json_array_get(t, 2), "text", ""), "note: the disk was full");
	json_decref(r);
}

static void what_strangers_wrote_is_inert_in_markdown(void **state)
{
	(void)state;
	json_t *r = build(view, "[]");
	struct buf b;
	buf_init(&b, 1 << 20);
	report_markdown(r, &b);
	static const char *const never[] = {"<b>", "![x](", "http://evil", "\033", "`c`", "$a$", "www.evil", " @team"};
	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		if (strstr(b.data, never[i])) fail_msg("the report holds %s", never[i]);
	assert_non_null(strstr(b.data, "A &lt;b&gt;\\|title"));
	assert_non_null(strstr(b.data, "| user:ana |"));
	assert_non_null(strstr(b.data, "origin\n1\nroot="));
	buf_clear(&b);
	json_decref(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_done_by_hand_is_counted),
	    cmocka_unit_test(each_record_is_a_line_of_the_timeline),
	    cmocka_unit_test(what_strangers_wrote_is_inert_in_markdown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
