#include "cli/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int decode(const char *bytes, bool is_last, size_t *used)
{
	return key_decode(bytes, strlen(bytes), is_last, used);
}

static void keys_are_decoded(void **state)
{
	static const struct {
		const char *bytes;
		int key;
	} table[] = {
	    {"d", 'd'},         {"\r", KEY_ENTER},    {"\n", KEY_ENTER},        {"\x7f", KEY_BACKSPACE}, {"\b", KEY_BACKSPACE}, {"\x03", KEY_INTERRUPT},
	    {"\033[A", KEY_UP}, {"\033OB", KEY_DOWN}, {"\033[5~", KEY_PAGE_UP}, {"\033[H", KEY_HOME},    {"\xc3\xa4", 0xe4},    {"\xe6\xbc\xa2", 0x6f22}};
	size_t used;
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		assert_int_equal(decode(table[i].bytes, false, &used), table[i].key);
		assert_int_equal(used, strlen(table[i].bytes));
	}
}

static void a_lone_escape_is_the_key_when_nothing_follows(void **state)
{
	size_t used;
	(void)state;
	assert_int_equal(decode("\033", false, &used), KEY_NONE);
	assert_int_equal(used, 0);
	assert_int_equal(decode("\033", true, &used), KEY_ESCAPE);
	assert_int_equal(used, 1);
}

static void sequences_that_nobody_knows_are_dropped_whole(void **state)
{
	size_t used;
	(void)state;
	assert_int_equal(decode("\033[200~q", false, &used), KEY_NONE);
	assert_int_equal(used, 6);
	assert_int_equal(decode("\033[1;5C", false, &used), KEY_NONE);
	assert_int_equal(used, 6);
	assert_int_equal(decode("\xff", false, &used), KEY_NONE);
	assert_int_equal(decode("\xff", true, &used), KEY_NONE);
	assert_int_equal(used, 1);
}

/* No key means two things at once. */
static void every_key_has_one_meaning_at_a_time(void **state)
{
	(void)state;
	for (const struct key_info *k = key_table; k->key; k++)
		for (const struct key_info *l = k + 1; l->key; l++)
			if (k->key == l->key) assert_int_equal(k->when & l->when, 0);
}

static void what_a_step_waits_for_decides_what_keys_mean(void **state)
{
	(void)state;
	json_t *view = json_pack("{s:s,s:[{s:s,s:s,s:s,s:b}]}", "state", "waiting", "steps", "id", "a", "state", "waiting", "waiting", "person", "manual", 1);
	const json_t *step = json_array_get(json_object_get(view, "steps"), 0);
	unsigned when = keys_when(view, step, 0, 1);
	assert_int_equal(keys_action('d', when), ACTION_DONE);
	assert_int_equal(keys_action('a', when), ACTION_NONE);
	assert_int_equal(keys_action(KEY_ENTER, when), ACTION_NONE);
	assert_int_equal(keys_action('q', when), ACTION_QUIT);
	json_object_set_new(view, "interrupted", json_true());
	when = keys_when(view, step, 0, 1);
	assert_int_equal(keys_action(KEY_ENTER, when), ACTION_GO);
	assert_int_equal(keys_action('d', when), ACTION_NONE);
	json_decref(view);
}

/* A right that the book does not ask for cannot be given while it runs: the key is not offered. */
static void only_what_can_be_allowed_is_offered(void **state)
{
	(void)state;
	for (int is_allowable = 0; is_allowable < 2; is_allowable++) {
		json_t *view = json_pack("{s:s,s:[{s:s,s:s,s:s}],s:[{s:s,s:s,s:b}]}", "state", "attention", "steps", "id", "a", "state", "denied", "waiting",
		                         "decision", "denied", "step", "a", "pattern", "sh id", "allowable", is_allowable);
		unsigned when = keys_when(view, json_array_get(json_object_get(view, "steps"), 0), 0, 1);
		assert_int_equal(keys_action('y', when), is_allowable ? ACTION_ALLOW : ACTION_NONE);
		assert_int_equal(keys_action('s', when), ACTION_SKIP);
		assert_int_equal(keys_action('d', when), ACTION_DONE);
		json_decref(view);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_are_decoded),
	    cmocka_unit_test(a_lone_escape_is_the_key_when_nothing_follows),
	    cmocka_unit_test(sequences_that_nobody_knows_are_dropped_whole),
	    cmocka_unit_test(every_key_has_one_meaning_at_a_time),
	    cmocka_unit_test(only_what_can_be_allowed_is_offered),
	    cmocka_unit_test(what_a_step_waits_for_decides_what_keys_mean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
