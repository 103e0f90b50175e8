/* How long a decision takes over 1,000 rules: 50 groups of 100 people, three books and five grants a rule, one rule in ten a deny or a require with conditions.
 * Microseconds at the median and at the 99th percentile, of a start and of calls of each kind; then of a person who is in every group. */
#include "base/buf.h"
#include "base/clock.h"
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RULES = 1000, GROUPS = 50, MEMBERS = 100, PEOPLE = 2500, ASKED = 10000, TIMES = 5 };

static unsigned below(unsigned n)
{
	static unsigned random = 1;
	random = random * 1103515245 + 12345;
	return (random >> 8) % n;
}

static const char *const teams[] = {"web", "db", "mail", "search", "billing", "network", "storage", "auth"};
static const char *const units[] = {"nginx", "postgresql", "postfix", "haproxy", "redis", "sshd"};

static const char *team(void)
{
	return teams[below(8)];
}

/* The last two people are in all groups, and in none. */
static void add_groups(struct buf *b)
{
	buf_str(b, "version: 1\nservices: {alert-bot: {}}\nelevations: {break-glass: {who: [group:team-0]}}\n"
	           "windows: {year-end: [{from: 2026-12-20, to: 2027-01-02}]}\ngroups:\n");
	for (int g = 0; g < GROUPS; g++) {
		buf_printf(b, "  team-%d: [", g);
		for (int i = 0; i < MEMBERS - 1; i++) buf_printf(b, "person-%u, ", below(PEOPLE));
		buf_printf(b, "person-%d]\n", PEOPLE);
	}
}

static void add_allow(struct buf *b, int i)
{
	buf_printf(b, "  - id: rule-%d\n    allow: [run]\n    who: [\"group:team-%u\", \"group:team-%u\", \"service:alert-bot\"]\n", i, below(GROUPS),
	           below(GROUPS));
	buf_printf(b, "    books: [\"runbooks/%s/**\", \"playbooks/%s-*.md\", \"teams/%d/**/%s.md\"]\n", team(), team(), i, team());
	buf_printf(b, "    grants: [\"sh systemctl {restart|reload} %s\", \"ssh deploy@%s-* -- systemctl restart *\",", units[below(6)], team());
	buf_printf(b, " \"ssh deploy@%s-*.example.net as root -- journalctl --unit=* **\",", team());
	buf_printf(b, " \"http GET https://%s-*.example.net/v1/**\", \"secret %s-*\"]\n", team(), team());
}

static void add_bound(struct buf *b, int i)
{
	if (i % 20)
		buf_printf(b,
		           "  - {id: rule-%d, require: {approvals: 2, from: \"group:team-%u\"}, when: {risk: destructive, targets: {above: %u}}, books: "
		           "[\"runbooks/%s/**\"]}\n",
		           i, below(GROUPS), below(50), team());
	else
		buf_printf(b,
		           "  - {id: rule-%d, deny: [run], calls: [\"sh rm **\", \"ssh *@%s-* -- reboot **\"], when: {window: year-end}, unless: {grant: "
		           "break-glass}}\n",
		           i, team());
}

static const struct policy *make_policy(struct arena *a)
{
	struct buf b;
	struct error e;
	const struct policy *p;
	buf_init(&b, 1 << 20);
	add_groups(&b);
	buf_str(&b, "rules:\n");
	for (int i = 0; i < RULES; i++) i % 10 ? add_allow(&b, i) : add_bound(&b, i);
	int64_t from = clock_monotonic_us();
	if (policy_read(a, "policy.yaml", b.data, b.len, &p, &e)) die("bench: %s", e.text);
	printf("policy of %d rules, %zu KiB         read in %.1f ms\n", RULES, b.len / 1024, (double)(clock_monotonic_us() - from) / 1000);
	buf_clear(&b);
	return p;
}

enum asked { START, SH, SSH, HTTP, ASKED_N };
static const char *const asked_words[] = {"a start", "sh", "ssh", "http"};

static void add_call(struct arena *a, struct policy_request *q, enum asked what)
{
	const char **words = arena_alloc(a, 6 * sizeof *words);
	const char *host = arena_printf(a, "deploy@%s-%u", team(), below(100));
	if (what == START) return;
	q->kind = asked_words[what], q->words = words;
	if (what == HTTP) {
		words[0] = "GET", words[1] = arena_printf(a, "https://%s-%u.example.net/v1/items/%u", team(), below(100), below(100)), q->word_count = 2;
		return;
	}
	size_t n = 0;
	if (what == SSH) words[n++] = host, words[n++] = "--";
	words[n++] = "systemctl", words[n++] = "restart", words[n++] = units[below(6)];
	q->word_count = n;
}

/* Of this thread only: what else runs on the machine is not the decision's. */
static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int by_time(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static struct policy_request make_request(struct arena *a, enum asked what, int person)
{
	struct policy_request q = {.verb = VERB_RUN, .risk = (enum policy_risk)below(4), .targets = (int64_t)below(100), .now_us = INT64_C(1795000000000000)};
	q.who = arena_printf(a, "user:person-%d", person < 0 ? (int)below(PEOPLE) : person);
	q.book = arena_printf(a, "runbooks/%s/restart-%u.md", team(), below(100));
	add_call(a, &q, what);
	return q;
}

static int64_t decide_once(const struct policy *p, const struct policy_request *q, enum policy_outcome *outcome)
{
	struct arena *a = arena_new();
	int64_t from = now_ns();
	*outcome = policy_decide(p, q, a).outcome;
	int64_t took = now_ns() - from;
	arena_free(a);
	return took;
}

static double percentile(int64_t *took, int share)
{
	qsort(took, ASKED, sizeof *took, by_time);
	return (double)took[ASKED * share / 100] / 1000;
}

/* person: -1 for anybody. Each is asked once, and then again TIMES times of which the least counts: on a machine that does other things too, that is what
 * the decision itself takes. */
static void measure(const struct policy *p, enum asked what, int person)
{
	static int64_t once[ASKED], least[ASKED];
	size_t outcomes[3] = {0};
	for (int i = 0; i < ASKED; i++) {
		struct arena *a = arena_new();
		struct policy_request q = make_request(a, what, person);
		enum policy_outcome outcome;
		least[i] = once[i] = decide_once(p, &q, &outcome);
		for (int k = 0; k < TIMES; k++) {
			int64_t took = decide_once(p, &q, &outcome);
			if (took < least[i]) least[i] = took;
		}
		outcomes[outcome]++;
		arena_free(a);
	}
	printf("%-8s by %-23s p50 %5.1f us  p99 %5.1f us  p99 at the first asking %5.1f us  (%zu allowed, %zu denied, %zu wait)\n", asked_words[what],
	       person < 0 ? "anybody" : "a member of all groups", percentile(least, 50), percentile(least, 99), percentile(once, 99), outcomes[0], outcomes[1],
	       outcomes[2]);
}

int main(void)
{
	struct arena *a = arena_new();
	const struct policy *p = make_policy(a);
	for (int what = START; what < ASKED_N; what++) measure(p, (enum asked)what, -1);
	for (int what = START; what < ASKED_N; what++) measure(p, (enum asked)what, PEOPLE);
	arena_free(a);
	return 0;
}
