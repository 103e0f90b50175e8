#include "sandbox/resolve.h"
#include "base/arena.h"
#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
	STACK_BYTES = 1 << 20, /* getaddrinfo keeps answers there */
	IDLE_S = 10            /* before a thread with nothing to do ends */
};

/* Where a lookup is. */
enum stage { QUEUED, AT_WORK, ANSWERED };

struct lookup {
	char *host;
	unsigned port;
	int64_t deadline_us; /* 0: none */
	resolve_done *done;
	void *arg;
	enum stage stage;
	bool is_dropped; /* nobody waits for it any more: the thread that is at work frees it */
	struct resolved result;
	struct lookup *next;   /* in the queue, or among the answers */
	struct lookup *beside; /* in the resolver's own list of what is open */
};

struct queue {
	struct lookup *first, **last;
};

/* What the threads share with the loop; it outlives the resolver while one of them is at work. */
struct shared {
	pthread_mutex_t mutex;
	pthread_cond_t asked;
	struct queue wanted, answers;
	int event_fd;
	bool is_readable; /* the descriptor is, or will be read as such */
	size_t threads, idle, wanted_count;
	bool is_closed;
};

struct resolver {
	struct shared *shared;
	struct lookup *open; /* not answered, not dropped */
};

static void queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static void queue_add(struct queue *q, struct lookup *l)
{
	l->next = NULL;
	*q->last = l;
	q->last = &l->next;
}

static struct lookup *queue_take(struct queue *q)
{
	struct lookup *l = q->first;
	if (l) q->first = l->next;
	if (!q->first) q->last = &q->first;
	return l;
}

static void queue_remove(struct queue *q, const struct lookup *l)
{
	for (struct lookup **at = &q->first; *at; at = &(*at)->next) {
		if (*at != l) continue;
		*at = l->next;
		if (!*at) q->last = at;
		return;
	}
}

static void lookup_free(struct lookup *l)
{
	free(l->host);
	free(l);
}

static void shared_free(struct shared *s)
{
	for (struct lookup *l; (l = queue_take(&s->wanted)) != NULL;) lookup_free(l);
	for (struct lookup *l; (l = queue_take(&s->answers)) != NULL;) lookup_free(l);
	pthread_cond_destroy(&s->asked);
	pthread_mutex_destroy(&s->mutex);
	close(s->event_fd);
	free(s);
}

/* ---- in a thread ---- */

static enum err why_not(int code, const char *host, struct error *e)
{
	switch (code) {
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return error_set(e, ERR_NOT_FOUND, "the name %s has no address: is it spelled as DNS or /etc/hosts has it?", host);
	case EAI_AGAIN:
		return error_set(e, ERR_FAILED, "no name server answered for %s: is DNS (/etc/resolv.conf) in order on the engine's host?", host);
	case EAI_SYSTEM:
		return error_set(e, ERR_FAILED, "the name %s could not be looked up: %s", host, strerror(errno));
	default:
		return error_set(e, ERR_FAILED, "the name %s could not be looked up: %s", host, gai_strerror(code));
	}
}

static void look_up(const char *host, unsigned port, bool is_numeric, struct resolved *r)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = is_numeric ? AI_NUMERICHOST : 0}, *list = NULL;
	int code = getaddrinfo(host, NULL, &hints, &list);
	r->count = 0;
	for (const struct addrinfo *i = code == 0 ? list : NULL; i && r->count < RESOLVE_ADDRESSES_MAX; i = i->ai_next) {
		if ((i->ai_family != AF_INET && i->ai_family != AF_INET6) || i->ai_addrlen > sizeof *r->addresses) continue;
		memcpy(&r->addresses[r->count], i->ai_addr, i->ai_addrlen);
		address_set_port((struct sockaddr *)&r->addresses[r->count++], port);
	}
	if (list) freeaddrinfo(list);
	r->err = code == 0 && r->count ? ERR_OK : why_not(code ? code : EAI_NODATA, host, &r->error);
}

static void say_answer(struct shared *s, struct lookup *l)
{
	uint64_t one = 1;
	l->stage = ANSWERED;
	queue_add(&s->answers, l);
	if (!s->is_readable) must(write(s->event_fd, &one, sizeof one) == sizeof one);
	s->is_readable = true;
}

/* Waits for a lookup; NULL where this thread is to end. Under the mutex. */
static struct lookup *next_wanted(struct shared *s)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_S;
	s->idle++;
	int late = 0;
	while (!s->is_closed && !s->wanted.first && late == 0) late = pthread_cond_timedwait(&s->asked, &s->mutex, &until);
	s->idle--;
	if (s->is_closed || !s->wanted.first) return NULL;
	struct lookup *l = queue_take(&s->wanted);
	s->wanted_count--;
	l->stage = AT_WORK;
	return l;
}

static void *thread_main(void *arg)
{
	struct shared *s = arg;
	struct lookup *l;
	pthread_mutex_lock(&s->mutex);
	while ((l = next_wanted(s)) != NULL) {
		pthread_mutex_unlock(&s->mutex);
		look_up(l->host, l->port, false, &l->result);
		pthread_mutex_lock(&s->mutex);
		if (l->is_dropped)
			lookup_free(l);
		else
			say_answer(s, l);
	}
	bool is_last = --s->threads == 0 && s->is_closed;
	pthread_mutex_unlock(&s->mutex);
	if (is_last) shared_free(s);
	return NULL;
}

/* One more thread, where there can be one. Under the mutex. */
static void start_thread(struct shared *s)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;
	if (pthread_attr_init(&attributes) != 0) return;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, &attributes, thread_main, s) == 0) s->threads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
}

/* ---- in the loop ---- */

struct resolver *resolver_new(void)
{
	struct resolver *r = mem_zero(sizeof *r);
	struct shared *s = r->shared = mem_zero(sizeof *s);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&s->asked, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&s->mutex, NULL);
	queue_init(&s->wanted);
	queue_init(&s->answers);
	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(s->event_fd >= 0);
	return r;
}

static void forget(struct resolver *r, const struct lookup *l)
{
	struct lookup **at = &r->open;
	while (*at != l) at = &(*at)->beside;
	*at = l->beside;
}

void resolver_cancel(struct resolver *r, struct lookup *l)
{
	struct shared *s = r->shared;
	forget(r, l);
	pthread_mutex_lock(&s->mutex);
	bool is_ours = l->stage != AT_WORK;
	if (l->stage == QUEUED) queue_remove(&s->wanted, l), s->wanted_count--;
	if (l->stage == ANSWERED) queue_remove(&s->answers, l);
	l->is_dropped = true;
	pthread_mutex_unlock(&s->mutex);
	if (is_ours) lookup_free(l);
}

void resolver_free(struct resolver *r)
{
	if (!r) return;
	struct shared *s = r->shared;
	while (r->open) resolver_cancel(r, r->open);
	pthread_mutex_lock(&s->mutex);
	s->is_closed = true;
	bool is_last = s->threads == 0;
	pthread_cond_broadcast(&s->asked);
	pthread_mutex_unlock(&s->mutex);
	if (is_last) shared_free(s);
	free(r);
}

/* To a thread: one that has nothing to do, or a new one, or whichever is free first. Under the mutex. */
static void hand_over(struct shared *s, struct lookup *l)
{
	queue_add(&s->wanted, l);
	s->wanted_count++;
	if (s->wanted_count > s->idle && s->threads < RESOLVE_THREADS_MAX) start_thread(s);
	if (s->threads) {
		pthread_cond_signal(&s->asked);
		return;
	}
	queue_remove(&s->wanted, l);
	s->wanted_count--;
	l->result.err = error_set(&l->result.error, ERR_FULL, "the name %s could not be looked up: no thread can be started", l->host);
	say_answer(s, l);
}

struct lookup *resolver_ask(struct resolver *r, const char *host, unsigned port, int64_t deadline_us, resolve_done *done, void *arg)
{
	struct shared *s = r->shared;
	struct lookup *l = mem_zero(sizeof *l);
	*l = (struct lookup){.host = mem_strdup(host), .port = port, .deadline_us = deadline_us, .done = done, .arg = arg, .beside = r->open};
	r->open = l;
	/* An address needs nobody to be asked. */
	look_up(host, port, true, &l->result);
	pthread_mutex_lock(&s->mutex);
	if (l->result.err == ERR_OK)
		say_answer(s, l);
	else
		hand_over(s, l);
	pthread_mutex_unlock(&s->mutex);
	return l;
}

int resolver_fd(const struct resolver *r)
{
	return r->shared->event_fd;
}

int64_t resolver_wake_us(const struct resolver *r)
{
	int64_t least = INT64_MAX;
	for (const struct lookup *l = r->open; l; l = l->beside)
		if (l->deadline_us && l->deadline_us < least) least = l->deadline_us;
	return least;
}

static struct lookup *take_answer(struct shared *s)
{
	uint64_t count;
	pthread_mutex_lock(&s->mutex);
	struct lookup *l = queue_take(&s->answers);
	if (!l && s->is_readable) {
		must(read(s->event_fd, &count, sizeof count) == sizeof count);
		s->is_readable = false;
	}
	pthread_mutex_unlock(&s->mutex);
	return l;
}

static struct lookup *find_late(const struct resolver *r, int64_t now_us)
{
	struct lookup *l = r->open;
	while (l && !(l->deadline_us && l->deadline_us <= now_us)) l = l->beside;
	return l;
}

void resolver_serve(struct resolver *r)
{
	for (struct lookup *l; (l = take_answer(r->shared)) != NULL;) {
		forget(r, l);
		l->done(l->arg, &l->result);
		lookup_free(l);
	}
	int64_t now = clock_monotonic_us();
	for (struct lookup *l; (l = find_late(r, now)) != NULL;) {
		struct resolved late = {.count = 0};
		late.err = error_set(&late.error, ERR_TIMEOUT, "the name %s could not be looked up in time", l->host);
		resolve_done *done = l->done;
		void *arg = l->arg;
		resolver_cancel(r, l);
		done(arg, &late);
	}
}
