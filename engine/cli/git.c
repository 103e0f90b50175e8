#include "cli/git.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 16 };

extern char **environ;

static enum err read_all(int fd, struct buf *out, struct error *e)
{
	char piece[65536];
	for (;;) {
		ssize_t n = read(fd, piece, sizeof piece);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return error_errno(e, "what git prints");
		if (n == 0) return ERR_OK;
		if (!buf_add(out, piece, (size_t)n)) return error_set(e, ERR_TOO_BIG, "git prints more than %zu bytes", out->max);
	}
}

enum err git_run(const char *folder, const char *const *arguments, struct buf *out, struct error *e)
{
	char *argv[ARGUMENTS_MAX + 4] = {"git", "-C", (char *)folder};
	posix_spawn_file_actions_t actions;
	int ends[2], status = 0;
	pid_t pid;
	for (size_t i = 0; arguments[i]; i++) {
		must(i < ARGUMENTS_MAX);
		argv[i + 3] = (char *)arguments[i];
	}
	if (pipe2(ends, O_CLOEXEC) != 0) return error_errno(e, "a pipe for git");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	int failed = posix_spawnp(&pid, "git", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	errno = failed;
	enum err err = failed ? error_errno(e, "git") : read_all(ends[0], out, e);
	close(ends[0]);
	while (!failed && waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
	return err || status == 0 ? err : error_set(e, ERR_NOT_FOUND, "git %s found nothing of that name: it says why above", arguments[0]);
}
