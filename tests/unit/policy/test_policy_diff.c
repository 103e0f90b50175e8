/* What differs between two policies: nothing between one and itself, only less after a deny, and a widening that was put in is found. */
#include "base/clock.h"
#include "base/fs.h"
#include "policy/policy_diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const policy_file = "tests/fixtures/policy/explain.yaml", *const golden = "tests/golden/policy/diff.txt";

static struct arena *arena;
static struct buf text;
static struct policy_book books[2];

static const struct policy *read_policy(const char *name, const char *bytes)
{
	const struct policy *p;
	struct error e;
	if (policy_read(arena, name, bytes, strlen(bytes), &p, &e)) fail_msg("%s\n%s", e.text, bytes);
	return p;
}

/* The fixture with one piece replaced. */
static const char *with(const char *bytes, const char *from, const char *to)
{
	const char *at = strstr(bytes, from);
	if (!at) fail_msg("the fixture has no %s", from);
	return arena_printf(arena, "%.*s%s%s", (int)(at - bytes), bytes, to, at + strlen(from));
}

static struct policy_changes diff(const char *before, const char *after)
{
	struct policy_changes c;
	struct error e;
	int64_t now;
	assert_true(clock_parse_instant("2026-11-23T12:00Z", &now));
	if (policy_diff(arena, read_policy("old.yaml", before), read_policy("new.yaml", after), books, 2, now, &c, &e)) fail_msg("%s", e.text);
	return c;
}

static size_t count_kind(const struct policy_changes *c, enum policy_change_kind kind)
{
	size_t n = 0;
	for (size_t i = 0; i < c->count; i++) n += c->items[i].kind == kind;
	return n;
}

static bool has_text(const struct policy_changes *c, enum policy_change_kind kind, const char *part)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->items[i].kind == kind && strstr(policy_change_text(arena, &c->items[i]), part)) return true;
	return false;
}

static void a_policy_and_itself_do_not_differ(void **state)
{
	(void)state;
	assert_int_equal(diff(text.data, text.data).count, 0);
	/* Nor where only names and the order of rules are others. */
	const char *renamed = with(text.data, "- id: look", "- id: peek");
	assert_int_equal(diff(text.data, renamed).count, 0);
	const char *never = strstr(text.data, "  - id: never"), *rules = strstr(text.data, "rules:\n") + 7;
	const char *moved = arena_printf(arena, "%.*s%s%.*s", (int)(rules - text.data), text.data, never, (int)(never - rules), rules);
	assert_int_equal(diff(text.data, moved).count, 0);
}

static const char *const denies[] = {
    "  - {id: zz, deny: [run]}\n",
    "  - {id: zz, deny: [run, read, cancel, approve-book], who: [group:sre]}\n",
    "  - {id: zz, deny: [run], books: [\"runbooks/web/*.md\"], when: {risk: destructive}}\n",
    "  - {id: zz, deny: [run], calls: [\"sh systemctl restart *\"], unless: {grant: break-glass}}\n",
    "  - {id: zz, deny: [run], when: {window: night, trigger: alert}}\n",
    "  - {id: zz, deny: [read], who: [\"user:hal\"]}\n",
    "  - {id: zz, deny: [run], when: {targets: {above: 3}}}\n",
};

static void one_more_deny_allows_nothing_new(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof denies / sizeof *denies; i++) {
		const char *more = arena_printf(arena, "%s%s", text.data, denies[i]);
		struct policy_changes less = diff(text.data, more), back = diff(more, text.data);
		assert_true(less.count > 0);
		assert_int_equal(count_kind(&less, POLICY_NARROWED), less.count);
		/* And the other way round it is all new. */
		assert_true(back.count > 0);
		assert_int_equal(count_kind(&back, POLICY_WIDENED), back.count);
	}
}

/* Everything that opens a door, each found, and as such. */
static void a_widening_is_found(void **state)
{
	static const struct {
		const char *from, *to, *says;
	} widenings[] = {
	    {"sre: [ana, bo]", "sre: [ana, bo, mallory]", "mallory may now run runbooks/web/**"},
	    {"\"sh systemctl restart *\"", "\"sh systemctl {restart|stop} *\"", "`sh systemctl stop any`"},
	    {"\"sh systemctl restart *\"", "\"sh **\"", "any other call"},
	    {"books: [\"runbooks/web/**\", \"playbooks/**\"]", "books: [\"**\"]", "books outside of the workspace"},
	    {"who: [group:sre, service:alert-bot]", "who: [\"*\"]", "anyone else"},
	    {"    unless: {grant: break-glass}\n    why: Nothing", "    unless: {trigger: alert}\n    why: Nothing",
	     "for what an alert started, in the window year-end"},
	    {"to: 2027-01-02", "to: 2027-01-01", "2027-01-02 23:59 UTC"},
	    {"who: [group:sre], for: 1h", "who: [\"user:*\"], for: 1h", "with break-glass taken"},
	    {"above: 10", "above: 11", "11 targets"},
	    {"allow: [read]", "allow: [read, approve-book]", "may now approve every book"},
	    {"restart sshd\", \"sh reboot\"", "restart sshd\"", "`sh reboot`"},
	    {"risk: destructive}\n    unless", "risk: destructive, trigger: person}\n    unless", "without approval"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof widenings / sizeof *widenings; i++) {
		/* What is no longer denied has to be granted, too. */
		const char *base = i == 10 ? with(text.data, "\"sh df -P *\"", "\"sh df -P *\", \"sh reboot\"") : text.data;
		struct policy_changes c = diff(base, with(base, widenings[i].from, widenings[i].to));
		if (!has_text(&c, POLICY_WIDENED, widenings[i].says)) {
			for (size_t k = 0; k < c.count; k++) print_error("%d %s\n", (int)c.items[k].kind, policy_change_text(arena, &c.items[k]));
			fail_msg("\"%s\" for \"%s\" does not say: %s", widenings[i].to, widenings[i].from, widenings[i].says);
		}
		assert_int_equal(c.items[0].kind, POLICY_WIDENED);
	}
}

static void fewer_approvals_are_a_change(void **state)
{
	(void)state;
	struct policy_changes c = diff(text.data, with(text.data, "approvals: 2", "approvals: 1"));
	assert_true(c.count > 0);
	assert_int_equal(count_kind(&c, POLICY_CHANGED), c.count);
	c = diff(text.data, with(text.data, "dba: [dee]", "dba: [dee, mallory]"));
	assert_true(has_text(&c, POLICY_CHANGED, "(was after 2 approvals from group dba (dee))"));
}

static void it_reads_well(void **state)
{
	(void)state;
	struct buf got, want;
	struct error e;
	buf_init(&got, 1 << 20);
	buf_init(&want, 1 << 20);
	const char *after =
	    with(with(text.data, "dba: [dee]", "dba: [dee, eve]"), "\"sh systemctl restart *\"", "\"sh systemctl restart *\", \"sh systemctl stop nginx\"");
	after = arena_printf(arena, "%s%s", after, "  - {id: zz, deny: [run], who: [\"user:bo\"], books: [\"runbooks/web/*.md\"], when: {window: night}}\n");
	struct policy_changes c = diff(text.data, after);
	for (size_t i = 0; i < c.count; i++) buf_printf(&got, "%c %s\n", "+~-"[c.items[i].kind], policy_change_text(arena, &c.items[i]));
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

/* An example is a call that its pattern allows, of each alternative one. */
static void examples_stand_for_their_patterns(void **state)
{
	static const struct {
		const char *pattern;
		size_t count;
	} cases[] = {{"sh df -P *", 1},
	             {"sh systemctl {start|stop|restart} {nginx|apache2}", 4},
	             {"sh echo 'a * {b|c}' \\* \"x y\"", 1},
	             {"sh du **", 1},
	             {"sh systemctl restart {param:unit}", 1},
	             {"ssh deploy@web-* as root -- systemctl restart *", 1},
	             {"http GET https://api.example.net/v1/**", 1},
	             {"http {GET|HEAD} https://web-*/healthz", 2},
	             {"secret db-admin", 1},
	             {"nonsense", 0}};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct policy_call calls[POLICY_EXAMPLES_MAX];
		size_t n = policy_call_examples(arena, cases[i].pattern, NULL, calls);
		if (n != cases[i].count) fail_msg("%s has %zu examples", cases[i].pattern, n);
	}
}

static int setup(void **state)
{
	static const char web[] = "# Restart\n\n## Permissions\n\n- `sh systemctl restart {param:unit}`\n\n## Steps\n\n1. One\n";
	struct error e;
	(void)state;
	arena = arena_new();
	buf_init(&text, 1 << 20);
	if (fs_read(policy_file, &text, &e)) return 1;
	static const char *const paths[] = {"runbooks/web/restart.md", "runbooks/db/drop.md"};
	for (size_t i = 0; i < 2; i++) {
		struct book *b;
		if (book_parse(paths[i], NULL, web, sizeof web - 1, &b, &e)) return 1;
		books[i] = (struct policy_book){.path = paths[i], .book = b};
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) book_free((struct book *)(uintptr_t)books[i].book);
	buf_clear(&text);
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_policy_and_itself_do_not_differ),
	    cmocka_unit_test(one_more_deny_allows_nothing_new),
	    cmocka_unit_test(a_widening_is_found),
	    cmocka_unit_test(fewer_approvals_are_a_change),
	    cmocka_unit_test(it_reads_well),
	    cmocka_unit_test(examples_stand_for_their_patterns),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
