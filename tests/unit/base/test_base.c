#include "base/arena.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/frame.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void a_buffer_with_room_does_not_move(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1000);
	assert_true(buf_reserve(&b, 1000));
	const char *data = b.data;
	for (int i = 0; i < 1000; i++) assert_true(buf_char(&b, 'x'));
	assert_ptr_equal(b.data, data);
	assert_false(buf_reserve(&b, 1));
	buf_wipe(&b);
	assert_true(!b.data && b.max == 1000 && buf_char(&b, 'y'));
	buf_wipe(&b);
}

static void a_buffer_leaves_out_whole_what_does_not_fit(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 5);
	assert_true(buf_str(&b, "abc"));
	assert_false(buf_str(&b, "def"));
	assert_true(b.is_full);
	assert_false(buf_char(&b, 'x'));
	assert_string_equal(b.data, "abc");
	buf_reset(&b);
	assert_true(buf_printf(&b, "%d", 12345));
	assert_false(buf_printf(&b, "%d", 6));
	buf_clear(&b);
}

static void an_arena_gives_zeroed_memory_and_grows_arrays(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	int *list = NULL;
	size_t count = 0, capacity = 0;
	for (int i = 0; i < 1000; i++) {
		list = arena_grow(a, list, count, &capacity, sizeof *list);
		list[count++] = i;
	}
	for (int i = 0; i < 1000; i++) assert_int_equal(list[i], i);
	char *big = arena_alloc(a, 100000);
	for (size_t i = 0; i < 100000; i++) assert_int_equal(big[i], 0);
	assert_string_equal(arena_printf(a, "%s-%d", "x", 7), "x-7");
	arena_free(a);
}

static void what_could_steer_a_terminal_is_made_visible(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"plain", "plain"},
	    {"\033[31mred\033[0m", "\342\220\233[31mred\342\220\233[0m"},
	    {"a\nb\tc", "a\342\220\212b\342\220\211c"},
	    {"\302\233x", "<009b>x"},
	    {"\342\200\256evil", "<202e>evil"},
	    {"\377\376", "<ff><fe>"},
	    {"\177", "\342\220\241"},
	    {"\303\251\344\270\255", "\303\251\344\270\255"},
	    {"a\302\255b", "a<00ad>b"},                                           /* soft hyphen */
	    {"a\342\200\213b", "a<200b>b"},                                       /* zero width space */
	    {"a\342\200\250b", "a<2028>b"},                                       /* line separator */
	    {"\363\240\201\201x", "<e0041>x"},                                    /* tag */
	    {"\357\267\220\357\277\277\364\217\277\277", "<fdd0><ffff><10ffff>"}, /* noncharacters */
	    {"\357\277\271x", "<fff9>x"},                                         /* interlinear annotation */
	    {"\342\232\240\357\270\217 ok", "\342\232\240\357\270\217 ok"},       /* the emoji style of a sign */
	    {"x\357\270\200", "x<fe00>"},                                         /* another variation selector */
	    {"x\357\270\217\357\270\217", "x\357\270\217<fe0f>"},                 /* one is enough */
	    {"e\314\201", "e\314\201"},                                           /* an accent on a letter */
	    {"\314\201e", "<0301>e"},                                             /* on what we wrote before */
	    {"e\314\201\314\201\314\201\314\201\314\201\314\201\314\201", "e\314\201\314\201\314\201\314\201\314\201\314\201<0301>"}, /* a pile */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b;
		buf_init(&b, 1000);
		assert_true(text_visible(&b, cases[i].in, strlen(cases[i].in), TEXT_KEEP_NOTHING));
		assert_string_equal(b.data, cases[i].out);
		buf_clear(&b);
	}
}

static void marks_do_not_reach_over_a_line_feed(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1000);
	text_visible(&b, "e\n\314\201\t\314\201", 7, TEXT_KEEP_NEWLINE | TEXT_KEEP_TAB);
	assert_string_equal(b.data, "e\n<0301>\t<0301>");
	buf_clear(&b);
}

static void json_keeps_the_text_and_shows_nothing_that_hides(void **state)
{
	(void)state;
	struct buf b;
	struct error e;
	buf_init(&b, 1000);
	json_t *v = json_pack("[s,s]", "\033\177\302\233\342\200\256\303\251", "\363\240\201\201\302\255");
	assert_true(json_inert(v, JSON_COMPACT, &b));
	assert_string_equal(b.data, "[\"\\u001B\\u007f\\u009b\\u202e\303\251\",\"\\udb40\\udc41\\u00ad\"]");
	json_t *again = json_parse(b.data, b.len, 3, &e);
	assert_true(json_equal(v, again));
	json_decref(v);
	json_decref(again);
	buf_clear(&b);
}

static void utf8_is_judged_strictly(void **state)
{
	(void)state;
	static const char *const bad[] = {"\300\200", "\355\240\200", "\364\220\200\200", "\342\202", "\200", "\370\210\200\200\200"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(text_is_utf8(bad[i], strlen(bad[i])));
	assert_true(text_is_utf8("\360\237\230\200 \342\202\254 \303\251", 11));
	assert_int_equal(text_columns("\360\237\230\200\344\270\255e\314\201", 10), 5);
}

static void text_is_cut_between_characters(void **state)
{
	(void)state;
	assert_int_equal(text_cut("a\303\251b", 4, 2), 1);
	assert_int_equal(text_cut("a\303\251b", 4, 3), 3);
	assert_int_equal(text_cut("abc", 3, 5), 3);
	struct error e;
	char *longer = mem_alloc(4001);
	for (int i = 0; i < 2000; i++) memcpy(longer + 2 * i, "\303\251", 2);
	longer[4000] = 0;
	error_set(&e, ERR_FAILED, "x%s", longer);
	assert_true(text_is_utf8(e.text, strlen(e.text)));
	error_set(&e, ERR_FAILED, "%s", longer);
	assert_true(text_is_utf8(e.text, strlen(e.text)));
	error_context(&e, "ab");
	assert_true(text_is_utf8(e.text, strlen(e.text)));
	assert_true(strlen(e.text) > 1000);
	free(longer);
}

static void slugs_are_githubs(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} cases[] = {{"Step 1: Look, then go!", "step-1-look-then-go"},
	             {"a_b  c", "a_b--c"},
	             {"\303\211tat", "\303\211tat"},
	             {"\346\255\245\351\252\244", "\346\255\245\351\252\244"}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b;
		buf_init(&b, 100);
		text_slug(&b, cases[i].in, strlen(cases[i].in));
		assert_string_equal(b.data, cases[i].out);
		buf_clear(&b);
	}
}

static void base64_and_hex_come_back_and_have_one_spelling(void **state)
{
	(void)state;
	unsigned char bytes[64], raw[4];
	for (int n = 0; n < 64; n++) {
		struct buf text, back;
		buf_init(&text, 200);
		buf_init(&back, 200);
		for (int i = 0; i < n; i++) bytes[i] = (unsigned char)(i * 37 + n);
		assert_true(encode_base64(&text, bytes, (size_t)n));
		assert_true(decode_base64(&back, text.data ? text.data : "", text.len));
		assert_int_equal(back.len, n);
		if (n) assert_memory_equal(back.data, bytes, (size_t)n);
		buf_clear(&text);
		buf_clear(&back);
	}
	static const char *const bad[] = {"QQ=", "QR==", "Q===", "QQ==QQ==", "Q*==", "QUI", "QUJ="};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct buf b;
		buf_init(&b, 100);
		assert_false(decode_base64(&b, bad[i], strlen(bad[i])));
		buf_clear(&b);
	}
	assert_true(decode_hex(raw, "00ff10ab", 4));
	assert_int_equal(raw[3], 0xab);
	assert_false(decode_hex(raw, "00FF10AB", 4));
	assert_false(decode_hex(raw, "00ff10abcd", 4));
	assert_false(decode_hex(raw, "00ff1", 4));
}

static void json_is_read_strictly_and_written_one_way(void **state)
{
	(void)state;
	struct error e;
	static const char *const bad[] = {"{\"a\":1,\"a\":2}", "[1] 2", "{", "\"\377\"", "[[[[[]]]]]", "nul"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_null(json_parse(bad[i], strlen(bad[i]), 4, &e));
	static const char text[] = "{\"b\": 1, \"a\": [1.5, \"\\u00e9\"]}";
	json_t *v = json_parse(text, sizeof text - 1, 4, &e);
	assert_non_null(v);
	struct buf b;
	buf_init(&b, 100);
	assert_true(json_canonical(v, &b));
	assert_string_equal(b.data, "{\"a\":[1.5,\"\303\251\"],\"b\":1}");
	assert_int_equal(json_depth(v), 2);
	json_decref(v);
	buf_clear(&b);
	v = json_bytes("\377\000x", 3);
	buf_init(&b, 10);
	assert_true(json_is_object(v) && json_bytes_get(v, &b));
	assert_int_equal(b.len, 3);
	json_decref(v);
	buf_clear(&b);
	v = json_text("a\377");
	assert_string_equal(json_string_value(v), "a<ff>");
	json_decref(v);
}

static void frames_come_out_of_any_cut_of_the_stream(void **state)
{
	(void)state;
	struct buf out;
	struct error e;
	buf_init(&out, 1 << 20);
	for (int i = 0; i < 50; i++) {
		json_t *head = json_pack("{s:i}", "n", i);
		assert_int_equal(frame_write(&out, head, "payload", (size_t)(i % 8)), ERR_OK);
		json_decref(head);
	}
	for (size_t cut = 1; cut < 40; cut++) {
		struct frame_reader r;
		struct frame f;
		int next = 0;
		frame_reader_init(&r, 1000, 1000);
		for (size_t at = 0; at < out.len; at += cut) {
			assert_int_equal(frame_reader_feed(&r, out.data + at, out.len - at < cut ? out.len - at : cut), ERR_OK);
			enum err err;
			while ((err = frame_reader_next(&r, &f, &e)) == ERR_OK) {
				assert_int_equal(json_int(f.head, "n", -1), next);
				assert_int_equal(f.payload_len, next % 8);
				next++;
			}
			assert_int_equal(err, ERR_WAITING);
		}
		assert_int_equal(next, 50);
		frame_reader_clear(&r);
	}
	buf_clear(&out);
}

static void a_frame_over_its_limit_loses_the_stream(void **state)
{
	(void)state;
	static const char big[] = {0, 0, 4, 0, 0, 0, 0, 0}, list[] = {0, 0, 0, 2, 0, 0, 0, 0, '[', ']'};
	struct frame_reader r;
	struct frame f;
	struct error e;
	frame_reader_init(&r, 1000, 1000);
	frame_reader_feed(&r, big, sizeof big);
	assert_int_equal(frame_reader_next(&r, &f, &e), ERR_PROTOCOL);
	frame_reader_clear(&r);
	frame_reader_init(&r, 1000, 1000);
	frame_reader_feed(&r, list, sizeof list);
	assert_int_equal(frame_reader_next(&r, &f, &e), ERR_PROTOCOL);
	frame_reader_clear(&r);
}

static void times_and_durations(void **state)
{
	(void)state;
	char text[CLOCK_RFC3339_BYTES];
	int64_t us;
	clock_rfc3339(text, INT64_C(1795388401000001));
	assert_string_equal(text, "2026-11-22T23:00:01.000001Z");
	assert_true(clock_parse_rfc3339(text, &us));
	assert_int_equal(us, INT64_C(1795388401000001));
	static const char *const bad[] = {"2026-11-22T23:00:01Z", "2026-13-22T23:00:01.000001Z", "2026-02-30T23:00:01.000001Z", "2026-11-22 23:00:01.000001Z",
	                                  ""};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(clock_parse_rfc3339(bad[i], &us));
	assert_true(clock_parse_date("2024-02-29", &us));
	assert_false(clock_parse_date("2023-02-29", &us));
	static const struct {
		const char *text;
		int64_t us;
	} durations[] = {{"250ms", 250000}, {"90s", 90000000}, {"1h30m", INT64_C(5400000000)}, {"2d", INT64_C(172800000000)}, {"1.5s", 1500000}};
	struct error e;
	for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
		assert_int_equal(clock_parse_duration(durations[i].text, &us, &e), ERR_OK);
		assert_int_equal(us, durations[i].us);
	}
	static const char *const no[] = {"", "5", "m", "-5s", "5 s", "5x", "9999999d", "1e300s"};
	for (size_t i = 0; i < sizeof no / sizeof *no; i++) assert_int_equal(clock_parse_duration(no[i], &us, &e), ERR_INVALID);
}

static void ulids_sort_by_time(void **state)
{
	(void)state;
	static const unsigned char random[10] = {255, 1, 2, 3, 4, 5, 6, 7, 8, 9};
	char a[ULID_BYTES], b[ULID_BYTES];
	ulid_make(a, 1000000, random);
	ulid_make(b, 2000000, random);
	assert_true(strcmp(a, b) < 0);
	assert_true(ulid_is_valid(a));
	assert_false(ulid_is_valid("01ARZ3NDEKTSV4RRFFQ69G5FAU1"));
	assert_false(ulid_is_valid("81ARZ3NDEKTSV4RRFFQ69G5FAV"));
	assert_false(ulid_is_valid("01arz3ndektsv4rrffq69g5fav"));
}

static void digests_are_the_published_ones(void **state)
{
	(void)state;
	char hex[DIGEST_HEX_BYTES];
	unsigned char raw[DIGEST_BYTES], again[DIGEST_BYTES];
	digest_sha256_hex(hex, "abc", 3);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	struct digest *d = digest_new();
	digest_add(d, "a", 1);
	digest_add(d, "bc", 2);
	digest_finish(d, raw);
	digest_sha256(again, "abc", 3);
	assert_memory_equal(raw, again, DIGEST_BYTES);
	/* RFC 4231, test case 2 */
	digest_hmac(raw, "Jefe", 4, "what do ya want for nothing?", 28);
	assert_int_equal(raw[0], 0x5b);
	assert_int_equal(raw[31], 0x43);
}

static void files_are_written_whole_and_read_to_a_limit(void **state)
{
	(void)state;
	char folder[] = "/tmp/rung-base-XXXXXX";
	struct error e;
	struct buf b;
	assert_non_null(mkdtemp(folder));
	char *deep = mem_printf("%s/a/b", folder), *path = mem_printf("%s/f", deep), *middle = mem_printf("%s/a", folder);
	assert_int_equal(fs_mkdirs(deep, 0700, &e), ERR_OK);
	assert_int_equal(fs_mkdirs(deep, 0700, &e), ERR_OK);
	assert_int_equal(fs_write_atomic(path, "hello", 5, 0600, &e), ERR_OK);
	assert_int_equal(fs_write_atomic(path, "world!", 6, 0600, &e), ERR_OK);
	buf_init(&b, 6);
	assert_int_equal(fs_read(path, &b, &e), ERR_OK);
	assert_string_equal(b.data, "world!");
	buf_clear(&b);
	buf_init(&b, 5);
	assert_int_equal(fs_read(path, &b, &e), ERR_TOO_BIG);
	assert_int_equal(fs_read(deep, &b, &e), ERR_INVALID);
	buf_clear(&b);
	unlink(path);
	assert_int_equal(fs_read(path, &b, &e), ERR_NOT_FOUND);
	assert_non_null(strstr(e.text, path));
	rmdir(deep);
	rmdir(middle);
	rmdir(folder);
	free(deep);
	free(path);
	free(middle);
}

static void every_kind_of_error_has_its_row(void **state)
{
	(void)state;
	for (int i = 0; i < ERR_N; i++) {
		assert_non_null(err_info((enum err)i)->name);
		assert_int_equal(err_from_name(err_info((enum err)i)->name), i);
	}
	assert_int_equal(err_info(ERR_DENIED)->exit_status, 4);
	assert_int_equal(err_info(ERR_VERIFY)->exit_status, 7);
	assert_int_equal(err_from_name("nonsense"), ERR_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_buffer_with_room_does_not_move),
	    cmocka_unit_test(a_buffer_leaves_out_whole_what_does_not_fit),
	    cmocka_unit_test(an_arena_gives_zeroed_memory_and_grows_arrays),
	    cmocka_unit_test(what_could_steer_a_terminal_is_made_visible),
	    cmocka_unit_test(marks_do_not_reach_over_a_line_feed),
	    cmocka_unit_test(json_keeps_the_text_and_shows_nothing_that_hides),
	    cmocka_unit_test(utf8_is_judged_strictly),
	    cmocka_unit_test(text_is_cut_between_characters),
	    cmocka_unit_test(slugs_are_githubs),
	    cmocka_unit_test(base64_and_hex_come_back_and_have_one_spelling),
	    cmocka_unit_test(json_is_read_strictly_and_written_one_way),
	    cmocka_unit_test(frames_come_out_of_any_cut_of_the_stream),
	    cmocka_unit_test(a_frame_over_its_limit_loses_the_stream),
	    cmocka_unit_test(times_and_durations),
	    cmocka_unit_test(ulids_sort_by_time),
	    cmocka_unit_test(digests_are_the_published_ones),
	    cmocka_unit_test(files_are_written_whole_and_read_to_a_limit),
	    cmocka_unit_test(every_kind_of_error_has_its_row),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
