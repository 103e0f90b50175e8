#include "sandbox/sandbox.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "sandbox/forkd.h"
#include "sandbox/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SPAWN_WAIT_MS = 5000, STOP_WAIT_MS = 2000 };

struct sandbox {
	pid_t pid;
	int pidfd;
	int fd;
	uint32_t number; /* of the last request: a late answer to one that was given up is recognised by it */
};

extern char **environ;

/* The fork server and its workers get nothing of the engine's environment, which may hold secrets; sanitizers and coverage are steered by theirs. */
static char **server_environment(void)
{
	static const char *const kept[] = {
	    "ASAN_",
	    "UBSAN_",
	    "LSAN_",
	    "GCOV_",
	    "LLVM_PROFILE_",
#ifdef RUNG_FAILPOINTS
	    FAILPOINT_VARIABLES,
#endif
	};
	size_t n = 0;
	for (char **v = environ; v && *v; v++) n++;
	char **out = mem_zero((n + 1) * sizeof *out), **to = out;
	for (char **v = environ; v && *v; v++)
		for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
			if (strncmp(*v, kept[i], strlen(kept[i])) == 0) *to++ = *v;
	return out;
}

/* "1,4,24" */
static char *numbers_of(const gid_t *groups, size_t count)
{
	struct buf b;
	buf_init(&b, 16 * USER_GROUPS_MAX);
	for (size_t i = 0; i < count; i++) buf_printf(&b, "%s%u", i ? "," : "", (unsigned)groups[i]);
	return buf_take(&b);
}

static int server_spawn(pid_t *pid, const char *path, const struct sandbox_user *commands_as, int socket_fd, int program_fd)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	char uid[16], gid[16], *groups = commands_as ? numbers_of(commands_as->groups, commands_as->group_count) : NULL;
	char *argv[] = {"rung-forkd", commands_as ? uid : NULL, gid, groups, NULL}, **envp = server_environment();
	snprintf(uid, sizeof uid, "%u", commands_as ? (unsigned)commands_as->uid : 0);
	snprintf(gid, sizeof gid, "%u", commands_as ? (unsigned)commands_as->gid : 0);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, socket_fd, FORKD_SOCKET_FD);
	posix_spawn_file_actions_adddup2(&actions, program_fd, FORKD_PROGRAM_FD);
	posix_spawn_file_actions_addclosefrom_np(&actions, FORKD_PROGRAM_FD + 1);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
	int error = posix_spawn(pid, path, &actions, &attributes, argv, envp);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	free(envp);
	free(groups);
	return error;
}

/* A descriptor above those that the fork server's numbers are given to, so that one dup2 does not run over the other. */
static int move_up(int fd)
{
	int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 16);
	if (fd >= 0) close(fd);
	return high;
}

bool sandbox_can_change_user(void)
{
	return privilege_has(PRIVILEGE_BIT(CAP_SETUID) | PRIVILEGE_BIT(CAP_SETGID) | PRIVILEGE_BIT(CAP_KILL));
}

enum err sandbox_start(const char *forkd_path, const char *actor_path, const struct sandbox_user *commands_as, struct sandbox **out, struct error *e)
{
	int pair[2];
	/* Opened now: an upgrade of the program while the engine runs must not give it actors of another version. */
	int program = open(actor_path, O_PATH | O_CLOEXEC);
	if (program < 0) return error_errno(e, "the actor's program %s", actor_path);
	program = move_up(program);
	if (program < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		enum err err = error_errno(e, "the fork server's socket");
		if (program >= 0) close(program);
		return err;
	}
	pair[1] = move_up(pair[1]);
	struct sandbox *s = mem_zero(sizeof *s);
	s->fd = pair[0];
	s->pidfd = -1;
	errno = server_spawn(&s->pid, forkd_path, commands_as, pair[1], program);
	close(pair[1]);
	close(program);
	if (errno != 0) {
		enum err err = error_errno(e, "the fork server %s cannot be started (it belongs beside rung, or into its libexec folder)", forkd_path);
		close(s->fd);
		free(s);
		return err;
	}
	s->pidfd = pidfd_open(s->pid, 0);
	*out = s;
	return ERR_OK;
}

static enum err request_send(const struct sandbox *s, enum sandbox_kind kind, const struct sandbox_gifts *gifts, struct error *e)
{
	struct forkd_request request = {.number = s->number, .kind = (uint32_t)kind};
	struct iovec io = {&request, sizeof request};
	union {
		char bytes[CMSG_SPACE(FORKD_GIFTS * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
	int fds[FORKD_GIFTS];
	size_t count = 0;
	if (gifts && gifts->lock_fd >= 0) fds[count++] = gifts->lock_fd, request.has_lock = 1;
	if (gifts && gifts->group_fd >= 0) fds[count++] = gifts->group_fd, request.has_group = 1;
	if (count) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	ssize_t n;
	do n = sendmsg(s->fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof request) return ERR_OK;
	return error_set(e, ERR_CLOSED, "the fork server has ended");
}

/* One packet: its reply, and the descriptors that came with it (-1 where none did). */
static ssize_t reply_receive(int fd, struct forkd_reply *reply, int fds[2])
{
	struct iovec io = {reply, sizeof *reply};
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
	fds[0] = fds[1] = -1;
	ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	if (n < 0) return n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	return n;
}

static enum err reply_wait(const struct sandbox *s, struct forkd_reply *reply, int fds[2], struct error *e)
{
	int64_t deadline = clock_monotonic_us() + SPAWN_WAIT_MS * INT64_C(1000);
	for (;;) {
		int64_t left = deadline - clock_monotonic_us();
		if (left <= 0) return error_set(e, ERR_TIMEOUT, "the fork server did not answer within %d s", SPAWN_WAIT_MS / 1000);
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		if (poll(&p, 1, (int)(left / 1000) + 1) <= 0) continue;
		ssize_t n = reply_receive(s->fd, reply, fds);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return error_set(e, ERR_CLOSED, "the fork server has ended");
		if (n == (ssize_t)sizeof *reply && reply->number == s->number) return ERR_OK;
		/* An answer that came too late: closing its socket ends that child. */
		if (fds[0] >= 0) close(fds[0]);
		if (fds[1] >= 0) close(fds[1]);
	}
}

enum err sandbox_spawn(struct sandbox *s, enum sandbox_kind kind, const struct sandbox_gifts *gifts, struct sandbox_child *out, struct error *e)
{
	struct forkd_reply reply;
	int fds[2];
	s->number++;
	enum err err = request_send(s, kind, kind == SANDBOX_WORKER ? NULL : gifts, e);
	if (!err) err = reply_wait(s, &reply, fds, e);
	if (err) return err;
	if (reply.error != 0) {
		errno = reply.error;
		return error_errno(e, "the fork server could not make %s", kind == SANDBOX_WORKER ? "a worker" : "an actor");
	}
	if (fds[0] < 0 || fds[1] < 0) {
		/* The kernel leaves out what there is no room for. Without its socket the child ends. */
		for (int i = 0; i < 2; i++)
			if (fds[i] >= 0) close(fds[i]);
		return error_set(e, ERR_FULL, "this engine has no descriptor left for %s: its limit of open files is too low (ulimit -n)",
		                 kind == SANDBOX_WORKER ? "a worker" : "an actor");
	}
	must(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
	*out = (struct sandbox_child){.pid = reply.pid, .fd = fds[0], .pidfd = fds[1]};
	return ERR_OK;
}

void sandbox_kill(const struct sandbox_child *c)
{
	if (c->pidfd >= 0) pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0);
}

pid_t sandbox_forkd_pid(const struct sandbox *s)
{
	return s->pid;
}

void sandbox_stop(struct sandbox *s)
{
	if (!s) return;
	close(s->fd);
	struct pollfd p = {.fd = s->pidfd, .events = POLLIN};
	if (s->pidfd < 0 || poll(&p, 1, STOP_WAIT_MS) != 1) kill(s->pid, SIGKILL);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR) continue;
	if (s->pidfd >= 0) close(s->pidfd);
	free(s);
}
