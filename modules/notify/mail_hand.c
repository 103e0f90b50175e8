#include "base/clock.h"
#include "base/json.h"
#include "modules/notify/mail.h"
#include "sandbox/secret_call.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The hand that sends mail. A thread for each message, as many as THREADS_MAX at once: libcurl blocks in it while a server takes its time over the end of a
 * message, and neither the loop nor another message shall wait for that. Names are looked up in the loop, so that a thread waits for the server alone. */

enum { THREADS_MAX = 32, SECRET_BYTES_MAX = REDACT_VALUE_BYTES_MAX, GRACE_US = 2000000 };

struct postbox {
	struct actor *actor;
	struct resolver *resolver;
	struct letter *first;
	int done_fd; /* a thread is over */
	size_t threads;
};

static void letter_free(struct letter *l)
{
	struct buf *parts[] = {&l->user, &l->password, &l->message};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) buf_wipe(parts[i]);
	pthread_mutex_destroy(&l->lock);
	free(l->server);
	free(l->from);
	free(l->to);
	free(l->ca_file);
	free(l->pinned);
	free(l);
}

/* ---- its outcome ---- */

static bool is_sent(struct letter *l)
{
	pthread_mutex_lock(&l->lock);
	bool yes = l->is_sent;
	pthread_mutex_unlock(&l->lock);
	return yes;
}

/* Where it was sent to, as far as that is known. */
static json_t *peer_of(const struct letter *l)
{
	char text[ADDRESS_TEXT_BYTES];
	bool is_known = l->stage == LETTER_OVER && *l->peer;
	const char *host = is_known ? l->peer : l->server;
	snprintf(text, sizeof text, strchr(host, ':') ? "[%.60s]:%u" : "%.60s:%u", host, l->port);
	return json_string(text);
}

/* A thread that does not come back is given up with what is known by then. */
static void tell(struct letter *l)
{
	struct hand_call *call = l->call;
	struct error e = l->why;
	bool was_sent = is_sent(l), is_done = l->stage == LETTER_OVER;
	l->call = NULL;
	if (!was_sent) {
		if (!e.kind) mail_explain(l, &e);
		actor_failed(call, &e);
		return;
	}
	actor_started(call, json_pack("{s:o}", "peer", peer_of(l)));
	if (is_done && l->is_taken) {
		actor_finished(call, json_pack("{s:{s:i}}", "data", "code", 250), clock_monotonic_us() - l->started_us);
	} else if (is_done && l->code) {
		/* What it said to the end of the message is no. */
		actor_finished(call, json_pack("{s:{s:i,s:o}}", "data", "code", l->code, "said", json_bytes(l->said, strlen(l->said))),
		               clock_monotonic_us() - l->started_us);
	} else {
		if (!e.kind) error_set(&e, ERR_CLOSED, "the mail server %s did not say whether it took the message", l->server);
		actor_lost(call, l->is_cancelled ? LOST_CANCELLED : l->is_timed_out ? LOST_TIMED_OUT : LOST_CONNECTION, &e);
	}
}

/* ---- its way ---- */

static void *thread_main(void *arg)
{
	struct letter *l = arg;
	uint64_t one = 1;
	int done_fd = l->box->done_fd;
	mail_perform(l);
	pthread_mutex_lock(&l->lock);
	l->is_done = true;
	pthread_mutex_unlock(&l->lock);
	/* From here on it may be gone. */
	if (write(done_fd, &one, sizeof one) < 0) return NULL;
	return NULL;
}

static void fail(struct letter *l, enum err kind)
{
	if (l->lookup) resolver_cancel(l->box->resolver, l->lookup);
	l->lookup = NULL;
	l->why.kind = kind;
	l->stage = LETTER_OVER;
}

static void begin(struct letter *l)
{
	pthread_t thread;
	pthread_attr_t detached;
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &detached, thread_main, l) == 0) {
		l->stage = LETTER_SENDING;
		l->box->threads++;
	} else {
		fail(l, error_set(&l->why, ERR_FULL, "no thread can be started for a message"));
	}
	pthread_attr_destroy(&detached);
}

static void on_resolved(void *arg, const struct resolved *found)
{
	struct letter *l = arg;
	struct buf b;
	char text[ADDRESS_TEXT_BYTES];
	l->lookup = NULL;
	if (found->err) {
		l->why = found->error;
		fail(l, found->err);
		return;
	}
	buf_init(&b, (RESOLVE_ADDRESSES_MAX + 8) * ADDRESS_TEXT_BYTES);
	buf_printf(&b, "%s:%u", l->server, l->port);
	for (size_t i = 0; i < found->count; i++) {
		address_text((const struct sockaddr *)&found->addresses[i], text);
		*strrchr(text, ':') = 0;
		buf_printf(&b, "%c%s", i ? ',' : ':', text);
	}
	l->pinned = buf_take(&b);
	l->stage = LETTER_QUEUED;
}

static void give_up(struct letter *l)
{
	pthread_mutex_lock(&l->lock);
	l->is_given_up = true;
	pthread_mutex_unlock(&l->lock);
}

static void check_deadline(struct letter *l, int64_t now_us)
{
	if (l->stage == LETTER_OVER || !l->call || !(l->is_cancelled || now_us >= l->deadline_us)) return;
	if (!l->is_cancelled) {
		l->is_timed_out = true;
		error_set(&l->why, ERR_TIMEOUT, "the mail server %s took longer than the time that the channel has", l->server);
	} else {
		error_set(&l->why, ERR_INTERRUPTED, "it was ended before the mail server %s had taken it", l->server);
	}
	give_up(l);
	if (l->stage != LETTER_SENDING) fail(l, l->why.kind);
}

static bool thread_is_over(struct letter *l)
{
	if (l->stage != LETTER_SENDING) return false;
	pthread_mutex_lock(&l->lock);
	bool yes = l->is_done;
	pthread_mutex_unlock(&l->lock);
	return yes;
}

static void mail_settle(void *state)
{
	struct postbox *box = state;
	int64_t now = clock_monotonic_us();
	resolver_serve(box->resolver);
	for (struct letter **at = &box->first, *l; (l = *at) != NULL;) {
		if (l->stage == LETTER_NEW) {
			l->stage = LETTER_RESOLVING;
			l->lookup = resolver_ask(box->resolver, l->server, l->port, l->deadline_us, on_resolved, l);
		}
		check_deadline(l, now);
		if (l->stage == LETTER_QUEUED && box->threads < THREADS_MAX) begin(l);
		if (thread_is_over(l)) {
			l->stage = LETTER_OVER;
			box->threads--;
		}
		/* A thread that hears nothing of it, in a call of the system, say, is left to itself. */
		bool is_stuck = l->call && l->stage == LETTER_SENDING && now >= l->deadline_us + GRACE_US;
		if (l->call && (l->stage == LETTER_OVER || is_stuck)) tell(l);
		if (l->stage != LETTER_OVER) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		letter_free(l);
	}
}

/* ---- the hand ---- */

static void *mail_open(struct actor *a)
{
	struct postbox *box = mem_zero(sizeof *box);
	must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	box->actor = a;
	box->resolver = resolver_new();
	box->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(box->done_fd >= 0);
	return box;
}

static char *copy(const json_t *head, const char *key)
{
	const char *text = json_str(head, key, NULL);
	return text ? mem_strdup(text) : NULL;
}

/* What stands in a line of the protocol. */
static bool is_line(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f) return false;
	return n > 0;
}

static enum err read_login(struct letter *l, const json_t *head, const struct secret_call *secrets, struct error *e)
{
	const char *user = json_str(head, "user", NULL), *name = json_str(json_obj(head, "password"), "secret", NULL);
	const struct buf *value = name && secrets ? secret_call_value(secrets, name) : NULL;
	if (!user) return ERR_OK;
	if (!value) return error_set(e, ERR_INVALID, "the secret of mail: did not come");
	if (!is_line(value->data ? value->data : "", value->len))
		return error_set(e, ERR_INVALID, "the secret %s has a control character: more than the password stands in its source", name);
	buf_str(&l->user, user);
	return buf_add(&l->password, value->data, value->len) ? ERR_OK : error_set(e, ERR_TOO_BIG, "the secret %s is too long", name);
}

static enum err letter_read(struct letter *l, const json_t *head, const void *input, size_t n, const struct secret_call *secrets, struct error *e)
{
	static const char *const words[] = {[MAIL_STARTTLS] = "starttls", [MAIL_IMPLICIT_TLS] = "implicit", [MAIL_NO_TLS] = "none"};
	const char *tls = json_str(head, "tls", "");
	l->server = copy(head, "server");
	l->from = copy(head, "from");
	l->to = copy(head, "to");
	l->ca_file = copy(head, "ca_file");
	l->port = (unsigned)json_int(head, "port", 0);
	l->tls = MAIL_STARTTLS;
	for (int i = 0; i < 3; i++)
		if (strcmp(tls, words[i]) == 0) l->tls = (enum mail_tls)i;
	if (!l->server || !l->from || !l->to || !is_line(l->from, strlen(l->from)) || !is_line(l->to, strlen(l->to)))
		return error_set(e, ERR_INVALID, "a message has a server, a sender and a recipient");
	if (n == 0 || !buf_add(&l->message, input, n)) return error_set(e, ERR_INVALID, "a message has 1 to %d bytes", MAIL_MESSAGE_BYTES_MAX);
	return read_login(l, head, secrets, e);
}

static enum err mail_start(void *state, struct hand_call *call, const json_t *head, const void *input, size_t n, const struct secret_call *secrets,
                           struct error *e)
{
	struct postbox *box = state;
	struct letter *l = mem_zero(sizeof *l);
	pthread_mutex_init(&l->lock, NULL);
	buf_init(&l->user, 1024);
	buf_init(&l->password, SECRET_BYTES_MAX + 2);
	buf_init(&l->message, MAIL_MESSAGE_BYTES_MAX);
	l->box = box;
	l->call = call;
	enum err err = letter_read(l, head, input, n, secrets, e);
	if (err) {
		letter_free(l);
		return err;
	}
	json_int_t timeout_us = json_int(head, "timeout_us", 0);
	l->started_us = clock_monotonic_us();
	l->deadline_us = l->started_us + (timeout_us > 0 ? timeout_us : INT64_C(60000000));
	l->next = box->first;
	call->work = box->first = l;
	return ERR_OK;
}

static void mail_cancel(void *state, struct hand_call *call)
{
	struct letter *l = call->work;
	(void)state;
	l->is_cancelled = true;
}

static void mail_fill(void *state, struct poll_set *set)
{
	struct postbox *box = state;
	poll_set_add(set, resolver_fd(box->resolver), POLLIN);
	poll_set_add(set, box->done_fd, POLLIN);
}

static void mail_serve(void *state, const struct poll_set *set, size_t at)
{
	struct postbox *box = state;
	uint64_t count;
	if (poll_set_seen(set, at + 1) && read(box->done_fd, &count, sizeof count) < 0) return;
}

static int64_t mail_wake_us(const void *state)
{
	const struct postbox *box = state;
	int64_t at = resolver_wake_us(box->resolver), now = clock_monotonic_us();
	for (const struct letter *l = box->first; l; l = l->next) {
		bool is_ready = l->stage == LETTER_QUEUED && box->threads < THREADS_MAX;
		if (l->stage == LETTER_NEW || is_ready) return 0;
		if (!l->call) continue;
		int64_t due = l->deadline_us <= now || l->is_cancelled ? l->deadline_us + GRACE_US : l->deadline_us;
		if (due < at) at = due;
	}
	return at;
}

static void mail_stop(void *state)
{
	struct postbox *box = state;
	for (struct letter *l = box->first; l; l = l->next) {
		if (l->stage != LETTER_SENDING) fail(l, ERR_CLOSED);
		give_up(l);
	}
}

static void mail_close(void *state)
{
	struct postbox *box = state;
	/* Its threads end with the process: none of them is waited for. */
	for (struct letter *l = box->first; l; l = l->next)
		if (l->stage == LETTER_SENDING && !thread_is_over(l)) _exit(0);
	for (struct letter *l; (l = box->first) != NULL;) {
		box->first = l->next;
		letter_free(l);
	}
	resolver_free(box->resolver);
	close(box->done_fd);
	free(box);
	curl_global_cleanup();
}

const struct hand mail_hand = {
    .module = "notify",
    .open = mail_open,
    .start = mail_start,
    .cancel = mail_cancel,
    .fill = mail_fill,
    .serve = mail_serve,
    .settle = mail_settle,
    .wake_us = mail_wake_us,
    .stop = mail_stop,
    .close = mail_close,
};
