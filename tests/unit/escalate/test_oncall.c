/* oncall.yaml: each file of tests/fixtures/oncall/refused.txt is refused with just the place and the sentence that stand there, each of accepted.txt is read;
 * the ladders, and what maintenance holds. */
#include "escalate/oncall.h"
#include "tests/unit/policy/case_table.h"

#include "base/clock.h"

#define MINUTE INT64_C(60000000)

static struct arena *arena;

static int begin(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* In memory of just its size, so that reading beyond it is found. */
static enum err read_file(const struct buf *file, struct error *e)
{
	char *exact = malloc(file->len + 1);
	struct arena *a = arena_new();
	const struct oncall *o;
	if (file->len) memcpy(exact, file->data, file->len);
	enum err err = oncall_read(a, "oncall.yaml", exact, file->len, &o, e);
	free(exact);
	arena_free(a);
	return err;
}

static void refused_with_a_place_and_what_was_expected(void **state)
{
	(void)state;
	check_refused("tests/fixtures/oncall/refused.txt", "oncall.yaml:", 95, read_file);
}

static void accepted(void **state)
{
	(void)state;
	check_accepted("tests/fixtures/oncall/accepted.txt", 9, read_file);
}

static const char workspace[] =
    "version: 1\n"
    "people:\n"
    "  ana:\n"
    "    channels:\n"
    "      - {mail: ana@example.net}\n"
    "      - {webhook: \"HTTPS://Hooks.example.net/ana\", secret: hook-ana, timeout: 10s}\n"
    "      - {command: [page, \"--to\", ana]}\n"
    "  bo: {channels: [{mail: bo@example.net}]}\n"
    "  dee: {channels: [{mail: dee@example.net}]}\n"
    "teams: {web: [ana, bo]}\n"
    "policies:\n"
    "  web: {levels: [{who: ana}, {who: [bo, \"team:web\", bo], wait: 10m}], repeats: 2, finally: db}\n"
    "  db: {levels: [{who: dee}]}\n"
    "  all: {levels: [{who: [ana, bo, dee]}], repeats: 0, finally: web}\n"
    "  quiet: {levels: [{who: dee}], finally: nobody}\n"
    "defaults: {policy: all, wait: 3m, repeats: 1, retries: {attempts: 2, delay: 5s, longest_delay: 20s, factor: 2, timeout: 15s}}\n"
    "maintenance:\n"
    "  - {from: 2026-12-20T22:00:00Z, to: 2026-12-21T02:00:00Z, policies: [web]}\n"
    "  - {from: 2026-12-21T01:30:00Z, to: 2026-12-21T03:00:00Z, why: the network}\n";

static const struct oncall *read(const char *text)
{
	const struct oncall *o;
	struct error e;
	if (oncall_read(arena, "oncall.yaml", text, strlen(text), &o, &e)) fail_msg("%s", e.text);
	return o;
}

static void people_have_their_channels_in_their_order(void **state)
{
	(void)state;
	const struct oncall_person *ana = oncall_person(read(workspace), "ana");
	assert_int_equal(ana->count, 3);
	assert_int_equal(ana->channels[0].kind, CHANNEL_MAIL);
	assert_string_equal(ana->channels[0].address, "ana@example.net");
	assert_int_equal(ana->channels[1].kind, CHANNEL_WEBHOOK);
	assert_string_equal(ana->channels[1].address, "https://hooks.example.net/ana");
	assert_string_equal(ana->channels[1].secret, "hook-ana");
	assert_int_equal(ana->channels[1].timeout_us, 10000000);
	assert_int_equal(ana->channels[2].kind, CHANNEL_COMMAND);
	assert_int_equal(ana->channels[2].word_count, 3);
	assert_string_equal(ana->channels[2].words[2], "ana");
	assert_null(oncall_person(read(workspace), "an"));
}

static void assert_ladder(const struct escalation_ladder *l, const char *expected)
{
	struct buf b;
	struct error e;
	buf_init(&b, 4096);
	for (size_t p = 0; p < l->count; p++) {
		buf_printf(&b, "%s%s*%u:", p ? " " : "", l->policies[p].name, l->policies[p].rounds);
		for (size_t i = 0; i < l->policies[p].count; i++) {
			const struct escalation_level *level = &l->policies[p].levels[i];
			for (size_t k = 0; k < level->count; k++) buf_printf(&b, "%s%s/%u", k ? "+" : "", level->people[k].name, level->people[k].channels);
			buf_printf(&b, ",%lldm;", (long long)(level->wait_us / MINUTE));
		}
	}
	assert_string_equal(b.data ? b.data : "", expected);
	buf_clear(&b);
	if (escalation_ladder_check(l, &e)) fail_msg("%s", e.text);
}

static void a_ladder_has_each_policy_once_and_the_default_behind_them(void **state)
{
	(void)state;
	const struct oncall *o = read(workspace);
	assert_ladder(oncall_ladder(arena, o, "web"), "web*3:ana/3,3m;bo/1+ana/3,10m; db*2:dee/1,3m; all*1:ana/3+bo/1+dee/1,3m;");
	assert_ladder(oncall_ladder(arena, o, "db"), "db*2:dee/1,3m; all*1:ana/3+bo/1+dee/1,3m; web*3:ana/3,3m;bo/1+ana/3,10m;");
	assert_ladder(oncall_ladder(arena, o, "quiet"), "quiet*2:dee/1,3m;");
	assert_ladder(oncall_ladder(arena, o, NULL), "all*1:ana/3+bo/1+dee/1,3m; web*3:ana/3,3m;bo/1+ana/3,10m; db*2:dee/1,3m;");
	assert_ladder(oncall_ladder(arena, o, "nobody-knows-it"), "all*1:ana/3+bo/1+dee/1,3m; web*3:ana/3,3m;bo/1+ana/3,10m; db*2:dee/1,3m;");
	assert_int_equal(oncall_ladder(arena, o, "web")->retry.attempts, 2);
	assert_int_equal(oncall_ladder(arena, o, "web")->retry.delay_us, 5000000);
	assert_int_equal(oncall_ladder(arena, o, "web")->retry.delay_most_us, 20000000);
	assert_ladder(oncall_ladder(arena, oncall_none(arena), "web"), "");
	assert_ladder(oncall_ladder(arena, read("version: 1\n"), NULL), "");
}

static int64_t hold(const char *policy, const char *when)
{
	int64_t now_us;
	assert_true(clock_parse_instant(when, &now_us));
	return oncall_hold_us(read(workspace), policy, now_us) / MINUTE;
}

static void maintenance_holds_what_it_names_until_all_of_it_is_over(void **state)
{
	(void)state;
	assert_int_equal(hold("web", "2026-12-20T21:59:59Z"), 0);
	assert_int_equal(hold("web", "2026-12-20T22:00:00Z"), 300);
	assert_int_equal(hold("web", "2026-12-21T02:59:00Z"), 1);
	assert_int_equal(hold("web", "2026-12-21T03:00:00Z"), 0);
	assert_int_equal(hold("db", "2026-12-20T23:00:00Z"), 0);
	assert_int_equal(hold("db", "2026-12-21T02:30:00Z"), 30);
	assert_int_equal(hold(NULL, "2026-12-21T02:30:00Z"), 30);
	assert_int_equal(hold(NULL, "2026-12-20T23:00:00Z"), 0);
}

/* One window behind the other for years: what is raised in them is held as long as anything can be, and not lost for an end that nothing may have. */
static void no_maintenance_holds_longer_than_anything_may_be_held(void **state)
{
	(void)state;
	static const char text[] = "version: 1\nmaintenance:\n"
	                           "  - {from: 2026-01-01, to: 2026-03-20}\n  - {from: 2026-03-20, to: 2026-06-10}\n  - {from: 2026-06-10, to: 2026-09-01}\n"
	                           "  - {from: 2026-09-01, to: 2026-11-20}\n  - {from: 2026-11-20, to: 2027-02-10}\n  - {from: 2027-02-10, to: 2027-05-01}\n";
	int64_t now_us;
	assert_true(clock_parse_instant("2026-01-02T00:00:00Z", &now_us));
	assert_int_equal(oncall_hold_us(read(text), NULL, now_us), ESCALATION_HOLD_MAX_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refused_with_a_place_and_what_was_expected),
	    cmocka_unit_test(accepted),
	    cmocka_unit_test_setup_teardown(people_have_their_channels_in_their_order, begin, end),
	    cmocka_unit_test_setup_teardown(a_ladder_has_each_policy_once_and_the_default_behind_them, begin, end),
	    cmocka_unit_test_setup_teardown(maintenance_holds_what_it_names_until_all_of_it_is_over, begin, end),
	    cmocka_unit_test_setup_teardown(no_maintenance_holds_longer_than_anything_may_be_held, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
