#include "base/fs.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The client against a small engine of this test: a process that reads one request after another and answers from a script. */

struct line {
	const char *head; /* @ stands for the number of the last request; NULL: close */
	const char *payload;
	bool after_request; /* waits for a request first */
};

static char folder[] = "/tmp/rung-client-XXXXXX";

static void send_line(int fd, const struct line *l, long long id)
{
	struct buf out;
	char head[4096];
	const char *at = strchr(l->head, '@');
	struct error e;
	buf_init(&out, 1 << 20);
	if (at)
		snprintf(head, sizeof head, "%.*s%lld%s", (int)(at - l->head), l->head, id, at + 1);
	else
		snprintf(head, sizeof head, "%s", l->head);
	json_t *v = json_parse(head, strlen(head), 16, &e);
	if (v)
		frame_write(&out, v, l->payload, l->payload ? strlen(l->payload) : 0);
	else
		buf_add(&out, "\xff\xff\xff\xff garbage", 12);
	fs_write_all(fd, out.data, out.len, NULL);
	json_decref(v);
	buf_clear(&out);
}

static _Noreturn void be_engine(int listener, const struct line *script)
{
	struct frame_reader r;
	struct frame f;
	struct error e;
	long long id = 0;
	int fd = accept(listener, NULL, NULL);
	frame_reader_init(&r, 1 << 20, 1 << 20);
	for (const struct line *l = script; l->head; l++) {
		while (l->after_request && frame_reader_next(&r, &f, &e) != ERR_OK) {
			char data[4096];
			ssize_t n = read(fd, data, sizeof data);
			if (n <= 0) _exit(0);
			frame_reader_feed(&r, data, (size_t)n);
		}
		if (l->after_request) id = json_int(r.head, "id", 0);
		send_line(fd, l, id);
	}
	_exit(0);
}

static pid_t start_engine_of_test(const struct line *script)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s/engine.sock", folder);
	unlink(address.sun_path);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listener, 4), 0);
	pid_t pid = fork();
	if (pid == 0) be_engine(listener, script);
	close(listener);
	return pid;
}

#define HELLO                                                                                                                                                  \
	{                                                                                                                                                      \
		"{\"re\":@,\"ok\":true,\"value\":{\"user\":\"ana\"}}", NULL, true                                                                              \
	}

static struct client *connect_to(const struct line *script, pid_t *pid)
{
	struct client *c;
	struct error e;
	*pid = start_engine_of_test(script);
	if (client_connect(folder, &c, &e)) fail_msg("%s", e.text);
	assert_string_equal(json_str(client_hello(c), "user", ""), "ana");
	return c;
}

static void finish(struct client *c, pid_t pid)
{
	client_close(c);
	waitpid(pid, NULL, 0);
}

static void count_event(void *arg, const json_t *head, const char *payload, size_t n)
{
	(void)head, (void)payload, (void)n;
	++*(int *)arg;
}

static void answers_and_events_are_told_apart(void **state)
{
	static const struct line script[] = {HELLO,
	                                     {"{\"ev\":\"one\"}", NULL, true},
	                                     {"{\"re\":@,\"ok\":true,\"value\":{\"x\":1}}", "payload", false},
	                                     {"{\"ev\":\"two\"}", NULL, false},
	                                     {NULL, NULL, false}};
	int events = 0;
	struct error e = {0};
	struct answer a = {0};
	pid_t pid;
	(void)state;
	struct client *c = connect_to(script, &pid);
	client_on_event(c, count_event, &events);
	assert_int_equal(client_request(c, "x", NULL, &a, &e), ERR_OK);
	assert_int_equal(json_int(a.value, "x", 0), 1);
	assert_int_equal(a.payload_len, 7);
	assert_int_equal(events, 1);
	/* What came behind the answer is not lost, and is not handed out before the caller has the answer. */
	assert_true(client_has_more(c));
	while (client_read(c, &e) == ERR_OK && events < 2) {
	}
	assert_int_equal(events, 2);
	answer_clear(&a);
	finish(c, pid);
}

static void errors_keep_their_kind_and_sentence(void **state)
{
	static const struct line script[] = {
	    HELLO, {"{\"re\":@,\"ok\":false,\"error\":{\"kind\":\"denied\",\"text\":\"not you\"}}", NULL, true}, {NULL, NULL, false}};
	struct error e = {0};
	pid_t pid;
	(void)state;
	struct client *c = connect_to(script, &pid);
	assert_int_equal(client_request(c, "x", NULL, NULL, &e), ERR_DENIED);
	assert_string_equal(e.text, "not you");
	finish(c, pid);
}

static void an_engine_that_goes_is_told(void **state)
{
	static const struct line script[] = {HELLO, {"{\"ev\":\"last\"}", NULL, true}, {NULL, NULL, false}};
	int events = 0;
	struct error e = {0};
	pid_t pid;
	(void)state;
	struct client *c = connect_to(script, &pid);
	client_on_event(c, count_event, &events);
	assert_int_equal(client_request(c, "x", NULL, NULL, &e), ERR_CLOSED);
	assert_int_equal(events, 1);
	assert_int_equal(client_request(c, "x", NULL, NULL, &e), ERR_CLOSED);
	finish(c, pid);
}

static void garbage_is_the_end_of_the_connection(void **state)
{
	static const struct line script[] = {HELLO, {"garbage", NULL, true}, {NULL, NULL, false}};
	struct error e = {0};
	pid_t pid;
	(void)state;
	struct client *c = connect_to(script, &pid);
	assert_int_equal(client_request(c, "x", NULL, NULL, &e), ERR_PROTOCOL);
	finish(c, pid);
}

static void nobody_listening_is_not_found(void **state)
{
	struct client *c;
	struct error e;
	(void)state;
	assert_int_equal(client_connect("/nonexistent", &c, &e), ERR_NOT_FOUND);
}

static void seen(void *arg, const json_t *step, const char *was, json_int_t attempt_was)
{
	char *out = arg;
	snprintf(out + strlen(out), 200 - strlen(out), "%s:%s>%s(%d) ", json_str(step, "id", ""), was, json_str(step, "state", ""), (int)attempt_was);
}

static void event(struct session *s, const char *text, const char *payload)
{
	struct error e;
	json_t *v = json_parse(text, strlen(text), 16, &e);
	assert_non_null(v);
	session_event(s, v, payload, payload ? strlen(payload) : 0);
	json_decref(v);
}

static void views_are_merged(void **state)
{
	static const struct session_hooks hooks = {.step_changed = seen};
	char log[200] = "";
	struct session s;
	struct error e;
	(void)state;
	static const char view[] = "{\"execution\":\"01A\",\"state\":\"running\",\"steps\":[{\"id\":\"a\",\"title\":\"A\",\"state\":\"pending\"},{\"id\":\"b\","
	                           "\"state\":\"pending\"}]}";
	session_init(&s, json_parse(view, strlen(view), 16, &e));
	session_set_hooks(&s, &hooks, log);
	event(&s, "{\"ev\":\"view\",\"execution\":\"01A\",\"state\":\"waiting\",\"steps\":[{\"id\":\"a\",\"state\":\"running\",\"attempt\":1}]}", NULL);
	event(&s, "{\"ev\":\"view\",\"execution\":\"01B\",\"state\":\"failed\"}", NULL);
	event(
	    &s,
	    "{\"ev\":\"view\",\"execution\":\"01A\",\"steps\":[{\"id\":\"nobody\",\"state\":\"running\"},{\"id\":\"a\",\"state\":\"running\",\"attempt\":1}]}",
	    NULL);
	event(&s, "{\"ev\":\"output\",\"execution\":\"01A\",\"step\":\"a\",\"attempt\":1,\"stream\":\"stdout\"}", "first\n");
	event(&s, "{\"ev\":\"output\",\"execution\":\"01A\",\"step\":\"a\",\"attempt\":2,\"stream\":\"stdout\"}", "again\n");
	assert_string_equal(log, "a:pending>running(0) ");
	assert_string_equal(session_state(&s), "waiting");
	assert_string_equal(json_str(view_step(s.view, "a"), "title", ""), "A");
	assert_int_equal(tail_count(session_tail(&s, "a")), 1);
	assert_null(session_tail(&s, "b"));
	event(&s, "{\"ev\":\"ended\",\"execution\":\"01A\",\"state\":\"succeeded\"}", NULL);
	assert_true(s.is_ended && view_is_over(s.view));
	assert_int_equal(view_exit_status(s.view), 0);
	session_clear(&s);
}

int main(void)
{
	if (!mkdtemp(folder)) return 1;
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_and_events_are_told_apart), cmocka_unit_test(errors_keep_their_kind_and_sentence),
	    cmocka_unit_test(an_engine_that_goes_is_told),       cmocka_unit_test(garbage_is_the_end_of_the_connection),
	    cmocka_unit_test(nobody_listening_is_not_found),     cmocka_unit_test(views_are_merged),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	char path[64];
	snprintf(path, sizeof path, "%s/engine.sock", folder);
	unlink(path);
	rmdir(folder);
	return failed;
}
