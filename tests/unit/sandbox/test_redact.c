/* Secrets in what commands print: taken out in every form, wherever the stream is cut, and nothing else with them. */
#include "base/arena.h"
#include "base/encode.h"
#include "base/error.h"
#include "sandbox/redact.h"
#include "sandbox/redact_forms.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { OUT_BYTES = 64 << 20 };

/* ---- encoders of the test's own ---- */

typedef void encode(struct buf *out, const char *value, size_t n);

static void as_plain(struct buf *out, const char *v, size_t n)
{
	buf_add(out, v, n);
}

static void hex(struct buf *out, const char *v, size_t n, const char *format)
{
	for (size_t i = 0; i < n; i++) buf_printf(out, format, (unsigned char)v[i]);
}

static void as_hex_lower(struct buf *out, const char *v, size_t n)
{
	hex(out, v, n, "%02x");
}

static void as_hex_upper(struct buf *out, const char *v, size_t n)
{
	hex(out, v, n, "%02X");
}

static void as_hex_spaced(struct buf *out, const char *v, size_t n)
{
	for (size_t i = 0; i < n; i++) buf_printf(out, i % 16 == 15 ? "%02x\n" : "%02x ", (unsigned char)v[i]);
}

static void as_hex_colons(struct buf *out, const char *v, size_t n)
{
	for (size_t i = 0; i < n; i++) buf_printf(out, i ? ":%02X" : "%02X", (unsigned char)v[i]);
}

static void url(struct buf *out, const char *v, size_t n, const char *format, const char *kept)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] && strchr(kept, v[i]))
			buf_char(out, v[i]);
		else
			buf_printf(out, format, (unsigned char)v[i]);
}

#define UNRESERVED "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"

static void as_url_minimal(struct buf *out, const char *v, size_t n)
{
	url(out, v, n, "%%%02X", UNRESERVED "!$&'()*+,;=:@/?");
}

static void as_url_component(struct buf *out, const char *v, size_t n)
{
	url(out, v, n, "%%%02x", UNRESERVED);
}

static void as_url_full(struct buf *out, const char *v, size_t n)
{
	url(out, v, n, "%%%02X", "");
}

static void as_url_form(struct buf *out, const char *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == ' ')
			buf_char(out, '+');
		else
			url(out, v + i, 1, "%%%02X", UNRESERVED);
}

static void json_form(struct buf *out, const char *v, size_t n, size_t flags)
{
	json_t *s = json_stringn(v, n);
	if (!s) return as_plain(out, v, n); /* not UTF-8: no JSON */
	char *text = json_dumps(s, JSON_ENCODE_ANY | flags);
	buf_add(out, text, strlen(text));
	free(text);
	json_decref(s);
}

static void as_json(struct buf *out, const char *v, size_t n)
{
	json_form(out, v, n, 0);
}

static void as_json_ascii(struct buf *out, const char *v, size_t n)
{
	json_form(out, v, n, JSON_ENSURE_ASCII);
}

static void as_json_slashes(struct buf *out, const char *v, size_t n)
{
	json_form(out, v, n, JSON_ESCAPE_SLASH | JSON_ENSURE_ASCII);
}

static void as_json_all(struct buf *out, const char *v, size_t n)
{
	hex(out, v, n, "\\u%04x");
}

static void quoted(struct buf *out, const char *v, size_t n, const char *quote)
{
	buf_char(out, '\'');
	for (size_t i = 0; i < n; i++)
		if (v[i] == '\'')
			buf_str(out, quote);
		else
			buf_char(out, v[i]);
	buf_char(out, '\'');
}

static void as_shell_single(struct buf *out, const char *v, size_t n)
{
	quoted(out, v, n, "'\\''");
}

static void as_shell_python(struct buf *out, const char *v, size_t n)
{
	quoted(out, v, n, "'\"'\"'");
}

static void as_shell_double(struct buf *out, const char *v, size_t n)
{
	buf_char(out, '"');
	for (size_t i = 0; i < n; i++) {
		if (v[i] && strchr("$`\"\\!", v[i])) buf_char(out, '\\');
		buf_char(out, v[i]);
	}
	buf_char(out, '"');
}

static void as_shell_backslashes(struct buf *out, const char *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!v[i] || !strchr(UNRESERVED "/", v[i])) buf_char(out, '\\');
		buf_char(out, v[i]);
	}
}

static void as_shell_ansi(struct buf *out, const char *v, size_t n)
{
	buf_str(out, "$'");
	for (size_t i = 0; i < n; i++)
		if (v[i] == '\n')
			buf_str(out, "\\n");
		else if (v[i] == '\'' || v[i] == '\\')
			buf_char(out, '\\'), buf_char(out, v[i]);
		else if ((unsigned char)v[i] < 0x20 || (unsigned char)v[i] > 0x7e)
			buf_printf(out, "\\%03o", (unsigned char)v[i]);
		else
			buf_char(out, v[i]);
	buf_char(out, '\'');
}

static void as_crlf(struct buf *out, const char *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i] == '\n') buf_char(out, '\r');
		buf_char(out, v[i]);
	}
}

/* base64 of before + value + after; the characters that hold anything of the neighbours are not the value's alone. */
static void base64(struct buf *out, const char *v, size_t n, const char *before, bool is_url, size_t width)
{
	struct buf raw, text;
	buf_init(&raw, OUT_BYTES);
	buf_init(&text, OUT_BYTES);
	buf_str(&raw, before);
	buf_add(&raw, v, n);
	buf_str(&raw, "\x5a\xa5");
	encode_base64(&text, raw.data, raw.len);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (is_url) c = c == '+' ? '-' : c == '/' ? '_' : c;
		buf_char(out, c);
		if (width && i % width == width - 1) buf_char(out, '\n');
	}
	buf_clear(&raw);
	buf_clear(&text);
}

static void as_base64_0(struct buf *out, const char *v, size_t n)
{
	base64(out, v, n, "", false, 0);
}

static void as_base64_1(struct buf *out, const char *v, size_t n)
{
	base64(out, v, n, "\xff", false, 0);
}

static void as_base64_2(struct buf *out, const char *v, size_t n)
{
	base64(out, v, n, "\xff\x01", false, 0);
}

static void as_base64_url_0(struct buf *out, const char *v, size_t n)
{
	base64(out, v, n, "user:x", true, 0);
}

static void as_base64_url_1(struct buf *out, const char *v, size_t n)
{
	base64(out, v, n, "root", true, 0);
}

static void as_base64_url_2(struct buf *out, const char *v, size_t n)
{
	base64(out, v, n, "admin", true, 0);
}

static void as_base64_lines(struct buf *out, const char *v, size_t n)
{
	base64(out, v, n, "u:", false, 19);
}

static void as_base64_in_url(struct buf *out, const char *v, size_t n)
{
	struct buf b;
	buf_init(&b, OUT_BYTES);
	base64(&b, v, n, "", false, 0);
	url(out, b.data, b.len, "%%%02X", UNRESERVED);
	buf_clear(&b);
}

/* needs: the forms without any of which something of this text stays. */
static const struct {
	const char *name;
	encode *make;
	int needs;
	bool is_base64;
} encoders[] = {
    {"plain", as_plain, FORM_PLAIN, false},
    {"hex, lower", as_hex_lower, FORM_HEX_LOWER, false},
    {"hex, upper", as_hex_upper, FORM_HEX_UPPER, false},
    {"hex with spaces", as_hex_spaced, FORM_HEX_LOWER | FORM_LINES, false},
    {"hex with colons", as_hex_colons, FORM_HEX_UPPER | FORM_LINES, false},
    {"url, minimal", as_url_minimal, FORM_URL, false},
    {"url, component", as_url_component, FORM_URL, false},
    {"url, full", as_url_full, FORM_URL, false},
    {"url, form", as_url_form, FORM_URL, false},
    {"json", as_json, FORM_JSON, false},
    {"json, ascii", as_json_ascii, FORM_JSON, false},
    {"json, slashes", as_json_slashes, FORM_JSON, false},
    {"json, all \\u", as_json_all, FORM_JSON, false},
    {"shell, single quotes", as_shell_single, FORM_SHELL, false},
    {"shell, python", as_shell_python, FORM_SHELL, false},
    {"shell, double quotes", as_shell_double, FORM_SHELL, false},
    {"shell, backslashes", as_shell_backslashes, FORM_SHELL, false},
    {"shell, $''", as_shell_ansi, FORM_SHELL, false},
    {"crlf", as_crlf, FORM_LINES, false},
    {"base64 at 0", as_base64_0, FORM_BASE64, true},
    {"base64 at 1", as_base64_1, FORM_BASE64, true},
    {"base64 at 2", as_base64_2, FORM_BASE64, true},
    {"base64url at 0", as_base64_url_0, FORM_BASE64_URL, true},
    {"base64url at 1", as_base64_url_1, FORM_BASE64_URL, true},
    {"base64url at 2", as_base64_url_2, FORM_BASE64_URL, true},
    {"base64 in lines", as_base64_lines, FORM_BASE64 | FORM_LINES, true},
    {"base64 in a url", as_base64_in_url, FORM_BASE64, true},
};

enum { ENCODERS = sizeof encoders / sizeof *encoders };

/* One that each form changes: a space, quotes, a slash, a control character, characters of two and four bytes, a newline, bits that make + and / in base64. */
#define ODD "p\xc3\xa9 \"k>?\xfb/'$\\\x1b~\n\xf0\x9f\x98\x80>>>???"
#define ODD_UTF8 "p\xc3\xa9 \"k>?/'$\\\x1b~\n\xf0\x9f\x98\x80>>>???~~~"

static const char *const values[] = {"hunter22",
                                     "correct horse battery staple",
                                     "Tr0ub4dor&3/+=",
                                     ODD_UTF8,
                                     ODD,
                                     "\xff\xfe\xfd\xfb\xef\xbf\xff\xfe\x01",
                                     "-----BEGIN KEY-----\nMIIBVAIBADANBgkqhkiG9w0BAQEFAASCAT4wggE6AgEAAkEAuZ\n-----END KEY-----"};

enum { VALUES = sizeof values / sizeof *values };

/* ---- streams ---- */

/* The text through a stream, in pieces of first bytes and then of the rest, or all of one byte where first is SIZE_MAX. */
static void through(struct redactor *r, const struct buf *text, size_t first, struct buf *out)
{
	struct redact_stream s;
	buf_reset(out);
	redact_begin(&s, r);
	if (first == SIZE_MAX) {
		for (size_t i = 0; i < text->len; i++) redact_feed(&s, text->data + i, 1, out);
	} else {
		redact_feed(&s, text->data, first, out);
		redact_feed(&s, text->data + first, text->len - first, out);
	}
	redact_end(&s, out);
	redact_clear(&s);
}

static bool contains(const struct buf *b, const char *what, size_t n)
{
	return b->len >= n && memmem(b->data, b->len, what, n) != NULL;
}

/* How many characters of the text's middle came through: of base64, those at its ends are shared with the neighbours. */
static bool leaks(const struct buf *encoded, bool is_base64, const struct buf *out)
{
	size_t margin = is_base64 ? 6 : 0;
	for (size_t at = margin; at + 6 + margin <= encoded->len; at++)
		if (contains(out, encoded->data + at, 6)) return true;
	return false;
}

static void test_each_form_at_each_split(void **state)
{
	(void)state;
	struct buf text, encoded, whole, out;
	buf_init(&text, OUT_BYTES), buf_init(&encoded, OUT_BYTES), buf_init(&whole, OUT_BYTES), buf_init(&out, OUT_BYTES);
	for (size_t v = 0; v < VALUES; v++) {
		struct redactor *r = redactor_new(FORM_ALL);
		assert_true(redactor_add(r, "db", values[v], strlen(values[v])));
		for (size_t f = 0; f < ENCODERS; f++) {
			buf_reset(&encoded), buf_reset(&text);
			encoders[f].make(&encoded, values[v], strlen(values[v]));
			buf_str(&text, "before ");
			buf_add(&text, encoded.data, encoded.len);
			buf_str(&text, " after");
			through(r, &text, 0, &whole);
			if (leaks(&encoded, encoders[f].is_base64, &whole)) fail_msg("value %zu, %s: %s", v, encoders[f].name, whole.data);
			assert_non_null(strstr(whole.data, "[secret db]"));
			assert_memory_equal(whole.data, "before ", 7);
			assert_string_equal(whole.data + whole.len - 6, " after");
			for (size_t split = 0; split <= text.len; split++) {
				through(r, &text, split < text.len ? split : SIZE_MAX, &out);
				if (out.len != whole.len || memcmp(out.data, whole.data, out.len) != 0)
					fail_msg("value %zu, %s, cut at %zu: %s, not %s", v, encoders[f].name, split, out.data, whole.data);
			}
		}
		redactor_free(r);
	}
	buf_clear(&text), buf_clear(&encoded), buf_clear(&whole), buf_clear(&out);
}

/* The test above is red without any one of the forms: a redactor that lacks it lets something through. */
static void test_no_form_can_be_left_out(void **state)
{
	(void)state;
	struct buf encoded, out;
	buf_init(&encoded, OUT_BYTES), buf_init(&out, OUT_BYTES);
	for (int form = 1; form < FORM_ALL; form <<= 1) {
		size_t found = 0;
		for (size_t v = 0; v < VALUES; v++) {
			struct redactor *r = redactor_new(FORM_ALL & ~form);
			redactor_add(r, "db", values[v], strlen(values[v]));
			for (size_t f = 0; f < ENCODERS; f++) {
				if (!(encoders[f].needs & form)) continue;
				buf_reset(&encoded);
				encoders[f].make(&encoded, values[v], strlen(values[v]));
				through(r, &encoded, 0, &out);
				found += leaks(&encoded, encoders[f].is_base64, &out);
			}
			redactor_free(r);
		}
		if (!found) fail_msg("without form %d nothing is missed: it is not needed, or not tested", form);
	}
	buf_clear(&encoded), buf_clear(&out);
}

/* ---- many secrets ---- */

static uint64_t seed = 20261122;

static unsigned random_below(unsigned n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(seed >> 33) % n;
}

enum { CANARIES = 100, CANARY_BYTES = 24 };

static void make_canary(char *out, size_t i)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 '\"\\/+&%$\n\t<>";
	size_t n = (size_t)snprintf(out, CANARY_BYTES + 1, "canary%03zu", i);
	while (n < CANARY_BYTES) out[n++] = letters[random_below(sizeof letters - 1)];
	out[n] = 0;
}

static void test_a_hundred_canaries_in_one_stream(void **state)
{
	(void)state;
	static char canaries[CANARIES][CANARY_BYTES + 1];
	struct redactor *r = redactor_new(FORM_ALL);
	struct buf text, encoded, whole, out;
	buf_init(&text, OUT_BYTES), buf_init(&encoded, OUT_BYTES), buf_init(&whole, OUT_BYTES), buf_init(&out, OUT_BYTES);
	for (size_t i = 0; i < CANARIES; i++) {
		char name[32];
		make_canary(canaries[i], i);
		snprintf(name, sizeof name, "c%zu", i);
		assert_true(redactor_add(r, name, canaries[i], CANARY_BYTES));
		encoders[i % ENCODERS].make(&text, canaries[i], CANARY_BYTES);
		buf_str(&text, i % 3 ? " " : "\n");
	}
	through(r, &text, 0, &whole);
	for (size_t i = 0; i < CANARIES; i++)
		for (size_t f = 0; f < ENCODERS; f++) {
			buf_reset(&encoded);
			encoders[f].make(&encoded, canaries[i], CANARY_BYTES);
			if (leaks(&encoded, encoders[f].is_base64, &whole)) fail_msg("canary %zu as %s", i, encoders[f].name);
		}
	for (size_t split = 0; split <= text.len; split++) {
		through(r, &text, split < text.len ? split : SIZE_MAX, &out);
		assert_int_equal(out.len, whole.len);
		assert_memory_equal(out.data, whole.data, out.len);
	}
	redactor_free(r);
	buf_clear(&text), buf_clear(&encoded), buf_clear(&whole), buf_clear(&out);
}

/* A mark for each byte of the text that any plain occurrence covers: the slow way. */
static void reference(const struct buf *text, const char *const *secrets, size_t count, struct buf *out)
{
	unsigned char *is_covered = mem_zero(text->len + 1);
	for (size_t i = 0; i < count; i++)
		for (size_t at = 0, n = strlen(secrets[i]); at + n <= text->len; at++)
			if (memcmp(text->data + at, secrets[i], n) == 0) memset(is_covered + at, 1, n);
	buf_reset(out);
	for (size_t at = 0; at < text->len; at++)
		if (!is_covered[at]) buf_char(out, text->data[at]);
	free(is_covered);
}

/* Values of two letters overlap themselves and each other in every way; what is left beside the markers is what no occurrence covers. */
static void test_overlaps_against_the_slow_way(void **state)
{
	(void)state;
	struct buf text, out, plain, expected;
	buf_init(&text, OUT_BYTES), buf_init(&out, OUT_BYTES), buf_init(&plain, OUT_BYTES), buf_init(&expected, OUT_BYTES);
	for (int round = 0; round < 300; round++) {
		char made[4][16];
		const char *secrets[4];
		struct redactor *r = redactor_new(FORM_PLAIN);
		for (int i = 0; i < 4; i++) {
			size_t n = 8 + random_below(5);
			for (size_t k = 0; k < n; k++) made[i][k] = random_below(4) ? 'a' : 'b';
			made[i][n] = 0;
			secrets[i] = made[i];
			redactor_add(r, "S", made[i], n);
		}
		buf_reset(&text);
		for (int i = 0; i < 400; i++) buf_char(&text, random_below(5) ? 'a' : 'b');
		reference(&text, secrets, 4, &expected);
		through(r, &text, random_below(400), &out);
		buf_reset(&plain);
		for (size_t i = 0; i < out.len; i++)
			if (out.data[i] == 'a' || out.data[i] == 'b') buf_char(&plain, out.data[i]);
		/* The markers' own letters are none of the two. */
		assert_string_equal(plain.data ? plain.data : "", expected.data ? expected.data : "");
		redactor_free(r);
	}
	buf_clear(&text), buf_clear(&out), buf_clear(&plain), buf_clear(&expected);
}

static void expect_text(struct redactor *r, const char *in, const char *wanted)
{
	struct buf text, out;
	buf_init(&text, OUT_BYTES), buf_init(&out, OUT_BYTES);
	buf_str(&text, in);
	for (size_t split = 0; split <= text.len; split++) {
		through(r, &text, split, &out);
		assert_string_equal(out.data, wanted);
	}
	buf_clear(&text), buf_clear(&out);
}

static void test_one_inside_another(void **state)
{
	(void)state;
	struct redactor *r = redactor_new(FORM_ALL);
	redactor_add(r, "short", "password", 8);
	redactor_add(r, "long", "my-password-is-long", 19);
	redactor_add(r, "longer", "password-is-not", 15);
	expect_text(r, "my-password-is-long!", "[secret long]!");
	expect_text(r, "my-password-is-short!", "my-[secret short]-is-short!");
	expect_text(r, "passwordpassword", "[secret short][secret short]");
	expect_text(r, "my-password-is-not!", "my-[secret longer]!");
	expect_text(r, "passwor", "passwor");
	redactor_free(r);
}

/* ---- what is held back ---- */

static void test_output_is_not_delayed(void **state)
{
	(void)state;
	struct redactor *r = redactor_new(FORM_ALL);
	struct redact_stream s;
	struct buf out;
	buf_init(&out, OUT_BYTES);
	redactor_add(r, "db", "hunter22", 8);
	redact_begin(&s, r);
	assert_false(redact_feed(&s, "a line\n", 7, &out));
	assert_string_equal(out.data, "a line\n");
	assert_false(redact_feed(&s, "Password: hunt", 14, &out));
	assert_string_equal(out.data, "a line\nPassword: ");
	assert_false(redact_feed(&s, "!", 1, &out));
	assert_string_equal(out.data, "a line\nPassword: hunt!");
	assert_false(redact_feed(&s, "hunter2", 7, &out));
	assert_true(redact_feed(&s, "2", 1, &out));
	assert_string_equal(out.data, "a line\nPassword: hunt![secret db]");
	assert_false(redact_feed(&s, "hunt", 4, &out));
	assert_false(redact_end(&s, &out));
	assert_string_equal(out.data, "a line\nPassword: hunt![secret db]hunt");
	redact_clear(&s);
	redactor_free(r);
	buf_clear(&out);
}

static void test_a_secret_that_comes_later(void **state)
{
	(void)state;
	struct redactor *r = redactor_new(FORM_ALL);
	struct redact_stream s;
	struct buf out;
	buf_init(&out, OUT_BYTES);
	redact_begin(&s, r);
	redact_feed(&s, "hunter22 ", 9, &out);
	redactor_add(r, "first", "correct horse", 13);
	redact_feed(&s, "hunter22 corr", 13, &out);
	redactor_add(r, "second", "hunter22", 8);
	redact_feed(&s, "ect horse hunter22", 18, &out);
	redact_end(&s, &out);
	assert_string_equal(out.data, "hunter22 hunter22 [secret first] [secret second]");
	redact_clear(&s);
	redactor_free(r);
	buf_clear(&out);
}

/* The longest value, in its longest form, and text that makes ever new states beside it: what is kept stays bounded, nothing comes through. */
static void test_the_longest_value(void **state)
{
	(void)state;
	struct redactor *r = redactor_new(FORM_ALL);
	char *value = mem_alloc(REDACT_VALUE_BYTES_MAX);
	struct buf text, out;
	buf_init(&text, OUT_BYTES), buf_init(&out, OUT_BYTES);
	for (size_t i = 0; i < REDACT_VALUE_BYTES_MAX; i++) value[i] = (char)random_below(256);
	assert_true(redactor_add(r, "big", value, REDACT_VALUE_BYTES_MAX));
	buf_str(&text, "<");
	as_json_all(&text, value, REDACT_VALUE_BYTES_MAX);
	buf_str(&text, "><");
	as_plain(&text, value, REDACT_VALUE_BYTES_MAX);
	buf_str(&text, "><");
	as_hex_colons(&text, value, REDACT_VALUE_BYTES_MAX);
	buf_str(&text, ">");
	through(r, &text, 1000, &out);
	assert_string_equal(out.data, "<[secret big]><[secret big]><[secret big]>");
	free(value);
	redactor_free(r);
	buf_clear(&text), buf_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_form_at_each_split),
	    cmocka_unit_test(test_no_form_can_be_left_out),
	    cmocka_unit_test(test_a_hundred_canaries_in_one_stream),
	    cmocka_unit_test(test_overlaps_against_the_slow_way),
	    cmocka_unit_test(test_one_inside_another),
	    cmocka_unit_test(test_output_is_not_delayed),
	    cmocka_unit_test(test_a_secret_that_comes_later),
	    cmocka_unit_test(test_the_longest_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
