#include "base/buf.h"
#include "cli/excerpt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What a log shows of a call: "first..., ... left out, ...last". Each line is one word here. */

static void print(void *arg, const char *step, const char *text)
{
	(void)step;
	buf_printf(arg, "%.14s|", text);
}

static void feed(struct excerpts *x, int call, const char *stream, const char *text)
{
	json_t *head = json_pack("{s:s,s:i,s:i,s:s}", "step", "a", "attempt", 1, "call", call, "stream", stream);
	excerpts_add(x, head, text, strlen(text));
	json_decref(head);
}

static void of_lines(int n, bool is_verbose, const char *expected)
{
	struct buf out;
	buf_init(&out, 1 << 16);
	struct excerpts x = {.execution = "01A", .print = print, .arg = &out, .is_verbose = is_verbose};
	for (int i = 1; i <= n; i++) {
		char line[16];
		snprintf(line, sizeof line, "%d\r\n", i);
		feed(&x, 1, "stdout", line);
	}
	excerpts_clear(&x);
	assert_string_equal(out.data ? out.data : "", expected);
	buf_clear(&out);
}

static void floods_are_cut_in_the_middle(void **state)
{
	(void)state;
	of_lines(0, false, "");
	of_lines(3, false, "1|2|3|");
	of_lines(11, false, "1|2|3|4|5|6|7|8|9|10|11|");
	of_lines(12, false, "1|2|3|4|5|... 2 lines le|8|9|10|11|12|");
	of_lines(300, false, "1|2|3|4|5|... 290 lines |296|297|298|299|300|");
	of_lines(12, true, "1|2|3|4|5|6|7|8|9|10|11|12|");
}

static void print_with_step(void *arg, const char *step, const char *text)
{
	buf_printf(arg, "%s: %s|", step, text);
}

static void lines_of_another_host_say_which(void **state)
{
	struct buf out;
	(void)state;
	buf_init(&out, 1 << 16);
	struct excerpts x = {.execution = "01A", .print = print_with_step, .arg = &out};
	json_t *head = json_pack("{s:s,s:i,s:i,s:s,s:s}", "step", "a", "attempt", 1, "call", 2, "stream", "stdout", "host", "web-1");
	excerpts_add(&x, head, "up\n", 3);
	feed(&x, 3, "stdout", "here\n");
	json_decref(head);
	excerpts_clear(&x);
	assert_string_equal(out.data, "a web-1: up|a: here|");
	buf_clear(&out);
}

static void calls_and_streams_are_told_apart(void **state)
{
	struct buf out;
	(void)state;
	buf_init(&out, 1 << 16);
	struct excerpts x = {.execution = "01A", .print = print, .arg = &out};
	feed(&x, 1, "stdout", "one ");
	feed(&x, 1, "stderr", "bad\n");
	feed(&x, 2, "stdout", "two\n");
	feed(&x, 1, "stdout", "more\n1\n2\n3\n4\n5\n\033[2Jend");
	json_t *view = json_pack("{s:[{s:s,s:[{s:i,s:i,s:s},{s:i,s:i,s:s}]}]}", "steps", "id", "a", "calls", "attempt", 1, "call", 1, "state", "ok", "attempt",
	                         1, "call", 2, "state", "running");
	excerpts_end(&x, view, NULL);
	assert_int_equal(x.count, 1);
	assert_string_equal(out.data, "bad|two|one more|1|2|3|4|5|\xe2\x90\x9b[2Jend|");
	excerpts_end(&x, view, "a");
	assert_int_equal(x.count, 0);
	json_decref(view);
	excerpts_clear(&x);
	buf_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(floods_are_cut_in_the_middle), cmocka_unit_test(lines_of_another_host_say_which),
	                                   cmocka_unit_test(calls_and_streams_are_told_apart)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
