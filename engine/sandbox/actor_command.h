#ifndef RUNG_SANDBOX_ACTOR_COMMAND_H
#define RUNG_SANDBOX_ACTOR_COMMAND_H

#include "base/buf.h"
#include "base/error.h"
#include "sandbox/command_rules.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One command of the actor: a process group in a session of its own, with pipes to it. */

enum {
	COMMAND_LOCK_FD = 250,        /* what every command inherits; above what shells use for themselves, below bash's 255 */
	COMMAND_TERM_US = 2000000,    /* from SIGTERM to SIGKILL */
	COMMAND_LINGER_US = 500000,   /* how long what it left behind may hold its pipes */
	COMMAND_DRAIN_BYTES = 1 << 20 /* read at most after that; a pipe holds 64 KiB unless someone made it larger */
};

struct hand_call;

struct command {
	struct hand_call *call; /* NULL: it prints a secret */
	json_int_t reader;      /* of one that does: its number, below 0 */
	pid_t pid;              /* also its process group: kept as a zombie until the group has been killed, so that the number stays its own */
	char *path;
	int input_fd, output_fd[2]; /* -1: closed; output_fd: stdout, stderr */
	struct buf input;
	size_t input_at;
	int64_t started_us, deadline_us, kill_us, exited_us; /* monotonic; 0: none, not yet */
	int code, signal;                                    /* once exited_us is set; signal 0: it exited */
	bool timed_out, cancelled;
	struct buf printed; /* of one that prints a secret: its standard output, which goes nowhere else */
	struct command *next;
};

struct secret_call;

/* Starts the command that a "call" frame describes. secrets: the values that its environment and standard input name; NULL: none. ERR_NOT_FOUND, ERR_DENIED,
 * ERR_INVALID, ERR_FULL, ...: it did not start. */
enum err command_start(const json_t *head, const void *input, size_t input_bytes, const struct command_rules *rules, const struct secret_call *secrets,
                       struct command **out, struct error *e);

/* SIGTERM to the group now, SIGKILL when COMMAND_TERM_US have passed. */
void command_stop(struct command *c, int64_t now_us);

/* Writes what the pipe of its standard input takes; closes it after the last byte. */
void command_feed(struct command *c);

/* Looks whether it has exited, without reaping it. */
void command_look(struct command *c, int64_t now_us);

/* SIGKILL to what is left of its group; then it is reaped. */
void command_end(struct command *c);

void command_free(struct command *c);

#endif
