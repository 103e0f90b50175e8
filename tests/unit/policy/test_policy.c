/* The policy of DESIGN.md section 7: what it says, and that everything that cannot be known counts against. */
#include "base/clock.h"
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char text[] = "version: 1\n"
                           "groups:   {sre: [ana, bo], dba: [dee], nobody: []}\n"
                           "services: {alert-bot: {rate: 60/h, max_running: 20, user: alertbot}}\n"
                           "windows:  {year-end: [{from: 2026-12-20, to: 2027-01-02}]}\n"
                           "elevations: {break-glass: {who: [group:sre], for: 1h}}\n"
                           "people: {ana: [Ana Lima, ana@example.org]}\n"
                           "rules:\n"
                           "  - id: oncall-web\n"
                           "    allow: [run]\n"
                           "    who: [group:sre, service:alert-bot]\n"
                           "    books: [\"runbooks/web/**\", \"playbooks/**\"]\n"
                           "    grants: [\"sh systemctl restart *\", \"sh systemctl is-active *\"]\n"
                           "  - id: of-nobody\n"
                           "    allow: [run]\n"
                           "    who: [group:nobody]\n"
                           "    books: [runbooks/nobody.md]\n"
                           "  - id: two-persons\n"
                           "    require: {approvals: 2, from: group:dba, not: [starter, author], within: 15m}\n"
                           "    when: {risk: destructive}\n"
                           "    unless: {grant: break-glass}\n"
                           "  - id: freeze\n"
                           "    deny: [run]\n"
                           "    when: {window: year-end, risk: [change, destructive]}\n"
                           "    unless: {grant: break-glass}\n"
                           "  - id: many\n"
                           "    deny: [run]\n"
                           "    when: {targets: {above: 10}}\n"
                           "  - id: never\n"
                           "    deny: [run]\n"
                           "    calls: [\"sh systemctl restart sshd\"]\n"
                           "tests:\n"
                           "  - {who: service:alert-bot, do: run, book: runbooks/db/drop.md, want: deny}\n"
                           "  - {who: ana, book: runbooks/web/a.md, call: \"sh systemctl restart nginx\", want: allow, rule: oncall-web}\n"
                           "  - {who: ana, book: runbooks/web/a.md, risk: destructive, want: allow}\n";

static struct arena *arena;
static const struct policy *policy;

static int64_t at(const char *when)
{
	int64_t us;
	assert_true(clock_parse_instant(when, &us));
	return us;
}

static struct policy_request ask(const char *who, const char *book)
{
	return (struct policy_request){.who = who, .book = book, .targets = POLICY_TARGETS_OF_NO_STEP, .now_us = at("2026-11-23T12:00Z")};
}

static void expect(struct policy_request q, enum policy_outcome want, const char *rule)
{
	struct policy_decision d = policy_decide(policy, &q, arena);
	assert_int_equal(d.outcome, want);
	assert_string_equal(d.rule ? d.rule->id : "-", rule);
}

static struct policy_request call(struct policy_request q, const char *const *words, size_t n)
{
	q.kind = "sh", q.words = words, q.word_count = n;
	return q;
}

static void rules_decide_by_person_and_book(void **state)
{
	(void)state;
	expect(ask("user:ana", "runbooks/web/restart.md"), POLICY_IS_ALLOWED, "oncall-web");
	expect(ask("service:alert-bot", "playbooks/latency.md#slow"), POLICY_IS_ALLOWED, "oncall-web");
	expect(ask("user:cy", "runbooks/web/restart.md"), POLICY_IS_DENIED, "-");
	expect(ask("user:cy", "runbooks/nobody.md"), POLICY_IS_DENIED, "-");
	expect(ask("user:dee", "runbooks/web/restart.md"), POLICY_IS_DENIED, "-");
	expect(ask("user:ana", "runbooks/db/drop.md"), POLICY_IS_DENIED, "-");
	expect(ask("user:alert-bot", "playbooks/latency.md"), POLICY_IS_DENIED, "-");
	struct policy_request q = ask("user:ana", "runbooks/web/restart.md");
	q.verb = VERB_CANCEL;
	expect(q, POLICY_IS_DENIED, "-");
}

static void calls_are_granted_one_by_one(void **state)
{
	(void)state;
	struct policy_request q = ask("user:ana", "runbooks/web/restart.md");
	expect(call(q, (const char *[]){"systemctl", "restart", "nginx"}, 3), POLICY_IS_ALLOWED, "oncall-web");
	expect(call(q, (const char *[]){"systemctl", "restart", "sshd"}, 3), POLICY_IS_DENIED, "never");
	expect(call(q, (const char *[]){"systemctl", "stop", "nginx"}, 3), POLICY_IS_DENIED, "-");
	expect(call(q, (const char *[]){"systemctl", "restart", "--force"}, 3), POLICY_IS_DENIED, "-");
}

static void a_freeze_denies_unless_somebody_breaks_the_glass(void **state)
{
	(void)state;
	static const char *const elevated[] = {"break-glass"};
	struct policy_request q = ask("user:ana", "runbooks/web/restart.md");
	q.risk = RISK_OF_CHANGE;
	expect(q, POLICY_IS_ALLOWED, "oncall-web");
	q.now_us = at("2026-12-19T23:59:59Z");
	expect(q, POLICY_IS_ALLOWED, "oncall-web");
	q.now_us = at("2026-12-20T00:00:00Z");
	expect(q, POLICY_IS_DENIED, "freeze");
	q.now_us = at("2027-01-02T23:59:59Z"); /* a day counts whole */
	expect(q, POLICY_IS_DENIED, "freeze");
	q.now_us = at("2027-01-03T00:00:00Z");
	expect(q, POLICY_IS_ALLOWED, "oncall-web");
	q.now_us = at("2026-12-24T12:00:00Z");
	q.risk = RISK_OF_READ;
	expect(q, POLICY_IS_ALLOWED, "oncall-web");
	q.risk = RISK_OF_CHANGE, q.elevated = elevated, q.elevated_count = 1;
	expect(q, POLICY_IS_ALLOWED, "oncall-web");
}

static void destructive_steps_wait_for_two(void **state)
{
	(void)state;
	static const char *const met[] = {"two-persons"};
	struct policy_request q = ask("user:ana", "runbooks/web/restart.md");
	q.risk = RISK_OF_DESTRUCTIVE;
	expect(q, POLICY_MUST_WAIT, "two-persons");
	q.met = met, q.met_count = 1;
	expect(q, POLICY_IS_ALLOWED, "oncall-web");
	struct policy_decision d = policy_decide(policy, &q, arena);
	assert_int_equal(d.require_count, 1);
	assert_int_equal(d.requires[0] -> approvals, 2);
	assert_int_equal(d.requires[0] -> within_us, INT64_C(900000000));
}

static void what_cannot_be_known_counts_against(void **state)
{
	(void)state;
	struct policy_request q = ask("user:ana", "runbooks/web/restart.md");
	q.risk = RISK_OF_CHANGE;
	q.targets = 10;
	expect(q, POLICY_IS_ALLOWED, "oncall-web");
	q.targets = 11;
	expect(q, POLICY_IS_DENIED, "many");
	q.targets = POLICY_TARGETS_UNKNOWN;
	expect(q, POLICY_IS_DENIED, "many");
}

static void books_are_named_by_globs(void **state)
{
	(void)state;
	static const struct {
		const char *glob, *book;
		bool matches;
	} cases[] = {
	    {"runbooks/*.md", "runbooks/a.md", true},
	    {"runbooks/*.md", "runbooks/web/a.md", false},
	    {"runbooks/**", "runbooks/web/a.md", true},
	    {"runbooks/**", "runbooks", true},
	    {"runbooks/**/a.md", "runbooks/a.md", true},
	    {"runbooks/**/a.md", "runbooks/x/y/a.md", true},
	    {"runbooks/**/b/**/a.md", "runbooks/x/b/b/y/a.md", true},
	    {"runbooks/**/b/**/a.md", "runbooks/x/c/a.md", false},
	    {"**/a.md", "a.md", true},
	    {"*", "a.md", true},
	    {"*", "x/a.md", false},
	    {"a*c*.md", "abcbcb.md", true},
	    {"a*c*.md", "ab.md", false},
	    {"a.md", "a.md#disk", true},
	    {"a.md#disk", "a.md#disk", true},
	    {"a.md#d*", "a.md#disk", true},
	    {"a.md#disk", "a.md", false},
	    {"a.md#disk", "a.md#other", false},
	    {"**", "external/home/x/a.md", true},
	    {"external/**", "external/home/x/a.md", false},
	    {"**/a.md", "external/home/x/a.md", false},
	    {"**#disk", "external/home/x/a.md#disk", false},
	    {"**#disk", "runbooks/a.md#disk", true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (policy_book_matches(cases[i].glob, cases[i].book) != cases[i].matches) fail_msg("%s %s", cases[i].glob, cases[i].book);
}

static void authors_are_known_by_their_names(void **state)
{
	(void)state;
	assert_true(policy_is_author(policy, "user:ana", "Ana Lima"));
	assert_true(policy_is_author(policy, "user:ana", "Bo, ana@example.org"));
	assert_true(policy_is_author(policy, "user:bo", "Bo, ana@example.org"));
	assert_false(policy_is_author(policy, "user:bo", "Bob"));
	assert_false(policy_is_author(policy, "user:dee", "Ana Lima"));
	assert_false(policy_is_author(policy, "user:dee", NULL));
}

static void nobody_is_in_an_empty_group(void **state)
{
	static const char empty[] = "version: 1\ngroups: {none: []}\nrules:\n  - {id: a, allow: [run], who: [group:none], books: [\"**\"]}\n";
	const struct policy *p;
	struct error e;
	(void)state;
	assert_int_equal(policy_read(arena, "policy.yaml", empty, sizeof empty - 1, &p, &e), ERR_OK);
	struct policy_request q = ask("user:ana", "runbooks/a.md");
	assert_int_equal(policy_decide(p, &q, arena).outcome, POLICY_IS_DENIED);
	assert_int_equal(policy_count(p, p->rules[0].who, 1, NULL), 0);
}

static void its_own_tests_are_run(void **state)
{
	(void)state;
	struct error e;
	assert_int_equal(policy->test_count, 3);
	assert_true(policy_test_run(policy, 0, at("2026-11-23T12:00Z"), &e));
	assert_true(policy_test_run(policy, 1, at("2026-11-23T12:00Z"), &e));
	assert_false(policy_test_run(policy, 2, at("2026-11-23T12:00Z"), &e));
	assert_non_null(strstr(e.text, "policy.yaml:34: wants allow, gets wait (two-persons)"));
}

static int setup(void **state)
{
	struct error e;
	(void)state;
	arena = arena_new();
	if (policy_read(arena, "policy.yaml", text, sizeof text - 1, &policy, &e)) {
		print_error("%s\n", e.text);
		return 1;
	}
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
	    cmocka_unit_test(rules_decide_by_person_and_book),
	    cmocka_unit_test(calls_are_granted_one_by_one),
	    cmocka_unit_test(a_freeze_denies_unless_somebody_breaks_the_glass),
	    cmocka_unit_test(destructive_steps_wait_for_two),
	    cmocka_unit_test(what_cannot_be_known_counts_against),
	    cmocka_unit_test(books_are_named_by_globs),
	    cmocka_unit_test(authors_are_known_by_their_names),
	    cmocka_unit_test(nobody_is_in_an_empty_group),
	    cmocka_unit_test(its_own_tests_are_run),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
