#include "policy/capability.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool allows(const char *pattern, const char *kind, const char *const *words, size_t n, const char *params)
{
	struct arena *a = arena_new();
	struct capability *c;
	struct error e;
	json_t *p = params ? json_loads(params, 0, NULL) : NULL;
	assert_int_equal(capability_parse(a, pattern, &c, &e), ERR_OK);
	bool yes = capability_allows(c, kind, words, n, p);
	json_decref(p);
	arena_free(a);
	return yes;
}

#define WORDS(...) (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)
#define yes(pattern, ...) assert_true(allows(pattern, "sh", WORDS(__VA_ARGS__), NULL))
#define no(pattern, ...) assert_false(allows(pattern, "sh", WORDS(__VA_ARGS__), NULL))

static void words_match_one_by_one(void **state)
{
	(void)state;
	yes("sh systemctl restart nginx", "systemctl", "restart", "nginx");
	no("sh systemctl restart nginx", "systemctl", "restart");
	no("sh systemctl restart", "systemctl", "restart", "nginx");
	no("sh systemctl restart nginx", "systemctl", "restart", "nginx2");
	no("sh systemctl", "Systemctl");
	assert_false(allows("ssh host -- systemctl", "sh", WORDS("systemctl"), NULL));
}

static void a_star_is_one_argument_never_empty_never_an_option(void **state)
{
	(void)state;
	yes("sh systemctl restart *", "systemctl", "restart", "nginx");
	no("sh systemctl restart *", "systemctl", "restart", "");
	no("sh systemctl restart *", "systemctl", "restart", "--now");
	no("sh systemctl restart *", "systemctl", "restart", "a", "b");
	yes("sh cat /var/log/*.log", "cat", "/var/log/x.log");
	no("sh cat /var/log/*.log", "cat", "/var/log/.log");
	yes("sh x -n*", "x", "-n5");
	no("sh x *n", "x", "-n");
	yes("sh x *a*b", "x", "1a2b");
	no("sh x *a*b", "x", "1a2bc");
	yes("sh x 'a b' *", "x", "a b", "c d");
}

static void the_rest_stands_last(void **state)
{
	(void)state;
	yes("sh df **", "df", "-h", "/");
	yes("sh df **", "df");
	no("sh df **", "du");
	struct arena *a = arena_new();
	struct capability *c;
	struct error e;
	assert_int_equal(capability_parse(a, "sh df ** x", &c, &e), ERR_INVALID);
	assert_int_equal(capability_parse(a, "sh df x**", &c, &e), ERR_INVALID);
	arena_free(a);
}

static void alternatives_and_parameters(void **state)
{
	(void)state;
	yes("sh systemctl {start|stop} x", "systemctl", "stop", "x");
	no("sh systemctl {start|stop} x", "systemctl", "restart", "x");
	assert_true(allows("sh x {param:unit}.service", "sh", WORDS("x", "nginx.service"), "{\"unit\":\"nginx\"}"));
	assert_false(allows("sh x {param:unit}.service", "sh", WORDS("x", "other.service"), "{\"unit\":\"nginx\"}"));
	assert_true(allows("sh x {param:n}", "sh", WORDS("x", "5"), "{\"n\":5}"));
	assert_true(allows("sh x {param:l}", "sh", WORDS("x", "b"), "{\"l\":[\"a\",\"b\"]}"));
	assert_false(allows("sh x {param:unit}", "sh", WORDS("x", "-f"), "{\"unit\":\"-f\"}"));
	assert_false(allows("sh x {param:none}", "sh", WORDS("x", ""), "{}"));
}

static void quoted_characters_mean_themselves(void **state)
{
	(void)state;
	yes("sh echo '*'", "echo", "*");
	no("sh echo '*'", "echo", "x");
	yes("sh echo \\*", "echo", "*");
	yes("sh echo \"a  b\"", "echo", "a  b");
	yes("sh echo ''", "echo", "");
}

static void what_is_no_pattern_is_refused_with_a_sentence(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "sh", "rm -rf /", "sh 'x", "sh {a", "sh {param:}", "sh {a||b}", "sh x\\"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct arena *a = arena_new();
		struct capability *c;
		struct error e = {ERR_OK, ""};
		assert_int_equal(capability_parse(a, bad[i], &c, &e), ERR_INVALID);
		assert_true(strlen(e.text) > 10);
		arena_free(a);
	}
}

static void many_stars_cost_no_time(void **state)
{
	(void)state;
	char pattern[600] = "sh x ", word[2001];
	for (int i = 0; i < CAPABILITY_PIECES_MAX; i++) strcat(pattern, "*a");
	memset(word, 'a', 2000);
	word[2000] = 0;
	word[1999] = 'b';
	no(pattern, "x", word);
}

static void an_exact_pattern_allows_just_that(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	const char *words[] = {"sh", "-c", "echo 'it''s' * {a|b}", ""};
	char *text = capability_exact(a, "sh", words, 4);
	assert_true(allows(text, "sh", words, 4, NULL));
	words[2] = "echo";
	assert_false(allows(text, "sh", words, 4, NULL));
	arena_free(a);
}

static void free_interpreters_are_called_dangerous(void **state)
{
	(void)state;
	static const struct {
		const char *pattern;
		bool bad;
	} cases[] = {{"sh sh -c *", true}, {"sh sudo **", true}, {"sh xargs **", true},       {"sh **", true},
	             {"sh *", true},       {"sh df **", false},  {"sh sh -c 'df -h'", false}, {"sh /bin/bash -c *", true}};
	struct arena *a = arena_new();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct capability *c;
		assert_int_equal(capability_parse(a, cases[i].pattern, &c, NULL), ERR_OK);
		assert_int_equal(capability_danger(c) != NULL, cases[i].bad);
	}
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_match_one_by_one),
	    cmocka_unit_test(a_star_is_one_argument_never_empty_never_an_option),
	    cmocka_unit_test(the_rest_stands_last),
	    cmocka_unit_test(alternatives_and_parameters),
	    cmocka_unit_test(quoted_characters_mean_themselves),
	    cmocka_unit_test(what_is_no_pattern_is_refused_with_a_sentence),
	    cmocka_unit_test(many_stars_cost_no_time),
	    cmocka_unit_test(an_exact_pattern_allows_just_that),
	    cmocka_unit_test(free_interpreters_are_called_dangerous),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
