#include "base/arena.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "sandbox/actor_command.h"
#include "sandbox/hand.h"
#include "sandbox/wire.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The hand that runs commands on this host. */

struct commands {
	struct actor *actor;
	struct command *first;
};

static void *commands_open(struct actor *a)
{
	struct commands *s = mem_zero(sizeof *s);
	s->actor = a;
	return s;
}

static enum err commands_start(void *state, struct hand_call *call, const json_t *head, const void *input, size_t n, const struct secret_call *secrets,
                               struct error *e)
{
	struct commands *s = state;
	struct command *c;
	if (strcmp(json_str(head, "function", ""), "run") != 0) return error_set(e, ERR_INVALID, "commands are run, and nothing else");
	enum err err = command_start(head, input, n, actor_rules(s->actor), secrets, &c, e);
	if (err) return err;
	c->call = call;
	call->work = c;
	c->next = s->first;
	s->first = c;
	failpoint(HAND_STARTED);
	actor_started(call, json_pack("{s:i,s:s?}", "pid", (int)c->pid, "path", c->path));
	return ERR_OK;
}

static void commands_cancel(void *state, struct hand_call *call)
{
	struct command *c = call->work;
	(void)state;
	c->cancelled = true;
	command_stop(c, clock_monotonic_us());
}

static enum err commands_read_secret(void *state, const json_t *source, const struct buf *token, json_int_t id, struct error *e)
{
	struct commands *s = state;
	struct command *c;
	(void)token;
	enum err err = command_start(source, NULL, 0, actor_rules(s->actor), NULL, &c, e);
	if (err) return err;
	c->reader = id;
	buf_init(&c->printed, REDACT_VALUE_BYTES_MAX + 2); /* a line's end may follow */
	c->next = s->first;
	s->first = c;
	return ERR_OK;
}

static void commands_stop_secret(void *state, json_int_t id)
{
	struct commands *s = state;
	for (struct command *c = s->first; c; c = c->next)
		if (c->reader == id) command_stop(c, clock_monotonic_us());
}

/* What it printed on its standard error is left unsaid: it may hold the value. */
static enum err check_reader(const struct command *reader, struct error *e)
{
	if (reader->printed.is_full) return ERR_OK; /* ended by us for that */
	if (reader->timed_out) return error_set(e, ERR_TIMEOUT, "the command that prints it ran out of time (secrets.yaml: timeout)");
	if (reader->signal) return error_set(e, ERR_FAILED, "the command that prints it was ended by signal %d", reader->signal);
	if (reader->code) return error_set(e, ERR_FAILED, "the command that prints it ended with exit status %d: run it by hand to see why", reader->code);
	return ERR_OK;
}

/* ---- output ---- */

/* One piece of output; false where nothing is there now. Closes the pipe at its end. */
static bool read_output(struct command *c, int which)
{
	static char chunk[WIRE_OUTPUT_BYTES_MAX];
	ssize_t n = read(c->output_fd[which], chunk, sizeof chunk);
	if (n < 0 && errno == EINTR) return true;
	if (n < 0 && errno == EAGAIN) return false;
	if (n > 0) failpoint(HAND_OUTPUT);
	if (n > 0 && c->call)
		actor_output(c->call, which, chunk, (size_t)n);
	else if (n > 0 && which == 0 && !buf_add(&c->printed, chunk, (size_t)n))
		command_stop(c, clock_monotonic_us()); /* no value is as long */
	if (!c->call) explicit_bzero(chunk, sizeof chunk);
	if (n > 0) return true;
	close(c->output_fd[which]);
	c->output_fd[which] = -1;
	return false;
}

static void drain(const struct commands *s, struct command *c)
{
	for (int i = 0; i < 2; i++) {
		size_t limit = actor_unsent(s->actor) + COMMAND_DRAIN_BYTES;
		while (c->output_fd[i] >= 0 && actor_unsent(s->actor) < limit && read_output(c, i)) continue;
	}
}

/* ---- the end of one ---- */

/* Children that are no command of ours: orphans that came to us as the subreaper. One of ours in front is left for command_end. */
static void reap_orphans(const struct commands *s)
{
	for (;;) {
		siginfo_t info = {0};
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
		for (const struct command *c = s->first; c; c = c->next)
			if (c->pid == info.si_pid) return;
		waitpid(info.si_pid, NULL, 0);
	}
}

/* Is it over: has it exited, and are its pipes closed, or held longer than what it left behind may? */
static bool is_finished(const struct commands *s, const struct command *c, int64_t now_us)
{
	if (!c->exited_us) return false;
	if (c->output_fd[0] < 0 && c->output_fd[1] < 0) return true;
	return now_us >= c->exited_us + COMMAND_LINGER_US && !actor_is_blocked(s->actor);
}

static void check_deadlines(struct command *c, int64_t now_us)
{
	if (c->exited_us) return;
	if (c->deadline_us && now_us >= c->deadline_us && !c->kill_us) {
		c->timed_out = true;
		command_stop(c, now_us);
	}
	if (c->kill_us && now_us >= c->kill_us) kill(-c->pid, SIGKILL);
}

static void say_finished(const struct command *c, int64_t now_us)
{
	json_t *outcome = c->signal ? json_pack("{s:i}", "signal", c->signal) : json_pack("{s:i}", "code", c->code);
	if (c->timed_out) json_object_set_new(outcome, "timed_out", json_true());
	if (c->cancelled) json_object_set_new(outcome, "cancelled", json_true());
	actor_finished(c->call, outcome, now_us - c->started_us);
}

static void settle(struct commands *s)
{
	int64_t now = clock_monotonic_us();
	for (struct command **at = &s->first, *c; (c = *at) != NULL;) {
		command_look(c, now);
		check_deadlines(c, now);
		if (!is_finished(s, c, now)) {
			at = &c->next;
			continue;
		}
		command_end(c);
		drain(s, c);
		*at = c->next;
		if (c->call) {
			say_finished(c, now);
		} else {
			struct error e;
			enum err err = check_reader(c, &e);
			actor_secret_came(s->actor, c->reader, &c->printed, err ? &e : NULL);
			at = &s->first; /* it may have started others, in front */
		}
		command_free(c);
	}
	reap_orphans(s);
}

/* ---- the loop ---- */

/* Three entries a command, in the order of the list. */
static void commands_fill(void *state, struct poll_set *set)
{
	const struct commands *s = state;
	bool is_blocked = actor_is_blocked(s->actor);
	for (const struct command *c = s->first; c; c = c->next) {
		poll_set_add(set, c->input_fd, POLLOUT);
		for (int i = 0; i < 2; i++) poll_set_add(set, c->output_fd[i], is_blocked ? 0 : POLLIN);
	}
}

static void commands_serve(void *state, const struct poll_set *set, size_t at)
{
	struct commands *s = state;
	for (struct command *c = s->first; c; c = c->next, at += 3) {
		if (poll_set_seen(set, at)) command_feed(c);
		for (int i = 0; i < 2; i++)
			if (poll_set_seen(set, at + 1 + (size_t)i) && !actor_is_blocked(s->actor)) read_output(c, i);
	}
}

static void commands_settle(void *state)
{
	settle(state);
}

static int64_t commands_wake_us(const void *state)
{
	const struct commands *s = state;
	int64_t now = clock_monotonic_us(), least = INT64_MAX;
	for (const struct command *c = s->first; c; c = c->next) {
		int64_t at = c->exited_us ? c->exited_us + COMMAND_LINGER_US : c->kill_us ? c->kill_us : c->deadline_us;
		/* After SIGKILL, or while the engine does not read, what comes next wakes us anyway. */
		if (at && at > now && at < least)
			least = at;
		else if (at && at <= now && !c->exited_us && !c->kill_us)
			least = now;
	}
	return least;
}

static void commands_stop(void *state)
{
	const struct commands *s = state;
	for (const struct command *c = s->first; c; c = c->next) kill(-c->pid, SIGKILL);
}

static void commands_close(void *state)
{
	struct commands *s = state;
	for (struct command *c; (c = s->first) != NULL;) {
		s->first = c->next;
		command_free(c);
	}
	free(s);
}

const struct hand command_hand = {
    .module = "sh",
    .open = commands_open,
    .start = commands_start,
    .cancel = commands_cancel,
    .fill = commands_fill,
    .serve = commands_serve,
    .settle = commands_settle,
    .wake_us = commands_wake_us,
    .read_secret = commands_read_secret,
    .stop_secret = commands_stop_secret,
    .stop = commands_stop,
    .close = commands_close,
};
