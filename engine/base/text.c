#include "base/text.h"
#include "base/text_tables.h"

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

static bool in_ranges(uint32_t c, const struct range *r, size_t n)
{
	while (n > 0) {
		size_t half = n / 2;
		if (c < r[half].from)
			n = half;
		else if (c > r[half].to)
			r += half + 1, n -= half + 1;
		else
			return true;
	}
	return false;
}

#define IN(c, table) in_ranges(c, table, sizeof(table) / sizeof(table)[0])

int text_columns_of(uint32_t c)
{
	if (c >= 0x20 && c < 0x300) return 1;
	if (IN(c, marks) || IN(c, unseen) || IN(c, steering)) return 0;
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

bool text_is_hidden(uint32_t c)
{
	if (c >= 0x20 && c < 0x7f) return false;
	return IN(c, steering) || IN(c, unseen) || (c & 0xfffe) == 0xfffe;
}

/* What stands before a code point: marks are drawn on it. */
struct base {
	bool is_there; /* no text may begin with a mark: it would be drawn on what we wrote in front */
	int marks;
	bool is_selected;
};

/* Is it drawn where it stands, and does it leave what stands before it readable? Keeps count. */
static bool is_drawn(uint32_t c, struct base *b)
{
	enum { MARKS_MAX = 6, TEXT_STYLE = 0xfe0e, EMOJI_STYLE = 0xfe0f };
	if ((c == TEXT_STYLE || c == EMOJI_STYLE) && b->is_there && !b->is_selected && b->marks == 0) return b->is_selected = true;
	if (IN(c, marks) && !text_is_hidden(c)) return b->is_there && b->marks++ < MARKS_MAX;
	*b = (struct base){.is_there = !text_is_hidden(c)};
	return b->is_there;
}

/* The picture of a control character, the number of anything else. */
static bool add_number(struct buf *b, uint32_t c)
{
	if (c < 0x20) return text_encode(b, 0x2400 + c);
	return c == 0x7f ? text_encode(b, 0x2421) : buf_printf(b, "<%04x>", c);
}

bool text_visible(struct buf *b, const void *data, size_t n, enum text_keep keep)
{
	const char *p = data, *end = p + n;
	struct base base = {0};
	uint32_t c;
	bool fits = true;
	while (p < end && fits) {
		size_t step = text_decode(p, end, &c);
		bool is_blank = step && ((c == '\n' && (keep & TEXT_KEEP_NEWLINE)) || (c == '\t' && (keep & TEXT_KEEP_TAB)));
		if (!step)
			fits = buf_printf(b, "<%02x>", (unsigned char)*p);
		else if (is_blank || is_drawn(c, &base))
			fits = buf_add(b, p, step);
		else
			fits = add_number(b, c);
		if (!step || is_blank) base = (struct base){0};
		p += step ? step : 1;
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
