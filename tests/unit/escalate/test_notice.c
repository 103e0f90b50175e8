/* What a message says, and how it goes as mail. */
#include "base/json.h"
#include "escalate/mail_text.h"
#include "escalate/notice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE INT64_C(60000000)
#define NOW INT64_C(1764000000000000)

static struct notice notice_of_ana(void)
{
	return (struct notice){.kind = NOTICE_ESCALATION,
	                       .incident = "01J9ZK3V5QW8X7C2N4M6B8R0TY",
	                       .number = 3,
	                       .person = "ana",
	                       .title = "Disk full",
	                       .priority = "P1",
	                       .trigger = "failed",
	                       .means = "a step failed or timed out",
	                       .reason = "no space left",
	                       .host = "web-03",
	                       .book = "playbooks/disk.md",
	                       .execution = "01J9ZK3V5QW8X7C2N4M6B8R0TX",
	                       .step = "look",
	                       .policy = "web",
	                       .level = 2,
	                       .round = 1,
	                       .link = "https://rung.example.net/a/x",
	                       .since_us = NOW - 12 * MINUTE,
	                       .sent_us = NOW,
	                       .workspace_host = "bastion"};
}

static void assert_body(const struct notice *n, const char *want)
{
	struct buf b;
	buf_init(&b, NOTICE_BYTES_MAX);
	assert_true(notice_body(n, &b));
	assert_string_equal(b.data, want);
	buf_clear(&b);
}

static void it_says_what_where_since_when_and_what_to_do(void **state)
{
	(void)state;
	struct notice n = notice_of_ana();
	struct buf b;
	assert_body(&n,
	            "What:      Disk full\nWhy:       a step failed or timed out\n           no space left\n"
	            "Where:     web-03, playbooks/disk.md, step look, execution 01J9ZK3V5QW8X7C2N4M6B8R0TX\nSince:     2025-11-24T15:48:00Z, for 12 min 0 s\n"
	            "Priority:  P1\nLadder:    level 2 of web\nIncident:  01J9ZK3V5QW8X7C2N4M6B8R0TY\nEngine:    bastion\n\n"
	            "You are asked to look. Say that you have it, and nobody else is notified:\n\n  rung ack 01J9ZK3V5QW8X7C2N4M6B8R0TY\n"
	            "  https://rung.example.net/a/x\n\nSee it, and take part:\n\n  rung attach 01J9ZK3V5QW8X7C2N4M6B8R0TX\n");
	buf_init(&b, NOTICE_BYTES_MAX);
	assert_true(notice_subject(&n, &b));
	assert_string_equal(b.data, "[rung] P1 Disk full on web-03 (failed)");
	buf_clear(&b);
}

static void a_message_of_a_step_asks_for_nothing(void **state)
{
	(void)state;
	struct notice n = {.kind = NOTICE_MESSAGE, .incident = "01J9ZK3V5QW8X7C2N4M6B8R0TX", .person = "ana", .text = "it begins\nnow", .step = "tell"};
	assert_body(&n, "it begins\nnow\n\nWhere:     step tell\nOf:        01J9ZK3V5QW8X7C2N4M6B8R0TX\n");
}

static void what_steers_is_made_visible_and_what_is_long_is_cut(void **state)
{
	(void)state;
	struct notice n = notice_of_ana();
	struct buf b;
	char *title = malloc(100001);
	memset(title, 'x', 100000);
	title[100000] = 0;
	memcpy(title, "\033[2J\n", 5);
	n.title = n.reason = n.host = title;
	buf_init(&b, NOTICE_BYTES_MAX);
	assert_true(notice_subject(&n, &b));
	assert_true(b.len < 300);
	assert_non_null(strstr(b.data, "\xe2\x90\x9b[2J\xe2\x90\x8axxx"));
	assert_null(strchr(b.data, '\n'));
	buf_reset(&b);
	assert_true(notice_body(&n, &b));
	assert_true(b.len < 3000);
	assert_null(strchr(b.data, '\033'));
	buf_clear(&b);
	free(title);
}

static void the_json_has_the_same_fields(void **state)
{
	(void)state;
	struct notice n = notice_of_ana();
	json_t *o = notice_json(&n);
	assert_string_equal(json_str(o, "key", ""), "01J9ZK3V5QW8X7C2N4M6B8R0TY.3");
	assert_string_equal(json_str(o, "reason", ""), "no space left");
	assert_string_equal(json_str(o, "since", ""), "2025-11-24T15:48:00.000000Z");
	assert_int_equal(json_int(o, "level", 0), 2);
	assert_null(json_object_get(o, "text"));
	json_decref(o);
}

static char *mail(const char *subject, const char *body)
{
	struct mail_text m = {
	    .from = "rung@example.net", .to = "ana@example.net", .subject = subject, .body = body, .key = "K.1", .thread = "K", .date_us = NOW};
	struct buf b;
	buf_init(&b, MAIL_TEXT_BYTES_MAX);
	assert_true(mail_text_make(&m, &b));
	return buf_take(&b);
}

static void a_mail_is_as_the_standard_has_it(void **state)
{
	(void)state;
	char *text = mail("[rung] Disk full", "Hello\n.\nFrom now on é=\n");
	assert_string_equal(text,
	                    "Date: Mon, 24 Nov 2025 16:00:00 +0000\r\nFrom: <rung@example.net>\r\nTo: <ana@example.net>\r\nSubject: [rung] Disk full\r\n"
	                    "Message-ID: <K.1@example.net>\r\nReferences: <K@example.net>\r\nList-Id: <rung.example.net>\r\nAuto-Submitted: auto-generated\r\n"
	                    "X-Auto-Response-Suppress: All\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n"
	                    "Content-Transfer-Encoding: quoted-printable\r\n\r\nHello\r\n=2E\r\n=46rom now on =C3=A9=3D\r\n");
	free(text);
}

static void a_subject_begins_no_other_header(void **state)
{
	(void)state;
	char *text = mail("x\r\nBcc: everybody@example.net", "");
	assert_non_null(strstr(text, "\r\nSubject: x\r\nMessage-ID: "));
	assert_null(strstr(text, "Bcc"));
	free(text);
	text = mail("=?utf-8?q?=0D=0ABcc:_x?=", "");
	assert_non_null(strstr(text, "\r\nSubject: =?UTF-8?B?PT91dGYtOD9xPz0wRD0wQUJjYzpfeD89?=\r\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_says_what_where_since_when_and_what_to_do),
	    cmocka_unit_test(a_message_of_a_step_asks_for_nothing),
	    cmocka_unit_test(what_steers_is_made_visible_and_what_is_long_is_cut),
	    cmocka_unit_test(the_json_has_the_same_fields),
	    cmocka_unit_test(a_mail_is_as_the_standard_has_it),
	    cmocka_unit_test(a_subject_begins_no_other_header),
	};
	json_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
