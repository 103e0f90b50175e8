#include "base/clock.h"
#include "base/log.h"
#include "service/attempt.h"
#include "service/engine_state.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

/* An execution's lock: every command inherits its descriptor, so that a free lock means that nothing of the execution runs any more. */

enum { POLL_MS = 10, PATIENCE_US = 3000000 };

char *lock_path(const struct execution *x)
{
	return mem_printf("%s/locks/%s", x->engine->state_dir, x->id);
}

char *lock_terminal_path(const struct execution *x)
{
	return mem_printf("%s/locks/%s.terminal", x->engine->state_dir, x->id);
}

/* Does a command on somebody's terminal still run? It is theirs: it is waited for, never ended by us. */
static bool is_terminal_busy(const struct execution *x)
{
	char *path = lock_terminal_path(x);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	bool busy = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
	if (fd >= 0) close(fd);
	free(path);
	return busy;
}

int lock_take(struct execution *x, struct error *e)
{
	char *path = lock_path(x);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		error_errno(e, "%s", path);
	else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		error_set(e, ERR_CONFLICT, "commands of execution %s are still running", x->id);
		close(fd);
		fd = -1;
	}
	free(path);
	return fd;
}

static bool holds(pid_t pid, const char *path)
{
	char folder[64], name[PATH_MAX + 1], link[128];
	snprintf(folder, sizeof folder, "/proc/%d/fd", (int)pid);
	DIR *d = opendir(folder);
	bool found = false;
	for (struct dirent *entry; d && !found && (entry = readdir(d));) {
		snprintf(link, sizeof link, "%s/%.40s", folder, entry->d_name);
		ssize_t n = readlink(link, name, PATH_MAX);
		if (n < 0) continue;
		name[n] = 0;
		found = strcmp(name, path) == 0;
	}
	if (d) closedir(d);
	return found;
}

/* Ends what holds the lock: by pidfd, and looking again behind it, so that a number that was given to another process is left alone. */
static void end_holders(const char *path)
{
	char whole[PATH_MAX];
	if (!realpath(path, whole)) return;
	DIR *d = opendir("/proc");
	for (struct dirent *entry; d && (entry = readdir(d));) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)atoi(entry->d_name) : 0;
		if (pid <= 1 || pid == getpid() || !holds(pid, whole)) continue;
		int fd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (fd >= 0 && holds(pid, whole)) {
			log_line(LOG_WARN, "process %d of an execution outlived its actor: killed", (int)pid);
			syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
		}
		if (fd >= 0) close(fd);
	}
	if (d) closedir(d);
}

static void poll_lock(uv_timer_t *t)
{
	struct execution *x = t->data;
	struct error e;
	int fd = lock_take(x, &e);
	if (fd < 0 && e.kind != ERR_CONFLICT) {
		log_line(LOG_ERROR, "execution %s: its lock: %s", x->id, e.text);
		return;
	}
	if (fd < 0) {
		if (clock_monotonic_us() - x->lock_since_us < PATIENCE_US) return;
		char *path = lock_path(x);
		end_holders(path);
		free(path);
		return;
	}
	close(fd);
	if (x->is_terminal_awaited && is_terminal_busy(x)) return;
	uv_timer_stop(t);
	x->is_waiting_for_lock = false;
	x->lock_go(x);
}

void lock_wait(struct execution *x, bool with_terminal, void (*go)(struct execution *x))
{
	x->is_terminal_awaited = with_terminal;
	if (!x->lock_timer) {
		x->lock_timer = mem_zero(sizeof *x->lock_timer);
		uv_timer_init(&x->engine->loop, x->lock_timer);
		x->lock_timer->data = x;
	}
	x->is_waiting_for_lock = true;
	x->lock_since_us = clock_monotonic_us();
	x->lock_go = go;
	uv_update_time(&x->engine->loop);
	uv_timer_start(x->lock_timer, poll_lock, 0, POLL_MS);
}
