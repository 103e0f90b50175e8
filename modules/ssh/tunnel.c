#include "base/arena.h"
#include "base/clock.h"
#include "modules/ssh/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* The way to a host behind another one: a direct-tcpip channel, and a pair of sockets of which the inner connection gets one end. */

enum { PIECE_BYTES = 32768, BACK_BYTES_MAX = 8 << 20 };

static void finish(struct tunnel *t)
{
	if (t->watch.fd < 0) return;
	watch_set(t->via->hand, &t->watch, 0);
	close(t->watch.fd); /* the inner connection sees its end */
	t->watch.fd = -1;
}

/* What the other host sent, to the inner connection. False: that is gone. */
static void flush_back(struct tunnel *t)
{
	while (t->back.len) {
		ssize_t n = send(t->watch.fd, t->back.data, t->back.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno != EAGAIN) t->is_over = true;
		if (n <= 0) break;
		buf_drop(&t->back, (size_t)n);
	}
}

static int on_data(ssh_session session, ssh_channel channel, void *data, uint32_t len, int is_stderr, void *userdata)
{
	struct tunnel *t = userdata;
	(void)session, (void)channel;
	if (is_stderr || t->watch.fd < 0) return (int)len;
	if (!buf_add(&t->back, data, len)) t->is_over = true; /* beyond every window */
	flush_back(t);
	return (int)len;
}

static void on_end(ssh_session session, ssh_channel channel, void *userdata)
{
	struct tunnel *t = userdata;
	(void)session, (void)channel;
	t->is_over = true;
}

/* From the inner connection into the channel, as far as its window goes. */
static void pump(struct tunnel *t)
{
	char piece[PIECE_BYTES];
	for (;;) {
		uint32_t window = ssh_channel_window_size(t->channel);
		if (window == 0) return;
		ssize_t n = recv(t->watch.fd, piece, window < sizeof piece ? window : sizeof piece, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) return;
		if (n <= 0 || ssh_channel_write(t->channel, piece, (uint32_t)n) != n) {
			t->is_over = true;
			return;
		}
	}
}

static void on_ready(void *owner, uint32_t events)
{
	struct tunnel *t = owner;
	(void)events;
	tunnel_go(t);
	/* What was written may wait in the session that carries it. */
	if (t->via && t->via->stage == PEER_SERVES) peer_go(t->via);
}

static void watch_as_needed(struct tunnel *t)
{
	bool has_room = ssh_channel_window_size(t->channel) > 0;
	watch_set(t->via->hand, &t->watch, (has_room ? (uint32_t)EPOLLIN : 0) | (t->back.len ? (uint32_t)EPOLLOUT : 0));
}

static void unlist(struct tunnel *t)
{
	struct tunnel **at = &t->via->carrying;
	while (*at && *at != t) at = &(*at)->next;
	if (*at) *at = t->next;
}

static void connect_inner(struct tunnel *t)
{
	int pair[2];
	t->is_open = true;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
		t->is_over = true;
		return;
	}
	t->watch = (struct watch){.fd = pair[1], .ready = on_ready, .owner = t};
	char *where = mem_printf("%s:%u by %s", t->inner->route->address, t->inner->route->port, t->via->route->host);
	peer_connected(t->inner, pair[0], where);
	free(where);
}

static void open_channel(struct tunnel *t)
{
	const struct route *r = t->inner->route;
	if (!t->channel) {
		t->channel = ssh_channel_new(t->via->session);
		must(t->channel);
		t->callbacks.userdata = t;
		t->callbacks.channel_data_function = on_data;
		t->callbacks.channel_eof_function = on_end;
		t->callbacks.channel_close_function = on_end;
		ssh_callbacks_init(&t->callbacks);
		ssh_set_channel_callbacks(t->channel, &t->callbacks);
	}
	int rc = ssh_channel_open_forward(t->channel, r->address, (int)r->port, "127.0.0.1", 0);
	if (rc == SSH_AGAIN) return;
	if (rc == SSH_OK)
		connect_inner(t);
	else if (ssh_is_connected(t->via->session))
		peer_fail(t->inner, ERR_CLOSED, "%s cannot be reached by %s: %.200s", r->host, t->via->route->host, ssh_get_error(t->via->session));
}

void tunnel_go(struct tunnel *t)
{
	if (!t->via || t->via->stage != PEER_SERVES) return;
	if (!t->is_open) open_channel(t);
	if (!t->via || !t->is_open) return;
	if (!t->is_over) flush_back(t);
	if (!t->is_over) pump(t);
	if (t->is_over && t->back.len == 0)
		finish(t);
	else if (t->watch.fd >= 0)
		watch_as_needed(t);
}

void tunnel_open(struct peer *inner)
{
	struct tunnel *t = mem_zero(sizeof *t);
	buf_init(&t->back, BACK_BYTES_MAX);
	t->watch.fd = -1;
	t->inner = inner;
	inner->tunnel = t;
	t->via = hand_peer(inner->hand, route_dup(inner->route->jump));
	t->next = t->via->carrying;
	t->via->carrying = t;
	peer_go(t->via);
}

void tunnel_close(struct tunnel *t)
{
	if (!t || !t->via) return;
	unlist(t);
	finish(t);
	if (t->channel) ssh_remove_channel_callbacks(t->channel, &t->callbacks);
	/* With a session that is gone it goes too. */
	if (t->channel && t->via->stage == PEER_SERVES) ssh_channel_free(t->channel);
	t->channel = NULL;
	t->via = NULL;
}

void tunnel_free(struct tunnel *t)
{
	if (!t) return;
	tunnel_close(t);
	buf_clear(&t->back);
	free(t);
}

void tunnel_lost(struct tunnel *t, const struct error *e)
{
	struct peer *inner = t->inner;
	unlist(t);
	finish(t);
	if (t->channel) ssh_remove_channel_callbacks(t->channel, &t->callbacks);
	t->channel = NULL;
	t->via = NULL;
	peer_fail(inner, e->kind == ERR_VERIFY ? ERR_VERIFY : ERR_CLOSED, "%s is reached by another host: %s", inner->route->host, e->text);
}
