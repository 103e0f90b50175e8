/* Plays the engine for one worker: starts the build's fork server, sends attempts, answers calls, with a deadline on every wait. */
#ifndef TESTS_SANDBOX_HARNESS_H
#define TESTS_SANDBOX_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/frame.h"
#include "base/fs.h"
#include "base/json.h"
#include "sandbox/sandbox.h"
#include "sandbox/wire.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HARNESS_WAIT_MS = 60000 };

/* One child and what came from it. */
struct peer {
	struct sandbox_child child;
	struct frame_reader in;
	struct frame frame;
};

/* $RUNG_FORKD, or rung-forkd of the build that this test belongs to: $(O)/test/sandbox/test_x is beside $(O)/rung-forkd. */
static inline char *forkd_path(void)
{
	char self[PATH_MAX];
	if (getenv("RUNG_FORKD")) return mem_strdup(getenv("RUNG_FORKD"));
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	assert_true(n > 0);
	self[n] = 0;
	for (int i = 0; i < 3; i++) *strrchr(self, '/') = 0;
	return mem_printf("%s/rung-forkd", self);
}

static inline struct sandbox *harness_start(const char *forkd)
{
	struct error e;
	struct sandbox *s = NULL;
	char *path = forkd ? mem_strdup(forkd) : forkd_path();
	if (sandbox_start(path, "/proc/self/exe", NULL, &s, &e) != ERR_OK) fail_msg("%s", e.text);
	free(path);
	return s;
}

static inline void peer_open(struct peer *p, struct sandbox *s, enum sandbox_kind kind, int lock_fd)
{
	struct error e;
	*p = (struct peer){0};
	if (sandbox_spawn(s, kind, &(struct sandbox_gifts){lock_fd, -1}, &p->child, &e) != ERR_OK) fail_msg("%s", e.text);
	frame_reader_init(&p->in, WIRE_HEAD_BYTES_MAX, WIRE_PAYLOAD_BYTES_MAX);
}

static inline void peer_close(struct peer *p)
{
	close(p->child.fd);
	close(p->child.pidfd);
	frame_reader_clear(&p->in);
}

/* Waits until the child has ended. */
static inline void peer_wait_end(struct peer *p)
{
	struct pollfd ended = {.fd = p->child.pidfd, .events = POLLIN};
	assert_int_equal(poll(&ended, 1, HARNESS_WAIT_MS), 1);
}

/* The next frame's header (borrowed until the next call), or NULL where the child closed. */
static inline const json_t *peer_read(struct peer *p)
{
	char chunk[65536];
	struct error e;
	for (;;) {
		enum err err = frame_reader_next(&p->in, &p->frame, &e);
		if (err == ERR_OK) return p->frame.head;
		if (err != ERR_WAITING) fail_msg("%s", e.text);
		struct pollfd ready = {.fd = p->child.fd, .events = POLLIN};
		if (poll(&ready, 1, HARNESS_WAIT_MS) != 1) fail_msg("nothing came from the child within %d s", HARNESS_WAIT_MS / 1000);
		ssize_t n = recv(p->child.fd, chunk, sizeof chunk, 0);
		if (n < 0 && errno == EAGAIN) continue;
		if (n <= 0) return NULL;
		assert_int_equal(frame_reader_feed(&p->in, chunk, (size_t)n), ERR_OK);
	}
}

/* The next frame, which must have that type. */
static inline const json_t *peer_expect(struct peer *p, const char *type)
{
	const json_t *head = peer_read(p);
	if (!head) fail_msg("the child closed where \"%s\" was expected", type);
	if (strcmp(json_str(head, "t", ""), type) != 0) fail_msg("\"%s\" was expected, this came: %s", type, json_dumps(head, 0));
	return head;
}

/* Sends a frame, waiting where the socket is full; takes head. False where the child has closed. */
static inline bool peer_send(struct peer *p, json_t *head, const void *payload, size_t n)
{
	struct buf out;
	assert_non_null(head);
	buf_init(&out, 64 << 20);
	assert_int_equal(frame_write(&out, head, payload, n), ERR_OK);
	json_decref(head);
	bool ok = true;
	for (size_t at = 0; at < out.len && ok;) {
		struct pollfd ready = {.fd = p->child.fd, .events = POLLOUT};
		assert_int_equal(poll(&ready, 1, HARNESS_WAIT_MS), 1);
		ssize_t done = send(p->child.fd, out.data + at, out.len - at, MSG_NOSIGNAL);
		if (done > 0)
			at += (size_t)done;
		else if (errno != EAGAIN)
			ok = false;
	}
	buf_clear(&out);
	return ok;
}

#endif
