#include "base/frame.h"
#include "base/encode.h"
#include "base/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(17))

static int add_bytes(const char *data, size_t n, void *to)
{
	return buf_add(to, data, n) ? 0 : -1;
}

size_t frame_bytes(const json_t *head, size_t n)
{
	return FRAME_PREFIX_BYTES + json_dumpb(head, NULL, 0, HEAD_FLAGS) + n;
}

enum err frame_write(struct buf *out, const json_t *head, const void *payload, size_t n)
{
	size_t at = out->len;
	char prefix[FRAME_PREFIX_BYTES] = {0};
	bool ok = n <= UINT32_MAX && buf_add(out, prefix, sizeof prefix) && json_dump_callback(head, add_bytes, out, HEAD_FLAGS) == 0;
	size_t len = ok ? out->len - at - sizeof prefix : 0;
	if (ok && len <= UINT32_MAX && buf_add(out, payload, n)) {
		put_u32(out->data + at, (uint32_t)len);
		put_u32(out->data + at + 4, (uint32_t)n);
		return ERR_OK;
	}
	if (out->data) out->data[at] = 0;
	out->len = at;
	out->is_full = false;
	return ERR_TOO_BIG;
}

void frame_reader_init(struct frame_reader *r, size_t head_bytes_max, size_t payload_bytes_max)
{
	*r = (struct frame_reader){.head_max = head_bytes_max, .payload_max = payload_bytes_max};
	buf_init(&r->in, 2 * (FRAME_PREFIX_BYTES + head_bytes_max + payload_bytes_max) + 65536);
}

void frame_reader_clear(struct frame_reader *r)
{
	json_decref(r->head);
	r->head = NULL;
	buf_clear(&r->in);
}

void frame_reader_wipe(struct frame_reader *r)
{
	if (r->taken) explicit_bzero(r->in.data, r->taken);
}

size_t frame_reader_left(const struct frame_reader *r)
{
	return r->in.len - r->taken;
}

enum err frame_reader_feed(struct frame_reader *r, const void *data, size_t n)
{
	return buf_add(&r->in, data, n) ? ERR_OK : ERR_PROTOCOL;
}

enum err frame_reader_next(struct frame_reader *r, struct frame *f, struct error *e)
{
	json_decref(r->head);
	r->head = NULL;
	const char *at = r->in.data ? r->in.data + r->taken : ""; /* nothing came yet: no offset from NULL, be it 0 */
	size_t left = r->in.len - r->taken;
	size_t head_len = left >= FRAME_PREFIX_BYTES ? get_u32(at) : 0, payload_len = left >= FRAME_PREFIX_BYTES ? get_u32(at + 4) : 0;
	if (head_len > r->head_max || payload_len > r->payload_max)
		return error_set(e, ERR_PROTOCOL, "a frame of %zu and %zu bytes is over the limit of %zu and %zu", head_len, payload_len, r->head_max,
		                 r->payload_max);
	if (left < FRAME_PREFIX_BYTES || left < FRAME_PREFIX_BYTES + head_len + payload_len) {
		/* The frames before this point are done with: only now, so that a burst of frames costs one move. */
		buf_drop(&r->in, r->taken);
		r->taken = 0;
		return ERR_WAITING;
	}
	r->head = json_parse(at + FRAME_PREFIX_BYTES, head_len, FRAME_DEPTH_MAX, e);
	if (!r->head) {
		error_context(e, "a frame's header");
		return e ? (e->kind = ERR_PROTOCOL) : ERR_PROTOCOL;
	}
	if (!json_is_object(r->head)) return error_set(e, ERR_PROTOCOL, "a frame's header is no object");
	*f = (struct frame){.head = r->head, .payload = at + FRAME_PREFIX_BYTES + head_len, .payload_len = payload_len, .head_len = head_len};
	r->taken += FRAME_PREFIX_BYTES + head_len + payload_len;
	return ERR_OK;
}
