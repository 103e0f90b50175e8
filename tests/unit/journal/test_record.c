#include "base/arena.h"
#include "base/fs.h"
#include "journal/record_kinds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define X "01JD9Z8Q6M3T4N5P6R7S8T9V0W"
#define BLOB "hmac-sha256:63479ad69a090b258277ec8fba6f99419a2ffb248981510657c944ccd1148e97"
#define DIGEST "d1e75aca758154ee2147853c02ec6716f4a7ea0418c685978f5d4b8c7b0be25a"
#define T "2026-11-22T23:00:03.250000Z"

enum { T_US_OFFSET = 250000 };
static const int64_t t_us = 1795388403000000 + T_US_OFFSET;

static char *encode(const struct record *r)
{
	struct buf b;
	struct error e;
	buf_init(&b, 1 << 20);
	if (record_encode(r, &b, &e)) fail_msg("%s", e.text);
	return buf_take(&b);
}

static void a_record_is_written_as_one_line_with_its_keys_in_order(void **state)
{
	json_t *d = json_pack("{s:s,s:i,s:b,s:[s,s]}", "outcome", "ok", "code", -3, "is_truncated", 1, "stdout", BLOB, BLOB);
	struct record r = {.seq = 7,
	                   .t_us = t_us,
	                   .kind = RECORD_CALL_FINISHED,
	                   .execution = X,
	                   .step = "restart[2]",
	                   .attempt = 1,
	                   .call = 4,
	                   .epoch = 9,
	                   .node = "n1",
	                   .by = "user:ana",
	                   .data = d};
	char *line = encode(&r);
	(void)state;
	assert_string_equal(line, "{\"v\":1,\"seq\":7,\"t\":\"" T "\",\"k\":\"call.finished\",\"x\":\"" X
	                          "\",\"s\":\"restart[2]\",\"a\":1,\"c\":4,\"e\":9,\"n\":\"n1\",\"by\":\"user:ana\","
	                          "\"d\":{\"outcome\":\"ok\",\"code\":-3,\"is_truncated\":true,\"stdout\":[\"" BLOB "\",\"" BLOB "\"]}}");
	struct record back;
	json_t *hold;
	struct error e;
	assert_int_equal(record_decode(line, strlen(line), &back, &hold, &e), ERR_OK);
	assert_int_equal(back.seq, 7);
	assert_int_equal(back.t_us, t_us);
	assert_int_equal(back.kind, RECORD_CALL_FINISHED);
	assert_string_equal(back.execution, X);
	assert_string_equal(back.step, "restart[2]");
	assert_int_equal(back.attempt, 1);
	assert_int_equal(back.call, 4);
	assert_int_equal(back.epoch, 9);
	assert_string_equal(back.node, "n1");
	assert_string_equal(back.by, "user:ana");
	assert_true(json_equal(back.data, d));
	json_decref(hold);
	json_decref(d);
	free(line);
}

static void what_could_steer_a_terminal_is_escaped(void **state)
{
	struct record r = {.seq = 0,
	                   .t_us = t_us,
	                   .kind = RECORD_STEP_REQUESTED,
	                   .execution = X,
	                   .step = "a\x1b[31m\n\"\\/\xe2\x80\xae\xc2\x85\xf3\xa0\x81\x81\xc3\xa9\xe7\x9b\x98"};
	char *line = encode(&r);
	struct record back;
	json_t *hold;
	(void)state;
	assert_string_equal(line, "{\"v\":1,\"seq\":0,\"t\":\"" T "\",\"k\":\"step.requested\",\"x\":\"" X
	                          "\",\"s\":\"a\\u001b[31m\\u000a\\\"\\\\/\\u202e\\u0085\\udb40\\udc41\xc3\xa9\xe7\x9b\x98\"}");
	assert_int_equal(record_decode(line, strlen(line), &back, &hold, NULL), ERR_OK);
	assert_string_equal(back.step, r.step);
	json_decref(hold);
	free(line);
}

static void head_and_tail_make_the_line(void **state)
{
	struct record r = {.seq = INT64_MAX, .t_us = t_us, .kind = RECORD_STEP_REQUESTED, .execution = X, .step = "s"};
	char *line = encode(&r);
	struct buf b;
	(void)state;
	buf_init(&b, 1000);
	assert_true(record_encode_head(r.seq, r.t_us, &b));
	assert_int_equal(b.len, RECORD_HEAD_BYTES_MAX);
	assert_int_equal(record_encode_tail(&r, &b, NULL), ERR_OK);
	assert_string_equal(b.data, line);
	assert_false(record_encode_head((uint64_t)INT64_MAX + 1, t_us, &b));
	assert_false(record_encode_head(0, INT64_MAX, &b));
	assert_false(record_encode_head(0, INT64_MIN, &b));
	buf_clear(&b);
	free(line);
}

struct refusal {
	enum record_kind kind;
	const char *execution, *step;
	uint32_t attempt, call;
	const char *d, *word;
};

static void what_does_not_match_its_kind_is_refused_with_a_sentence(void **state)
{
	static const struct refusal list[] = {
	    {RECORD_STEP_SKIPPED, X, "s", 0, 0, NULL, "step.skipped needs d.why, a word"},
	    {RECORD_STEP_SKIPPED, X, "s", 0, 0, "{\"why\":\"two words\"}", "d.why of step.skipped must be a word"},
	    {RECORD_STEP_SKIPPED, X, "s", 0, 0, "{\"why\":\"\"}", "must be a word"},
	    {RECORD_STEP_SKIPPED, X, "s", 0, 0, "{\"why\":\"if\",\"other\":1}", "step.skipped has no key d.other"},
	    {RECORD_STEP_SKIPPED, X, "s", 0, 0, "{\"why\":\"if\",\"reason\":\"he asked\"}", "d.reason of step.skipped must be the name of a blob"},
	    {RECORD_STEP_SKIPPED, X, NULL, 0, 0, "{\"why\":\"if\"}", "step.skipped must name its step"},
	    {RECORD_STEP_SKIPPED, "x", "s", 0, 0, "{\"why\":\"if\"}", "must be a ULID"},
	    {RECORD_STEP_SKIPPED, X, "", 0, 0, "{\"why\":\"if\"}", "must have 1 to"},
	    {RECORD_ATTEMPT_FINISHED, X, "s", 0, 0, "{\"outcome\":\"ok\"}", "must name its attempt"},
	    {RECORD_CALL_FINISHED, X, "s", 1, 0, "{\"outcome\":\"ok\"}", "must name its call"},
	    {RECORD_CALL_FINISHED, X, "s", 1, 1, "{\"outcome\":\"ok\",\"code\":1.0}", "d.code of call.finished must be an integer"},
	    {RECORD_CALL_FINISHED, X, "s", 1, 1, "{\"outcome\":\"ok\",\"code\":null}", "must be an integer"},
	    {RECORD_CALL_FINISHED, X, "s", 1, 1, "{\"outcome\":\"ok\",\"stdout\":[\"x\"]}", "must be an array of names of blobs"},
	    {RECORD_CALL_FINISHED, X, "s", 1, 1, "[]", "must be an object"},
	    {RECORD_EXECUTION_FINISHED, X, NULL, 0, 0, "{\"state\":\"failed\",\"counts\":{\"a\":1.5}}", "must be plain data"},
	    {RECORD_EXECUTION_FINISHED, X, NULL, 0, 0, "{\"state\":\"failed\",\"counts\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}",
	     "nested deeper than 8"},
	    {RECORD_EXECUTION_STARTED, X, NULL, 0, 0, "{\"book\":\"b\",\"plan\":\"d1\"}", "must be a digest"},
	    {RECORD_LOG_OPENED, NULL, NULL, 0, 0, "{\"origin\":\"o\",\"key\":\"k\",\"hash\":\"sha256\"}", "needs d.engine"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		const struct refusal *f = &list[i];
		json_t *d = f->d ? json_loads(f->d, 0, NULL) : NULL;
		struct record r = {
		    .t_us = t_us, .kind = f->kind, .execution = f->execution, .step = f->step, .attempt = f->attempt, .call = f->call, .data = d};
		struct buf b;
		struct error e = {0};
		buf_init(&b, JOURNAL_RECORD_BYTES_MAX);
		enum err err = record_encode(&r, &b, &e);
		if (err != ERR_INVALID || !strstr(e.text, f->word)) fail_msg("expected \"%s\", got %d: %s", f->word, (int)err, e.text);
		buf_clear(&b);
		json_decref(d);
	}
}

static void a_record_that_is_too_long_is_refused(void **state)
{
	json_t *names = json_array(), *d = json_object();
	struct record r = {.t_us = t_us, .kind = RECORD_CALL_FINISHED, .execution = X, .step = "s", .attempt = 1, .call = 1, .data = d};
	struct buf b;
	struct error e;
	(void)state;
	json_object_set_new(d, "outcome", json_string("ok"));
	json_object_set_new(d, "output", names);
	for (int i = 0; i < 900; i++) json_array_append_new(names, json_string(BLOB));
	buf_init(&b, 1 << 20);
	assert_int_equal(record_encode(&r, &b, &e), ERR_TOO_BIG);
	buf_clear(&b);
	json_decref(d);
}

static void only_the_bytes_that_encode_makes_are_read(void **state)
{
	static const char good[] = "{\"v\":1,\"seq\":7,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"d\":{\"why\":\"if\"}}";
	static const char *const bad[] = {
	    "",
	    "{}",
	    "[]",
	    "null",
	    "{\"v\":1,\"seq\":7,\"t\":\"" T "\"}",
	    "{\"v\":2,\"seq\":7,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"d\":{\"why\":\"if\"}}",
	    "{\"v\":0,\"seq\":7,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"d\":{\"why\":\"if\"}}",
	    "{\"v\":1, \"seq\":7,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"d\":{\"why\":\"if\"}}",
	    "{\"seq\":7,\"v\":1,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"d\":{\"why\":\"if\"}}",
	    "{\"v\":1,\"seq\":07,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"d\":{\"why\":\"if\"}}",
	    "{\"v\":1,\"seq\":-0,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"d\":{\"why\":\"if\"}}",
	    "{\"v\":1,\"seq\":-1,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"d\":{\"why\":\"if\"}}",
	    "{\"v\":1,\"seq\":9223372036854775808,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"d\":{\"why\":\"if\"}}",
	    "{\"v\":1,\"seq\":7,\"t\":\"2026-11-22T23:00:03Z\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"d\":{\"why\":\"if\"}}",
	    "{\"v\":1,\"seq\":7,\"t\":\"" T "\",\"k\":\"step.jumped\",\"x\":\"" X "\",\"s\":\"s\",\"d\":{\"why\":\"if\"}}",
	    "{\"v\":1,\"seq\":7,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"\\u0073\",\"d\":{\"why\":\"if\"}}",
	    "{\"v\":1,\"seq\":7,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\\n\",\"d\":{\"why\":\"if\"}}",
	    "{\"v\":1,\"seq\":7,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\\u0000\",\"d\":{\"why\":\"if\"}}",
	    "{\"v\":1,\"seq\":7,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"a\":0,\"d\":{\"why\":\"if\"}}",
	    "{\"v\":1,\"seq\":7,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"a\":4294967296,\"d\":{\"why\":\"if\"}}",
	    "{\"v\":1,\"seq\":7,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":null,\"s\":\"s\",\"d\":{\"why\":\"if\"}}",
	    "{\"v\":1,\"seq\":7,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"d\":{\"why\":\"if\"},\"z\":1}",
	    "{\"v\":1,\"seq\":7,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"s\":\"s\",\"d\":{\"why\":\"if\"}}",
	    "{\"v\":1,\"seq\":7,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"d\":{\"why\":\"if\"}}\n",
	    "{\"v\":1,\"seq\":7,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"d\":{\"why\":\"if\"}",
	    "{\"v\":1,\"seq\":7,\"t\":\"" T "\",\"k\":\"step.skipped\",\"x\":\"" X "\",\"s\":\"s\",\"d\":{\"why\":if}}",
	};
	struct record r;
	json_t *hold;
	struct error e;
	(void)state;
	assert_int_equal(record_decode(good, strlen(good), &r, &hold, &e), ERR_OK);
	json_decref(hold);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (record_decode(bad[i], strlen(bad[i]), &r, &hold, &e) != ERR_VERIFY) fail_msg("was read: %s", bad[i]);
		assert_null(hold);
		assert_true(e.text[0]);
	}
	/* Any bit of it that flips makes another record, or none. */
	char line[sizeof good];
	for (size_t bit = 0; bit < 8 * strlen(good); bit++) {
		memcpy(line, good, sizeof good);
		line[bit / 8] ^= (char)(1 << bit % 8);
		if (record_decode(line, strlen(good), &r, &hold, NULL) != ERR_OK) continue;
		char *again = encode(&r);
		assert_memory_equal(again, line, strlen(good));
		free(again);
		json_decref(hold);
	}
}

static void count_blob(void *arg, const char *name)
{
	assert_string_equal(name, BLOB);
	++*(int *)arg;
}

static void the_blobs_of_a_record_are_told(void **state)
{
	json_t *d = json_pack("{s:s,s:s,s:[s,s]}", "outcome", "ok", "answer", BLOB, "stdout", BLOB, BLOB);
	struct record r = {.kind = RECORD_CALL_FINISHED, .data = d};
	int n = 0;
	(void)state;
	record_blobs(&r, count_blob, &n);
	assert_int_equal(n, 3);
	json_decref(d);
	r.data = NULL;
	record_blobs(&r, count_blob, &n);
	assert_int_equal(n, 3);
}

/* The table as it is printed; GOLDEN_WRITE=1 writes it anew after a change that was meant. */
static void the_table_of_kinds_is_the_golden_one(void **state)
{
	json_t *all = record_kinds_json();
	struct buf text, golden;
	struct error e;
	size_t i, j;
	json_t *kind, *field;
	(void)state;
	buf_init(&text, 1 << 20);
	buf_init(&golden, 1 << 20);
	json_array_foreach(all, i, kind)
	{
		enum record_kind k;
		assert_int_equal(record_kind_find(json_str(kind, "kind", ""), &k, &e), ERR_OK);
		assert_int_equal(k, i);
		assert_non_null(strchr(json_str(kind, "kind", ""), '.'));
		buf_printf(&text, "%s (%s): %s\n", json_str(kind, "kind", ""), json_str(kind, "about", ""), json_str(kind, "what", ""));
		json_array_foreach(json_arr(kind, "d"), j, field) buf_printf(&text, "\t%s %s%s\n", json_str(field, "key", ""), json_str(field, "type", ""),
		                                                             json_bool(field, "required", false) ? ", required" : "");
	}
	assert_int_equal(i, RECORD_KIND_N);
	if (getenv("GOLDEN_WRITE")) assert_int_equal(fs_write_atomic("tests/golden/journal/kinds.txt", text.data, text.len, 0644, &e), ERR_OK);
	assert_int_equal(fs_read("tests/golden/journal/kinds.txt", &golden, &e), ERR_OK);
	assert_string_equal(text.data, golden.data);
	buf_clear(&text);
	buf_clear(&golden);
	json_decref(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_record_is_written_as_one_line_with_its_keys_in_order),
	    cmocka_unit_test(what_could_steer_a_terminal_is_escaped),
	    cmocka_unit_test(head_and_tail_make_the_line),
	    cmocka_unit_test(what_does_not_match_its_kind_is_refused_with_a_sentence),
	    cmocka_unit_test(a_record_that_is_too_long_is_refused),
	    cmocka_unit_test(only_the_bytes_that_encode_makes_are_read),
	    cmocka_unit_test(the_blobs_of_a_record_are_told),
	    cmocka_unit_test(the_table_of_kinds_is_the_golden_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
