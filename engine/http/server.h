#ifndef RUNG_HTTP_SERVER_H
#define RUNG_HTTP_SERVER_H

#include "alert/authenticate.h"
#include "base/arena.h"
#include "base/buf.h"
#include "http/head.h"
#include "http/target.h"
#include "service/engine_state.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

/* Two threads meet here. The library's own reads requests and writes answers (server.c); the engine's loop, which owns all that requests are about, makes the
 * answers (http.c and the routes). A request goes over as a whole, its connection suspended, and comes back with a reply: at any time one of the two has it.
 * What both touch is behind one lock, and held for moments only. */

struct MHD_Connection;
struct MHD_Daemon;
struct exchange;
struct stream;

enum http_method { HTTP_GET, HTTP_POST, HTTP_METHOD_N };

/* A path, and who answers for it. */
struct route {
	enum http_method method;
	const char *path; /* "/v1/executions/ * /events" without the spaces: a star is one part */
	bool needs_token;
	size_t body_max; /* 0: it has none */
	void (*run)(struct exchange *x);
	const char *operation, *argument; /* of route_look: which looks, and what the path's star is to it; or NULL */
};

/* All of them; ends with a NULL path. */
extern const struct route routes[];

struct reply {
	int status;
	const char *type;
	struct buf body;
	struct stream *stream; /* in place of a body; the reply's until it is sent */
	int64_t retry_after_s; /* 0: nothing is said */
	const char *allow;     /* methods, with 405 */
	const char *policy;    /* Content-Security-Policy of a page; NULL: nothing may be loaded at all */
	bool is_last;          /* the connection is closed behind it */
};

enum exchange_state { EXCHANGE_HEAD, EXCHANGE_BODY, EXCHANGE_WAITS, EXCHANGE_SENT };

/* One request and its answer. */
struct exchange {
	struct exchange *next; /* in the queue to the loop, or in its list of those that wait */
	struct http *http;
	struct MHD_Connection *connection;
	struct connection *from;
	struct arena *arena;
	enum exchange_state state;
	bool is_answered; /* under the lock */
	char *target_text;
	struct target target;
	const struct route *route;
	const struct alert_header *headers;
	size_t header_count;
	const char *authorization, *last_event_id, *content_type; /* NULL: not given */
	struct buf body;
	size_t reserved;     /* of HTTP_BODIES_MAX */
	bool is_left_unread; /* there was no room for all of its body */
	bool is_head;        /* the method is HEAD: answered as GET, and only the answer's head is sent */
	struct reply reply;
	int64_t began_us;
	/* Of the loop. */
	char *principal;       /* whose token it has; NULL: it has none */
	struct client *client; /* while an operation is asked; NULL: none */
};

/* Where a connection stands; each state has its limit of time. */
enum connection_phase { CONNECTION_HEAD, CONNECTION_IDLE, CONNECTION_BODY, CONNECTION_ENGINE, CONNECTION_ANSWER, CONNECTION_STREAM, CONNECTION_PHASE_N };

struct connection {
	struct connection *next, *before;
	int fd;
	enum connection_phase phase;
	int64_t since_us;
	int64_t ended_since_us; /* its since_us when it was seen to have said all that it will; 0: it was not */
	bool is_cut;
	char address[INET6_ADDRSTRLEN + 4]; /* of an IPv6 one its /64, which is one customer's */
};

enum { HTTP_STATUS_MAX = 600 };

struct http {
	struct engine *en;
	struct MHD_Daemon *daemon;
	int listen_fd;     /* -1: not ours any more */
	char address[128]; /* "http://127.0.0.1:7864" */
	bool is_tls;
	char *certificate, *key;
	uv_async_t wake;
	uv_timer_t timer;
	struct wrong_tokens *wrong;
	struct rates *rates;
	struct exchange *asked; /* of the loop: those that wait for an operation's answer */
	struct handed *handed;  /* of the loop: those that wait for another part of the engine (others.c) */
	struct stream *streams; /* of the loop */
	size_t stream_count;
	int64_t started_us; /* on the wall clock */

	pthread_mutex_t lock;
	/* Under the lock. */
	struct exchange *first, **last; /* to the loop */
	size_t waiting;                 /* handed to the loop, and their answers not sent yet */
	bool is_stopping;               /* none is handed over any more: nobody would answer */
	struct connection *connections;
	size_t connection_count;
	size_t bodies_bytes;
	uint64_t answered[HTTP_STATUS_MAX]; /* by status */
	uint64_t cut[CONNECTION_PHASE_N];   /* connections that took too long, by where they stood */
	uint64_t refused_heads;             /* requests that were not written right */
};

/* Starts the library's thread on a socket that listens. ERR_IO, ERR_INVALID (a certificate or key that is none). */
enum err server_start(struct http *h, struct error *e);

/* No new connections from now on. */
void server_quiesce(struct http *h);

/* From now on requests are told that the engine ends. Before those that wait are: one that came behind them would never be answered. */
void server_refuse_all(struct http *h);

/* Ends the thread; every exchange has its reply by then. Those have a moment to be sent. */
void server_stop(struct http *h);

/* Is anything read, answered, or on its way to be sent? */
bool server_is_busy(struct http *h);

/* Cuts connections that take longer than their phase may, and near the limit of connections those that have said nothing whole. Loop. */
void server_reap(struct http *h);

/* Gives an exchange back with its reply. It is the other thread's from here on. Loop. */
void exchange_done(struct exchange *x);

/* What `x` is answered with, before exchange_done. Of reply_problem the kind says the status; detail is made visible. */
void reply_problem(struct reply *r, const struct error *e);
void reply_status(struct reply *r, int status, const char *detail);
void reply_json(struct reply *r, int status, const json_t *v);
void reply_text(struct reply *r, int status, const char *type, struct buf *body); /* takes the bytes of body */

#endif
