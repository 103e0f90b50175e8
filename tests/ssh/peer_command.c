/* The processes behind channels: sh -c, with pipes that follow the channel's windows. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

void command_clear(struct channel *ch)
{
	unwatch_and_close(&ch->in), unwatch_and_close(&ch->out), unwatch_and_close(&ch->err), unwatch_and_close(&ch->pidfd);
	if (!ch->pid) return;
	kill(-ch->pid, SIGKILL);
	waitpid(ch->pid, NULL, 0);
	ch->pid = 0;
}

static bool spawn(struct channel *ch, const char *command, int ends[3])
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	posix_spawn_file_actions_init(&files);
	for (int i = 0; i < 3; i++) posix_spawn_file_actions_adddup2(&files, ends[i], i);
	posix_spawnattr_init(&how);
	posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP);
	char *argv[] = {"sh", "-c", (char *)(uintptr_t)command, NULL};
	int failed = posix_spawn(&ch->pid, "/bin/sh", &files, &how, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&how);
	if (failed) ch->pid = 0;
	return !failed;
}

bool command_start(struct conn *c, unsigned id, const char *command)
{
	struct channel *ch = c->channels[id];
	int pipes[3][2];
	for (int i = 0; i < 3; i++)
		if (pipe2(pipes[i], O_CLOEXEC) != 0) stop("no pipe");
	bool is_good = spawn(ch, command, (int[]){pipes[0][0], pipes[1][1], pipes[2][1]});
	close(pipes[0][0]), close(pipes[1][1]), close(pipes[2][1]);
	ch->in = pipes[0][1], ch->out = pipes[1][0], ch->err = pipes[2][0];
	fcntl(ch->in, F_SETFL, O_NONBLOCK), fcntl(ch->out, F_SETFL, O_NONBLOCK), fcntl(ch->err, F_SETFL, O_NONBLOCK);
	if (!is_good) return false;
	ch->pidfd = (int)syscall(SYS_pidfd_open, ch->pid, 0);
	if (ch->pidfd < 0) stop("no descriptor of a process");
	watch(ch->pidfd, EPOLLIN, (struct watch){.kind = WATCH_EXIT, .conn = c, .channel = id});
	command_resume(c, id);
	command_input(c, id);
	return true;
}

void command_input(struct conn *c, unsigned id)
{
	struct channel *ch = c->channels[id];
	if (ch->in < 0) return;
	ssize_t n = ch->input.len ? write(ch->in, ch->input.data, ch->input.len) : 0;
	if (n > 0) buf_drop(&ch->input, (size_t)n);
	bool is_gone = n < 0 && errno != EAGAIN && errno != EINTR;
	if (is_gone) buf_reset(&ch->input);
	if (is_gone || (ch->has_input_end && ch->input.len == 0))
		unwatch_and_close(&ch->in);
	else
		watch(ch->in, ch->input.len ? EPOLLOUT : 0, (struct watch){.kind = WATCH_IN, .conn = c, .channel = id});
}

void command_output(struct conn *c, unsigned id, bool is_error)
{
	struct channel *ch = c->channels[id];
	int *fd = is_error ? &ch->err : &ch->out;
	char data[DATA_BYTES_MAX];
	while (*fd >= 0 && !c->is_hung) {
		size_t room = ch->window < ch->packet ? ch->window : ch->packet;
		bool may_send = room && c->out.len < OUT_BYTES_ENOUGH;
		watch(*fd, may_send ? EPOLLIN : 0, (struct watch){.kind = is_error ? WATCH_ERR : WATCH_OUT, .conn = c, .channel = id});
		if (!may_send) return;
		ssize_t n = read(*fd, data, room);
		if (n < 0) return;
		if (n == 0) {
			unwatch_and_close(fd);
			break;
		}
		channel_data(c, ch, is_error, data, (size_t)n);
		if (!fault_at(c, STAGE_OUTPUT)) return;
	}
}

void command_resume(struct conn *c, unsigned id)
{
	const struct channel *ch = c->channels[id];
	if (ch->out < 0 && ch->err < 0) return;
	if (ch->out >= 0) command_output(c, id, false);
	if (ch->err >= 0) command_output(c, id, true);
	/* It may have exited before: then this is the end, and nothing else will come to say so. */
	channel_over(c, id);
}

void command_exited(struct conn *c, unsigned id)
{
	struct channel *ch = c->channels[id];
	waitpid(ch->pid, &ch->status, 0);
	ch->pid = 0;
	unwatch_and_close(&ch->pidfd);
	/* What it left running may still hold its output: that is read to its end first. */
	channel_over(c, id);
}
