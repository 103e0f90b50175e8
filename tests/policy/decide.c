/* What the engine decides: reads lines of JSON, prints one line each. For test_reference.py, which compares with an evaluator of its own.
 *
 *   {"policy": "version: 1\n..."}      the policy from there on: "read", or "refused: why"
 *   {"pattern": "sh df **", ...}       does the pattern allow the call of that kind with these words: "yes", "no", or "refused: why"
 *   {"who": "user:ana", ...}           a request (the keys are those below): "allow RULE", "deny RULE", "deny -", "wait RULE" */
#include "base/json.h"
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32 };

struct state {
	struct arena *arena; /* of the policy */
	const struct policy *policy;
};

static const char *const *texts(struct arena *a, const json_t *o, const char *key, size_t *count)
{
	const json_t *list = json_object_get(o, key);
	*count = json_array_size(list);
	const char **out = arena_alloc(a, (*count + 1) * sizeof *out);
	for (size_t i = 0; i < *count; i++) out[i] = json_string_value(json_array_get(list, i));
	return out;
}

static enum policy_verb verb_of(const char *word)
{
	enum policy_verb v = VERB_RUN;
	while (v < VERB_N && strcmp(policy_verb_word(v), word) != 0) v++;
	must(v < VERB_N);
	return v;
}

static enum policy_risk risk_of(const char *word)
{
	if (!word) return RISK_OF_NO_STEP;
	enum policy_risk r = RISK_OF_READ;
	while (r < RISK_OF_DESTRUCTIVE && strcmp(policy_risk_word(r), word) != 0) r++;
	return r;
}

/* A number, "unknown", or null: it is about no step. */
static int64_t targets_of(const json_t *v)
{
	return json_is_integer(v) ? json_integer_value(v) : json_is_string(v) ? POLICY_TARGETS_UNKNOWN : POLICY_TARGETS_OF_NO_STEP;
}

static struct policy_request request_of(struct arena *a, const json_t *o)
{
	struct policy_request q = {.who = json_str(o, "who", ""), .book = json_str(o, "book", ""), .kind = json_str(o, "kind", NULL)};
	q.verb = verb_of(json_str(o, "verb", "run"));
	q.risk = risk_of(json_str(o, "risk", NULL));
	must(policy_trigger_find(json_str(o, "trigger", "person"), &q.trigger));
	q.targets = targets_of(json_object_get(o, "targets"));
	q.now_us = json_int(o, "now", 0);
	q.elevated = texts(a, o, "elevated", &q.elevated_count);
	q.words = texts(a, o, "words", &q.word_count);
	q.met = texts(a, o, "met", &q.met_count);
	q.params = json_obj(o, "params");
	return q;
}

static void read_policy(struct state *s, const char *text)
{
	struct error e;
	arena_free(s->arena);
	s->arena = arena_new();
	s->policy = NULL;
	if (policy_read(s->arena, "policy.yaml", text, strlen(text), &s->policy, &e)) {
		s->policy = NULL;
		printf("refused: %s\n", e.text);
	} else {
		puts("read");
	}
}

static void match_pattern(struct arena *a, const json_t *o)
{
	struct capability *c;
	struct error e;
	size_t count;
	const char *const *words = texts(a, o, "words", &count);
	if (capability_parse(a, json_str(o, "pattern", ""), &c, &e))
		printf("refused: %s\n", e.text);
	else
		puts(capability_allows(c, json_str(o, "kind", ""), words, count, json_obj(o, "params")) ? "yes" : "no");
}

static void decide(const struct state *s, struct arena *a, const json_t *o)
{
	if (!s->policy) {
		puts("refused: no policy");
		return;
	}
	struct policy_request q = request_of(a, o);
	struct policy_decision d = policy_decide(s->policy, &q, a);
	printf("%s %s\n", policy_outcome_word(d.outcome), d.rule ? d.rule->id : "-");
}

static void answer(struct state *s, const char *line, size_t n)
{
	struct error e;
	json_t *o = json_parse(line, n, DEPTH_MAX, &e);
	if (!o) die("decide: %s", e.text);
	struct arena *a = arena_new();
	if (json_object_get(o, "policy"))
		read_policy(s, json_str(o, "policy", ""));
	else if (json_object_get(o, "pattern"))
		match_pattern(a, o);
	else
		decide(s, a, o);
	arena_free(a);
	json_decref(o);
}

int main(void)
{
	struct state s = {NULL, NULL};
	char *line = NULL;
	size_t size = 0;
	for (ssize_t n; (n = getline(&line, &size, stdin)) > 0;) {
		if (line[n - 1] == '\n') n--;
		answer(&s, line, (size_t)n);
	}
	free(line);
	arena_free(s.arena);
	return 0;
}
