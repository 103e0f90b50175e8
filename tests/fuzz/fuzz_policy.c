/* Policies: any bytes are read, or refused with a place; what is read decides, the same twice, and allows nothing where no rule allows. */
#include "policy/policy.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const words[] = {"systemctl", "restart", "nginx"}, *const elevated[] = {"glass"};

static const struct policy_request requests[] = {
    {.who = "user:ana", .book = "runbooks/web/a.md#disk", .risk = RISK_OF_CHANGE, .targets = 3, .now_us = INT64_C(1798000000000000)},
    {.who = "service:bot", .book = "a.md", .trigger = TRIGGER_ALERT, .targets = POLICY_TARGETS_UNKNOWN, .elevated = elevated, .elevated_count = 1},
    {.who = "user:bo", .book = "external/x.md", .targets = POLICY_TARGETS_OF_NO_STEP, .kind = "sh", .words = words, .word_count = 3},
};

/* A refusal names file, line and column. */
static void check_place(const struct error *e)
{
	int line = 0, column = 0;
	must(sscanf(e->text, "fuzz.yaml:%d:%d: ", &line, &column) == 2 && line > 0 && column > 0);
}

static void check_decision(const struct policy *p, const struct policy_request *q, struct arena *a)
{
	struct policy_decision d = policy_decide(p, q, a), again = policy_decide(p, q, a);
	bool has_allow = false;
	must(d.outcome == again.outcome && d.rule == again.rule);
	for (size_t i = 0; i < p->rule_count; i++) has_allow = has_allow || p->rules[i].effect == POLICY_ALLOW;
	must(has_allow || d.outcome == POLICY_IS_DENIED);
	must(d.rule || d.outcome == POLICY_IS_DENIED);
	must(policy_explain(p, q, a));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	const struct policy *p;
	struct error e;
	if (policy_read(a, "fuzz.yaml", (const char *)data, n, &p, &e))
		check_place(&e);
	else
		for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) check_decision(p, &requests[i], a);
	arena_free(a);
	return 0;
}
