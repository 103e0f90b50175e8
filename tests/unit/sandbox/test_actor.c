/* The actor's commands: what they get, what comes from them, how they end, and that nothing of them is left. */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

static struct sandbox *sandbox;
static char folder[] = "/tmp/rung-actor-XXXXXX";

/* What came of one command. */
struct outcome {
	struct buf out, err;
	json_t *last; /* "finished" or "failed" */
	json_t *started;
};

static void actor_open(struct peer *p, int lock_fd)
{
	peer_open(p, sandbox, SANDBOX_ACTOR, lock_fd);
	peer_expect(p, "ready");
}

/* Ends the actor and waits for it. */
static void actor_close(struct peer *p)
{
	shutdown(p->child.fd, SHUT_RDWR);
	peer_wait_end(p);
	peer_close(p);
}

static json_t *command(json_int_t id, const char *const *argv)
{
	json_t *list = json_array();
	for (; *argv; argv++) json_array_append_new(list, json_string(*argv));
	return json_pack("{s:s,s:I,s:s,s:s,s:o,s:{s:s}}", "t", "call", "id", id, "module", "sh", "function", "run", "argv", list, "env", "PATH",
	                 "/usr/bin:/bin");
}

static json_t *shell(json_int_t id, const char *text)
{
	return command(id, (const char *const[]){"sh", "-c", text, NULL});
}

/* Reads until the command id is over. */
static void outcome_read(struct peer *p, json_int_t id, struct outcome *o)
{
	*o = (struct outcome){0};
	buf_init(&o->out, 64 << 20);
	buf_init(&o->err, 64 << 20);
	while (!o->last) {
		const json_t *head = peer_read(p);
		assert_non_null(head);
		const char *type = json_str(head, "t", "");
		if (json_int(head, "id", 0) != id) continue;
		assert_true(p->frame.payload_len <= WIRE_OUTPUT_BYTES_MAX);
		if (strcmp(type, "started") == 0)
			o->started = json_deep_copy(head);
		else if (strcmp(type, "output") == 0)
			buf_add(strcmp(json_str(head, "stream", ""), "stdout") == 0 ? &o->out : &o->err, p->frame.payload, p->frame.payload_len);
		else
			o->last = json_deep_copy(head);
	}
}

static void outcome_clear(struct outcome *o)
{
	buf_clear(&o->out);
	buf_clear(&o->err);
	json_decref(o->last);
	json_decref(o->started);
}

/* Runs one command in an actor of its own. */
static struct outcome run(json_t *head, const void *input, size_t n)
{
	struct peer p;
	struct outcome o;
	json_int_t id = json_int(head, "id", 0);
	actor_open(&p, -1);
	peer_send(&p, head, input, n);
	outcome_read(&p, id, &o);
	actor_close(&p);
	return o;
}

static const char *out_of(const struct outcome *o)
{
	return o->out.data ? o->out.data : "";
}

/* Waits until no process has that number. */
static void wait_gone(pid_t pid)
{
	for (int64_t deadline = clock_monotonic_us() + 30000000; kill(pid, 0) == 0;) {
		if (clock_monotonic_us() > deadline) fail_msg("process %d still runs", (int)pid);
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
}

/* ---- what a command gets and gives ---- */

static void test_arguments_are_given_as_they_are(void **state)
{
	(void)state;
	json_t *head = command(1, (const char *const[]){"printf", "%s|", "a", "b  c", "", "$HOME", "*", "'", NULL});
	json_array_append_new(json_arr(head, "argv"), json_pack("{s:s}", "b64", "/w=="));
	struct outcome o = run(head, NULL, 0);
	assert_string_equal(out_of(&o), "a|b  c||$HOME|*|'|\xff|");
	assert_int_equal(json_int(o.last, "code", -1), 0);
	assert_true(json_int(o.last, "us", -1) > 0);
	assert_string_equal(json_str(o.started, "path", ""), "/usr/bin/printf");
	assert_true(json_int(o.started, "pid", 0) > 0);
	outcome_clear(&o);
}

static void test_streams_and_status(void **state)
{
	(void)state;
	struct outcome o = run(shell(1, "echo out; echo err >&2; exit 3"), NULL, 0);
	assert_string_equal(out_of(&o), "out\n");
	assert_string_equal(o.err.data, "err\n");
	assert_int_equal(json_int(o.last, "code", -1), 3);
	outcome_clear(&o);
	o = run(shell(2, "kill -9 $$"), NULL, 0);
	assert_int_equal(json_int(o.last, "signal", -1), SIGKILL);
	assert_null(json_object_get(o.last, "code"));
	outcome_clear(&o);
}

static void test_standard_input(void **state)
{
	(void)state;
	struct outcome o = run(command(1, (const char *const[]){"cat", NULL}), "a\0\xff\n", 4);
	assert_int_equal(o.out.len, 4);
	assert_memory_equal(o.out.data, "a\0\xff\n", 4);
	outcome_clear(&o);
	const size_t n = 3 << 20;
	char *big = mem_alloc(n);
	memset(big, 'x', n);
	o = run(command(2, (const char *const[]){"wc", "-c", NULL}), big, n);
	assert_string_equal(out_of(&o), "3145728\n");
	outcome_clear(&o);
	/* Nobody reads it: no matter. And with none there is an end of file at once. */
	o = run(command(3, (const char *const[]){"true", NULL}), big, n);
	assert_int_equal(json_int(o.last, "code", -1), 0);
	outcome_clear(&o);
	o = run(command(4, (const char *const[]){"cat", NULL}), NULL, 0);
	assert_int_equal(o.out.len, 0);
	outcome_clear(&o);
	free(big);
}

static void test_environment_and_folder(void **state)
{
	(void)state;
	json_t *head = command(1, (const char *const[]){"env", NULL});
	json_object_set_new(head, "env", json_pack("{s:s,s:{s:s}}", "A", "1 2", "B", "b64", "/w=="));
	json_object_set_new(head, "cwd", json_string("/usr"));
	struct outcome o = run(head, NULL, 0);
	assert_string_equal(out_of(&o), "A=1 2\nB=\xff\n");
	outcome_clear(&o);
	head = command(2, (const char *const[]){"pwd", NULL});
	json_object_set_new(head, "cwd", json_string("/usr"));
	o = run(head, NULL, 0);
	assert_string_equal(out_of(&o), "/usr\n");
	outcome_clear(&o);
	/* Signals are as a shell starts them, limits are low, no controlling terminal. */
	o = run(shell(3, "grep SigBlk /proc/self/status; ulimit -c; ps -o tty= -p $$; trap 'echo ended; exit' PIPE; kill -PIPE $$"), NULL, 0);
	assert_string_equal(out_of(&o), "SigBlk:\t0000000000000000\n0\n?\nended\n");
	outcome_clear(&o);
}

static void test_nothing_else_is_inherited(void **state)
{
	struct peer p;
	struct outcome o;
	(void)state;
	char *path = mem_printf("%s/lock", folder);
	int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	actor_open(&p, lock);
	/* Another command runs at the same time: none of its pipes shows up. 3 is the folder that ls reads. */
	peer_send(&p, shell(1, "sleep 1000"), "x", 1);
	peer_expect(&p, "started");
	peer_send(&p, command(2, (const char *const[]){"ls", "/proc/self/fd", NULL}), NULL, 0);
	outcome_read(&p, 2, &o);
	assert_string_equal(out_of(&o), "0\n1\n2\n250\n3\n");
	outcome_clear(&o);
	actor_close(&p);
	close(lock);
	free(path);
}

static void test_ten_mebibytes(void **state)
{
	(void)state;
	struct outcome o = run(shell(1, "head -c 10485760 /dev/zero; head -c 1048576 /dev/zero >&2"), NULL, 0);
	assert_int_equal(o.out.len, 10485760);
	assert_int_equal(o.err.len, 1048576);
	outcome_clear(&o);
}

/* Resident memory of a process, in KiB. */
static long resident_kib(pid_t pid)
{
	char path[64], text[256];
	struct buf b;
	struct error e;
	long pages = 0, total;
	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	buf_init(&b, sizeof text);
	if (fs_read(path, &b, &e) == ERR_OK) assert_int_equal(sscanf(b.data, "%ld %ld", &total, &pages), 2);
	buf_clear(&b);
	return pages * 4;
}

/* Without a reader the commands stop, not the actor; and it goes on hearing the engine. */
static void test_flow_control(void **state)
{
	struct peer p;
	struct outcome o;
	(void)state;
	actor_open(&p, -1);
	peer_send(&p, command(1, (const char *const[]){"yes", NULL}), NULL, 0);
	peer_send(&p, command(2, (const char *const[]){"true", NULL}), NULL, 0);
	long before = resident_kib(p.child.pid);
	nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL); /* time in which it could read too much */
	assert_true(resident_kib(p.child.pid) < before + 32768);
	peer_send(&p, json_pack("{s:s,s:i}", "t", "cancel", "id", 1), NULL, 0);
	outcome_read(&p, 1, &o);
	assert_true(json_bool(o.last, "cancelled", false));
	assert_int_equal(json_int(o.last, "signal", 0), SIGTERM);
	assert_true(o.out.len < 32 << 20);
	outcome_clear(&o);
	actor_close(&p);
}

static void test_many_at_once(void **state)
{
	struct peer p;
	int finished = 0;
	(void)state;
	actor_open(&p, -1);
	for (int i = 1; i <= 60; i++) peer_send(&p, shell(i, "echo x"), NULL, 0);
	while (finished < 60) {
		const json_t *head = peer_read(&p);
		assert_non_null(head);
		assert_string_not_equal(json_str(head, "t", ""), "failed");
		finished += strcmp(json_str(head, "t", ""), "finished") == 0;
	}
	actor_close(&p);
}

/* More output at once than the actor holds: it waits for the engine to read. */
static void test_many_with_much_output(void **state)
{
	struct peer p;
	size_t bytes = 0;
	int finished = 0;
	(void)state;
	actor_open(&p, -1);
	for (int i = 1; i <= 100; i++) peer_send(&p, shell(i, "head -c 300000 /dev/zero"), NULL, 0);
	nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL); /* time in which all could write at once */
	while (finished < 100) {
		const json_t *head = peer_read(&p);
		assert_non_null(head);
		if (strcmp(json_str(head, "t", ""), "output") == 0) bytes += p.frame.payload_len;
		finished += strcmp(json_str(head, "t", ""), "finished") == 0;
	}
	assert_int_equal(bytes, 30000000);
	actor_close(&p);
}

/* ---- what does not start ---- */

static void check_failed(json_t *head, const char *kind, const char *why)
{
	struct outcome o = run(head, NULL, 0);
	if (strcmp(json_str(o.last, "t", ""), "failed") != 0 || strcmp(json_str(o.last, "kind", ""), kind) != 0 || !strstr(json_str(o.last, "why", ""), why))
		fail_msg("%s and \"%s\" were expected, this came: %s", kind, why, json_dumps(o.last, 0));
	outcome_clear(&o);
}

static char *file_make(const char *name, const char *text, mode_t mode)
{
	char *path = mem_printf("%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

static void test_what_cannot_be_run(void **state)
{
	(void)state;
	check_failed(command(1, (const char *const[]){"no-such-command", NULL}), "not_found", "there is no command no-such-command in /usr/local/sbin");
	check_failed(command(1, (const char *const[]){"bin/true", NULL}), "invalid", "write a bare name or an absolute path");
	check_failed(command(1, (const char *const[]){"/no/such/file", NULL}), "not_found", "/no/such/file");
	check_failed(command(1, (const char *const[]){"/usr", NULL}), "invalid", "not a file that can be run");
	check_failed(command(1, (const char *const[]){"", NULL}), "invalid", "empty");
	check_failed(command(1, (const char *const[]){NULL}), "invalid", "1 to 4096 arguments");
	json_t *head = command(1, (const char *const[]){"true", NULL});
	json_object_set_new(head, "cwd", json_string("/no/such/folder"));
	check_failed(head, "not_found", "the command's folder /no/such/folder");
	head = command(1, (const char *const[]){"true", NULL});
	json_object_set_new(head, "module", json_string("telepathy"));
	check_failed(head, "invalid", "no calls of telepathy");
	head = command(1, (const char *const[]){"true", NULL});
	json_object_set_new(head, "env", json_pack("{s:i}", "A", 1));
	check_failed(head, "invalid", "\"A\" is no name with a string");
	char *plain = file_make("plain", "#!/bin/sh\n", 0600), *text = file_make("text", "echo hello\n", 0700);
	check_failed(command(1, (const char *const[]){text, NULL}), "invalid", "must begin with #!");
	if (geteuid() != 0) check_failed(command(1, (const char *const[]){plain, NULL}), "denied", "not executable");
	free(plain);
	free(text);
}

static void test_files_that_others_can_write(void **state)
{
	(void)state;
	char *fine = file_make("fine", "#!/bin/sh\necho fine\n", 0700), *open_file = file_make("open", "#!/bin/sh\n", 0707);
	struct outcome o = run(command(1, (const char *const[]){fine, NULL}), NULL, 0);
	assert_string_equal(out_of(&o), "fine\n");
	outcome_clear(&o);
	check_failed(command(1, (const char *const[]){open_file, NULL}), "denied", "can be written by others");
	assert_int_equal(chmod(folder, 0707), 0);
	check_failed(command(1, (const char *const[]){fine, NULL}), "denied", "which others can write");
	assert_int_equal(chmod(folder, 0700), 0);
	free(fine);
	free(open_file);
}

/* ---- ends ---- */

/* The first line of the command's output, as a number: it prints the process number of what it leaves behind. */
static pid_t printed_pid(struct peer *p)
{
	peer_expect(p, "started");
	peer_expect(p, "output");
	char text[32] = "";
	memcpy(text, p->frame.payload, p->frame.payload_len < sizeof text ? p->frame.payload_len : sizeof text - 1);
	pid_t pid = atoi(text);
	assert_true(pid > 1);
	return pid;
}

static void test_deadline_ends_the_whole_group(void **state)
{
	struct peer p;
	struct outcome o;
	(void)state;
	actor_open(&p, -1);
	json_t *head = shell(1, "trap '' TERM; sleep 1000 & echo $!; wait; wait; sleep 1000");
	json_object_set_new(head, "timeout_us", json_integer(100000));
	peer_send(&p, head, NULL, 0);
	pid_t left = printed_pid(&p);
	outcome_read(&p, 1, &o);
	assert_true(json_bool(o.last, "timed_out", false));
	assert_int_equal(json_int(o.last, "signal", 0), SIGKILL);
	wait_gone(left);
	outcome_clear(&o);
	/* SIGTERM comes first, and is enough for most. */
	head = shell(2, "trap 'echo cleaned; exit 5' TERM; sleep 1000 & wait");
	json_object_set_new(head, "timeout_us", json_integer(300000));
	peer_send(&p, head, NULL, 0);
	outcome_read(&p, 2, &o);
	assert_string_equal(out_of(&o), "cleaned\n");
	assert_int_equal(json_int(o.last, "code", 0), 5);
	assert_true(json_bool(o.last, "timed_out", false));
	outcome_clear(&o);
	actor_close(&p);
}

static void test_cancel(void **state)
{
	struct peer p;
	struct outcome o;
	(void)state;
	actor_open(&p, -1);
	peer_send(&p, shell(1, "sleep 1000 & echo $!; wait"), NULL, 0);
	pid_t left = printed_pid(&p);
	peer_send(&p, json_pack("{s:s,s:i}", "t", "cancel", "id", 1), NULL, 0);
	outcome_read(&p, 1, &o);
	assert_true(json_bool(o.last, "cancelled", false));
	assert_false(json_bool(o.last, "timed_out", false));
	wait_gone(left);
	outcome_clear(&o);
	peer_send(&p, json_pack("{s:s,s:i}", "t", "cancel", "id", 1), NULL, 0); /* over already: no matter */
	peer_send(&p, command(2, (const char *const[]){"true", NULL}), NULL, 0);
	outcome_read(&p, 2, &o);
	outcome_clear(&o);
	actor_close(&p);
}

/* What is left in the background holds the pipe: the call ends soon after its main process, and takes it along. */
static void test_background_is_ended_with_the_call(void **state)
{
	struct peer p;
	struct outcome o;
	(void)state;
	actor_open(&p, -1);
	peer_send(&p, shell(1, "sleep 1000 & echo $!"), NULL, 0);
	pid_t left = printed_pid(&p);
	outcome_read(&p, 1, &o);
	assert_int_equal(json_int(o.last, "code", -1), 0);
	wait_gone(left);
	outcome_clear(&o);
	actor_close(&p);
}

static void test_the_end_of_the_engine_ends_everything(void **state)
{
	struct peer p;
	(void)state;
	actor_open(&p, -1);
	peer_send(&p, shell(1, "setsid sh -c 'trap \"\" TERM HUP; sleep 1000 & setsid sleep 1001 & echo $!; exec sleep 1002' >&2 & exec sleep 1003"), NULL, 0);
	peer_send(&p, shell(2, "sh -c 'setsid sleep 1000 >/dev/null 2>&1 & echo $!'; sleep 1000"), NULL, 0);
	pid_t left[2] = {0};
	for (int i = 0; i < 4; i++) {
		const json_t *head = peer_read(&p);
		assert_non_null(head);
		if (strcmp(json_str(head, "t", ""), "output") == 0) left[json_int(head, "id", 0) - 1] = atoi(p.frame.payload);
	}
	assert_true(left[0] > 1 && left[1] > 1);
	actor_close(&p);
	/* The actor has ended, so all that it reaped is gone by now. */
	assert_int_equal(kill(left[0], 0), -1);
	assert_int_equal(kill(left[1], 0), -1);
}

/* ---- the lock ---- */

static bool lock_is_free(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool is_free = flock(fd, LOCK_EX | LOCK_NB) == 0;
	close(fd);
	return is_free;
}

static void wait_free(const char *path)
{
	for (int64_t deadline = clock_monotonic_us() + 30000000; !lock_is_free(path);) {
		if (clock_monotonic_us() > deadline) fail_msg("the lock is still held");
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
}

static void actor_with_lock(struct peer *p, const char *path)
{
	int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
	actor_open(p, lock);
	close(lock);
	assert_false(lock_is_free(path));
}

/* A command that leaves a process in a session of its own and prints its number once it is there (before, it would die with the group). */
static json_t *stray_command(void)
{
	json_t *head = shell(1, "rm -f pid; setsid sh -c 'echo $$ >pid; exec sleep 1000' >/dev/null 2>&1 & while ! [ -s pid ]; do sleep 0.01; done; cat pid");
	json_object_set_new(head, "cwd", json_string(folder));
	return head;
}

static void test_a_stray_process_holds_the_lock(void **state)
{
	struct peer p;
	(void)state;
	char *path = mem_printf("%s/stray", folder);
	actor_with_lock(&p, path);
	peer_send(&p, stray_command(), NULL, 0);
	pid_t stray = printed_pid(&p);
	peer_expect(&p, "finished");
	/* The call is over, the daemon is not; the actor dies with no time to end it: whoever waits for the lock knows. */
	assert_int_equal(kill(stray, 0), 0);
	sandbox_kill(&p.child);
	peer_wait_end(&p);
	assert_false(lock_is_free(path));
	kill(stray, SIGKILL);
	wait_free(path);
	peer_close(&p);
	/* With an orderly end it is gone with the actor. */
	actor_with_lock(&p, path);
	peer_send(&p, stray_command(), NULL, 0);
	stray = printed_pid(&p);
	actor_close(&p);
	assert_int_equal(kill(stray, 0), -1);
	wait_free(path);
	free(path);
}

/* A killed actor takes the main process of each command along. */
static void test_a_killed_actor(void **state)
{
	struct peer p;
	(void)state;
	actor_open(&p, -1);
	peer_send(&p, command(1, (const char *const[]){"sleep", "1000", NULL}), NULL, 0);
	pid_t pid = (pid_t)json_int(peer_expect(&p, "started"), "pid", 0);
	sandbox_kill(&p.child);
	peer_wait_end(&p);
	wait_gone(pid);
	peer_close(&p);
}

static void test_nonsense_ends_the_actor(void **state)
{
	struct peer p;
	(void)state;
	json_t *const nonsense[] = {json_pack("{s:s}", "t", "other"), json_pack("{s:s}", "t", "call"), json_pack("{}")};
	for (size_t i = 0; i < 3; i++) {
		actor_open(&p, -1);
		peer_send(&p, nonsense[i], NULL, 0);
		assert_null(peer_read(&p));
		peer_wait_end(&p);
		peer_close(&p);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "actor") == 0) return actor_main();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_arguments_are_given_as_they_are),
	    cmocka_unit_test(test_streams_and_status),
	    cmocka_unit_test(test_standard_input),
	    cmocka_unit_test(test_environment_and_folder),
	    cmocka_unit_test(test_nothing_else_is_inherited),
	    cmocka_unit_test(test_ten_mebibytes),
	    cmocka_unit_test(test_flow_control),
	    cmocka_unit_test(test_many_at_once),
	    cmocka_unit_test(test_many_with_much_output),
	    cmocka_unit_test(test_what_cannot_be_run),
	    cmocka_unit_test(test_files_that_others_can_write),
	    cmocka_unit_test(test_deadline_ends_the_whole_group),
	    cmocka_unit_test(test_cancel),
	    cmocka_unit_test(test_background_is_ended_with_the_call),
	    cmocka_unit_test(test_the_end_of_the_engine_ends_everything),
	    cmocka_unit_test(test_a_stray_process_holds_the_lock),
	    cmocka_unit_test(test_a_killed_actor),
	    cmocka_unit_test(test_nonsense_ends_the_actor),
	};
	assert_non_null(mkdtemp(folder));
	sandbox = harness_start(NULL);
	int failed = cmocka_run_group_tests_name("actor", tests, NULL, NULL);
	sandbox_stop(sandbox);
	char *clean = mem_printf("rm -rf %s", folder);
	if (system(clean) != 0) failed++;
	free(clean);
	return failed;
}
