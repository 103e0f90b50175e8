#ifndef RUNG_SANDBOX_REDACT_FORMS_H
#define RUNG_SANDBOX_REDACT_FORMS_H

#include <stdbool.h>
#include <stddef.h>

/* The forms in which a value may be printed, as small machines: an encoding has units, one after another, and each unit can be written in several ways.
 * Nothing is spelled out in advance, so that a value of 64 KiB costs no more than itself and ways may be mixed within one value. */

/* A group of ways; bits, so that a test can leave one out and see what it was for. */
enum redact_form {
	FORM_PLAIN = 1 << 0,
	FORM_URL = 1 << 1,       /* %41, either case, of any byte or only of some; + for a space */
	FORM_JSON = 1 << 2,      /* \n, \", \/, \u00e9, \ud83d\ude00 */
	FORM_SHELL = 1 << 3,     /* \$ and any other character after a backslash; '\'' and '"'"' in single quotes; \x41, \101, \e as in $'...' */
	FORM_LINES = 1 << 4,     /* a carriage return before a newline; base64 and hex broken into lines */
	FORM_HEX_LOWER = 1 << 5, /* together, bytes may have a space, a colon or a line's end between them */
	FORM_HEX_UPPER = 1 << 6,
	FORM_BASE64 = 1 << 7,     /* at any of the three places in which a value can begin within a group of three bytes; + and / may be %2B, %2F or \/ */
	FORM_BASE64_URL = 1 << 8, /* the alphabet with - and _ */
	FORM_ALL = (1 << 9) - 1
};

enum redact_encoding { ENCODING_TEXT, ENCODING_HEX, ENCODING_BASE64_AT_0, ENCODING_BASE64_AT_1, ENCODING_BASE64_AT_2, ENCODING_N };

/* One way to write a unit. */
struct redact_way {
	char text[12];
	unsigned char len;
	unsigned char advance; /* units that it stands for; 0: something between two units */
	bool is_any_case;      /* letters of hex digits in either case */
};

enum { REDACT_WAYS_MAX = 24 };

/* What a way of ENCODING_TEXT other than the plain one can begin with. */
extern const char redact_escapes[];

/* How many units n bytes have in an encoding: a match is complete after the last one. Of base64 the characters that the value alone decides. */
size_t redact_units(enum redact_encoding encoding, size_t n);

/* The ways of writing one unit of a value, in a fixed order. forms: which groups; may_break: whether something may stand before it. */
size_t redact_ways(const unsigned char *value, size_t n, enum redact_encoding encoding, size_t unit, int forms, bool may_break,
                   struct redact_way out[REDACT_WAYS_MAX]);

#endif
