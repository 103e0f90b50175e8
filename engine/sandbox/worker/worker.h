#ifndef RUNG_WORKER_WORKER_H
#define RUNG_WORKER_WORKER_H

#include "base/buf.h"
#include "base/frame.h"
#include "sandbox/wire.h"
#include "sandbox/worker/confine.h"

#include <lua5.4/lua.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* One worker process: its socket, and the attempt that it runs now. */

enum {
	WORKER_CPU_SECONDS_MAX = 300,        /* of all attempts: then it retires after the attempt at hand, and the engine takes a new one */
	WORKER_ARGUMENTS_BYTES_MAX = 786432, /* of one call as JSON: below the header's limit with room for the rest of it */
	WORKER_TEXT_BYTES_MAX = 65536        /* of a log line or a reason; what is longer is cut */
};

enum part_role { PART_ACTION, PART_VERIFY, PART_IF, PART_EXPRESSION };

struct part {
	enum part_role role;
	const char *role_name, *chunk; /* borrowed from the attempt's header */
	int line;
	const char *source;
	size_t bytes;
};

struct module_source {
	const char *name;
	const char *source;
	size_t bytes;
};

enum { PARTS_MAX = 8, MODULES_MAX = 64 };

struct worker {
	int fd;
	struct frame_reader in;
	struct frame frame; /* the last one read: an attempt, or the answer that is being delivered */
	struct buf out;
	size_t said_bytes; /* of out: whole frames */
	struct confined confined;
	uint64_t attempts;

	/* The attempt. */
	json_t *head;
	char *payload;
	struct part parts[PARTS_MAX];
	size_t part_count, part_now;
	struct module_source modules[MODULES_MAX];
	size_t module_count;
	int64_t now_us;
	bool may_call;

	/* Calls: c counts from 1; a bit each for "asked and not answered yet". */
	uint32_t calls, open, answer;
	unsigned char is_open[WIRE_CALLS_MAX / 8 + 1];

	/* Limits; see limit.c. running is the thread whose code runs now: the hook goes there. */
	lua_State *volatile running;
	size_t memory_used, memory_max;
	const void *refused;
	size_t refused_bytes;
	volatile sig_atomic_t ticks, is_writing;
	int64_t cpu_ms;
	struct buf memory_word; /* the "end" frame where there is no memory to make one */
	struct buf last_word;   /* the "end" frame that the timer's signal sends where no Lua instruction is reached any more */

	/* The error of a branch, kept while its stack is there. */
	const void *branch_error;
	char *branch_trace;
};

/* Speaks with the engine on fd until it closes; then the process ends. */
_Noreturn void worker_main(int fd, const struct confined *confined);

/* The worker of a Lua state. */
struct worker *worker_of(lua_State *L);

/* Appends a frame to what will be sent; takes head. Ends the process where it cannot be sent. */
void worker_say(struct worker *w, json_t *head);

/* Sends what was said. */
void worker_flush(struct worker *w);

/* Says idle, sends, and reads the next answer: its call is w->answer, its frame w->frame until the next read. The process ends where the engine says
 * anything else or nothing any more. */
void worker_read_answer(struct worker *w);

/* Runs the attempt in w->frame and says how it ended (attempt.c). */
void attempt_run(struct worker *w);

/* Where in the book L is: the innermost line of a part; false where none is on the stack. */
bool attempt_where(lua_State *L, const char **chunk, int *line);

/* Raises an error with the place in the book before it: for what rung's modules find wrong in the step that uses them. */
int attempt_error(lua_State *L, const char *fmt, ...);

/* {"t":"end","outcome":"failed",...}: with where L is, where L is given; allocates nothing of Lua's. */
json_t *attempt_failure(struct worker *w, lua_State *L, const char *kind, const char *why);

/* Adds the trace of L from that level of its stack. */
void attempt_add_trace(json_t *end, lua_State *L, int level);

/* Opens what a step can use in a fresh state (environment.c). */
void environment_open(lua_State *L, struct worker *w);

#endif
