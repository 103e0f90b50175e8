#ifndef RUNG_HTTP_LIMITS_H
#define RUNG_HTTP_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/* What one who sends requests may take of the engine, and why. X(NAME, value, unit, why); `GET /v1` shows the table. */
#define HTTP_LIMITS(X)                                                                                                                                         \
	X(CONNECTIONS, 1024, "connections", "each has a descriptor and 24 KiB; near the limit those that have said nothing whole go first")                    \
	X(CONNECTIONS_OF_ADDRESS, 256, "connections", "of one address: others find room; enough for a proxy in front")                                         \
	X(HEAD, 16384, "bytes", "request line and headers")                                                                                                    \
	X(HEADERS, 64, "headers", "of one request; senders have about twelve")                                                                                 \
	X(TARGET, 2048, "bytes", "path and query; the longest of ours, an acknowledgement's, has 200")                                                         \
	X(INTAKE_BODY, 4 << 20, "bytes", "one delivery of alerts; Alertmanager sends groups of thousands in less")                                             \
	X(OPERATION_BODY, 512 << 10, "bytes", "the arguments of one operation, as on the engine's socket")                                                     \
	X(BODIES, 64 << 20, "bytes", "of all requests that are read or answered at a time: the engine's memory is not the senders'")                           \
	X(REQUESTS, 256, "requests", "that wait for the engine at a time; more are told to come again")                                                        \
	X(STREAMS, 128, "streams", "of live events: each is a client of the engine")                                                                           \
	X(STREAMS_OF_PRINCIPAL, 32, "streams", "of one principal's tokens")                                                                                    \
	X(STREAM_BUFFER, 1 << 20, "bytes", "of a stream that its reader has not taken: passing events are left out then, records wait")                        \
	X(HEAD_TIME, 10, "seconds", "from connecting to the end of the headers, TLS included")                                                                 \
	X(IDLE_TIME, 60, "seconds", "between two requests of a connection")                                                                                    \
	X(BODY_TIME, 30, "seconds", "for a body: 4 MiB at 140 KiB/s")                                                                                          \
	X(ANSWER_TIME, 60, "seconds", "to take an answer")                                                                                                     \
	X(STREAM_TIME, 30, "seconds", "in which the reader of a stream takes something of what waits for it")                                                  \
	X(HEARTBEAT, 15, "seconds", "a stream is never silent for longer: proxies cut what is, and who left is noticed")                                       \
	X(BURST, 2, "seconds", "whose requests one principal may make at once, of the rate that http: {rate} gives it: the engine has one loop")               \
	X(WRONG_TOKENS, 10, "wrong tokens a minute", "of one address: then it is told to wait, those with a right one are not")                                \
	X(WRONG_ADDRESSES, 4096, "addresses", "whose wrong tokens are counted; the oldest make room")

enum {
#define HTTP_LIMIT_VALUE(name, value, unit, why) HTTP_##name##_MAX = (value),
	HTTP_LIMITS(HTTP_LIMIT_VALUE)
#undef HTTP_LIMIT_VALUE
	/* The library keeps the head of a request there, and that of its answer. */
	HTTP_POOL_BYTES = HTTP_HEAD_MAX + 8192
};

struct http_limit {
	const char *name, *unit, *why;
	long long value;
};

/* The table; ends with a NULL name. */
extern const struct http_limit http_limits[];

#endif
