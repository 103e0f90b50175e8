/* The power is cut at random moments of all that a store does, on a disk that keeps what it likes of what was not synced.
 * CUTS=n (320) SEED=n: how many, which. limit: 180 */
#include "lying_scenarios.h"

/* Where a log is set aside few moments matter, between one name and the next: so many shares more for it. */
enum { ASIDE_MORE = 4 };

static unsigned seed_given(void)
{
	const char *given = getenv("SEED");
	return given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)clock_now_us();
}

static int count_given(const char *name, int otherwise)
{
	const char *given = getenv(name);
	return given ? atoi(given) : otherwise;
}

/* The state directory as the cut left it, beside the guard of what was written since: an older copy, which the guard must not let pass. */
static void expect_rollback_refused(struct run *r, const struct trace *t, size_t cut, enum cut_kind kind, unsigned seed, const char *where)
{
	char command[256];
	struct error e = {0};
	snprintf(command, sizeof command, "mv %s %s.kept", r->p.guard, r->p.root);
	assert_int_equal(system(command), 0);
	trace_cut(t, cut, kind, seed);
	snprintf(command, sizeof command, "rm -rf %s && mv %s.kept %s", r->p.guard, r->p.root, r->p.guard);
	assert_int_equal(system(command), 0);
	if (place_try_open(&r->p, &e) != ERR_VERIFY) fail_msg("%s: the guard let an older copy pass: %s", where, e.text);
}

static void cut_scenario(const struct scenario *x, int cuts, unsigned *seed)
{
	struct run *r = run_new();
	struct trace *t = run_scenario(r, x, NULL, 0);
	char where[160];
	for (int i = 0; i < cuts; i++) {
		size_t cut = r->start + (size_t)rand_r(seed) % (trace_length(t) - r->start + 1);
		enum cut_kind kind = (enum cut_kind)((unsigned)rand_r(seed) % CUT_N);
		unsigned tear = (unsigned)rand_r(seed);
		snprintf(where, sizeof where, "%s, cut %d at %zu of %zu (%s, %u)", x->name, i, cut, trace_length(t), cut_name(kind), tear);
		trace_cut(t, cut, kind, tear);
		run_check(r, x, t, cut, where);
		if (i % 8 == 0 && !x->sets_aside) expect_rollback_refused(r, t, cut, kind, tear, where);
	}
	trace_free(t);
	run_free(r);
}

static void a_power_cut_loses_nothing_that_was_acknowledged(void **state)
{
	unsigned seed = seed_given();
	int cuts = count_given("CUTS", 320) / (scenarios_n + ASIDE_MORE), done = 0;
	(void)state;
	print_message("SEED=%u\n", seed);
	for (int i = 0; i < scenarios_n; i++) {
		int mine = scenarios[i].sets_aside ? cuts * (1 + ASIDE_MORE) : cuts;
		cut_scenario(&scenarios[i], mine, &seed);
		done += mine;
	}
	print_message("%d power cuts\n", done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_power_cut_loses_nothing_that_was_acknowledged)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
