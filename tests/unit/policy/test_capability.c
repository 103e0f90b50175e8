#include "policy/capability.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
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

/* Of each pattern what a deny should have instead; NULL: it leaves nothing out that reads as if it were in it. */
static void what_a_deny_leaves_out_is_known(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *wider, *beyond; /* beyond: a call that the wider one takes and the other does not */
	} cases[] = {
	    {"sh rm *", "sh rm **", "sh rm -rf x"},
	    {"sh rm * *", "sh rm **", "sh rm x"},
	    {" sh  rm -r  *", " sh  rm -r  **", "sh rm -r -f x"},
	    {"sh rm * **", "sh rm **", "sh rm -rf x"},
	    {"sh kubectl * delete pod", "sh kubectl **", "sh kubectl -n shop delete pod"},
	    {"sh *", "sh **", "sh /bin/rm -rf x"},
	    {"sh 'a *' * b", "sh 'a *' **", "sh 'a *' -x b"},
	    {"ssh *@web-* as root -- rm *", "ssh *@web-* as root -- rm **", "ssh ana@web-1 as root -- rm -rf x"},
	    {"ssh * -- *", "ssh * -- **", "ssh web-1 -- rm -rf x"},
	    {"http DELETE https://h/v1/*", "http DELETE https://h/v1/*?**", "http DELETE https://h/v1/a?b"},
	    {"http {PUT|POST} https://h/**", "http {PUT|POST} https://h/**?**", "http PUT https://h/?b"},
	    {"http GET https://h/a ", "http GET https://h/a?**", "http GET https://h/a?b"},
	    {"http GET https://h", "http GET https://h?**", "http GET https://h/?b"},
	    {"http GET https://h/**?**", NULL, NULL},
	    {"http GET https://h/?a=*", NULL, NULL},
	    {"sh rm **", NULL, NULL},
	    {"sh rm", NULL, NULL},
	    {"sh rm '*'", NULL, NULL},
	    {"sh rm \\*", NULL, NULL},
	    {"sh rm {a|b}", NULL, NULL},
	    {"sh rm /var/log/*", NULL, NULL},
	    {"ssh * -- reboot", NULL, NULL},
	    {"secret *", NULL, NULL},
	    {"runbook **", NULL, NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *a = arena_new();
		struct capability *c, *wide;
		struct error e;
		const char *kind, *left_out = NULL, *const * words;
		size_t n = 0;
		if (capability_parse(a, cases[i].pattern, &c, &e)) fail_msg("%s", e.text);
		const char *wider = capability_widened(a, c, &left_out);
		if (!cases[i].wider || !wider) {
			if (wider || cases[i].wider) fail_msg("`%s` becomes %s", cases[i].pattern, wider ? wider : "nothing");
		} else {
			assert_string_equal(wider, cases[i].wider);
			assert_non_null(left_out);
			if (capability_parse(a, wider, &wide, &e) || capability_words(a, cases[i].beyond, &kind, &words, &n, &e)) fail_msg("%s", e.text);
			assert_false(capability_allows(c, kind, words, n, NULL));
			assert_true(capability_allows(wide, kind, words, n, NULL));
			assert_null(capability_widened(a, wide, &left_out));
			assert_true(capability_covers((const struct capability *const[]){wide}, 1, c));
		}
		arena_free(a);
	}
}

static const char *danger(const char *pattern)
{
	struct arena *a = arena_new();
	struct capability *c;
	struct error e;
	if (capability_parse(a, pattern, &c, &e)) fail_msg("%s", e.text);
	const char *why = capability_danger(c); /* a static text */
	arena_free(a);
	return why;
}

static void free_interpreters_are_called_dangerous(void **state)
{
	(void)state;
	static const char *const bad[] =
	    {
	        "sh **",
	        "sh *",
	        "sh {param:x}",
	        "sh /usr/bin/*",
	        "sh sh -c *",
	        "sh sh -c 'df '*",
	        "sh sh -c df\\ {param:x}",
	        "sh sh -xc *",
	        "sh sh *",
	        "sh sh **",
	        "sh /bin/bash -c *",
	        "sh {ba|da}sh -c *",
	        "sh {ls|bash} **",
	        "sh bash -o pipefail -c *",
	        "sh sudo **",
	        "sh sudo *",
	        "sh sudo -u root **",
	        "sh sudo -u root sh -c *",
	        "sh sudo {ls|sh} **",
	        "sh su root -c *",
	        "sh env **",
	        "sh env A=b *",
	        "sh env * ls",
	        "sh xargs **",
	        "sh xargs -n 1 sh -c *",
	        "sh nohup nice -n 5 **",
	        "sh timeout 5 **",
	        "sh timeout * **",
	        "sh nsenter -t 1 *",
	        "sh busybox *",
	        "sh ssh host *",
	        "sh ssh **",
	        "sh python3 -c *",
	        "sh python3 *",
	        "sh python3 -m *",
	        "sh perl -e *",
	        "sh node -e {param:x}",
	        "sh awk *",
	        "sh awk -F : * file",
	        "sh sed -e *",
	        "sh find **",
	        "sh find / -*",
	        "sh find / -exec *",
	        "sh find / -exec sh -c * ';'",
	        "sh find / -e*",
	        "sh tar **",
	        "sh tar -xf x --checkpoint-action=*",
	        "sh tar -xf x -I *",
	        "sh tar -xf x --*",
	        "sh git -c * status",
	        "sh git -c*",
	        "sh git **",
	        "sh rsync -e * a b",
	        "sh sort --compress-program={param:x}",
	        "sh docker **",
	        "sh docker * x",
	        "sh docker exec web **",
	        "sh docker {ps|run} **",
	        "sh kubectl exec pod -- *",
	        "sh ip netns exec a *",
	        "sh psql -c *",
	        "sh {a|b}{a|b}{a|b}{a|b}{a|b}{a|b}{a|b}{a|b}{a|b}{a|b}{a|b}{a|b}",
	        "ssh web-1 -- **",
	        "ssh web-1 -- sudo **",
	        "ssh web-1 -- sh -c *",
	    },
	                         *const good[] = {
	                             "sh df **",
	                             "sh ls *",
	                             "sh sh -c 'df -h'",
	                             "sh sh -c 'echo \"$1\"' x *",
	                             "sh bash -o pipefail -c 'df | sort'",
	                             "sh bash /usr/local/bin/report.sh **",
	                             "sh sudo systemctl restart *",
	                             "sh sudo -u * systemctl restart nginx",
	                             "sh env A=* ls",
	                             "sh timeout * df **",
	                             "sh timeout 5 df **",
	                             "sh xargs -n 1 du -sh",
	                             "sh python3 /usr/local/bin/report.py **",
	                             "sh python3 -c 'print(1)' *",
	                             "sh awk '{print $1}' *",
	                             "sh sed -n 5p *",
	                             "sh find * -xdev -type f -size +100M -printf '%s %p\n'",
	                             "sh find {param:folder} -name *",
	                             "sh find /tmp -name x -exec rm '{}' ';'",
	                             "sh tar -xf * -C *",
	                             "sh git -C * pull",
	                             "sh git push -u *",
	                             "sh docker ps **",
	                             "sh docker exec {param:c} nginx -s reload",
	                             "sh ip netns add *",
	                             "sh systemctl {start|stop} *",
	                             "ssh web-* -- systemctl restart *",
	                             "ssh * -- uptime",
	                             "http GET https://h/**",
	                             "secret *",
	                         };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (!danger(bad[i])) fail_msg("`%s` allows every command", bad[i]);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (danger(good[i])) fail_msg("`%s`: %s", good[i], danger(good[i]));
}

static void a_long_pattern_meets_its_limits(void **state)
{
	(void)state;
	static const struct {
		const char *start, *again;
		size_t times;
	} cases[] = {
	    {"sh ", "a", CAPABILITY_BYTES_MAX},
	    {"sh", " a", CAPABILITY_WORDS_MAX + 1},
	    {"sh ", "*a", CAPABILITY_PIECES_MAX + 1},
	    {"sh x {a", "|b", CAPABILITY_CHOICES_MAX},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *a = arena_new();
		struct capability *c;
		struct error e;
		struct buf b;
		buf_init(&b, 1 << 20);
		buf_str(&b, cases[i].start);
		for (size_t k = 0; k < cases[i].times; k++) buf_str(&b, cases[i].again);
		if (i == 3) buf_str(&b, "}");
		assert_int_equal(capability_parse(a, b.data, &c, &e), ERR_TOO_BIG);
		buf_clear(&b);
		arena_free(a);
	}
	char *word = calloc(CAPABILITY_ARGUMENT_BYTES_MAX + 2, 1);
	memset(word, 'a', CAPABILITY_ARGUMENT_BYTES_MAX);
	yes("sh x *", "x", word);
	word[CAPABILITY_ARGUMENT_BYTES_MAX] = 'a';
	no("sh x *", "x", word);
	free(word);
}

static void take_name(const char *name, void *arg)
{
	strcat(strcat(arg, name), " ");
}

static void a_pattern_names_its_parameters(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct capability *c;
	char names[100] = "";
	assert_int_equal(capability_parse(a, "ssh {param:login}@{param:host} as {param:user} -- x {param:a}{param:b} '{param:c}'", &c, NULL), ERR_OK);
	capability_each_param(c, take_name, names);
	assert_string_equal(names, "login host user a b ");
	arena_free(a);
}

static void a_host_is_named_where_it_is_written_out(void **state)
{
	static const struct {
		const char *pattern, *url;
		bool is_named;
	} table[] = {
	    {"http GET http://db.test/**", "http://db.test/x", true},
	    {"http GET http://DB.test/**", "http://db.TEST/x", true},
	    {"http GET http://{db|web}.{test|local}/**", "http://web.local/x", true},
	    {"http GET http://db.test/**", "http://web.test/x", false},
	    {"http POST http://db.test/**", "http://db.test/x", false},
	    {"http GET http://db.test:81/**", "http://db.test/x", false},
	    {"http GET http://*.test/**", "http://db.test/x", false},
	    {"http GET http://db*.test/**", "http://db1.test/x", false},
	    {"http GET http://{param:h}/**", "http://db.test/x", false},
	    {"http GET http://10.0.0.5/**", "http://10.0.0.5/x", true},
	    {"http GET http://[fd00::5]/**", "http://[FD00:0::5]/x", true},
	    {"http GET http://10.1.*.*/**", "http://10.1.2.3/x", true},
	    {"http GET http://10.1.2.*/**", "http://10.1.2.3/x", true},
	    {"http GET http://10.*.*.*/**", "http://10.1.2.3/x", false},
	    {"http GET http://a.b.*.test/**", "http://a.b.c.test/x", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct arena *a = arena_new();
		struct capability *c;
		json_t *params = json_pack("{s:s}", "h", "db.test");
		assert_int_equal(capability_parse(a, table[i].pattern, &c, NULL), ERR_OK);
		const struct capability_request *r = capability_request_make(a, "http", (const char *const[]){"GET", table[i].url}, 2);
		if (capability_names_host(c, r, params) != table[i].is_named) fail_msg("%s, %s", table[i].pattern, table[i].url);
		json_decref(params);
		arena_free(a);
	}
}

static void a_fault_shows_all_forms_and_no_password(void **state)
{
	static const char *const faults[][2] = {{"ssh web-1 systemctl restart nginx", "`ssh deploy@web-* put /etc/app/*`"},
	                                        {"ssh web-1", "`ssh deploy@web-* as root -- systemctl restart *`"},
	                                        {"http GET https://ana:geheim@h/**", "https://...@h/**"},
	                                        {"https://ana:geheim@h/", "\"https://...@h/\" is no capability"}};
	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		struct arena *a = arena_new();
		struct capability *c;
		struct error e;
		assert_int_not_equal(capability_parse(a, faults[i][0], &c, &e), ERR_OK);
		if (!strstr(e.text, faults[i][1]) || strstr(e.text, "geheim")) fail_msg("%s", e.text);
		arena_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_fault_shows_all_forms_and_no_password),
	    cmocka_unit_test(words_match_one_by_one),
	    cmocka_unit_test(a_star_is_one_argument_never_empty_never_an_option),
	    cmocka_unit_test(the_rest_stands_last),
	    cmocka_unit_test(alternatives_and_parameters),
	    cmocka_unit_test(quoted_characters_mean_themselves),
	    cmocka_unit_test(what_is_no_pattern_is_refused_with_a_sentence),
	    cmocka_unit_test(many_stars_cost_no_time),
	    cmocka_unit_test(an_exact_pattern_allows_just_that),
	    cmocka_unit_test(what_a_deny_leaves_out_is_known),
	    cmocka_unit_test(free_interpreters_are_called_dangerous),
	    cmocka_unit_test(a_long_pattern_meets_its_limits),
	    cmocka_unit_test(a_pattern_names_its_parameters),
	    cmocka_unit_test(a_host_is_named_where_it_is_written_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
