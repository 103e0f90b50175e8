/* Messages: whatever strangers wrote, a mail has the headers that it has and no other, in lines of plain ASCII; subject and JSON steer nothing. */
#include "base/arena.h"
#include "base/json.h"
#include "base/text.h"
#include "escalate/mail_text.h"
#include "escalate/notice.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool steers(const char *s, size_t n, bool may_break)
{
	uint32_t code;
	for (size_t i = 0, k; i < n; i += k) {
		k = text_decode(s + i, s + n, &code);
		if (k == 0 || (text_is_control(code) && !(may_break && code == '\n') && code != '\t')) return true;
	}
	return false;
}

static void check_mail(const struct notice *n, const char *subject, const char *body)
{
	static const char *const names[] = {"Date: ",         "From: ",           "To: ",
	                                    "Subject: ",      "Message-ID: ",     "References: ",
	                                    "List-Id: ",      "Auto-Submitted: ", "X-Auto-Response-Suppress: ",
	                                    "MIME-Version: ", "Content-Type: ",   "Content-Transfer-Encoding: "};
	struct mail_text m = {.from = "rung@example.net", .to = "ana@example.net", .subject = subject, .body = body, .key = n->incident, .thread = n->incident};
	struct buf b;
	size_t header = 0;
	bool is_body = false;
	buf_init(&b, MAIL_TEXT_BYTES_MAX);
	must(mail_text_make(&m, &b));
	for (const char *at = b.data, *end; at < b.data + b.len; at = end + 2) {
		end = strstr(at, "\r\n");
		must(end && end - at <= 78);
		for (const char *p = at; p < end; p++) must((*p >= ' ' && *p <= '~') || (is_body && *p == '\t'));
		if (is_body || *at == ' ') continue;
		is_body = end == at;
		if (!is_body) must(header < sizeof names / sizeof *names && strncmp(at, names[header], strlen(names[header])) == 0);
		header++;
	}
	must(header == sizeof names / sizeof *names + 1);
	buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	/* Fields that strangers fill, each ended by a zero byte. */
	char text[4096] = {0};
	const char *field[8];
	memcpy(text, data, n < sizeof text - 1 ? n : sizeof text - 1);
	for (size_t i = 0, at = 0; i < 8; i++) {
		field[i] = text + at;
		at += strlen(text + at);
		if (at < sizeof text - 1) at++;
	}
	struct notice m = {.kind = (enum notice_kind)(n % 3),
	                   .incident = "01J9ZK3V5QW8X7C2N4M6B8R0TY",
	                   .number = 3,
	                   .person = "ana",
	                   .title = field[0],
	                   .reason = field[1],
	                   .host = field[2],
	                   .book = field[3],
	                   .step = field[4],
	                   .priority = field[5],
	                   .text = field[6],
	                   .link = "https://rung.example.net/a/x",
	                   .since_us = 1};
	struct buf subject, body;
	buf_init(&subject, NOTICE_BYTES_MAX);
	buf_init(&body, NOTICE_BYTES_MAX);
	must(notice_subject(&m, &subject) && notice_body(&m, &body));
	must(!steers(subject.data, subject.len, false) && !steers(body.data, body.len, true) && text_is_utf8(body.data, body.len));
	/* Raw text, too: what makes a mail trusts nobody. */
	check_mail(&m, subject.data, body.data);
	check_mail(&m, field[0], field[1]);
	json_t *o = notice_json(&m);
	must(o && json_str(o, "subject", NULL) && strcmp(json_str(o, "subject", ""), subject.data) == 0);
	json_decref(o);
	buf_clear(&subject);
	buf_clear(&body);
	return 0;
}
