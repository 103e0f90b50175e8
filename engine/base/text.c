#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

size_t text_decode(const char *p, const char *end, uint32_t *code)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t left = (size_t)(end - p), n;
	uint32_t c, least;
	if (left == 0) return 0;
	if (u[0] < 0x80) {
		*code = u[0];
		return 1;
	}
	if (u[0] >= 0xc2 && u[0] < 0xe0)
		n = 2, c = u[0] & 0x1f, least = 0x80;
	else if (u[0] >= 0xe0 && u[0] < 0xf0)
		n = 3, c = u[0] & 0x0f, least = 0x800;
	else if (u[0] >= 0xf0 && u[0] < 0xf5)
		n = 4, c = u[0] & 0x07, least = 0x10000;
	else
		return 0;
	if (left < n) return 0;
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80) return 0;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 0;
	*code = c;
	return n;
}

bool text_is_utf8(const void *data, size_t n)
{
	const char *p = data, *end = p + n;
	uint32_t c;
	while (p < end) {
		size_t step = text_decode(p, end, &c);
		if (!step) return false;
		p += step;
	}
	return true;
}

bool text_encode(struct buf *b, uint32_t c)
{
	char o[4];
	if (c < 0x80) return buf_char(b, (char)c);
	if (c < 0x800) {
		o[0] = (char)(0xc0 | c >> 6), o[1] = (char)(0x80 | (c & 63));
		return buf_add(b, o, 2);
	}
	if (c < 0x10000) {
		o[0] = (char)(0xe0 | c >> 12), o[1] = (char)(0x80 | (c >> 6 & 63)), o[2] = (char)(0x80 | (c & 63));
		return buf_add(b, o, 3);
	}
	o[0] = (char)(0xf0 | c >> 18), o[1] = (char)(0x80 | (c >> 12 & 63)), o[2] = (char)(0x80 | (c >> 6 & 63)), o[3] = (char)(0x80 | (c & 63));
	return buf_add(b, o, 4);
}

struct range {
	uint32_t from, to;
};

static bool in_ranges(uint32_t c, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c >= r[i].from && c <= r[i].to) return true;
	return false;
}

/* The blocks that terminals draw in two columns, and those that they draw in none (Unicode 15, East Asian Width and general category Mn, Me, Cf). */
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x23f0, 0x23f0},   {0x23f3, 0x23f3},   {0x25fd, 0x25fe},   {0x2614, 0x2615},
    {0x2648, 0x2653},   {0x267f, 0x267f},   {0x2693, 0x2693},   {0x26a1, 0x26a1},   {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},
    {0x26ce, 0x26ce},   {0x26d4, 0x26d4},   {0x26ea, 0x26ea},   {0x26f2, 0x26f3},   {0x26f5, 0x26f5},   {0x26fa, 0x26fa},   {0x26fd, 0x26fd},
    {0x2705, 0x2705},   {0x270a, 0x270b},   {0x2728, 0x2728},   {0x274c, 0x274c},   {0x274e, 0x274e},   {0x2753, 0x2755},   {0x2757, 0x2757},
    {0x2795, 0x2797},   {0x27b0, 0x27b0},   {0x27bf, 0x27bf},   {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2b55, 0x2b55},   {0x2e80, 0x303e},
    {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18aff}, {0x1b000, 0x1b2ff}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf},
    {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f320}, {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca},
    {0x1f3cf, 0x1f3d3}, {0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4}, {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d},
    {0x1f54b, 0x1f567}, {0x1f57a, 0x1f57a}, {0x1f595, 0x1f596}, {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc},
    {0x1f6d0, 0x1f6d2}, {0x1f6d5, 0x1f6d7}, {0x1f6dc, 0x1f6df}, {0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc}, {0x1f7e0, 0x1f7eb}, {0x1f90c, 0x1f93a},
    {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};
static const struct range narrowest[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x05bf, 0x05bf}, {0x05c1, 0x05c2}, {0x05c4, 0x05c5}, {0x0610, 0x061a},   {0x064b, 0x065f},
    {0x0670, 0x0670}, {0x06d6, 0x06dc}, {0x06df, 0x06e4}, {0x0730, 0x074a}, {0x0900, 0x0902}, {0x093c, 0x093c}, {0x0941, 0x0948},   {0x094d, 0x094d},
    {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x202a, 0x202e},   {0x2060, 0x206f},
    {0x20d0, 0x20ff}, {0x302a, 0x302d}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef},
};
static const struct range steering[] = {
    {0x00, 0x1f}, {0x7f, 0x9f}, {0x061c, 0x061c}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
};

#define IN(c, table) in_ranges(c, table, sizeof(table) / sizeof(table)[0])

int text_columns_of(uint32_t c)
{
	if (c >= 0x20 && c < 0x300) return 1;
	if (IN(c, narrowest)) return 0;
	return IN(c, wide) ? 2 : 1;
}

size_t text_columns(const char *s, size_t n)
{
	size_t columns = 0;
	uint32_t c;
	for (const char *p = s, *end = s + n; p < end;) {
		size_t step = text_decode(p, end, &c);
		columns += step ? (size_t)text_columns_of(c) : 1;
		p += step ? step : 1;
	}
	return columns;
}

bool text_is_control(uint32_t c)
{
	return IN(c, steering);
}

bool text_visible(struct buf *b, const void *data, size_t n, enum text_keep keep)
{
	const char *p = data, *end = p + n;
	uint32_t c;
	bool fits = true;
	while (p < end && fits) {
		size_t step = text_decode(p, end, &c);
		if (!step) {
			fits = buf_printf(b, "<%02x>", (unsigned char)*p);
			p++;
			continue;
		}
		bool kept = (c == '\n' && (keep & TEXT_KEEP_NEWLINE)) || (c == '\t' && (keep & TEXT_KEEP_TAB)) || !text_is_control(c);
		if (kept)
			fits = buf_add(b, p, step);
		else if (c < 0x20)
			fits = text_encode(b, 0x2400 + c);
		else if (c == 0x7f)
			fits = text_encode(b, 0x2421);
		else
			fits = buf_printf(b, "<%04x>", c);
		p += step;
	}
	return fits;
}

size_t text_cut(const char *s, size_t n, size_t max)
{
	if (n <= max) return n;
	size_t at = max;
	while (at > 0 && max - at < 4 && ((unsigned char)s[at] & 0xc0) == 0x80) at--;
	return at;
}

bool text_equal_nocase(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

bool text_slug(struct buf *b, const char *s, size_t n)
{
	bool fits = true;
	uint32_t c;
	for (const char *p = s, *end = s + n; p < end && fits;) {
		size_t step = text_decode(p, end, &c);
		if (!step) {
			p++;
			continue;
		}
		if (c < 0x80) {
			if (isalnum((int)c))
				fits = buf_char(b, (char)tolower((int)c));
			else if (c == ' ' || c == '-')
				fits = buf_char(b, '-');
			else if (c == '_')
				fits = buf_char(b, '_');
		} else if (!text_is_control(c) && !(c >= 0x2000 && c < 0x2c00) && !(c >= 0x3000 && c <= 0x303f) && !(c >= 0xff00 && c <= 0xff20) &&
		           c < 0x1f000 && !(c >= 0xa0 && c <= 0xbf) && !(c >= 0xfe00 && c <= 0xfe0f)) {
			fits = buf_add(b, p, step);
		}
		p += step;
	}
	return fits;
}

static size_t least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance of two short words. */
static size_t distance(const char *a, const char *b)
{
	enum { LONGEST = 40 };
	size_t n = strlen(a), m = strlen(b), row[LONGEST + 1];
	if (n > LONGEST || m > LONGEST) return SIZE_MAX;
	for (size_t j = 0; j <= m; j++) row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t above = row[j];
			row[j] = least_of(least_of(above, row[j - 1]) + 1, corner + (a[i - 1] != b[j - 1]));
			corner = above;
		}
	}
	return row[m];
}

const char *text_nearest(const char *text, const char *const *words)
{
	const char *best = NULL;
	size_t least = SIZE_MAX;
	for (size_t i = 0; words[i]; i++) {
		size_t d = strncmp(words[i], text, strlen(text)) == 0 ? 1 : distance(text, words[i]);
		if (d < least) least = d, best = words[i];
	}
	return least <= 1 + strlen(text) / 3 ? best : NULL;
}
