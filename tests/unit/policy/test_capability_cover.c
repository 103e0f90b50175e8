/* What covers what: the rules that are promised, and that a yes is never wrong. */
#include "policy/capability.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SET(...)                                                                                                                                               \
	(const char *const[])                                                                                                                                  \
	{                                                                                                                                                      \
		__VA_ARGS__, NULL                                                                                                                              \
	}

static bool covers(const char *const *set, const char *inner)
{
	struct arena *a = arena_new();
	struct capability *all[8], *c;
	size_t n = 0;
	for (; set[n]; n++) assert_int_equal(capability_parse(a, set[n], &all[n], NULL), ERR_OK);
	assert_int_equal(capability_parse(a, inner, &c, NULL), ERR_OK);
	bool yes = capability_covers((const struct capability *const *)all, n, c);
	arena_free(a);
	return yes;
}

static void the_promised_rules_hold(void **state)
{
	(void)state;
	static const struct {
		const char *outer, *inner;
	} yes[] =
	    {
	        {"sh a b", "sh a b"},
	        {"sh a *", "sh a b"},
	        {"sh a *", "sh a *"},
	        {"sh a *", "sh a {b|c}"},
	        {"sh a *", "sh a {param:x}"},
	        {"sh a *", "sh a {param:x}.service"},
	        {"sh a *", "sh a x*y"},
	        {"sh a {param:x}", "sh a {param:x}"},
	        {"sh a {b|c|d}", "sh a {b|d}"},
	        {"sh a {b|c}", "sh a b"},
	        {"sh a **", "sh a"},
	        {"sh a **", "sh a -x *"},
	        {"sh a **", "sh a * **"},
	        {"sh a --u=*", "sh a --u={param:x}"},
	        {"sh a --u=x*", "sh a --u=x-{param:x}"},
	        {"sh cat /var/log/*", "sh cat /var/log/nginx/*.log"},
	        {"sh cat *", "sh cat /etc/../x"},
	        {"sh 'a b' *", "sh a\\ b x"},
	        {"ssh a@web-* -- x *", "ssh a@web-1 -- x y"},
	        {"ssh a@web-* -- x *", "ssh a@web-{param:n} -- x {param:y}"},
	        {"ssh *@web-* -- **", "ssh a@WEB-1 -- x -y"},
	        {"ssh {param:h} -- x", "ssh {param:h} -- x"},
	        {"ssh 10.0.0.* -- x", "ssh 10.0.0.1 -- x"},
	        {"ssh h as * -- x", "ssh h as root -- x"},
	        {"http {GET|HEAD} https://h/v1/**", "http GET https://h:443/v1/x/*"},
	        {"http GET https://h/v1/**", "http GET https://h/v1/a/**"},
	        {"http GET https://*.example.net/", "http GET https://a.example.net"},
	        {"http GET https://h/x?**", "http GET https://h/x"},
	        {"http GET https://h/x?**", "http GET https://h/x?a=*"},
	        {"http GET https://h/x?a=*", "http GET https://h/x?a={param:v}"},
	        {"secret db-*", "secret db-admin"},
	        {"runbook **", "runbook RUN1"},
	        {"runbook a/**", "runbook a/b/*.md"},
	    },
	  no[] = {
	      {"sh a b", "sh a *"},
	      {"sh a b", "sh a {b|c}"},
	      {"sh a b", "sh a {param:x}"},
	      {"sh a {param:y}", "sh a {param:x}"},
	      {"sh a {param:x}", "sh a b"},
	      {"sh a *", "sh a -x"},
	      {"sh a *", "sh a"},
	      {"sh a *", "sh a **"},
	      {"sh a *", "sh a b c"},
	      {"sh a *", "sh a ''"},
	      {"sh a x*", "sh a x"},
	      {"sh a *", "ssh a -- x"},
	      {"sh a --u=*", "sh a --u=-x"},
	      {"sh cat /var/log/*", "sh cat /var/log/../x"},
	      {"sh cat /srv/*", "sh cat /*"},
	      {"sh a *b", "sh a *"},
	      {"sh /bin/* x", "sh /bin/a/b x"},
	      {"ssh web-* -- x", "ssh a@web-1 -- x"},
	      {"ssh a@web-* -- x", "ssh web-1 -- x"},
	      {"ssh h -- x", "ssh h as root -- x"},
	      {"ssh * -- x", "ssh a.b -- x"},
	      {"ssh * -- x", "ssh {param:h} -- x"},
	      {"ssh * -- x", "ssh xn--a -- x"},
	      {"ssh *.*.*.* -- x", "ssh 10.0.0.1 -- x"},
	      {"ssh *.*.*.* -- x", "ssh 10.*.*.* -- x"},
	      {"http GET https://h/v1/**", "http POST https://h/v1/x"},
	      {"http GET https://h/v1/**", "http GET http://h/v1/x"},
	      {"http GET https://h/v1/**", "http GET https://h:444/v1/x"},
	      {"http GET https://h/v1/**", "http GET https://h/v1/x?a"},
	      {"http GET https://h/v1/**", "http GET https://h/**"},
	      {"http GET https://h/*", "http GET https://h/**"},
	      {"http GET https://h/*0", "http GET https://h/a%20"},
	      {"http GET https://h/x", "http GET https://h/x?**"},
	      {"http GET http://*/", "http GET http://[::1]/"},
	      {"secret *", "secret a/b"},
	  };
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		if (!covers(SET(yes[i].outer), yes[i].inner)) fail_msg("`%s` covers `%s`", yes[i].outer, yes[i].inner);
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		if (covers(SET(no[i].outer), no[i].inner)) fail_msg("`%s` does not cover `%s`", no[i].outer, no[i].inner);
}

static void alternatives_may_be_covered_by_different_patterns(void **state)
{
	(void)state;
	assert_true(covers(SET("sh a b", "sh a c", "sh d"), "sh a {b|c}"));
	assert_false(covers(SET("sh a b", "sh a c"), "sh a {b|d}"));
	assert_true(covers(SET("sh {a|b} x", "sh {a|b} y"), "sh {a|b} {x|y}"));
	assert_false(covers(SET("sh a x", "sh b y"), "sh {a|b} {x|y}"));
	assert_false(covers(SET("sh a"), "sh b"));
	/* 4^6 combinations are more than are tried: only an equal pattern covers. */
	assert_false(covers(SET("sh {a|b|c|d}{a|b|c|d}{a|b|c|d}{a|b|c|d}{a|b|c|d}{a|b|c|d}*"), "sh {a|b|c|d}{a|b|c|d}{a|b|c|d}{a|b|c|d}{a|b|c|d}{a|b|c|d}x"));
	assert_true(covers(SET("sh {a|b|c|d}{a|b|c|d}{a|b|c|d}{a|b|c|d}{a|b|c|d}{a|b|c|d}"), "sh {a|b|c|d}{a|b|c|d}{a|b|c|d}{a|b|c|d}{a|b|c|d}{a|b|c|d}"));
}

/* Random pairs of patterns and random calls, from few and nasty bytes, so that they meet. */
static uint64_t seed;

static unsigned roll(unsigned n)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return (unsigned)(seed >> 33) % n;
}

static const char *const params_text[] = {
    "{\"p\":\"a\",\"q\":\"-\"}",
    "{\"p\":\"..\",\"q\":\"a=\"}",
    "{\"p\":[\"a\",\"-a\",\"a.b\"],\"q\":\"a/a\"}",
    "{\"p\":\"xn--a\",\"q\":\"x\"}",
    "{\"p\":\"10.0.0.1\",\"q\":\"10\"}",
    "{\"p\":\"a%20\",\"q\":\"&a\"}",
    "{\"p\":\"::1\",\"q\":{}}",
    "{}",
};

static const char *const sh_atoms[] = {"a", "-", "=", ".", "..", "/", "b", "a-"}, *const host_atoms[] = {"a", "-", ".", "xn--", "1", "10", "0", "x", "n", "--"},
                         *const url_atoms[] = {"/", "a", "-", "%20", "%41", "2", "0", ".", ";", "a/", "=", "&", "?"};

static void random_word(struct buf *b, const char *const *atoms, unsigned count, bool is_pattern)
{
	for (unsigned i = 0, n = 1 + roll(4); i < n; i++) {
		unsigned what = is_pattern ? roll(10) : 0;
		if (what < 5)
			buf_str(b, atoms[roll(count)]);
		else if (what < 8)
			buf_str(b, "*");
		else if (what == 8)
			buf_str(b, roll(3) ? "{param:p}" : "{param:q}");
		else
			buf_printf(b, "{%s|%s}", atoms[roll(count)], atoms[roll(count)]);
	}
}

#define SH_ATOMS sh_atoms, sizeof sh_atoms / sizeof *sh_atoms
#define HOST_ATOMS host_atoms, sizeof host_atoms / sizeof *host_atoms
#define URL_ATOMS url_atoms, sizeof url_atoms / sizeof *url_atoms

static void random_text(struct buf *b, unsigned kind, bool is_pattern)
{
	buf_reset(b);
	if (kind == 0) {
		buf_str(b, "sh");
		for (unsigned i = 0, n = 1 + roll(2); i < n; i++) buf_char(b, ' '), random_word(b, SH_ATOMS, is_pattern);
		if (is_pattern && !roll(6)) buf_str(b, " **");
	} else if (kind == 1) {
		buf_str(b, "ssh ");
		if (!roll(3)) random_word(b, SH_ATOMS, is_pattern), buf_char(b, '@');
		random_word(b, HOST_ATOMS, is_pattern);
		buf_str(b, " -- a");
	} else {
		buf_str(b, "http GET http://");
		if (roll(2))
			buf_str(b, "h");
		else
			random_word(b, HOST_ATOMS, is_pattern);
		buf_str(b, "/");
		if (roll(4)) random_word(b, URL_ATOMS, is_pattern);
		if (is_pattern && !roll(6)) buf_str(b, "/**");
		if (!roll(3)) buf_char(b, '?'), random_word(b, URL_ATOMS, is_pattern);
		if (is_pattern && !roll(8)) buf_str(b, "?**");
	}
}

enum { PATTERNS = 24, CALLS = 60, ROUNDS = 400 };

struct tally {
	size_t pairs, covered, allowed;
};

static void try_calls(const struct capability *const *patterns, size_t n, const bool *covered, unsigned kind, struct tally *t)
{
	struct arena *a = arena_new();
	struct buf b;
	struct error e;
	const char *word, *const *words;
	size_t count;
	buf_init(&b, 4096);
	random_text(&b, kind, false);
	if (!capability_words(a, b.data, &word, &words, &count, &e)) {
		const struct capability_request *r = capability_request_make(a, word, words, count);
		json_t *params = json_loads(params_text[roll(sizeof params_text / sizeof *params_text)], 0, NULL);
		bool allows[PATTERNS];
		for (size_t i = 0; i < n; i++) t->allowed += allows[i] = capability_allows_request(patterns[i], r, params);
		for (size_t i = 0; i < n * n; i++)
			if (covered[i] && allows[i % n] && !allows[i / n])
				fail_msg("`%s` is said to cover `%s`, but does not allow %s", capability_text(patterns[i / n]),
				         capability_text(patterns[i % n]), b.data);
		json_decref(params);
	}
	buf_clear(&b);
	arena_free(a);
}

static void one_round(unsigned kind, struct tally *t)
{
	struct arena *a = arena_new();
	const struct capability *patterns[PATTERNS];
	bool covered[PATTERNS * PATTERNS];
	struct buf b;
	size_t n = 0;
	buf_init(&b, 4096);
	for (int tries = 0; n < PATTERNS && tries < 10 * PATTERNS; tries++) {
		struct capability *c;
		struct error e;
		random_text(&b, kind, true);
		if (capability_parse(a, b.data, &c, &e) == ERR_OK) patterns[n++] = c;
	}
	for (size_t i = 0; i < n * n; i++) t->covered += covered[i] = capability_covers(&patterns[i / n], 1, patterns[i % n]);
	t->pairs += n * n;
	for (int i = 0; i < CALLS; i++) try_calls(patterns, n, covered, kind, t);
	buf_clear(&b);
	arena_free(a);
}

static void a_yes_is_never_wrong(void **state)
{
	(void)state;
	const char *given = getenv("SEED");
	struct tally t = {0};
	seed = given ? strtoull(given, NULL, 10) : 20261122;
	print_message("# SEED=%llu\n", (unsigned long long)seed);
	for (unsigned i = 0; i < ROUNDS; i++) one_round(i % 3, &t);
	print_message("# %zu pairs, %zu covered, %zu calls allowed\n", t.pairs, t.covered, t.allowed);
	/* More than the patterns themselves, and enough that are met: else the test would prove nothing. */
	assert_true(t.covered > t.pairs / 24 && t.allowed > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_promised_rules_hold),
	    cmocka_unit_test(alternatives_may_be_covered_by_different_patterns),
	    cmocka_unit_test(a_yes_is_never_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
