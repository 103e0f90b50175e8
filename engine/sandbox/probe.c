#include "base/clock.h"
#include "base/frame.h"
#include "base/json.h"
#include "sandbox/sandbox.h"
#include "sandbox/wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READY_WAIT_US = 5000000 };

/* Reads from the child until its first frame is whole. */
static enum err first_frame(const struct sandbox_child *c, struct frame_reader *r, struct frame *f, struct error *e)
{
	char chunk[4096];
	int64_t deadline = clock_monotonic_us() + READY_WAIT_US;
	for (;;) {
		enum err err = frame_reader_next(r, f, e);
		if (err != ERR_WAITING) return err;
		int64_t left = deadline - clock_monotonic_us();
		if (left <= 0) return error_set(e, ERR_TIMEOUT, "it said nothing within %d s", READY_WAIT_US / 1000000);
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		if (poll(&p, 1, (int)(left / 1000) + 1) <= 0) continue;
		ssize_t n = recv(c->fd, chunk, sizeof chunk, 0);
		if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
		if (n <= 0) return error_set(e, ERR_CLOSED, "it ended before it was ready");
		err = frame_reader_feed(r, chunk, (size_t)n);
		if (err) return error_set(e, err, "it said too much at once");
	}
}

static enum err probe(struct sandbox *s, enum sandbox_kind kind, struct sandbox_offer *out, struct error *e)
{
	struct sandbox_child c;
	struct frame_reader r;
	struct frame f;
	enum err err = sandbox_spawn(s, kind, NULL, &c, e);
	if (err) return err;
	frame_reader_init(&r, WIRE_HEAD_BYTES_MAX, WIRE_PAYLOAD_BYTES_MAX);
	err = first_frame(&c, &r, &f, e);
	if (!err && strcmp(json_str(f.head, "t", ""), "ready") != 0) err = error_set(e, ERR_PROTOCOL, "it said something else than that it is ready");
	if (err) {
		error_context(e,
		              kind == SANDBOX_WORKER ? "a worker was started to see what confines it" : "an actor was started to see whose commands it makes");
	} else if (kind == SANDBOX_ACTOR) {
		out->actor_uid = (uid_t)json_int(f.head, "uid", -1);
	} else {
		const json_t *on = json_obj(f.head, "confined");
		out->seccomp = json_bool(on, "seccomp", false);
		out->landlock = (int)json_int(on, "landlock", 0);
		out->rlimits = json_bool(on, "rlimits", false);
		out->address_space = json_bool(on, "address_space", false);
	}
	frame_reader_clear(&r);
	close(c.fd); /* its end of file */
	close(c.pidfd);
	return err;
}

enum err sandbox_probe(struct sandbox *s, struct sandbox_offer *out, struct error *e)
{
	*out = (struct sandbox_offer){0};
	enum err err = probe(s, SANDBOX_WORKER, out, e);
	return err ? err : probe(s, SANDBOX_ACTOR, out, e);
}
