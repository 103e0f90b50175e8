#include "cli/lines.h"
#include "cli/tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void add(struct tail *t, const char *text)
{
	tail_add(t, text, strlen(text));
}

static void lines_come_whole_and_the_last_one_unfinished(void **state)
{
	struct tail t = {0};
	(void)state;
	add(&t, "one\ntw");
	assert_int_equal(tail_count(&t), 2);
	assert_string_equal(tail_line(&t, 1), "tw");
	add(&t, "o\r\n");
	assert_int_equal(tail_count(&t), 2);
	assert_string_equal(tail_line(&t, 1), "two");
	tail_clear(&t);
}

static void a_progress_bar_is_one_line(void **state)
{
	struct tail t = {0};
	(void)state;
	for (int i = 0; i <= 100; i++) {
		char text[32];
		snprintf(text, sizeof text, "\r%d %%", i);
		add(&t, text);
	}
	assert_int_equal(tail_count(&t), 1);
	/* It says that something stood there before. */
	assert_string_equal(tail_line(&t, 0), "␍100 %");
	add(&t, "\nnext\r\n");
	assert_string_equal(tail_line(&t, 1), "next");
	tail_clear(&t);
}

static void from(struct tail *t, int64_t source, const char *label, const char *text)
{
	tail_add_from(t, source, label, text, strlen(text));
}

static void those_that_print_at_the_same_time_have_lines_of_their_own(void **state)
{
	static const char *const wanted[] = {"web-1 | one", "web-2 | two", "web-1 | more of", "web-2 | ", "␍web-2 | 90 %", "here", "there"};
	struct tail t = {0};
	(void)state;
	from(&t, 1, "web-1", "one\n");
	from(&t, 2, "web-2", "two\n");
	from(&t, 1, "web-1", "more of");
	from(&t, 2, "web-2", "\n10 %\r90 %");
	from(&t, 3, NULL, "here");
	from(&t, 4, NULL, "there");
	assert_int_equal(tail_count(&t), sizeof wanted / sizeof *wanted);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) assert_string_equal(tail_line(&t, i), wanted[i]);
	tail_clear(&t);
}

static void only_the_last_lines_are_kept(void **state)
{
	struct tail t = {0};
	(void)state;
	for (int i = 0; i < 5000; i++) {
		char text[32];
		snprintf(text, sizeof text, "%d\n", i);
		add(&t, text);
	}
	size_t n = tail_count(&t);
	assert_int_equal(n, TAIL_LINES - 1);
	assert_string_equal(tail_line(&t, n - 1), "4999");
	assert_int_equal(tail_dropped(&t), 5000 - n);
	add(&t, "open");
	assert_string_equal(tail_line(&t, tail_count(&t) - 1), "open");
	assert_string_equal(tail_line(&t, 0), "4801");
	tail_clear(&t);
}

static void nothing_that_steers_a_terminal_passes(void **state)
{
	(void)state;
	char *text = tail_visible("\033[1;31mred\033[0m \033]0;t\a \033[2J a\tb \xc2\x9b \xff", 35);
	assert_null(strchr(text, '\033'));
	assert_null(strchr(text, '\a'));
	assert_true(strncmp(text, "red ", 4) == 0);
	free(text);
}

static void a_line_says_how_much_of_it_is_left_out(void **state)
{
	struct arena *a = arena_new();
	enum { LONG = 1 << 20 };
	char *text = malloc(LONG + 1);
	(void)state;
	memset(text, 'x', LONG);
	text[LONG] = 0;
	const char *safe = line_safe(a, text), *exact = line_exact(a, text);
	assert_true(strlen(safe) < 20000);
	assert_non_null(strstr(safe, "bytes more>"));
	assert_non_null(strstr(exact, "bytes more>"));
	assert_string_equal(line_exact(a, " a\n\tb  c "), " a␊␉b  c ");
	free(text);
	arena_free(a);
}

static void lines_are_cut_to_columns_not_bytes(void **state)
{
	struct arena *a = arena_new();
	(void)state;
	assert_string_equal(line_clip(a, "abc", 3, true), "abc");
	assert_string_equal(line_clip(a, "abcd", 3, true), "ab…");
	assert_string_equal(line_clip(a, "abcdef", 5, false), "ab...");
	assert_string_equal(line_clip(a, "漢字漢字", 5, true), "漢字…");
	assert_string_equal(line_clip(a, "\033[31mabcd\033[0m", 3, true), "\033[31mab…\033[0m");
	assert_int_equal(line_columns(line_fit(a, "漢", 10, true)), 10);
	assert_int_equal(line_columns(line_ends(a, "a very long title that goes on", "right", 20, true)), 20);
	assert_string_equal(line_safe(a, " a\n\tb  c "), "a b c");
	arena_free(a);
}

static void text_is_wrapped_at_spaces(void **state)
{
	struct arena *a = arena_new();
	struct lines l;
	(void)state;
	lines_init(&l, a);
	lines_wrap(&l, "one two three four five", 13, "  ", "");
	assert_int_equal(l.count, 3);
	assert_string_equal(l.line[0], "  one two");
	assert_string_equal(l.line[2], "  five");
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_come_whole_and_the_last_one_unfinished),
	    cmocka_unit_test(a_progress_bar_is_one_line),
	    cmocka_unit_test(those_that_print_at_the_same_time_have_lines_of_their_own),
	    cmocka_unit_test(only_the_last_lines_are_kept),
	    cmocka_unit_test(nothing_that_steers_a_terminal_passes),
	    cmocka_unit_test(a_line_says_how_much_of_it_is_left_out),
	    cmocka_unit_test(lines_are_cut_to_columns_not_bytes),
	    cmocka_unit_test(text_is_wrapped_at_spaces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
