#include "sandbox/actor_command.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "sandbox/actor_path.h"
#include "sandbox/receipt.h"
#include "sandbox/secret_call.h"
#include "sandbox/secret_file.h"
#include "sandbox/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 4096, FILES_SOFT_MAX = 1024 };

/* ---- what the frame says ---- */

struct launch {
	char **argv, **envp;
	char *path;    /* the command's file */
	char *program; /* what is executed: that, or the shell that keeps a receipt of it */
	int cwd_fd;
	int fds[3]; /* of the child: stdin, stdout, stderr */
	pid_t parent;
	const struct command_rules *rules;
	int error;           /* errno of the child's exec; it shares our memory until then */
	const char *refused; /* the limit that the kernel did not take, where one was not */
};

static void words_free(char **words)
{
	for (char **w = words; w && *w; w++) {
		explicit_bzero(*w, strlen(*w)); /* a secret may be among them */
		free(*w);
	}
	free(words);
}

/* A word of the wire (a string, or {"b64"}) as a C string; NULL where it is neither, or has a zero byte. */
static char *word_get(const json_t *v)
{
	struct buf b;
	buf_init(&b, WIRE_HEAD_BYTES_MAX);
	bool ok = json_bytes_get(v, &b) && (!b.data || strlen(b.data) == b.len);
	char *word = ok ? buf_take(&b) : NULL;
	buf_clear(&b);
	return word;
}

static enum err argv_get(const json_t *head, char ***out, struct error *e)
{
	const json_t *list = json_arr(head, "argv"), *v;
	size_t i, n = json_array_size(list);
	if (n < 1 || n > WORDS_MAX) return error_set(e, ERR_INVALID, "a command has 1 to %d arguments, this one has %zu", WORDS_MAX, n);
	char **argv = mem_zero((n + 1) * sizeof *argv);
	json_array_foreach(list, i, v)
	{
		argv[i] = word_get(v);
		if (argv[i]) continue;
		words_free(argv);
		return error_set(e, ERR_INVALID, "argument %zu of the command is no string without zero bytes", i);
	}
	*out = argv;
	return ERR_OK;
}

/* The value behind {"secret": name}, which no variable can hold where it has a zero byte. */
static char *secret_word(const json_t *v, const struct secret_call *secrets)
{
	const char *name = json_str(v, "secret", NULL);
	const struct buf *value = name && secrets ? secret_call_value(secrets, name) : NULL;
	return value && value->data && strlen(value->data) == value->len ? mem_strdup(value->data) : NULL;
}

static enum err env_get(const json_t *head, const struct secret_call *secrets, char ***out, struct error *e)
{
	json_t *o = json_obj(head, "env"), *v;
	const char *name;
	size_t n = 0;
	char **envp = mem_zero((json_object_size(o) + 1) * sizeof *envp);
	json_object_foreach(o, name, v)
	{
		bool is_secret = json_object_get(v, "secret") != NULL;
		char *word = is_secret ? secret_word(v, secrets) : word_get(v);
		if (word && *name && !strchr(name, '=')) {
			envp[n++] = mem_printf("%s=%s", name, word);
			explicit_bzero(word, strlen(word));
			free(word);
			continue;
		}
		free(word);
		words_free(envp);
		if (is_secret)
			return error_set(e, ERR_INVALID, "the secret %.80s for the variable %.60s has a zero byte: give it as stdin", json_str(v, "secret", ""),
			                 name);
		return error_set(e, ERR_INVALID, "the environment's \"%.60s\" is no name with a string", name);
	}
	*out = envp;
	return ERR_OK;
}

/* The standard input: the payload's bytes, or a secret. */
static enum err input_get(const json_t *head, const void *input, size_t n, const struct secret_call *secrets, struct buf *out, struct error *e)
{
	const char *name = json_str(head, "stdin_secret", NULL);
	const struct buf *value = name && secrets ? secret_call_value(secrets, name) : NULL;
	buf_init(out, WIRE_PAYLOAD_BYTES_MAX);
	if (name && !value) return error_set(e, ERR_PROTOCOL, "the standard input's secret %.80s is not among those of the call", name);
	buf_add(out, value ? value->data : input, value ? value->len : n);
	return ERR_OK;
}

static enum err cwd_get(const json_t *head, int *fd, struct error *e)
{
	const char *cwd = json_str(head, "cwd", NULL);
	*fd = -1;
	if (!cwd) return ERR_OK;
	*fd = open(cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*fd >= 0) return ERR_OK;
	bool is_denied = errno == EACCES;
	enum err err = error_errno(e, "the command's folder %s", cwd);
	return is_denied ? error_context(e, "commands run as user id %d, who must be able to enter their folder", (int)geteuid()) : err;
}

/* ---- the child ---- */

static bool limits_set(struct launch *l)
{
	struct rlimit files;
	/* What programs that count descriptors in a set of bits take for granted. The actor itself has more. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > FILES_SOFT_MAX) {
		files.rlim_cur = FILES_SOFT_MAX;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	for (int i = 0; i < COMMAND_LIMITS; i++) {
		rlim_t value = (rlim_t)l->rules->limits[i];
		if (l->rules->limits[i] == LIMIT_NONE || setrlimit((__rlimit_resource_t)command_limits[i].resource, &(struct rlimit){value, value}) == 0)
			continue;
		l->refused = command_limits[i].name;
		return false;
	}
	return !l->rules->no_new_privileges || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* Between clone and exec, in our memory while we are stopped: nothing but system calls. */
static int child_main(void *arg)
{
	struct launch *l = arg;
	sigset_t none;
	sigemptyset(&none);
	setsid();
	/* Not inherited by what it starts: the process group and the lock descriptor are for those. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bool ok = getppid() == l->parent && (l->cwd_fd < 0 || fchdir(l->cwd_fd) == 0) && limits_set(l);
	for (int i = 0; ok && i < 3; i++) ok = dup2(l->fds[i], i) == i;
	/* Libraries open descriptors of their own in the actor, and not all of them say that a command shall not inherit them. */
	syscall(SYS_close_range, 3, COMMAND_LOCK_FD - 1, 0);
	syscall(SYS_close_range, COMMAND_LOCK_FD + 1, ~0U, 0);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (failpoint(HAND_EXEC))
		errno = ENOMEM;
	else if (ok)
		execve(l->program, l->argv, l->envp);
	l->error = errno;
	_exit(127);
}

/* As vfork, on a stack of its own: `true` starts in about half a millisecond, whatever the actor's size. */
static enum err launch_run(struct launch *l, pid_t *pid, struct error *e)
{
	static alignas(64) char stack[65536];
	sigset_t all, old;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	l->parent = getpid();
	*pid = clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, l);
	int error = *pid < 0 ? errno : l->error;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (error == 0) return ERR_OK;
	if (*pid > 0) waitpid(*pid, NULL, 0);
	if (l->refused) return error_set(e, ERR_INVALID, "the limit %s of .rung/config.yaml is above what this host lets the commands' user have", l->refused);
	if (error == E2BIG) return error_set(e, ERR_TOO_BIG, "%s: the arguments and the environment are larger than the kernel takes", l->path);
	if (error == ENOEXEC) return error_set(e, ERR_INVALID, "%s is no program (a script must begin with #!)", l->path);
	if (error == EAGAIN || error == ENOMEM) return error_set(e, ERR_FULL, "%s: no room for another process", l->path);
	errno = error;
	return error_errno(e, "%s", l->path);
}

/* ---- pipes ---- */

/* Ours does not block; both are close-on-exec. */
static bool pipe_make(int *ours, int *theirs, bool we_read)
{
	int pair[2];
	if (pipe2(pair, O_CLOEXEC) != 0) return false;
	*ours = pair[we_read ? 0 : 1];
	*theirs = pair[we_read ? 1 : 0];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) == 0;
}

static enum err pipes_make(struct command *c, struct launch *l, struct error *e)
{
	bool ok = c->input.len ? pipe_make(&c->input_fd, &l->fds[0], false) : (l->fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;
	for (int i = 0; ok && i < 2; i++) ok = pipe_make(&c->output_fd[i], &l->fds[1 + i], true);
	return ok ? ERR_OK : error_errno(e, "the command's pipes");
}

static void close_fd(int *fd)
{
	if (*fd >= 0) close(*fd);
	*fd = -1;
}

/* What is executed: the command, or under a receipt the shell around it. */
static enum err program_get(const json_t *head, struct launch *l, struct error *e)
{
	const json_t *receipt = json_obj(head, "receipt");
	enum err err = actor_path_resolve(l->argv[0], l->rules->trusted_uid, &l->path, e);
	if (err) return err;
	if (!receipt) {
		l->program = mem_strdup(l->path);
		return ERR_OK;
	}
	err = actor_path_resolve("sh", l->rules->trusted_uid, &l->program, e);
	return err ? err : receipt_wrap(receipt, l->path, &l->argv, e);
}

static enum err launch_prepare(struct command *c, struct launch *l, const json_t *head, const struct secret_call *secrets, struct error *e)
{
	enum err err = argv_get(head, &l->argv, e);
	if (!err) err = env_get(head, secrets, &l->envp, e);
	if (!err) err = program_get(head, l, e);
	if (!err) err = cwd_get(head, &l->cwd_fd, e);
	if (!err) err = pipes_make(c, l, e);
	return err;
}

enum err command_start(const json_t *head, const void *input, size_t input_bytes, const struct command_rules *rules, const struct secret_call *secrets,
                       struct command **out, struct error *e)
{
	struct launch l = {.cwd_fd = -1, .fds = {-1, -1, -1}, .rules = rules};
	struct command *c = mem_zero(sizeof *c);
	c->input_fd = c->output_fd[0] = c->output_fd[1] = -1;
	enum err err = input_get(head, input, input_bytes, secrets, &c->input, e);
	if (!err) err = launch_prepare(c, &l, head, secrets, e);
	c->started_us = clock_monotonic_us();
	if (!err && failpoint(HAND_CLONE)) err = error_set(e, ERR_FULL, "made to fail");
	if (!err) err = launch_run(&l, &c->pid, e);
	for (int i = 0; i < 3; i++) close_fd(&l.fds[i]);
	close_fd(&l.cwd_fd);
	words_free(l.argv);
	words_free(l.envp);
	free(l.program);
	c->path = l.path;
	if (err) {
		command_free(c);
		return err;
	}
	json_int_t timeout = json_int(head, "timeout_us", 0);
	if (timeout > 0) c->deadline_us = c->started_us + timeout;
	command_feed(c);
	*out = c;
	return ERR_OK;
}

void command_stop(struct command *c, int64_t now_us)
{
	if (c->kill_us || c->exited_us) return;
	c->kill_us = now_us + COMMAND_TERM_US;
	kill(-c->pid, SIGTERM);
	kill(-c->pid, SIGCONT); /* what is stopped would not see it */
}

void command_feed(struct command *c)
{
	while (c->input_fd >= 0) {
		ssize_t n = c->input_at < c->input.len ? write(c->input_fd, c->input.data + c->input_at, c->input.len - c->input_at) : 0;
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) return;
		if (n > 0) c->input_at += (size_t)n;
		if (n <= 0) close_fd(&c->input_fd); /* all of it, or nobody reads any more */
	}
}

void command_look(struct command *c, int64_t now_us)
{
	siginfo_t info = {0};
	if (c->exited_us || waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
	failpoint(HAND_EXITED);
	c->exited_us = now_us;
	if (info.si_code == CLD_EXITED)
		c->code = info.si_status;
	else
		c->signal = info.si_status;
	close_fd(&c->input_fd);
}

void command_end(struct command *c)
{
	kill(-c->pid, SIGKILL);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR) continue;
	c->pid = 0;
}

void command_free(struct command *c)
{
	close_fd(&c->input_fd);
	close_fd(&c->output_fd[0]);
	close_fd(&c->output_fd[1]);
	buf_wipe(&c->input);
	buf_wipe(&c->printed);
	free(c->path);
	free(c);
}
