/* What it costs to start an attempt: a fork, its confinement, a Lua state, an empty step, its end; beside fork and exec of /bin/true in the same run. */
#include "base/clock.h"
#include "base/frame.h"
#include "base/json.h"
#include "sandbox/sandbox.h"
#include "sandbox/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STARTS = 1000, ATTEMPTS = 10000, WAIT_MS = 60000 };

struct cost {
	double cpu_ms, wall_ms; /* each */
};

static void stop(const char *what)
{
	fprintf(stderr, "bench-start: %s\n", what);
	exit(1);
}

/* CPU of the fork server and of its children that have ended, in ms. */
static double server_cpu_ms(pid_t pid)
{
	char path[64], line[1024];
	unsigned long own_user, own_system;
	long user, system;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	if (!f || !fgets(line, sizeof line, f)) stop("no fork server");
	fclose(f);
	if (sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &own_user, &own_system, &user, &system) != 4)
		stop("a fork server without figures");
	return 1000.0 * (double)((long)(own_user + own_system) + user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double own_cpu_ms(void)
{
	double ms = 0;
	for (int i = 0; i < 2; i++) {
		struct rusage u;
		getrusage(i ? RUSAGE_CHILDREN : RUSAGE_SELF, &u);
		ms += 1e3 * (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-3 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
	}
	return ms;
}

static void wait_for(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	if (poll(&p, 1, WAIT_MS) != 1) stop("nothing came in time");
}

/* Reads up to the frame of that type. */
static void read_until(const struct sandbox_child *c, struct frame_reader *in, const char *type)
{
	char chunk[4096];
	struct frame f;
	struct error e;
	for (;;) {
		enum err err = frame_reader_next(in, &f, &e);
		if (err == ERR_OK && strcmp(json_str(f.head, "t", ""), type) == 0) return;
		if (err == ERR_OK) continue;
		wait_for(c->fd, POLLIN);
		ssize_t n = read(c->fd, chunk, sizeof chunk);
		if (err != ERR_WAITING || n <= 0 || frame_reader_feed(in, chunk, (size_t)n) != ERR_OK) stop("the worker ended");
	}
}

static void attempt(const struct sandbox_child *c, struct frame_reader *in, const struct buf *message)
{
	if (send(c->fd, message->data, message->len, MSG_NOSIGNAL) != (ssize_t)message->len) stop("the worker does not read");
	read_until(c, in, "end");
}

static void worker_open(struct sandbox *s, struct sandbox_child *c, struct frame_reader *in)
{
	struct error e;
	if (sandbox_spawn(s, SANDBOX_WORKER, NULL, c, &e) != ERR_OK) stop(e.text);
	frame_reader_init(in, WIRE_HEAD_BYTES_MAX, WIRE_PAYLOAD_BYTES_MAX);
	read_until(c, in, "ready");
}

static void worker_close(struct sandbox_child *c, struct frame_reader *in)
{
	close(c->fd);
	wait_for(c->pidfd, POLLIN);
	close(c->pidfd);
	frame_reader_clear(in);
}

static void start_and_end(struct sandbox *s, const struct buf *message)
{
	struct sandbox_child c;
	struct frame_reader in;
	worker_open(s, &c, &in);
	if (message) attempt(&c, &in, message);
	worker_close(&c, &in);
}

/* message NULL: workers that are started only. */
static struct cost measure_starts(struct sandbox *s, const struct buf *message)
{
	double cpu = server_cpu_ms(sandbox_forkd_pid(s));
	int64_t wall = clock_monotonic_us();
	for (int i = 0; i < STARTS; i++) start_and_end(s, message);
	return (struct cost){(server_cpu_ms(sandbox_forkd_pid(s)) - cpu) / STARTS, (double)(clock_monotonic_us() - wall) / 1e3 / STARTS};
}

/* Attempts that follow one another in one worker, whose CPU is known when it has ended. */
static struct cost measure_attempts(struct sandbox *s, const struct buf *message)
{
	struct sandbox_child c;
	struct frame_reader in;
	double cpu = server_cpu_ms(sandbox_forkd_pid(s));
	worker_open(s, &c, &in);
	int64_t wall = clock_monotonic_us();
	for (int i = 0; i < ATTEMPTS; i++) attempt(&c, &in, message);
	wall = clock_monotonic_us() - wall;
	worker_close(&c, &in);
	start_and_end(s, NULL); /* the one before has been waited for when this has answered */
	return (struct cost){(server_cpu_ms(sandbox_forkd_pid(s)) - cpu) / ATTEMPTS, (double)wall / 1e3 / ATTEMPTS};
}

static struct cost measure_true(void)
{
	double cpu = own_cpu_ms();
	int64_t wall = clock_monotonic_us();
	for (int i = 0; i < STARTS; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) != pid) stop("no child");
	}
	return (struct cost){(own_cpu_ms() - cpu) / STARTS, (double)(clock_monotonic_us() - wall) / 1e3 / STARTS};
}

static void print(const char *what, struct cost c, struct cost of)
{
	printf("%-44s%8.3f ms of CPU  %8.3f ms  %6.2f of /bin/true's CPU\n", what, c.cpu_ms, c.wall_ms, c.cpu_ms / of.cpu_ms);
}

int main(int argc, char **argv)
{
	static const char source[] = "return {}";
	struct error e;
	struct sandbox *s;
	struct buf message;
	if (argc != 2) stop("usage: bench-start FORK-SERVER");
	if (sandbox_start(argv[1], "/proc/self/exe", NULL, &s, &e) != ERR_OK) stop(e.text);
	buf_init(&message, 65536);
	json_t *head = json_pack("{s:s,s:[{s:s,s:s,s:i,s:i}],s:[i,i]}", "t", "attempt", "parts", "role", "action", "chunk", "runbooks/x.md", "line", 1, "bytes",
	                         (int)sizeof source - 1, "seed", 1, 2);
	if (frame_write(&message, head, source, sizeof source - 1) != ERR_OK) stop("no frame");
	json_decref(head);
	measure_starts(s, NULL); /* warm */
	struct cost program = measure_true(), worker = measure_starts(s, NULL), first = measure_starts(s, &message), next = measure_attempts(s, &message);
	print("fork and exec of /bin/true", program, program);
	print("a confined worker", worker, program);
	print("a confined worker and its first attempt", first, program);
	print("a further attempt in a worker", next, program);
	buf_clear(&message);
	sandbox_stop(s);
	return 0;
}
