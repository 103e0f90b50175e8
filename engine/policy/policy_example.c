#include "policy/policy_example.h"

#include <stdlib.h>
#include <string.h>

enum { EXAMPLE_BYTES_MAX = 1 << 16 };

static void add_value(struct buf *b, const char *name, size_t n, const json_t *params)
{
	const json_t *v = params ? json_object_getn(params, name, n) : NULL;
	if (json_is_array(v)) v = json_array_get(v, 0);
	if (!v || json_is_object(v)) {
		buf_printf(b, "param-%.*s", (int)n, name);
		return;
	}
	char *text = json_is_string(v) ? mem_strdup(json_string_value(v)) : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	/* As one word, whatever stands in it. */
	for (const char *s = text; *s; s++) buf_printf(b, *s == '\'' || *s == '\\' || *s == '"' || *s == ' ' || *s == '\t' ? "\\%c" : "%c", *s);
	free(text);
}

/* What {a|b} becomes: of the brace-th one of the pattern the chosen alternative, of all others the first. */
struct choice {
	size_t brace, alternative;
	size_t braces_seen;   /* of the pattern */
	size_t most_of_brace; /* alternatives of the brace-th */
};

/* Appends what {...} stands for; gives what follows it. */
static const char *add_braces(struct buf *b, const char *at, const json_t *params, struct choice *c)
{
	const char *end = strchr(at, '}'), *from = at + 1;
	if (!end) return at + strlen(at);
	if (strncmp(from, "param:", 6) == 0) {
		add_value(b, from + 6, (size_t)(end - from - 6), params);
		return end + 1;
	}
	size_t index = 0, wanted = c->braces_seen == c->brace ? c->alternative : 0;
	while (from < end) {
		size_t n = strcspn(from, "|}");
		if (index++ == wanted) buf_add(b, from, n);
		from += n + 1;
	}
	if (c->braces_seen++ == c->brace) c->most_of_brace = index;
	return end + 1;
}

/* The pattern with all that stands for something replaced; quotes are left for the reader of calls. */
static void fill_in(struct buf *b, const char *pattern, const json_t *params, struct choice *c)
{
	for (const char *at = pattern; *at;) {
		if (*at == '\\' && at[1]) {
			buf_add(b, at, 2);
			at += 2;
		} else if (*at == '\'' || *at == '"') {
			const char *end = at + 1;
			while (*end && *end != *at) end += *at == '"' && *end == '\\' && end[1] ? 2 : 1;
			buf_add(b, at, (size_t)(end - at) + (*end != 0));
			at = end + (*end != 0);
		} else if (*at == '*') {
			at += strspn(at, "*");
			buf_str(b, "any");
		} else if (*at == '{') {
			at = add_braces(b, at, params, c);
		} else {
			buf_char(b, *at++);
		}
	}
}

/* Every alternative of every brace once, the others at their first. */
size_t policy_call_examples(struct arena *a, const char *pattern, const json_t *params, struct policy_call out[POLICY_EXAMPLES_MAX])
{
	struct capability *parsed;
	size_t count = 0;
	struct choice c = {0};
	json_t *stand_in = params ? NULL : json_object();
	if (capability_parse(a, pattern, &parsed, NULL)) parsed = NULL;
	if (parsed && stand_in) policy_example_params(parsed, stand_in);
	/* At least once; then for each alternative of each brace. */
	for (bool is_more = parsed; is_more && count < POLICY_EXAMPLES_MAX; is_more = c.brace < c.braces_seen) {
		struct policy_call *call = &out[count];
		struct buf b;
		buf_init(&b, EXAMPLE_BYTES_MAX);
		c.braces_seen = c.most_of_brace = 0;
		fill_in(&b, pattern, params, &c);
		call->pattern = arena_strdup(a, pattern);
		bool is_one = !b.is_full && !capability_words(a, b.data, &call->kind, &call->words, &call->word_count, NULL);
		buf_clear(&b);
		count += is_one && capability_allows(parsed, call->kind, call->words, call->word_count, params ? params : stand_in);
		if (++c.alternative >= c.most_of_brace) c.brace++, c.alternative = 1;
	}
	json_decref(stand_in);
	return count;
}

static void add_param(const char *name, void *arg)
{
	char *value = mem_printf("param-%s", name);
	json_object_set_new(arg, name, json_string(value));
	free(value);
}

void policy_example_params(const struct capability *c, json_t *params)
{
	capability_each_param(c, add_param, params);
}

const char *policy_book_example(struct arena *a, const char *glob)
{
	struct buf b;
	buf_init(&b, EXAMPLE_BYTES_MAX);
	for (const char *g = glob; *g;) {
		if (*g != '*') {
			buf_char(&b, *g++);
			continue;
		}
		bool is_last = g[strspn(g, "*")] == 0;
		g += strspn(g, "*");
		buf_str(&b, is_last ? "any.md" : "any");
	}
	const char *book = arena_strndup(a, b.data ? b.data : "", b.len);
	buf_clear(&b);
	return book;
}
