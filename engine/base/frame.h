#ifndef RUNG_BASE_FRAME_H
#define RUNG_BASE_FRAME_H

#include "base/buf.h"
#include "base/error.h"

#include <jansson.h>

/* Every wire of rung (client, worker, actor, fork server) carries frames: a big-endian u32 header length, a u32 payload length,
 * a header that is one JSON object, and a raw payload. Bytes of hosts travel as payload, never as JSON strings. */

enum { FRAME_PREFIX_BYTES = 8, FRAME_DEPTH_MAX = 24 };

struct frame {
	json_t *head; /* an object; borrowed from the reader until its next call */
	const char *payload;
	size_t payload_len, head_len; /* bytes; the header's as it was written */
};

/* Appends a frame to out; payload may be NULL when n is 0. ERR_TOO_BIG where out is full. */
enum err frame_write(struct buf *out, const json_t *head, const void *payload, size_t n);

/* How long that frame is, with n bytes of payload. */
size_t frame_bytes(const json_t *head, size_t n);

/* Cuts a byte stream from a hostile peer into frames. */
struct frame_reader {
	struct buf in;
	size_t head_max, payload_max, taken;
	json_t *head;
};

void frame_reader_init(struct frame_reader *r, size_t head_bytes_max, size_t payload_bytes_max);
/* Bytes that came and that no frame has been made of yet. */
size_t frame_reader_left(const struct frame_reader *r);

void frame_reader_clear(struct frame_reader *r);

/* Overwrites the bytes of the frames that were handed out, whose payloads are gone with them: for frames with secrets. */
void frame_reader_wipe(struct frame_reader *r);

/* Hands over bytes that arrived. ERR_PROTOCOL where more is held than one frame of the largest size and nobody took it. */
enum err frame_reader_feed(struct frame_reader *r, const void *data, size_t n);

/* The next whole frame: ERR_OK with f filled (valid until the next call), ERR_WAITING where more bytes are needed,
 * ERR_PROTOCOL (e filled) where a length is over its maximum or the header is no JSON object: the stream is lost then. */
enum err frame_reader_next(struct frame_reader *r, struct frame *f, struct error *e);

#endif
