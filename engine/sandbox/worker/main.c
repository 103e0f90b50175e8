/* rung-forkd: the fork server. Small, single-threaded, started before the engine grows: a fork of it takes less than a millisecond.
 * It ends when the engine's socket closes; so do its children, each by the end of file on a socket of its own. */
#include "base/failpoint.h"
#include "sandbox/forkd.h"
#include "sandbox/group_fork.h"
#include "sandbox/holders.h"
#include "sandbox/privilege.h"
#include "sandbox/sandbox.h"
#include "sandbox/worker/confine.h"
#include "sandbox/worker/limit.h"
#include "sandbox/worker/modules.h"
#include "sandbox/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* The user that actors become, where the engine named one. */
static struct {
	bool is_set;
	uid_t uid;
	gid_t gid, groups[USER_GROUPS_MAX];
	size_t group_count;
} commands_as;

/* The descriptors that came with a request; -1: none. */
struct gifts {
	int lock_fd, group_fd;
};

static void on_child(int signal_number)
{
	(void)signal_number; /* only to wake ppoll */
}

static void signals_default(void)
{
	sigset_t none;
	sigemptyset(&none);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn static void child_worker(int fd, pid_t parent)
{
	struct confined confined;
	signals_default();
	/* What the fork server may do to give commands another user is none of a worker's. */
	if (!privilege_keep(0)) _exit(1);
	limit_prepare();
	if (!confine_worker(fd, parent, &confined)) _exit(1);
	worker_main(CHILD_SOCKET_FD, &confined);
}

static bool user_become(void)
{
	if (!commands_as.is_set) return true;
	return privilege_become(commands_as.uid, commands_as.gid, commands_as.groups, commands_as.group_count) && chdir("/") == 0;
}

/* Becomes the actor. The program's descriptor is close-on-exec, as all others here. */
_Noreturn static void child_actor(int fd, const struct gifts *gifts)
{
	char *argv[] = {"rung", "actor", NULL};
	signals_default();
	setsid();
	if (!user_become()) _exit(1);
	int program = fcntl(FORKD_PROGRAM_FD, F_DUPFD_CLOEXEC, 16);
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 16), lock_high = gifts->lock_fd >= 0 ? fcntl(gifts->lock_fd, F_DUPFD_CLOEXEC, 16) : -1;
	if (program < 0 || high < 0 || dup2(high, CHILD_SOCKET_FD) < 0) _exit(1);
	close(CHILD_LOCK_FD);
	if (lock_high >= 0 && dup2(lock_high, CHILD_LOCK_FD) < 0) _exit(1);
	failpoint(FORKD_EXEC);
	execveat(program, "", argv, environ, AT_EMPTY_PATH);
	_exit(127);
}

_Noreturn static void child_ender(const struct gifts *gifts)
{
	pid_t ended[HOLDERS_ENDED_MAX];
	if (gifts->lock_fd >= 0 && user_become()) holders_end(gifts->lock_fd, ended);
	_exit(0);
}

static int child_start(uint32_t kind, const struct gifts *gifts, struct forkd_reply *reply, int fds[2])
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return errno;
	pid_t parent = getpid(), pid = failpoint(FORKD_FORK) ? (errno = EAGAIN, -1) : group_fork(gifts->group_fd);
	if (pid == 0) {
		failpoint(FORKD_CHILD);
		close(pair[0]);
		if (kind == SANDBOX_WORKER) child_worker(pair[1], parent);
		if (kind == SANDBOX_ENDER) child_ender(gifts);
		child_actor(pair[1], gifts);
	}
	int error = pid < 0 ? errno : 0;
	close(pair[1]);
	/* Not reaped before ppoll, so the number is still this child's. */
	int pidfd = pid < 0 ? -1 : pidfd_open(pid, 0);
	if (pid > 0 && pidfd < 0) error = errno;
	if (error) {
		close(pair[0]);
		return error;
	}
	reply->pid = pid;
	fds[0] = pair[0];
	fds[1] = pidfd;
	return 0;
}

static bool reply_send(const struct forkd_reply *reply, const int fds[2])
{
	struct iovec io = {(void *)reply, sizeof *reply};
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
	if (reply->error == 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof control.bytes;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(2 * sizeof(int));
		memcpy(CMSG_DATA(c), fds, 2 * sizeof(int));
	}
	ssize_t n;
	do n = sendmsg(FORKD_SOCKET_FD, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof *reply;
}

static bool request_receive(struct forkd_request *request, struct gifts *gifts, ssize_t *n)
{
	struct iovec io = {request, sizeof *request};
	union {
		char bytes[CMSG_SPACE(FORKD_GIFTS * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
	int fds[FORKD_GIFTS] = {-1, -1}, at = 0;
	*n = recvmsg(FORKD_SOCKET_FD, &m, MSG_CMSG_CLOEXEC);
	if (*n != (ssize_t)sizeof *request) return false;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS) memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	gifts->lock_fd = request->has_lock ? fds[at++] : -1;
	gifts->group_fd = request->has_group ? fds[at] : -1;
	return true;
}

/* One request, answered; false where the engine is gone. */
static bool request_serve(void)
{
	struct forkd_request request;
	struct gifts gifts;
	ssize_t n;
	if (!request_receive(&request, &gifts, &n)) return n < 0 && errno == EINTR;
	int fds[] = {-1, -1, gifts.lock_fd, gifts.group_fd};
	struct forkd_reply reply = {.number = request.number};
	reply.error = request.kind <= SANDBOX_ENDER ? child_start(request.kind, &gifts, &reply, fds) : EINVAL;
	failpoint(FORKD_REPLY);
	bool ok = reply_send(&reply, fds);
	for (int i = 0; i < 4; i++)
		if (fds[i] >= 0) close(fds[i]);
	return ok;
}

/* UID GID GROUP,GROUP,...; written by sandbox.c. */
static void commands_as_read(char **argv)
{
	if (!argv[1] || !argv[2] || !argv[3]) return;
	commands_as.is_set = true;
	commands_as.uid = (uid_t)strtoul(argv[1], NULL, 10);
	commands_as.gid = (gid_t)strtoul(argv[2], NULL, 10);
	for (char *at = argv[3]; *at && commands_as.group_count < USER_GROUPS_MAX; at += *at == ',')
		commands_as.groups[commands_as.group_count++] = (gid_t)strtoul(at, &at, 10);
}

/* With another user to become, the right to do so is all that stays. Without one, what a service manager gave the engine for that must not reach its commands,
 * which could become root with it; root's have it anyway. */
static bool give_up_rights(void)
{
	const uint64_t change = PRIVILEGE_BIT(CAP_SETUID) | PRIVILEGE_BIT(CAP_SETGID);
	if (commands_as.is_set) return privilege_keep(change);
	return geteuid() == 0 || privilege_drop(change | PRIVILEGE_BIT(CAP_KILL));
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_NOCLDSTOP};
	sigset_t child, open;
	(void)argc;
#ifdef RUNG_FAILPOINTS
	failpoint_prepare();
#endif
	if (fcntl(FORKD_SOCKET_FD, F_SETFD, FD_CLOEXEC) != 0) {
		fputs("rung-forkd is started by rung, not by hand\n", stderr);
		return 2;
	}
	fcntl(FORKD_PROGRAM_FD, F_SETFD, FD_CLOEXEC);
	prctl(PR_SET_DUMPABLE, 0);
	commands_as_read(argv);
	if (!give_up_rights()) return 1;
	json_object_seed(0); /* reads /dev/urandom, which no worker can */
	setenv("TZ", "UTC0", 1);
	tzset(); /* reads /etc/localtime, which no worker can */
	confine_prepare();
	modules_prepare();
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &open);
	sigaction(SIGCHLD, &action, NULL);
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0) continue;
		struct pollfd p = {.fd = FORKD_SOCKET_FD, .events = POLLIN};
		if (ppoll(&p, 1, NULL, &open) <= 0) continue;
		if (!request_serve()) break;
	}
	_exit(0); /* nothing to give back; in sanitizer builds nothing to look for leaks in */
}
