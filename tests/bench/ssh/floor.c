/* What a command on many hosts costs where nothing stands around it: libssh, one thread; connect, authenticate with one ed25519 key, run, read, close. Host
 * keys are not looked at.
 *
 *   ssh-floor [-c AT_ONCE] [-w TIMES] KEY COMMAND <TARGETS       a target a line: ADDRESS PORT USER
 *
 * Says one line of JSON: seconds and CPU seconds of the first round (cold) and of TIMES further ones on the sessions that are kept (warm), peak memory. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libssh/libssh.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TARGETS_MAX = 2000, WAIT_MS = 60000 };
enum stage { STAGE_WAITING, STAGE_TCP, STAGE_SSH, STAGE_AUTH, STAGE_OPEN, STAGE_EXEC, STAGE_READ, STAGE_DONE };

struct target {
	char address[64], user[64];
	unsigned port;
	int fd;
	enum stage stage;
	ssh_session session;
	ssh_channel channel;
};

static struct target targets[TARGETS_MAX];
static size_t count, at_once = TARGETS_MAX, failed;
static bool keeps_sessions;
static ssh_key key;
static const char *command;

static void stop(const char *what)
{
	fprintf(stderr, "ssh-floor: %s\n", what);
	exit(1);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* The server waits for the acknowledgement of a half-filled segment before it sends the next: none may be delayed. The kernel forgets this by itself. */
static void acknowledge_at_once(int fd)
{
	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
}

static void start(struct target *t)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)t->port)};
	t->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (inet_pton(AF_INET, t->address, &to.sin_addr) != 1 || (connect(t->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS))
		stop("no connection");
	t->stage = STAGE_TCP;
}

static void open_session(struct target *t)
{
	bool no = false;
	int level = SSH_LOG_NOLOG;
	t->session = ssh_new();
	ssh_options_set(t->session, SSH_OPTIONS_PROCESS_CONFIG, &no);
	ssh_options_set(t->session, SSH_OPTIONS_LOG_VERBOSITY, &level);
	ssh_options_set(t->session, SSH_OPTIONS_HOST, t->address);
	ssh_options_set(t->session, SSH_OPTIONS_USER, t->user);
	ssh_options_set(t->session, SSH_OPTIONS_FD, &t->fd);
	ssh_set_blocking(t->session, 0);
}

static void end(struct target *t, bool is_good)
{
	if (!is_good) failed++;
	if (t->channel) ssh_channel_free(t->channel);
	t->channel = NULL;
	if (!is_good || !keeps_sessions) {
		ssh_disconnect(t->session);
		ssh_free(t->session);
		t->session = NULL;
	}
	t->stage = STAGE_DONE;
}

/* What it asks for now; SSH_AGAIN while the answer is not there. */
static int ask(struct target *t)
{
	char data[4096];
	int n;
	switch (t->stage) {
	case STAGE_TCP:
		open_session(t);
		return SSH_OK;
	case STAGE_SSH:
		return ssh_connect(t->session);
	case STAGE_AUTH:
		n = ssh_userauth_publickey(t->session, NULL, key);
		return n == SSH_AUTH_AGAIN ? SSH_AGAIN : n == SSH_AUTH_SUCCESS ? SSH_OK : SSH_ERROR;
	case STAGE_OPEN:
		if (!t->channel) t->channel = ssh_channel_new(t->session);
		return ssh_channel_open_session(t->channel);
	case STAGE_EXEC:
		return ssh_channel_request_exec(t->channel, command);
	default:
		while ((n = ssh_channel_read_nonblocking(t->channel, data, sizeof data, 0)) > 0) continue;
		/* Reads packets also after the end of the output, which reading does not. */
		n = ssh_channel_get_exit_status(t->channel);
		return n == 0 ? SSH_OK : n > 0 || ssh_channel_is_closed(t->channel) ? SSH_ERROR : SSH_AGAIN;
	}
}

static void step(struct target *t)
{
	acknowledge_at_once(t->fd);
	while (t->stage < STAGE_DONE) {
		int got = ask(t);
		if (got == SSH_AGAIN) return;
		if (got != SSH_OK)
			end(t, false);
		else if (t->stage == STAGE_READ)
			end(t, true);
		else
			t->stage++;
	}
}

/* One command on every target. */
static void one_round(enum stage from)
{
	static struct pollfd fds[TARGETS_MAX];
	static struct target *of[TARGETS_MAX];
	size_t next = 0, done = 0;
	for (size_t i = 0; i < count; i++) targets[i].stage = STAGE_WAITING;
	while (done < count) {
		size_t open = 0;
		for (size_t i = 0; i < next; i++) open += targets[i].stage != STAGE_DONE;
		for (; next < count && open < at_once; next++, open++) {
			targets[next].stage = from;
			from == STAGE_TCP ? start(&targets[next]) : step(&targets[next]);
		}
		nfds_t n = 0;
		done = 0;
		for (size_t i = 0; i < next; i++) {
			struct target *t = &targets[i];
			done += t->stage == STAGE_DONE;
			if (t->stage == STAGE_DONE) continue;
			short events = t->stage == STAGE_TCP || (ssh_get_poll_flags(t->session) & SSH_WRITE_PENDING) ? POLLIN | POLLOUT : POLLIN;
			fds[n] = (struct pollfd){.fd = t->fd, .events = t->stage == STAGE_TCP ? POLLOUT : events};
			of[n++] = t;
		}
		if (n && poll(fds, n, WAIT_MS) <= 0) stop("nothing happens");
		for (nfds_t i = 0; i < n; i++)
			if (fds[i].revents) step(of[i]);
	}
}

int main(int argc, char **argv)
{
	unsigned long warm = 0;
	for (int o; (o = getopt(argc, argv, "c:w:")) != -1;) {
		if (o == 'c') at_once = strtoul(optarg, NULL, 10);
		if (o == 'w') warm = strtoul(optarg, NULL, 10);
		if (o == '?') return 2;
	}
	if (optind + 2 != argc) stop("usage: ssh-floor [-c AT_ONCE] [-w TIMES] KEY COMMAND <TARGETS");
	command = argv[optind + 1];
	while (count < TARGETS_MAX && scanf("%63s %u %63s", targets[count].address, &targets[count].port, targets[count].user) == 3) count++;
	ssh_init();
	if (ssh_pki_import_privkey_file(argv[optind], NULL, NULL, NULL, &key) != SSH_OK) stop("the key cannot be read");
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	keeps_sessions = warm > 0;
	double cpu = cpu_seconds(), wall = seconds();
	one_round(STAGE_TCP);
	double cold_cpu = cpu_seconds() - cpu, cold = seconds() - wall;
	cpu = cpu_seconds(), wall = seconds();
	for (unsigned long i = 0; i < warm; i++) one_round(STAGE_OPEN);
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	printf("{\"targets\": %zu, \"failed\": %zu, \"cold_s\": %.4f, \"cold_cpu_s\": %.4f, \"warm_s\": %.4f, \"warm_cpu_s\": %.4f, \"peak_kib\": %ld}\n",
	       count, failed, cold, cold_cpu, seconds() - wall, cpu_seconds() - cpu, u.ru_maxrss);
	return failed ? 1 : 0;
}
