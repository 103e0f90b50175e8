#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "modules/ssh/parts.h"
#include "modules/ssh/words.h"
#include "sandbox/receipt.h"
#include "sandbox/secret_call.h"
#include "sandbox/wire.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One call: a channel that runs one command. Until the request to run it has been written nothing has happened; from then on, whatever is not heard of it is
 * lost. */

/* ---- its end ---- */

static void exec_free(struct exec *x)
{
	struct exec **at = &x->hand->execs;
	while (*at != x) at = &(*at)->next;
	*at = x->next;
	if (x->peer) peer_remove(x->peer, x);
	exec_drop(x);
	route_free(x->route);
	if (x->command) explicit_bzero(x->command, x->command_bytes);
	free(x->command);
	buf_wipe(&x->input);
	buf_clear(&x->noise);
	free(x);
}

/* Its channel goes, the call stays. */
void exec_drop(struct exec *x)
{
	/* The library keeps a channel until the host has closed it too, or with a session that is gone. */
	if (!x->peer) return;
	if (x->channel) ssh_remove_channel_callbacks(x->channel, &x->callbacks);
	if (x->channel && x->peer->stage != PEER_IS_DEAD) ssh_channel_free(x->channel);
	x->channel = NULL;
	x->stage = EXEC_WAITS;
	x->stage_us = 0;
}

static bool has_left(const struct exec *x)
{
	return x->stage >= EXEC_ASKS;
}

static void say_started(const struct exec *x)
{
	const struct peer *p = x->peer;
	must(p);
	if (!x->call->is_started) actor_started(x->call, json_pack("{s:s,s:s?}", "peer", p->peer_text, "host_key", p->host_key));
}

static void fail(struct exec *x, const struct error *e)
{
	actor_failed(x->call, e);
	exec_free(x);
}

static void lose(struct exec *x, enum hand_loss how, const struct error *e)
{
	say_started(x);
	actor_lost(x->call, how, e);
	exec_free(x);
}

/* What was begun, or may have been, is worth waiting for: the host may be back in a moment. */
static bool can_wait(struct exec *x, const struct error *e)
{
	int64_t now_us = clock_monotonic_us();
	if (!x->route || e->kind != ERR_CLOSED || x->hand->is_stopped || now_us + SSH_AGAIN_US >= x->patient_us) return false;
	exec_drop(x);
	x->peer = NULL;
	x->stage_us = 0;
	x->retry_us = now_us + SSH_AGAIN_US;
	hand_wake_at(x->hand, x->retry_us);
	return true;
}

void exec_peer_lost(struct exec *x, const struct error *e)
{
	if (has_left(x))
		lose(x, LOST_CONNECTION, e);
	else if (!can_wait(x, e))
		fail(x, e);
}

/* We do not wait for it any more. */
static void give_up(struct exec *x, enum err kind, enum hand_loss how, const char *what)
{
	struct error e;
	const char *host = x->peer ? x->peer->route->host : x->route->host;
	if (!has_left(x)) {
		bool is_reached = x->peer && x->peer->stage == PEER_SERVES;
		error_set(&e, kind == ERR_TIMEOUT && !is_reached ? ERR_CLOSED : kind, "%s before it was sent to %s", what, host);
		fail(x, &e);
		return;
	}
	if (x->stage == EXEC_RUNS) ssh_channel_request_send_signal(x->channel, "TERM");
	error_set(&e, kind, "%s; the host %s was asked to end it, and it may run there still", what, host);
	lose(x, how, &e);
}

void exec_cancel(struct exec *x)
{
	give_up(x, ERR_INTERRUPTED, LOST_CANCELLED, "the command was ended");
}

bool exec_is_late(struct exec *x, int64_t now_us)
{
	if (x->deadline_us && now_us >= x->deadline_us) {
		give_up(x, ERR_TIMEOUT, LOST_TIMED_OUT, "the command's time was up");
		return true;
	}
	if (x->stage_us && now_us >= x->stage_us) {
		peer_fail(x->peer, ERR_CLOSED, "%s%s%s%s does not answer any more", x->peer->route->host, *x->peer->peer_text ? " (" : "", x->peer->peer_text,
		          *x->peer->peer_text ? ")" : "");
		return true;
	}
	if (x->retry_us && now_us >= x->retry_us) {
		x->retry_us = 0;
		peer_add(hand_peer(x->hand, route_dup(x->route)), x);
		return true;
	}
	if (x->retry_us) hand_wake_at(x->hand, x->retry_us);
	if (x->linger_us && now_us >= x->linger_us) return !exec_go(x);
	if (x->deadline_us) hand_wake_at(x->hand, x->deadline_us);
	if (x->stage_us) hand_wake_at(x->hand, x->stage_us);
	if (x->linger_us) hand_wake_at(x->hand, x->linger_us);
	return false;
}

/* ---- what comes ---- */

/* What the login prints before the command goes nowhere; kept for a message. */
static void take_noise(struct exec *x, const char *bytes, size_t n)
{
	if (x->noise.len + n > SSH_NOISE_BYTES_MAX) buf_drop(&x->noise, x->noise.len / 2);
	buf_add(&x->noise, bytes, n);
}

/* The mark may come in pieces, behind noise. */
static void look_for_mark(struct exec *x)
{
	char *mark = x->noise.len ? memmem(x->noise.data, x->noise.len, words_mark, WORDS_MARK_BYTES) : NULL;
	if (!mark) return;
	size_t at = (size_t)(mark - x->noise.data) + WORDS_MARK_BYTES;
	x->is_marked = true;
	say_started(x);
	for (size_t n; at < x->noise.len; at += n) {
		n = x->noise.len - at < WIRE_OUTPUT_BYTES_MAX ? x->noise.len - at : WIRE_OUTPUT_BYTES_MAX;
		actor_output(x->call, 0, x->noise.data + at, n);
	}
	buf_clear(&x->noise);
}

static int on_data(ssh_session session, ssh_channel channel, void *data, uint32_t len, int is_stderr, void *userdata)
{
	struct exec *x = userdata;
	(void)session, (void)channel;
	if (x->is_marked) {
		actor_output(x->call, is_stderr ? 1 : 0, data, len);
	} else {
		take_noise(x, data, len);
		if (!is_stderr) look_for_mark(x);
	}
	return (int)len;
}

static void on_eof(ssh_session session, ssh_channel channel, void *userdata)
{
	struct exec *x = userdata;
	(void)session, (void)channel;
	x->is_eof = true;
}

static void on_close(ssh_session session, ssh_channel channel, void *userdata)
{
	struct exec *x = userdata;
	(void)session, (void)channel;
	x->is_closed = true;
}

static void on_exit_status(ssh_session session, ssh_channel channel, int exit_status, void *userdata)
{
	struct exec *x = userdata;
	(void)session, (void)channel;
	x->has_code = true;
	x->code = (unsigned)exit_status;
}

static void on_exit_signal(ssh_session session, ssh_channel channel, const char *name, int core, const char *errmsg, const char *lang, void *userdata)
{
	struct exec *x = userdata;
	(void)session, (void)channel, (void)core, (void)errmsg, (void)lang;
	snprintf(x->signal, sizeof x->signal, "%s", name && *name ? name : "?");
}

/* ---- its outcome ---- */

static int signal_number(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = {{"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"FPE", SIGFPE},   {"HUP", SIGHUP},   {"ILL", SIGILL},   {"INT", SIGINT},
	               {"KILL", SIGKILL}, {"PIPE", SIGPIPE}, {"QUIT", SIGQUIT}, {"SEGV", SIGSEGV}, {"TERM", SIGTERM}, {"USR1", SIGUSR1},
	               {"USR2", SIGUSR2}, {"BUS", SIGBUS},   {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ}, {"SYS", SIGSYS},   {"TRAP", SIGTRAP}};
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (strcmp(signals[i].name, name) == 0) return signals[i].number;
	return 0;
}

/* The login shell did not show that it is one that we can speak to: the command was not run. */
static void refuse(struct exec *x)
{
	struct error e;
	struct buf said;
	size_t n = x->noise.len < 200 ? x->noise.len : 200;
	buf_init(&said, 2048);
	if (n) text_visible(&said, x->noise.data + x->noise.len - n, n, TEXT_KEEP_NOTHING);
	error_set(&e, ERR_FAILED, "%s did not run the command: the login shell there is no POSIX shell, or lets nobody in%s%s", route_shown(x->peer->route),
	          said.len ? "; it said: " : "", said.len ? said.data : "");
	buf_clear(&said);
	fail(x, &e);
}

static void finish(struct exec *x)
{
	json_t *outcome = json_object();
	int number = signal_number(x->signal);
	if (x->has_code)
		json_object_set_new(outcome, "code", json_integer((json_int_t)x->code));
	else if (number)
		json_object_set_new(outcome, "signal", json_integer(number));
	else
		json_object_set_new(outcome, "data", json_pack("{s:o}", "signal_name", json_text(x->signal)));
	say_started(x);
	actor_finished(x->call, outcome, clock_monotonic_us() - x->started_us);
	exec_free(x);
}

/* Is it over? Then it is gone. A command that left something running holds its output open: it has ended all the same. */
static bool look_at_end(struct exec *x)
{
	struct error e;
	bool has_status = x->has_code || *x->signal;
	if (!has_status && !x->is_closed) return false;
	if (has_status && !x->is_closed && !x->is_eof) {
		int64_t now_us = clock_monotonic_us();
		if (!x->linger_us) {
			x->linger_us = now_us + SSH_LINGER_US;
			hand_wake_at(x->hand, x->linger_us);
		}
		if (now_us < x->linger_us) return false;
	}
	if (!x->is_marked) {
		refuse(x);
	} else if (!has_status || (x->has_code && x->code > 255)) {
		error_set(&e, ERR_PROTOCOL, "%s ended the command's channel without saying how the command ended", x->peer->route->host);
		lose(x, LOST_CONNECTION, &e);
	} else {
		finish(x);
	}
	return true;
}

/* ---- its way ---- */

static void feed(struct exec *x)
{
	while (x->input_at < x->input.len) {
		if (ssh_get_poll_flags(x->peer->session) & SSH_WRITE_PENDING) return; /* what was written before has not left */
		size_t left = x->input.len - x->input_at;
		int n = ssh_channel_write(x->channel, x->input.data + x->input_at, (uint32_t)(left < SSH_STDIN_BYTES ? left : SSH_STDIN_BYTES));
		if (n <= 0) return; /* the window is full, or the connection gone, which is heard of otherwise */
		x->input_at += (size_t)n;
	}
	if (!x->is_input_over) ssh_channel_send_eof(x->channel);
	x->is_input_over = true;
}

static void enter(struct exec *x, enum exec_stage stage)
{
	x->stage = stage;
	x->stage_us = stage == EXEC_RUNS ? 0 : clock_monotonic_us() + SSH_OPEN_US;
	if (x->stage_us) hand_wake_at(x->hand, x->stage_us);
}

static void begin(struct exec *x)
{
	x->channel = ssh_channel_new(x->peer->session);
	must(x->channel);
	memset(&x->callbacks, 0, sizeof x->callbacks);
	x->callbacks.userdata = x;
	x->callbacks.channel_data_function = on_data;
	x->callbacks.channel_eof_function = on_eof;
	x->callbacks.channel_close_function = on_close;
	x->callbacks.channel_exit_status_function = on_exit_status;
	x->callbacks.channel_exit_signal_function = on_exit_signal;
	ssh_callbacks_init(&x->callbacks);
	ssh_set_channel_callbacks(x->channel, &x->callbacks);
	enter(x, EXEC_OPENS);
}

/* A host that takes no more channels at once gets them one after another. */
static bool open_refused(struct exec *x)
{
	struct error e;
	struct peer *p = x->peer;
	if (!peer_is_sound(p)) return true; /* heard of by the peer */
	if (p->channels > 1) {
		p->channels_max = p->channels - 1;
		peer_remove(p, x);
		exec_drop(x);
		peer_add_first(p, x);
		return true;
	}
	error_set(&e, ERR_CLOSED, "%s opens no channel for a command: %.200s", route_shown(p->route), ssh_get_error(p->session));
	fail(x, &e);
	return false;
}

static bool ask_refused(struct exec *x)
{
	struct error e;
	if (!peer_is_sound(x->peer)) return true;
	error_set(&e, ERR_FAILED, "%s does not run commands: %.200s", route_shown(x->peer->route), ssh_get_error(x->peer->session));
	fail(x, &e);
	return false;
}

bool exec_go(struct exec *x)
{
	int rc;
	if (x->stage == EXEC_WAITS) begin(x);
	if (x->stage == EXEC_OPENS) {
		rc = ssh_channel_open_session(x->channel);
		if (rc == SSH_AGAIN) return true;
		if (rc != SSH_OK) return open_refused(x);
		x->started_us = clock_monotonic_us();
		enter(x, EXEC_ASKS);
	}
	if (x->stage == EXEC_ASKS) {
		rc = ssh_channel_request_exec(x->channel, x->command);
		if (rc == SSH_AGAIN) return true;
		/* Where nonsense follows, the library forgets that it was accepted. */
		if (rc != SSH_OK && !x->is_marked) return ask_refused(x);
		enter(x, EXEC_RUNS);
	}
	if (x->stage == EXEC_RUNS && !x->is_closed) feed(x);
	return !look_at_end(x);
}

static enum err read_frame(struct exec *x, const json_t *head, const void *input, size_t n, const struct secret_call *secrets, struct route **route,
                           struct error *e)
{
	struct buf command;
	const char *stdin_secret = json_str(head, "stdin_secret", NULL);
	const struct buf *value = stdin_secret && secrets ? secret_call_value(secrets, stdin_secret) : NULL;
	buf_add(&x->input, value ? value->data : input, value ? value->len : n);
	buf_init(&command, SSH_COMMAND_BYTES_MAX + 1);
	enum err err = words_command(&command, head, e);
	x->command_bytes = command.len;
	x->command = buf_take(&command);
	return err ? err : route_read(head, route, e);
}

enum err exec_start(struct ssh_hand *h, struct hand_call *call, const json_t *head, const void *input, size_t n, const struct secret_call *secrets,
                    struct error *e)
{
	struct route *route = NULL;
	struct exec *x = mem_zero(sizeof *x);
	json_int_t timeout_us = json_int(head, "timeout_us", 0);
	x->hand = h;
	x->call = call;
	buf_init(&x->input, WIRE_PAYLOAD_BYTES_MAX);
	buf_init(&x->noise, 2 * SSH_NOISE_BYTES_MAX);
	x->next = h->execs;
	h->execs = x;
	enum err err = read_frame(x, head, input, n, secrets, &route, e);
	if (err) {
		exec_free(x);
		return err;
	}
	const struct buf *key = route->secret_name && secrets ? secret_call_value(secrets, route->secret_name) : NULL;
	if (key) buf_add(&route->secret_key, key->data, key->len);
	call->work = x;
	if (json_bool(json_obj(head, "receipt"), "is_repeat", false)) {
		x->route = route_dup(route);
		x->patient_us = clock_monotonic_us() + SSH_PATIENCE_US;
	}
	if (timeout_us > 0) {
		x->deadline_us = clock_monotonic_us() + timeout_us;
		hand_wake_at(h, x->deadline_us);
	}
	peer_add(hand_peer(h, route), x);
	return ERR_OK;
}
