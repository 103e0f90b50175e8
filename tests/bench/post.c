#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* POSTs over kept connections, as fast as they are answered or so many a second: how many, and how long each took.
 *
 *   post PORT PATH CONNECTIONS COUNT RATE BODY [HEADER...]
 *
 * BODY's "%N" is the number of the alert: the request's own, or (every second one) one of the 200 before it. Prints "COUNT SECONDS P50_US P99_US MAX_US
 * OTHERS": the last how many were answered otherwise than 2xx. */

enum { CONNECTIONS_MAX = 256, REQUEST_BYTES = 65536, ANSWER_BYTES = 65536 };

struct connection {
	int fd;
	size_t sent, length, have;
	int64_t began_us, due_us;
	bool is_waiting;
	char request[REQUEST_BYTES], answer[ANSWER_BYTES + 1];
};

static struct connection connections[CONNECTIONS_MAX];
static int64_t *took_us;
static size_t count, given, done, others;
static const char *body, *path, *headers;
static int port, loop;
static double rate;
static int64_t began_us;

static int64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void fail(const char *what)
{
	fprintf(stderr, "post: %s: %s\n", what, strerror(errno));
	exit(1);
}

static size_t number_of(size_t i)
{
	if (i % 2 == 0 || i < 200) return i;
	return (i - 1 - (i * 7919) % 199) & ~(size_t)1;
}

static void prepare(struct connection *c, size_t i)
{
	char text[REQUEST_BYTES / 2];
	size_t n = 0;
	for (const char *at = body; *at && n < sizeof text - 32;) {
		if (strncmp(at, "%N", 2) == 0)
			n += (size_t)snprintf(text + n, sizeof text - n, "%zu", number_of(i)), at += 2;
		else
			text[n++] = *at++;
	}
	c->length = (size_t)snprintf(c->request, sizeof c->request,
	                             "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n", path, port,
	                             headers, n);
	memcpy(c->request + c->length, text, n);
	c->length += n;
	c->sent = c->have = 0;
}

/* When the i-th is to be sent. */
static int64_t due_of(size_t i)
{
	return rate > 0 ? began_us + (int64_t)((double)i * 1e6 / rate) : 0;
}

static void push(struct connection *c)
{
	while (c->sent < c->length) {
		ssize_t n = send(c->fd, c->request + c->sent, c->length - c->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) break;
		if (n < 0) fail("send");
		c->sent += (size_t)n;
	}
}

static void next(struct connection *c)
{
	c->is_waiting = false;
	if (given == count) return;
	int64_t due_us = due_of(given), now = now_us();
	if (due_us > now) return; /* its time comes: the loop asks again */
	prepare(c, given++);
	c->is_waiting = true;
	c->began_us = due_us ? due_us : now; /* what is late counts from when it was due */
	push(c);
}

/* The length of a whole answer, or 0. */
static size_t whole(const struct connection *c)
{
	const char *end = strstr(c->answer, "\r\n\r\n"), *length = strcasestr(c->answer, "\r\ncontent-length:");
	if (!end) return 0;
	size_t n = (size_t)(end + 4 - c->answer) + (length && length < end ? (size_t)atol(length + 17) : 0);
	return c->have >= n ? n : 0;
}

static void take(struct connection *c)
{
	ssize_t n;
	while ((n = recv(c->fd, c->answer + c->have, ANSWER_BYTES - c->have, 0)) > 0) c->have += (size_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN)) fail("the connection ended");
	c->answer[c->have] = 0;
	if (!c->is_waiting || !whole(c)) return;
	took_us[done++] = now_us() - c->began_us;
	others += c->answer[9] != '2';
	next(c);
}

static void open_one(struct connection *c)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof a)) fail("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	if (epoll_ctl(loop, EPOLL_CTL_ADD, c->fd, &ev)) fail("epoll");
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	if (argc < 7) return fprintf(stderr, "post PORT PATH CONNECTIONS COUNT RATE BODY [HEADER...]\n"), 2;
	port = atoi(argv[1]), path = argv[2], count = (size_t)atol(argv[4]), rate = atof(argv[5]), body = argv[6];
	int n = atoi(argv[3]);
	char *more = calloc(1, 4096);
	for (int i = 7; i < argc; i++) snprintf(more + strlen(more), 4096 - strlen(more), "%s\r\n", argv[i]);
	headers = more;
	took_us = calloc(count, sizeof *took_us);
	loop = epoll_create1(0);
	for (int i = 0; i < n && i < CONNECTIONS_MAX; i++) open_one(&connections[i]);
	began_us = now_us();
	for (int i = 0; i < n; i++) next(&connections[i]);
	while (done < count) {
		struct epoll_event ev[CONNECTIONS_MAX];
		int got = epoll_wait(loop, ev, CONNECTIONS_MAX, rate > 0 ? 1 : 10000);
		if (got == 0 && rate <= 0) return fprintf(stderr, "post: nothing was answered for 10 s, %zu of %zu\n", done, count), 1;
		for (int i = 0; i < got; i++) take(ev[i].data.ptr);
		for (int i = 0; i < n && rate > 0; i++)
			if (!connections[i].is_waiting) next(&connections[i]);
	}
	double seconds = (double)(now_us() - began_us) / 1e6;
	qsort(took_us, count, sizeof *took_us, compare);
	printf("%zu %.3f %lld %lld %lld %zu\n", count, seconds, (long long)took_us[count / 2], (long long)took_us[count * 99 / 100],
	       (long long)took_us[count - 1], others);
	return 0;
}
