#include "cli/spawn.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/fs.h"
#include "cli/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENVIRONMENT_BYTES_MAX = 4 << 20 };

extern char **environ;

static char **copy_environment(char **from)
{
	size_t n = 0;
	while (from[n]) n++;
	char **out = mem_zero((n + 1) * sizeof *out);
	for (size_t i = 0; i < n; i++) out[i] = mem_strdup(from[i]);
	return out;
}

static void free_environment(char **e)
{
	for (size_t i = 0; e && e[i]; i++) free(e[i]);
	free(e);
}

void spawn_carry_init(struct spawn_carry *c)
{
	char here[PATH_MAX];
	*c = (struct spawn_carry){.environment = copy_environment(environ), .folder = mem_strdup(getcwd(here, sizeof here) ? here : "/")};
}

static void unlink_in(const char *folder, const char *name)
{
	char *path = mem_printf("%s/%s", folder, name);
	unlink(path);
	free(path);
}

void spawn_carry_clear(struct spawn_carry *c)
{
	for (size_t i = 0; i < c->keeper_count; i++) close(c->keepers[i]);
	free(c->keepers);
	if (c->private) {
		unlink_in(c->private, "env");
		unlink_in(c->private, "folder");
		rmdir(c->private);
		free(c->private);
	}
	free_environment(c->environment);
	free(c->folder);
	*c = (struct spawn_carry){0};
}

static enum err make_private(struct spawn_carry *c, struct error *e)
{
	const char *tmp = getenv("TMPDIR");
	if (c->private) return ERR_OK;
	/* A quote in the name would end the one around it in the wrapper. */
	char *path = mem_printf("%s/rung-XXXXXX", tmp && *tmp == '/' && !strchr(tmp, '\'') ? tmp : "/tmp");
	if (!mkdtemp(path)) {
		error_errno(e, "a private folder for the command: %s", path);
		free(path);
		return e ? e->kind : ERR_IO;
	}
	c->private = path;
	return ERR_OK;
}

/* The command behind a trap that leaves its environment and folder for the next one. Assignments are exported (set -a), because books set a plain variable in
 * one fence and use it in a later one. */
static char *wrap(const struct spawn_carry *c, const char *command)
{
	return mem_printf("trap 'env -0 >'\\''%s/env'\\''; pwd >'\\''%s/folder'\\''' EXIT; set -a\n%s\n", c->private, c->private, command);
}

static const char *shell_path(void)
{
	return access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh";
}

/* Descriptors on the two sides of a start. */
struct ends {
	int in, out, err, status, control, lock;
	bool is_terminal;
};

static void default_signals(void)
{
	sigset_t none;
	for (int i = 1; i < NSIG; i++) signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void become_command(const struct ends *ends, const char *folder, const char *script, char **environment)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	default_signals();
	dup2(ends->in, 0);
	dup2(ends->out, 1);
	dup2(ends->err, 2);
	/* The lock stays open, under a number that no script uses by chance. */
	if (ends->lock >= 0) dup2(ends->lock, 200);
	close_range(3, 199, 0);
	close_range(201, ~0u, 0);
	if (chdir(folder) != 0)
		dprintf(2, "rung: %s: %s; the command runs in %s\n", line_exact(arena_new(), folder), strerror(errno), "the folder that rung was started in");
	const char *shell = shell_path();
	char *argv[] = {(char *)(uintptr_t)(strrchr(shell, '/') + 1), (char *)(uintptr_t) "-c", (char *)(uintptr_t)script, NULL};
	execve(shell, argv, environment);
	dprintf(2, "rung: %s: %s\n", shell, strerror(errno));
	_exit(127);
}

/* Takes in what ended; true while children are left. */
static bool reap(pid_t command, int status_fd)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid == 0) return true;
		if (pid < 0) return errno == EINTR;
		if (pid == command && write(status_fd, &status, sizeof status) < 0) return false;
	}
}

/* The keeper: parent of the command, leader of its session, reaper of what it leaves behind. When the client goes, however it goes, the pipe closes and the
 * whole group is killed. Never returns. */
static _Noreturn void keep(const struct ends *ends, const char *folder, const char *script, char **environment)
{
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGTTOU, SIGTTIN, SIGPIPE};
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
	setsid();
	if (ends->is_terminal) ioctl(ends->in, TIOCSCTTY, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	pid_t command = fork();
	if (command == 0) become_command(ends, folder, script, environment);
	/* Nothing but the two pipes: the other end of another command's pipe would keep that one alive. */
	int kept[] = {dup2(ends->status, 210), dup2(ends->control, 211), dup2(signals, 212)};
	close_range(0, 209, 0);
	close_range(213, ~0u, 0);
	while (command > 0 && reap(command, kept[0])) {
		struct pollfd p[] = {{.fd = kept[1], .events = POLLIN}, {.fd = kept[2], .events = POLLIN}};
		struct signalfd_siginfo info;
		poll(p, 2, -1);
		if (p[0].revents) kill(0, SIGKILL);
		while (read(kept[2], &info, sizeof info) > 0) {
		}
	}
	_exit(0);
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0) close(fds[i]);
}

static bool make_streams(struct ends *ends, struct spawn *r, int columns, int rows, int mine[4])
{
	int out[2], err[2];
	if (ends->is_terminal) {
		struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows};
		int master, slave;
		if (openpty(&master, &slave, NULL, NULL, &size) != 0) return false;
		fcntl(master, F_SETFD, FD_CLOEXEC);
		r->out = master, r->err = -1;
		ends->in = ends->out = ends->err = mine[0] = slave;
		return true;
	}
	if (pipe2(out, O_CLOEXEC) != 0) return false;
	if (pipe2(err, O_CLOEXEC) != 0) {
		close_all(out, 2);
		return false;
	}
	r->out = out[0], r->err = err[0];
	ends->in = mine[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ends->out = mine[1] = out[1], ends->err = mine[2] = err[1];
	return true;
}

enum err spawn_start(struct spawn_carry *c, const char *command, const char *lock, bool is_terminal, int columns, int rows, struct spawn *r, struct error *e)
{
	enum err err = make_private(c, e);
	if (err) return err;
	*r = (struct spawn){.pid = -1, .out = -1, .err = -1, .status = -1, .control = -1, .is_terminal = is_terminal};
	struct ends ends = {.is_terminal = is_terminal, .lock = -1};
	int mine[4] = {-1, -1, -1, -1}, status[2], control[2];
	if (lock && (ends.lock = mine[3] = open(lock, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) < 0) return error_errno(e, "the lock %s of the execution", lock);
	/* Shared and without waiting: where calls of the engine hold it already, the execution is known to be busy anyway. */
	if (ends.lock >= 0) flock(ends.lock, LOCK_SH | LOCK_NB);
	if (pipe2(status, O_CLOEXEC) != 0 || pipe2(control, O_CLOEXEC) != 0 || !make_streams(&ends, r, columns, rows, mine))
		return error_errno(e, "the command's pipes");
	ends.status = status[1], ends.control = control[0];
	unlink_in(c->private, "env");
	unlink_in(c->private, "folder");
	char *script = wrap(c, command);
	fflush(NULL);
	r->pid = fork();
	if (r->pid == 0) keep(&ends, c->folder, script, c->environment);
	if (r->pid < 0) err = error_errno(e, "the command cannot be started: fork");
	free(script);
	close_all(mine, 4);
	close(status[1]);
	close(control[0]);
	r->status = status[0], r->control = control[1];
	fcntl(r->out, F_SETFL, O_NONBLOCK);
	if (r->err >= 0) fcntl(r->err, F_SETFL, O_NONBLOCK);
	return err;
}

/* Remembers whether the alternate screen is on, by the last switch seen. */
static void watch_screen(struct spawn *r, const char *data, size_t n)
{
	for (const char *p = data; (p = memmem(p, n - (size_t)(p - data), "\033[?1049", 7)); p += 7)
		if ((size_t)(p - data) + 7 < n) r->is_full_screen = p[7] == 'h';
}

ssize_t spawn_read(struct spawn *r, int *fd, char *data, size_t n)
{
	if (*fd < 0) return -1;
	ssize_t got = read(*fd, data, n);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return 0;
	if (got <= 0) {
		/* A pty's master says EIO when nobody holds the other side any more; writing to it is over then, too. */
		close(*fd);
		*fd = -1;
		return -1;
	}
	if (r->is_terminal) watch_screen(r, data, (size_t)got);
	return got;
}

bool spawn_has_ended(struct spawn *r)
{
	int status;
	struct pollfd p = {.fd = r->status, .events = POLLIN};
	if (r->end != SPAWN_RUNS) return true;
	if (poll(&p, 1, 0) <= 0) return false;
	if (read(r->status, &status, sizeof status) != sizeof status)
		r->end = SPAWN_SIGNALED, r->number = SIGKILL;
	else if (WIFSIGNALED(status))
		r->end = SPAWN_SIGNALED, r->number = WTERMSIG(status);
	else
		r->end = SPAWN_EXITED, r->number = WEXITSTATUS(status);
	return true;
}

void spawn_signal(const struct spawn *r, int number)
{
	if (r->pid > 0 && r->end == SPAWN_RUNS) kill(-r->pid, number);
}

void spawn_resize(const struct spawn *r, int columns, int rows)
{
	struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows};
	if (r->is_terminal && r->out >= 0) ioctl(r->out, TIOCSWINSZ, &size);
}

/* The variables that a command left, without those that belong to its shell alone. */
static void take_environment(struct spawn_carry *c, const struct buf *b)
{
	size_t n = 0, count = 0;
	for (size_t i = 0; i < b->len; i++) count += b->data[i] == 0;
	if (!count) return;
	char **out = mem_zero((count + 1) * sizeof *out);
	for (size_t at = 0; at < b->len; at += strlen(b->data + at) + 1) {
		const char *one = b->data + at;
		if (strchr(one, '=') && strncmp(one, "_=", 2) != 0 && strncmp(one, "SHLVL=", 6) != 0) out[n++] = mem_strdup(one);
	}
	free_environment(c->environment);
	c->environment = out;
}

static void take_carried(struct spawn_carry *c)
{
	struct buf b;
	buf_init(&b, ENVIRONMENT_BYTES_MAX);
	char *env = mem_printf("%s/env", c->private), *folder = mem_printf("%s/folder", c->private);
	if (fs_read(env, &b, NULL) == ERR_OK && b.len) take_environment(c, &b);
	buf_reset(&b);
	if (fs_read(folder, &b, NULL) == ERR_OK && b.len > 1 && b.data[0] == '/') {
		free(c->folder);
		c->folder = strndup(b.data, b.len - 1);
	}
	/* They hold what may be secret: no longer there than needed, whatever ends us. */
	unlink(env);
	unlink(folder);
	buf_clear(&b);
	free(env);
	free(folder);
}

bool spawn_finish(struct spawn *r, struct spawn_carry *c)
{
	int fds[] = {r->out, r->err, r->status};
	take_carried(c);
	close_all(fds, 3);
	r->out = r->err = r->status = -1;
	/* The keeper ends at once where nothing is left. */
	int gone = 0;
	for (int i = 0; i < 20 && !gone; i++) {
		gone = waitpid(r->pid, NULL, WNOHANG) != 0;
		if (!gone) poll(NULL, 0, 5);
	}
	if (gone) {
		close(r->control);
		return false;
	}
	c->keepers = mem_realloc(c->keepers, (c->keeper_count + 1) * sizeof *c->keepers);
	c->keepers[c->keeper_count++] = r->control;
	return true;
}
