#define PCRE2_CODE_UNIT_WIDTH 8
#include "alert/pattern.h"

#include <pcre2.h>
#include <stdint.h>
#include <string.h>

/* A pattern is written by who owns alerts.yaml, the value by whoever can raise an alert: a pattern that backtracks must not be held against an engine that
 * decides on its loop. 20,000 steps are well under a millisecond. */
enum { STEPS_MAX = 20000, DEPTH_MAX = 2000, HEAP_KIB_MAX = 1024 };

struct pattern {
	const char *text;
	pcre2_code *code;
};

/* PCRE2 takes its memory from the arena, and gives none back before the arena goes. */
static void *take(size_t n, void *arena)
{
	return arena_alloc(arena, n);
}

static void leave(void *memory, void *arena)
{
	(void)memory;
	(void)arena;
}

enum err pattern_compile(struct arena *a, const char *text, struct pattern **out, struct error *e)
{
	int why;
	size_t at;
	PCRE2_UCHAR reason[160];
	if (strlen(text) > PATTERN_BYTES_MAX) return error_set(e, ERR_INVALID, "a regular expression has at most %d bytes", PATTERN_BYTES_MAX);
	pcre2_general_context *general = pcre2_general_context_create(take, leave, a);
	pcre2_compile_context *context = pcre2_compile_context_create(general);
	/* \C could match half a character, and what is captured is a text. */
	uint32_t options = PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL | PCRE2_NEVER_BACKSLASH_C;
	*out = arena_alloc(a, sizeof **out);
	(*out)->text = arena_strdup(a, text);
	(*out)->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &why, &at, context);
	if ((*out)->code) return ERR_OK;
	pcre2_get_error_message(why, reason, sizeof reason);
	return error_set(e, ERR_INVALID, "\"%.60s\" is no regular expression: %s, at character %zu", text, (const char *)reason, at + 1);
}

const char *pattern_text(const struct pattern *p)
{
	return p->text;
}

enum pattern_answer pattern_match(const struct pattern *p, const char *value, size_t *from, size_t *n)
{
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_match_data *data = pcre2_match_data_create(2, NULL);
	if (!limits || !data) die("out of memory");
	pcre2_set_match_limit(limits, STEPS_MAX);
	pcre2_set_depth_limit(limits, DEPTH_MAX);
	pcre2_set_heap_limit(limits, HEAP_KIB_MAX);
	int rc = pcre2_match(p->code, (PCRE2_SPTR)value, PCRE2_ZERO_TERMINATED, 0, 0, data, limits);
	const size_t *ends = pcre2_get_ovector_pointer(data);
	if (rc >= 0 && from && n) {
		/* 0: more groups than are asked for. A group that took no part has no place. */
		size_t group = (rc == 0 || rc > 1) && ends[2] != PCRE2_UNSET ? 2 : 0;
		*from = ends[group];
		*n = ends[group + 1] > ends[group] ? ends[group + 1] - ends[group] : 0;
	}
	pcre2_match_data_free(data);
	pcre2_match_context_free(limits);
	return rc >= 0 ? PATTERN_YES : rc == PCRE2_ERROR_NOMATCH ? PATTERN_NO : PATTERN_OVER_LIMIT;
}
