#include "base/clock.h"
#include "cli/spawn.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEADLINE_US = 20000000 };

struct ran {
	char out[4096];
	size_t len;
	enum spawn_end end;
	int number;
	bool is_left;
};

static void read_into(struct ran *r, struct spawn *s, int *fd)
{
	char data[1024];
	ssize_t n = spawn_read(s, fd, data, sizeof data);
	if (n <= 0 || r->len + (size_t)n >= sizeof r->out) return;
	memcpy(r->out + r->len, data, (size_t)n);
	r->len += (size_t)n;
	r->out[r->len] = 0;
}

static struct ran run_it(struct spawn_carry *c, const char *command, bool is_terminal, int signal_when_printed)
{
	struct ran r = {.len = 0};
	struct spawn s;
	struct error e;
	int64_t until_us = clock_monotonic_us() + DEADLINE_US;
	if (spawn_start(c, command, NULL, is_terminal, 80, 24, &s, &e)) fail_msg("%s", e.text);
	while (!spawn_has_ended(&s)) {
		struct pollfd p[] = {{.fd = s.out, .events = POLLIN}, {.fd = s.err, .events = POLLIN}, {.fd = s.status, .events = POLLIN}};
		assert_true(clock_monotonic_us() < until_us);
		poll(p, 3, 1000);
		read_into(&r, &s, &s.out);
		read_into(&r, &s, &s.err);
		if (signal_when_printed && r.len) spawn_signal(&s, signal_when_printed);
	}
	for (int i = 0; i < 8; i++) read_into(&r, &s, &s.out), read_into(&r, &s, &s.err);
	r.end = s.end, r.number = s.number;
	r.is_left = spawn_finish(&s, c);
	return r;
}

static void what_a_command_sets_is_there_for_the_next(void **state)
{
	struct spawn_carry c;
	(void)state;
	spawn_carry_init(&c);
	run_it(&c, "export A='x y'\nB=\"two\nlines\"; cd /usr; f() { echo from f; }", false, 0);
	struct ran r = run_it(&c, "echo \"$A|$B|$(pwd)\"", false, 0);
	assert_string_equal(r.out, "x y|two\nlines|/usr\n");
	run_it(&c, "unset A; exit 3", false, 0);
	r = run_it(&c, "echo \"${A-unset}\"", false, 0);
	assert_string_equal(r.out, "unset\n");
	spawn_carry_clear(&c);
}

static void the_end_of_a_command_is_told(void **state)
{
	struct spawn_carry c;
	(void)state;
	spawn_carry_init(&c);
	struct ran r = run_it(&c, "echo out; echo err >&2; exit 3", false, 0);
	assert_int_equal(r.end, SPAWN_EXITED);
	assert_int_equal(r.number, 3);
	assert_non_null(strstr(r.out, "err"));
	r = run_it(&c, "echo ready; exec sleep 300", false, SIGTERM);
	assert_int_equal(r.end, SPAWN_SIGNALED);
	assert_int_equal(r.number, SIGTERM);
	r = run_it(&c, "if broken", false, 0);
	assert_int_equal(r.end, SPAWN_EXITED);
	assert_int_not_equal(r.number, 0);
	r = run_it(&c, "read x; echo \"read: $x\"", false, 0);
	assert_string_equal(r.out, "read: \n");
	spawn_carry_clear(&c);
}

static void a_terminal_is_one(void **state)
{
	struct spawn_carry c;
	(void)state;
	spawn_carry_init(&c);
	struct ran r = run_it(&c, "tty -s && stty size; export T=carried", true, 0);
	assert_non_null(strstr(r.out, "24 80"));
	r = run_it(&c, "echo $T", false, 0);
	assert_string_equal(r.out, "carried\n");
	r = run_it(&c, "printf '\\033[?1049h'", true, 0);
	assert_int_equal(r.number, 0);
	spawn_carry_clear(&c);
}

static bool is_alive(pid_t pid)
{
	return kill(pid, 0) == 0;
}

/* What a command leaves in the background runs on, is told, and ends with the carry. */
static void background_ends_with_the_person(void **state)
{
	struct spawn_carry c;
	(void)state;
	spawn_carry_init(&c);
	struct ran r = run_it(&c, "sleep 300 >/dev/null 2>&1 & echo $!", false, 0);
	pid_t left = (pid_t)atoi(r.out);
	assert_true(left > 1);
	assert_true(r.is_left);
	assert_true(is_alive(left));
	spawn_carry_clear(&c);
	int64_t until_us = clock_monotonic_us() + DEADLINE_US;
	while (is_alive(left) && clock_monotonic_us() < until_us) poll(NULL, 0, 5);
	assert_false(is_alive(left));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_a_command_sets_is_there_for_the_next),
	    cmocka_unit_test(the_end_of_a_command_is_told),
	    cmocka_unit_test(a_terminal_is_one),
	    cmocka_unit_test(background_ends_with_the_person),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
