#include "cli/client.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "cli/start.h"
#include "service/config.h"
#include "service/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	REQUEST_DEADLINE_US = 30000000,
	WAITS_US_MAX = 700000000,    /* more than the engine ever waits for a command of its own */
	WAITING_BYTES_MAX = 8 << 20, /* what may wait to be written: output of a command that the person runs */
};

struct client {
	int fd;
	struct frame_reader reader;
	struct buf out;
	json_int_t last_id;
	json_t *hello;
	client_event *on_event;
	void *arg;
	struct error late; /* an error in an answer that nobody waited for */
	bool is_closed, has_more;
};

/* Where the answer that a request waits for goes. */
struct expected {
	json_int_t id;
	bool is_there;
	struct answer *out;
	struct error *error;
	enum err err;
	int64_t until_us;
};

/* A path in sun_path has at most 107 bytes: longer ones go through a descriptor of their folder. */
static int connect_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int folder = -1;
	if (strlen(path) < sizeof address.sun_path) {
		strcpy(address.sun_path, path);
	} else {
		char *dir = fs_dirname(path);
		folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		free(dir);
		if (folder < 0) return -1;
		snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder, strrchr(path, '/') + 1);
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int failed = fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0;
	int saved = errno;
	if (folder >= 0) close(folder);
	if (failed && fd >= 0) close(fd);
	errno = saved;
	return failed ? -1 : fd;
}

/* Another user's engine is reached by the socket that its configuration opens to a group. */
static int connect_shared(const char *state_dir)
{
	struct arena *a = arena_new();
	struct config c = {.socket_path = NULL};
	const char *path = start_config(a, state_dir);
	int fd = -1;
	if (path && config_read(a, path, &c, NULL) == ERR_OK && c.socket_path) fd = connect_socket(c.socket_path);
	arena_free(a);
	return fd;
}

enum err client_connect(const char *state_dir, struct client **out, struct error *e)
{
	char *path = mem_printf("%s/engine.sock", state_dir);
	int fd = connect_socket(path), saved = errno;
	free(path);
	if (fd < 0 && (saved == EACCES || saved == EPERM)) fd = connect_shared(state_dir);
	errno = saved;
	if (fd < 0 && (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR))
		return error_set(e, ERR_NOT_FOUND, "no engine is running for %s", state_dir);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return error_set(
		    e, ERR_DENIED,
		    "the state directory %s belongs to another user, and no engine of theirs can be reached: it must be running, with a socket open to a "
		    "group of yours (socket: {path, group} in .rung/config.yaml)",
		    state_dir);
	if (fd < 0) return error_errno(e, "%s/engine.sock", state_dir);
	struct client *c = mem_zero(sizeof *c);
	c->fd = fd;
	frame_reader_init(&c->reader, PROTOCOL_HEAD_BYTES_MAX, PROTOCOL_PAYLOAD_BYTES_MAX);
	buf_init(&c->out, WAITING_BYTES_MAX + (16 << 20));
	struct answer hello = {0};
	enum err err = client_request(c, "hello", NULL, &hello, e);
	if (err) {
		client_close(c);
		return err == ERR_CLOSED ? error_set(e, ERR_NOT_FOUND, "the engine of %s was just ending", state_dir) : err;
	}
	c->hello = hello.value;
	free(hello.payload);
	*out = c;
	return ERR_OK;
}

enum err client_open(const char *state_dir, struct client **out, struct error *e)
{
	enum err err = client_connect(state_dir, out, e);
	if (err != ERR_NOT_FOUND) return err;
	int turn;
	err = start_take_turn(state_dir, &turn, e);
	if (err == ERR_DENIED)
		return error_set(e, err, "no engine is running for %s, and you may not start one there: it takes the user whose it is", state_dir);
	if (err) return err;
	/* Somebody else may have started it while we waited for our turn. */
	err = client_connect(state_dir, out, e);
	if (err == ERR_NOT_FOUND) {
		err = start_engine(state_dir, e);
		if (!err) err = client_connect(state_dir, out, e);
	}
	close(turn);
	return err;
}

void client_close(struct client *c)
{
	if (!c) return;
	if (c->fd >= 0) close(c->fd);
	frame_reader_clear(&c->reader);
	buf_clear(&c->out);
	json_decref(c->hello);
	free(c);
}

void client_on_event(struct client *c, client_event *fn, void *arg)
{
	c->on_event = fn, c->arg = arg;
}

int client_fd(const struct client *c)
{
	return c->fd;
}

bool client_has_more(const struct client *c)
{
	return c->has_more;
}

bool client_wants_write(const struct client *c)
{
	return c->out.len > 0;
}

const json_t *client_hello(const struct client *c)
{
	return c->hello;
}

void answer_clear(struct answer *a)
{
	json_decref(a->value);
	free(a->payload);
	*a = (struct answer){0};
}

static enum err closed(struct client *c, struct error *e)
{
	c->is_closed = true;
	return error_set(e, ERR_CLOSED, "the engine has gone away; what was recorded is durable");
}

static enum err write_some(struct client *c, struct error *e)
{
	while (c->out.len > 0) {
		ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return ERR_OK;
		if (n < 0) return closed(c, e);
		buf_drop(&c->out, (size_t)n);
	}
	return ERR_OK;
}

/* The error object of an answer, as an error. */
static enum err error_of(const json_t *head, struct error *e)
{
	const json_t *o = json_obj(head, "error");
	enum err kind = err_from_name(json_str(o, "kind", "failed"));
	return error_set(e, kind == ERR_OK ? ERR_FAILED : kind, "%s", json_str(o, "text", "the engine gave no reason"));
}

static void take_answer(struct client *c, const struct frame *f, struct expected *want)
{
	bool ok = json_bool(f->head, "ok", false);
	if (!want || json_int(f->head, "re", -1) != want->id) {
		if (!ok && !c->late.kind) error_of(f->head, &c->late);
		return;
	}
	want->is_there = true;
	if (!ok) {
		want->err = error_of(f->head, want->error);
		return;
	}
	if (!want->out) return;
	json_t *value = json_object_get(f->head, "value");
	*want->out = (struct answer){.value = value ? json_incref(value) : json_object(), .payload_len = f->payload_len};
	if (!f->payload_len) return;
	want->out->payload = mem_alloc(f->payload_len);
	memcpy(want->out->payload, f->payload, f->payload_len);
}

/* The engine has to wait for something itself, which takes so long at most. */
static void wait_longer(const struct frame *f, struct expected *want)
{
	json_int_t us = json_int(f->head, "us", 0);
	if (want && json_int(f->head, "request", -1) == want->id && us > 0 && us < WAITS_US_MAX)
		want->until_us = clock_monotonic_us() + us + REQUEST_DEADLINE_US;
}

/* Hands out the frames that are whole. Stops behind the answer that is waited for. */
static enum err take_frames(struct client *c, struct expected *want, struct error *e)
{
	struct frame f;
	enum err err = ERR_OK;
	while (!(want && want->is_there) && (err = frame_reader_next(&c->reader, &f, e)) == ERR_OK) {
		if (json_object_get(f.head, "re"))
			take_answer(c, &f, want);
		else if (strcmp(json_str(f.head, "ev", ""), "waits") == 0)
			wait_longer(&f, want);
		else if (c->on_event)
			c->on_event(c->arg, f.head, f.payload, f.payload_len);
	}
	/* What came behind the answer is left for the next reading: the caller learns of the answer first. */
	c->has_more = want && want->is_there;
	return err == ERR_WAITING ? ERR_OK : err;
}

/* Reads once: at most 64 KiB, so that a flood of output does not keep the keyboard waiting. */
static enum err read_some(struct client *c, struct error *e)
{
	char chunk[65536];
	ssize_t n = recv(c->fd, chunk, sizeof chunk, 0);
	if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) return ERR_OK;
	if (n <= 0) return closed(c, e);
	return frame_reader_feed(&c->reader, chunk, (size_t)n) ? error_set(e, ERR_PROTOCOL, "the engine sent more than the protocol allows") : ERR_OK;
}

static void wait_for_socket(struct client *c, int64_t until_us)
{
	struct pollfd p = {.fd = c->fd, .events = (short)(POLLIN | (c->out.len ? POLLOUT : 0))};
	int64_t left_ms = (until_us - clock_monotonic_us()) / 1000 + 1;
	poll(&p, 1, left_ms > 0 ? (int)left_ms : 0);
}

static enum err queue(struct client *c, const char *op, json_t *args, const void *payload, size_t n, struct error *e)
{
	json_t *head = json_pack("{s:I,s:s,s:o}", "id", ++c->last_id, "op", op, "args", args ? args : json_object());
	must(head != NULL);
	enum err err = c->is_closed ? closed(c, e) : frame_write(&c->out, head, payload, n);
	if (err == ERR_TOO_BIG) error_set(e, ERR_TOO_BIG, "the request \"%s\" is too large", op);
	json_decref(head);
	return err;
}

enum err client_request(struct client *c, const char *op, json_t *args, struct answer *out, struct error *e)
{
	return client_request_with(c, op, args, NULL, 0, out, e);
}

enum err client_request_with(struct client *c, const char *op, json_t *args, const void *payload, size_t n, struct answer *out, struct error *e)
{
	enum err err = queue(c, op, args, payload, n, e);
	struct expected want = {.id = c->last_id, .out = out, .error = e, .until_us = clock_monotonic_us() + REQUEST_DEADLINE_US};
	while (!err) {
		err = write_some(c, e);
		if (!err) err = take_frames(c, &want, e);
		if (err || want.is_there) break;
		if (clock_monotonic_us() > want.until_us)
			return error_set(e, ERR_TIMEOUT, "the engine did not answer \"%s\" in time; it may still have done it: `rung log` shows", op);
		wait_for_socket(c, want.until_us);
		err = read_some(c, e);
	}
	return err ? err : want.err;
}

enum err client_send(struct client *c, const char *op, json_t *args, const void *payload, size_t n, struct error *e)
{
	int64_t until_us = clock_monotonic_us() + REQUEST_DEADLINE_US;
	enum err err = queue(c, op, args, payload, n, e);
	if (!err) err = write_some(c, e);
	while (!err && c->out.len > WAITING_BYTES_MAX) {
		if (clock_monotonic_us() > until_us) return error_set(e, ERR_TIMEOUT, "the engine does not take what it is sent");
		wait_for_socket(c, until_us);
		err = read_some(c, e);
		if (!err) err = take_frames(c, NULL, e);
		if (!err) err = write_some(c, e);
	}
	return err;
}

enum err client_read(struct client *c, struct error *e)
{
	enum err err = write_some(c, e);
	enum err gone = err ? err : read_some(c, e);
	/* What came before the end is still handed out. */
	if (!gone || gone == ERR_CLOSED) err = take_frames(c, NULL, e);
	if (gone) return gone;
	if (!err && c->late.kind) {
		*e = c->late;
		c->late = (struct error){0};
		return e->kind;
	}
	return err;
}
