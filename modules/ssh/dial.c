#include "base/arena.h"
#include "base/clock.h"
#include "modules/ssh/parts.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define STAGGER_US INT64_C(250000)

enum {
	KEEPALIVE_IDLE_S = 30,
	KEEPALIVE_EACH_S = 10,
	KEEPALIVE_PROBES = 3,
	UNANSWERED_MS = 60000 /* what was sent and nobody took */
};

struct attempt {
	struct watch watch;
	struct dial *dial;
	char where[80];
};

struct dial {
	struct ssh_hand *hand;
	struct lookup *lookup;
	const char *host; /* borrowed */
	unsigned port;
	dial_done *done;
	void *arg;
	struct sockaddr_storage addresses[RESOLVE_ADDRESSES_MAX];
	struct attempt attempts[RESOLVE_ADDRESSES_MAX];
	size_t count, started, running;
	int64_t next_us;    /* when the next address is tried; 0: not before one fails */
	struct error error; /* of the first that failed: what the system prefers */
	bool has_error;
	struct dial *next; /* among those that are over */
};

void dial_free(struct dial *d)
{
	if (!d) return;
	if (d->lookup) resolver_cancel(d->hand->resolver, d->lookup);
	for (size_t i = 0; i < d->started; i++) {
		struct attempt *a = &d->attempts[i];
		if (a->watch.fd < 0) continue;
		watch_set(d->hand, &a->watch, 0);
		close(a->watch.fd);
	}
	/* Another event of this round may name it still. */
	d->next = d->hand->dead_dials;
	d->hand->dead_dials = d;
}

void dial_bury(struct ssh_hand *h)
{
	for (struct dial *d; (d = h->dead_dials) != NULL;) {
		h->dead_dials = d->next;
		free(d);
	}
}

/* The receiver frees what belongs to it, and may free more. */
static void end(struct dial *d, int fd, const char *where, const struct error *e)
{
	dial_done *done = d->done;
	void *arg = d->arg;
	char copy[80];
	struct error why;
	snprintf(copy, sizeof copy, "%s", where ? where : "");
	why.text[0] = 0;
	if (e) why = *e;
	dial_free(d);
	done(arg, fd, copy, e ? &why : NULL);
}

static void write_where(const struct sockaddr_storage *s, char out[80])
{
	char host[64], port[8];
	socklen_t n = s->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	if (getnameinfo((const struct sockaddr *)s, n, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		snprintf(out, 80, "an address");
		return;
	}
	snprintf(out, 80, s->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* The lowest latency, and an end for a peer that says nothing any more. */
static void socket_tune(int fd)
{
	static const struct {
		int level, name, value;
	} settings[] = {{IPPROTO_TCP, TCP_NODELAY, 1},
	                {IPPROTO_TCP, TCP_QUICKACK, 1},
	                {SOL_SOCKET, SO_KEEPALIVE, 1},
	                {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
	                {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EACH_S},
	                {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
	                {IPPROTO_TCP, TCP_USER_TIMEOUT, UNANSWERED_MS}};
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		setsockopt(fd, settings[i].level, settings[i].name, &settings[i].value, sizeof settings[i].value);
}

static void attempt_failed(struct dial *d, struct attempt *a, int error)
{
	if (a->watch.fd >= 0) {
		watch_set(d->hand, &a->watch, 0);
		close(a->watch.fd);
		a->watch.fd = -1;
	}
	d->running--;
	if (!d->has_error) {
		errno = error;
		error_errno(&d->error, "%s", a->where);
		d->has_error = true;
	}
	d->next_us = 1; /* the next one now */
}

static void on_ready(void *owner, uint32_t events)
{
	struct attempt *a = owner;
	struct dial *d = a->dial;
	int error = 0, fd = a->watch.fd;
	socklen_t n = sizeof error;
	(void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0) error = errno;
	if (error) {
		attempt_failed(d, a, error);
		hand_wake_at(d->hand, 0);
		return;
	}
	watch_set(d->hand, &a->watch, 0);
	a->watch.fd = -1;
	end(d, fd, a->where, NULL);
}

static void attempt_start(struct dial *d, size_t i)
{
	struct attempt *a = &d->attempts[i];
	const struct sockaddr_storage *to = &d->addresses[i];
	socklen_t n = to->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	a->dial = d;
	write_where(to, a->where);
	a->watch = (struct watch){.fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .ready = on_ready, .owner = a};
	d->running++;
	if (a->watch.fd < 0) {
		attempt_failed(d, a, errno);
		return;
	}
	socket_tune(a->watch.fd);
	if (connect(a->watch.fd, (const struct sockaddr *)to, n) != 0 && errno != EINPROGRESS) {
		attempt_failed(d, a, errno);
		return;
	}
	watch_set(d->hand, &a->watch, EPOLLOUT);
}

void dial_settle(struct dial *d, int64_t now_us)
{
	if (d->lookup) return;
	while (d->started < d->count && (d->running == 0 || now_us >= d->next_us)) {
		d->next_us = now_us + STAGGER_US;
		attempt_start(d, d->started++);
	}
	if (d->started < d->count) hand_wake_at(d->hand, d->next_us);
	if (d->running == 0 && d->started == d->count) end(d, -1, NULL, &d->error);
}

/* Addresses of the two families take turns, in the order that the system prefers. */
static void take_addresses(struct dial *d, const struct resolved *r)
{
	bool is_taken[RESOLVE_ADDRESSES_MAX] = {false};
	sa_family_t wanted = r->addresses[0].ss_family;
	while (d->count < r->count) {
		size_t i = 0;
		while (i < r->count && (is_taken[i] || r->addresses[i].ss_family != wanted)) i++;
		wanted = wanted == AF_INET6 ? AF_INET : AF_INET6;
		if (i == r->count) continue;
		is_taken[i] = true;
		d->addresses[d->count++] = r->addresses[i];
	}
}

static void on_resolved(void *arg, const struct resolved *r)
{
	struct dial *d = arg;
	d->lookup = NULL;
	if (r->err) {
		end(d, -1, NULL, &r->error);
		return;
	}
	take_addresses(d, r);
	dial_settle(d, clock_monotonic_us());
}

struct dial *dial_new(struct ssh_hand *h, const char *host, unsigned port, int64_t deadline_us, dial_done *done, void *arg)
{
	struct dial *d = mem_zero(sizeof *d);
	d->hand = h;
	d->host = host;
	d->port = port;
	d->done = done;
	d->arg = arg;
	d->lookup = resolver_ask(h->resolver, host, port, deadline_us, on_resolved, d);
	hand_wake_at(h, 0);
	return d;
}
