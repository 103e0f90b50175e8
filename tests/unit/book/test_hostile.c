#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "book/graph.h"
#include "book/lint.h"
#include "book/render.h"

#include <stdlib.h>
#include <string.h>

/* Hostile documents are read or refused, soon and without harm. The guard is generous: sanitizers and a busy machine are slow; a parser that is
 * quadratic takes minutes. RUNG_TIMES=1 prints what each took. */

static const int64_t HANG_US = 20LL * 1000000;

/* All stages; gives the error's kind. */
static enum err read_all(const char *name, const char *text, size_t n)
{
	struct book *b;
	struct graph *g;
	struct error e = {.text = ""};
	int64_t start = clock_monotonic_us();
	enum err err = book_parse("hostile.md", NULL, text, n, &b, &e);
	int64_t parsed = clock_monotonic_us() - start;
	size_t steps = 0;
	if (err == ERR_OK) {
		steps = b->step_count;
		if (graph_build(b, &g, &e) == ERR_OK) graph_free(g);
		lint_free(lint_book(b, 0));
		json_decref(document_json(b->document));
		json_decref(book_json(b));
		struct buf out;
		buf_init(&out, 64 << 20);
		struct render_options options = {.columns = 80, .color = true, .unicode = true};
		for (size_t i = 0; i < b->step_count && i < 50; i++) render_markdown(&out, b->steps[i].markdown, &options);
		buf_clear(&out);
		book_free(b);
	}
	int64_t all = clock_monotonic_us() - start;
	if (getenv("RUNG_TIMES"))
		print_message("%-28s %8zu bytes  parse %7.1f ms  all %7.1f ms  %zu steps %s\n", name, n, (double)parsed / 1e3, (double)all / 1e3, steps,
		              err ? e.text : "");
	assert_true(err == ERR_OK || err == ERR_TOO_BIG);
	assert_true(all < HANG_US);
	return err;
}

/* A document of n bytes that repeats a unit. */
static enum err repeat(const char *unit, size_t n)
{
	size_t len = strlen(unit);
	char *text = malloc(n + 1);
	assert_non_null(text);
	for (size_t i = 0; i < n; i++) text[i] = unit[i % len];
	text[n] = 0;
	enum err err = read_all(unit, text, n);
	free(text);
	return err;
}

static void repeated_units_are_read_or_refused(void **state)
{
	static const char *const units[] = {"[",
	                                    "![",
	                                    "[a]\n",
	                                    "[a](b\n",
	                                    "[a](<b",
	                                    "`",
	                                    "``a`",
	                                    "*",
	                                    "**a* ",
	                                    "*a_ ",
	                                    "a**b*c ",
	                                    "_a",
	                                    "~~a~",
	                                    "<",
	                                    "<!--",
	                                    "<a b=\"",
	                                    "<?",
	                                    "&",
	                                    "\\",
	                                    "|",
	                                    "|a",
	                                    "a|",
	                                    "|a|\n",
	                                    "|-|\n",
	                                    "-\n",
	                                    "- a\n",
	                                    "1. a\n",
	                                    "- [ ] a\n",
	                                    "#\n",
	                                    "# a\n",
	                                    "# a\n\nb\n\n",
	                                    "```\n",
	                                    "```sh\nls\n```\n",
	                                    "```lua\n```\n",
	                                    "```lua {id=a}\n```\n",
	                                    "~~~\n",
	                                    "    a\n",
	                                    "<a\n",
	                                    "> ",
	                                    ">a\n",
	                                    "> a\n\n",
	                                    "[a]: b\n",
	                                    "[a]: b\n\n",
	                                    "[a]: b\n\n[a]\n\n",
	                                    "---\n",
	                                    "***\n",
	                                    "a\n===\n",
	                                    "**a:** b\n",
	                                    "1. `ls -l`\n",
	                                    "$(",
	                                    "<a b>",
	                                    "\t",
	                                    "\n",
	                                    " ",
	                                    "中",
	                                    "### 1. a\n",
	                                    "## Steps\n\n1. a\n\n",
	                                    "## Steps\n\n```lua {needs=a,b}\n```\n",
	                                    "a <!-- step: id=b --> c\n",
	                                    "<!-- step: ",
	                                    "1. a\n```\nls\n```\n",
	                                    "| a | b |\n|---|---|\n| c | d |\n\n",
	                                    "\"",
	                                    "{",
	                                    "**a**\n\nb\n\n"};
	(void)state;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) repeat(units[i], 500 * 1000);
}

static char *joined(const char *head, const char *unit, size_t times, const char *tail, size_t *n)
{
	struct buf b;
	buf_init(&b, 8 << 20);
	buf_str(&b, head);
	for (size_t i = 0; i < times; i++) buf_str(&b, unit);
	buf_str(&b, tail);
	*n = b.len;
	return buf_take(&b);
}

static enum err read_joined(const char *name, const char *head, const char *unit, size_t times, const char *tail)
{
	size_t n;
	char *text = joined(head, unit, times, tail, &n);
	enum err err = read_all(name, text, n);
	free(text);
	return err;
}

static void nesting_is_refused_with_a_sentence(void **state)
{
	(void)state;
	assert_int_equal(read_joined("> nest", "", ">", 60000, "a\n"), ERR_TOO_BIG);
	assert_int_equal(read_joined("- nest", "", "- ", 60000, "a\n"), ERR_TOO_BIG);
	assert_int_equal(read_joined("1. nest, empty lines", "", "1. ", 1000, "a\n\n\n\n\n\n"), ERR_TOO_BIG);
	assert_int_equal(read_joined("> 60", "", ">", 60, "a\n"), ERR_OK);
	struct buf stairs;
	buf_init(&stairs, 4 << 20);
	for (int i = 0; i < 500; i++) buf_printf(&stairs, "%*s- a\n", 2 * i, "");
	for (int i = 0; i < 100000; i++) buf_char(&stairs, '\n');
	assert_int_equal(read_all("stairs", stairs.data, stairs.len), ERR_TOO_BIG);
	buf_clear(&stairs);
}

static void tables_are_read_or_refused(void **state)
{
	(void)state;
	size_t n;
	char *head = joined("|", "a|", 20000, "\n", &n), *line = joined("|", "---|", 20000, "\n", &n);
	char *both = mem_printf("%s%s", head, line);
	read_joined("wide table", both, "|a\n", 100, "");
	free(both), free(head), free(line);
	head = joined("|", "a|", 2000, "\n", &n), line = joined("|", "---|", 2000, "\n", &n);
	both = mem_printf("%s%s", head, line);
	assert_int_equal(read_joined("wide table, many rows", both, "|a\n", 20000, ""), ERR_TOO_BIG);
	free(both), free(head), free(line);
}

static void long_targets_used_often_do_not_unfold(void **state)
{
	(void)state;
	size_t n;
	char *target = joined("[a]: /", "x", 100000, "\n\n", &n);
	assert_int_equal(read_joined("reference target", target, "[a] ", 30000, ""), ERR_OK);
	free(target);
	target = joined("[a]: /&amp;", "x", 100000, "\n\n", &n);
	read_joined("entity in target", target, "[a]\n\n", 30000, "");
	free(target);
}

static void odd_bytes_are_read(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} odd[] = {{"", 0},
	           {"\0\0\0", 3},
	           {"# a\0b\n\n1. c\0\n", 14},
	           {"\xff\xfe# a\n", 6},
	           {"\xef\xbb\xbf", 3},
	           {"\xef\xbb\xbf---\na: b\n---\n# c", 17},
	           {"# a\r\n\r\n1. b\r\n2. c", 17},
	           {"# a\r\r1. b\r", 10},
	           {"---\n", 4},
	           {"---\n---\n", 8},
	           {"---\n---", 7},
	           {"+++\n+++\n", 8},
	           {"---\na: [\n---\n", 13},
	           {"-", 1},
	           {"1.", 2},
	           {"```", 3},
	           {"- ```", 5},
	           {"> ```\n> a\n```", 12},
	           {">", 1},
	           {"#", 1},
	           {"- \n\n  - \n", 9},
	           {"|\n|-\n", 5},
	           {"\\", 1},
	           {"![](a)", 6},
	           {"&nbsp;", 6},
	           {"- ***\n", 6},
	           {"\xe2\x80\xae# a\x1b[31m", 12}};
	(void)state;
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) assert_int_equal(read_all("odd", odd[i].text, odd[i].n), ERR_OK);
	char *zeros = calloc(1, 1 << 20);
	assert_int_equal(read_all("1 MiB of NUL", zeros, 1 << 20), ERR_OK);
	memset(zeros, 0xff, 1 << 20);
	assert_int_equal(read_all("1 MiB of 0xff", zeros, 1 << 20), ERR_OK);
	free(zeros);
}

static void front_matter_cannot_hang(void **state)
{
	(void)state;
	read_joined("yaml [", "---\na: ", "[", 39000, "\n---\n# a\n");
	read_joined("yaml {", "---\na: ", "{", 30000, "\n---\n# a\n");
	read_joined("yaml - ", "---\n", "- ", 30000, "\n---\n# a\n");
	read_joined("yaml keys", "---\n", "a: b\n", 12000, "---\n# a\n");
	read_joined("yaml ?", "---\n", "? ", 30000, "\n---\n# a\n");
	read_joined("yaml quotes", "---\na: ", "\"[", 30000, "\n---\n# a\n");
	read_joined("yaml anchors", "---\na: &a x\nb: ", "*a ", 10000, "\n---\n# a\n");
	read_joined("yaml big", "---\n", "a: b\n", 200000, "---\n# a\n");
}

static void too_many_bytes_are_refused(void **state)
{
	(void)state;
	struct book *b;
	struct error e;
	char *text = calloc(1, BOOK_BYTES_MAX + 1);
	assert_int_equal(book_parse("big.md", NULL, text, BOOK_BYTES_MAX + 1, &b, &e), ERR_TOO_BIG);
	assert_non_null(strstr(e.text, "big.md"));
	assert_non_null(strstr(e.text, "1 MiB"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(repeated_units_are_read_or_refused),
	    cmocka_unit_test(nesting_is_refused_with_a_sentence),
	    cmocka_unit_test(tables_are_read_or_refused),
	    cmocka_unit_test(long_targets_used_often_do_not_unfold),
	    cmocka_unit_test(odd_bytes_are_read),
	    cmocka_unit_test(front_matter_cannot_hang),
	    cmocka_unit_test(too_many_bytes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
