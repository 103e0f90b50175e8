#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "modules/http/http.h"
#include "modules/http/http_request.h"
#include "modules/http/http_vault.h"
#include "sandbox/secret_call.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The hand that makes HTTP requests: libcurl's multi interface, told by the actor's one poll which of its sockets are ready, and names looked up by
 * resolve.c, so that libcurl connects where this file says and nowhere else. Connections stay open for the execution's next requests. */

enum { AT_ONCE_MAX = 256, KEPT_CONNECTIONS_MAX = 64, RETRY_US = 1000000, RETRY_US_MAX = 30000000, RETRY_AFTER_S_MAX = 300, VAULT_BYTES_MAX = 1 << 20 };

struct watched {
	curl_socket_t fd;
	short events;
};

struct http {
	struct actor *actor;
	CURLM *multi;
	struct resolver *resolver;
	struct http_request *first;
	struct watched *sockets, *polled; /* those that libcurl waits for; as they were when they were polled */
	size_t count, capacity, polled_count;
	int64_t timer_us; /* when libcurl wants a round; INT64_MAX: never */
};

/* ---- what libcurl waits for ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
	static const short events[] = {[CURL_POLL_IN] = POLLIN, [CURL_POLL_OUT] = POLLOUT, [CURL_POLL_INOUT] = POLLIN | POLLOUT};
	struct http *h = arg;
	size_t i = 0;
	(void)easy, (void)unused;
	while (i < h->count && h->sockets[i].fd != fd) i++;
	if (what == CURL_POLL_REMOVE) {
		if (i < h->count) h->sockets[i] = h->sockets[--h->count];
		return 0;
	}
	if (i == h->capacity) {
		h->capacity = h->capacity ? 2 * h->capacity : 16;
		h->sockets = mem_realloc(h->sockets, h->capacity * sizeof *h->sockets);
		h->polled = mem_realloc(h->polled, h->capacity * sizeof *h->polled);
	}
	if (i == h->count) h->count++;
	h->sockets[i] = (struct watched){.fd = fd, .events = events[what]};
	return 0;
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
	struct http *h = arg;
	(void)multi;
	h->timer_us = ms < 0 ? INT64_MAX : clock_monotonic_us() + ms * 1000;
	return 0;
}

/* ---- what libcurl asks and says of a request ---- */

static bool is_pinned(const struct http_request *r, const struct sockaddr *address)
{
	for (size_t i = 0; i < r->address_count; i++)
		if (memcmp(&r->addresses[i], address, address_bytes(address)) == 0) return true;
	return r->is_address;
}

static curl_socket_t on_connect(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct http_request *r = arg;
	if (purpose != CURLSOCKTYPE_IPCXN || http_request_may_reach(r, &to->addr, &r->why) || !is_pinned(r, &to->addr)) return CURL_SOCKET_BAD;
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static bool peer_read(const char *ip, int port, struct sockaddr_storage *out)
{
	struct sockaddr_in *four = (struct sockaddr_in *)out;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
	*out = (struct sockaddr_storage){0};
	if (inet_pton(AF_INET, ip, &four->sin_addr) == 1)
		four->sin_family = AF_INET;
	else if (inet_pton(AF_INET6, ip, &six->sin6_addr) == 1)
		six->sin6_family = AF_INET6;
	else
		return false;
	address_set_port((struct sockaddr *)out, (unsigned)port);
	return true;
}

/* The connection stands, a new one or a kept one; from here on the request may have its effect. libcurl comes here again where a kept connection turned out to
 * be closed: it cannot know whether its server had acted by then. */
static int on_ready(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	struct http_request *r = arg;
	struct sockaddr_storage peer;
	(void)local_ip, (void)local_port;
	if (!peer_read(ip, port, &peer)) {
		error_set(&r->why, ERR_FAILED, "libcurl is connected to no address");
		return CURL_PREREQFUNC_ABORT;
	}
	if (http_request_may_reach(r, (const struct sockaddr *)&peer, &r->why)) return CURL_PREREQFUNC_ABORT;
	if (r->is_sent && !r->repeats) {
		error_set(&r->why, ERR_CLOSED, "%s closed the connection without an answer", r->host);
		return CURL_PREREQFUNC_ABORT;
	}
	address_text((const struct sockaddr *)&peer, r->peer);
	if (!r->is_sent && r->call) actor_started(r->call, json_pack("{s:s}", "peer", r->peer));
	r->is_sent = true;
	r->stage = HTTP_SENT;
	r->moved_us = clock_monotonic_us();
	return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct http_request *r = arg;
	(void)size;
	if (http_answer_line(&r->answer, line, count)) return count;
	error_set(&r->why, ERR_TOO_BIG, "%s: %s", r->host, http_answer_fault(&r->answer));
	return 0;
}

/* A status that says: later. */
static bool says_later(const struct http_request *r)
{
	int s = r->answer.status;
	return s == 429 || s == 502 || s == 503 || s == 504;
}

static int64_t retry_after_us(const struct http_request *r)
{
	const char *said = says_later(r) ? http_answer_header(&r->answer, "retry-after") : NULL;
	char *after;
	long seconds = said ? strtol(said, &after, 10) : 0;
	if (said && after != said && !*after && seconds >= 0 && seconds <= RETRY_AFTER_S_MAX) return seconds * INT64_C(1000000);
	int64_t us = (int64_t)RETRY_US << (r->tries < 6 ? r->tries - 1 : 5);
	return us < RETRY_US_MAX ? us : RETRY_US_MAX;
}

static bool may_try_again(const struct http_request *r)
{
	bool has_time = !r->deadline_us || clock_monotonic_us() + retry_after_us(r) < r->deadline_us;
	return r->tries <= r->retries && has_time && !r->is_cancelled && (r->repeats || !r->is_sent);
}

/* Some bytes of the body as its author wrote it. */
static bool take_body(struct http_request *r, const char *bytes, size_t n)
{
	size_t room = r->body_bytes_max - r->body_bytes, kept = n < room ? n : room;
	if (r->call && kept) actor_output(r->call, 0, bytes, kept);
	if (!r->call) buf_add(&r->value, bytes, kept);
	r->body_bytes += kept;
	if (kept < n) error_set(&r->why, ERR_TOO_BIG, "the body is longer than %zu bytes (max_bytes)", r->body_bytes_max);
	return kept == n;
}

/* Decodes for as long as the engine keeps up: *in and *n are what is left. False: why says. */
static bool decode(struct http_request *r, const char **in, size_t *n)
{
	static char out[65536];
	size_t given = 1;
	while ((*n || given) && !(r->call && actor_is_blocked(r->call->actor))) {
		if (!http_body_decode(r->decoder, in, n, out, sizeof out, &given)) {
			error_set(&r->why, ERR_PROTOCOL, "its body says that it is gzip, and is none");
			return false;
		}
		if (given && !take_body(r, out, given)) return false;
	}
	return true;
}

/* What came before the engine did not keep up, now that it does. */
static bool decode_rest(struct http_request *r)
{
	const char *in = r->undecoded.data;
	size_t n = r->undecoded.len;
	if (!r->decoder) return true;
	bool ok = decode(r, &in, &n);
	buf_drop(&r->undecoded, r->undecoded.len - n);
	return ok;
}

static bool begin_body(struct http_request *r)
{
	enum http_coding coding = http_coding_of(http_answer_header(&r->answer, "content-encoding"));
	if (coding == HTTP_CODING_GZIP) r->decoder = http_body_new();
	if (coding != HTTP_CODING_UNKNOWN) return true;
	error_set(&r->why, ERR_PROTOCOL, "its body is encoded as %.60s, and gzip was asked for", http_answer_header(&r->answer, "content-encoding"));
	return false;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct http_request *r = arg;
	bool is_first = r->stage != HTTP_ANSWERING;
	(void)size;
	r->moved_us = clock_monotonic_us();
	if (says_later(r) && may_try_again(r)) return count;
	if (r->call && actor_is_blocked(r->call->actor)) {
		r->is_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	r->stage = HTTP_ANSWERING;
	if (is_first && !begin_body(r)) return 0;
	if (!r->decoder) return take_body(r, bytes, count) ? count : 0;
	const char *in = bytes;
	size_t left = count;
	if (!decode(r, &in, &left)) return 0;
	if (r->call && actor_is_blocked(r->call->actor)) {
		if (!buf_add(&r->undecoded, in, left)) return 0; /* libcurl gives no more while it is paused */
		r->is_paused = true;
		curl_easy_pause(r->easy, CURLPAUSE_RECV);
	}
	return count;
}

static void set_callbacks(struct http_request *r)
{
	curl_easy_setopt(r->easy, CURLOPT_OPENSOCKETFUNCTION, on_connect);
	curl_easy_setopt(r->easy, CURLOPT_OPENSOCKETDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_PREREQFUNCTION, on_ready);
	curl_easy_setopt(r->easy, CURLOPT_PREREQDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
}

/* ---- the way of a request ---- */

static void drop_easy(struct http_request *r)
{
	if (!r->easy) return;
	curl_multi_remove_handle(r->http->multi, r->easy);
	curl_easy_cleanup(r->easy);
	r->easy = NULL;
}

/* It is over: what has gone wrong is in why. */
static void end(struct http_request *r, enum err kind)
{
	if (r->lookup) resolver_cancel(r->http->resolver, r->lookup);
	r->lookup = NULL;
	r->why.kind = kind;
	r->stage = HTTP_OVER;
}

static void connect_to(struct http_request *r)
{
	if (http_request_prepare(r, &r->why)) {
		end(r, r->why.kind);
		return;
	}
	set_callbacks(r);
	r->stage = HTTP_CONNECTING;
	must(curl_multi_add_handle(r->http->multi, r->easy) == CURLM_OK);
}

/* Of the addresses of a name those that it may go to. */
static void on_resolved(void *arg, const struct resolved *found)
{
	struct http_request *r = arg;
	struct error why = {0};
	r->lookup = NULL;
	r->address_count = 0;
	if (found->err) {
		r->why = found->error;
		end(r, found->err);
		return;
	}
	for (size_t i = 0; i < found->count; i++)
		if (http_request_may_reach(r, (const struct sockaddr *)&found->addresses[i], &why) == ERR_OK)
			r->addresses[r->address_count++] = found->addresses[i];
	if (r->address_count) {
		connect_to(r);
		return;
	}
	r->why = why;
	end(r, why.kind);
}

static void begin(struct http_request *r)
{
	int64_t now = clock_monotonic_us(), until = now + r->connect_us;
	r->tries++;
	r->why.kind = ERR_OK;
	*r->curl_error = 0;
	http_answer_clear(&r->answer);
	http_body_free(r->decoder);
	r->decoder = NULL;
	buf_reset(&r->undecoded);
	r->stage = HTTP_RESOLVING;
	if (r->deadline_us && r->deadline_us < until) until = r->deadline_us;
	if (r->is_address)
		connect_to(r);
	else
		r->lookup = resolver_ask(r->http->resolver, r->via, r->via_port, until, on_resolved, r);
}

/* Again a little later, where that may help and it may be. */
static bool try_again(struct http_request *r)
{
	enum err kind = r->why.kind;
	bool may_help = kind == ERR_OK ? says_later(r) : kind == ERR_FAILED || kind == ERR_TIMEOUT || kind == ERR_CLOSED;
	if (!may_help || !may_try_again(r) || r->body_bytes) return false;
	r->stage_us = clock_monotonic_us() + retry_after_us(r);
	drop_easy(r);
	r->stage = HTTP_WAITING;
	return true;
}

/* ---- its outcome ---- */

static json_t *data_of(const struct http_request *r)
{
	long version = 0;
	curl_easy_getinfo(r->easy, CURLINFO_HTTP_VERSION, &version);
	json_t *headers = r->answer.headers ? json_incref(r->answer.headers) : json_object();
	return json_pack("{s:i,s:o,s:s,s:s,s:s}", "status", r->answer.status, "headers", headers, "url", r->url, "peer", r->peer, "version",
	                 version == CURL_HTTP_VERSION_2_0   ? "2"
	                 : version == CURL_HTTP_VERSION_1_0 ? "1.0"
	                                                    : "1.1");
}

/* The status is known, but the rest did not come. A request that may be sent again is sent again, unless it is we who stopped. */
static bool is_worth_telling(const struct http_request *r)
{
	return r->answer.status >= 200 && r->easy && !r->is_cancelled && (r->why.kind == ERR_TOO_BIG || !r->repeats);
}

static void say_outcome(struct http_request *r)
{
	struct hand_call *call = r->call;
	int64_t us = clock_monotonic_us() - r->started_us;
	if (!call->is_started) {
		actor_failed(call, &r->why);
	} else if (r->why.kind == ERR_OK || is_worth_telling(r)) {
		json_t *data = data_of(r);
		if (r->why.kind) json_object_set_new(data, "incomplete", json_text(r->why.text));
		actor_finished(call, json_pack("{s:o}", "data", data), us);
	} else {
		actor_lost(call, r->is_cancelled ? LOST_CANCELLED : r->is_timed_out ? LOST_TIMED_OUT : LOST_CONNECTION, &r->why);
	}
}

/* The value that an answer of Vault holds. */
static void say_secret(struct http_request *r)
{
	struct buf value;
	struct error e = r->why;
	enum err err = r->why.kind;
	buf_init(&value, REDACT_VALUE_BYTES_MAX + 2);
	if (!err && r->answer.status != 200)
		err = vault_refusal(r->answer.status, &e);
	else if (!err)
		err = vault_field(r->value.data ? r->value.data : "", r->value.len, r->field, &value, &e);
	actor_secret_came(r->http->actor, r->reader, &value, err ? &e : NULL);
	buf_wipe(&value);
}

static void check_deadlines(struct http_request *r, int64_t now_us)
{
	bool is_silent = (r->stage == HTTP_SENT || r->stage == HTTP_ANSWERING) && !r->is_paused && now_us >= r->moved_us + r->answer_us;
	if (r->is_cancelled && r->stage != HTTP_OVER) {
		end(r, error_set(&r->why, ERR_INTERRUPTED, "it was ended before the answer came"));
	} else if (r->deadline_us && now_us >= r->deadline_us) {
		r->is_timed_out = true;
		end(r, error_set(&r->why, ERR_TIMEOUT, "no whole answer of %s came in its time (timeout)", r->host));
	} else if (is_silent) {
		const char *fmt =
		    r->stage == HTTP_SENT ? "%s did not answer within %lld ms (answer_timeout)" : "the answer of %s stood still for %lld ms (answer_timeout)";
		r->is_timed_out = !r->has_key; /* with its key it may be sent again: that a connection was lost says so */
		end(r, error_set(&r->why, ERR_TIMEOUT, fmt, r->host, (long long)(r->answer_us / 1000)));
	}
}

static void take_results(struct http *h)
{
	int left;
	for (CURLMsg *m; (m = curl_multi_info_read(h->multi, &left)) != NULL;) {
		struct http_request *r = NULL;
		if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&r) || !r || r->stage == HTTP_OVER) continue;
		CURLcode code = m->data.result;
		/* What on_connect, on_ready, on_header or on_body had against it says more. */
		enum err kind = code == CURLE_OK ? ERR_OK : r->why.kind ? r->why.kind : http_request_explain(r, code, &r->why);
		if (!kind && r->decoder && !http_body_is_whole(r->decoder))
			kind = error_set(&r->why, ERR_CLOSED, "its body breaks off in the middle of its gzip");
		if (!kind && !r->answer.is_whole) kind = error_set(&r->why, ERR_CLOSED, "the head of the answer breaks off");
		if (!kind && r->answer.status < 200)
			kind = error_set(&r->why, ERR_PROTOCOL, "%s answers with status %d and nothing else", r->host, r->answer.status);
		end(r, kind);
	}
}

static size_t under_way(const struct http *h)
{
	size_t n = 0;
	for (const struct http_request *r = h->first; r; r = r->next) n += r->stage > HTTP_WAITING;
	return n;
}

static void settle_one(struct http_request *r, int64_t now_us, size_t *busy)
{
	if (r->stage != HTTP_OVER) check_deadlines(r, now_us);
	if (r->stage == HTTP_WAITING && now_us >= r->stage_us && *busy < AT_ONCE_MAX) {
		begin(r);
		++*busy;
	}
}

static void go_on(struct http_request *r, int64_t now_us)
{
	if (!decode_rest(r)) {
		end(r, r->why.kind);
	} else if (!(r->call && actor_is_blocked(r->call->actor))) {
		r->is_paused = false;
		r->moved_us = now_us;
		curl_easy_pause(r->easy, CURLPAUSE_CONT);
	}
}

static void http_settle(void *state)
{
	struct http *h = state;
	int running;
	int64_t now = clock_monotonic_us();
	size_t busy = under_way(h);
	resolver_serve(h->resolver);
	for (struct http_request *r = h->first; r; r = r->next) {
		settle_one(r, now, &busy);
		if (r->is_paused && r->stage != HTTP_OVER && !actor_is_blocked(h->actor)) go_on(r, now);
	}
	if (now >= h->timer_us) {
		h->timer_us = INT64_MAX;
		curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	take_results(h);
	for (struct http_request **at = &h->first, *r; (r = *at) != NULL;) {
		if (r->stage != HTTP_OVER || try_again(r)) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		if (r->call)
			say_outcome(r);
		else
			say_secret(r);
		drop_easy(r);
		http_request_free(r);
	}
}

/* ---- the hand ---- */

static void *http_open(struct actor *a)
{
	struct http *h = mem_zero(sizeof *h);
	must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	h->actor = a;
	h->timer_us = INT64_MAX;
	h->multi = curl_multi_init();
	must(h->multi != NULL);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS_MAX);
	h->resolver = resolver_new();
	return h;
}

static enum err http_start(void *state, struct hand_call *call, const json_t *head, const void *input, size_t n, const struct secret_call *secrets,
                           struct error *e)
{
	struct http *h = state;
	struct http_request *r;
	json_int_t timeout_us = json_int(head, "timeout_us", 0);
	(void)input, (void)n;
	enum err err = http_request_read(head, secrets, &r, e);
	if (err) return err;
	r->http = h;
	r->call = call;
	call->work = r;
	r->started_us = clock_monotonic_us();
	r->deadline_us = timeout_us ? r->started_us + timeout_us : 0;
	r->stage = HTTP_WAITING;
	r->next = h->first;
	h->first = r;
	return ERR_OK;
}

static enum err http_read_secret(void *state, const json_t *source, const struct buf *token, json_int_t id, struct error *e)
{
	struct http *h = state;
	struct http_request *r;
	struct error header;
	enum err err = http_request_read(json_obj(source, "request"), NULL, &r, e);
	if (err) return err;
	/* Its sentence would name the header, not what holds the value. */
	if (http_request_add_header(r, "X-Vault-Token", token, &header)) {
		http_request_free(r);
		return error_set(e, ERR_INVALID, "its token has a control character: more than the token stands in its source");
	}
	r->http = h;
	r->reader = id;
	r->field = mem_strdup(json_str(source, "field", ""));
	buf_init(&r->value, VAULT_BYTES_MAX);
	r->body_bytes_max = VAULT_BYTES_MAX;
	r->started_us = clock_monotonic_us();
	r->deadline_us = r->started_us + json_int(source, "timeout_us", 0);
	r->stage = HTTP_WAITING;
	r->next = h->first;
	h->first = r;
	return ERR_OK;
}

static void http_stop_secret(void *state, json_int_t id)
{
	const struct http *h = state;
	for (struct http_request *r = h->first; r; r = r->next)
		if (!r->call && r->reader == id) r->is_cancelled = true;
}

static void http_cancel(void *state, struct hand_call *call)
{
	struct http_request *r = call->work;
	(void)state;
	r->is_cancelled = true;
}

/* The resolver's descriptor, then those of libcurl. */
static void http_fill(void *state, struct poll_set *set)
{
	struct http *h = state;
	bool is_blocked = actor_is_blocked(h->actor);
	poll_set_add(set, resolver_fd(h->resolver), POLLIN);
	h->polled_count = h->count;
	for (size_t i = 0; i < h->count; i++) {
		h->polled[i] = h->sockets[i];
		poll_set_add(set, h->sockets[i].fd, (short)(h->sockets[i].events & (is_blocked ? ~POLLIN : ~0)));
	}
}

static void http_serve(void *state, const struct poll_set *set, size_t at)
{
	struct http *h = state;
	int running;
	for (size_t i = 0; i < h->polled_count; i++) {
		short seen = poll_set_seen(set, at + 1 + i);
		int what = (seen & (POLLIN | POLLHUP) ? CURL_CSELECT_IN : 0) | (seen & POLLOUT ? CURL_CSELECT_OUT : 0) |
		           (seen & (POLLERR | POLLNVAL) ? CURL_CSELECT_ERR : 0);
		if (what) curl_multi_socket_action(h->multi, h->polled[i].fd, what, &running);
	}
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t http_wake_us(const void *state)
{
	const struct http *h = state;
	int64_t at = least(h->timer_us, resolver_wake_us(h->resolver));
	bool is_full = under_way(h) >= AT_ONCE_MAX, is_blocked = actor_is_blocked(h->actor);
	for (const struct http_request *r = h->first; r; r = r->next) {
		if (r->deadline_us) at = least(at, r->deadline_us);
		if (r->stage == HTTP_WAITING && !is_full) at = least(at, r->stage_us);
		if ((r->stage == HTTP_SENT || r->stage == HTTP_ANSWERING) && !r->is_paused) at = least(at, r->moved_us + r->answer_us);
		if (r->is_cancelled || (r->is_paused && !is_blocked)) return 0;
	}
	return at;
}

static void http_stop(void *state)
{
	struct http *h = state;
	for (struct http_request *r; (r = h->first) != NULL;) {
		h->first = r->next;
		end(r, ERR_CLOSED);
		drop_easy(r);
		http_request_free(r);
	}
}

static void http_close(void *state)
{
	struct http *h = state;
	http_stop(h);
	curl_multi_cleanup(h->multi);
	resolver_free(h->resolver);
	free(h->sockets);
	free(h->polled);
	free(h);
	curl_global_cleanup();
}

const struct hand http_hand = {
    .module = "http",
    .open = http_open,
    .start = http_start,
    .cancel = http_cancel,
    .fill = http_fill,
    .serve = http_serve,
    .settle = http_settle,
    .wake_us = http_wake_us,
    .read_secret = http_read_secret,
    .stop_secret = http_stop_secret,
    .stop = http_stop,
    .close = http_close,
};
