#include "base/fs.h"
#include "report/fleet.h"
#include "report/inert.h"
#include "report/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <md4c.h>

/* A blob's text is its name here. */
static char *blob(void *arg, const char *name, size_t *n)
{
	(void)arg;
	*n = strlen(name);
	return strcpy(malloc(*n + 4), name);
}

static json_t *parse(const char *text)
{
	json_error_t e;
	json_t *v = json_loads(text, 0, &e);
	if (!v) fail_msg("%s", e.text);
	return v;
}

static json_t *build(const char *view_text, const char *records_text)
{
	json_t *view = parse(view_text), *records = parse(records_text), *report = report_build(view, records, "origin\n1\nroot=\n", blob, NULL);
	json_decref(view);
	json_decref(records);
	return report;
}

static const char *const view =
    "{\"execution\":\"X\",\"state\":\"failed\",\"driver\":\"user:ana\",\"started_us\":1000000,\"finished_us\":3500000,\"plan\":\"p\",\"book\":{\"title\":\"A "
    "<b>|title\",\"path\":\"x.md\",\"digest\":\"d\"},"
    "\"steps\":[{\"id\":\"a\",\"title\":\"Look\",\"state\":\"succeeded\",\"manual\":true,\"attempt\":1,\"started_us\":1,\"finished_us\":1000001},"
    "{\"id\":\"b\",\"title\":\"Do\",\"state\":\"failed\",\"manual\":false,\"attempt\":2,\"why\":\"![x](http://evil) \\u001b[31m $a$ `c` www.evil "
    "@team\"}],\"notes\":[]}";

static void what_was_done_by_hand_is_counted(void **state)
{
	(void)state;
	json_t *r = build(view, "[]");
	assert_int_equal(json_int(r, "steps_done", 0), 2);
	assert_int_equal(json_int(r, "steps_by_hand", 0), 1);
	assert_int_equal(json_int(r, "duration_us", 0), 2500000);
	json_decref(r);
}

static void each_record_is_a_line_of_the_timeline(void **state)
{
	(void)state;
	json_t *r = build(view, "[{\"seq\":1,\"t\":\"T\",\"k\":\"execution.started\",\"by\":\"user:ana\",\"d\":{\"book\":\"x.md\",\"mode\":\"auto\",\"steps\":"
	                        "2,\"plan\":\"0123456789abcdef\"}},"
	                        "{\"seq\":2,\"t\":\"T\",\"k\":\"call.finished\",\"s\":\"a\",\"c\":1,\"d\":{\"outcome\":\"ok\",\"code\":3}},"
	                        "{\"seq\":3,\"t\":\"T\",\"k\":\"note.added\",\"by\":\"user:bo\",\"d\":{\"note\":\"the disk was "
	                        "full\"}},{\"seq\":4,\"t\":\"T\",\"k\":\"something.new\",\"d\":{}}]");
	json_t *t = json_arr(r, "timeline");
	assert_int_equal(json_array_size(t), 4);
	assert_string_equal(json_str(json_array_get(t, 0), "text", ""), "began: x.md, auto, 2 steps, plan 0123456789ab");
	assert_string_equal(json_str(json_array_get(t, 1), "text", ""), "call ok, exit status 3");
	assert_string_equal(json_str(json_array_get(t, 2), "text", ""), "note: the disk was full");
	json_decref(r);
}

/* ---- fleets ---- */

/* RUNG_GOLDEN=write makes the file anew. */
static void golden_check(const char *path, const char *text)
{
	struct buf want;
	struct error e;
	buf_init(&want, 1 << 20);
	const char *mode = getenv("RUNG_GOLDEN");
	if (mode && strcmp(mode, "write") == 0) {
		if (fs_write_atomic(path, text, strlen(text), 0644, &e)) fail_msg("%s", e.text);
	} else if (fs_read(path, &want, &e)) {
		fail_msg("%s (run with RUNG_GOLDEN=write)", e.text);
	} else {
		assert_string_equal(text, want.data ? want.data : "");
	}
	buf_clear(&want);
}

static void add_call(json_t *records, const char *host, int number, const char *outcome, int code, const char *out, const char *error)
{
	json_int_t seq = (json_int_t)json_array_size(records);
	json_t *form = json_pack("{s:{s:s,s:[s,s,s]}}", "arguments", "host", host, "argv", "systemctl", "is-active", "nginx");
	char *arguments = json_dumps(form, 0), words[128];
	snprintf(words, sizeof words, "ssh deploy@%s -- systemctl is-active nginx", host);
	json_decref(form);
	json_array_append_new(records,
	                      json_pack("{s:I,s:s,s:s,s:s,s:i,s:i,s:{s:s,s:s,s:s,s:s,s:s}}", "seq", seq, "t", "T", "k", "call.started", "s", "look", "a", 1,
	                                "c", number, "d", "module", "ssh", "function", "exec", "effect", "read", "arguments", arguments, "text", words));
	json_t *d = json_pack("{s:s,s:s*}", "outcome", outcome, "error", error);
	if (out) json_object_set_new(d, "stdout", json_pack("[s]", out));
	if (code >= 0) json_object_set_new(d, "code", json_integer(code));
	json_array_append_new(
	    records, json_pack("{s:I,s:s,s:s,s:s,s:i,s:i,s:o}", "seq", seq + 1, "t", "T", "k", "call.finished", "s", "look", "a", 1, "c", number, "d", d));
	free(arguments);
}

/* 40 hosts of which 36 say the same, one another thing, one nothing good, two cannot be reached; two more were not started. */
static json_t *fleet_of_forty(void)
{
	json_t *records = json_array();
	char host[32], error[64];
	for (int i = 1; i <= 40; i++) {
		snprintf(host, sizeof host, "web-%02d", i);
		snprintf(error, sizeof error, "%s: Connection refused", host);
		if (i == 12 || i == 30)
			add_call(records, host, i, "unreachable", -1, NULL, error);
		else
			add_call(records, host, i, "ok", i == 7 ? 3 : 0, i == 7 ? "inactive\n" : i == 21 ? "active\n\n" : "active\n", NULL);
	}
	json_array_append_new(
	    records, parse("{\"seq\":80,\"t\":\"T\",\"k\":\"call.started\",\"s\":\"look\",\"a\":1,\"c\":41,\"d\":{\"module\":\"ssh\",\"function\":\"left\","
	                   "\"arguments\":\"{\\\"arguments\\\":{\\\"argv\\\":[\\\"systemctl\\\",\\\"is-active\\\",\\\"nginx\\\"],"
	                   "\\\"hosts\\\":[\\\"web-41\\\",\\\"web-42\\\"]}}\"}}"));
	json_array_append_new(records, parse("{\"seq\":81,\"t\":\"T\",\"k\":\"call.finished\",\"s\":\"look\",\"a\":1,\"c\":41,\"d\":{\"outcome\":\"ok\"}}"));
	return records;
}

static void hosts_of_a_fleet_that_say_the_same_stand_together(void **state)
{
	(void)state;
	json_t *records = fleet_of_forty(), *v = parse(view), *r = report_build(v, records, "origin\n1\nroot=\n", blob, NULL);
	struct buf b;
	buf_init(&b, 1 << 20);
	report_markdown(r, &b);
	const char *from = strstr(b.data, "## Fleets"), *to = strstr(b.data, "## Proof");
	assert_true(from && to);
	char *part = strndup(from, (size_t)(to - from));
	golden_check("tests/golden/report/fleet.md", part);
	free(part);
	/* As JSON each call is there. */
	assert_int_equal(json_array_size(json_arr(r, "timeline")), 82);
	assert_int_equal(json_int(json_array_get(json_arr(r, "timeline"), 81), "fleet", -1), 0);
	buf_clear(&b);
	json_decref(r);
	json_decref(v);
	json_decref(records);
}

static void what_a_person_says_of_a_call_of_a_fleet_is_a_line_of_its_own(void **state)
{
	(void)state;
	json_t *records = fleet_of_forty(), *v = parse(view);
	json_array_append_new(records, parse("{\"seq\":82,\"t\":\"T\",\"k\":\"call.resolved\",\"s\":\"look\",\"a\":1,\"c\":12,\"by\":\"user:ana\","
	                                     "\"d\":{\"answer\":\"again\",\"reason\":\"its log says that nothing came\"}}"));
	json_t *r = report_build(v, records, "origin\n1\nroot=\n", blob, NULL);
	struct buf b;
	buf_init(&b, 1 << 20);
	report_markdown(r, &b);
	assert_non_null(strstr(b.data, "| 82 call.resolved | `user:ana` | look | unknown call resolved: again: its log says that nothing came |"));
	buf_clear(&b);
	json_decref(r);
	json_decref(v);
	json_decref(records);
}

/* Who, by which right, under which policy, with which secrets. */
static void the_authority_for_what_was_done_is_said(void **state)
{
	static const char digest[] = "aaaaaaaaaaaabbbbbbbbbbbbccccccccccccddddddddddddeeeeeeeeeeeeffff";
	struct buf b;
	(void)state;
	buf_init(&b, 10000);
	buf_printf(&b,
	           "[{\"seq\":1,\"t\":\"T\",\"k\":\"execution.started\",\"by\":\"service:bot\",\"d\":{\"book\":\"x.md\",\"mode\":\"auto\",\"steps\":2,"
	           "\"plan\":\"0123456789abcdef\",\"trigger\":\"alert\",\"incident\":\"INC\",\"policy\":\"%s\","
	           "\"rights\":\"{\\\"allow\\\":[\\\"sh df *\\\",\\\"sh ls\\\"],\\\"declared\\\":true}\"}},"
	           "{\"seq\":2,\"t\":\"T\",\"k\":\"secret.used\",\"s\":\"a\",\"a\":1,\"c\":1,\"d\":{\"names\":[\"env:TOKEN\",\"param:password\"]}},"
	           "{\"seq\":3,\"t\":\"T\",\"k\":\"right.decided\",\"s\":\"a\",\"d\":{\"allowed\":false,\"by\":\"policy\",\"rule\":\"no-rm\",\"line\":7,"
	           "\"policy\":\"%s\",\"pattern\":\"sh rm *\"}}]",
	           digest, digest);
	json_t *r = build(view, b.data), *t = json_arr(r, "timeline");
	assert_string_equal(
	    json_str(json_array_get(t, 0), "text", ""),
	    "began: x.md, auto, 2 steps, plan 0123456789ab, policy aaaaaaaaaaaa, trigger alert, for incident INC; allowed: what the book declares, "
	    "sh df *, sh ls");
	assert_string_equal(json_str(json_array_get(t, 1), "text", ""), "gets the secrets env:TOKEN, param:password");
	assert_string_equal(json_str(json_array_get(t, 2), "text", ""), "right denied by rule no-rm (line 7, policy aaaaaaaaaaaa): sh rm *");
	buf_clear(&b);
	json_decref(r);
}

static void names_with_numbers_are_ranges(void **state)
{
	static const char *const cases[][2] = {
	    {"[\"web-03\",\"web-01\",\"web-02\"]", "web-[01:03]"},
	    {"[\"web-1\",\"web-2\",\"web-4\",\"db\"]", "db, web-[1:2], web-4"},
	    {"[\"n8.example\",\"n9.example\",\"n10.example\"]", "n[8:10].example"},
	    {"[\"web-09\",\"web-010\"]", "web-010, web-09"},
	    {"[\"a1b2\",\"a1b3\",\"a2b3\"]", "a1b[2:3], a2b3"},
	    {"[\"x\"]", "x"},
	    {"[\"h99999999999999999999\",\"h99999999999999999998\"]", "h99999999999999999998, h99999999999999999999"},
	    {"[]", ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_t *names = parse(cases[i][0]);
		struct buf b;
		buf_init(&b, 1000);
		fleet_hosts(&b, names);
		assert_string_equal(b.data ? b.data : "", cases[i][1]);
		buf_clear(&b);
		json_decref(names);
	}
}

/* What a Markdown parser with everything switched on makes of a text. */
struct seen {
	size_t headings, cells, rows, codes, wrong;
};

static int on_block(MD_BLOCKTYPE type, void *detail, void *arg)
{
	struct seen *s = arg;
	(void)detail;
	s->headings += type == MD_BLOCK_H;
	s->cells += type == MD_BLOCK_TD || type == MD_BLOCK_TH;
	s->rows += type == MD_BLOCK_TR;
	s->codes += type == MD_BLOCK_CODE;
	s->wrong += type == MD_BLOCK_HTML || type == MD_BLOCK_QUOTE || type == MD_BLOCK_UL || type == MD_BLOCK_OL || type == MD_BLOCK_HR;
	return 0;
}

static int on_span(MD_SPANTYPE type, void *detail, void *arg)
{
	struct seen *s = arg;
	(void)detail;
	s->wrong += type != MD_SPAN_CODE;
	return 0;
}

static int on_leave(MD_BLOCKTYPE type, void *detail, void *arg)
{
	(void)type, (void)detail, (void)arg;
	return 0;
}

static int on_leave_span(MD_SPANTYPE type, void *detail, void *arg)
{
	(void)type, (void)detail, (void)arg;
	return 0;
}

static int on_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE n, void *arg)
{
	struct seen *s = arg;
	(void)text, (void)n;
	s->wrong += type == MD_TEXT_HTML || type == MD_TEXT_ENTITY || type == MD_TEXT_LATEXMATH;
	return 0;
}

static struct seen look(const char *text, size_t n)
{
	MD_PARSER parser = {.flags = MD_DIALECT_GITHUB | MD_FLAG_LATEXMATHSPANS | MD_FLAG_WIKILINKS | MD_FLAG_UNDERLINE | MD_FLAG_PERMISSIVEATXHEADERS,
	                    .enter_block = on_block,
	                    .leave_block = on_leave,
	                    .enter_span = on_span,
	                    .leave_span = on_leave_span,
	                    .text = on_text};
	struct seen seen = {0};
	assert_int_equal(md_parse(text, (MD_SIZE)n, &parser, &seen), 0);
	return seen;
}

/* What people and hosts might write to get more than text into a report. */
static const char *const attacks[] = {
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "<!-- gone",
    "a | b | c",
    "a \\| b",
    "a \\\\| b \\",
    "`| x |`",
    "```\n# heading\n```",
    "~~~\n\n# heading\n",
    "`",
    "``",
    "a ` b `` c ``` d",
    "\\`<b>\\`",
    " ` ",
    "![x](http://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "[x]: http://evil.example",
    "[[wiki]]",
    "<http://evil.example>",
    "http://evil.example",
    "https://evil.example/a?b=c",
    "www.evil.example",
    "evil.example/x",
    "ana@evil.example",
    "mailto:ana@evil.example",
    "@team look",
    "GH-12",
    "see #12",
    "d6cd1e2bd19e03a81132a23b2025920577f84e37",
    "*bold* _slanted_ ~~gone~~",
    "$x$ $$y$$",
    "&lt;b&gt; &#60;",
    "# heading",
    "line\n# heading\n\n- item\n\n> quote\n\n1. one\n",
    "\n\n| a | b |\n|---|---|\n| c | d |\n",
    "---\n===",
    "\r\n# heading\r\n",
    "    indented",
    "\033[31mred\033[0m \033]8;;http://evil.example\033\\x\033]8;;\033\\",
    "\342\200\256evil\342\200\254 \342\200\250# heading",
    "${{ secrets.x }} {{ x }} {x}",
    "a\\",
    "`\\",
};

enum { ATTACK_N = sizeof attacks / sizeof *attacks };

static json_t *attacked(const char *text)
{
	json_t *timeline = json_pack("[{s:s,s:s,s:s,s:s,s:s,s:i}]", "t", "T", "kind", "note.added", "by", text, "step", text, "text", text, "seq", 1);
	json_t *steps = json_pack("[{s:s,s:s,s:s,s:s,s:b,s:i}]", "title", text, "state", "failed", "why", text, "note", text, "manual", 1, "attempts", 1);
	json_t *fleets = json_pack("[{s:s,s:s,s:i,s:i,s:[{s:s,s:[s],s:s}],s:[s]}]", "step", text, "command", text, "hosts", 2, "first_seq", 7, "groups",
	                           "state", "ok", "hosts", text, "said", text, "not_started", text);
	json_t *book = json_pack("{s:s,s:s,s:s}", "title", text, "path", text, "digest", "d");
	return json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:s}", "execution", "X", "state", "failed", "driver", text, "book", book, "steps", steps, "fleets",
	                 fleets, "timeline", timeline, "checkpoint", "origin```\n1\nroot=\n\n```\n");
}

static void what_strangers_wrote_is_inert_in_markdown(void **state)
{
	struct seen plain = {0};
	(void)state;
	for (size_t i = 0; i <= ATTACK_N; i++) {
		/* The first one says what a report consists of. */
		json_t *r = attacked(i ? attacks[i - 1] : "plain prose");
		struct buf b;
		buf_init(&b, 1 << 20);
		report_markdown(r, &b);
		struct seen seen = look(b.data, b.len);
		if (i == 0) plain = seen;
		if (seen.wrong || seen.headings != plain.headings || seen.cells != plain.cells || seen.rows != plain.rows || seen.codes != 1)
			fail_msg("%s: %zu wrong, %zu headings, %zu cells, %zu rows, %zu fences:\n%s", i ? attacks[i - 1] : "", seen.wrong, seen.headings,
			         seen.cells, seen.rows, seen.codes, b.data);
		for (size_t k = 0; k < b.len; k++) assert_true(b.data[k] == '\n' || (unsigned char)b.data[k] >= 0x20);
		assert_null(strstr(b.data, "\342\200\256"));
		buf_clear(&b);
		json_decref(r);
	}
	assert_int_equal(plain.headings, 6);
}

static void prose_stays_prose_and_the_rest_is_code(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"Restart a service", "Restart a service"},
	    {"Done at 12:30, it took 1.5 s (as it should).", "Done at 12:30, it took 1.5 s (as it should)."},
	    {"Größe prüfen", "Größe prüfen"},
	    {"user:ana", "`user:ana`"},
	    {"systemctl restart nginx.service", "`systemctl restart nginx.service`"},
	    {"df -P | sort", "`df -P \\| sort`"},
	    {"a\\|b", "`a\\ \\|b`"},
	    {"say `x`", "`` say `x` ``"},
	    {"two\nlines", "two lines"},
	    {"", ""},
	    {" \n ", ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b;
		buf_init(&b, 1000);
		markdown_inert(&b, cases[i].in, strlen(cases[i].in), true);
		assert_string_equal(b.data ? b.data : "", cases[i].out);
		buf_clear(&b);
	}
}

static void bytes_that_are_no_text_are_seen(void **state)
{
	(void)state;
	json_t *r = attacked("x"), *bytes = json_bytes("\377 bad", 5);
	json_object_set_new(json_array_get(json_arr(r, "timeline"), 0), "text", bytes);
	struct buf b;
	buf_init(&b, 1 << 20);
	report_markdown(r, &b);
	assert_non_null(strstr(b.data, "`<ff> bad`"));
	buf_clear(&b);
	json_decref(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_done_by_hand_is_counted),
	    cmocka_unit_test(each_record_is_a_line_of_the_timeline),
	    cmocka_unit_test(hosts_of_a_fleet_that_say_the_same_stand_together),
	    cmocka_unit_test(what_a_person_says_of_a_call_of_a_fleet_is_a_line_of_its_own),
	    cmocka_unit_test(the_authority_for_what_was_done_is_said),
	    cmocka_unit_test(names_with_numbers_are_ranges),
	    cmocka_unit_test(what_strangers_wrote_is_inert_in_markdown),
	    cmocka_unit_test(prose_stays_prose_and_the_rest_is_code),
	    cmocka_unit_test(bytes_that_are_no_text_are_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
