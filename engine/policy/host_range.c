#include "policy/host_range.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 9 };

/* One range, and the text before it. */
struct range {
	const char *before;
	size_t before_bytes;
	unsigned long from, step;
	size_t count;
	int width; /* of numbers; 0: letters */
};

/* A whole number or a letter at *p. */
static bool read_end(const char **p, size_t *digits, unsigned long *value)
{
	*digits = strspn(*p, "0123456789");
	if (*digits > DIGITS_MAX) return false;
	if (*digits) {
		*value = strtoul(*p, NULL, 10);
		*p += *digits;
		return true;
	}
	*value = (unsigned char)**p;
	if (**p < 'a' || **p > 'z') return false;
	(*p)++;
	return true;
}

static enum err check_ends(struct range *r, const char *at, size_t n, unsigned long to, size_t digits, size_t to_digits, struct error *e)
{
	if ((digits == 0) != (to_digits == 0)) return error_set(e, ERR_INVALID, "[%.*s]: both ends of a range are numbers, or both are letters", (int)n, at);
	if (to < r->from) return error_set(e, ERR_INVALID, "[%.*s]: a range goes upward", (int)n, at);
	if (r->step == 0) return error_set(e, ERR_INVALID, "[%.*s]: the step of a range is 1 or more", (int)n, at);
	bool is_padded = digits > 1 && *at == '0';
	if (is_padded && digits != to_digits)
		return error_set(e, ERR_INVALID, "[%.*s]: with a leading zero both ends have the same width, as [01:40]", (int)n, at);
	/* [1:040] would say two things at once. */
	if (!is_padded && to_digits > 1 && strchr(at, ':')[1] == '0')
		return error_set(e, ERR_INVALID, "[%.*s]: a leading zero stands at the lower end, as [001:040]", (int)n, at);
	r->width = digits == 0 ? 0 : is_padded ? (int)digits : 1;
	r->count = (to - r->from) / r->step + 1;
	return ERR_OK;
}

/* at is behind the bracket; *end gets the place behind the closing one. */
static enum err read_range(const char *at, struct range *r, const char **end, struct error *e)
{
	const char *close = strchr(at, ']'), *p = at;
	size_t digits, to_digits, n = close ? (size_t)(close - at) : strlen(at), step_digits = 1;
	unsigned long to;
	r->step = 1;
	if (!close) return error_set(e, ERR_INVALID, "the bracket of [%.60s is not closed: a range is written as [01:40]", at);
	bool good = read_end(&p, &digits, &r->from) && *p++ == ':' && read_end(&p, &to_digits, &to);
	if (good && *p == ':') {
		p++;
		good = read_end(&p, &step_digits, &r->step) && step_digits > 0;
	}
	if (!good || p != close)
		return error_set(e, ERR_INVALID, "[%.*s] is no range: write [1:40], [01:40], [a:f] or, with a step, [0:10:2]", n > 60 ? 60 : (int)n, at);
	*end = close + 1;
	return check_ends(r, at, n, to, digits, to_digits, e);
}

static const char *nth(struct arena *a, const struct range *ranges, size_t count, const char *rest, size_t i)
{
	char text[HOST_RANGE_TEXT_BYTES_MAX + HOST_RANGES_MAX * (DIGITS_MAX + 1)];
	size_t of[HOST_RANGES_MAX], at = 0;
	for (size_t k = count; k-- > 0; i /= ranges[k].count) of[k] = i % ranges[k].count;
	for (size_t k = 0; k < count; k++) {
		const struct range *r = &ranges[k];
		unsigned long value = r->from + of[k] * r->step;
		memcpy(text + at, r->before, r->before_bytes);
		at += r->before_bytes;
		if (r->width)
			at += (size_t)snprintf(text + at, sizeof text - at, "%0*lu", r->width, value);
		else
			text[at++] = (char)value;
	}
	return arena_printf(a, "%.*s%s", (int)at, text, rest);
}

enum err host_range_expand(struct arena *a, const char *text, size_t most, const char ***out, size_t *count, struct error *e)
{
	struct range ranges[HOST_RANGES_MAX];
	size_t range_count = 0;
	const char *rest = text;
	*count = 1;
	if (strlen(text) > HOST_RANGE_TEXT_BYTES_MAX)
		return error_set(e, ERR_INVALID, "a name with ranges has at most %d characters", HOST_RANGE_TEXT_BYTES_MAX);
	for (const char *open; (open = strchr(rest, '['));) {
		if (range_count == HOST_RANGES_MAX) return error_set(e, ERR_INVALID, "a name has at most %d ranges", HOST_RANGES_MAX);
		struct range *r = &ranges[range_count++];
		r->before = rest;
		r->before_bytes = (size_t)(open - rest);
		enum err err = read_range(open + 1, r, &rest, e);
		if (err) return err;
		if (r->count > most || *count > most / r->count) return error_set(e, ERR_TOO_BIG, "these are over %zu hosts, the most that are possible", most);
		*count *= r->count;
	}
	if (strchr(rest, ']')) return error_set(e, ERR_INVALID, "a \"]\" without its \"[\": a range is written as [01:40]");
	*out = arena_alloc(a, *count * sizeof **out);
	for (size_t i = 0; i < *count; i++) (*out)[i] = nth(a, ranges, range_count, rest, i);
	return ERR_OK;
}
