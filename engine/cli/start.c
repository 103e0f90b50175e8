#include "cli/start.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/fs.h"
#include "cli/workspace.h"
#include "service/config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_DEADLINE_US = 30000000, TURN_DEADLINE_US = 40000000, TURN_AGAIN_MS = 20 };

enum err start_take_turn(const char *state_dir, int *turn, struct error *e)
{
	enum err err = fs_mkdirs(state_dir, 0700, e);
	if (err) return err;
	char *path = mem_printf("%s/start.lock", state_dir);
	*turn = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*turn < 0) err = error_errno(e, "%s", path);
	int64_t until_us = clock_monotonic_us() + TURN_DEADLINE_US;
	while (!err && flock(*turn, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			err = error_errno(e, "%s", path);
		else if (clock_monotonic_us() > until_us)
			err = error_set(e, ERR_TIMEOUT, "another rung has been starting the engine of %s for 40 s: see %s/engine.log", state_dir, state_dir);
		else
			poll(NULL, 0, TURN_AGAIN_MS);
	}
	if (err && *turn >= 0) close(*turn);
	free(path);
	return err;
}

/* In the child of the child: the engine's standard streams, no descriptor of ours but the readiness pipe. */
static _Noreturn void become_engine(const char *state_dir, const char *config, int ready)
{
	char log[4096], number[16];
	snprintf(log, sizeof log, "%s/engine.log", state_dir);
	snprintf(number, sizeof number, "%d", 3);
	int null = open("/dev/null", O_RDWR), out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(null, 0);
	dup2(null, 1);
	dup2(out >= 0 ? out : null, 2);
	int kept = fcntl(ready, F_DUPFD, 10);
	dup2(kept, 3);
	close_range(4, ~0u, 0);
	execl("/proc/self/exe", "rung", "engine", "--state", state_dir, "--ready-fd", number, config ? "--config" : NULL, config, (char *)NULL);
	dprintf(3, "io the engine cannot be started: /proc/self/exe: %s\n", strerror(errno));
	_exit(127);
}

static enum err launch(const char *state_dir, const char *config, int ready, struct error *e)
{
	pid_t child = fork();
	if (child < 0) return error_errno(e, "the engine cannot be started: fork");
	if (child == 0) {
		/* Twice, so that the engine is nobody's child and has no terminal. */
		setsid();
		pid_t engine = fork();
		if (engine == 0) become_engine(state_dir, config, ready);
		_exit(engine < 0);
	}
	int status = 0;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
	}
	return status == 0 ? ERR_OK : error_set(e, ERR_IO, "the engine cannot be started: no further process can be made");
}

/* Reads the engine's word until it closes the pipe. */
static enum err wait_until_ready(int fd, const char *state_dir, struct error *e)
{
	char text[ERROR_TEXT_BYTES];
	size_t len = 0;
	int64_t until_us = clock_monotonic_us() + READY_DEADLINE_US;
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left_ms = (until_us - clock_monotonic_us()) / 1000;
		if (left_ms <= 0) return error_set(e, ERR_TIMEOUT, "the engine did not come up within 30 s: see %s/engine.log", state_dir);
		if (poll(&p, 1, (int)left_ms) <= 0) continue;
		ssize_t n = read(fd, text + len, sizeof text - 1 - len);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) break;
		len += (size_t)n;
		if (len == sizeof text - 1) break;
	}
	text[len] = 0;
	text[strcspn(text, "\n")] = 0;
	if (strcmp(text, "ready") == 0) return ERR_OK;
	if (!text[0]) return error_set(e, ERR_IO, "the engine ended while it started: see %s/engine.log", state_dir);
	/* Its error: the kind, a space, the sentence. */
	char *sentence = strchr(text, ' ');
	if (sentence) *sentence++ = 0;
	return error_set(e, sentence ? err_from_name(text) : ERR_FAILED, "%s", sentence ? sentence : text);
}

/* A state directory elsewhere than in a workspace has the configuration of the workspace that its engine is started from; NULL: none, or it finds its own. */
static const char *config_of(struct arena *a, const char *state_dir)
{
	struct workspace w;
	if (config_path_beside(a, state_dir) || workspace_find(a, state_dir, &w, NULL) || !w.root) return NULL;
	return arena_printf(a, "%s/.rung/config.yaml", w.root);
}

const char *start_config(struct arena *a, const char *state_dir)
{
	const char *beside = config_path_beside(a, state_dir);
	return beside ? beside : config_of(a, state_dir);
}

enum err start_engine(const char *state_dir, struct error *e)
{
	int ends[2];
	struct arena *a = arena_new();
	if (pipe2(ends, O_CLOEXEC) != 0) return arena_free(a), error_errno(e, "pipe");
	enum err err = launch(state_dir, config_of(a, state_dir), ends[1], e);
	arena_free(a);
	close(ends[1]);
	if (!err) err = wait_until_ready(ends[0], state_dir, e);
	close(ends[0]);
	return err;
}
