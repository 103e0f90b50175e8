#include "sandbox/redact_forms.h"
#include "base/error.h"
#include "base/text.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct ways {
	struct redact_way *out;
	size_t count;
};

static void add(struct ways *w, size_t advance, bool is_any_case, const char *text, size_t len)
{
	must(w->count < REDACT_WAYS_MAX && len <= sizeof w->out->text);
	struct redact_way *way = &w->out[w->count++];
	memcpy(way->text, text, len);
	way->len = (unsigned char)len;
	way->advance = (unsigned char)advance;
	way->is_any_case = is_any_case;
}

static void add_text(struct ways *w, size_t advance, const char *text)
{
	add(w, advance, false, text, strlen(text));
}

static void add_hex(struct ways *w, const char *format, unsigned value)
{
	char text[16];
	add(w, 1, true, text, (size_t)snprintf(text, sizeof text, format, value));
}

/* ---- text: plain, URL, JSON and shell, which may be mixed ---- */

const char redact_escapes[] = "%+\\'\r";

/* The letter after a backslash that stands for a control character, or 0. */
static char letter_of(unsigned char c, const char *pairs)
{
	for (; *pairs; pairs += 2)
		if ((unsigned char)pairs[0] == c) return pairs[1];
	return 0;
}

/* The whole character at the start of p as \uXXXX, above U+FFFF as two. */
static void add_code_point(struct ways *w, const unsigned char *p, size_t n)
{
	uint32_t code;
	char text[16];
	size_t len = text_decode((const char *)p, (const char *)p + n, &code);
	if (len < 2) return;
	int written = code < 0x10000 ? snprintf(text, sizeof text, "\\u%04x", (unsigned)code)
	                             : snprintf(text, sizeof text, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (code >> 10)), (unsigned)(0xdc00 + (code & 0x3ff)));
	add(w, len, true, text, (size_t)written);
}

static void add_json(struct ways *w, const unsigned char *p, size_t n)
{
	char letter = letter_of(*p, "\bb\ff\nn\rr\tt\"\"\\\\//");
	if (letter) add(w, 1, false, (char[]){'\\', letter}, 2);
	add_hex(w, "\\u%04x", *p);
	add_code_point(w, p, n);
}

static void add_shell(struct ways *w, unsigned char c)
{
	char letter = letter_of(c, "\aa\bb\033e\ff\nn\rr\tt\vv"), octal[8];
	if (letter) add(w, 1, false, (char[]){'\\', letter}, 2);
	if (c == 033) add_text(w, 1, "\\E");
	if (!isalnum(c)) add(w, 1, false, (char[]){'\\', (char)c}, 2);
	if (c == '\'') add_text(w, 1, "'\\''"), add_text(w, 1, "'\"'\"'");
	add_hex(w, "\\x%02x", c);
	add(w, 1, false, octal, (size_t)snprintf(octal, sizeof octal, "\\%03o", c));
}

static void ways_of_text(struct ways *w, const unsigned char *p, size_t n, int forms)
{
	if (forms & FORM_PLAIN) add(w, 1, false, (const char *)p, 1);
	if ((forms & FORM_URL) && *p == ' ') add_text(w, 1, "+");
	if (forms & FORM_URL) add_hex(w, "%%%02x", *p);
	if (forms & FORM_JSON) add_json(w, p, n);
	if (forms & FORM_SHELL) add_shell(w, *p);
	if ((forms & FORM_LINES) && *p == '\n') add_text(w, 1, "\r\n");
}

/* ---- hex ---- */

static void ways_of_hex(struct ways *w, unsigned char c, int forms, bool may_break)
{
	static const char *const between[] = {" ", ":", "\n", "\r\n"};
	bool lower = forms & FORM_HEX_LOWER, upper = forms & FORM_HEX_UPPER;
	const char *digits = lower ? "0123456789abcdef" : "0123456789ABCDEF";
	if (lower || upper) add(w, 1, lower && upper, (char[]){digits[c >> 4], digits[c & 15]}, 2);
	for (size_t i = 0; i < sizeof between / sizeof *between && may_break && (forms & FORM_LINES); i++) add_text(w, 0, between[i]);
}

/* ---- base64 ---- */

/* Where the first character that the value alone decides begins, in bits of the value. */
static size_t first_bit(enum redact_encoding encoding)
{
	static const unsigned char at[] = {0, 4, 2};
	return at[encoding - ENCODING_BASE64_AT_0];
}

static unsigned six_bits(const unsigned char *value, size_t n, size_t bit)
{
	size_t byte = bit / 8;
	unsigned pair = (unsigned)value[byte] << 8 | (byte + 1 < n ? value[byte + 1] : 0);
	return pair >> (10 - bit % 8) & 63;
}

static void ways_of_base64(struct ways *w, unsigned six, int forms, bool may_break)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char *const between[] = {"\n", "\r\n", "\\n"};
	if (!(forms & (FORM_BASE64 | FORM_BASE64_URL))) return;
	if (six < 62) {
		add(w, 1, false, &alphabet[six], 1);
	} else {
		if (forms & FORM_BASE64_URL) add_text(w, 1, six == 62 ? "-" : "_");
		if (forms & FORM_BASE64) add(w, 1, false, &alphabet[six], 1), add(w, 1, true, six == 62 ? "%2b" : "%2f", 3);
		if ((forms & FORM_BASE64) && six == 63) add_text(w, 1, "\\/");
	}
	for (size_t i = 0; i < sizeof between / sizeof *between && may_break && (forms & FORM_LINES); i++) add_text(w, 0, between[i]);
}

size_t redact_units(enum redact_encoding encoding, size_t n)
{
	return encoding < ENCODING_BASE64_AT_0 ? n : (8 * n - first_bit(encoding)) / 6;
}

size_t redact_ways(const unsigned char *value, size_t n, enum redact_encoding encoding, size_t unit, int forms, bool may_break,
                   struct redact_way out[REDACT_WAYS_MAX])
{
	struct ways w = {.out = out};
	if (encoding == ENCODING_TEXT)
		ways_of_text(&w, value + unit, n - unit, forms);
	else if (encoding == ENCODING_HEX)
		ways_of_hex(&w, value[unit], forms, may_break);
	else
		ways_of_base64(&w, six_bits(value, n, first_bit(encoding) + 6 * unit), forms, may_break);
	return w.count;
}
