/* The actor: makes the calls of one execution. One thread, one poll; the engine's end of file ends everything that it started. What makes calls of a kind is a
 * hand (hand.h); this file is the loop and the engine's side of it. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/frame.h"
#include "base/json.h"
#include "sandbox/actor_command.h"
#include "sandbox/callable.h"
#include "sandbox/forkd.h"
#include "sandbox/hand.h"
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
	OUT_HIGH_BYTES = 1 << 20, /* with more than this unsent, nothing is read from commands and hosts: they stop when their pipe or window is full */
	FILES_MAX = 65536,        /* of ours: a descriptor for each connection; commands have fewer (actor_command.c) */
	WAIT_MS_MAX = 3600000,
	END_US = 10000000 /* to wait for what SIGKILL cannot end at once */
};

/* A hand that is at work. */
struct working {
	const struct hand *hand;
	void *state;
	size_t at; /* of its descriptors in this round */
};

struct actor {
	int socket_fd, signal_fd;
	struct frame_reader in;
	struct buf out;
	size_t out_at;
	struct hand_call *calls;
	struct working *working;
	size_t working_count;
	struct secret_call *waiting; /* calls whose secrets are on their way */
	json_int_t last_reader;      /* numbers of what gets them count down from it */
	struct redactor *redactor;   /* every secret of a call so far: a later one may print what an earlier one wrote */
	struct buf shown;            /* output on its way to the engine */
	struct command_rules rules;
	bool has_begun; /* setup came, or a call: no setup any more */
	bool is_over;   /* the engine has gone, or speaks nonsense */
	struct poll_set polled;
};

size_t poll_set_add(struct poll_set *set, int fd, short events)
{
	if (set->count == set->capacity) {
		set->capacity = set->capacity ? 2 * set->capacity : 16;
		set->fds = mem_realloc(set->fds, set->capacity * sizeof *set->fds);
	}
	set->fds[set->count] = (struct pollfd){.fd = events ? fd : -1, .events = events};
	return set->count++;
}

short poll_set_seen(const struct poll_set *set, size_t at)
{
	return set->fds[at].revents;
}

/* ---- to the engine ---- */

size_t actor_unsent(const struct actor *a)
{
	return a->out.len - a->out_at;
}

bool actor_is_blocked(const struct actor *a)
{
	return actor_unsent(a) > OUT_HIGH_BYTES;
}

const struct command_rules *actor_rules(const struct actor *a)
{
	return &a->rules;
}

static void flush(struct actor *a)
{
	while (actor_unsent(a) && !a->is_over) {
		ssize_t n = send(a->socket_fd, a->out.data + a->out_at, actor_unsent(a), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) break;
		if (n < 0)
			a->is_over = true;
		else
			a->out_at += (size_t)n;
	}
	if (actor_unsent(a) == 0) buf_reset(&a->out), a->out_at = 0;
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
static void say_output(struct hand_call *call, int which, bool is_redacted)
{
	static const char *const names[] = {"stdout", "stderr"};
	struct actor *a = call->actor;
	for (size_t at = 0, n; at < a->shown.len; at += n) {
		n = a->shown.len - at < WIRE_OUTPUT_BYTES_MAX ? a->shown.len - at : WIRE_OUTPUT_BYTES_MAX;
		json_t *head = json_pack("{s:s,s:I,s:s}", "t", "output", "id", call->id, "stream", names[which]);
		if (is_redacted) json_object_set_new(head, "redacted", json_true());
		say(a, head, a->shown.data + at, n);
	}
	buf_reset(&a->shown);
}

/* ---- what hands say ---- */

static json_t *redacted_text(struct actor *a, const char *text, size_t n)
{
	struct buf b;
	buf_init(&b, 8 * n + 64);
	redact_text(a->redactor, text, n, &b);
	json_t *out = json_bytes(b.data ? b.data : "", b.len);
	buf_clear(&b);
	return out;
}

/* Texts of hosts in an outcome, as output: without secrets. A copy. */
static json_t *redacted(struct actor *a, const json_t *v)
{
	const char *name;
	json_t *item, *out;
	size_t i;
	if (json_is_string(v)) return redacted_text(a, json_string_value(v), json_string_length(v));
	if (json_is_array(v)) {
		out = json_array();
		json_array_foreach(v, i, item) json_array_append_new(out, redacted(a, item));
		return out;
	}
	if (!json_is_object(v)) return json_copy((json_t *)v);
	out = json_object();
	json_object_foreach((json_t *)v, name, item)
	{
		json_t *key = redacted_text(a, name, strlen(name));
		json_object_set_new(out, json_string_value(key), redacted(a, item));
		json_decref(key);
	}
	return out;
}

static void call_clear(struct hand_call *call)
{
	for (int i = 0; i < 2; i++) redact_clear(&call->streams[i]);
	free(call);
}

static void call_free(struct hand_call *call)
{
	struct hand_call **at = &call->actor->calls;
	while (*at != call) at = &(*at)->next;
	*at = call->next;
	call_clear(call);
}

void actor_started(struct hand_call *call, json_t *facts)
{
	struct actor *a = call->actor;
	json_t *head = facts ? redacted(a, facts) : json_object();
	json_decref(facts);
	must(!call->is_started);
	call->is_started = true;
	json_object_set_new(head, "t", json_string("started"));
	json_object_set_new(head, "id", json_integer(call->id));
	say(a, head, NULL, 0);
}

void actor_output(struct hand_call *call, int which, const void *bytes, size_t n)
{
	say_output(call, which, redact_feed(&call->streams[which], bytes, n, &call->actor->shown));
}

/* No more comes: what the redactor held back. */
static void end_output(struct hand_call *call)
{
	for (int i = 0; i < 2; i++) {
		failpoint(HAND_REDACT);
		say_output(call, i, redact_end(&call->streams[i], &call->actor->shown));
	}
}

void actor_finished(struct hand_call *call, json_t *outcome, int64_t duration_us)
{
	struct actor *a = call->actor;
	json_t *data = json_object_get(outcome, "data");
	end_output(call);
	failpoint(HAND_FINISHED);
	if (data) json_object_set_new(outcome, "data", redacted(a, data));
	json_object_set_new(outcome, "t", json_string("finished"));
	json_object_set_new(outcome, "id", json_integer(call->id));
	json_object_set_new(outcome, "us", json_integer(duration_us));
	say(a, outcome, NULL, 0);
	call_free(call);
}

void actor_failed(struct hand_call *call, const struct error *e)
{
	must(!call->is_started);
	say_failed(call->actor, call->id, e);
	call_free(call);
}

void actor_lost(struct hand_call *call, enum hand_loss how, const struct error *e)
{
	static const char *const words[] = {[LOST_CONNECTION] = "connection", [LOST_TIMED_OUT] = "timed_out", [LOST_CANCELLED] = "cancelled"};
	struct buf why;
	end_output(call);
	buf_init(&why, WIRE_OUTPUT_BYTES_MAX);
	redact_text(call->actor->redactor, e->text, strlen(e->text), &why);
	say(call->actor, json_pack("{s:s,s:I,s:s,s:o}", "t", "lost", "id", call->id, "how", words[how], "why", json_text(why.data ? why.data : "")), NULL, 0);
	buf_clear(&why);
	call_free(call);
}

/* ---- from the engine ---- */

static struct hand_call *find(const struct actor *a, json_int_t id)
{
	struct hand_call *call = a->calls;
	while (call && call->id != id) call = call->next;
	return call;
}

/* The hand's state; it goes to work with its first call. */
static void *state_of(struct actor *a, const struct hand *hand)
{
	for (size_t i = 0; i < a->working_count; i++)
		if (a->working[i].hand == hand) return a->working[i].state;
	a->working = mem_realloc(a->working, (a->working_count + 1) * sizeof *a->working);
	a->working[a->working_count] = (struct working){.hand = hand, .state = hand->open(a)};
	return a->working[a->working_count++].state;
}

static void start(struct actor *a, json_int_t id, const json_t *head, const void *input, size_t n, const struct secret_call *secrets)
{
	struct error e;
	const struct hand *hand = hand_find(json_str(head, "module", ""));
	if (!hand) {
		error_set(&e, ERR_INVALID, "this actor makes no calls of %.60s", json_str(head, "module", ""));
		say_failed(a, id, &e);
		return;
	}
	struct hand_call *call = mem_zero(sizeof *call);
	*call = (struct hand_call){.id = id, .actor = a, .hand = hand, .state = state_of(a, hand), .next = a->calls};
	a->calls = call;
	for (int i = 0; i < 2; i++) redact_begin(&call->streams[i], a->redactor);
	if (hand->start(call->state, call, head, input, n, secrets, &e)) actor_failed(call, &e);
}

/* Its secrets are here, or will not come. */
static void start_waiting(struct actor *a, struct secret_call *call)
{
	if (call->is_cancelled && !call->err) call->err = error_set(&call->error, ERR_INTERRUPTED, "it was ended before its secrets were there");
	if (call->err)
		say_failed(a, call->id, &call->error);
	else
		start(a, call->id, call->head, call->input.data, call->input.len, call);
	secret_call_free(call);
}

static void on_call(struct actor *a, const struct frame *f)
{
	json_int_t id = json_int(f->head, "id", 0);
	failpoint(HAND_CALL);
	if (!secret_call_is_needed(f->head)) {
		start(a, id, f->head, f->payload, f->payload_len, NULL);
		return;
	}
	struct secret_call *call = secret_call_new(f->head, f->payload, f->payload_len, a->redactor, &a->rules, a);
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

static void stop_secret(struct actor *a, json_int_t id)
{
	for (size_t i = 0; i < a->working_count; i++)
		if (a->working[i].hand->stop_secret) a->working[i].hand->stop_secret(a->working[i].state, id);
}

static void on_cancel(struct actor *a, const struct frame *f)
{
	json_int_t id = json_int(f->head, "id", 0);
	failpoint(HAND_CANCEL);
	struct secret_call *waiting = find_waiting(a, id);
	if (waiting) waiting->is_cancelled = true;
	for (size_t i = 0; waiting && i < waiting->count; i++)
		if (waiting->values[i].reader) stop_secret(a, waiting->values[i].reader);
	struct hand_call *call = find(a, id); /* none: its outcome is on the way */
	if (call) call->hand->cancel(call->state, call);
}

enum err actor_read_secret(struct actor *a, const json_t *source, const struct buf *token, json_int_t *id, struct error *e)
{
	const struct hand *hand = json_arr(source, "argv") ? &command_hand : hand_find("http");
	enum err err = hand->read_secret(state_of(a, hand), source, token, --a->last_reader, e);
	*id = err ? 0 : a->last_reader;
	return err;
}

void actor_secret_came(struct actor *a, json_int_t id, const struct buf *value, const struct error *why)
{
	for (struct secret_call **at = &a->waiting, *call; (call = *at) != NULL; at = &call->next) {
		if (!secret_call_take(call, id, value, why, a->redactor)) continue;
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
	for (size_t i = 0; i < a->working_count; i++) a->working[i].hand->stop(a->working[i].state);
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
	for (size_t i = 0; i < a->working_count; i++) {
		int64_t at = a->working[i].hand->wake_us(a->working[i].state);
		if (at < least) least = at;
	}
	if (least == INT64_MAX) return -1;
	return least <= now ? 0 : (int)((least - now) / 1000 < WAIT_MS_MAX ? (least - now) / 1000 + 1 : WAIT_MS_MAX);
}

/* The socket, the signals, then those of each hand. */
static void fill_poll(struct actor *a)
{
	a->polled.count = 0;
	poll_set_add(&a->polled, a->socket_fd, (short)(POLLIN | (actor_unsent(a) ? POLLOUT : 0)));
	poll_set_add(&a->polled, a->signal_fd, POLLIN);
	for (size_t i = 0; i < a->working_count; i++) {
		a->working[i].at = a->polled.count;
		a->working[i].hand->fill(a->working[i].state, &a->polled);
	}
}

static void serve_once(struct actor *a)
{
	struct signalfd_siginfo signals[8];
	fill_poll(a);
	if (poll(a->polled.fds, (nfds_t)a->polled.count, wait_ms(a)) < 0) return;
	if (poll_set_seen(&a->polled, 1))
		while (read(a->signal_fd, signals, sizeof signals) > 0) continue;
	for (size_t i = 0; i < a->working_count; i++) a->working[i].hand->serve(a->working[i].state, &a->polled, a->working[i].at);
	/* New calls only now: they are not among those polled. */
	if (poll_set_seen(&a->polled, 0) & (POLLIN | POLLHUP | POLLERR)) read_engine(a);
	for (size_t i = 0; i < a->working_count; i++) a->working[i].hand->settle(a->working[i].state);
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
		must(dup2(CHILD_LOCK_FD, COMMAND_LOCK_FD) == COMMAND_LOCK_FD);
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

static void set_limits(void)
{
	struct rlimit files;
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
	files.rlim_cur = files.rlim_max < FILES_MAX ? files.rlim_max : FILES_MAX;
	setrlimit(RLIMIT_NOFILE, &files);
}

int actor_main(void)
{
	struct actor a = {.socket_fd = CHILD_SOCKET_FD};
	sigset_t child;
	hide();
	arrange_descriptors();
	set_limits();
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
	for (size_t i = 0; i < a.working_count; i++) a.working[i].hand->close(a.working[i].state);
	while (a.calls) {
		struct hand_call *call = a.calls;
		a.calls = call->next;
		call_clear(call);
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
	free(a.polled.fds);
	free(a.working);
	return 0;
}
