#define PCRE2_CODE_UNIT_WIDTH 8

#include "book/param_values.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

/* Values of parameters: read from text or JSON, checked against type, pattern, range and choices. A value is data and never expanded. */

enum { MATCH_STEPS_MAX = 200000, MATCH_DEPTH_MAX = 2000, MATCH_HEAP_KIB_MAX = 4096, VALUE_BYTES_MAX = 256 * 1024, VALUE_DEPTH_MAX = 16 };

static pcre2_code *compile(const char *pattern, struct error *e)
{
	int code;
	PCRE2_SIZE at;
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C,
	                               &code, &at, NULL);
	if (re) return re;
	if (code == PCRE2_ERROR_HEAP_FAILED) die("out of memory while a pattern is read");
	PCRE2_UCHAR why[128];
	pcre2_get_error_message(code, why, sizeof why);
	error_set(e, ERR_INVALID, "%s at character %zu of \"%s\"", (const char *)why, (size_t)at, pattern);
	return NULL;
}

enum err param_pattern_check(const char *pattern, struct error *e)
{
	pcre2_code *re = compile(pattern, e);
	if (!re) return ERR_INVALID;
	pcre2_code_free(re);
	return ERR_OK;
}

/* Does the whole value match? A match that takes too long is none. */
static bool matches(const char *pattern, const char *value, struct error *e)
{
	pcre2_code *re = compile(pattern, e);
	if (!re) return false;
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	if (!limits || !data) die("out of memory");
	pcre2_set_match_limit(limits, MATCH_STEPS_MAX);
	pcre2_set_depth_limit(limits, MATCH_DEPTH_MAX);
	pcre2_set_heap_limit(limits, MATCH_HEAP_KIB_MAX);
	int rc = pcre2_match(re, (PCRE2_SPTR)value, PCRE2_ZERO_TERMINATED, 0, 0, data, limits);
	pcre2_match_data_free(data);
	pcre2_match_context_free(limits);
	pcre2_code_free(re);
	if (rc >= 0) return true;
	if (rc == PCRE2_ERROR_NOMEMORY) die("out of memory while a value is matched");
	if (rc == PCRE2_ERROR_NOMATCH)
		error_set(e, ERR_INVALID, "it must match %s", pattern);
	else
		error_set(e, ERR_INVALID, "it cannot be matched against %s within the limits", pattern);
	return false;
}

static json_t *refuse(struct error *e, const char *why)
{
	error_set(e, ERR_INVALID, "%s", why);
	return NULL;
}

static json_t *in_range(const struct book_param *p, double n, json_t *value, struct error *e)
{
	if ((!p->has_min || n >= p->min) && (!p->has_max || n <= p->max)) return value;
	json_decref(value);
	if (p->has_min && p->has_max)
		error_set(e, ERR_INVALID, "it must lie in %.15g..%.15g", p->min, p->max);
	else if (p->has_min)
		error_set(e, ERR_INVALID, "it must be %.15g or more", p->min);
	else
		error_set(e, ERR_INVALID, "it must be %.15g or less", p->max);
	return NULL;
}

static json_t *read_int(const struct book_param *p, const char *text, struct error *e)
{
	char *end;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	if (!*text || *end || errno || strchr(" \t\n+", *text)) return refuse(e, "a whole number was expected, as 42");
	return in_range(p, (double)n, json_integer(n), e);
}

static json_t *read_number(const struct book_param *p, const char *text, struct error *e)
{
	char *end;
	double n = strtod(text, &end);
	if (!*text || *end || !isfinite(n) || !strchr("-.0123456789", *text)) return refuse(e, "a number was expected, as 0.5");
	return in_range(p, n, json_real(n), e);
}

static json_t *read_bool(const char *text, struct error *e)
{
	static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off", "0"};
	for (size_t i = 0; i < 4; i++) {
		if (text_equal_nocase(text, yes[i])) return json_true();
		if (text_equal_nocase(text, no[i])) return json_false();
	}
	return refuse(e, "true or false was expected");
}

static json_t *read_enum(const struct book_param *p, const char *text, struct error *e)
{
	struct buf all;
	for (size_t i = 0; i < p->choice_count; i++)
		if (strcmp(p->choices[i], text) == 0) return json_string(text);
	buf_init(&all, 500);
	for (size_t i = 0; i < p->choice_count; i++) buf_printf(&all, "%s%s", i ? ", " : "", p->choices[i]);
	error_set(e, ERR_INVALID, "it must be one of: %s", all.data ? all.data : "(no choices)");
	buf_clear(&all);
	return NULL;
}

/* "a, b, c" or a JSON array. */
static json_t *read_list(const char *text, struct error *e)
{
	while (*text == ' ') text++;
	if (*text == '[') {
		json_t *v = json_parse(text, strlen(text), VALUE_DEPTH_MAX, e);
		if (v && !json_is_array(v)) {
			json_decref(v);
			return refuse(e, "a list was expected");
		}
		return v;
	}
	json_t *list = json_array();
	while (*text) {
		size_t n = strcspn(text, ","), from = strspn(text, " \t"), kept = n;
		while (kept > from && strchr(" \t", text[kept - 1])) kept--;
		if (kept > from) json_array_append_new(list, json_stringn(text + from, kept - from));
		text += n + (text[n] != 0);
	}
	return list;
}

/* "a=1, b=2" or a JSON object. */
static json_t *read_map(const char *text, struct error *e)
{
	while (*text == ' ') text++;
	if (*text == '{') {
		json_t *v = json_parse(text, strlen(text), VALUE_DEPTH_MAX, e);
		if (v && !json_is_object(v)) {
			json_decref(v);
			return refuse(e, "a map was expected");
		}
		return v;
	}
	json_t *list = read_list(text, e), *map = json_object(), *item;
	size_t i;
	json_array_foreach(list, i, item)
	{
		const char *pair = json_string_value(item), *equals = pair ? strchr(pair, '=') : NULL;
		if (!equals || equals == pair) {
			json_decref(list);
			json_decref(map);
			return refuse(e, "name=value pairs were expected, as a=1,b=2");
		}
		char *key = mem_printf("%.*s", (int)(equals - pair), pair);
		json_object_set_new(map, key, json_string(equals + 1));
		free(key);
	}
	json_decref(list);
	return map;
}

/* A name of a host: no space, no control character, no option. */
static json_t *read_host(const char *text, struct error *e)
{
	if (!*text || *text == '-' || strlen(text) > 255) return refuse(e, "the name of a host was expected");
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("'\"`$;|&<>(){}\\", *c)) return refuse(e, "the name of a host was expected");
	return json_string(text);
}

json_t *book_param_read(const struct book_param *p, const char *text, struct error *why)
{
	int64_t us;
	if (strlen(text) > VALUE_BYTES_MAX) return refuse(why, "it has more than 256 KiB");
	if (!text_is_utf8(text, strlen(text))) return refuse(why, "it must be UTF-8");
	switch (p->type) {
	case PARAM_STRING:
		return p->pattern && !matches(p->pattern, text, why) ? NULL : json_string(text);
	case PARAM_INT:
		return read_int(p, text, why);
	case PARAM_NUMBER:
		return read_number(p, text, why);
	case PARAM_BOOL:
		return read_bool(text, why);
	case PARAM_ENUM:
		return read_enum(p, text, why);
	case PARAM_LIST:
		return read_list(text, why);
	case PARAM_MAP:
		return read_map(text, why);
	case PARAM_HOST:
		return read_host(text, why);
	case PARAM_HOSTS: /* an expression over the inventory, or names */
	case PARAM_SECRET:
		return *text ? json_string(text) : refuse(why, p->type == PARAM_HOSTS ? "hosts were expected" : "a value was expected");
	case PARAM_DURATION:
		return clock_parse_duration(text, &us, why) == ERR_OK ? json_string(text) : NULL;
	}
	return NULL;
}
