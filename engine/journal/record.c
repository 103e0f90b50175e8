#include "journal/record.h"
#include "base/clock.h"
#include "base/text.h"
#include "journal/record_kinds.h"

#include <stdlib.h>
#include <string.h>

/* Years 0000 to 9999, all that RFC 3339 can write. */
#define T_US_MIN (-62167219200 * 1000000)
#define T_US_MAX (253402300800 * 1000000 - 1)

/* One code point of a string: as it is, or escaped where a terminal or an editor could be steered by it. Every escape is \u but those of " and \. */
static bool put_code(struct buf *b, uint32_t code, const char *bytes, size_t n)
{
	if (code == '"' || code == '\\') return buf_char(b, '\\') && buf_char(b, (char)code);
	if (!text_is_control(code)) return buf_add(b, bytes, n);
	return json_escape(b, code);
}

/* How many bytes stand as they are: nearly all. */
static size_t plain_length(const char *p, const char *end)
{
	const char *at = p;
	while (at < end && *at >= ' ' && *at < 0x7f && *at != '"' && *at != '\\') at++;
	return (size_t)(at - p);
}

static bool put_string(struct buf *b, const char *s, size_t n)
{
	buf_char(b, '"');
	for (const char *p = s, *end = s + n; p < end;) {
		uint32_t code;
		size_t step = plain_length(p, end);
		if (step) {
			buf_add(b, p, step);
		} else {
			step = text_decode(p, end, &code);
			if (step == 0) return false;
			put_code(b, code, p, step);
		}
		p += step;
	}
	return buf_char(b, '"');
}

/* Members keep the order in which they were set: jansson's objects remember it. */
static bool put_value(struct buf *b, const json_t *v)
{
	bool is_fine = true;
	if (json_is_object(v)) {
		const char *key, *comma = "{";
		json_t *m;
		json_object_foreach((json_t *)v, key, m)
		{
			is_fine = is_fine && buf_str(b, comma) && put_string(b, key, strlen(key)) && buf_char(b, ':') && put_value(b, m);
			comma = ",";
		}
		return is_fine && buf_str(b, *comma == '{' ? "{}" : "}");
	}
	if (json_is_array(v)) {
		size_t i;
		json_t *m;
		json_array_foreach(v, i, m) is_fine = is_fine && buf_char(b, i ? ',' : '[') && put_value(b, m);
		return is_fine && buf_str(b, json_array_size(v) ? "]" : "[]");
	}
	if (json_is_string(v)) return put_string(b, json_string_value(v), json_string_length(v));
	if (json_is_boolean(v)) return buf_str(b, json_is_true(v) ? "true" : "false");
	return json_is_integer(v) && buf_printf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
}

static bool put_text(struct buf *b, const char *key, const char *value)
{
	return !value || (buf_printf(b, ",\"%s\":", key) && put_string(b, value, strlen(value)));
}

static bool put_number(struct buf *b, const char *key, uint64_t value)
{
	return value == 0 || buf_printf(b, ",\"%s\":%llu", key, (unsigned long long)value);
}

enum err record_encode_tail(const struct record *r, struct buf *out, struct error *e)
{
	enum err err = record_check(r, e);
	if (err) return err;
	size_t before = out->len;
	bool is_fine = buf_printf(out, ",\"k\":\"%s\"", record_kind_name(r->kind)) && put_text(out, "x", r->execution) && put_text(out, "s", r->step) &&
	               put_number(out, "a", r->attempt) && put_number(out, "c", r->call) && put_number(out, "e", r->epoch) && put_text(out, "n", r->node) &&
	               put_text(out, "by", r->by) && (!r->data || (buf_str(out, ",\"d\":") && put_value(out, r->data))) && buf_char(out, '}');
	if (out->is_full || out->len - before > JOURNAL_RECORD_BYTES_MAX - RECORD_HEAD_BYTES_MAX)
		return error_set(e, ERR_TOO_BIG, "%s is larger than a record may be (%d bytes): long things are blobs", record_kind_name(r->kind),
		                 JOURNAL_RECORD_BYTES_MAX);
	if (!is_fine) return error_set(e, ERR_INVALID, "a text in %s is not UTF-8", record_kind_name(r->kind));
	return ERR_OK;
}

bool record_encode_head(uint64_t seq, int64_t t_us, struct buf *out)
{
	char t[CLOCK_RFC3339_BYTES];
	if (seq > INT64_MAX || t_us < T_US_MIN || t_us > T_US_MAX) return false;
	clock_rfc3339(t, t_us);
	return buf_printf(out, "{\"v\":1,\"seq\":%llu,\"t\":\"%s\"", (unsigned long long)seq, t);
}

enum err record_encode(const struct record *r, struct buf *out, struct error *e)
{
	if (!record_encode_head(r->seq, r->t_us, out)) return error_set(e, ERR_INVALID, "seq must have 63 bits, and t be between the years 0000 and 9999");
	return record_encode_tail(r, out, e);
}

/* Reading back */

static const char *const keys[] = {"v", "seq", "t", "k", "x", "s", "a", "c", "e", "n", "by", "d"};
enum { KEY_N = sizeof keys / sizeof *keys, KEYS_NEEDED = 4 };

/* Every key known, in order, the first four there. */
static enum err check_keys(const json_t *o, struct error *e)
{
	const char *key;
	json_t *v;
	size_t at = 0, seen = 0;
	if (!json_is_object(o)) return error_set(e, ERR_VERIFY, "the line is no JSON object");
	json_object_foreach((json_t *)o, key, v)
	{
		while (at < KEY_N && strcmp(keys[at], key) != 0) at++;
		if (at == KEY_N) return error_set(e, ERR_VERIFY, "the key \"%.32s\" is unknown or out of order (v seq t k x s a c e n by d)", key);
		if (at < KEYS_NEEDED) seen++;
	}
	if (seen < KEYS_NEEDED) return error_set(e, ERR_VERIFY, "one of v, seq, t and k is missing");
	return ERR_OK;
}

/* A member that must be an integer in a range where it is there. */
static bool read_number(const json_t *o, const char *key, json_int_t max, uint64_t *out)
{
	const json_t *v = json_object_get(o, key);
	*out = (uint64_t)json_integer_value(v);
	return !v || (json_is_integer(v) && json_integer_value(v) >= 0 && json_integer_value(v) <= max);
}

static bool read_text(const json_t *o, const char *key, const char **out)
{
	const json_t *v = json_object_get(o, key);
	*out = json_string_value(v);
	return !v || json_is_string(v);
}

static enum err read_members(const json_t *o, struct record *r, struct error *e)
{
	uint64_t version, attempt, call;
	const char *t, *k;
	bool is_fine = read_number(o, "v", 1, &version) && read_number(o, "seq", INT64_MAX, &r->seq) && read_text(o, "t", &t) && read_text(o, "k", &k) &&
	               read_text(o, "x", &r->execution) && read_text(o, "s", &r->step) && read_number(o, "a", UINT32_MAX, &attempt) &&
	               read_number(o, "c", UINT32_MAX, &call) && read_number(o, "e", INT64_MAX, &r->epoch) && read_text(o, "n", &r->node) &&
	               read_text(o, "by", &r->by);
	if (!is_fine) return error_set(e, ERR_VERIFY, "a member has the wrong type or range");
	if (version != 1) return error_set(e, ERR_VERIFY, "version %d is not 1, the only one that this program knows", (int)version);
	r->attempt = (uint32_t)attempt, r->call = (uint32_t)call;
	r->data = json_object_get(o, "d");
	if (!clock_parse_rfc3339(t, &r->t_us)) return error_set(e, ERR_VERIFY, "t is not a time such as 2026-11-22T23:00:01.000000Z");
	return record_kind_find(k, &r->kind, e);
}

/* The bytes that encode would have made, and no others. */
static enum err check_bytes(const char *line, size_t n, const struct record *r, struct error *e)
{
	struct buf again;
	buf_init(&again, JOURNAL_RECORD_BYTES_MAX);
	enum err err = record_encode(r, &again, e);
	if (!err && (again.len != n || memcmp(again.data, line, n) != 0)) {
		size_t at = 0;
		while (at < n && at < again.len && again.data[at] == line[at]) at++;
		err = error_set(e, ERR_VERIFY, "byte %zu is not what this record is written as", at);
	}
	buf_clear(&again);
	return err;
}

enum err record_decode(const char *line, size_t n, struct record *r, json_t **hold, struct error *e)
{
	*hold = NULL;
	*r = (struct record){0};
	if (n > JOURNAL_RECORD_BYTES_MAX) return error_set(e, ERR_VERIFY, "the line has %zu bytes, a record at most %d", n, JOURNAL_RECORD_BYTES_MAX);
	json_t *o = json_parse(line, n, JOURNAL_DATA_DEPTH_MAX + 1, e);
	enum err err = o ? check_keys(o, e) : ERR_VERIFY;
	if (!err) err = read_members(o, r, e);
	if (!err) err = check_bytes(line, n, r, e);
	if (err) {
		json_decref(o);
		if (e) e->kind = ERR_VERIFY;
		return ERR_VERIFY;
	}
	*hold = o;
	return ERR_OK;
}
