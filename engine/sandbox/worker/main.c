/* rung-forkd: the fork server. Small, single-threaded, started before the engine grows: a fork of it takes less than a millisecond.
 * It ends when the engine's socket closes; so do its children, each by the end of file on a socket of its own. */
#include "sandbox/forkd.h"
#include "sandbox/sandbox.h"
#include "sandbox/worker/confine.h"
#include "sandbox/worker/limit.h"
#include "sandbox/worker/modules.h"
#include "sandbox/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
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
	limit_prepare();
	if (!confine_worker(fd, parent, &confined)) _exit(1);
	worker_main(CHILD_SOCKET_FD, &confined);
}

/* Becomes the actor. The program's descriptor is close-on-exec, as all others here. */
_Noreturn static void child_actor(int fd, int lock_fd)
{
	char *argv[] = {"rung", "actor", NULL};
	signals_default();
	int program = fcntl(FORKD_PROGRAM_FD, F_DUPFD_CLOEXEC, 16);
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 16), lock_high = lock_fd >= 0 ? fcntl(lock_fd, F_DUPFD_CLOEXEC, 16) : -1;
	if (program < 0 || high < 0 || dup2(high, CHILD_SOCKET_FD) < 0) _exit(1);
	close(CHILD_LOCK_FD);
	if (lock_high >= 0 && dup2(lock_high, CHILD_LOCK_FD) < 0) _exit(1);
	execveat(program, "", argv, environ, AT_EMPTY_PATH);
	_exit(127);
}

static int child_start(uint32_t kind, int lock_fd, struct forkd_reply *reply, int fds[2])
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return errno;
	pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		close(pair[0]);
		if (kind == SANDBOX_WORKER) child_worker(pair[1], parent);
		child_actor(pair[1], lock_fd);
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

/* One request, answered; false where the engine is gone. */
static bool request_serve(void)
{
	struct forkd_request request;
	struct iovec io = {&request, sizeof request};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
	ssize_t n = recvmsg(FORKD_SOCKET_FD, &m, MSG_CMSG_CLOEXEC);
	if (n < 0) return errno == EINTR;
	if (n != (ssize_t)sizeof request) return false;
	int lock_fd = -1, fds[2] = {-1, -1};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS) memcpy(&lock_fd, CMSG_DATA(c), sizeof(int));
	struct forkd_reply reply = {.number = request.number};
	reply.error = request.kind <= SANDBOX_ACTOR ? child_start(request.kind, lock_fd, &reply, fds) : EINVAL;
	bool ok = reply_send(&reply, fds);
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0) close(fds[i]);
	if (lock_fd >= 0) close(lock_fd);
	return ok;
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_NOCLDSTOP};
	sigset_t child, open;
	if (fcntl(FORKD_SOCKET_FD, F_SETFD, FD_CLOEXEC) != 0) {
		fputs("rung-forkd is started by rung, not by hand\n", stderr);
		return 2;
	}
	fcntl(FORKD_PROGRAM_FD, F_SETFD, FD_CLOEXEC);
	prctl(PR_SET_DUMPABLE, 0);
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
