#include "http/stream.h"
#include "base/clock.h"
#include "http/authorize.h"
#include "service/client.h"
#include "service/rights.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Records are read in portions, while the buffer has room for one of them. */
enum { RECORDS_AT_A_TIME = 200, RECORDS_ROOM = HTTP_STREAM_BUFFER_MAX / 2 };

struct stream {
	struct stream *next;
	struct http *http;
	struct exchange *exchange; /* until it is answered */
	struct client *client;     /* NULL: it hears no more */
	char *principal, *authorization;
	char execution[27];
	bool has_last, is_begun, is_over; /* is_over: the execution has ended, or may not be read: what is there is sent, and then the end */
	uint64_t next_seq;                /* of the records to come */
	int64_t said_us;

	/* Under the lock. */
	struct buf bytes;
	size_t at;         /* of bytes, what the reader has not taken begins there */
	bool is_suspended; /* its connection is: there was nothing to send */
	bool is_ended;     /* nothing more comes */
	bool is_left;      /* the reader has gone: the loop frees it */
	struct MHD_Connection *connection;
	struct connection *from;
};

/* ---- to the reader ---- */

static size_t waiting_bytes(struct stream *s)
{
	pthread_mutex_lock(&s->http->lock);
	size_t n = s->bytes.len - s->at;
	pthread_mutex_unlock(&s->http->lock);
	return n;
}

static void wake_reader(struct stream *s)
{
	if (!s->is_suspended) return;
	s->is_suspended = false;
	/* Its time to take what waits begins now. */
	s->from->since_us = clock_monotonic_us();
	s->from->phase = CONNECTION_STREAM;
	MHD_resume_connection(s->connection);
}

static void send_bytes(struct stream *s, const char *bytes, size_t n)
{
	pthread_mutex_lock(&s->http->lock);
	if (s->at) buf_drop(&s->bytes, s->at), s->at = 0;
	buf_add(&s->bytes, bytes, n);
	wake_reader(s);
	pthread_mutex_unlock(&s->http->lock);
	s->said_us = clock_monotonic_us();
}

/* One event; data is one line, since JSON's line feeds are escaped. */
static void send_event(struct stream *s, const char *name, bool has_id, uint64_t id, const char *data, size_t n)
{
	struct buf b;
	buf_init(&b, SIZE_MAX / 2);
	if (has_id) buf_printf(&b, "id: %llu\n", (unsigned long long)id);
	buf_printf(&b, "event: %s\ndata: ", name);
	buf_add(&b, data, n);
	buf_str(&b, "\n\n");
	send_bytes(s, b.data, b.len);
	buf_clear(&b);
}

static void send_json(struct stream *s, const char *name, bool has_id, uint64_t id, const json_t *v)
{
	struct buf b;
	buf_init(&b, SIZE_MAX / 2);
	must(json_inert(v, JSON_COMPACT, &b));
	send_event(s, name, has_id, id, b.data, b.len);
	buf_clear(&b);
}

static void end_bytes(struct stream *s)
{
	pthread_mutex_lock(&s->http->lock);
	s->is_ended = true;
	wake_reader(s);
	pthread_mutex_unlock(&s->http->lock);
}

/* ---- the library's thread ---- */

static ssize_t take_bytes(void *arg, uint64_t from, char *to, size_t room)
{
	(void)from;
	struct stream *s = arg;
	pthread_mutex_lock(&s->http->lock);
	size_t n = s->bytes.len - s->at;
	ssize_t result = 0;
	if (n) {
		if (n > room) n = room;
		memcpy(to, s->bytes.data + s->at, n);
		s->at += n;
		s->from->since_us = clock_monotonic_us();
		result = (ssize_t)n;
	} else if (s->is_ended) {
		result = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		s->is_suspended = true;
		s->from->phase = CONNECTION_ENGINE; /* nothing waits: no time runs */
		MHD_suspend_connection(s->connection);
	}
	pthread_mutex_unlock(&s->http->lock);
	return result;
}

static void reader_left(void *arg)
{
	struct stream *s = arg;
	struct http *h = s->http;
	pthread_mutex_lock(&h->lock);
	s->is_left = true;
	s->is_suspended = false;
	pthread_mutex_unlock(&h->lock);
	uv_async_send(&h->wake);
}

struct MHD_Response *stream_response(struct stream *s, struct exchange *x)
{
	pthread_mutex_lock(&s->http->lock);
	s->connection = x->connection;
	s->from = x->from;
	pthread_mutex_unlock(&s->http->lock);
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, take_bytes, s, reader_left);
}

void stream_unused(struct stream *s)
{
	reader_left(s);
}

/* ---- records ---- */

struct pumping {
	struct stream *s;
	size_t count;
};

static bool pump_one(void *arg, uint64_t seq, const char *line, size_t n)
{
	struct pumping *p = arg;
	send_event(p->s, "record", true, seq, line, n);
	p->s->next_seq = seq + 1;
	p->count++;
	return waiting_bytes(p->s) < RECORDS_ROOM;
}

/* May its token's principal read it still? */
static bool may_read(struct stream *s)
{
	struct error e;
	struct engine *en = s->http->en;
	struct execution *x = engine_find(en, s->execution);
	char *now = authorize_again(s->http, s->authorization);
	bool is_same = now && strcmp(now, s->principal) == 0;
	free(now);
	if (!is_same || !s->client) return false;
	client_identify(s->client);
	if (x) return rights_verb(x, s->client->principal, VERB_READ, &e) == ERR_OK;
	return rights_read_stored(en, s->execution, s->client->principal, &e) == ERR_OK;
}

/* Sends records that are durable and not sent yet, while there is room; false where more of them wait. */
static bool pump(struct stream *s)
{
	struct pumping p = {.s = s};
	if (!may_read(s)) {
		s->is_over = true;
		return true;
	}
	while (waiting_bytes(s) < RECORDS_ROOM) {
		p.count = 0;
		if (store_records(s->http->en->reader, s->execution, s->next_seq, RECORDS_AT_A_TIME, pump_one, &p, NULL)) return true;
		if (p.count < RECORDS_AT_A_TIME && waiting_bytes(s) < RECORDS_ROOM) return true;
	}
	return false;
}

/* ---- from the engine ---- */

static void stop_hearing(struct stream *s)
{
	if (s->client) client_end(s->client);
	s->client = NULL;
}

static void finish_if_over(struct stream *s, bool is_pumped)
{
	if (!s->is_over || !is_pumped) return;
	send_event(s, "ended", false, 0, "{}", 2);
	stop_hearing(s);
	end_bytes(s);
}

/* The answer to attach: the view, or why there is none. */
static void begun(struct stream *s, const json_t *answer)
{
	struct exchange *x = s->exchange;
	s->exchange = NULL;
	if (!json_bool(answer, "ok", false)) {
		const json_t *error = json_obj(answer, "error");
		struct error e;
		error_set(&e, err_from_name(json_str(error, "kind", NULL)), "%s", json_str(error, "text", ""));
		reply_problem(&x->reply, &e);
		stop_hearing(s);
		s->is_left = true; /* nobody ever reads it */
		exchange_done(x);
		return;
	}
	const json_t *view = json_obj(answer, "value");
	snprintf(s->execution, sizeof s->execution, "%s", json_str(view, "execution", ""));
	s->is_begun = true;
	s->is_over = json_int(view, "finished_us", 0) != 0;
	send_json(s, "view", !s->has_last && s->next_seq > 0, s->next_seq - 1, view);
	x->reply.status = 200;
	x->reply.type = "text/event-stream";
	x->reply.stream = s;
	exchange_done(x);
	finish_if_over(s, pump(s));
}

static void send_output(struct stream *s, const json_t *head, const void *payload, size_t n)
{
	json_t *o = json_copy((json_t *)head);
	json_object_set_new(o, "bytes", json_bytes(payload, n));
	send_json(s, "output", false, 0, o);
	json_decref(o);
}

static void said(struct client *c, const json_t *head, const void *payload, size_t n)
{
	struct stream *s = c->sink_owner;
	const char *event = json_str(head, "ev", NULL);
	if (!event) {
		if (s->exchange) begun(s, head);
		return;
	}
	if (!s->is_begun) return;
	if (strcmp(event, "ended") == 0 || strcmp(event, "detached") == 0) s->is_over = true;
	/* Also where it may not be read any more. */
	bool is_pumped = pump(s);
	if (s->is_over)
		finish_if_over(s, is_pumped);
	else if (waiting_bytes(s) > HTTP_STREAM_BUFFER_MAX)
		return; /* it is behind: the view is what the records say, and the whole of it is a request away */
	else if (n)
		send_output(s, head, payload, n);
	else
		send_json(s, event, false, 0, head);
}

static size_t queued_bytes(const struct client *c)
{
	struct stream *s = c->sink_owner;
	/* Above the engine's own measure of slow clients, it leaves out what may be missed. */
	return waiting_bytes(s) > HTTP_STREAM_BUFFER_MAX / 2 ? SIZE_MAX : 0;
}

static void ended(struct client *c)
{
	((struct stream *)c->sink_owner)->client = NULL;
}

static const struct client_sink sink = {said, queued_bytes, ended};

/* ---- its life ---- */

static size_t streams_of(const struct http *h, const char *principal)
{
	size_t n = 0;
	for (const struct stream *s = h->streams; s; s = s->next) n += strcmp(s->principal, principal) == 0;
	return n;
}

/* How many records there are at this moment: those that come while the view is made stand behind it. */
static uint64_t journal_size(struct http *h)
{
	struct buf note;
	unsigned long long size = 0;
	buf_init(&note, 65536);
	if (store_checkpoint(h->en->reader, &note, NULL) == ERR_OK && note.len) {
		const char *line = strchr(note.data, '\n');
		if (line) size = strtoull(line + 1, NULL, 10);
	}
	buf_clear(&note);
	return size;
}

void stream_begin(struct exchange *x, const char *execution, bool has_last, uint64_t last)
{
	struct http *h = x->http;
	if (h->stream_count >= HTTP_STREAMS_MAX || streams_of(h, x->principal) >= HTTP_STREAMS_OF_PRINCIPAL_MAX) {
		reply_status(&x->reply, 429, "there are as many streams of events as may be: end one of them");
		x->reply.retry_after_s = 5;
		exchange_done(x);
		return;
	}
	struct stream *s = mem_zero(sizeof *s);
	s->http = h;
	s->exchange = x;
	s->principal = mem_strdup(x->principal);
	s->authorization = mem_strdup(x->authorization);
	s->has_last = has_last;
	s->next_seq = has_last ? last + 1 : journal_size(h);
	s->said_us = clock_monotonic_us();
	buf_init(&s->bytes, SIZE_MAX / 2);
	s->next = h->streams;
	h->streams = s;
	h->stream_count++;
	s->client = client_new(h->en, x->principal, &sink, s);
	json_t *args = json_pack("{s:s}", "execution", execution);
	operations_ask(s->client, 1, "attach", args);
	json_decref(args);
}

static void free_stream(struct stream *s)
{
	stop_hearing(s);
	s->http->stream_count--;
	buf_clear(&s->bytes);
	free(s->principal);
	free(s->authorization);
	free(s);
}

void stream_sweep(struct http *h)
{
	for (struct stream **at = &h->streams, *s; (s = *at);) {
		pthread_mutex_lock(&h->lock);
		bool is_left = s->is_left;
		pthread_mutex_unlock(&h->lock);
		if (is_left && !s->exchange) {
			*at = s->next;
			free_stream(s);
		} else {
			at = &s->next;
		}
	}
}

/* Of a connection that is suspended the library sees no end. Who reads a stream does not close its half and wait. */
static bool has_gone(const struct stream *s)
{
	char byte;
	return s->from && !s->is_left && recv(s->from->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void stream_tick(struct http *h)
{
	stream_sweep(h);
	for (struct stream *s = h->streams; s; s = s->next) {
		pthread_mutex_lock(&h->lock);
		bool is_ended = s->is_ended, is_gone = has_gone(s);
		pthread_mutex_unlock(&h->lock);
		if (!s->is_begun || is_ended) continue;
		if (is_gone) {
			stop_hearing(s);
			end_bytes(s);
			continue;
		}
		finish_if_over(s, pump(s));
		if (clock_monotonic_us() - s->said_us >= HTTP_HEARTBEAT_MAX * INT64_C(1000000)) send_bytes(s, ": here\n\n", 8);
	}
}

void stream_end_all(struct http *h)
{
	for (struct stream *s = h->streams; s; s = s->next) {
		struct exchange *x = s->exchange;
		stop_hearing(s);
		end_bytes(s);
		if (!x) continue;
		s->exchange = NULL;
		s->is_left = true;
		reply_status(&x->reply, 503, "the engine is ending");
		exchange_done(x);
	}
}

void stream_free_all(struct http *h)
{
	while (h->streams) {
		struct stream *s = h->streams;
		h->streams = s->next;
		free_stream(s);
	}
}
