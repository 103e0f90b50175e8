#ifndef RUNG_SANDBOX_HAND_H
#define RUNG_SANDBOX_HAND_H

#include "base/error.h"
#include "sandbox/command_rules.h"
#include "sandbox/redact.h"

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A hand makes the calls of one module in the actor: commands, SSH, HTTP. The actor has one loop and one thread; a hand says what it waits for, is told what
 * came, and never blocks. All that hosts say passes through the actor's functions below, which take secrets out of it. */

struct actor;
struct secret_call;
struct hand;

/* What the loop waits for in one round. */
struct poll_set {
	struct pollfd *fds;
	size_t count, capacity;
};

/* Adds a descriptor; one of -1, or without events, keeps its place and is waited for by nobody. Its index, for poll_set_seen in the same round. */
size_t poll_set_add(struct poll_set *set, int fd, short events);
short poll_set_seen(const struct poll_set *set, size_t at);

/* A call, from the moment at which its hand is asked until one of actor_finished, actor_failed and actor_lost, which free it. */
struct hand_call {
	json_int_t id;
	struct actor *actor;
	const struct hand *hand;
	void *state; /* what the hand's open gave */
	void *work;  /* the hand's own */
	bool is_started;
	struct redact_stream streams[2]; /* stdout, stderr */
	struct hand_call *next;
};

struct hand {
	const char *module;
	/* The hand's state, made when the first call comes. */
	void *(*open)(struct actor *a);
	/* Begins a call: head is the "call" frame (its members as the module's `frame` made them), input its payload; borrowed until this returns, as secrets
	 * is, whose values (secret_call_value) it copies and overwrites when it is done with them. An error: nothing has happened, and the actor says so. */
	enum err (*start)(void *state, struct hand_call *call, const json_t *head, const void *input, size_t input_bytes, const struct secret_call *secrets,
	                  struct error *e);
	/* Ends it soon; its outcome still follows. Called once at most. */
	void (*cancel)(void *state, struct hand_call *call);
	/* Adds what is waited for. Where actor_is_blocked, nothing is to be read from hosts. */
	void (*fill)(void *state, struct poll_set *set);
	/* What came: from index at the same descriptors as fill added, in their order. Starts no call. */
	void (*serve)(void *state, const struct poll_set *set, size_t at);
	/* Behind that, and behind what the engine said: deadlines, and what is over. */
	void (*settle)(void *state);
	/* When it wants a round though nothing comes, on the monotonic clock; INT64_MAX: never. */
	int64_t (*wake_us)(const void *state);
	/* For secret_call.c: has a value got that the source describes, which comes by actor_secret_came with that id; token: what it is asked for with,
	 * borrowed, or NULL. NULL: this hand gets none. */
	enum err (*read_secret)(void *state, const json_t *source, const struct buf *token, json_int_t id, struct error *e);
	/* Ends that soon; it still comes. Nothing for an id that is none of this hand. */
	void (*stop_secret)(void *state, json_int_t id);
	/* The engine has gone: stop what runs; then, when nothing does, free everything (but the calls themselves). */
	void (*stop)(void *state);
	void (*close)(void *state);
};

/* Its effect may happen from now on. facts (taken; NULL: none): {"pid","path"} of a command, {"peer","host_key"} of a host. Once, before anything else but
 * actor_failed. */
void actor_started(struct hand_call *call, json_t *facts);

/* A piece of what came. which: 0 stdout (the body of an answer), 1 stderr. */
void actor_output(struct hand_call *call, int which, const void *bytes, size_t n);

/* The outcome is known: "code" or "signal" of a command; "data", an object that the module's Lua gets as it is (text of hosts, of at most WIRE_DATA_BYTES_MAX);
 * "timed_out", "cancelled" where that ended it. outcome is taken. */
void actor_finished(struct hand_call *call, json_t *outcome, int64_t duration_us);

/* It definitely did not happen. */
void actor_failed(struct hand_call *call, const struct error *e);

/* It may have happened, and nobody will know: the connection is gone, or its time is up. */
enum hand_loss { LOST_CONNECTION, LOST_TIMED_OUT, LOST_CANCELLED };
void actor_lost(struct hand_call *call, enum hand_loss how, const struct error *e);

/* The engine does not keep up: nothing is read from hosts until it does. */
bool actor_is_blocked(const struct actor *a);
size_t actor_unsent(const struct actor *a);

const struct command_rules *actor_rules(const struct actor *a);

/* For secret_call.c: has the hand that can do it get a value, by its source. *id names it, below 0. */
enum err actor_read_secret(struct actor *a, const json_t *source, const struct buf *token, json_int_t *id, struct error *e);

/* A value is here; or why it is not. Both are borrowed. It may have further ones read. */
void actor_secret_came(struct actor *a, json_int_t id, const struct buf *value, const struct error *why);

/* Commands (command_hand.c). */
extern const struct hand command_hand;

/* ---- other hosts (modules/ssh/hand.c) ---- */

extern const struct hand ssh_hand;

#endif
