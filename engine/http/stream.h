#ifndef RUNG_HTTP_STREAM_H
#define RUNG_HTTP_STREAM_H

#include "http/server.h"

/* Live events of one execution as Server-Sent Events: what attached clients hear, and every record of it, each with its number in the journal as id. Who comes
 * back with the last one it saw (Last-Event-ID) gets the records behind it, none twice and none left out. Bytes wait in a bounded buffer: passing events (what
 * steps print) are left out where it is full; records stay in the store until there is room. source: WHATWG HTML, 9.2 */
struct stream;

/* Asks the engine to attach this exchange's principal to the execution; then the exchange is answered, with the stream or a problem. Loop. */
void stream_begin(struct exchange *x, const char *execution, bool has_last, uint64_t last);

/* Four times a second: heartbeats, records that came with no event or had no room. Loop. */
void stream_tick(struct http *h);

/* Streams that nobody reads any more go. Loop. */
void stream_sweep(struct http *h);

/* Ends all: the engine ends. Loop. */
void stream_end_all(struct http *h);

/* Frees them: the library's thread has ended. */
void stream_free_all(struct http *h);

/* The library's thread: the response that sends what comes; of one that is never sent. */
struct MHD_Response;
struct MHD_Response *stream_response(struct stream *s, struct exchange *x);
void stream_unused(struct stream *s);

#endif
