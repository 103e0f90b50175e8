#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "modules/ssh/parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOST_KEY_ALGORITHMS = 6, TYPES_MAX = 8, SAID_BYTES_MAX = 300 };

/* ---- the descriptor ---- */

static bool is_writing(const struct peer *p)
{
	return (ssh_get_poll_flags(p->session) & SSH_WRITE_PENDING) != 0;
}

static void watch_as_needed(struct peer *p)
{
	watch_set(p->hand, &p->watch, (uint32_t)EPOLLIN | (is_writing(p) ? (uint32_t)EPOLLOUT : 0));
}

static void on_ready(void *owner, uint32_t events)
{
	struct peer *p = owner;
	int one = 1;
	(void)events;
	/* The kernel forgets it: without, a server that is silent for a moment waits 40 ms for our acknowledgement. */
	if (!p->tunnel) setsockopt(p->watch.fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
	p->is_agent_due = true;
	peer_go(p);
}

/* ---- the host's key ---- */

/* Ours, in the order of what they cost; "ssh-rsa" is a type of keys, of which signatures are made in two ways. */
static const struct {
	const char *algorithm, *type;
} host_key_algorithms[HOST_KEY_ALGORITHMS] = {
    {"ssh-ed25519", "ssh-ed25519"},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"},
    {"rsa-sha2-512", "ssh-rsa"},
    {"rsa-sha2-256", "ssh-rsa"},
};

static size_t names_of(const struct route *r, const char *out[KNOWN_NAMES_MAX])
{
	out[0] = r->host;
	out[1] = r->address;
	return strcmp(r->host, r->address) == 0 ? 1 : 2;
}

static bool type_is_among(const char *type, const char *const *types, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(types[i], type, strlen(type)) == 0 && (types[i][strlen(type)] == 0 || types[i][strlen(type)] == ' ')) return true;
	return false;
}

/* Asks for a key of a type that we know of it, where it has one: else one that it got later would look like a change. */
static void set_host_key_types(struct peer *p)
{
	const char *names[KNOWN_NAMES_MAX], *types[TYPES_MAX];
	const struct route *r = p->route;
	struct buf list;
	size_t n = r->host_key_count ? 0 : known_types(p->hand->known, names, names_of(r, names), r->port, types, TYPES_MAX);
	buf_init(&list, 1024);
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < HOST_KEY_ALGORITHMS; i++) {
			const char *type = host_key_algorithms[i].type;
			bool is_known =
			    r->host_key_count ? type_is_among(type, (const char *const *)r->host_keys, r->host_key_count) : type_is_among(type, types, n);
			if (is_known == (round == 0)) buf_printf(&list, "%s%s", list.len ? "," : "", host_key_algorithms[i].algorithm);
		}
	ssh_options_set(p->session, SSH_OPTIONS_HOSTKEYS, list.data);
	buf_clear(&list);
}

static bool is_pinned(const struct route *r, const char *type, const char *base64, const char *fingerprint)
{
	for (size_t i = 0; i < r->host_key_count; i++) {
		const char *pin = r->host_keys[i], *space = strchr(pin, ' ');
		if (strcmp(pin, fingerprint) == 0) return true;
		if (space && strncmp(pin, type, (size_t)(space - pin)) == 0 && strcmp(space + 1, base64) == 0) return true;
	}
	return false;
}

static bool is_key_right(struct peer *p, const char *type, const char *base64, const char *fingerprint)
{
	const char *names[KNOWN_NAMES_MAX], *where = NULL;
	const struct route *r = p->route;
	if (r->host_key_count) {
		if (is_pinned(r, type, base64, fingerprint)) return true;
		peer_fail(p, ERR_VERIFY,
		          "%s (%s) proved another host key than the inventory has for it: %s %s. Either it was set up anew, or somebody stands between: find "
		          "out which. "
		          "If the key is right, its line in .rung/inventory.yaml is host_keys: [\"%s %s\"]",
		          r->host, p->peer_text, type, fingerprint, type, base64);
		return false;
	}
	switch (known_check(p->hand->known, names, names_of(r, names), r->port, base64, &where)) {
	case KNOWN_IS:
		return true;
	case KNOWN_UNKNOWN:
		peer_fail(p, ERR_VERIFY,
		          "the host key of %s (%s) is not known: %s %s. Compare it with what ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub says on the host "
		          "itself; if it is "
		          "the same, add to the host's entry in .rung/inventory.yaml: host_keys: [\"%s %s\"]",
		          r->host, p->peer_text, type, fingerprint, type, base64);
		return false;
	case KNOWN_REVOKED:
		peer_fail(p, ERR_VERIFY, "%s (%s) proved a host key that %s says is revoked: %s %s", r->host, p->peer_text, where, type, fingerprint);
		return false;
	case KNOWN_CHANGED:
		break;
	}
	peer_fail(
	    p, ERR_VERIFY,
	    "%s (%s) proved another host key than %s has for it: %s %s. Either it was set up anew, or somebody stands between: find out which. If the key is "
	    "right, put it there, or into .rung/inventory.yaml: host_keys: [\"%s %s\"]",
	    r->host, p->peer_text, where, type, fingerprint, type, base64);
	return false;
}

static bool check_host_key(struct peer *p)
{
	ssh_key key = NULL;
	unsigned char *hash = NULL;
	size_t n = 0;
	char *base64 = NULL, *fingerprint = NULL;
	bool ok = ssh_get_server_publickey(p->session, &key) == SSH_OK && ssh_pki_export_pubkey_base64(key, &base64) == SSH_OK &&
	          ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &n) == SSH_OK &&
	          (fingerprint = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, n)) != NULL;
	if (!ok) {
		peer_fail(p, ERR_VERIFY, "%s (%s) proved a host key that cannot be read", p->route->host, p->peer_text);
	} else {
		p->host_key = mem_strdup(fingerprint);
		ok = is_key_right(p, ssh_key_type_to_char(ssh_key_type(key)), base64, fingerprint);
	}
	ssh_clean_pubkey_hash(&hash);
	ssh_string_free_char(fingerprint);
	ssh_string_free_char(base64);
	ssh_key_free(key);
	return ok;
}

/* ---- the session ---- */

/* What the library says of it, which may quote the host. */
static const char *library_says(const struct peer *p)
{
	static char text[SAID_BYTES_MAX + 8];
	struct buf b;
	const char *said = ssh_get_error(p->session);
	buf_init(&b, SAID_BYTES_MAX * 8);
	size_t n = strlen(said);
	text_visible(&b, said, n < SAID_BYTES_MAX / 4 ? n : SAID_BYTES_MAX / 4, TEXT_KEEP_NOTHING);
	snprintf(text, sizeof text, "%.300s", b.len ? b.data : "the connection was closed");
	buf_clear(&b);
	return text;
}

/* No files of the client's own are read: neither its configuration nor its known hosts. */
static void session_make(struct peer *p, int fd)
{
	const int no = 0;
	const struct route *r = p->route;
	p->session = ssh_new();
	must(p->session);
	ssh_options_set(p->session, SSH_OPTIONS_PROCESS_CONFIG, &no);
	ssh_options_set(p->session, SSH_OPTIONS_SSH_DIR, "/dev/null");
	ssh_options_set(p->session, SSH_OPTIONS_HOST, r->address);
	ssh_options_set(p->session, SSH_OPTIONS_USER, r->login);
	ssh_options_set(p->session, SSH_OPTIONS_FD, &fd);
	ssh_options_set(p->session, SSH_OPTIONS_KNOWNHOSTS, "/dev/null");
	ssh_options_set(p->session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
	ssh_options_set(p->session, SSH_OPTIONS_COMPRESSION, "no");
	set_host_key_types(p);
	ssh_set_blocking(p->session, 0);
}

void peer_connected(struct peer *p, int fd, const char *where)
{
	snprintf(p->peer_text, sizeof p->peer_text, "%s", where);
	struct stat st;
	session_make(p, fd);
	must(fstat(fd, &st) == 0);
	p->socket = st.st_ino;
	p->watch = (struct watch){.fd = fd, .ready = on_ready, .owner = p};
	p->stage = PEER_SHAKES;
	p->deadline_us = clock_monotonic_us() + SSH_HANDSHAKE_US;
	hand_wake_at(p->hand, p->deadline_us);
	peer_go(p);
}

static void on_dialed(void *arg, int fd, const char *where, const struct error *e)
{
	struct peer *p = arg;
	p->dial = NULL;
	if (fd >= 0)
		peer_connected(p, fd, where);
	else
		peer_fail(p, ERR_CLOSED, "%s cannot be reached: %s", p->route->host, e->text);
}

static void begin(struct peer *p)
{
	p->stage = PEER_DIALS;
	p->deadline_us = clock_monotonic_us() + SSH_DIAL_US;
	hand_wake_at(p->hand, p->deadline_us);
	if (p->route->jump)
		tunnel_open(p);
	else
		p->dial = dial_new(p->hand, p->route->address, p->route->port, p->deadline_us, on_dialed, p);
}

static void shake(struct peer *p)
{
	int rc = ssh_connect(p->session);
	/* The library notes what it has written only when it looks again: at once, rather than when the loop comes round. */
	if (rc == SSH_AGAIN && is_writing(p)) rc = ssh_connect(p->session);
	if (rc == SSH_AGAIN) {
		watch_as_needed(p);
		return;
	}
	if (rc != SSH_OK) {
		peer_fail(p, ERR_CLOSED, "%s (%s) does not speak SSH with us: %s", p->route->host, p->peer_text, library_says(p));
		return;
	}
	if (!check_host_key(p)) return;
	p->stage = PEER_PROVES;
	p->deadline_us = clock_monotonic_us() + SSH_AUTH_US;
	hand_wake_at(p->hand, p->deadline_us);
	p->auth = auth_begin(p);
	peer_go(p);
}

static void prove(struct peer *p)
{
	struct error e;
	switch (auth_go(p->auth, &e)) {
	case AUTH_WAITS:
		watch_as_needed(p);
		return;
	case AUTH_IS_AWAY:
		watch_set(p->hand, &p->watch, 0);
		return;
	case AUTH_REFUSED:
		if (ssh_is_connected(p->session))
			peer_fail(p, ERR_CLOSED, "%s", e.text);
		else
			peer_fail(p, ERR_CLOSED, "%s (%s) closed the connection while it was shown who we are: %s", p->route->host, p->peer_text,
			          library_says(p));
		return;
	case AUTH_IN:
		break;
	}
	auth_end(p->auth);
	p->auth = NULL;
	p->event = ssh_event_new();
	must(p->event && ssh_event_add_session(p->event, p->session) == SSH_OK);
	p->stage = PEER_SERVES;
	p->deadline_us = 0;
	peer_go(p);
}

static void list_add(struct exec **list, struct exec *x)
{
	x->next_of_peer = *list;
	*list = x;
}

static bool list_remove(struct exec **list, const struct exec *x)
{
	for (; *list; list = &(*list)->next_of_peer) {
		if (*list != x) continue;
		*list = x->next_of_peer;
		return true;
	}
	return false;
}

static struct exec *take_first(struct peer *p)
{
	struct exec *x = p->first;
	p->first = x->next_of_peer;
	if (!p->first) p->last = &p->first;
	return x;
}

static void go_execs(struct peer *p)
{
	for (struct exec *x = p->execs, *next; x && p->stage == PEER_SERVES; x = next) {
		next = x->next_of_peer;
		exec_go(x);
	}
	while (p->stage == PEER_SERVES && p->first && p->channels < p->channels_max) {
		struct exec *x = take_first(p);
		list_add(&p->execs, x);
		p->channels++;
		exec_go(x);
	}
}

bool peer_is_sound(const struct peer *p)
{
	/* Where a packet is none the library leaves the connection open, and listens no more. */
	return ssh_is_connected(p->session) && !(ssh_get_status(p->session) & (SSH_CLOSED | SSH_CLOSED_ERROR));
}

/* What came is taken first, so that a command that had ended before the connection did has its outcome. */
static void serve(struct peer *p)
{
	ssh_event_dopoll(p->event, 0);
	go_execs(p);
	if (p->stage == PEER_SERVES && is_writing(p)) {
		ssh_event_dopoll(p->event, 0);
		go_execs(p);
	}
	for (struct tunnel *t = p->carrying, *next; t && p->stage == PEER_SERVES; t = next) {
		next = t->next;
		tunnel_go(t);
	}
	if (p->stage != PEER_SERVES) return;
	if (peer_is_sound(p))
		watch_as_needed(p);
	else
		peer_fail(p, ERR_CLOSED, "the connection to %s (%s) ended: %s", p->route->host, p->peer_text, library_says(p));
}

void peer_go(struct peer *p)
{
	static void (*const stages[])(struct peer *) = {
	    [PEER_WAITS] = begin, [PEER_DIALS] = NULL, [PEER_SHAKES] = shake, [PEER_PROVES] = prove, [PEER_SERVES] = serve, [PEER_IS_DEAD] = NULL};
	if (stages[p->stage]) stages[p->stage](p);
}

/* ---- its calls ---- */

void peer_add(struct peer *p, struct exec *x)
{
	x->peer = p;
	x->next_of_peer = NULL;
	*p->last = x;
	p->last = &x->next_of_peer;
	/* In the round to come: many calls may come in one. */
	if (p->stage == PEER_SERVES || p->stage == PEER_WAITS) peer_go(p);
}

void peer_add_first(struct peer *p, struct exec *x)
{
	list_add(&p->first, x);
	if (!x->next_of_peer) p->last = &x->next_of_peer;
}

void peer_remove(struct peer *p, struct exec *x)
{
	if (list_remove(&p->execs, x)) {
		p->channels--;
		return;
	}
	struct exec **at = &p->first;
	while (*at && *at != x) at = &(*at)->next_of_peer;
	if (!*at) return;
	*at = x->next_of_peer;
	if (!*at) p->last = at;
}

/* ---- its end ---- */

/* Calls that came when the connection was gone already, and nobody knew, get another one. */
static void route_anew(struct peer *p, struct exec *waiting)
{
	struct route *route = p->route;
	p->route = NULL;
	struct peer *anew = hand_peer(p->hand, route);
	for (struct exec *next; waiting; waiting = next) {
		next = waiting->next_of_peer;
		waiting->is_retried = true;
		peer_add(anew, waiting);
	}
}

void peer_fail(struct peer *p, enum err kind, const char *fmt, ...)
{
	struct error e;
	va_list ap;
	bool was_serving = p->stage == PEER_SERVES;
	struct exec *left = NULL, *x;
	if (p->stage == PEER_IS_DEAD) return;
	e.kind = kind;
	va_start(ap, fmt);
	vsnprintf(e.text, sizeof e.text, fmt, ap);
	va_end(ap);
	p->stage = PEER_IS_DEAD;
	hand_forget_peer(p->hand, p);
	watch_set(p->hand, &p->watch, 0);
	dial_free(p->dial);
	p->dial = NULL;
	tunnel_close(p->tunnel);
	while ((x = p->execs) != NULL || (x = p->first) != NULL) {
		peer_remove(p, x);
		if (was_serving && kind == ERR_CLOSED && !x->is_retried && x->stage < EXEC_ASKS && !p->hand->is_stopped) {
			exec_drop(x);
			list_add(&left, x);
		} else {
			exec_peer_lost(x, &e);
		}
	}
	while (p->carrying) tunnel_lost(p->carrying, &e);
	if (left) route_anew(p, left);
}

struct peer *peer_new(struct ssh_hand *h, struct route *route)
{
	struct peer *p = mem_zero(sizeof *p);
	p->hand = h;
	p->route = route;
	p->watch.fd = -1;
	p->last = &p->first;
	p->channels_max = SSH_CHANNELS_MAX;
	return p;
}

/* A descriptor that it was given the library closes where the host has closed the connection, and leaves open where not; the number may be another's by now. */
static void close_socket(const struct peer *p)
{
	struct stat st;
	if (fstat(p->watch.fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == p->socket) close(p->watch.fd);
}

void peer_free(struct peer *p)
{
	tunnel_free(p->tunnel);
	if (p->event) {
		ssh_event_remove_session(p->event, p->session);
		ssh_event_free(p->event);
	}
	if (p->session) {
		ssh_disconnect(p->session);
		ssh_free(p->session);
		close_socket(p);
	}
	route_free(p->route);
	free(p->host_key);
	free(p);
}
