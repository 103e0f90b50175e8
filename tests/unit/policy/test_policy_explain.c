/* Why a decision is what it is, in words: tests/golden/policy/explain.txt has them all. RUNG_GOLDEN=write makes it anew. */
#include "base/clock.h"
#include "base/fs.h"
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const policy_file = "tests/fixtures/policy/explain.yaml", *const golden = "tests/golden/policy/explain.txt";

/* What is left out: run, a person, no step, no call, 2026-11-23 12:00 UTC. targets: as in a request, 0 for those of no step. */
struct asked {
	const char *who, *book, *call;
	enum policy_verb verb;
	enum policy_risk risk;
	enum policy_trigger trigger;
	int64_t targets;
	const char *at, *elevated, *met;
};

#define WEB "runbooks/web/restart.md"
#define DROP "runbooks/db/drop.md"

static const struct asked table[] = {
    {.who = "user:ana", .book = WEB},
    {.who = "user:ana", .book = WEB, .call = "sh systemctl restart nginx"},
    {.who = "user:ana", .book = WEB, .call = "sh systemctl restart nginx", .risk = RISK_OF_CHANGE},
    {.who = "service:alert-bot", .book = "playbooks/latency.md#slow", .trigger = TRIGGER_ALERT},
    {.who = "user:zoe", .book = "runbooks/page.md#first-part"},
    {.who = "user:hal", .book = WEB, .verb = VERB_READ},
    {.who = "user:ana", .book = WEB, .risk = RISK_OF_DESTRUCTIVE, .elevated = "break-glass"},
    {.who = "user:dee", .book = DROP, .risk = RISK_OF_DESTRUCTIVE, .met = "two-persons"},
    {.who = "user:ana", .book = WEB, .risk = RISK_OF_DESTRUCTIVE, .met = "two-persons"},
    {.who = "user:ana", .book = "runbooks/emergency/gate.md", .elevated = "break-glass"},
    /* Denied by a rule. */
    {.who = "user:ana", .book = WEB, .risk = RISK_OF_CHANGE, .at = "2026-12-24T08:00Z"},
    {.who = "service:alert-bot", .book = WEB, .risk = RISK_OF_DESTRUCTIVE, .trigger = TRIGGER_ALERT, .at = "2026-12-24T08:00Z"},
    {.who = "user:ana", .book = WEB, .risk = RISK_OF_CHANGE, .targets = 12},
    {.who = "user:ana", .book = WEB, .risk = RISK_OF_CHANGE, .targets = POLICY_TARGETS_UNKNOWN},
    {.who = "user:ana", .book = WEB, .risk = RISK_OF_CHANGE, .targets = 12, .at = "2026-12-24T08:00Z"},
    {.who = "user:ana", .book = WEB, .call = "sh systemctl restart sshd"},
    {.who = "user:cy", .book = WEB, .call = "sh reboot"},
    /* Waits. */
    {.who = "user:ana", .book = WEB, .risk = RISK_OF_DESTRUCTIVE},
    {.who = "user:dee", .book = DROP, .risk = RISK_OF_DESTRUCTIVE},
    {.who = "user:dee", .book = DROP, .risk = RISK_OF_DESTRUCTIVE, .met = "third-person"},
    {.who = "user:ana", .book = WEB, .call = "sh systemctl restart nginx", .risk = RISK_OF_DESTRUCTIVE, .targets = 1},
    /* No rule allows it. */
    {.who = "user:cy", .book = WEB},
    {.who = "user:ana", .book = WEB, .call = "sh systemctl stop nginx"},
    {.who = "user:ana", .book = WEB, .call = "sh systemctl restart --force"},
    {.who = "user:ana", .book = WEB, .call = "sh sh -c 'echo \"a\" | wc'"},
    {.who = "user:ana", .book = WEB, .call = "http GET https://web-1/a/../b"},
    {.who = "user:ana", .book = WEB, .call = "ssh web-1 -- uptime"},
    {.who = "user:ana", .book = DROP},
    {.who = "user:ana", .book = DROP, .call = "sh psql shop"},
    {.who = "user:ana", .book = "runbooks/emergency/gate.md", .call = "sh true"},
    {.who = "user:ana", .book = "runbooks/emergency/gate.md"},
    {.who = "user:cy", .book = "runbooks/emergency/gate.md"},
    {.who = "user:cy", .book = "runbooks/night/clean.md"},
    {.who = "user:cy", .book = "runbooks/night/clean.md", .at = "2026-12-01T08:00Z"},
    {.who = "service:alert-bot", .book = "runbooks/fleet.md", .risk = RISK_OF_CHANGE, .trigger = TRIGGER_ALERT, .targets = POLICY_TARGETS_UNKNOWN},
    {.who = "service:alert-bot", .book = "runbooks/fleet.md", .risk = RISK_OF_DESTRUCTIVE, .trigger = TRIGGER_SCHEDULE, .targets = 3},
    {.who = "service:new-bot", .book = "runbooks/other.md"},
    {.who = "user:ana", .book = "runbooks/page.md"},
    {.who = "user:hal", .book = "runbooks/db/drop.md", .verb = VERB_CANCEL},
    {.who = "user:hal", .book = "runbooks/db/drop.md", .verb = VERB_APPROVE_BOOK},
    {.who = "user:ana", .book = "external/tmp/a.md"},
    /* A deny leaves out what its author may think that it holds. */
    {.who = "user:gus", .book = "runbooks/clean.md", .call = "sh rm -rf /srv"},
    {.who = "user:gus", .book = "runbooks/clean.md", .call = "sh rm /srv"},
    {.who = "user:gus", .book = "runbooks/clean.md", .call = "http DELETE https://shop.example/all?sure"},
    {.who = "user:gus", .book = "runbooks/clean.md", .call = "http DELETE https://shop.example/all"},
    {.who = "user:a\nb", .book = "runbooks/x\n- {id: y}.md"},
};
enum { ASKED_N = sizeof table / sizeof *table };

static struct arena *arena;
static const struct policy *policy;
static struct buf policy_text;

static struct policy_request request_of(const struct asked *t)
{
	struct policy_request q = {.who = t->who, .verb = t->verb, .book = t->book, .risk = t->risk, .trigger = t->trigger, .targets = t->targets};
	struct error e;
	if (!t->targets) q.targets = POLICY_TARGETS_OF_NO_STEP;
	assert_true(clock_parse_instant(t->at ? t->at : "2026-11-23T12:00Z", &q.now_us));
	if (t->elevated) q.elevated = &t->elevated, q.elevated_count = 1;
	if (t->met) q.met = &t->met, q.met_count = 1;
	if (t->call) assert_int_equal(capability_words(arena, t->call, &q.kind, &q.words, &q.word_count, &e), ERR_OK);
	return q;
}

static void every_decision_is_explained(void **state)
{
	(void)state;
	struct buf got, want;
	struct error e;
	buf_init(&got, 1 << 20);
	buf_init(&want, 1 << 20);
	for (size_t i = 0; i < ASKED_N; i++) {
		struct policy_request q = request_of(&table[i]);
		struct policy_decision d = policy_decide(policy, &q, arena);
		buf_printf(&got, "[%s]\n%s\n\n", policy_outcome_word(d.outcome), policy_explain(policy, &q, arena));
	}
	const char *mode = getenv("RUNG_GOLDEN");
	if (mode && strcmp(mode, "write") == 0) {
		assert_int_equal(fs_write_atomic(golden, got.data, got.len, 0644, &e), ERR_OK);
	} else {
		assert_int_equal(fs_read(golden, &want, &e), ERR_OK);
		assert_string_equal(got.data, want.data);
	}
	buf_clear(&got);
	buf_clear(&want);
}

/* An error shows the first line alone: it says who, what, and which line of the policy, or that there is none. */
static void the_first_line_is_whole_by_itself(void **state)
{
	(void)state;
	for (size_t i = 0; i < ASKED_N; i++) {
		struct policy_request q = request_of(&table[i]);
		struct policy_decision d = policy_decide(policy, &q, arena);
		const char *text = policy_explain(policy, &q, arena), *end = strchrnul(text, '\n');
		const char *first = arena_strndup(arena, text, (size_t)(end - text));
		assert_non_null(strstr(first, " may "));
		if (d.rule) assert_non_null(strstr(first, arena_printf(arena, "%s:%d)", policy->file, d.rule->line)));
		if (d.rule) assert_non_null(strstr(first, d.rule->id));
		if (!d.rule) assert_non_null(strstr(first, "no rule of policy.yaml allows it"));
	}
}

static void an_error_has_one_line_of_whole_sentences(void **state)
{
	(void)state;
	for (size_t i = 0; i < ASKED_N; i++) {
		struct policy_request q = request_of(&table[i]);
		const char *line = policy_explain_line(policy, &q, arena), *text = policy_explain(policy, &q, arena);
		assert_null(strchr(line, '\n'));
		assert_true(strlen(line) < ERROR_TEXT_BYTES - 100);
		assert_memory_equal(line, text, strcspn(text, "\n"));
	}
	struct policy_request q = request_of(&table[10]);
	assert_non_null(strstr(policy_explain_line(policy, &q, arena), "(rule freeze, policy.yaml:59). In full: rule freeze"));
}

/* The rule that is proposed is one that the reader takes and that allows it. */
static void what_is_proposed_allows_it(void **state)
{
	(void)state;
	static const char services[] = "services:\n", rules[] = "rules:\n";
	size_t tried = 0;
	for (size_t i = 0; i < ASKED_N; i++) {
		struct policy_request q = request_of(&table[i]);
		const char *proposed = strstr(policy_explain(policy, &q, arena), "  - {id:"), *at = strstr(policy_text.data, rules) + sizeof rules - 1;
		const char *service = strstr(policy_text.data, services) + sizeof services - 1;
		struct error e;
		const struct policy *changed;
		if (!proposed || strchr(q.who, '\n')) continue;
		const char *text = arena_printf(arena, "%.*s  new-bot: {}\n%.*s%s\n%s", (int)(service - policy_text.data), policy_text.data,
		                                (int)(at - service), service, proposed, at);
		if (policy_read(arena, "policy.yaml", text, strlen(text), &changed, &e)) fail_msg("%s\n%s", e.text, proposed);
		assert_int_not_equal(policy_decide(changed, &q, arena).outcome, POLICY_IS_DENIED);
		tried++;
	}
	assert_true(tried >= 4);
}

static int setup(void **state)
{
	struct error e;
	(void)state;
	arena = arena_new();
	buf_init(&policy_text, 1 << 20);
	if (fs_read(policy_file, &policy_text, &e) || policy_read(arena, "policy.yaml", policy_text.data, policy_text.len, &policy, &e)) {
		print_error("%s\n", e.text);
		return 1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_clear(&policy_text);
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_decision_is_explained),
	    cmocka_unit_test(the_first_line_is_whole_by_itself),
	    cmocka_unit_test(an_error_has_one_line_of_whole_sentences),
	    cmocka_unit_test(what_is_proposed_allows_it),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
