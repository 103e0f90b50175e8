#include "book/book_reader.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>

enum { TITLE_COLUMNS = 90, TITLE_COLUMNS_LEAST = 30 };

/* Does the sentence end at s[i], which is '.', '!' or '?'? Abbreviations and versions do not end one. */
static bool ends_sentence(const char *s, size_t n, size_t i)
{
	static const char *const abbreviations[] = {"e.g", "i.e", "etc", "vs", "cf", "approx", "no", "fig"};
	if (i + 1 < n && !isspace((unsigned char)s[i + 1])) return false;
	for (size_t k = 0; k < sizeof abbreviations / sizeof abbreviations[0]; k++) {
		size_t m = strlen(abbreviations[k]);
		if (i >= m && strncmp(s + i - m, abbreviations[k], m) == 0 && (i == m || !isalpha((unsigned char)s[i - m - 1]))) return false;
	}
	return true;
}

static size_t wide_stop(const char *s)
{
	return strncmp(s, "。", 3) == 0 || strncmp(s, "！", 3) == 0 || strncmp(s, "？", 3) == 0 ? 3 : 0;
}

/* The first sentence of s, or the last one. */
static const char *sentence(const char *s, size_t *n, bool last)
{
	size_t start = 0, len = *n;
	for (size_t i = 0; i < len; i++) {
		size_t wide = wide_stop(s + i);
		bool is_stop = strchr(".!?", s[i]) && ends_sentence(s, len, i);
		if (!wide && !is_stop) continue;
		size_t next = i + (wide ? wide : 1);
		while (next < len && isspace((unsigned char)s[next])) next++;
		if (next >= len) break;
		if (!last && text_columns(s + start, i - start) >= 3) {
			*n = i - start;
			return s + start;
		}
		if (last) start = next;
	}
	*n = len - start;
	return s + start;
}

/* Cuts a long title: at a comma, bracket, colon or dash where enough is left, else behind a word. */
static const char *cut(struct arena *a, const char *s, size_t n)
{
	if (text_columns(s, n) <= TITLE_COLUMNS) return arena_strndup(a, s, n);
	size_t at = 0, clause = 0, word = 0, columns = 0;
	bool may_end_at_comma = !words_is_lead_in(s);
	uint32_t code;
	while (at < n && columns < TITLE_COLUMNS - 1) {
		size_t step = text_decode(s + at, s + n, &code);
		if (!step) break;
		if (columns >= TITLE_COLUMNS_LEAST && at + 1 < n) {
			if (strchr(",;:", s[at]) && s[at + 1] == ' ' && (may_end_at_comma || s[at] == ';')) clause = at;
			if (s[at] == ' ' && (s[at + 1] == '(' || strncmp(s + at + 1, "- ", 2) == 0 || strncmp(s + at + 1, "— ", 4) == 0)) clause = at;
		}
		if (s[at] == ' ') word = at;
		columns += (size_t)text_columns_of(code);
		at += step;
	}
	if (clause) return arena_strndup(a, s, clause);
	if (word < n / 8 || word < 20) word = at;
	return arena_printf(a, "%.*s…", (int)word, s);
}

static const char *tidy(struct arena *a, const char *s, size_t n)
{
	char *out = arena_alloc(a, n + 1);
	size_t len = 0;
	for (size_t i = 0; i < n; i++) {
		bool is_space = isspace((unsigned char)s[i]);
		if (is_space && (len == 0 || out[len - 1] == ' ')) continue;
		out[len++] = is_space ? ' ' : s[i];
	}
	while (len && strchr(" .:,;", out[len - 1])) len--;
	if (len >= 3 && (strncmp(out + len - 3, "：", 3) == 0 || strncmp(out + len - 3, "。", 3) == 0)) len -= 3;
	out[len] = 0;
	return out;
}

/* The bold words that a paragraph begins with, where they are a title of their own: alone, before a line break, or three words or more. */
static const char *bold_title(struct arena *a, const struct block *b)
{
	const struct span *s = b->spans;
	while (s && s->kind == SPAN_HTML) s = s->next;
	if (!s || s->kind != SPAN_STRONG) return NULL;
	struct buf text;
	buf_init(&text, BOOK_BYTES_MAX);
	document_plain_spans(&text, s->first);
	size_t words = 0;
	for (size_t i = 0; i < text.len; i++) words += isspace((unsigned char)text.data[i]) != 0;
	const struct span *next = s->next;
	bool stands_alone = !next || next->kind == SPAN_BREAK || next->kind == SPAN_SOFT_BREAK ||
	                    (next->kind == SPAN_TEXT && next->text_len == 1 && next->text[0] == ':' && !next->next);
	const char *title = text.len && (stands_alone || words >= 2) ? tidy(a, text.data, text.len) : NULL;
	buf_clear(&text);
	return title && *title ? title : NULL;
}

const char *title_from(struct arena *a, const struct block *b, bool prefer_last)
{
	const char *bold = b->kind == BLOCK_PARAGRAPH ? bold_title(a, b) : NULL;
	if (bold) return cut(a, bold, strlen(bold));
	const char *plain = document_plain_dup(a, b);
	size_t n = strlen(plain);
	if (n > 4000) n = 4000; /* a title is looked for at the start; cut() drops a character that was split */
	bool leads = n && (plain[n - 1] == ':' || (n >= 3 && strncmp(plain + n - 3, "：", 3) == 0));
	const char *s = sentence(plain, &n, prefer_last && leads);
	s = tidy(a, s, n);
	return cut(a, s, strlen(s));
}
