/* The loop of the SSH server for tests. It says its host key, what listens where, and "ready"; it ends when its standard input does.
 *
 *   ssh-peer [-n ADDRESSES] [-p PROCESSES] [-i] [-a COMMAND=ANSWER]... FAULT...
 *   ssh-peer -l      what FAULT may be
 *
 * -n  each FAULT is served on so many addresses (127.0.0.1; with more, from 127.1.0.2 on) and one port
 * -i  no command is run: each has answered nothing, with status 0
 * -a  this command is not run: it has answered this (\n is a line feed). COMMAND may be *: every other one */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FAULTS_MAX = 200, ANSWERS_MAX = 20, EVENTS_MAX = 256, FDS_MAX = 65536, READ_BYTES = 65536, SLOW_MS = 1000, BACKLOG = 4096, LINES = 200 };

static struct fault faults[FAULTS_MAX];
static struct {
	const char *command, *answer;
} answers[ANSWERS_MAX];
static size_t answers_n;
static bool runs_nothing;

static int epoll_fd;
static struct watch watches[FDS_MAX]; /* by descriptor */
static uint32_t watched[FDS_MAX];     /* events; UINT32_MAX: not there */
static const struct fault *listens[FDS_MAX];
static struct conn *conns;

void stop(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fprintf(stderr, "ssh-peer: ");
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

void watch(int fd, uint32_t events, struct watch what)
{
	if (fd >= FDS_MAX) stop("too many descriptors");
	bool is_new = watched[fd] == UINT32_MAX;
	what.fd = fd;
	watches[fd] = what;
	if (watched[fd] == events) return;
	watched[fd] = events;
	struct epoll_event e = {.events = events, .data.fd = fd};
	/* One that waits for nothing would still be told of a hangup, again and again. */
	int op = is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	if (events == 0) op = EPOLL_CTL_DEL, watched[fd] = UINT32_MAX;
	if (!(is_new && events == 0) && epoll_ctl(epoll_fd, op, fd, &e) != 0) stop("epoll_ctl: %s", strerror(errno));
}

void unwatch_and_close(int *fd)
{
	if (*fd < 0) return;
	watched[*fd] = UINT32_MAX;
	close(*fd);
	*fd = -1;
}

const char *instant_answer(const char *command, int *status)
{
	*status = 0;
	for (size_t i = 0; i < answers_n; i++)
		if (strcmp(command, answers[i].command) == 0 || strcmp(answers[i].command, "*") == 0) return answers[i].answer;
	return runs_nothing ? "" : NULL;
}

/* ---- connections ---- */

static void conn_free(struct conn *c)
{
	session_clear(c);
	if (c->is_reset) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
	unwatch_and_close(&c->fd);
	cipher_clear(&c->receive), cipher_clear(&c->transmit);
	struct buf *all[] = {&c->in, &c->out, &c->packet, &c->client_banner, &c->client_kexinit, &c->server_kexinit};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) buf_clear(all[i]);
	if (c->previous) c->previous->next = c->next;
	if (c->next) c->next->previous = c->previous;
	if (conns == c) conns = c->next;
	free(c);
}

static void look(struct conn *c)
{
	uint32_t events = EPOLLIN | (c->out.len && !c->is_slow ? EPOLLOUT : 0);
	watch(c->fd, events, (struct watch){.kind = WATCH_CONN, .conn = c});
}

/* Sends what can be sent: all of it, or a byte. Where that was all, more is made, which waits for its turn. */
static void flush(struct conn *c, bool is_time)
{
	ssize_t n = 0;
	size_t most = !c->is_slow ? c->out.len : is_time && c->out.len ? 1 : 0;
	if (most) n = send(c->fd, c->out.data, most, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR) c->is_over = true;
	if (n > 0) buf_drop(&c->out, (size_t)n);
	if (c->out.is_full) c->is_over = true; /* the other side does not read */
	if (c->ends && !c->out.len) c->is_over = true;
	if (c->is_over) return;
	if (!c->out.len) session_more(c);
	look(c);
}

static void greet(struct conn *c)
{
	if (!fault_at(c, STAGE_CONNECT)) return;
	if (fault_is(c, ODD_BANNER_ENDLESS)) buf_str(&c->out, "SSH-2.0-");
	if (fault_is(c, ODD_BANNER_ENDLESS) || fault_is(c, ODD_LINES_ENDLESS)) return;
	kex_banner(c);
	if (!fault_at(c, STAGE_BANNER)) return;
	kex_start(c);
	fault_at(c, STAGE_KEXINIT);
}

/* Words before the banner, or within it, for as long as they are read. */
static void babble(struct conn *c)
{
	bool has_lines = fault_is(c, ODD_LINES_ENDLESS);
	if (!has_lines && !fault_is(c, ODD_BANNER_ENDLESS)) return;
	for (int i = 0; i < LINES && c->out.len < OUT_BYTES_ENOUGH; i++)
		buf_printf(&c->out, "the words of a server that talks and talks%s", has_lines ? "\r\n" : " ");
}

static void conn_new(int fd, const struct fault *fault)
{
	struct conn *c = calloc(1, sizeof *c);
	if (!c) stop("no memory");
	*c = (struct conn){.fd = fd, .fault = fault, .next = conns};
	if (conns) conns->previous = c;
	conns = c;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	buf_init(&c->in, PACKET_BYTES_MAX + READ_BYTES);
	buf_init(&c->out, OUT_BYTES_MAX);
	buf_init(&c->packet, PACKET_BYTES_MAX);
	buf_init(&c->client_banner, BANNER_BYTES_MAX), buf_init(&c->client_kexinit, PACKET_BYTES_MAX), buf_init(&c->server_kexinit, PACKET_BYTES_MAX);
	greet(c);
	babble(c);
	flush(c, true);
}

static bool take_banner(struct conn *c)
{
	char *end = memchr(c->in.data, '\n', c->in.len);
	if (!end) return c->in.len <= BANNER_BYTES_MAX;
	size_t n = (size_t)(end - c->in.data), shown = n && end[-1] == '\r' ? n - 1 : n;
	buf_add(&c->client_banner, c->in.data, shown);
	buf_drop(&c->in, n + 1);
	c->phase = PHASE_KEXINIT;
	return !c->client_banner.is_full;
}

static void take(struct conn *c)
{
	const uint8_t *payload;
	size_t n;
	int got = 1;
	if (c->phase == PHASE_BANNER && c->in.len && !take_banner(c)) c->is_over = true;
	while (c->phase != PHASE_BANNER && !c->is_hung && !c->is_over && (got = packet_next(c, &payload, &n)) == 1)
		if (n == 0 || !session_packet(c, payload, n)) c->is_over = true;
	if (got < 0) c->is_over = true;
	if (c->is_hung) buf_reset(&c->in);
}

static void conn_ready(struct conn *c, uint32_t events)
{
	static char data[READ_BYTES];
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		ssize_t n = recv(c->fd, data, sizeof data, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) c->is_over = true;
		if (n > 0 && !c->is_hung) buf_add(&c->in, data, (size_t)n);
		if (n > 0 && !c->is_over) take(c);
	}
	if (events & EPOLLOUT) babble(c);
	if (!c->is_over) flush(c, false);
}

static void channel_ready(const struct watch *w)
{
	struct conn *c = w->conn;
	if (c->is_hung || c->is_over) return watch(w->fd, 0, *w);
	if (w->kind == WATCH_IN) command_input(c, w->channel);
	if (w->kind == WATCH_EXIT) command_exited(c, w->channel);
	if (w->kind == WATCH_OUT || w->kind == WATCH_ERR) {
		command_output(c, w->channel, w->kind == WATCH_ERR);
		channel_over(c, w->channel);
	}
	flush(c, false);
}

/* ---- the loop ---- */

static void accept_all(int listener)
{
	int fd;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) conn_new(fd, listens[listener]);
}

static void dispatch(int fd, uint32_t events)
{
	struct watch w = watches[fd];
	if (watched[fd] == UINT32_MAX) return; /* closed in this round */
	switch (w.kind) {
	case WATCH_LISTENER:
		accept_all(fd);
		break;
	case WATCH_STDIN:
		exit(0);
	case WATCH_CONN:
		if (!w.conn->is_over) conn_ready(w.conn, events);
		break;
	default:
		channel_ready(&w);
	}
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

_Noreturn static void serve(void)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t next_ms = now_ms() + SLOW_MS;
	for (;;) {
		int64_t wait = next_ms - now_ms();
		int n = epoll_wait(epoll_fd, events, EVENTS_MAX, wait < 0 ? 0 : (int)wait);
		for (int i = 0; i < n; i++) dispatch(events[i].data.fd, events[i].events);
		bool is_time = now_ms() >= next_ms;
		if (is_time) next_ms = now_ms() + SLOW_MS;
		for (struct conn *c = conns, *next; c; c = next) {
			next = c->next;
			if (is_time && c->is_slow && !c->is_over) flush(c, true);
			if (c->is_over) conn_free(c);
		}
	}
}

/* ---- what it is asked for ---- */

static int listen_at(uint32_t address, uint16_t *port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(address)};
	socklen_t n = sizeof a;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) != 0 || listen(fd, BACKLOG) != 0 || getsockname(fd, (struct sockaddr *)&a, &n) != 0) {
		if (fd >= 0) close(fd);
		return -1;
	}
	*port = ntohs(a.sin_port);
	return fd;
}

static void listen_for(const char *name, const struct fault *fault, unsigned addresses)
{
	uint32_t first = addresses == 1 ? INADDR_LOOPBACK : 0x7f010002;
	uint16_t port = 0;
	for (unsigned i = 0; i < addresses; i++) {
		int fd = listen_at(first + i, &port);
		if (fd < 0 || fd >= FDS_MAX) stop("it cannot listen on address %u: %s", i, strerror(errno));
		listens[fd] = fault;
	}
	printf("%s %u\n", name, port);
}

static void add_answer(char *text)
{
	char *equals = strchr(text, '=');
	if (!equals || answers_n == ANSWERS_MAX) stop("-a is COMMAND=ANSWER, at most %d of them", ANSWERS_MAX);
	char *out = equals + 1;
	for (char *in = out; *in; in++, out++) {
		bool is_line = in[0] == '\\' && in[1] == 'n';
		*out = is_line ? '\n' : *in;
		in += is_line;
	}
	*out = 0;
	*equals = 0;
	answers[answers_n].command = text;
	answers[answers_n++].answer = equals + 1;
}

static void start_loop(unsigned processes)
{
	bool is_first = true;
	for (; processes > 1 && is_first; processes--) is_first = fork() != 0;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	memset(watched, 0xff, sizeof watched);
	for (int fd = 0; fd < FDS_MAX; fd++)
		if (listens[fd]) watch(fd, EPOLLIN, (struct watch){.kind = WATCH_LISTENER});
	watch(STDIN_FILENO, EPOLLIN | EPOLLHUP, (struct watch){.kind = WATCH_STDIN});
	if (is_first) printf("ready\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned addresses = 1, processes = 1;
	for (int o; (o = getopt(argc, argv, "n:p:a:il")) != -1;) {
		if (o == 'l') return fault_list(), 0;
		if (o == 'n') addresses = (unsigned)strtoul(optarg, NULL, 10);
		if (o == 'p') processes = (unsigned)strtoul(optarg, NULL, 10);
		if (o == 'a') add_answer(optarg);
		if (o == 'i') runs_nothing = true;
		if (o == '?') return 2;
	}
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
	kex_prepare();
	printf("key %s\n", kex_host_key());
	for (int i = optind; i < argc && i - optind < FAULTS_MAX; i++) {
		struct fault *fault = &faults[i - optind];
		if (!fault_read(argv[i], fault)) stop("no fault is called %s: -l lists them", argv[i]);
		listen_for(argv[i], fault, addresses);
	}
	fflush(stdout);
	start_loop(processes);
	serve();
}
