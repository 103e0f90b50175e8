/* Which playbook an alert gets, and whether it starts: routes in their order, matchers, guard rails, parameters. */
#include "alert/binding.h"
#include "alert_fixture.h"

#define NOW INT64_C(1790000000000000)
#define MINUTE INT64_C(60000000)

static struct book_index *books;
static struct book *opened[16];
static size_t open_count;

static void add_book(const char *path, const char *text)
{
	struct error e;
	if (book_parse(path, NULL, text, strlen(text), &opened[open_count], &e)) fail_msg("%s", e.text);
	book_index_add(books, path, opened[open_count++]);
}

static int open_books(void **state)
{
	open_arena(state);
	books = book_index_new(arena);
	open_count = 0;
	add_book(
	    "playbooks/disk.md",
	    "# Host out of disk space\n\n## Playbook Info\n\n| Playbook ID |\n|---|\n| PB7 |\n\n## Diagnosis\n\n1. Look\n\n## Var is full\n\n1. Look there\n");
	add_book("runbooks/node-down.md", "# What to do when a node is gone\n\n## Steps\n\n1. Look\n");
	add_book("runbooks/many.md", "# Many\n\n## QueueIsLong\n\nx\n\n## Twin\n\n1. y\n");
	add_book("runbooks/twin/a.md", "# Twin A\n\n1. a\n");
	add_book("playbooks/twin.md", "# Twins\n\n## Alerts\n\n- TwinAlert\n- Both\n\n## Diagnosis\n\n1. x\n");
	add_book("playbooks/other.md", "# Others\n\n## Alerts\n\n- Both\n\n## Diagnosis\n\n1. x\n");
	add_book("disk.md", "# At the top\n\n1. x\n");
	add_book("notes/late night.md", "# Spaces\n\n1. x\n");
	book_index_close(books);
	return 0;
}

static int close_books(void **state)
{
	for (size_t i = 0; i < open_count; i++) book_free(opened[i]);
	return close_arena(state);
}

#define SOURCES "version: 1\nsources:\n  am: {kind: alertmanager, bearer: {secret: t}}\n  ci: {kind: generic, bearer: {secret: t}}\n"

static const struct alert *alert_of(const struct alerts_file *f, const char *labels, const char *annotations)
{
	struct alert_delivery d = delivered(f, "am", arena_printf(arena, "{\"alerts\":[{\"labels\":{%s},\"annotations\":{%s}}]}", labels, annotations));
	return &d.alerts[0];
}

static struct binding_choice choose(const struct alerts_file *f, const struct alert *al)
{
	struct binding_choice c;
	binding_choose(arena, f, books, al, &c);
	return c;
}

static struct binding_decision decide(const struct alerts_file *f, const struct alert *al, struct binding_state s)
{
	struct binding_choice c = choose(f, al);
	struct binding_decision d;
	if (!s.now_us) s.now_us = NOW;
	binding_decide(arena, f, al, &c, &s, &d);
	return d;
}

static void check_book(const struct alerts_file *f, const char *labels, const char *annotations, enum binding_route route, const char *book, const char *how)
{
	struct binding_choice c = choose(f, alert_of(f, labels, annotations));
	if (c.route != route || !c.book != !book || (book && strcmp(c.book, book) != 0) || !strstr(c.how, how))
		fail_msg("%s %s: %d %s: %s", labels, annotations, c.route, c.book ? c.book : "none", c.how);
}

/* ---- routes ---- */

static void a_binding_goes_before_annotation_before_name(void **state)
{
	(void)state;
	const struct alerts_file *f =
	    read_alerts(SOURCES "bindings:\n  - {id: d, playbook: playbooks/x.md, as: bot, match: {alertname: HostOutOfDiskSpace, team: web}}\n");
	static const char link[] = "\"runbook_url\":\"https://git.example/blob/runbooks/node-down.md\"";
	check_book(f, "\"alertname\":\"HostOutOfDiskSpace\",\"team\":\"web\"", link, BINDING_BY_RULE, "playbooks/x.md",
	           "the binding d (alerts.yaml:6) matches");
	check_book(f, "\"alertname\":\"HostOutOfDiskSpace\"", link, BINDING_BY_ANNOTATION, "runbooks/node-down.md", "its annotation runbook_url leads to");
	check_book(f, "\"alertname\":\"HostOutOfDiskSpace\"", "", BINDING_BY_NAME, "playbooks/disk.md", "by its title");
	check_book(f, "\"alertname\":\"HostOutOfDiskSpace\"", "\"runbook\":\"gone.md\"", BINDING_BY_NAME, "playbooks/disk.md",
	           "its annotation leads to no page");
	check_book(f, "\"alertname\":\"Unheard\"", "\"runbook\":\"gone.md\"", BINDING_NONE, NULL,
	           "leads to no page of the workspace, and no book is called like the alert");
	check_book(f, "\"alertname\":\"HostOutOfDiskSpace\"", "\"runbook_url\":\"gone.md\",\"runbook\":\"runbooks/many.md#queueislong\"", BINDING_BY_ANNOTATION,
	           "runbooks/many.md#queueislong", "its annotation runbook leads to");
}

static void the_first_binding_that_matches_decides(void **state)
{
	(void)state;
	const struct alerts_file *f = read_alerts(SOURCES "bindings:\n"
	                                                  "  - {id: a, playbook: a.md, as: bot, match: {severity: page}}\n"
	                                                  "  - {id: b, playbook: b.md, as: bot, match: {alertname: X}}\n");
	check_book(f, "\"alertname\":\"X\",\"severity\":\"page\"", "", BINDING_BY_RULE, "a.md", "the binding a");
	check_book(f, "\"alertname\":\"X\",\"severity\":\"info\"", "", BINDING_BY_RULE, "b.md", "the binding b");
}

static void matchers_speak_of_the_whole_value(void **state)
{
	(void)state;
	static const struct {
		const char *match, *labels;
		bool holds;
	} cases[] = {
	    {"{a: x}", "\"a\":\"x\"", true},
	    {"{a: x}", "\"a\":\"xx\"", false},
	    {"{a: x}", "\"a\":\"X\"", false},
	    {"{a: x}", "", false},
	    {"{a: [y, x]}", "\"a\":\"x\"", true},
	    {"{a: \"\"}", "\"b\":\"x\"", true},
	    {"{a: \"\"}", "\"a\":\"\"", true},
	    {"{a: \"\"}", "\"a\":\"x\"", false},
	    {"{a: {not: x}}", "\"a\":\"y\"", true},
	    {"{a: {not: [x, y]}}", "\"a\":\"y\"", false},
	    {"{a: {not: x}}", "", true},
	    {"{a: {not: \"\"}}", "", false},
	    {"{a: {regex: \"web-[0-9]+\"}}", "\"a\":\"web-12\"", true},
	    {"{a: {regex: \"web-[0-9]+\"}}", "\"a\":\"web-12x\"", false},
	    {"{a: {regex: \"web-[0-9]+\"}}", "\"a\":\"my-web-12\"", false},
	    {"{a: {regex: \"a|b\"}}", "\"a\":\"bc\"", false},
	    {"{a: {regex: \".*\"}}", "", true},
	    {"{a: {regex: \".+\"}}", "", false},
	    {"{a: {regex: \".*\"}}", "\"a\":\"x\\ny\"", true},
	    {"{a: {regex: \"x\"}}", "\"a\":\"x\\n\"", false},
	    {"{a: {not_regex: \"test-.*\"}}", "\"a\":\"test-1\"", false},
	    {"{a: {not_regex: \"test-.*\"}}", "\"a\":\"prod\"", true},
	    {"{a: x, b: {not: y}}", "\"a\":\"x\",\"b\":\"y\"", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct alerts_file *f =
		    read_alerts(arena_printf(arena, SOURCES "bindings:\n  - {id: a, playbook: a.md, as: bot, match: %s}\n", cases[i].match));
		bool holds = choose(f, alert_of(f, cases[i].labels, "")).route == BINDING_BY_RULE;
		if (holds != cases[i].holds) fail_msg("%s of %s: %d", cases[i].match, cases[i].labels, holds);
	}
}

static void a_binding_may_speak_of_one_source(void **state)
{
	(void)state;
	const struct alerts_file *f = read_alerts(SOURCES "bindings:\n  - {id: a, playbook: a.md, as: bot, source: ci}\n");
	assert_int_equal(choose(f, alert_of(f, "\"a\":\"b\"", "")).route, BINDING_NONE);
	struct alert_delivery d = delivered(f, "ci", "{\"name\":\"x\"}");
	assert_int_equal(choose(f, &d.alerts[0]).route, BINDING_BY_RULE);
}

static void a_pattern_that_takes_too_long_is_for_a_person(void **state)
{
	(void)state;
	const struct alerts_file *f =
	    read_alerts(SOURCES "bindings:\n  - {id: a, playbook: a.md, as: bot, match: {a: {regex: \"(x+x+)+[yz]\"}}}\n"
	                        "maintenance:\n  - {id: m, from: 1970-01-01, to: 2970-01-01, match: {b: {not_regex: \"(x+x+)+[yz]\"}}}\n");
	static const char xs[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	const struct alert *al = alert_of(f, arena_printf(arena, "\"a\":\"%s\",\"b\":\"xxy\"", xs), "");
	struct binding_decision d = decide(f, al, (struct binding_state){0});
	assert_int_equal(d.outcome, BINDING_PROPOSED);
	assert_int_equal(d.rail, BINDING_DOUBT);
	assert_non_null(strstr(d.reason, "takes more steps"));
	/* And a window that cannot be judged holds. */
	al = alert_of(f, arena_printf(arena, "\"a\":\"xxy\",\"b\":\"%s\"", xs), "");
	assert_int_equal(decide(f, al, (struct binding_state){0}).rail, BINDING_MAINTENANCE);
}

static void a_cut_alert_is_for_a_person(void **state)
{
	(void)state;
	const struct alerts_file *f = read_alerts(SOURCES "bindings:\n  - {id: a, playbook: a.md, as: bot, match: {team: {not: dba}}}\n");
	struct alert al = *alert_of(f, "\"a\":\"b\"", "");
	assert_int_equal(decide(f, &al, (struct binding_state){0}).outcome, BINDING_STARTS);
	al.is_cut = true;
	struct binding_decision d = decide(f, &al, (struct binding_state){0});
	assert_int_equal(d.outcome, BINDING_PROPOSED);
	assert_int_equal(d.rail, BINDING_DOUBT);
}

static void a_runbook_without_an_annotation_leads_to_a_page_too(void **state)
{
	(void)state;
	const struct alerts_file *f = read_alerts(SOURCES);
	struct alert_delivery d = delivered(f, "ci", "[{\"runbook\":\"runbooks/many.md\"},{\"runbook\":\"gone.md\"}]");
	struct binding_choice c = choose(f, &d.alerts[0]);
	assert_int_equal(c.route, BINDING_BY_ANNOTATION);
	assert_string_equal(c.how, "no binding matches; it names the runbook runbooks/many.md");
	assert_string_equal(choose(f, &d.alerts[1]).how,
	                    "no binding matches, the runbook that it names is no page of the workspace, and no book is called like the alert");
}

/* ---- books ---- */

static void books_are_found_by_what_alerts_call_them(void **state)
{
	(void)state;
	static const struct {
		const char *name, *book;
		enum book_name_kind kind;
		const char *other;
	} cases[] = {
	    {"HostOutOfDiskSpace", "playbooks/disk.md", BOOK_NAME_TITLE, NULL},
	    {"host_out-of disk.SPACE", "playbooks/disk.md", BOOK_NAME_TITLE, NULL},
	    {"NodeDown", "runbooks/node-down.md", BOOK_NAME_FILE, NULL},
	    {"pb7", "playbooks/disk.md", BOOK_NAME_ID, NULL},
	    {"VarIsFull", "playbooks/disk.md#var-is-full", BOOK_NAME_HEADING, NULL},
	    {"QueueIsLong", "runbooks/many.md#queueislong", BOOK_NAME_HEADING, NULL},
	    {"TwinAlert", "playbooks/twin.md", BOOK_NAME_ALERTS, NULL},
	    {"Twin", "playbooks/twin.md", BOOK_NAME_FILE, NULL},
	    {"Both", "playbooks/other.md", BOOK_NAME_ALERTS, "playbooks/twin.md"},
	    {"disk", "playbooks/disk.md", BOOK_NAME_FILE, NULL},
	    {"diagnosis", "playbooks/disk.md#diagnosis", BOOK_NAME_HEADING, "playbooks/other.md"},
	    {"nothing", NULL, 0, NULL},
	    {"---", NULL, 0, NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct book_found b = {0};
		bool is_found = book_index_by_name(books, cases[i].name, &b);
		const char *at = b.anchor ? arena_printf(arena, "%s#%s", b.path, b.anchor) : b.path;
		if (is_found != (cases[i].book != NULL) || (is_found && (strcmp(at, cases[i].book) != 0 || b.kind != cases[i].kind)))
			fail_msg("%s: %s by %d", cases[i].name, at ? at : "none", b.kind);
		if (!cases[i].other != !b.other_path || (b.other_path && strcmp(b.other_path, cases[i].other) != 0))
			fail_msg("%s: beside it %s", cases[i].name, b.other_path ? b.other_path : "none");
	}
}

static void links_lead_to_pages_of_the_workspace_only(void **state)
{
	(void)state;
	static const struct {
		const char *link, *book;
	} cases[] = {
	    {"playbooks/disk.md", "playbooks/disk.md"},
	    {"./playbooks/disk.md#var-is-full", "playbooks/disk.md#var-is-full"},
	    {"/playbooks/disk.md", "playbooks/disk.md"},
	    {"https://git.example/o/r/blob/main/playbooks/disk.md", "playbooks/disk.md"},
	    {"https://git.example/o/r/blob/main/playbooks/disk.md?plain=1#var-is-full", "playbooks/disk.md#var-is-full"},
	    {"https://git.example/x/disk.md", "disk.md"},
	    {"https://git.example/notes/late%20night.md", "notes/late night.md"},
	    {"notes/late night.md", "notes/late night.md"},
	    {"http://h:1/playbooks/disk.md#", "playbooks/disk.md"},
	    {"playbooks/disk.md#nowhere", NULL},
	    {"https://git.example/playbooks/disk.md#nowhere", NULL},
	    {"x/playbooks/disk.md", NULL},
	    {"../playbooks/disk.md", NULL},
	    {"playbooks/../disk.md", NULL},
	    {"//playbooks/disk.md", NULL},
	    {"https://git.example/playbooks%2fdisk.md", NULL},
	    {"https://git.example/playbooks/disk.md%00", NULL},
	    {"https://git.example/playbooks/disk.m%64", "playbooks/disk.md"},
	    {"https://git.example/playbooks/disk.m%6", NULL},
	    {"https://git.example/playbooks/disk.md%ff", NULL},
	    {"https://git.example", NULL},
	    {"https://git.example?playbooks/disk.md", NULL},
	    {"https://git.example/?x=/playbooks/disk.md", NULL},
	    {"https://git.example/playbooks/disk.md/", NULL},
	    {"https://", NULL},
	    {"://playbooks/disk.md", NULL},
	    {"", NULL},
	    {"#var-is-full", NULL},
	    {"playbooks", NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct book_found b = {0};
		bool is_found = book_index_by_link(books, cases[i].link, &b);
		const char *at = b.anchor ? arena_printf(arena, "%s#%s", b.path, b.anchor) : b.path;
		if (is_found != (cases[i].book != NULL) || (is_found && strcmp(at, cases[i].book) != 0))
			fail_msg("%s: %s", cases[i].link, is_found ? at : "none");
	}
}

static void two_books_that_are_as_near_are_for_a_person(void **state)
{
	(void)state;
	const struct alerts_file *f = read_alerts(SOURCES "defaults: {as: bot}\n");
	struct binding_decision d = decide(f, alert_of(f, "\"alertname\":\"Both\"", ""), (struct binding_state){0});
	assert_int_equal(d.outcome, BINDING_PROPOSED);
	assert_non_null(strstr(d.reason, "playbooks/twin.md is as near: bind the alert to one of them"));
}

/* ---- guard rails ---- */

#define GUARDED                                                                                                                                                \
	SOURCES                                                                                                                                                \
	"bindings:\n  - {id: a, playbook: a.md, as: bot, owner: ana, priority: 2, escalation: web, match: {alertname: X}, cooldown: 10m, max_running: 2, "     \
	"runs: {count: 3, within: 1h}, breaker: {failures: 2, within: 30m}}\n"                                                                                 \
	"maintenance:\n  - {id: m, from: 2026-09-21T14:00:00Z, to: 2026-09-21T15:00:00Z, match: {team: web}, why: we move}\n"

static void check_rail(struct binding_state s, enum binding_outcome outcome, enum binding_rail rail, int64_t again_us, const char *said)
{
	const struct alerts_file *f = read_alerts(GUARDED);
	struct binding_decision d = decide(f, alert_of(f, "\"alertname\":\"X\"", ""), s);
	if (d.outcome != outcome || d.rail != rail || d.again_us != again_us || !strstr(d.reason, said))
		fail_msg("%s %s %lld: %s", binding_outcome_word(d.outcome), binding_rail_word(d.rail), (long long)d.again_us, d.reason);
	assert_int_equal(d.line, 6);
}

static void what_holds_back_a_start_is_said(void **state)
{
	(void)state;
	const int64_t four[] = {NOW - 55 * MINUTE, NOW - 50 * MINUTE, NOW - 20 * MINUTE, NOW - MINUTE};
	const int64_t three[] = {NOW - 50 * MINUTE, NOW - 20 * MINUTE, NOW - MINUTE}, old[] = {NOW - 90 * MINUTE, NOW - 60 * MINUTE, NOW - MINUTE};
	const int64_t two[] = {NOW - 29 * MINUTE, NOW - 15 * MINUTE}, far[] = {NOW - 30 * MINUTE, NOW - 15 * MINUTE}, ahead[] = {NOW + MINUTE, NOW + MINUTE};
	check_rail((struct binding_state){0}, BINDING_STARTS, BINDING_FREE, 0, "the binding a (alerts.yaml:6) matches; it starts");
	check_rail((struct binding_state){.running = "01K"}, BINDING_JOINS, BINDING_FREE, 0, "01K runs for this alert already");
	check_rail((struct binding_state){.ended_us = NOW - 10 * MINUTE + 1}, BINDING_SUPPRESSED, BINDING_COOLDOWN, NOW + 1, "less than 10 min 0 s ago");
	check_rail((struct binding_state){.ended_us = NOW - 10 * MINUTE}, BINDING_STARTS, BINDING_FREE, 0, "it starts");
	check_rail((struct binding_state){.running_count = 2}, BINDING_SUPPRESSED, BINDING_MAX_RUNNING, 0, "2 of it run already");
	check_rail((struct binding_state){.running_count = 1}, BINDING_STARTS, BINDING_FREE, 0, "");
	check_rail((struct binding_state){.starts_us = three, .start_count = 3}, BINDING_SUPPRESSED, BINDING_RATE, NOW + 10 * MINUTE,
	           "started 3 times within 1 h");
	check_rail((struct binding_state){.starts_us = four, .start_count = 4}, BINDING_SUPPRESSED, BINDING_RATE, NOW + 10 * MINUTE, "started 3 times");
	check_rail((struct binding_state){.starts_us = old, .start_count = 3}, BINDING_STARTS, BINDING_FREE, 0, "");
	check_rail((struct binding_state){.starts_us = three + 1, .start_count = 2}, BINDING_STARTS, BINDING_FREE, 0, "");
	check_rail((struct binding_state){.failures_us = two, .failure_count = 2}, BINDING_PROPOSED, BINDING_BREAKER, NOW + MINUTE,
	           "2 executions failed within 30 min");
	check_rail((struct binding_state){.failures_us = far, .failure_count = 2}, BINDING_STARTS, BINDING_FREE, 0, "");
	check_rail((struct binding_state){.failures_us = ahead, .failure_count = 2}, BINDING_PROPOSED, BINDING_BREAKER, NOW + 31 * MINUTE, "");
	/* Several at once: the first of the order decides. */
	check_rail((struct binding_state){.ended_us = NOW - MINUTE, .failures_us = two, .failure_count = 2, .running_count = 9}, BINDING_SUPPRESSED,
	           BINDING_COOLDOWN, NOW + 9 * MINUTE, "");
	check_rail((struct binding_state){.running = "01K", .ended_us = NOW, .running_count = 9}, BINDING_JOINS, BINDING_FREE, 0, "");
}

static void maintenance_suppresses_starts_in_its_window(void **state)
{
	(void)state;
	const struct alerts_file *f = read_alerts(GUARDED);
	const struct alert *web = alert_of(f, "\"alertname\":\"X\",\"team\":\"web\"", "");
	const struct alert_window *w = &f->windows[0];
	struct binding_decision d = decide(f, web, (struct binding_state){.now_us = w->from_us});
	assert_int_equal(d.outcome, BINDING_SUPPRESSED);
	assert_int_equal(d.rail, BINDING_MAINTENANCE);
	assert_int_equal(d.again_us, w->to_us);
	assert_int_equal(d.line, 8);
	assert_non_null(strstr(d.reason, "the maintenance window m (alerts.yaml:8) holds: we move"));
	assert_int_equal(decide(f, web, (struct binding_state){.now_us = w->to_us - 1}).rail, BINDING_MAINTENANCE);
	assert_int_equal(decide(f, web, (struct binding_state){.now_us = w->to_us}).outcome, BINDING_STARTS);
	assert_int_equal(decide(f, web, (struct binding_state){.now_us = w->from_us - 1}).outcome, BINDING_STARTS);
	assert_int_equal(decide(f, web, (struct binding_state){.now_us = w->from_us, .running = "01K"}).outcome, BINDING_JOINS);
	assert_int_equal(decide(f, alert_of(f, "\"alertname\":\"X\"", ""), (struct binding_state){.now_us = w->from_us}).outcome, BINDING_STARTS);
	/* Also of what nobody has bound. */
	assert_int_equal(decide(f, alert_of(f, "\"team\":\"web\"", ""), (struct binding_state){.now_us = w->from_us}).rail, BINDING_MAINTENANCE);
}

static void what_is_over_starts_nothing(void **state)
{
	(void)state;
	const struct alerts_file *f = read_alerts(GUARDED);
	struct alert al = *alert_of(f, "\"alertname\":\"X\"", "");
	al.state = ALERT_RESOLVED;
	struct binding_decision d = decide(f, &al, (struct binding_state){.running = "01K"});
	assert_int_equal(d.outcome, BINDING_RESOLVES);
	assert_string_equal(d.book, "a.md");
	assert_int_equal(d.parameter_count, 0);
}

static void without_a_binding_an_account_is_needed(void **state)
{
	(void)state;
	const struct alerts_file *f = read_alerts(SOURCES), *with = read_alerts(SOURCES "defaults: {as: bot, owner: sre}\n");
	struct binding_decision d = decide(f, alert_of(f, "\"alertname\":\"NodeDown\"", ""), (struct binding_state){0});
	assert_int_equal(d.outcome, BINDING_PROPOSED);
	assert_int_equal(d.rail, BINDING_ACCOUNT);
	assert_string_equal(d.book, "runbooks/node-down.md");
	d = decide(with, alert_of(with, "\"alertname\":\"NodeDown\"", ""), (struct binding_state){0});
	assert_int_equal(d.outcome, BINDING_STARTS);
	assert_string_equal(d.as, "bot");
	assert_string_equal(d.owner, "sre");
	assert_string_equal(choose(with, alert_of(with, "\"alertname\":\"NodeDown\"", "")).key, "book:runbooks/node-down.md");
	d = decide(with, alert_of(with, "\"alertname\":\"Unheard\"", ""), (struct binding_state){0});
	assert_int_equal(d.outcome, BINDING_UNBOUND);
	assert_null(d.book);
}

/* ---- parameters ---- */

static void parameters_are_texts_out_of_the_alert(void **state)
{
	(void)state;
	const struct alerts_file *f = read_alerts(SOURCES "bindings:\n  - id: a\n    playbook: a.md\n    as: bot\n    match: {alertname: X}\n    parameters:\n"
	                                                  "      host: {label: instance, regex: \"(.+):[0-9]+\"}\n"
	                                                  "      whole: {label: instance, regex: \"web.*\"}\n"
	                                                  "      optional: {label: instance, regex: \"(db)?web.*\", default: d}\n"
	                                                  "      none: {label: instance, regex: \"db.*\"}\n"
	                                                  "      fallback: {label: instance, regex: \"db.*\", default: db-0}\n"
	                                                  "      missing: {label: nothing}\n"
	                                                  "      default: {label: nothing, default: \"\"}\n"
	                                                  "      note: {annotation: summary}\n"
	                                                  "      which: {field: name}\n"
	                                                  "      fixed: {value: quick}\n");
	struct binding_decision d =
	    decide(f, alert_of(f, "\"alertname\":\"X\",\"instance\":\"web-1:9100\"", "\"summary\":\"{{x}} $(y)\""), (struct binding_state){0});
	static const char *const want[][2] = {{"host", "web-1"},    {"whole", "web-1:9100"}, {"optional", "web-1:9100"},
	                                      {"fallback", "db-0"}, {"default", ""},         {"note", "{{x}} $(y)"},
	                                      {"which", "X"},       {"fixed", "quick"}};
	assert_int_equal(d.parameter_count, sizeof want / sizeof *want);
	json_t *o = binding_parameters_json(&d);
	for (size_t i = 0; i < d.parameter_count; i++) {
		assert_string_equal(d.parameters[i].name, want[i][0]);
		assert_string_equal(d.parameters[i].value, want[i][1]);
		assert_string_equal(json_string_value(json_object_get(o, want[i][0])), want[i][1]);
	}
	json_decref(o);
}

/* Where the host cannot be told from the label, the default is a guess: what starts would look at another host. */
static void a_parameter_that_takes_too_long_is_for_a_person(void **state)
{
	(void)state;
	const struct alerts_file *f = read_alerts(SOURCES "bindings:\n  - id: a\n    playbook: a.md\n    as: bot\n    match: {alertname: X}\n    parameters:\n"
	                                                  "      host: {label: instance, regex: \"((?:x+x+)+)[yz]\", default: localhost}\n"
	                                                  "      mount: {label: mountpoint}\n");
	static const char xs[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	const struct alert *al = alert_of(f, arena_printf(arena, "\"alertname\":\"X\",\"instance\":\"%s\",\"mountpoint\":\"/srv\"", xs), "");
	struct binding_decision d = decide(f, al, (struct binding_state){0});
	assert_int_equal(d.outcome, BINDING_PROPOSED);
	assert_int_equal(d.rail, BINDING_DOUBT);
	assert_non_null(strstr(d.reason, "the parameter host takes more steps"));
	/* What a person is asked about has no guess in it. */
	assert_int_equal(d.parameter_count, 1);
	assert_string_equal(d.parameters[0].name, "mount");
	assert_int_equal(decide(f, alert_of(f, "\"alertname\":\"X\",\"instance\":\"db\"", ""), (struct binding_state){0}).outcome, BINDING_STARTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_binding_goes_before_annotation_before_name, open_books, close_books),
	    cmocka_unit_test_setup_teardown(the_first_binding_that_matches_decides, open_books, close_books),
	    cmocka_unit_test_setup_teardown(matchers_speak_of_the_whole_value, open_books, close_books),
	    cmocka_unit_test_setup_teardown(a_binding_may_speak_of_one_source, open_books, close_books),
	    cmocka_unit_test_setup_teardown(a_pattern_that_takes_too_long_is_for_a_person, open_books, close_books),
	    cmocka_unit_test_setup_teardown(a_cut_alert_is_for_a_person, open_books, close_books),
	    cmocka_unit_test_setup_teardown(a_runbook_without_an_annotation_leads_to_a_page_too, open_books, close_books),
	    cmocka_unit_test_setup_teardown(books_are_found_by_what_alerts_call_them, open_books, close_books),
	    cmocka_unit_test_setup_teardown(links_lead_to_pages_of_the_workspace_only, open_books, close_books),
	    cmocka_unit_test_setup_teardown(two_books_that_are_as_near_are_for_a_person, open_books, close_books),
	    cmocka_unit_test_setup_teardown(what_holds_back_a_start_is_said, open_books, close_books),
	    cmocka_unit_test_setup_teardown(maintenance_suppresses_starts_in_its_window, open_books, close_books),
	    cmocka_unit_test_setup_teardown(what_is_over_starts_nothing, open_books, close_books),
	    cmocka_unit_test_setup_teardown(without_a_binding_an_account_is_needed, open_books, close_books),
	    cmocka_unit_test_setup_teardown(parameters_are_texts_out_of_the_alert, open_books, close_books),
	    cmocka_unit_test_setup_teardown(a_parameter_that_takes_too_long_is_for_a_person, open_books, close_books),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
