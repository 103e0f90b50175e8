#include "book/render_text.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

enum { STYLED_BYTES_MAX = 16 << 20 };

void styled_init(struct styled *s)
{
	buf_init(&s->text, STYLED_BYTES_MAX);
	buf_init(&s->style, STYLED_BYTES_MAX);
}

void styled_clear(struct styled *s)
{
	buf_clear(&s->text);
	buf_clear(&s->style);
}

/* Gives all bytes that were just added their style. */
static void fill(struct styled *s, int style)
{
	while (s->style.len < s->text.len)
		if (!buf_char(&s->style, (char)style)) return;
}

void styled_add(struct styled *s, const char *text, size_t n, int style)
{
	text_visible(&s->text, text, n, TEXT_KEEP_NOTHING);
	fill(s, style);
}

static void newline(struct styled *s, int style)
{
	buf_char(&s->text, '\n');
	fill(s, style);
}

static void literal(struct styled *s, const char *text, int style)
{
	buf_str(&s->text, text);
	fill(s, style);
}

/* Text (address), once where both are the same. */
static void add_link(struct styled *s, const struct span *link, int style, const struct render_options *o)
{
	size_t before = s->text.len;
	if (link->kind == SPAN_IMAGE) literal(s, "[image: ", style | STYLE_DIM);
	styled_spans(s, link->first, style | STYLE_LINK, o);
	if (link->kind == SPAN_IMAGE) literal(s, "]", style | STYLE_DIM);
	bool is_same = s->text.len - before == link->target_len && memcmp(s->text.data + before, link->target, link->target_len) == 0;
	bool is_mail = link->target_len > 7 && strncasecmp(link->target, "mailto:", 7) == 0;
	if (is_same || is_mail || !link->target_len) return;
	literal(s, s->text.len > before ? " (" : "(", style | STYLE_DIM);
	styled_add(s, link->target, link->target_len, style | STYLE_DIM);
	literal(s, ")", style | STYLE_DIM);
}

/* Of HTML only line breaks are left. */
static void add_html(struct styled *s, const struct span *html, int style)
{
	if (html->text_len >= 3 && strncasecmp(html->text, "<br", 3) == 0) newline(s, style);
}

static void add_text(struct styled *s, const struct span *t, int style)
{
	/* A raw newline in a code span is a space. */
	for (size_t from = 0; from < t->text_len;) {
		const char *end = memchr(t->text + from, '\n', t->text_len - from);
		size_t n = end ? (size_t)(end - t->text) - from : t->text_len - from;
		styled_add(s, t->text + from, n, style);
		if (end) literal(s, " ", style);
		from += n + (end != NULL);
	}
}

void styled_spans(struct styled *s, const struct span *first, int style, const struct render_options *o)
{
	for (const struct span *t = first; t; t = t->next) {
		switch (t->kind) {
		case SPAN_TEXT:
			add_text(s, t, style);
			break;
		case SPAN_SOFT_BREAK:
			literal(s, " ", style);
			break;
		case SPAN_BREAK:
			newline(s, style);
			break;
		case SPAN_STRONG:
			styled_spans(s, t->first, style | STYLE_BOLD, o);
			break;
		case SPAN_EMPHASIS:
			styled_spans(s, t->first, style | STYLE_ITALIC, o);
			break;
		case SPAN_STRIKE:
			styled_spans(s, t->first, style | STYLE_STRIKE, o);
			break;
		case SPAN_CODE:
			if (!o->color) literal(s, "`", style);
			styled_spans(s, t->first, style | STYLE_CODE, o);
			if (!o->color) literal(s, "`", style);
			break;
		case SPAN_LINK:
		case SPAN_IMAGE:
			add_link(s, t, style, o);
			break;
		case SPAN_HTML:
			add_html(s, t, style);
			break;
		case SPAN_KIND_N:
			break;
		}
	}
}

size_t styled_columns(const struct styled *s, size_t from, size_t to)
{
	return from < to ? text_columns(s->text.data + from, to - from) : 0;
}

size_t styled_line(const struct styled *s, size_t from, size_t columns, size_t *next)
{
	*next = from;
	if (from >= s->text.len) return from;
	const char *p = s->text.data, *end = p + s->text.len;
	size_t at = from, used = 0, space = 0;
	uint32_t code;
	while (at < s->text.len) {
		if (p[at] == '\n') {
			*next = at + 1;
			return at;
		}
		size_t step = text_decode(p + at, end, &code);
		size_t width = step ? (size_t)text_columns_of(code) : 1;
		if (!step) step = 1;
		if (p[at] == ' ' && at > from) space = at;
		if (used + width > columns && at > from) {
			bool at_space = p[at] == ' ';
			size_t stop = at_space ? at : space ? space : at;
			*next = stop;
			while (*next < s->text.len && p[*next] == ' ') ++*next;
			return stop;
		}
		if (width == 2 && at > from) space = at; /* between East Asian characters a line may end */
		used += width;
		at += step;
	}
	*next = at;
	return at;
}

static void set_style(struct buf *out, int style)
{
	buf_str(out, "\033[0");
	if (style & (STYLE_BOLD | STYLE_HEADING)) buf_str(out, ";1");
	if (style & STYLE_DIM) buf_str(out, ";2");
	if (style & STYLE_ITALIC) buf_str(out, ";3");
	if (style & STYLE_LINK) buf_str(out, ";4");
	if (style & STYLE_STRIKE) buf_str(out, ";9");
	if (style & STYLE_CODE) buf_str(out, ";36");
	buf_char(out, 'm');
}

void styled_write(struct buf *out, const struct styled *s, size_t from, size_t to, const struct render_options *o)
{
	if (!o->color) {
		if (to > from) buf_add(out, s->text.data + from, to - from);
		return;
	}
	int now = 0;
	for (size_t i = from; i < to; i++) {
		int style = (unsigned char)s->style.data[i];
		if (style != now) set_style(out, style);
		now = style;
		buf_char(out, s->text.data[i]);
	}
	if (now) buf_str(out, "\033[0m");
}
