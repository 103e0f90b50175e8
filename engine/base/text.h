#ifndef RUNG_BASE_TEXT_H
#define RUNG_BASE_TEXT_H

#include "base/buf.h"

#include <stdint.h>

/* UTF-8 and what a person sees of it. */

bool text_is_utf8(const void *data, size_t n);

/* Decodes one code point at p (before end) and gives its length, 1..4; 0 where the bytes are not UTF-8 (skip one byte then). */
size_t text_decode(const char *p, const char *end, uint32_t *code);

/* Appends a code point as UTF-8. */
bool text_encode(struct buf *b, uint32_t code);

/* Columns of a code point in a terminal: 0 (combining, zero width), 1 or 2 (East Asian wide, emoji). */
int text_columns_of(uint32_t code);

/* Columns of a text without control characters. */
size_t text_columns(const char *s, size_t n);

/* Is this a control character, a bidirectional or zero-width mark, or another code point that steers what shows it? The set is part of the journal's format. */
bool text_is_control(uint32_t code);

/* Is it one of those, or one that is drawn as nothing: a soft hyphen, a filler, a variation selector, a tag, a noncharacter? */
bool text_is_hidden(uint32_t code);

enum text_keep { TEXT_KEEP_NOTHING = 0, TEXT_KEEP_NEWLINE = 1, TEXT_KEEP_TAB = 2 };

/* Appends bytes from outside (a host, an author, an alert) with everything that could steer a terminal, or hide from who reads it, made visible: ESC becomes
 * U+241B, other C0 their control pictures; hidden code points, bytes that are not UTF-8, marks with no character to stand on and those that pile up on one
 * become <hex>. One variation selector of an emoji is kept. */
bool text_visible(struct buf *b, const void *data, size_t n, enum text_keep keep);

/* How many of the first max bytes of s can be kept without cutting a character in two. */
size_t text_cut(const char *s, size_t n, size_t max);

/* Lower-case ASCII comparison. */
bool text_equal_nocase(const char *a, const char *b);

/* The word (words ends with NULL) that was probably meant by text: it begins like it, or few letters differ; NULL where none is near. */
const char *text_nearest(const char *text, const char *const *words);

/* GitHub's slug of a heading: lower case, punctuation dropped, spaces to hyphens, letters of other scripts kept. Appends to b. */
bool text_slug(struct buf *b, const char *s, size_t n);

#endif
