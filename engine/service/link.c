#include "service/link.h"
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

enum { READ_BYTES = 65536 };

struct link {
	uv_pipe_t pipe;
	struct frame_reader reader;
	link_frame_fn *on_frame;
	link_closed_fn *on_closed;
	void *owner;
	bool is_closing, is_in_frame;
	char chunk[READ_BYTES];
};

struct link_write {
	uv_write_t request;
	struct buf bytes;
	bool is_secret;
};

static void closed(uv_handle_t *h)
{
	struct link *l = h->data;
	frame_reader_clear(&l->reader);
	free(l);
}

void link_close(struct link *l)
{
	if (l->is_closing) return;
	l->is_closing = true;
	uv_close((uv_handle_t *)&l->pipe, closed);
}

static void fail(struct link *l, const struct error *e)
{
	if (l->is_closing) return;
	link_closed_fn *tell = l->on_closed;
	void *owner = l->owner;
	link_close(l);
	tell(owner, e);
}

static void allocate(uv_handle_t *h, size_t suggested, uv_buf_t *b)
{
	(void)suggested;
	struct link *l = h->data;
	*b = uv_buf_init(l->chunk, sizeof l->chunk);
}

static void came(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	(void)b;
	struct link *l = s->data;
	struct error e = {ERR_CLOSED, "the peer closed the connection"};
	if (n < 0) {
		fail(l, &e);
		return;
	}
	if (frame_reader_feed(&l->reader, l->chunk, (size_t)n)) {
		error_set(&e, ERR_PROTOCOL, "more bytes than a frame may have");
		fail(l, &e);
		return;
	}
	struct frame f;
	enum err err;
	while (!l->is_closing && (err = frame_reader_next(&l->reader, &f, &e)) != ERR_WAITING) {
		if (!err) err = l->on_frame(l->owner, &f, &e);
		if (err) fail(l, &e);
	}
}

struct link *link_open(uv_loop_t *loop, int fd, size_t head_max, size_t payload_max, link_frame_fn *on_frame, link_closed_fn *on_closed, void *owner)
{
	struct link *l = mem_zero(sizeof *l);
	l->on_frame = on_frame;
	l->on_closed = on_closed;
	l->owner = owner;
	frame_reader_init(&l->reader, head_max, payload_max);
	must(uv_pipe_init(loop, &l->pipe, 0) == 0);
	l->pipe.data = l;
	must(uv_pipe_open(&l->pipe, fd) == 0);
	must(uv_read_start((uv_stream_t *)&l->pipe, allocate, came) == 0);
	return l;
}

static void written(uv_write_t *r, int status)
{
	(void)status; /* a broken link says so when it is read */
	struct link_write *w = r->data;
	if (w->is_secret)
		buf_wipe(&w->bytes);
	else
		buf_clear(&w->bytes);
	free(w);
}

static void write_frame(struct link *l, bool is_secret, const json_t *head, const void *payload, size_t n)
{
	if (l->is_closing) return;
	struct link_write *w = mem_zero(sizeof *w);
	w->is_secret = is_secret;
	buf_init(&w->bytes, UINT32_MAX);
	if (is_secret) buf_reserve(&w->bytes, frame_bytes(head, n));
	must(frame_write(&w->bytes, head, payload, n) == ERR_OK);
	w->request.data = w;
	uv_buf_t b = uv_buf_init(w->bytes.data, (unsigned)w->bytes.len);
	if (uv_stream_get_write_queue_size((uv_stream_t *)&l->pipe) == 0) {
		/* Most frames go out at once, without a request. */
		int done = uv_try_write((uv_stream_t *)&l->pipe, &b, 1);
		if (done == (int)b.len) {
			written(&w->request, 0);
			return;
		}
		if (done > 0) b.base += done, b.len -= (unsigned)done;
	}
	if (uv_write(&w->request, (uv_stream_t *)&l->pipe, &b, 1, written) != 0) written(&w->request, 0);
}

void link_send(struct link *l, const json_t *head, const void *payload, size_t n)
{
	write_frame(l, false, head, payload, n);
}

void link_send_secret(struct link *l, const json_t *head, const void *payload, size_t n)
{
	write_frame(l, true, head, payload, n);
}

void link_send_new(struct link *l, json_t *head, const void *payload, size_t n)
{
	link_send(l, head, payload, n);
	json_decref(head);
}

bool link_has_more(const struct link *l)
{
	return frame_reader_left(&l->reader) > 0;
}

size_t link_queued_bytes(const struct link *l)
{
	return uv_stream_get_write_queue_size((const uv_stream_t *)&l->pipe);
}
