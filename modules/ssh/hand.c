#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "modules/ssh/parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* The hand: its loop within the actor's, and the connections that it keeps. */

enum { BUCKETS = 4096, EVENTS = 64 };

/* ---- descriptors and deadlines ---- */

void watch_set(struct ssh_hand *h, struct watch *w, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};
	if (events == w->events) return;
	epoll_ctl(h->epoll_fd, events == 0 ? EPOLL_CTL_DEL : w->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, w->fd, &e);
	w->events = events;
}

void hand_wake_at(struct ssh_hand *h, int64_t at_us)
{
	if (at_us < h->next_us) h->next_us = at_us;
}

static void on_resolver(void *owner, uint32_t events)
{
	struct ssh_hand *h = owner;
	(void)events;
	resolver_serve(h->resolver);
}

/* ---- connections ---- */

static struct peer **bucket_of(struct ssh_hand *h, const char *key)
{
	return &h->peers[route_hash(key) % h->bucket_count];
}

struct peer *hand_peer(struct ssh_hand *h, struct route *route)
{
	struct peer **bucket = bucket_of(h, route->key);
	for (struct peer *p = *bucket; p; p = p->next) {
		if (strcmp(p->route->key, route->key) != 0) continue;
		route_free(route);
		return p;
	}
	struct peer *p = peer_new(h, route);
	p->next = *bucket;
	*bucket = p;
	h->peer_count++;
	return p;
}

void hand_forget_peer(struct ssh_hand *h, struct peer *p)
{
	struct peer **at = bucket_of(h, p->route->key);
	while (*at != p) at = &(*at)->next;
	*at = p->next;
	h->peer_count--;
	p->next = h->dead;
	h->dead = p;
	hand_wake_at(h, 0);
}

/* Those that no thread has any more. */
static void free_dead(struct ssh_hand *h)
{
	for (struct peer **at = &h->dead, *p; (p = *at) != NULL;) {
		if (!auth_end(p->auth)) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		peer_free(p);
	}
}

/* ---- the actor's table ---- */

static void *open_hand(struct actor *a)
{
	struct ssh_hand *h = mem_zero(sizeof *h);
	ssh_init();
	h->actor = a;
	h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	must(h->epoll_fd >= 0);
	h->next_us = INT64_MAX;
	h->resolver = resolver_new();
	h->resolver_watch = (struct watch){.fd = resolver_fd(h->resolver), .ready = on_resolver, .owner = h};
	watch_set(h, &h->resolver_watch, EPOLLIN);
	h->auth = auth_new(h);
	h->bucket_count = BUCKETS;
	h->peers = mem_zero(BUCKETS * sizeof *h->peers);
	return h;
}

/* Files of known hosts, of the first call that comes: they are the same for all. */
static void use_known_hosts(struct ssh_hand *h, const json_t *head)
{
	const json_t *files = json_arr(head, "known_hosts"), *v;
	size_t i;
	if (h->known) return;
	h->known = known_new();
	json_array_foreach(files, i, v)
	{
		const char *name = json_string_value(v);
		char *path = strncmp(name, "~/", 2) == 0 ? mem_printf("%s/%s", auth_home(), name + 2) : mem_strdup(name);
		known_add_file(h->known, path);
		free(path);
	}
}

static enum err start(void *state, struct hand_call *call, const json_t *head, const void *input, size_t n, const struct secret_call *secrets, struct error *e)
{
	struct ssh_hand *h = state;
	use_known_hosts(h, head);
	auth_use(h->auth, head);
	return exec_start(h, call, head, input, n, secrets, e);
}

static void cancel(void *state, struct hand_call *call)
{
	(void)state;
	exec_cancel(call->work);
}

static void fill(void *state, struct poll_set *set)
{
	const struct ssh_hand *h = state;
	poll_set_add(set, h->epoll_fd, actor_is_blocked(h->actor) ? 0 : POLLIN);
}

static void serve(void *state, const struct poll_set *set, size_t at)
{
	struct ssh_hand *h = state;
	struct epoll_event events[EVENTS];
	if (!poll_set_seen(set, at)) return;
	int n = epoll_wait(h->epoll_fd, events, EVENTS, 0);
	for (int i = 0; i < n && !actor_is_blocked(h->actor); i++) {
		const struct watch *w = events[i].data.ptr;
		/* One before it may have put it out. */
		if (w->events) w->ready(w->owner, events[i].events);
	}
}

/* Calls whose time is up; then connections. What ends one may end others: it is looked at again from the start. */
static void end_late(struct ssh_hand *h, int64_t now_us)
{
	for (struct exec *x = h->execs; x;) x = exec_is_late(x, now_us) ? h->execs : x->next;
}

static const char *waited_for(const struct peer *p)
{
	switch (p->stage) {
	case PEER_DIALS:
		return "no connection stood";
	case PEER_SHAKES:
		return "it did not agree on keys with us";
	default:
		return "it did not say whether it lets us in";
	}
}

static void look_at_peer(struct ssh_hand *h, struct peer *p, int64_t now_us)
{
	if (p->dial) dial_settle(p->dial, now_us);
	if (p->stage == PEER_IS_DEAD || !p->deadline_us) return;
	if (now_us < p->deadline_us)
		hand_wake_at(h, p->deadline_us);
	else
		peer_fail(p, ERR_CLOSED, "%s%s%s%s cannot be reached: %s in time", p->route->host, *p->peer_text ? " (" : "", p->peer_text,
		          *p->peer_text ? ")" : "", waited_for(p));
}

static void settle(void *state)
{
	struct ssh_hand *h = state;
	int64_t now_us = clock_monotonic_us();
	resolver_serve(h->resolver);
	if (now_us >= h->next_us) {
		h->next_us = INT64_MAX;
		end_late(h, now_us);
		for (size_t b = 0; b < h->bucket_count; b++)
			for (struct peer *p = h->peers[b], *next; p; p = next) {
				next = p->next;
				look_at_peer(h, p, now_us);
				/* It may have taken others with it. */
				if (p->stage == PEER_IS_DEAD) next = h->peers[b];
			}
	}
	free_dead(h);
	dial_bury(h);
}

static int64_t wake_us(const void *state)
{
	const struct ssh_hand *h = state;
	int64_t resolver_us = resolver_wake_us(h->resolver);
	return h->next_us < resolver_us ? h->next_us : resolver_us;
}

/* Commands on other hosts go on: only their own hosts end them. */
static void stop(void *state)
{
	struct ssh_hand *h = state;
	h->is_stopped = true;
}

static void free_all(struct ssh_hand *h)
{
	for (size_t b = 0; b < h->bucket_count; b++)
		while (h->peers[b]) peer_fail(h->peers[b], ERR_CLOSED, "the engine has gone");
	while (h->dead) free_dead(h);
	dial_bury(h);
}

static void close_hand(void *state)
{
	struct ssh_hand *h = state;
	free_all(h);
	resolver_free(h->resolver);
	auth_free(h->auth);
	known_free(h->known);
	close(h->epoll_fd);
	free(h->peers);
	free(h);
	ssh_finalize();
}

const struct hand ssh_hand = {
    .module = "ssh",
    .open = open_hand,
    .start = start,
    .cancel = cancel,
    .fill = fill,
    .serve = serve,
    .settle = settle,
    .wake_us = wake_us,
    .stop = stop,
    .close = close_hand,
};
