#include "alert/body.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 18 }; /* of an integer that always fits into 64 bits with its sign */

static bool is_number_byte(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* A number at p: its length; is_long where it is an integer of too many digits. */
static size_t number_length(const char *p, const char *end, bool *is_long)
{
	const char *at = p;
	bool is_integer = true;
	for (; at < end && is_number_byte(*at); at++) is_integer = is_integer && (at == p || (*at >= '0' && *at <= '9'));
	size_t digits = (size_t)(at - p) - (*p == '-');
	*is_long = is_integer && digits > DIGITS_MAX && (at - digits)[0] != '0';
	return (size_t)(at - p);
}

/* The text with its long integers in quotes in out, where it has any, and how many values it has. What is wrong with it in other ways is left for the parser to
 * say. */
static size_t quote_long_integers(const char *bytes, size_t n, struct buf *out)
{
	size_t values = 1;
	const char *end = bytes + n, *copied = bytes;
	for (const char *p = bytes; p < end;) {
		bool is_long = false;
		size_t step = 1;
		if (*p == '"') {
			while (p + step < end && p[step] != '"') step += p[step] == '\\' && p + step + 1 < end ? 2 : 1;
			step += p + step < end;
		} else if (*p == '-' || (*p >= '0' && *p <= '9')) {
			step = number_length(p, end, &is_long);
		} else {
			values += *p == ',' || *p == '[' || *p == '{';
		}
		if (is_long) {
			buf_add(out, copied, (size_t)(p - copied));
			buf_char(out, '"');
			buf_add(out, p, step);
			buf_char(out, '"');
			copied = p + step;
		}
		p += step;
	}
	if (copied != bytes) buf_add(out, copied, (size_t)(end - copied));
	return values;
}

json_t *body_parse(const char *bytes, size_t n, struct error *e)
{
	struct buf b;
	json_t *v = NULL;
	if (n > ALERT_BODY_BYTES_MAX) {
		error_set(e, ERR_TOO_BIG, "a delivery has at most %d bytes, this one has %zu", ALERT_BODY_BYTES_MAX, n);
		return NULL;
	}
	/* Two quotes for each 19 digits at most. */
	buf_init(&b, n + n / 8 + 16);
	size_t values = quote_long_integers(bytes, n, &b);
	if (values > ALERT_VALUES_MAX)
		error_set(e, ERR_TOO_BIG, "a delivery has at most %d values, this one has %zu", ALERT_VALUES_MAX, values);
	else
		v = json_parse(b.len ? b.data : n ? bytes : "", b.len ? b.len : n, ALERT_DEPTH_MAX, e);
	buf_clear(&b);
	return v;
}

/* Zero bytes as U+2400: no text of an alert ends before its end. */
static const char *without_zeros(struct arena *a, const char *s, size_t n)
{
	struct buf b;
	if (!memchr(s, 0, n)) return arena_strndup(a, s, n);
	buf_init(&b, 3 * n + 1);
	for (size_t i = 0; i < n; i++) s[i] ? buf_char(&b, s[i]) : buf_str(&b, "\xe2\x90\x80");
	const char *out = arena_strndup(a, b.data, b.len);
	buf_clear(&b);
	return out;
}

static const char *text_of(struct arena *a, const char *s, size_t n, size_t max, bool *was_cut)
{
	const char *text = without_zeros(a, s, n < max + 4 ? n : max + 4);
	size_t len = strlen(text), kept = text_cut(text, len, max);
	bool is_cut = n > max || kept < len;
	if (was_cut) *was_cut = *was_cut || is_cut;
	return is_cut ? arena_strndup(a, text, kept) : text;
}

static const char *real_text(struct arena *a, double v)
{
	const char *text = arena_printf(a, "%.15g", v);
	return strtod(text, NULL) == v ? text : arena_printf(a, "%.17g", v);
}

const char *body_text(struct arena *a, const json_t *v, size_t max, bool *was_cut)
{
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_STRING:
		return text_of(a, json_string_value(v), json_string_length(v), max, was_cut);
	case JSON_INTEGER:
		return arena_printf(a, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	case JSON_REAL:
		return real_text(a, json_real_value(v));
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	default:
		return NULL;
	}
}

const char *body_text_or_empty(struct arena *a, const json_t *v, size_t max)
{
	const char *text = body_text(a, v, max, NULL);
	return text ? text : "";
}

const char *body_cut(struct arena *a, const char *text, size_t max)
{
	size_t n = strlen(text), kept = text_cut(text, n, max);
	return kept < n ? arena_strndup(a, text, kept) : text;
}

/* ---- times ---- */

#define TIME_US_MAX INT64_C(253402300799999999) /* 9999-12-31T23:59:59.999999Z */

static int64_t number_time_us(double n)
{
	double us = n < 1e11 ? n * 1e6 : n < 1e14 ? n * 1e3 : n < 1e17 ? n : n / 1e3;
	return n > 0 && us >= 1 && us <= (double)TIME_US_MAX ? (int64_t)us : 0;
}

int64_t body_time_us(const json_t *v)
{
	int64_t us = 0;
	if (json_is_number(v)) us = number_time_us(json_number_value(v));
	if (json_is_string(v)) {
		const char *text = json_string_value(v);
		size_t n = json_string_length(v);
		bool is_digits = n > 0 && n < 20 && strspn(text, "0123456789.") == n;
		if (is_digits)
			us = number_time_us(strtod(text, NULL));
		else if (n < 64 && strlen(text) == n && !clock_parse_instant(text, &us))
			us = 0;
	}
	return us > 0 && us <= TIME_US_MAX ? us : 0;
}

/* ---- labels ---- */

static const char *value_text(struct body_labels *l, const json_t *v)
{
	struct buf b;
	const char *text = body_text(l->arena, v, l->max_value, &l->is_cut);
	if (text || json_is_null(v)) return text ? text : "";
	buf_init(&b, l->max_value);
	if (!json_canonical(v, &b)) l->is_cut = true;
	text = text_of(l->arena, b.data ? b.data : "", b.len, l->max_value, &l->is_cut);
	buf_clear(&b);
	return text;
}

void body_labels_add(struct body_labels *l, const char *name, size_t name_n, const json_t *value)
{
	l->items = arena_grow(l->arena, l->items, l->count, &l->capacity, sizeof *l->items);
	l->items[l->count].name = text_of(l->arena, name, name_n, ALERT_LABEL_NAME_BYTES_MAX, &l->is_cut);
	l->items[l->count++].value = value_text(l, value);
}

void body_labels_add_all(struct body_labels *l, const json_t *v)
{
	const char *key;
	size_t n, i;
	json_t *item;
	json_object_keylen_foreach((json_t *)v, key, n, item) body_labels_add(l, key, n, item);
	json_array_foreach(v, i, item)
	{
		const json_t *name = json_object_get(item, "name");
		if (!json_is_string(name)) name = json_object_get(item, "key");
		if (json_is_string(name)) body_labels_add(l, json_string_value(name), json_string_length(name), json_object_get(item, "value"));
	}
}

/* By name, then as they came: those of one name lie in one array. */
static int by_name(const void *a, const void *b)
{
	const struct alert_label *x = *(const struct alert_label *const *)a, *y = *(const struct alert_label *const *)b;
	int order = strcmp(x->name, y->name);
	return order ? order : (x > y) - (x < y);
}

void body_labels_take(struct body_labels *l, const struct alert_label **out, size_t *count)
{
	const struct alert_label **sorted = arena_alloc(l->arena, l->count * sizeof *sorted);
	for (size_t i = 0; i < l->count; i++) sorted[i] = &l->items[i];
	if (l->count) qsort(sorted, l->count, sizeof *sorted, by_name);
	size_t kept = 0;
	struct alert_label *taken = arena_alloc(l->arena, l->count * sizeof *taken);
	for (size_t i = 0; i < l->count; i++)
		if (kept == 0 || strcmp(taken[kept - 1].name, sorted[i]->name) != 0)
			taken[kept++] = *sorted[i];
		else if (strcmp(taken[kept - 1].value, sorted[i]->value) != 0)
			l->is_cut = true;
	if (kept > ALERT_LABELS_MAX) kept = ALERT_LABELS_MAX, l->is_cut = true;
	*out = taken, *count = kept;
}

/* ---- fingerprint and runbook ---- */

static void add_field(struct digest *d, const char *text)
{
	unsigned char n[8];
	put_u64(n, strlen(text));
	digest_add(d, n, sizeof n);
	digest_add(d, text, strlen(text));
}

const char *body_fingerprint(struct arena *a, const char *name, const struct alert_label *labels, size_t count)
{
	unsigned char raw[DIGEST_BYTES];
	struct digest *d = digest_new();
	struct buf b;
	add_field(d, name);
	for (size_t i = 0; i < count; i++) add_field(d, labels[i].name), add_field(d, labels[i].value);
	digest_finish(d, raw);
	buf_init(&b, DIGEST_HEX_BYTES);
	encode_hex(&b, raw, DIGEST_BYTES / 2);
	const char *out = arena_strndup(a, b.data, b.len);
	buf_clear(&b);
	return out;
}

const char *body_runbook(const struct alert *al)
{
	const char *url = alert_annotation(al, "runbook_url"), *other = alert_annotation(al, "runbook");
	return url && *url ? url : other ? other : "";
}
