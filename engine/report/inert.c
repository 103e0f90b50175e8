#include "report/inert.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 4000, HEX_RUN_MIN = 7 };

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A dot or colon ends a sentence or stands in a number; elsewhere it may make a link, an emoji or an address. */
static bool is_plain_point(char before, char c, char after)
{
	if (is_digit(before) && is_digit(after)) return true;
	return c == '.' ? !is_word(after) && after != '/' : after == ' ' || after == 0;
}

/* Forges make links of abbreviated digests and of numbers of their own. */
static bool is_reference(const char *p)
{
	if (strncmp(p, "GH-", 3) == 0 && is_digit(p[3])) return true;
	return strspn(p, "0123456789abcdef") >= HEX_RUN_MIN;
}

/* Letters, digits and the punctuation of sentences, from which no dialect of Markdown makes anything in the middle of a line. */
static bool is_prose(const char *text)
{
	char before = 0;
	for (const char *p = text; *p; before = *p++) {
		if (!is_word(before) && is_reference(p)) return false;
		if (*p == '.' || *p == ':') {
			if (!is_plain_point(before, *p, p[1])) return false;
		} else if (!is_word(*p) && !strchr(" ,;()'\"?!=%+/-", *p)) {
			return false;
		}
	}
	return true;
}

static size_t longest_run(const char *text, char c)
{
	size_t longest = 0, run = 0;
	for (; *text; text++) {
		run = *text == c ? run + 1 : 0;
		if (run > longest) longest = run;
	}
	return longest;
}

static void add_code(struct buf *out, const char *text, size_t n, bool in_cell)
{
	size_t ticks = longest_run(text, '`') + 1;
	/* One space at each end belongs to the marks; without it a backtick of the text would join them. */
	bool is_padded = text[0] == '`' || text[n - 1] == '`' || (text[0] == ' ' && text[n - 1] == ' ');
	for (size_t i = 0; i < ticks; i++) buf_char(out, '`');
	if (is_padded) buf_char(out, ' ');
	for (size_t i = 0; i < n; i++) {
		/* Dialects disagree about two backslashes and a pipe: none is left to read. */
		if (in_cell && text[i] == '|') buf_str(out, i > 0 && text[i - 1] == '\\' ? " \\" : "\\");
		buf_char(out, text[i]);
	}
	if (is_padded) buf_char(out, ' ');
	for (size_t i = 0; i < ticks; i++) buf_char(out, '`');
}

void markdown_inert(struct buf *out, const char *text, size_t n, bool in_cell)
{
	struct buf visible;
	size_t kept = text_cut(text, n, TEXT_BYTES_MAX);
	buf_init(&visible, 16 * TEXT_BYTES_MAX);
	text_visible(&visible, text, kept, TEXT_KEEP_NEWLINE);
	for (size_t i = 0; i < visible.len; i++)
		if (visible.data[i] == '\n') visible.data[i] = ' ';
	if (kept < n) buf_printf(&visible, " <%zu bytes more>", n - kept);
	size_t blanks = visible.len ? strspn(visible.data, " ") : 0;
	if (blanks < visible.len) {
		if (is_prose(visible.data))
			buf_str(out, visible.data + blanks);
		else
			add_code(out, visible.data, visible.len, in_cell);
	}
	buf_clear(&visible);
}
