/* The strict YAML of rung's own files: what is read, and that everything else is refused with its place. */
#include "base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena *arena;

static enum err read(const char *text, struct yaml **out, struct error *e)
{
	return yaml_read(arena, "policy.yaml", text, strlen(text), out, e);
}

static void maps_lists_and_texts_have_their_places(void **state)
{
	(void)state;
	struct yaml *y;
	struct error e;
	assert_int_equal(read("version: 1\ngroups:\n  sre: [ana, \"bo\"]\n  dba:\n    - dee\n", &y, &e), ERR_OK);
	struct yaml *groups = yaml_get(y, "groups"), *sre = yaml_get(groups, "sre");
	assert_int_equal(groups->kind, YAML_MAP);
	assert_int_equal(sre->line, 3);
	assert_int_equal(sre->column, 8);
	assert_string_equal(sre->items[1]->text, "bo");
	assert_true(sre->items[1]->is_quoted);
	assert_false(sre->items[0]->is_quoted);
	assert_int_equal(yaml_get(groups, "dba")->items[0]->line, 5);
	assert_null(yaml_get(groups, "ops"));
	assert_int_equal(read("\xef\xbb\xbf"
	                      "a: 1\r\nb: 2\r\n",
	                      &y, &e),
	                 ERR_OK);
	assert_int_equal(y->count, 2);
	assert_string_equal(y->items[1]->text, "2");
	assert_int_equal(read("# nothing\n", &y, &e), ERR_OK);
	assert_int_equal(y->kind, YAML_MAP);
	assert_int_equal(y->count, 0);
}

static void what_these_files_may_not_have_is_refused_with_its_place(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
	    {"a: &x 1\nb: 2\n", "policy.yaml:1:4: anchors"},
	    {"a: 1\nb: *a\n", "policy.yaml:2:4: aliases"},
	    {"a: !!str 1\n", "policy.yaml:1:4: tags"},
	    {"a: !x [1]\n", "policy.yaml:1:4: tags"},
	    {"a: ! 1\n", "policy.yaml:1:4: tags"},
	    {"a: &l [1]\n", "policy.yaml:1:4: anchors"},
	    {"a: &m {b: 1}\n", "policy.yaml:1:4: anchors"},
	    {"%YAML 1.1\n---\na: 1\n", "directives"},
	    {"%TAG ! tag:x,2000:\n---\na: 1\n", "directives"},
	    {"a: 1\n---\nb: 1\n", "policy.yaml:2:1: a file is one document"},
	    {"a: 1\nb: 2\na: 3\n", "policy.yaml:3:1: \"a\" stands twice: line 1"},
	    {"a: {b: 1, b: 2}\n", "\"b\" stands twice"},
	    {"? [a, b]\n: 1\n", "policy.yaml:1:3: a key is a text"},
	    {"? {a: b}\n: 1\n", "a key is a text"},
	    {"\"\": 1\n", "a key is a text that is not empty"},
	    {"a: \"\\e[31m\"\n", "policy.yaml:1:4: control characters"},
	    {"a: \xe2\x80\xaex\n", "control characters"},
	    {"a: \"\\u202e\"\n", "control characters"},
	    {"a: [1\n", "policy.yaml:2:1: "},
	    {"a: 1\n  b: 2\n", "policy.yaml:2:"},
	    {"\ta: 1\n", "policy.yaml:1:1: "},
	    {"a: 1\n# \xc3\xa4\xff\n", "policy.yaml:2:4: it is not UTF-8"},
	    {"a: 1 # \xe2\x80\xae\n", "policy.yaml:1:8: control characters"}, /* in a comment too: it would show another line than is read */
	    {"a: 1\n# x\rb: 2\n", "policy.yaml:2:4: control characters"},     /* a line for YAML, not for editors */
	    {"a: 1\n# x\xe2\x80\xa8"
	     "b: 2\n",
	     "policy.yaml:2:4: control characters"},
	    {"a: 1\n\xef\xbb\xbf"
	     "b: 2\n",
	     "policy.yaml:2:1: control characters"},
	    {"a:\n \t b: 1\n", "policy.yaml:2:2: a line is indented with spaces"},
	    {"[[[[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]]]", "nested deeper"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct yaml *y;
		struct error e = {0};
		assert_int_equal(read(cases[i].text, &y, &e), ERR_INVALID);
		if (!strstr(e.text, cases[i].says)) fail_msg("%s: %s", cases[i].text, e.text);
	}
}

static void deep_blocks_and_long_files_are_refused(void **state)
{
	(void)state;
	struct yaml *y;
	struct error e;
	char deep[600] = "", *long_text = calloc(1, YAML_BYTES_MAX + 2);
	for (int i = 0; i < 20; i++) sprintf(deep + strlen(deep), "%*sa:\n", i, "");
	assert_int_equal(read(deep, &y, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "policy.yaml:17:17: it is nested deeper than 16 levels"));
	memset(long_text, '#', YAML_BYTES_MAX + 1);
	assert_int_equal(read(long_text, &y, &e), ERR_TOO_BIG);
	memset(long_text, '[', 40000);
	long_text[40000] = 0;
	assert_int_equal(read(long_text, &y, &e), ERR_INVALID);
	free(long_text);
	assert_int_equal(yaml_read(arena, "x", "a: b\0c", 6, &y, &e), ERR_INVALID);
}

static void typed_readers_say_what_was_expected(void **state)
{
	(void)state;
	struct yaml *y, **items;
	struct error e;
	const char *text;
	bool b;
	int64_t n;
	size_t at;
	static const char *const keys[] = {"version", "groups", NULL}, *const risks[] = {"read", "change", "destructive", NULL};
	assert_int_equal(
	    read("gruops: 1\nt: yes\nn: 12\nq: \"12\"\nd: 15m\nl: [a, [b]]\nr: change\nempty:\ns: x\nu: true\noctal: 010\nbig: 99999999999999999999\n", &y, &e),
	    ERR_OK);
	assert_int_equal(yaml_keys(y, "a policy", keys, &e), ERR_INVALID);
	assert_string_equal(e.text, "policy.yaml:1:1: a policy has no \"gruops\": did you mean \"groups\"?");
	assert_int_equal(yaml_bool(yaml_get(y, "t"), "the switch", &b, &e), ERR_INVALID);
	assert_string_equal(e.text, "policy.yaml:2:4: the switch is true or false, and here is \"yes\"");
	assert_int_equal(yaml_bool(yaml_get(y, "u"), "the switch", &b, &e), ERR_OK);
	assert_true(b);
	assert_int_equal(yaml_int(yaml_get(y, "n"), "the number", 1, 12, &n, &e), ERR_OK);
	assert_int_equal(n, 12);
	assert_int_equal(yaml_int(yaml_get(y, "n"), "the number", 1, 11, &n, &e), ERR_INVALID);
	assert_string_equal(e.text, "policy.yaml:3:4: the number is a whole number from 1 to 11, and here is \"12\"");
	assert_int_equal(yaml_int(yaml_get(y, "q"), "the number", 1, 12, &n, &e), ERR_INVALID);
	assert_int_equal(yaml_int(yaml_get(y, "octal"), "the number", 0, 12, &n, &e), ERR_INVALID);
	assert_int_equal(yaml_int(yaml_get(y, "big"), "the number", INT64_MIN, INT64_MAX, &n, &e), ERR_INVALID);
	assert_int_equal(yaml_duration(yaml_get(y, "d"), "the wait", &n, &e), ERR_OK);
	assert_int_equal(n, INT64_C(900000000));
	assert_int_equal(yaml_duration(yaml_get(y, "s"), "the wait", &n, &e), ERR_INVALID);
	assert_int_equal(yaml_texts(yaml_get(y, "l"), "the list", &items, &at, arena, &e), ERR_INVALID);
	assert_string_equal(e.text, "policy.yaml:6:8: the list is a text, and here is a list");
	assert_int_equal(yaml_texts(yaml_get(y, "s"), "the list", &items, &at, arena, &e), ERR_OK);
	assert_int_equal(at, 1);
	assert_int_equal(yaml_word(yaml_get(y, "r"), "the risk", risks, &at, &e), ERR_OK);
	assert_int_equal(at, 1);
	assert_int_equal(yaml_word(yaml_get(y, "s"), "the risk", risks, &at, &e), ERR_INVALID);
	assert_string_equal(e.text, "policy.yaml:9:4: the risk is read, change or destructive, and here is \"x\"");
	assert_int_equal(yaml_text(yaml_get(y, "empty"), "the name", &text, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "the name is a text, and here is nothing"));
}

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(maps_lists_and_texts_have_their_places),
	    cmocka_unit_test(what_these_files_may_not_have_is_refused_with_its_place),
	    cmocka_unit_test(deep_blocks_and_long_files_are_refused),
	    cmocka_unit_test(typed_readers_say_what_was_expected),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
