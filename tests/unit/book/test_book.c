#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "book/book.h"
#include "book/graph.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct book *parse(const char *text)
{
	struct book *b;
	struct error e;
	if (book_parse("test.md", NULL, text, strlen(text), &b, &e) != ERR_OK) fail_msg("%s", e.text);
	return b;
}

static const char table[] =
    "# t\n\n## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n"
    "| unit | string `^[a-z-]+$` | nginx | |\n| n | int 1..64 | 3 | |\n| f | number ..1.5 | 0.5 | |\n| on | bool | yes | |\n| how | enum a\\|b | a | |\n"
    "| l | list | x, y | |\n| m | map | a=1 | |\n| h | host | web-1 | |\n| hs | hosts | role=web | |\n| d | duration | 5m | |\n| s | secret | | the key |\n| "
    "req | string | | who asks |\n";

static void binds(const char *given, const char *want, const char *error)
{
	struct book *b = parse(table);
	struct error e = {.text = ""};
	json_t *in = json_loads(given, 0, NULL), *out = NULL;
	assert_non_null(in);
	enum err err = book_bind(b, in, &out, &e);
	if (want) {
		if (err != ERR_OK) fail_msg("%s", e.text);
		json_t *expected = json_loads(want, 0, NULL);
		json_t *name;
		const char *key;
		assert_non_null(expected);
		json_object_foreach(expected, key, name) if (!json_equal(json_object_get(out, key), name))
		    fail_msg("%s is %s", key, json_dumps(json_object_get(out, key), JSON_ENCODE_ANY));
		json_decref(expected);
		json_decref(out);
	} else {
		assert_int_equal(err, ERR_INVALID);
		if (!strstr(e.text, error)) fail_msg("%s", e.text);
	}
	json_decref(in);
	book_free(b);
}

static void defaults_fill_what_is_not_given(void **state)
{
	(void)state;
	binds("{\"s\":\"k\",\"req\":\"ana\"}",
	      "{\"unit\":\"nginx\",\"n\":3,\"f\":0.5,\"on\":true,\"how\":\"a\",\"l\":[\"x\",\"y\"],\"m\":{\"a\":\"1\"},\"h\":\"web-1\",\"hs\":\"role=web\","
	      "\"d\":\"5m\",\"s\":\"k\",\"req\":\"ana\"}",
	      NULL);
}

static void strings_are_read_by_type_and_typed_values_kept(void **state)
{
	(void)state;
	binds("{\"s\":\"k\",\"req\":\"$(rm -rf /)\",\"n\":\"64\",\"on\":\"off\",\"l\":\"[1,2]\"}",
	      "{\"n\":64,\"on\":false,\"l\":[1,2],\"req\":\"$(rm -rf /)\"}", NULL);
	binds("{\"s\":\"k\",\"req\":\"x\",\"n\":64,\"on\":false,\"l\":[1],\"m\":{\"a\":{\"b\":1}},\"f\":1}",
	      "{\"n\":64,\"on\":false,\"l\":[1],\"m\":{\"a\":{\"b\":1}},\"f\":1.0}", NULL);
}

static void all_that_is_wrong_is_named_at_once(void **state)
{
	static const char *const wrong[][2] = {{"{\"s\":\"k\"}", "who asks"},
	                                       {"{\"req\":\"x\"}", "the key"},
	                                       {"{\"s\":\"k\",\"req\":\"x\",\"n\":65}", "1..64"},
	                                       {"{\"s\":\"k\",\"req\":\"x\",\"n\":\"1x\"}", "whole number"},
	                                       {"{\"s\":\"k\",\"req\":\"x\",\"unit\":\"a b\"}", "must match"},
	                                       {"{\"s\":\"k\",\"req\":\"x\",\"unit\":\"a\\n\"}", "must match"},
	                                       {"{\"s\":\"k\",\"req\":\"x\",\"how\":\"c\"}", "a, b"},
	                                       {"{\"s\":\"k\",\"req\":\"x\",\"h\":\"-oProxyCommand=x\"}", "name of a host"},
	                                       {"{\"s\":\"k\",\"req\":\"x\",\"d\":\"soon\"}", "d:"},
	                                       {"{\"s\":\"k\",\"req\":\"x\",\"zzz\":1}", "no such parameter"},
	                                       {"{\"f\":2,\"n\":0}", "n: "},
	                                       {"{\"f\":2,\"n\":0}", "f: it must be 1.5 or less"},
	                                       {"{\"s\":\"k\",\"req\":\"x\",\"f\":\"nan\"}", "number was expected"}};
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) binds(wrong[i][0], NULL, wrong[i][1]);
}

static void an_anchor_makes_one_section_the_book(void **state)
{
	struct book *b;
	struct error e;
	(void)state;
	assert_int_equal(book_open("tests/fixtures/books/many.md#empty-the-queue", &b, &e), ERR_OK);
	assert_string_equal(b->title, "Empty the queue");
	assert_int_equal(b->step_count, 1);
	book_free(b);
	assert_int_equal(book_open("tests/fixtures/books/many.md#restart-mail-1", &b, &e), ERR_OK);
	assert_int_equal(b->step_count, 1);
	assert_int_equal(b->steps[0].line, 18);
	book_free(b);
	assert_int_equal(book_open("tests/fixtures/books/many.md#nowhere", &b, &e), ERR_NOT_FOUND);
	assert_non_null(strstr(e.text, "#nowhere"));
	assert_int_equal(book_open("tests/fixtures/books/page.md#restart-the-proxy", &b, &e), ERR_OK);
	assert_int_equal(b->step_count, 2);
	assert_true(b->has_permissions); /* declared once for the page */
	assert_int_equal(b->permission_count, 1);
	book_free(b);
	assert_int_equal(book_open("tests/fixtures/books/none.md", &b, &e), ERR_NOT_FOUND);
}

static enum err graph_of(const char *text, struct book **b, struct graph **g, struct error *e)
{
	*b = parse(text);
	return graph_build(*b, g, e);
}

static void a_step_needs_the_one_before_it(void **state)
{
	struct book *b;
	struct graph *g;
	struct error e;
	(void)state;
	assert_int_equal(graph_of("## Steps\n1. Run a\n2. Run b\n\n   ```lua {id=b needs=\"\"}\n   ```\n3. Run c\n", &b, &g, &e), ERR_OK);
	assert_int_equal(g->count, 3);
	assert_int_equal(g->nodes[0].need_count, 0);
	assert_int_equal(g->nodes[1].need_count, 0);
	assert_int_equal(g->nodes[2].need_count, 1);
	assert_int_equal(g->nodes[2].needs[0], 1);
	assert_int_equal(graph_find(g, "b"), 1);
	assert_true(graph_find(g, "nobody") == SIZE_MAX);
	graph_free(g);
	book_free(b);
}

static void cycles_and_unknown_steps_cannot_run(void **state)
{
	static const char *const wrong[][2] = {
	    {"## Steps\n1. a\n   ```lua {id=a needs=b}\n   ```\n2. b\n   ```lua {id=b needs=a}\n   ```\n", "a needs b needs a"},
	    {"## Steps\n1. a\n   ```lua {id=a needs=a}\n   ```\n", "wait for one another"},
	    {"## Steps\n1. a\n   ```lua {id=a needs=zz}\n   ```\n", "needs=zz"},
	    {"## Steps\n1. a\n   ```lua {id=a on_failure=\"goto zz\"}\n   ```\n", "zz"},
	    {"## Steps\n1. z\n2. a\n   ```lua {id=a needs=z,c}\n   ```\n3. b\n   ```lua {id=b needs=a}\n   ```\n4. c\n   ```lua {id=c needs=b}\n   ```\n5. d\n",
	     "none can start"},
	};
	struct book *b;
	struct graph *g;
	struct error e;
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		assert_int_equal(graph_of(wrong[i][0], &b, &g, &e), ERR_INVALID);
		if (!strstr(e.text, wrong[i][1])) fail_msg("%s", e.text);
		book_free(b);
	}
}

static void ids_are_unique_whatever_the_titles(void **state)
{
	struct book *b = parse("## Steps\n1. Run it\n2. Run it\n3. !!!\n4. run-it-2\n5. x\n\n   <!-- step: id=run-it -->\n6. Run it\n");
	(void)state;
	for (size_t i = 0; i < b->step_count; i++)
		for (size_t k = 0; k < i; k++) assert_string_not_equal(b->steps[i].id, b->steps[k].id);
	assert_int_equal(b->step_count, 6);
	assert_string_equal(b->steps[4].id, "run-it");
	book_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_fill_what_is_not_given),    cmocka_unit_test(strings_are_read_by_type_and_typed_values_kept),
	    cmocka_unit_test(all_that_is_wrong_is_named_at_once), cmocka_unit_test(an_anchor_makes_one_section_the_book),
	    cmocka_unit_test(a_step_needs_the_one_before_it),     cmocka_unit_test(cycles_and_unknown_steps_cannot_run),
	    cmocka_unit_test(ids_are_unique_whatever_the_titles),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
