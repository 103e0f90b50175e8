#ifndef RUNG_SANDBOX_SECRET_CALL_H
#define RUNG_SANDBOX_SECRET_CALL_H

#include "sandbox/actor_command.h"
#include "sandbox/redact.h"

/* A call of the actor that needs secrets, until their values are here: files are read at once, what a command prints comes later. */

struct secret_value {
	const char *name; /* borrowed from the call's head */
	struct buf bytes;
	json_int_t reader; /* the command that prints it; 0: none, or it is done */
	bool is_optional;  /* known for taking it out of the output only */
};

struct secret_call {
	json_int_t id;
	json_t *head;
	struct buf input;
	struct secret_value *values;
	size_t count;
	bool is_cancelled;
	enum err err;
	struct error error; /* why it cannot be made */
	struct secret_call *next;
};

/* Does the frame of a call name secrets? */
bool secret_call_is_needed(const json_t *head);

/* Keeps the frame, reads what can be read and has the commands started that print the rest: commands is the state of command_hand. What is wrong is in err. */
struct secret_call *secret_call_new(const json_t *head, const void *input, size_t n, struct redactor *r, const struct command_rules *rules, void *commands);
void secret_call_free(struct secret_call *c);

/* Does it wait for a command? */
bool secret_call_waits(const struct secret_call *c);

/* A command that prints a value is over: takes what it printed. False: it is none of this call. */
bool secret_call_take(struct secret_call *c, const struct command *reader, struct redactor *r);

/* The value with that name, or NULL. Borrowed. */
const struct buf *secret_call_value(const struct secret_call *c, const char *name);

#endif
