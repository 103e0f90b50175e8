#ifndef RUNG_SERVICE_LINK_H
#define RUNG_SERVICE_LINK_H

#include "base/frame.h"

#include <uv.h>

/* A stream of frames on a descriptor in the loop: to a worker, an actor or a client. The peer is hostile: a malformed frame closes the link. */
struct link;

/* One frame that came; what it points to lives until the function returns. An error, with e filled, closes the link (on_closed gets it). */
typedef enum err link_frame_fn(void *owner, const struct frame *f, struct error *e);

/* The peer is gone, broke the protocol (e says how; ERR_CLOSED for a plain end of file), or on_frame said so. Called once; the link is freed after it. */
typedef void link_closed_fn(void *owner, const struct error *e);

struct link *link_open(uv_loop_t *loop, int fd, size_t head_max, size_t payload_max, link_frame_fn *on_frame, link_closed_fn *on_closed, void *owner);

/* Queues a frame; head is borrowed, payload copied. */
void link_send(struct link *l, const json_t *head, const void *payload, size_t n);

/* The same, dropping the caller's reference to head. */
void link_send_new(struct link *l, json_t *head, const void *payload, size_t n);

/* As link_send, of a frame with secrets: what is queued is overwritten once it is written, or lost. */
void link_send_secret(struct link *l, const json_t *head, const void *payload, size_t n);

/* Closes without calling on_closed; what is queued is lost. The owner may forget the link at once. */
void link_close(struct link *l);

/* Has the peer said more than what was taken from it so far? */
bool link_has_more(const struct link *l);

/* Bytes queued and not yet written: for slow readers. */
size_t link_queued_bytes(const struct link *l);

#endif
