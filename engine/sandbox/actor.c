/* The actor: makes the commands of one execution. One thread, one poll; the engine's end of file ends everything that it started. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/frame.h"
#include "base/json.h"
#include "sandbox/actor_command.h"
#include "sandbox/forkd.h"
#include "sandbox/redact_forms.h"
#include "sandbox/sandbox.h"
#include "sandbox/sanitized.h"
#include "sandbox/secret_call.h"
#include "sandbox/wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	OUT_BYTES_MAX = 8 << 20,
	OUT_HIGH_BYTES = 1 << 20, /* with more than this unsent, commands' pipes are not read: they stop when their pipe is full */
	LOCK_FD = 250,            /* what every command inherits; above what shells use for themselves, below bash's 255 */
	FILES_SOFT_MAX = 1024,
	END_US = 10000000 /* to wait for what SIGKILL cannot end at once */
};

struct actor {
	int socket_fd, signal_fd;
	struct frame_reader in;
	struct buf out;
	size_t out_at;
	struct command *commands;
	struct secret_call *waiting; /* calls whose secrets are on their way */
	json_int_t last_reader;      /* ids of the commands that print secrets count down from it */
	struct redactor *redactor;   /* every secret of a call so far: a later command may print what an earlier one wrote */
	struct buf shown;            /* output on its way to the engine */
	struct command_rules rules;
	bool has_begun; /* setup came, or a call: no setup any more */
	bool is_over;   /* the engine has gone, or speaks nonsense */
	struct pollfd *polled;
	size_t poll_capacity;
};

/* ---- to the engine ---- */

static size_t unsent(const struct actor *a)
{
	return a->out.len - a->out_at;
}

static void flush(struct actor *a)
{
	while (unsent(a) && !a->is_over) {
		ssize_t n = send(a->socket_fd, a->out.data + a->out_at, unsent(a), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) break;
		if (n < 0)
			a->is_over = true;
		else
			a->out_at += (size_t)n;
	}
	if (unsent(a) == 0) buf_reset(&a->out), a->out_at = 0;
	/* Moved rarely: what is unsent stays below the mark. */
	if (a->out_at > OUT_BYTES_MAX / 2) buf_drop(&a->out, a->out_at), a->out_at = 0;
}

static void say(struct actor *a, json_t *head, const void *payload, size_t n)
{
	must(head != NULL);
	if (frame_write(&a->out, head, payload, n) != ERR_OK) a->is_over = true;
	json_decref(head);
}

static void say_failed(struct actor *a, json_int_t id, const struct error *e)
{
	struct buf why;
	failpoint(HAND_FAILED);
	buf_init(&why, WIRE_OUTPUT_BYTES_MAX);
	redact_text(a->redactor, e->text, strlen(e->text), &why);
	say(a, json_pack("{s:s,s:I,s:s,s:o}", "t", "failed", "id", id, "kind", err_info(e->kind)->name, "why", json_text(why.data ? why.data : "")), NULL, 0);
	buf_clear(&why);
}

/* What the redactor has let go. */
static void say_output(struct actor *a, const struct command *c, int which, bool is_redacted)
{
	static const char *const names[] = {"stdout", "stderr"};
	for (size_t at = 0, n; at < a->shown.len; at += n) {
		n = a->shown.len - at < WIRE_OUTPUT_BYTES_MAX ? a->shown.len - at : WIRE_OUTPUT_BYTES_MAX;
		json_t *head = json_pack("{s:s,s:I,s:s}", "t", "output", "id", c->id, "stream", names[which]);
		if (is_redacted) json_object_set_new(head, "redacted", json_true());
		say(a, head, a->shown.data + at, n);
	}
	buf_reset(&a->shown);
}

static void say_finished(struct actor *a, const struct command *c, int64_t now_us)
{
	failpoint(HAND_FINISHED);
	json_t *head = json_pack("{s:s,s:I,s:I}", "t", "finished", "id", c->id, "us", (json_int_t)(now_us - c->started_us));
	if (c->signal)
		json_object_set_new(head, "signal", json_integer(c->signal));
	else
		json_object_set_new(head, "code", json_integer(c->code));
	if (c->timed_out) json_object_set_new(head, "timed_out", json_true());
	if (c->cancelled) json_object_set_new(head, "cancelled", json_true());
	say(a, head, NULL, 0);
}

/* ---- from the engine ---- */

static struct command *find(const struct actor *a, json_int_t id)
{
	struct command *c = a->commands;
	while (c && c->id != id) c = c->next;
	return c;
}

static void start_command(struct actor *a, json_int_t id, const json_t *head, const void *input, size_t n, const struct secret_call *secrets)
{
	struct error e;
	struct command *c;
	if (command_start(head, input, n, &a->rules, secrets, &c, &e)) {
		say_failed(a, id, &e);
		return;
	}
	for (int i = 0; i < 2; i++) redact_begin(&c->streams[i], a->redactor);
	c->next = a->commands;
	a->commands = c;
	failpoint(HAND_STARTED);
	say(a, json_pack("{s:s,s:I,s:i,s:s?}", "t", "started", "id", id, "pid", (int)c->pid, "path", c->path), NULL, 0);
}

/* Its secrets are here, or will not come. */
static void start_waiting(struct actor *a, struct secret_call *call)
{
	if (call->is_cancelled && !call->err) call->err = error_set(&call->error, ERR_INTERRUPTED, "it was ended before its secrets were there");
	if (call->err)
		say_failed(a, call->id, &call->error);
	else
		start_command(a, call->id, call->head, call->input.data, call->input.len, call);
	secret_call_free(call);
}

static void on_call(struct actor *a, const struct frame *f)
{
	struct error e;
	json_int_t id = json_int(f->head, "id", 0);
	failpoint(HAND_CALL);
	if (strcmp(json_str(f->head, "module", ""), "sh") != 0 || strcmp(json_str(f->head, "function", ""), "run") != 0) {
		error_set(&e, ERR_INVALID, "this actor makes calls of sh.run only");
		say_failed(a, id, &e);
		return;
	}
	if (!secret_call_is_needed(f->head)) {
		start_command(a, id, f->head, f->payload, f->payload_len, NULL);
		return;
	}
	struct secret_call *call = secret_call_new(f->head, f->payload, f->payload_len, a->redactor, &a->rules, &a->commands, &a->last_reader);
	frame_reader_wipe(&a->in);
	if (!secret_call_waits(call)) {
		start_waiting(a, call);
		return;
	}
	call->next = a->waiting;
	a->waiting = call;
}

static struct secret_call *find_waiting(const struct actor *a, json_int_t id)
{
	struct secret_call *call = a->waiting;
	while (call && call->id != id) call = call->next;
	return call;
}

static void on_cancel(const struct actor *a, const struct frame *f)
{
	int64_t now = clock_monotonic_us();
	failpoint(HAND_CANCEL);
	struct secret_call *call = find_waiting(a, json_int(f->head, "id", 0));
	if (call) call->is_cancelled = true;
	for (size_t i = 0; call && i < call->count; i++) {
		struct command *reader = call->values[i].reader ? find(a, call->values[i].reader) : NULL;
		if (reader) command_stop(reader, now);
	}
	struct command *c = find(a, json_int(f->head, "id", 0));
	if (!c) return; /* its "finished" is on the way */
	c->cancelled = true;
	command_stop(c, now);
}

/* A command that prints a secret is over: the call that waits for it may be made now. */
static void on_reader(struct actor *a, const struct command *reader)
{
	for (struct secret_call **at = &a->waiting, *call; (call = *at) != NULL; at = &call->next) {
		if (!secret_call_take(call, reader, a->redactor)) continue;
		if (secret_call_waits(call)) return;
		*at = call->next;
		start_waiting(a, call);
		return;
	}
}

static void on_frame(struct actor *a, const struct frame *f)
{
	const char *type = json_str(f->head, "t", "");
	json_int_t id = json_int(f->head, "id", 0);
	bool is_first = !a->has_begun;
	a->has_begun = true;
	if (strcmp(type, "setup") == 0 && is_first) {
		a->is_over = command_rules_read(f->head, &a->rules, NULL) != ERR_OK;
		failpoint(HAND_SETUP);
	} else if (strcmp(type, "call") == 0 && id > 0 && !find(a, id) && !find_waiting(a, id))
		on_call(a, f);
	else if (strcmp(type, "cancel") == 0)
		on_cancel(a, f);
	else
		a->is_over = true;
}

static void read_engine(struct actor *a)
{
	static char chunk[65536];
	struct frame f;
	enum err err;
	ssize_t n = recv(a->socket_fd, chunk, sizeof chunk, MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
	if (n <= 0 || frame_reader_feed(&a->in, chunk, (size_t)n) != ERR_OK) {
		a->is_over = true;
		return;
	}
	explicit_bzero(chunk, (size_t)n);
	while ((err = frame_reader_next(&a->in, &f, NULL)) == ERR_OK && !a->is_over) on_frame(a, &f);
	if (err != ERR_OK && err != ERR_WAITING) a->is_over = true;
}

/* ---- commands ---- */

/* No more comes: what the redactor held back. */
static void end_output(struct actor *a, struct command *c, int which)
{
	failpoint(HAND_REDACT);
	if (c->id > 0) say_output(a, c, which, redact_end(&c->streams[which], &a->shown));
}

/* One piece of output; false where nothing is there now. Closes the pipe at its end. */
static bool read_output(struct actor *a, struct command *c, int which)
{
	static char chunk[WIRE_OUTPUT_BYTES_MAX];
	ssize_t n = read(c->output_fd[which], chunk, sizeof chunk);
	if (n < 0 && errno == EINTR) return true;
	if (n < 0 && errno == EAGAIN) return false;
	if (n > 0) failpoint(HAND_OUTPUT);
	if (n > 0 && c->id > 0)
		say_output(a, c, which, redact_feed(&c->streams[which], chunk, (size_t)n, &a->shown));
	else if (n > 0 && which == 0 && !buf_add(&c->printed, chunk, (size_t)n))
		command_stop(c, clock_monotonic_us()); /* no value is as long */
	if (c->id < 0) explicit_bzero(chunk, sizeof chunk);
	if (n > 0) return true;
	close(c->output_fd[which]);
	c->output_fd[which] = -1;
	end_output(a, c, which);
	return false;
}

static void drain(struct actor *a, struct command *c)
{
	for (int i = 0; i < 2; i++) {
		size_t limit = a->out.len + COMMAND_DRAIN_BYTES;
		while (c->output_fd[i] >= 0 && a->out.len < limit && read_output(a, c, i)) continue;
	}
}

/* Children that are no command of ours: orphans that came to us as the subreaper. One of ours in front is left for command_end. */
static void reap_orphans(const struct actor *a)
{
	for (;;) {
		siginfo_t info = {0};
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
		for (const struct command *c = a->commands; c; c = c->next)
			if (c->pid == info.si_pid) return;
		waitpid(info.si_pid, NULL, 0);
	}
}

/* Is it over: has it exited, and are its pipes closed, or held longer than what it left behind may? */
static bool is_finished(const struct actor *a, const struct command *c, int64_t now_us)
{
	if (!c->exited_us) return false;
	if (c->output_fd[0] < 0 && c->output_fd[1] < 0) return true;
	return now_us >= c->exited_us + COMMAND_LINGER_US && unsent(a) <= OUT_HIGH_BYTES;
}

static void check_deadlines(struct command *c, int64_t now_us)
{
	if (c->exited_us) return;
	if (c->deadline_us && now_us >= c->deadline_us && !c->kill_us) {
		c->timed_out = true;
		command_stop(c, now_us);
	}
	if (c->kill_us && now_us >= c->kill_us) kill(-c->pid, SIGKILL);
}

static void settle_commands(struct actor *a)
{
	int64_t now = clock_monotonic_us();
	for (struct command **at = &a->commands, *c; (c = *at) != NULL;) {
		command_look(c, now);
		check_deadlines(c, now);
		if (!is_finished(a, c, now)) {
			at = &c->next;
			continue;
		}
		command_end(c);
		drain(a, c);
		*at = c->next;
		if (c->id > 0) {
			for (int i = 0; i < 2; i++) end_output(a, c, i);
			say_finished(a, c, now);
		} else {
			on_reader(a, c);
			at = &a->commands; /* it may have started others, in front */
		}
		command_free(c);
	}
	reap_orphans(a);
}

/* ---- the end ---- */

/* The parent of a process, from /proc; 0 where it has gone. */
static pid_t parent_of(const char *name)
{
	char path[64], text[512];
	snprintf(path, sizeof path, "/proc/%.20s/stat", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
	if (fd >= 0) close(fd);
	if (n <= 0) return 0;
	text[n] = 0;
	/* The name in parentheses can hold anything: what follows it begins after the last one. */
	const char *after = strrchr(text, ')');
	int parent = 0;
	if (!after || sscanf(after, ") %*c %d", &parent) != 1) return 0;
	return parent;
}

static void kill_children(void)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	while (d && (entry = readdir(d)) != NULL)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && parent_of(entry->d_name) == getpid()) kill(atoi(entry->d_name), SIGKILL);
	if (d) closedir(d);
}

/* Everything that any command started: what a dying process leaves comes to us, its subreaper, until nothing is left. */
static void end_everything(const struct actor *a)
{
	int64_t deadline = clock_monotonic_us() + END_US;
	failpoint(HAND_END);
	for (const struct command *c = a->commands; c; c = c->next) kill(-c->pid, SIGKILL);
	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);
		if (pid > 0) continue;
		if (pid < 0 && errno == ECHILD) return;
		if (clock_monotonic_us() > deadline) return;
		kill_children();
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}

/* ---- the loop ---- */

static int wait_ms(const struct actor *a)
{
	int64_t now = clock_monotonic_us(), least = INT64_MAX;
	for (const struct command *c = a->commands; c; c = c->next) {
		int64_t at = c->exited_us ? c->exited_us + COMMAND_LINGER_US : c->kill_us ? c->kill_us : c->deadline_us;
		/* After SIGKILL, or while the engine does not read, what comes next wakes us anyway. */
		if (at && at > now && at < least)
			least = at;
		else if (at && at <= now && !c->exited_us && !c->kill_us)
			least = now;
	}
	if (least == INT64_MAX) return -1;
	return least <= now ? 0 : (int)((least - now) / 1000 < 3600000 ? (least - now) / 1000 + 1 : 3600000);
}

static void add_poll(struct actor *a, size_t *n, int fd, short events)
{
	if (*n == a->poll_capacity) {
		a->poll_capacity = a->poll_capacity ? 2 * a->poll_capacity : 16;
		a->polled = mem_realloc(a->polled, a->poll_capacity * sizeof *a->polled);
	}
	a->polled[(*n)++] = (struct pollfd){.fd = events ? fd : -1, .events = events};
}

/* The socket, the signals, then three entries a command, in the order of the list. */
static size_t fill_poll(struct actor *a)
{
	size_t n = 0;
	bool is_blocked = unsent(a) > OUT_HIGH_BYTES;
	add_poll(a, &n, a->socket_fd, (short)(POLLIN | (unsent(a) ? POLLOUT : 0)));
	add_poll(a, &n, a->signal_fd, POLLIN);
	for (const struct command *c = a->commands; c; c = c->next) {
		add_poll(a, &n, c->input_fd, c->input_fd >= 0 ? POLLOUT : 0);
		add_poll(a, &n, c->output_fd[0], c->output_fd[0] >= 0 && !is_blocked ? POLLIN : 0);
		add_poll(a, &n, c->output_fd[1], c->output_fd[1] >= 0 && !is_blocked ? POLLIN : 0);
	}
	return n;
}

static void serve_once(struct actor *a)
{
	struct signalfd_siginfo signals[8];
	size_t n = fill_poll(a), at = 2;
	if (poll(a->polled, (nfds_t)n, wait_ms(a)) < 0) return;
	if (a->polled[1].revents)
		while (read(a->signal_fd, signals, sizeof signals) > 0) continue;
	for (struct command *c = a->commands; c; c = c->next, at += 3) {
		if (a->polled[at].revents) command_feed(c);
		for (int i = 0; i < 2; i++)
			if (a->polled[at + 1 + (size_t)i].revents && unsent(a) <= OUT_HIGH_BYTES) read_output(a, c, i);
	}
	/* New commands only now: they are not among those polled. */
	if (a->polled[0].revents & (POLLIN | POLLHUP | POLLERR)) read_engine(a);
	settle_commands(a);
	flush(a);
}

/* Nothing but the socket and the lock. 0 to 2 are there, so that no pipe gets their numbers, and lead nowhere: the third was the engine's log (sanitizer
 * builds keep it for their reports). The lock moves to where commands inherit it. */
static void arrange_descriptors(void)
{
	syscall(SYS_close_range, CHILD_LOCK_FD + 1, ~0U, 0);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < (CONFINE_SANITIZED && fcntl(2, F_GETFD) >= 0 ? 2 : 3); fd++) must(dup2(null, fd) == fd);
	if (null > 2) close(null);
	fcntl(CHILD_SOCKET_FD, F_SETFD, FD_CLOEXEC);
	if (fcntl(CHILD_LOCK_FD, F_GETFD) >= 0) {
		must(dup2(CHILD_LOCK_FD, LOCK_FD) == LOCK_FD);
		close(CHILD_LOCK_FD);
	}
}

/* A process of the same user could have begun to trace this one before it forbade that: it would see what the engine sends. */
static bool is_traced(void)
{
	char text[4096];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
	if (fd >= 0) close(fd);
	text[n > 0 ? n : 0] = 0;
	const char *at = strstr(text, "TracerPid:");
	return at && atoi(at + strlen("TracerPid:")) != 0;
}

/* Commands of the same user can neither trace this process nor read its memory, where values of secrets will be. */
static void hide(void)
{
	must(prctl(PR_SET_DUMPABLE, 0) == 0);
	if (is_traced()) die("rung actor: another process traces this one: it makes no commands");
}

static void limit_commands(void)
{
	struct rlimit files;
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != FILES_SOFT_MAX && files.rlim_max >= FILES_SOFT_MAX) {
		files.rlim_cur = FILES_SOFT_MAX;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

int actor_main(void)
{
	struct actor a = {.socket_fd = CHILD_SOCKET_FD};
	sigset_t child;
	hide();
	arrange_descriptors();
	limit_commands();
	prctl(PR_SET_NAME, "rung-actor");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	a.signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	must(a.signal_fd >= 0);
	failpoint(HAND_READY);
	command_rules_init(&a.rules);
	frame_reader_init(&a.in, WIRE_HEAD_BYTES_MAX, WIRE_PAYLOAD_BYTES_MAX);
	buf_init(&a.out, OUT_BYTES_MAX);
	buf_init(&a.shown, OUT_BYTES_MAX);
	a.redactor = redactor_new(FORM_ALL);
	say(&a, json_pack("{s:s,s:i,s:I}", "t", "ready", "pid", (int)getpid(), "uid", (json_int_t)geteuid()), NULL, 0);
	flush(&a);
	while (!a.is_over) serve_once(&a);
	end_everything(&a);
	while (a.commands) {
		struct command *c = a.commands;
		a.commands = c->next;
		command_free(c);
	}
	while (a.waiting) {
		struct secret_call *call = a.waiting;
		a.waiting = call->next;
		secret_call_free(call);
	}
	redactor_free(a.redactor);
	frame_reader_clear(&a.in);
	buf_clear(&a.shown);
	buf_clear(&a.out);
	free(a.polled);
	return 0;
}
