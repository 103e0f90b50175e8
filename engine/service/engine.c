#include "service/engine.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/notify.h"
#include "service/ack_key.h"
#include "service/alerts_at.h"
#include "service/attempt.h"
#include "service/channel.h"
#include "service/client.h"
#include "service/configure.h"
#include "service/escalation.h"
#include "service/incident.h"
#include "service/intake.h"
#include "service/inventory.h"
#include "service/leftover.h"
#include "service/listen.h"
#include "service/mitigation.h"
#include "service/oncall_file.h"
#include "service/receipt.h"
#include "service/revision.h"
#include "service/token.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { TICK_MS = 1000, RESERVE_EVERY_US = 10000000 };

/* How often a fork server is started for one request: its end is chance once or twice, and a fault of this host after that. */
enum { FORKD_STARTS_MAX = 3 };

struct policy_at {
	struct policy_at *next;
	char *root;
	struct policy_file *file;
};

struct policy_file *engine_policy(struct engine *en, const char *root)
{
	for (struct policy_at *p = en->policies; p; p = p->next)
		if (strcmp(p->root, root ? root : "") == 0) return p->file;
	struct policy_at *p = mem_zero(sizeof *p);
	p->root = mem_strdup(root ? root : "");
	p->file = policy_file_new(root);
	p->next = en->policies;
	return (en->policies = p)->file;
}

static void policies_free(struct engine *en)
{
	while (en->policies) {
		struct policy_at *p = en->policies;
		en->policies = p->next;
		policy_file_free(p->file);
		free(p->root);
		free(p);
	}
}

struct execution *engine_find(struct engine *en, const char *id)
{
	for (struct execution *x = en->executions; x; x = x->next)
		if (strcmp(x->id, id) == 0) return x;
	return NULL;
}

struct found {
	char id[27];
	size_t count;
};

static bool found_one(void *arg, const struct store_execution *x)
{
	struct found *f = arg;
	snprintf(f->id, sizeof f->id, "%s", x->id);
	return ++f->count < 2;
}

struct execution *engine_lookup(struct engine *en, const char *prefix, char id_out[27], struct error *e)
{
	struct found f = {.count = 0};
	id_out[0] = 0;
	if (!prefix || strlen(prefix) < 4 || strlen(prefix) > 26) {
		error_set(e, ERR_USAGE, "an execution is named by its id, or the first four letters of it or more (`rung log` lists them)");
		return NULL;
	}
	for (struct execution *x = en->executions; x; x = x->next) {
		if (strncmp(x->id, prefix, strlen(prefix)) != 0) continue;
		snprintf(f.id, sizeof f.id, "%s", x->id);
		f.count++;
	}
	if (f.count == 0 && store_executions(en->reader, false, prefix, NULL, 2, found_one, &f, e)) return NULL;
	if (f.count == 0)
		error_set(e, ERR_NOT_FOUND, "there is no execution %s (`rung log` lists them)", prefix);
	else if (f.count > 1)
		error_set(e, ERR_USAGE, "more than one execution begins with %s: write more of its id", prefix);
	if (f.count != 1) return NULL;
	memcpy(id_out, f.id, 27);
	error_set(e, ERR_OK, "%s", "");
	return engine_find(en, f.id);
}

void engine_add(struct engine *en, struct execution *x)
{
	x->next = en->executions;
	en->executions = x;
}

void engine_remove(struct engine *en, struct execution *x)
{
	if (x->is_gone) return;
	x->is_gone = true;
	execution_drop_processes(x);
	if (x->flow->is_finished && !x->is_ahead) {
		char *locks[] = {lock_path(x), lock_terminal_path(x)};
		for (int i = 0; i < 2; i++) {
			unlink(locks[i]);
			free(locks[i]);
		}
		receipt_forget(x);
	}
	for (struct execution **at = &en->executions; *at; at = &(*at)->next) {
		if (*at != x) continue;
		*at = x->next;
		break;
	}
	x->next = en->gone;
	en->gone = x;
}

/* A round begins before the loop waits: what was looked at before that may be another by the time that something comes. */
static void begin_round(uv_prepare_t *h)
{
	struct engine *en = h->data;
	en->round++;
}

/* Between two rounds of the loop nobody holds a pointer to what is gone. */
static void sweep(uv_check_t *h)
{
	struct engine *en = h->data;
	incidents_end_of_round(en);
	for (struct policy_at *p = en->policies; p; p = p->next) policy_file_sweep(p->file);
	engine_oncalls_sweep(en);
	client_sweep(en);
	for (struct execution **at = &en->gone; *at;) {
		struct execution *x = *at;
		if (x->commits) {
			at = &x->next;
			continue;
		}
		*at = x->next;
		execution_free(x);
	}
}

static void wake(void *arg)
{
	struct engine *en = arg;
	uv_async_send(&en->wake);
}

static void deliver(uv_async_t *h)
{
	struct engine *en = h->data;
	store_deliver(en->store);
}

void engine_end(struct engine *en, int exit_status)
{
	if (en->is_ending) return;
	en->is_ending = true;
	en->exit_status = exit_status;
	uv_stop(&en->loop);
}

static void signalled(uv_signal_t *s, int number)
{
	struct engine *en = s->data;
	log_line(LOG_INFO, "ending on signal %d", number);
	if (en->part)
		serve_end(en);
	else
		engine_end(en, 0);
}

static bool is_busy(struct engine *en)
{
	if (en->clients || channels_are_busy(en) || escalations_are_busy(en) || mitigations_are_busy(en)) return true;
	for (const struct execution *x = en->executions; x; x = x->next)
		if (x->flow->state == RUN_RUNNING || x->commits) return true;
	return false;
}

/* A disk that was full may have room again: then alerts are taken again. */
static void regain_reserve(struct engine *en, int64_t now_us)
{
	if (now_us - en->reserve_sought_us < RESERVE_EVERY_US || !store_is_reserve_spent(en->store)) return;
	en->reserve_sought_us = now_us;
	store_regain_reserve(en->store);
}

static void tick(uv_timer_t *t)
{
	struct engine *en = t->data;
	int64_t now = clock_monotonic_us();
	leftover_sweep(en);
	listen_again(en);
	supervise(en);
	regain_reserve(en, now);
	mitigations_tick(en);
	incidents_tick(en);
	escalations_tick(en);
	if (is_busy(en))
		en->idle_since_us = now;
	else if (en->idle_us && now - en->idle_since_us >= en->idle_us)
		engine_end(en, 0);
}

static enum err make_folders(struct engine *en, struct error *e)
{
	static const char *const folders[] = {"spool", "locks", "receipts"};
	enum err err = fs_mkdirs(en->state_dir, 0700, e);
	for (size_t i = 0; i < sizeof folders / sizeof *folders && !err; i++) {
		char *path = mem_printf("%s/%s", en->state_dir, folders[i]);
		err = fs_mkdirs(path, 0700, e);
		free(path);
	}
	return err;
}

/* The fork server stands beside the program, or in libexec where it is installed. */
static enum err start_sandbox(struct engine *en, struct error *e)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n < 0) return error_errno(e, "/proc/self/exe");
	self[n] = 0;
	char *folder = fs_dirname(self), *beside = mem_printf("%s/rung-forkd", folder), *installed = mem_printf("%s/../libexec/rung-forkd", folder);
	snprintf(en->program, sizeof en->program, "%s", self);
	snprintf(en->forkd, sizeof en->forkd, "%s", fs_exists(beside) ? beside : installed);
	free(folder);
	free(beside);
	free(installed);
	return sandbox_start(en->forkd, en->program, en->commands_as, &en->sandbox, e);
}

enum err engine_spawn(struct engine *en, enum sandbox_kind kind, const struct sandbox_gifts *gifts, struct sandbox_child *out, struct error *e)
{
	if (kind == SANDBOX_WORKER ? failpoint(WORKER_SPAWN) : failpoint(ACTOR_SPAWN)) return error_set(e, ERR_FULL, "made to fail");
	enum err err = en->sandbox ? sandbox_spawn(en->sandbox, kind, gifts, out, e) : ERR_CLOSED;
	for (int starts = 0; err == ERR_CLOSED && starts < FORKD_STARTS_MAX; starts++) {
		log_line(LOG_WARN, "the fork server has ended: another one is started");
		sandbox_stop(en->sandbox);
		en->sandbox = NULL;
		err = start_sandbox(en, e);
		if (!err) err = sandbox_spawn(en->sandbox, kind, gifts, out, e);
	}
	return err == ERR_CLOSED ? error_set(e, err, "the fork server ends as soon as it is started: %s", en->forkd) : err;
}

static enum err write_pid(struct engine *en, struct error *e)
{
	char *path = mem_printf("%s/engine.pid", en->state_dir), text[32];
	int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
	enum err err = fs_write_atomic(path, text, (size_t)n, 0600, e);
	free(path);
	return err;
}

static void start_timers(struct engine *en)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	en->idle_since_us = clock_monotonic_us();
	uv_timer_init(&en->loop, &en->timer);
	en->timer.data = en;
	uv_timer_start(&en->timer, tick, TICK_MS, TICK_MS);
	uv_prepare_init(&en->loop, &en->rounds);
	en->rounds.data = en;
	uv_prepare_start(&en->rounds, begin_round);
	uv_check_init(&en->loop, &en->sweeper);
	en->sweeper.data = en;
	uv_check_start(&en->sweeper, sweep);
	for (int i = 0; i < 3; i++) {
		uv_signal_init(&en->loop, &en->signals[i]);
		en->signals[i].data = en;
		uv_signal_start(&en->signals[i], signalled, numbers[i]);
	}
}

/* The workspace whose .rung/ holds the configuration, or NULL. */
static char *root_of(const char *config_path)
{
	char *folder = fs_dirname(config_path), *up = fs_dirname(folder), whole[PATH_MAX];
	size_t n = strlen(folder);
	bool is_ours = n > 6 && strcmp(folder + n - 6, "/.rung") == 0;
	char *root = is_ours && realpath(up, whole) ? mem_strdup(whole) : NULL;
	free(folder);
	free(up);
	return root;
}

static enum err engine_start(struct engine *en, const char *config_path, struct error *e)
{
	char name[256] = "localhost";
	struct passwd *pw = getpwuid(geteuid());
	signal(SIGPIPE, SIG_IGN);
	gethostname(name, sizeof name - 1);
	en->host = mem_strdup(name);
	en->user = mem_strdup(pw ? pw->pw_name : "?");
	en->principal = principal_of_uid(geteuid());
	if (!en->principal) return error_set(e, ERR_IO, "the name of user %u cannot be looked up", (unsigned)geteuid());
	must(uv_loop_init(&en->loop) == 0);
	en->loop.data = en;
	enum err err = engine_configure(en, config_path, e);
	if (!err) en->root = root_of(en->config_path);
	failpoint(ENGINE_CONFIGURED);
	if (!err) err = make_folders(en, e);
	failpoint(ENGINE_FOLDERS);
	/* Before the store, whose writer is a thread. */
	if (!err) leftover_start(en);
	if (!err) err = start_sandbox(en, e);
	failpoint(ENGINE_SANDBOX);
	if (!err) err = engine_check_sandbox(en, e);
	uv_async_init(&en->loop, &en->wake, deliver);
	en->wake.data = en;
	struct store_options o = {.dir = en->state_dir, .node = en->host, .wake = wake, .wake_arg = en};
	if (!err) err = store_open(&o, &en->store, e);
	failpoint(ENGINE_STORE);
	if (!err) err = store_reader_open(en->store, &en->reader, e);
	if (!err) err = revisions_load(en, e);
	if (!err) err = ack_key_load(en, e);
	if (!err) en->alive_us = store_alive_us(en->store);
	if (!err) err = incidents_load(en, e);
	if (!err) err = tokens_load(en, e);
	if (!err) err = output_sweep(en, e);
	if (!err) err = listen_start(en, e);
	failpoint(ENGINE_LISTENS);
	if (!err) err = write_pid(en, e);
	if (!err) start_timers(en);
	if (!err) incidents_take_up(en);
	en->alive_us = 0;
	if (!err && en->part) err = en->part->start(en, e);
	failpoint(ENGINE_READY);
	return err;
}

static void close_handle(uv_handle_t *h, void *arg)
{
	(void)arg;
	if (!uv_is_closing(h)) uv_close(h, NULL);
}

static void free_all(struct execution **list)
{
	while (*list) {
		struct execution *x = *list;
		*list = x->next;
		execution_free(x);
	}
}

static void engine_stop(struct engine *en)
{
	char *pid = mem_printf("%s/engine.pid", en->state_dir);
	failpoint(ENGINE_STOP);
	listen_stop(en);
	failpoint(ENGINE_DEAF);
	unlink(pid);
	free(pid);
	/* What runs is left as it is: the next engine takes it up. Its processes end with us. */
	for (struct execution *x = en->executions; x; x = x->next) {
		x->is_gone = true;
		execution_drop_processes(x);
	}
	failpoint(ENGINE_DROPPED);
	channels_stop(en);
	if (en->part) en->part->stop(en);
	client_drop_all(en);
	engine_inventories_stop(en);
	while (en->queries) uv_run(&en->loop, UV_RUN_ONCE);
	engine_inventories_free(en);
	incident_commit(en);
	store_drain(en->store);
	failpoint(ENGINE_DRAINED);
	incidents_free(en);
	alerts_free(en);
	intake_free(en);
	free_all(&en->executions);
	free_all(&en->gone);
	policies_free(en);
	engine_oncalls_free(en);
	revisions_free(en);
	tokens_free(en);
	store_reader_close(en->reader);
	store_close(en->store);
	sandbox_stop(en->sandbox);
	failpoint(ENGINE_SANDBOX_ENDED);
	leftover_sweep_all(en);
	uv_walk(&en->loop, close_handle, NULL);
	uv_run(&en->loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&en->loop) == 0);
	arena_free(en->config_arena);
	if (en->reread_arena) arena_free(en->reread_arena);
	free((char *)en->host);
	free((char *)en->user);
	free((char *)en->principal);
	free((char *)en->root);
	free((char *)en->state_dir);
	free(en);
}

static void say_ready(int fd, const char *text)
{
	if (fd < 0) return;
	fs_write_all(fd, text, strlen(text), NULL);
	close(fd);
}

/* One line: the kind of error, a space, the sentence. */
static void say_failed(int fd, const struct error *e)
{
	char *text = mem_printf("%s %s", err_info(e->kind)->name, e->text);
	say_ready(fd, text);
	free(text);
}

/* Options are in pairs; what is served is known by one of them. */
static void read_options(struct engine *en, int argc, char **argv, const struct engine_part *part, const char **config_path, int *ready_fd, struct error *e)
{
	const char *ready = NULL, *idle = NULL, *serve = NULL;
	const struct {
		const char *name;
		const char **to;
	} options[] = {{"--state", &en->state_dir},
	               {"--config", config_path},
	               {"--ready-fd", &ready},
	               {"--idle", &idle},
	               {"--serve", &serve},
	               {"--listen", &en->serve.listen},
	               {"--tls-cert", &en->serve.tls_certificate},
	               {"--tls-key", &en->serve.tls_key}};
	enum { OPTION_COUNT = sizeof options / sizeof *options };
	for (int i = 1; i + 1 < argc; i += 2) {
		size_t k = 0;
		while (k < OPTION_COUNT && strcmp(argv[i], options[k].name) != 0) k++;
		if (k < OPTION_COUNT)
			*options[k].to = argv[i + 1];
		else
			error_set(e, ERR_USAGE, "rung engine has no option %s", argv[i]);
	}
	*ready_fd = ready ? atoi(ready) : -1;
	en->part = serve ? part : NULL;
	en->idle_us = serve ? 0 : INT64_C(600000000);
	if (idle && !serve) clock_parse_duration(idle, &en->idle_us, e);
	if (!en->state_dir && !e->kind) error_set(e, ERR_USAGE, "rung engine --state DIR [--config FILE]");
}

int engine_main(int argc, char **argv, const struct engine_part *part)
{
	struct engine *en = mem_zero(sizeof *en);
	struct error e = {ERR_OK, ""};
	const char *config_path = NULL;
	int ready_fd = -1;
	read_options(en, argc, argv, part, &config_path, &ready_fd, &e);
	notify_prepare();
	char whole[PATH_MAX];
	if (!e.kind && fs_mkdirs(en->state_dir, 0700, &e) == ERR_OK && realpath(en->state_dir, whole)) en->state_dir = mem_strdup(whole);
	if (e.kind || engine_start(en, config_path, &e)) {
		log_line(LOG_ERROR, "the engine cannot start: %s", e.text);
		say_failed(ready_fd, &e);
		if (en->sandbox) sandbox_stop(en->sandbox);
		_exit(err_info(e.kind)->exit_status); /* half of an engine: nothing to give back */
	}
	log_line(LOG_INFO, "engine of %s@%s on %s, pid %d", en->user, en->host, en->state_dir, (int)getpid());
	say_ready(ready_fd, "ready\n");
	if (en->part) serve_ready(en);
	uv_run(&en->loop, UV_RUN_DEFAULT);
	int status = en->exit_status;
	engine_stop(en);
	return status;
}
