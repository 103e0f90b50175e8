#include "base/arena.h"
#include "base/json.h"
#include "modules/ssh/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { AGENTS_AT_ONCE = 8, IDENTITIES_MAX = 32, TRIED_BYTES_MAX = 4096 };

static const char *const usual_files[] = {"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"};

/* A key that hosts are shown. */
struct identity {
	char *path;
	bool is_certified; /* with the certificate that stands beside it */
	ssh_key key;
};

struct auth {
	struct ssh_hand *hand;
	struct identity identities[2 * IDENTITIES_MAX];
	size_t count;
	bool is_read;
	struct buf notes;               /* files that could not be used, for messages */
	char *agent;                    /* its socket; NULL: none */
	struct watch done;              /* an eventfd: a thread has ended */
	struct auth_try *first, **last; /* those that an agent is asked for, running ones first */
	int running;
};

enum away { AWAY_NOT, AWAY_WAITS, AWAY_RUNS, AWAY_IS_BACK };

struct auth_try {
	struct auth *auth;
	struct peer *peer;
	size_t at;   /* of the identities; behind them the agent */
	ssh_key own; /* the secret of the call; NULL: none */
	bool is_own_over, is_agent_over;
	struct buf tried;
	int agent_fd; /* a copy of the session's: to end what waits for it */
	enum away away;
	pthread_t thread;
	int answer;    /* of the thread */
	bool is_ended; /* the thread's last word; written before the eventfd */
	struct auth_try *next;
};

const char *auth_home(void)
{
	static char home[4096];
	const struct passwd *p = *home ? NULL : getpwuid(geteuid());
	if (p) snprintf(home, sizeof home, "%s", p->pw_dir);
	return home;
}

/* ---- keys in files ---- */

static int no_passphrase(const char *prompt, char *buf, size_t len, int echo, int verify, void *userdata)
{
	(void)prompt, (void)buf, (void)len, (void)echo, (void)verify, (void)userdata;
	return -1;
}

static void note(struct auth *a, const char *path, const char *why)
{
	buf_printf(&a->notes, "; %s: %s", path, why);
}

static void add(struct auth *a, const char *path, ssh_key key, bool is_certified)
{
	a->identities[a->count++] = (struct identity){.path = mem_strdup(path), .key = key, .is_certified = is_certified};
}

/* The certificate is shown first: a host that takes it needs nothing else. */
static void add_certified(struct auth *a, const char *path)
{
	char *beside = mem_printf("%s-cert.pub", path);
	ssh_key certificate = NULL, key = NULL;
	if (access(beside, F_OK) == 0) {
		if (ssh_pki_import_cert_file(beside, &certificate) != SSH_OK)
			note(a, beside, "is no certificate");
		else if (ssh_pki_import_privkey_file(path, NULL, no_passphrase, NULL, &key) == SSH_OK &&
		         ssh_pki_copy_cert_to_privkey(certificate, key) == SSH_OK)
			add(a, path, key, true);
		else
			ssh_key_free(key);
		ssh_key_free(certificate);
	}
	free(beside);
}

/* is_named: the configuration names it, and so it must be there. */
static void add_file(struct auth *a, const char *name, bool is_named)
{
	struct stat st;
	ssh_key key = NULL;
	if (a->count + 2 > sizeof a->identities / sizeof *a->identities) return;
	char *path = strncmp(name, "~/", 2) == 0 ? mem_printf("%s/%s", auth_home(), name + 2) : mem_strdup(name);
	if (stat(path, &st) != 0) {
		if (is_named || errno != ENOENT) note(a, path, strerror(errno));
	} else if (st.st_mode & (S_IRWXG | S_IRWXO)) {
		note(a, path, "others may read or write it, so it is not used: chmod 600");
	} else if (ssh_pki_import_privkey_file(path, NULL, no_passphrase, NULL, &key) != SSH_OK) {
		note(a, path, "is no private key that can be read without a passphrase");
	} else {
		add_certified(a, path);
		add(a, path, key, false);
	}
	free(path);
}

void auth_use(struct auth *a, const json_t *head)
{
	const json_t *files = json_arr(head, "identities"), *v;
	const char *agent = json_str(head, "agent", NULL);
	size_t i;
	if (a->is_read) return;
	a->is_read = true;
	json_array_foreach(files, i, v) add_file(a, json_string_value(v), true);
	for (i = 0; !files && i < sizeof usual_files / sizeof *usual_files; i++) add_file(a, usual_files[i], false);
	if (agent) a->agent = mem_strdup(agent);
}

/* ---- an agent ---- */

static int agent_connect(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof to.sun_path) return -1;
	memcpy(to.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void *ask_agent(void *arg)
{
	struct auth_try *t = arg;
	uint64_t one = 1;
	int fd = t->auth->done.fd;
	t->answer = ssh_userauth_agent(t->peer->session, NULL);
	__atomic_store_n(&t->is_ended, true, __ATOMIC_RELEASE);
	if (write(fd, &one, sizeof one) < 0) return NULL; /* full: it is readable anyway */
	return NULL;
}

static void start_waiting(struct auth *a)
{
	for (struct auth_try *t = a->first; t && a->running < AGENTS_AT_ONCE; t = t->next) {
		if (t->away != AWAY_WAITS) continue;
		t->is_ended = false;
		if (pthread_create(&t->thread, NULL, ask_agent, t) != 0) return;
		t->away = AWAY_RUNS;
		a->running++;
	}
}

static void unlist(struct auth *a, struct auth_try *t)
{
	struct auth_try **at = &a->first;
	while (*at && *at != t) at = &(*at)->next;
	if (!*at) return;
	*at = t->next;
	if (a->last == &t->next) a->last = at;
}

static void come_back(struct auth_try *t)
{
	pthread_join(t->thread, NULL);
	t->auth->running--;
	unlist(t->auth, t);
	t->away = AWAY_IS_BACK;
}

static void on_done(void *owner, uint32_t events)
{
	struct auth *a = owner;
	uint64_t n;
	(void)events;
	if (read(a->done.fd, &n, sizeof n) < 0) return;
	for (struct auth_try *t = a->first, *next; t; t = next) {
		next = t->next;
		if (t->away != AWAY_RUNS || !__atomic_load_n(&t->is_ended, __ATOMIC_ACQUIRE)) continue;
		come_back(t);
		peer_go(t->peer);
		next = a->first; /* the list may be another one now */
	}
	start_waiting(a);
}

/* To be done in a thread: the session is its own until it is back. */
static enum auth_answer send_away(struct auth_try *t)
{
	struct auth *a = t->auth;
	t->away = AWAY_WAITS;
	t->next = NULL;
	*a->last = t;
	a->last = &t->next;
	start_waiting(a);
	return AUTH_IS_AWAY;
}

static enum auth_answer agent_go(struct auth_try *t)
{
	if (t->away == AWAY_WAITS || t->away == AWAY_RUNS) return AUTH_IS_AWAY;
	if (t->away == AWAY_NOT) {
		int fd = agent_connect(t->auth->agent);
		if (fd < 0) {
			buf_printf(&t->tried, ", the agent at %s, which cannot be reached (%s)", t->auth->agent, strerror(errno));
			t->is_agent_over = true;
			return AUTH_REFUSED;
		}
		t->agent_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		ssh_set_agent_socket(t->peer->session, fd);
		return send_away(t);
	}
	if (t->answer == SSH_AUTH_AGAIN) {
		/* Its packet is on the way; when the host has said something the thread goes on. */
		if (!t->peer->is_agent_due) return AUTH_WAITS;
		t->peer->is_agent_due = false;
		return send_away(t);
	}
	if (t->answer == SSH_AUTH_SUCCESS) return AUTH_IN;
	buf_printf(&t->tried, ", the keys of the agent at %s", t->auth->agent);
	t->is_agent_over = true;
	return AUTH_REFUSED;
}

/* ---- a try ---- */

struct auth_try *auth_begin(struct peer *p)
{
	struct auth_try *t = mem_zero(sizeof *t);
	const struct buf *secret = &p->route->secret_key;
	t->auth = p->hand->auth;
	t->peer = p;
	t->agent_fd = -1;
	buf_init(&t->tried, TRIED_BYTES_MAX);
	if (!p->route->secret_name) return t;
	if (!secret->data || ssh_pki_import_privkey_base64(secret->data, NULL, no_passphrase, NULL, &t->own) != SSH_OK)
		buf_printf(&t->tried, ", the secret %s, which is no private key without a passphrase", p->route->secret_name);
	return t;
}

/* The next key that is to be shown, and what it is called; NULL: there is none. */
static ssh_key next_key(const struct auth_try *t, const char **name, const char **what)
{
	*what = "";
	if (t->peer->route->secret_name) {
		*name = t->peer->route->secret_name;
		*what = " (a secret)";
		return t->is_own_over ? NULL : t->own;
	}
	if (t->at >= t->auth->count) return NULL;
	const struct identity *i = &t->auth->identities[t->at];
	*name = i->path;
	if (i->is_certified) *what = " with its certificate";
	return i->key;
}

static void refused(struct auth_try *t, struct error *e)
{
	const struct peer *p = t->peer;
	int methods = ssh_userauth_list(p->session, NULL);
	const char *more = methods && !((unsigned)methods & SSH_AUTH_METHOD_PUBLICKEY) ? "; it takes no keys at all" : "";
	bool has_tried = t->tried.len > 0;
	error_set(e, ERR_CLOSED, "%s lets nobody in with %s%s%s", route_shown(p->route), has_tried ? t->tried.data + 2 : "no key: there is none to show", more,
	          t->auth->notes.len && !p->route->secret_name ? t->auth->notes.data : "");
}

enum auth_answer auth_go(struct auth_try *t, struct error *e)
{
	const char *name = NULL, *what = NULL;
	for (ssh_key key; t->away == AWAY_NOT && (key = next_key(t, &name, &what)) != NULL;) {
		int answer = ssh_userauth_publickey(t->peer->session, NULL, key);
		if (answer == SSH_AUTH_SUCCESS) return AUTH_IN;
		if (answer == SSH_AUTH_AGAIN) return AUTH_WAITS;
		if (!ssh_is_connected(t->peer->session)) break;
		buf_printf(&t->tried, ", %s%s", name, what);
		if (answer == SSH_AUTH_PARTIAL) buf_str(&t->tried, " (which is not enough for it)");
		t->is_own_over = true;
		t->at++;
	}
	if (t->auth->agent && !t->peer->route->secret_name && !t->is_agent_over && (t->away != AWAY_NOT || ssh_is_connected(t->peer->session))) {
		enum auth_answer answer = agent_go(t);
		if (answer != AUTH_REFUSED) return answer;
	}
	refused(t, e);
	return AUTH_REFUSED;
}

bool auth_end(struct auth_try *t)
{
	if (!t) return true;
	if (t->away == AWAY_RUNS) {
		if (t->agent_fd >= 0) shutdown(t->agent_fd, SHUT_RDWR);
		if (!__atomic_load_n(&t->is_ended, __ATOMIC_ACQUIRE)) return false;
		come_back(t);
	}
	if (t->away == AWAY_WAITS) unlist(t->auth, t);
	if (t->agent_fd >= 0) close(t->agent_fd);
	ssh_key_free(t->own);
	buf_clear(&t->tried);
	free(t);
	return true;
}

/* ---- all of it ---- */

struct auth *auth_new(struct ssh_hand *h)
{
	struct auth *a = mem_zero(sizeof *a);
	a->hand = h;
	a->last = &a->first;
	buf_init(&a->notes, TRIED_BYTES_MAX);
	a->done = (struct watch){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = on_done, .owner = a};
	must(a->done.fd >= 0);
	watch_set(h, &a->done, EPOLLIN);
	return a;
}

void auth_free(struct auth *a)
{
	if (!a) return;
	for (size_t i = 0; i < a->count; i++) {
		free(a->identities[i].path);
		ssh_key_free(a->identities[i].key);
	}
	watch_set(a->hand, &a->done, 0);
	close(a->done.fd);
	buf_clear(&a->notes);
	free(a->agent);
	free(a);
}
