/* The files of tests/fixtures/alerts, and those of $RUNG_SHARED, against tables written by hand; what is hostile, cut or beyond a limit. */
#include "alert/body.h"
#include "alert_fixture.h"
#include "base/json.h"

#include <dirent.h>
#include <unistd.h>

/* ---- the tables ---- */

static void add_cell(struct buf *b, const char *text, bool is_label)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\033')
			buf_str(b, "\\e");
		else
			buf_char(b, *p == '|' ? '\\' : is_label && *p == ',' ? ';' : *p);
	}
	if (!*text && !is_label) buf_char(b, '-');
}

static void add_time(struct buf *b, int64_t us)
{
	char text[CLOCK_RFC3339_BYTES] = "-";
	if (us) clock_rfc3339(text, us);
	buf_printf(b, " | %s", text);
}

static const char *line_of(const char *file, const struct alert *al)
{
	struct buf b;
	buf_init(&b, 1 << 16);
	buf_printf(&b, "%s | %s | ", file, al->source);
	add_cell(&b, al->name, false);
	buf_printf(&b, " | %s | ", alert_state_word(al->state));
	add_cell(&b, al->severity, false);
	buf_printf(&b, " | %s | ", al->fingerprint);
	for (size_t i = 0; i < al->label_count; i++) {
		buf_printf(&b, "%s%s=", i ? "," : "", al->labels[i].name);
		add_cell(&b, al->labels[i].value, true);
	}
	if (al->label_count == 0) buf_char(&b, '-');
	buf_str(&b, " | ");
	add_cell(&b, al->link, false);
	add_time(&b, al->starts_us);
	add_time(&b, al->ends_us);
	const char *const rest[] = {al->runbook, al->value, al->group_key};
	for (size_t i = 0; i < 3; i++) buf_str(&b, " | "), add_cell(&b, rest[i], false);
	const char *line = arena_strdup(arena, b.data);
	buf_clear(&b);
	return line;
}

struct table_file {
	const char *folder, *file, *source;
	struct alert_delivery d;
	size_t next;
};

static void end_file(const struct table_file *t)
{
	if (t->file && t->next != t->d.count) fail_msg("%s of %s has %zu alerts, the table %zu", t->file, t->source, t->d.count, t->next);
}

/* The next line of the same file and source is the next alert of it. */
static void check_line(const struct alerts_file *f, struct table_file *t, const char *line)
{
	char *copy = arena_strdup(arena, line), *rest = copy, *file = strsep(&rest, " "), *source = rest + 2;
	source[strcspn(source, " ")] = 0;
	if (!t->file || strcmp(t->file, file) != 0 || strcmp(t->source, source) != 0) {
		size_t n;
		struct error e;
		end_file(t);
		const char *bytes = read_text(arena_printf(arena, "%s/%s", t->folder, file), &n);
		t->file = file, t->source = source, t->next = 0;
		if (deliver(f, source, bytes, n, &t->d, &e)) fail_msg("%s: %s", file, e.text);
	}
	assert_true(t->next < t->d.count);
	assert_string_equal(line_of(file, &t->d.alerts[t->next++]), line);
}

static void check_table(const char *folder, const char *table, size_t least)
{
	const struct alerts_file *f = fixture_sources();
	struct table_file t = {.folder = folder};
	char *rest = arena_strdup(arena, read_text(table, NULL)), *line;
	size_t count = 0;
	while ((line = strsep(&rest, "\n")))
		if (*line && *line != '#') check_line(f, &t, line), count++;
	end_file(&t);
	assert_true(count >= least);
}

/* Every file of the folder has a line in the table. */
static void check_is_named(const char *folder, const char *kind, const char *table)
{
	const char *text = read_text(table, NULL);
	DIR *d = opendir(arena_printf(arena, "%s/%s", folder, kind));
	assert_non_null(d);
	for (struct dirent *entry; (entry = readdir(d));)
		if (entry->d_name[0] != '.' && !strstr(text, arena_printf(arena, "\n%s/%s | ", kind, entry->d_name)))
			fail_msg("%s is not in %s", entry->d_name, table);
	closedir(d);
}

static void every_file_gives_what_the_table_says(void **state)
{
	(void)state;
	check_table("tests/fixtures/alerts", "tests/fixtures/alerts/table.txt", 14);
	check_is_named("tests/fixtures/alerts", "alertmanager", "tests/fixtures/alerts/table.txt");
	check_is_named("tests/fixtures/alerts", "generic", "tests/fixtures/alerts/table.txt");
}

static void the_shared_files_give_what_the_table_says(void **state)
{
	(void)state;
	const char *shared = getenv("RUNG_SHARED");
	const char *folder = arena_printf(arena, "%s/fixtures/alerts", shared ? shared : "../shared");
	if (access(folder, R_OK) != 0) skip();
	check_table(folder, "tests/fixtures/alerts/shared.txt", 6);
	check_is_named(folder, "alertmanager", "tests/fixtures/alerts/shared.txt");
	check_is_named(folder, "generic", "tests/fixtures/alerts/shared.txt");
}

/* ---- deliveries ---- */

static void a_delivery_says_what_was_left_out(void **state)
{
	(void)state;
	const struct alerts_file *f = fixture_sources();
	size_t n;
	const char *bytes = read_text("tests/fixtures/alerts/alertmanager/v4_mixed.json", &n);
	struct alert_delivery d = delivered(f, "alertmanager", bytes);
	char digest[DIGEST_HEX_BYTES];
	digest_sha256_hex(digest, bytes, n);
	assert_string_equal(d.digest, digest);
	assert_string_equal(d.receiver, "rung");
	assert_int_equal(d.truncated, 7);
	assert_int_equal(d.bytes, n);
	assert_true(d.alerts[0].is_own_fingerprint);
	assert_false(d.alerts[2].is_own_fingerprint);
	assert_int_equal(delivered(f, "alertmanager", "{\"alerts\":[],\"truncatedAlerts\":-5}").truncated, 0);
	assert_int_equal(delivered(f, "alertmanager", "{\"alerts\":[],\"truncatedAlerts\":99999999999}").truncated, ALERT_TRUNCATED_MAX);
}

static void the_fingerprint_does_not_depend_on_the_order_of_labels(void **state)
{
	(void)state;
	const struct alerts_file *f = fixture_sources();
	struct alert_delivery a = delivered(f, "plain", "{\"name\":\"x\",\"labels\":{\"a\":\"1\",\"b\":\"2\"}}");
	struct alert_delivery b =
	    delivered(f, "plain", "{\"labels\":[{\"name\":\"b\",\"value\":2},{\"name\":\"a\",\"value\":\"1\"}],\"name\":\"x\",\"state\":\"ok\"}");
	assert_string_equal(a.alerts[0].fingerprint, b.alerts[0].fingerprint);
	/* And it is not what stands next to it. */
	struct alert_delivery c = delivered(f, "plain", "{\"name\":\"x\",\"labels\":{\"a\":\"1b\",\"\":\"2\"}}");
	assert_string_not_equal(a.alerts[0].fingerprint, c.alerts[0].fingerprint);
}

static void an_alert_as_json_has_everything(void **state)
{
	(void)state;
	struct alert_delivery d =
	    delivered(fixture_sources(), "plain", "{\"name\":\"x\\u001b\",\"state\":\"ok\",\"starts_at\":\"2026-11-22T00:00:00Z\",\"tags\":{\"a\":1}}");
	json_t *o = alert_json(&d.alerts[0]);
	struct buf b;
	buf_init(&b, 4096);
	assert_true(json_canonical(o, &b));
	assert_string_equal(b.data, "{\"annotations\":{},\"ends\":null,\"fingerprint\":\"b0b6ce09f9c77dcdf4adaa7867050fa7\",\"group_key\":\"\",\"labels\":{"
	                            "\"a\":\"1\"},\"link\":\"\",\"name\":\"x\\u001B\",\"runbook\":\"\",\"severity\":\"\",\"source\":\"plain\",\"starts\":"
	                            "\"2026-11-22T00:00:00.000000Z\",\"state\":\"resolved\",\"value\":\"\"}");
	buf_clear(&b);
	json_decref(o);
}

/* ---- what is hostile ---- */

static void refused(const char *source, const char *text, size_t n, enum err kind, const char *said)
{
	struct alert_delivery d;
	struct error e = {ERR_OK, ""};
	enum err err = deliver(fixture_sources(), source, text, n, &d, &e);
	if (err != kind || !strstr(e.text, said)) fail_msg("%.60s: %d %s", text, err, e.text);
}

static void what_is_no_delivery_is_refused_with_what_was_expected(void **state)
{
	(void)state;
	static const struct {
		const char *source, *text, *said;
		enum err kind;
	} cases[] = {
	    {"alertmanager", "", "not JSON", ERR_INVALID},
	    {"alertmanager", "{", "not JSON", ERR_INVALID},
	    {"alertmanager", "{}", "list \"alerts\"", ERR_INVALID},
	    {"alertmanager", "1", "list \"alerts\"", ERR_INVALID},
	    {"alertmanager", "null", "list \"alerts\"", ERR_INVALID},
	    {"alertmanager", "{\"alerts\":{}}", "list \"alerts\"", ERR_INVALID},
	    {"alertmanager", "{\"alerts\":{},\"labels\":{}}", "list \"alerts\"", ERR_INVALID},
	    {"alertmanager", "{\"alerts\":[{\"labels\":{}},{}]}", "alert 2 of the delivery", ERR_INVALID},
	    {"alertmanager", "{\"alerts\":[1]}", "alert 1 of the delivery", ERR_INVALID},
	    {"alertmanager", "{\"alerts\":[],\"alerts\":[]}", "not JSON at line 1", ERR_INVALID},
	    {"alertmanager", "{\"alerts\":[{\"labels\":{\"a\":\"1\",\"a\":\"2\"}}]}", "not JSON at line 1", ERR_INVALID},
	    {"alertmanager", "{\"alerts\":[]} x", "not JSON", ERR_INVALID},
	    {"alertmanager", "{\"alerts\":[{\"labels\":{\"a\":\"\xff\"}}]}", "not JSON", ERR_INVALID},
	    {"alertmanager", "{\"alerts\":[{\"labels\":{\"a\":1e999}}]}", "not JSON", ERR_INVALID},
	    {"plain", "\"text\"", "no JSON object", ERR_INVALID},
	    {"plain", "[[]]", "no JSON object", ERR_INVALID},
	    {"nested", "{\"data\":{\"items\":3}}", "at \"/data/items\"", ERR_INVALID},
	    {"nested", "[]", "at \"/data/items\"", ERR_INVALID},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) refused(cases[i].source, cases[i].text, strlen(cases[i].text), cases[i].kind, cases[i].said);
}

static void sizes_are_bounded(void **state)
{
	(void)state;
	char *many = malloc(ALERT_BODY_BYTES_MAX + 1);
	memset(many, '[', ALERT_BODY_BYTES_MAX + 1);
	refused("plain", many, ALERT_BODY_BYTES_MAX + 1, ERR_TOO_BIG, "at most 4194304 bytes");
	refused("plain", many, ALERT_BODY_BYTES_MAX, ERR_TOO_BIG, "at most 131072 values");
	refused("plain", many, 100000, ERR_TOO_BIG, "nested deeper than 32");
	for (size_t i = 0; i < 3 * 140000; i += 3) memcpy(many + i, "{},", 3);
	many[0] = '[';
	refused("alertmanager", many, 3 * 140000, ERR_TOO_BIG, "values");
	free(many);
}

static void what_is_over_the_number_of_alerts_counts_as_truncated(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1 << 20);
	buf_str(&b, "{\"truncatedAlerts\":3,\"alerts\":[");
	for (int i = 0; i < ALERTS_MAX + 10; i++) buf_printf(&b, "%s{\"labels\":{\"alertname\":\"A%d\"}}", i ? "," : "", i);
	buf_str(&b, "]}");
	struct alert_delivery d = delivered(fixture_sources(), "alertmanager", b.data);
	assert_int_equal(d.count, ALERTS_MAX);
	assert_int_equal(d.truncated, 13);
	assert_string_equal(d.alerts[ALERTS_MAX - 1].name, "A4095");
	buf_clear(&b);
}

static void what_is_cut_is_marked(void **state)
{
	(void)state;
	const struct alerts_file *f = fixture_sources();
	struct buf b;
	buf_init(&b, 1 << 20);
	buf_str(&b, "{\"alerts\":[{\"labels\":{\"alertname\":\"");
	for (int i = 0; i < 3000; i++) buf_str(&b, "\xc3\xa4");
	buf_str(&b, "\"}}]}");
	struct alert_delivery d = delivered(f, "alertmanager", b.data);
	assert_true(d.alerts[0].is_cut);
	assert_int_equal(strlen(alert_label(&d.alerts[0], "alertname")), ALERT_LABEL_BYTES_MAX);
	assert_int_equal(strlen(d.alerts[0].name), ALERT_NAME_BYTES_MAX);
	buf_reset(&b);
	buf_str(&b, "{\"alerts\":[{\"labels\":{\"alertname\":\"x\"");
	for (int i = 0; i < ALERT_LABELS_MAX; i++) buf_printf(&b, ",\"l%d\":\"\"", i);
	buf_str(&b, "},\"annotations\":{\"a\":\"");
	for (int i = 0; i < 20000; i++) buf_char(&b, 'x');
	buf_str(&b, "\"}}]}");
	d = delivered(f, "alertmanager", b.data);
	assert_true(d.alerts[0].is_cut);
	assert_int_equal(d.alerts[0].label_count, ALERT_LABELS_MAX);
	assert_int_equal(strlen(alert_annotation(&d.alerts[0], "a")), ALERT_NOTE_BYTES_MAX);
	buf_clear(&b);
	/* A long annotation alone proves nothing wrong. Two labels of one name do. */
	assert_false(delivered(f, "plain", "{\"labels\":[{\"name\":\"a\",\"value\":1},{\"name\":\"a\",\"value\":1}]}").alerts[0].is_cut);
	assert_true(delivered(f, "plain", "{\"labels\":[{\"name\":\"a\",\"value\":1},{\"name\":\"a\",\"value\":2}]}").alerts[0].is_cut);
}

static void times_that_are_none_are_not_said(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		int64_t us;
	} cases[] = {
	    {"\"0001-01-01T00:00:00Z\"", 0},
	    {"\"9999-12-31T23:59:59.999-23:59\"", 0},
	    {"\"9999-12-31T23:59:59.999999Z\"", INT64_C(253402300799999999)},
	    {"\"1969-12-31T23:59:59Z\"", 0},
	    {"\"yesterday\"", 0},
	    {"\"\"", 0},
	    {"\"2026-11-22T00:00:00Z\\u0000\"", 0},
	    {"null", 0},
	    {"-1", 0},
	    {"0", 0},
	    {"1e300", 0},
	    {"1369757346", INT64_C(1369757346000000)},
	    {"1369757346.25", INT64_C(1369757346250000)},
	    {"1369757346267", INT64_C(1369757346267000)},
	    {"1369757346267001", INT64_C(1369757346267001)},
	    {"1369757346267001000", INT64_C(1369757346267001)},
	    {"\"1369757346267\"", INT64_C(1369757346267000)},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *body = arena_printf(arena, "{\"starts_at\":%s}", cases[i].json);
		int64_t us = delivered(fixture_sources(), "plain", body).alerts[0].starts_us;
		int64_t away = us - cases[i].us;
		if (away < -200 || away > 200) fail_msg("%s: %lld", cases[i].json, (long long)us);
	}
}

static void long_integers_are_names(void **state)
{
	(void)state;
	const struct alerts_file *f = fixture_sources();
	assert_string_equal(delivered(f, "plain", "{\"id\":18446744073709551616,\"name\":-9223372036854775809}").alerts[0].fingerprint, "18446744073709551616");
	assert_string_equal(delivered(f, "plain", "{\"id\":123456789012345678}").alerts[0].fingerprint, "123456789012345678");
	assert_string_equal(delivered(f, "plain", "{\"id\":0.1}").alerts[0].fingerprint, "0.1");
	assert_string_equal(delivered(f, "plain", "{\"id\":\"a\\\"12345678901234567890\"}").alerts[0].fingerprint, "a\"12345678901234567890");
}

/* ---- pointers ---- */

static void pointers_of_the_rfc(void **state)
{
	(void)state;
	static const char document[] = "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8}";
	static const struct {
		const char *pointer, *value;
	} cases[] = {{"/foo/0", "bar"},  {"/", "0"},         {"/a~1b", "1"},   {"/c%d", "2"},     {"/e^f", "3"},
	             {"/g|h", "4"},      {"/i\\j", "5"},     {"/k\"l", "6"},   {"/ ", "7"},       {"/m~0n", "8"},
	             {"/foo/00", NULL},  {"/foo/-", NULL},   {"/foo/2", NULL}, {"/foo/+1", NULL}, {"/foo/99999999999999999999", NULL},
	             {"/foo/0/x", NULL}, {"/nothing", NULL}, {"", NULL},       {"/foo", NULL}};
	struct error e;
	json_t *v = body_parse(document, strlen(document), &e);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct pointer p;
		assert_int_equal(pointer_parse(arena, cases[i].pointer, &p, &e), ERR_OK);
		const char *text = body_text(arena, pointer_get(&p, v), 100, NULL);
		if (!cases[i].value != !text || (text && strcmp(text, cases[i].value) != 0)) fail_msg("%s: %s", cases[i].pointer, text ? text : "nothing");
	}
	struct pointer whole;
	assert_int_equal(pointer_parse(arena, "", &whole, &e), ERR_OK);
	assert_ptr_equal(pointer_get(&whole, v), v);
	json_decref(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(every_file_gives_what_the_table_says, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(the_shared_files_give_what_the_table_says, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(a_delivery_says_what_was_left_out, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(the_fingerprint_does_not_depend_on_the_order_of_labels, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(an_alert_as_json_has_everything, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(what_is_no_delivery_is_refused_with_what_was_expected, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(sizes_are_bounded, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(what_is_over_the_number_of_alerts_counts_as_truncated, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(what_is_cut_is_marked, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(times_that_are_none_are_not_said, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(long_integers_are_names, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(pointers_of_the_rfc, open_arena, close_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
