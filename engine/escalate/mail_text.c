#include "escalate/mail_text.h"
#include "base/encode.h"
#include "base/text.h"

#include <string.h>
#include <time.h>

enum { LINE_BYTES_MAX = 76, WORD_BYTES_MAX = 42 /* of an encoded word: 56 in base64, and what stands around it */ };

static bool is_plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~') return false;
	return true;
}

/* What cannot stand in a field: whatever it was meant to be, it is a space. */
static void add_field_text(struct buf *b, const char *s)
{
	for (; *s; s++) buf_char(b, *s < ' ' || *s > '~' ? ' ' : *s);
}

/* As words of base64, one a line (RFC 2047): no character is cut in two. */
static void add_encoded(struct buf *b, const char *s, size_t n)
{
	for (size_t at = 0, take; at < n; at += take) {
		take = text_cut(s + at, n - at, WORD_BYTES_MAX);
		if (take == 0) take = n - at < WORD_BYTES_MAX ? n - at : WORD_BYTES_MAX;
		buf_str(b, at ? "\r\n =?UTF-8?B?" : "=?UTF-8?B?");
		encode_base64(b, s + at, take);
		buf_str(b, "?=");
	}
}

/* A line's end ends what is taken of it. */
static void add_subject(struct buf *b, const char *subject)
{
	size_t n = strcspn(subject, "\r\n");
	buf_str(b, "Subject: ");
	/* "=?" would be read as an encoded word, and a long line would have to be folded: both go encoded, too. */
	if (is_plain(subject, n) && n <= LINE_BYTES_MAX - 9 && !strstr(subject, "=?"))
		buf_add(b, subject, n);
	else
		add_encoded(b, subject, n);
	buf_str(b, "\r\n");
}

static void add_date(struct buf *b, int64_t us)
{
	/* Not strftime: the names are English whatever the locale is. */
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
	                  months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t s = (time_t)(us / 1000000);
	struct tm tm;
	gmtime_r(&s, &tm);
	buf_printf(b, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
	           tm.tm_sec);
}

static void add_address(struct buf *b, const char *name, const char *address)
{
	buf_printf(b, "%s: <", name);
	add_field_text(b, address);
	buf_str(b, ">\r\n");
}

static void add_id(struct buf *b, const char *name, const char *left, const char *domain)
{
	buf_printf(b, "%s: <", name);
	add_field_text(b, left);
	buf_char(b, '@');
	add_field_text(b, domain);
	buf_str(b, ">\r\n");
}

/* Quoted-printable (RFC 2045, 6.7). */
static void add_body(struct buf *b, const char *s)
{
	size_t column = 0;
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		bool is_line_end = c == '\n', is_last = s[1] == '\n' || !s[1];
		bool is_plain_here = (c > ' ' && c <= '~' && c != '=') || ((c == ' ' || c == '\t') && !is_last);
		size_t width = is_plain_here ? 1 : 3;
		if (is_line_end) {
			buf_str(b, "\r\n");
			column = 0;
			continue;
		}
		if (column + width >= LINE_BYTES_MAX) {
			buf_str(b, "=\r\n");
			column = 0;
		}
		/* A line that begins with a dot, or with From, is somebody's idea of an end. */
		bool is_risky = column == 0 && (c == '.' || c == 'F');
		if (is_plain_here && !is_risky)
			buf_char(b, (char)c);
		else
			buf_printf(b, "=%02X", c);
		column += is_risky ? 3 : width;
	}
	if (column) buf_str(b, "\r\n");
}

bool mail_text_make(const struct mail_text *m, struct buf *b)
{
	const char *at = strrchr(m->from, '@'), *domain = at ? at + 1 : "localhost";
	add_date(b, m->date_us);
	add_address(b, "From", m->from);
	add_address(b, "To", m->to);
	add_subject(b, m->subject);
	add_id(b, "Message-ID", m->key, domain);
	add_id(b, "References", m->thread, domain);
	buf_str(b, "List-Id: <rung.");
	add_field_text(b, domain);
	/* RFC 3834: nothing answers it by itself. */
	buf_str(b, ">\r\nAuto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n"
	           "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	add_body(b, m->body);
	return !b->is_full;
}
