#include "policy/capability.h"

#include <string.h>

/* One word as POSIX shell quotes it, nothing expanded; NULL where a quote is not closed. */
static const char *read_word(struct arena *a, const char **at)
{
	const char *p = *at;
	char *out = arena_alloc(a, strlen(p) + 1), *to = out, quote = 0;
	for (; *p && (quote || (*p != ' ' && *p != '\t')); p++) {
		if (quote ? *p == quote : *p == '\'' || *p == '"')
			quote = quote ? 0 : *p;
		else if (*p == '\\' && quote != '\'' && p[1] && (!quote || strchr("\"\\$`", p[1])))
			*to++ = *++p;
		else
			*to++ = *p;
	}
	*at = p;
	return quote ? NULL : out;
}

enum err capability_words(struct arena *a, const char *text, const char **kind, const char *const **words, size_t *count, struct error *e)
{
	const char **list = arena_alloc(a, (strlen(text) + 1) * sizeof *list), *at = text;
	size_t n = 0;
	for (;;) {
		at += strspn(at, " \t");
		if (!*at) break;
		if (!(list[n++] = read_word(a, &at))) return error_set(e, ERR_INVALID, "\"%.80s\": a quote is not closed", text);
	}
	if (n < 2) return error_set(e, ERR_INVALID, "\"%.80s\" is no call: write its kind and words, as in sh systemctl restart nginx", text);
	*kind = list[0];
	*words = list + 1;
	*count = n - 1;
	return ERR_OK;
}
