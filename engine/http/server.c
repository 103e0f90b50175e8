#include "http/server.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/late.h"
#include "http/route.h"
#include "http/stream.h"
#include "http/watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* The library's thread: reads requests, hands them to the loop, writes what comes back. It looks at nothing of the engine. */

/* So long answers may take to be sent when the engine ends, and how often that is looked at. */
enum { LAST_ANSWERS_US = 1000000, LAST_LOOK_US = 1000 };

/* ---- connections ---- */

static void set_phase(struct exchange *x, enum connection_phase phase)
{
	pthread_mutex_lock(&x->http->lock);
	x->from->phase = phase;
	x->from->since_us = clock_monotonic_us();
	pthread_mutex_unlock(&x->http->lock);
}

static void address_of(struct connection *c, const struct sockaddr *a)
{
	snprintf(c->address, sizeof c->address, "?");
	if (a && a->sa_family == AF_INET) inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, c->address, sizeof c->address);
	if (!a || a->sa_family != AF_INET6) return;
	struct in6_addr in = ((const struct sockaddr_in6 *)a)->sin6_addr;
	if (IN6_IS_ADDR_V4MAPPED(&in)) {
		inet_ntop(AF_INET, in.s6_addr + 12, c->address, sizeof c->address);
		return;
	}
	if (!IN6_IS_ADDR_LOOPBACK(&in)) memset(in.s6_addr + 8, 0, 8);
	inet_ntop(AF_INET6, &in, c->address, INET6_ADDRSTRLEN);
	strcat(c->address, "/64");
}

static bool is_asking(const struct connection *c)
{
	return !c->is_cut && (c->phase == CONNECTION_HEAD || c->phase == CONNECTION_IDLE || c->phase == CONNECTION_BODY);
}

/* Its end is seen by the library, which closes it: a descriptor is never closed from here. */
static void cut(struct http *h, struct connection *c)
{
	if (c->is_cut) return;
	c->is_cut = true;
	h->cut[c->phase]++;
	shutdown(c->fd, SHUT_RDWR);
}

/* Slow ones may not keep others out: where room is short, each new one takes the place of the one that has waited longest without a whole request. */
static void make_room(struct http *h)
{
	enum { FULL = HTTP_CONNECTIONS_MAX - HTTP_CONNECTIONS_MAX / 8 };
	if (h->connection_count <= FULL) return;
	struct connection *oldest = NULL;
	for (struct connection *c = h->connections; c; c = c->next)
		if (is_asking(c) && (!oldest || c->since_us < oldest->since_us)) oldest = c;
	if (oldest) cut(h, oldest);
}

static void link_connection(struct http *h, struct connection *c)
{
	pthread_mutex_lock(&h->lock);
	c->next = h->connections;
	if (c->next) c->next->before = c;
	h->connections = c;
	h->connection_count++;
	make_room(h);
	pthread_mutex_unlock(&h->lock);
}

static void unlink_connection(struct http *h, struct connection *c)
{
	pthread_mutex_lock(&h->lock);
	if (c->before)
		c->before->next = c->next;
	else
		h->connections = c->next;
	if (c->next) c->next->before = c->before;
	h->connection_count--;
	pthread_mutex_unlock(&h->lock);
}

static void connection_changed(void *arg, struct MHD_Connection *at, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct http *h = arg;
	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*context) unlink_connection(h, *context);
		free(*context);
		*context = NULL;
		return;
	}
	struct connection *c = mem_zero(sizeof *c);
	c->fd = MHD_get_connection_info(at, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	watch_begin(c->fd, h->is_tls);
	c->since_us = clock_monotonic_us();
	address_of(c, MHD_get_connection_info(at, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
	link_connection(h, c);
	*context = c;
}

/* How long each phase may last; 0: it is the engine's to end. */
static const int64_t phase_us[CONNECTION_PHASE_N] = {
    [CONNECTION_HEAD] = HTTP_HEAD_TIME_MAX * INT64_C(1000000),     [CONNECTION_IDLE] = HTTP_IDLE_TIME_MAX * INT64_C(1000000),
    [CONNECTION_BODY] = HTTP_BODY_TIME_MAX * INT64_C(1000000),     [CONNECTION_ENGINE] = 0,
    [CONNECTION_ANSWER] = HTTP_ANSWER_TIME_MAX * INT64_C(1000000), [CONNECTION_STREAM] = HTTP_STREAM_TIME_MAX * INT64_C(1000000)};

/* Has the other end gone in the middle of a request? The library, which is told of an end once, may have read to before it and not look again. */
static bool has_left(struct connection *c)
{
	char byte;
	bool is_at_end = is_asking(c) && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
	/* A second look: in between its request may have been read to the end, whose sender needs no more than to hear. */
	bool is_same = is_at_end && c->ended_since_us == c->since_us;
	c->ended_since_us = is_at_end ? c->since_us : 0;
	return is_same;
}

void server_reap(struct http *h)
{
	int64_t now_us = clock_monotonic_us();
	pthread_mutex_lock(&h->lock);
	for (struct connection *c = h->connections; c; c = c->next)
		if ((phase_us[c->phase] && now_us - c->since_us > phase_us[c->phase]) || has_left(c)) cut(h, c);
	pthread_mutex_unlock(&h->lock);
}

/* ---- a request's head ---- */

static void *target_came(void *arg, const char *text, struct MHD_Connection *at)
{
	struct exchange *x = mem_zero(sizeof *x);
	x->http = arg;
	x->connection = at;
	x->arena = arena_new();
	x->from = MHD_get_connection_info(at, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	x->target_text = arena_strdup(x->arena, text);
	x->began_us = clock_monotonic_us();
	buf_init(&x->body, HTTP_INTAKE_BODY_MAX);
	buf_init(&x->reply.body, SIZE_MAX / 2);
	return x;
}

static enum MHD_Result field_came(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_n, const char *value, size_t value_n)
{
	(void)kind;
	struct head *head = arg;
	if (head->field_count == HTTP_HEADERS_MAX) {
		head->is_over = true;
		return MHD_NO;
	}
	head->fields[head->field_count++] = (struct head_field){name, value ? value : "", name_n, value_n};
	return MHD_YES;
}

static const char *kept(struct exchange *x, const struct head *head, const char *name)
{
	const struct head_field *f = head_find(head, name);
	return f ? arena_strndup(x->arena, f->value, f->value_n) : NULL;
}

static void keep_headers(struct exchange *x, const struct head *head)
{
	struct alert_header *headers = arena_alloc(x->arena, head->field_count * sizeof *headers);
	for (size_t i = 0; i < head->field_count; i++) {
		headers[i].name = arena_strndup(x->arena, head->fields[i].name, head->fields[i].name_n);
		headers[i].value = arena_strndup(x->arena, head->fields[i].value, head->fields[i].value_n);
	}
	x->headers = headers;
	x->header_count = head->field_count;
	x->authorization = kept(x, head, "authorization");
	x->last_event_id = kept(x, head, "last-event-id");
	x->content_type = kept(x, head, "content-type");
}

/* Room for so many bytes more of it, if there is any. What is announced takes none: who sends nothing of it keeps nobody out. */
static bool reserve(struct exchange *x, size_t more)
{
	struct http *h = x->http;
	pthread_mutex_lock(&h->lock);
	bool fits = more <= HTTP_BODIES_MAX - h->bodies_bytes;
	if (fits) h->bodies_bytes += more, x->reserved += more;
	pthread_mutex_unlock(&h->lock);
	return fits;
}

static void give_room_back(struct exchange *x)
{
	pthread_mutex_lock(&x->http->lock);
	x->http->bodies_bytes -= x->reserved;
	x->reserved = 0;
	pthread_mutex_unlock(&x->http->lock);
	buf_clear(&x->body);
}

static bool would_fit(struct http *h, size_t n)
{
	pthread_mutex_lock(&h->lock);
	bool fits = n <= HTTP_BODIES_MAX - h->bodies_bytes;
	pthread_mutex_unlock(&h->lock);
	return fits;
}

/* The head as it is; x->route is whom it is for. */
static enum err look_at_head(struct exchange *x, const char *method, const char *version, struct head_body *body, struct error *e)
{
	struct head *head = arena_alloc(x->arena, sizeof *head);
	*head = (struct head){.bytes = method, .method = method, .version = version, .target = x->target_text};
	head->n = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
	MHD_get_connection_values_n(x->connection, MHD_HEADER_KIND, field_came, head);
	if (watch_saw_nul(x->from->fd)) return error_set(e, ERR_PROTOCOL, "a byte of value 0 is part of no request");
	if (head->n > HTTP_HEAD_MAX) return error_set(e, ERR_TOO_BIG, "a request's head has at most %d bytes", HTTP_HEAD_MAX);
	enum err err = head_check(head, body, e);
	if (!err) err = target_read(x->target_text, &x->target, e);
	if (!err) keep_headers(x, head);
	return err;
}

/* Nothing more is read of a connection behind a request that is refused before its body was. */
static void refuse(struct exchange *x, int status, const char *detail)
{
	reply_status(&x->reply, status, detail);
	x->reply.is_last = true;
}

static void refuse_head(struct exchange *x, const struct error *e)
{
	pthread_mutex_lock(&x->http->lock);
	x->http->refused_heads++;
	pthread_mutex_unlock(&x->http->lock);
	refuse(x, e->kind == ERR_USAGE ? 411 : e->kind == ERR_TOO_BIG ? 431 : 400, e->text);
}

static void refuse_for_room(struct exchange *x)
{
	refuse(x, 503, "more is sent at the moment than is taken at a time: come again");
	x->reply.retry_after_s = 1;
}

static bool accept_body(struct exchange *x, const struct head_body *body)
{
	if (body->n > x->route->body_max) {
		refuse(x, x->route->body_max ? 413 : 400, x->route->body_max ? "the body is larger than is taken here" : "this request has no body");
		return false;
	}
	if (would_fit(x->http, body->n)) return true;
	refuse_for_room(x);
	return false;
}

/* The library gives no more than Content-Length said. It takes no answer before all of that was read: of what has no room the rest is read and dropped. */
static bool take_body(struct exchange *x, const char *bytes, size_t n)
{
	if (!x->is_left_unread && reserve(x, n)) return buf_add(&x->body, bytes, n);
	x->is_left_unread = true;
	give_room_back(x);
	return true;
}

/* False where x->reply is a refusal. */
static bool take_head(struct exchange *x, const char *method, const char *version)
{
	struct error e;
	struct head_body body;
	if (look_at_head(x, method, version, &body, &e)) {
		refuse_head(x, &e);
		return false;
	}
	x->is_head = strcmp(method, "HEAD") == 0;
	int status = route_find(&x->target, method, &x->route, &x->reply.allow);
	if (status) {
		refuse(x, status, status == 405 ? "this path has other methods" : "there is nothing at this path");
		return false;
	}
	return accept_body(x, &body);
}

/* ---- to the loop and back ---- */

/* NULL; or why not. */
static const char *hand_over(struct exchange *x)
{
	struct http *h = x->http;
	pthread_mutex_lock(&h->lock);
	const char *why_not = h->is_stopping                   ? "the engine is ending"
	                      : h->waiting < HTTP_REQUESTS_MAX ? NULL
	                                                       : "more requests wait than the engine takes at a time: come again";
	if (!why_not) {
		x->state = EXCHANGE_WAITS;
		x->from->phase = CONNECTION_ENGINE;
		x->next = NULL;
		*h->last = x;
		h->last = &x->next;
		h->waiting++;
		/* Before the lock is given up: the answer may be there at once. */
		MHD_suspend_connection(x->connection);
	}
	pthread_mutex_unlock(&h->lock);
	if (!why_not) uv_async_send(&h->wake);
	return why_not;
}

void exchange_done(struct exchange *x)
{
	struct http *h = x->http;
	pthread_mutex_lock(&h->lock);
	x->is_answered = true;
	MHD_resume_connection(x->connection);
	pthread_mutex_unlock(&h->lock);
}

static void add_headers(struct MHD_Response *r, const struct exchange *x)
{
	const struct reply *reply = &x->reply;
	char seconds[24];
	snprintf(seconds, sizeof seconds, "%lld", (long long)reply->retry_after_s);
	const char *const headers[][2] = {
	    {"Content-Type", reply->type},
	    {"Cache-Control", "no-store"},
	    {"X-Content-Type-Options", "nosniff"},
	    {"Content-Security-Policy", reply->policy ? reply->policy : "default-src 'none'; frame-ancestors 'none'"},
	    {"Referrer-Policy", "no-referrer"},
	    {"Strict-Transport-Security", x->http->is_tls ? "max-age=31536000" : NULL},
	    {"Retry-After", reply->retry_after_s ? seconds : NULL},
	    {"Allow", reply->allow},
	    {"WWW-Authenticate", reply->status == 401 ? "Bearer" : NULL},
	    {"Connection", reply->is_last ? "close" : NULL},
	};
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		if (headers[i][1]) must(MHD_add_response_header(r, headers[i][0], headers[i][1]) == MHD_YES);
}

static enum MHD_Result send_reply(struct exchange *x)
{
	struct reply *reply = &x->reply;
	struct MHD_Response *r;
	bool is_stream = reply->stream != NULL;
	if (is_stream) {
		r = stream_response(reply->stream, x);
		reply->stream = NULL;
	} else {
		size_t n = reply->body.len;
		r = MHD_create_response_from_buffer(n, buf_take(&reply->body), MHD_RESPMEM_MUST_FREE);
	}
	must(r != NULL);
	add_headers(r, x);
	set_phase(x, is_stream ? CONNECTION_STREAM : CONNECTION_ANSWER);
	pthread_mutex_lock(&x->http->lock);
	x->http->waiting -= x->state == EXCHANGE_WAITS;
	x->state = EXCHANGE_SENT;
	x->http->answered[reply->status]++;
	pthread_mutex_unlock(&x->http->lock);
	enum MHD_Result result = MHD_queue_response(x->connection, (unsigned)reply->status, r);
	MHD_destroy_response(r);
	return result;
}

static bool is_answered(struct exchange *x)
{
	pthread_mutex_lock(&x->http->lock);
	bool is = x->is_answered;
	pthread_mutex_unlock(&x->http->lock);
	return is;
}

static bool is_stopping(struct http *h)
{
	pthread_mutex_lock(&h->lock);
	bool is = h->is_stopping;
	pthread_mutex_unlock(&h->lock);
	return is;
}

/* More of a request, or an answer to send. */
static enum MHD_Result turn(struct exchange *x, const char *bytes, size_t *n)
{
	if (x->state == EXCHANGE_WAITS) {
		if (is_answered(x)) return send_reply(x);
		MHD_suspend_connection(x->connection);
		return MHD_YES;
	}
	if (*n) {
		if (!take_body(x, bytes, *n)) return MHD_NO;
		*n = 0;
		return MHD_YES;
	}
	if (x->is_left_unread) {
		refuse_for_room(x);
		return send_reply(x);
	}
	const char *why_not = hand_over(x);
	if (!why_not) return MHD_YES;
	reply_status(&x->reply, 503, why_not);
	x->reply.retry_after_s = 1;
	x->reply.is_last = is_stopping(x->http);
	return send_reply(x);
}

static enum MHD_Result request_came(void *arg, struct MHD_Connection *at, const char *url, const char *method, const char *version, const char *bytes,
                                    size_t *n, void **context)
{
	(void)arg, (void)at, (void)url; /* decoded by the library: not what was sent */
	struct exchange *x = *context;
	if (x->state != EXCHANGE_HEAD) return turn(x, bytes, n);
	x->state = EXCHANGE_BODY;
	set_phase(x, CONNECTION_BODY);
	return take_head(x, method, version) ? MHD_YES : send_reply(x);
}

static void request_over(void *arg, struct MHD_Connection *at, void **context, enum MHD_RequestTerminationCode why)
{
	(void)at, (void)why;
	struct http *h = arg;
	struct exchange *x = *context;
	*context = NULL;
	if (!x) return;
	pthread_mutex_lock(&h->lock);
	h->bodies_bytes -= x->reserved;
	h->waiting -= x->state == EXCHANGE_WAITS; /* its connection broke before its answer was sent */
	x->from->phase = CONNECTION_IDLE;
	x->from->since_us = clock_monotonic_us();
	pthread_mutex_unlock(&h->lock);
	if (x->reply.stream) stream_unused(x->reply.stream);
	buf_clear(&x->reply.body);
	buf_clear(&x->body);
	free(x->principal);
	arena_free(x->arena);
	free(x);
}

/* ---- start and end ---- */

static void library_says(void *arg, const char *fmt, va_list ap)
{
	(void)arg;
	char text[512];
	vsnprintf(text, sizeof text, fmt, ap);
	text[strcspn(text, "\n")] = 0;
	log_line(LOG_DEBUG, "http: %s", text);
}

enum err server_start(struct http *h, struct error *e)
{
	enum err err = late_load(e);
	if (err) return err;
	const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (h->is_tls ? MHD_USE_TLS : 0);
	struct MHD_OptionItem options[] = {
	    {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)library_says, NULL},
	    {MHD_OPTION_LISTEN_SOCKET, h->listen_fd, NULL},
	    {MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_MAX, NULL},
	    {MHD_OPTION_PER_IP_CONNECTION_LIMIT, HTTP_CONNECTIONS_OF_ADDRESS_MAX, NULL},
	    {MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_POOL_BYTES, NULL},
	    {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)target_came, h},
	    {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)connection_changed, h},
	    {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)request_over, h},
	    {h->is_tls ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, h->certificate},
	    {MHD_OPTION_HTTPS_MEM_KEY, 0, h->key},
	    {MHD_OPTION_HTTPS_PRIORITIES, 0, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
	    {MHD_OPTION_END, 0, NULL},
	};
	h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, request_came, h, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	if (h->daemon) return ERR_OK;
	if (h->is_tls) return error_set(e, ERR_INVALID, "the certificate and key are none that go together: both in PEM, the certificate's own first");
	return error_set(e, ERR_IO, "the HTTP server cannot start: %s", strerror(errno));
}

void server_quiesce(struct http *h)
{
	if (!h->daemon || h->listen_fd < 0) return;
	MHD_socket fd = MHD_quiesce_daemon(h->daemon);
	if (fd != MHD_INVALID_SOCKET) close(fd);
	h->listen_fd = -1;
}

void server_refuse_all(struct http *h)
{
	pthread_mutex_lock(&h->lock);
	h->is_stopping = true;
	pthread_mutex_unlock(&h->lock);
}

/* A stream for which nothing waits is its reader's, with the engine's phase. */
static bool is_to_be_sent(const struct connection *c)
{
	return c->phase == CONNECTION_ANSWER || c->phase == CONNECTION_STREAM;
}

static bool any(struct http *h, bool (*is_one)(const struct connection *))
{
	pthread_mutex_lock(&h->lock);
	bool is = h->waiting > 0;
	for (const struct connection *c = h->connections; c && !is; c = c->next) is = !c->is_cut && is_one(c);
	pthread_mutex_unlock(&h->lock);
	return is;
}

static bool is_read_or_answered(const struct connection *c)
{
	return c->phase == CONNECTION_BODY || c->phase == CONNECTION_ANSWER;
}

bool server_is_busy(struct http *h)
{
	return any(h, is_read_or_answered);
}

/* The library's thread drops what it has not sent when it is told to end. */
static void send_the_last(struct http *h)
{
	int64_t until_us = clock_monotonic_us() + LAST_ANSWERS_US;
	while (any(h, is_to_be_sent) && clock_monotonic_us() < until_us) usleep(LAST_LOOK_US);
}

void server_stop(struct http *h)
{
	if (h->daemon) send_the_last(h);
	if (h->daemon) MHD_stop_daemon(h->daemon);
	/* With the thread goes the socket that it listened on. */
	if (h->daemon) h->listen_fd = -1;
	h->daemon = NULL;
}
