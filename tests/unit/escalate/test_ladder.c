/* Ladders as records keep them, and turning to another policy. */
#include "base/json.h"
#include "escalate/ladder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char two[] = "{\"policies\":[{\"name\":\"web\",\"rounds\":2,\"levels\":[{\"wait_us\":1,\"people\":[{\"name\":\"ana\",\"channels\":2}]},"
                          "{\"wait_us\":2,\"people\":[]}]},{\"name\":\"all\",\"rounds\":1,\"levels\":[{\"wait_us\":5,\"people\":[]}]}],"
                          "\"retry\":{\"attempts\":3,\"delay_us\":10,\"delay_most_us\":20,\"factor\":2,\"timeout_us\":30}}";
static const char other[] =
    "{\"policies\":[{\"name\":\"db\",\"rounds\":1,\"levels\":[{\"wait_us\":7,\"people\":[]}]},{\"name\":\"web\",\"rounds\":1,"
    "\"levels\":[{\"wait_us\":7,\"people\":[]}]}],\"retry\":{\"attempts\":1,\"delay_us\":1,\"delay_most_us\":1,\"factor\":1,\"timeout_us\":9}}";

static enum err read_text(struct arena *a, const char *text, const struct escalation_ladder **l)
{
	json_t *v = json_parse(text, strlen(text), 16, NULL);
	assert_non_null(v);
	enum err err = ladder_read(a, v, l, NULL);
	json_decref(v);
	return err;
}

static void it_is_read_as_it_was_written(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	const struct escalation_ladder *l;
	assert_int_equal(read_text(a, two, &l), ERR_OK);
	json_t *is = ladder_json(l), *was = json_parse(two, sizeof two - 1, 16, NULL);
	assert_true(json_equal(is, was));
	json_decref(is);
	json_decref(was);
	arena_free(a);
}

static void what_cannot_be_climbed_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {
	    "{}", "{\"policies\":[]}", "{\"policies\":[{}],\"retry\":{}}",
	    "{\"policies\":[],\"retry\":{\"attempts\":0,\"delay_us\":1,\"delay_most_us\":1,\"factor\":1,\"timeout_us\":1}}",
	    ("{\"policies\":[{\"name\":\"a\",\"rounds\":4294967296,\"levels\":[{\"wait_us\":1,\"people\":[]}]}],\"retry\":{\"attempts\":1,"
	     "\"delay_us\":1,\"delay_most_us\":1,\"factor\":1,\"timeout_us\":1}}")};
	const struct escalation_ladder *l;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct arena *a = arena_new();
		assert_int_equal(read_text(a, wrong[i], &l), ERR_INVALID);
		arena_free(a);
	}
}

static void behind_the_level_that_is_reached_comes_the_other_policy(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	const struct escalation_ladder *l, *then, *out;
	struct escalation_place at = {.climb = 1, .policy = 0, .round = 1, .level = 1}, next;
	assert_int_equal(read_text(a, two, &l), ERR_OK);
	assert_int_equal(read_text(a, other, &then), ERR_OK);
	assert_int_equal(ladder_turn(a, l, at, then, &out, NULL), ERR_OK);
	assert_int_equal(out->count, 2); /* web was climbed: it does not come again */
	assert_true(escalation_next(out, at, &next));
	assert_string_equal(out->policies[next.policy].name, "db");
	assert_int_equal(next.level, 1);
	at = (struct escalation_place){.climb = 1, .policy = 1, .round = 1, .level = 1};
	assert_int_equal(ladder_turn(a, l, at, l, &out, NULL), ERR_CONFLICT);
	at = (struct escalation_place){.climb = 2, .round = 1};
	assert_int_equal(ladder_turn(a, l, at, then, &out, NULL), ERR_OK);
	assert_string_equal(out->policies[0].name, "db");
	assert_int_equal(out->count, 2);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_read_as_it_was_written),
	    cmocka_unit_test(what_cannot_be_climbed_is_refused),
	    cmocka_unit_test(behind_the_level_that_is_reached_comes_the_other_policy),
	};
	json_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
