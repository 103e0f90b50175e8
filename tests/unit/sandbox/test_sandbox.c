/* The engine's side of the fork server. */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static void test_children_are_told_apart(void **state)
{
	struct peer worker, actor;
	(void)state;
	struct sandbox *s = harness_start(NULL);
	peer_open(&worker, s, SANDBOX_WORKER, -1);
	peer_open(&actor, s, SANDBOX_ACTOR, -1);
	assert_non_null(json_object_get(peer_expect(&worker, "ready"), "confined"));
	assert_int_equal(json_int(peer_expect(&actor, "ready"), "pid", 0), actor.child.pid);
	assert_true(fcntl(worker.child.fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(worker.child.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(worker.child.pidfd, F_GETFD) & FD_CLOEXEC);
	sandbox_kill(&worker.child);
	peer_wait_end(&worker);
	assert_null(peer_read(&worker));
	sandbox_kill(&worker.child); /* again: fine */
	peer_close(&worker);
	/* The others live on; all end with the fork server. */
	peer_open(&worker, s, SANDBOX_WORKER, -1);
	peer_expect(&worker, "ready");
	sandbox_stop(s);
	peer_wait_end(&worker);
	shutdown(actor.child.fd, SHUT_RDWR);
	peer_wait_end(&actor);
	peer_close(&worker);
	peer_close(&actor);
}

static void test_the_fork_server_reaps(void **state)
{
	char path[64];
	(void)state;
	struct sandbox *s = harness_start(NULL);
	for (int i = 0; i < 20; i++) {
		struct peer p;
		peer_open(&p, s, SANDBOX_WORKER, -1);
		peer_expect(&p, "ready");
		shutdown(p.child.fd, SHUT_RDWR);
		peer_wait_end(&p);
		/* No zombie stays: soon nobody has that number. */
		snprintf(path, sizeof path, "/proc/%d/stat", (int)p.child.pid);
		for (int64_t deadline = clock_monotonic_us() + 30000000; fs_exists(path);) {
			if (clock_monotonic_us() > deadline) fail_msg("%s is still there", path);
			usleep(1000);
		}
		peer_close(&p);
	}
	sandbox_stop(s);
}

static void test_a_fork_server_that_died(void **state)
{
	struct error e;
	struct sandbox_child c;
	struct peer p;
	(void)state;
	struct sandbox *s = harness_start(NULL);
	peer_open(&p, s, SANDBOX_WORKER, -1);
	peer_expect(&p, "ready");
	kill(sandbox_forkd_pid(s), SIGKILL);
	peer_wait_end(&p); /* its workers go with it */
	peer_close(&p);
	assert_int_equal(sandbox_spawn(s, SANDBOX_WORKER, NULL, &c, &e), ERR_CLOSED);
	assert_string_equal(e.text, "the fork server has ended");
	sandbox_stop(s);
}

static void test_paths_that_are_wrong(void **state)
{
	struct error e;
	struct sandbox *s = NULL;
	(void)state;
	char *path = forkd_path();
	assert_int_equal(sandbox_start("/no/such/forkd", "/proc/self/exe", NULL, &s, &e), ERR_NOT_FOUND);
	assert_non_null(strstr(e.text, "/no/such/forkd"));
	assert_int_equal(sandbox_start(path, "/no/such/program", NULL, &s, &e), ERR_NOT_FOUND);
	free(path);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "actor") == 0) return actor_main();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_children_are_told_apart),
	    cmocka_unit_test(test_the_fork_server_reaps),
	    cmocka_unit_test(test_a_fork_server_that_died),
	    cmocka_unit_test(test_paths_that_are_wrong),
	};
	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
