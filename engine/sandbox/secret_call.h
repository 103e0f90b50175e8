#ifndef RUNG_SANDBOX_SECRET_CALL_H
#define RUNG_SANDBOX_SECRET_CALL_H

#include "base/buf.h"
#include "sandbox/command_rules.h"
#include "sandbox/redact.h"

#include <jansson.h>

/* A call of the actor that needs secrets, until their values are here: files are read at once, what a command prints or a server gives comes later. */

struct actor;

struct secret_value {
	const char *name; /* borrowed from the call's head */
	struct buf bytes;
	const json_t *source; /* the same */
	json_int_t reader;    /* what gets it; 0: nothing, or it is done */
	const char *token;    /* the name of the one that it is asked for with, while it waits for that; else NULL */
	bool is_optional;     /* known for taking it out of the output only */
};

struct secret_call {
	json_int_t id;
	json_t *head;
	struct buf input;
	struct actor *actor;
	struct secret_value *values;
	size_t count;
	bool is_cancelled;
	enum err err;
	struct error error; /* why it cannot be made */
	struct secret_call *next;
};

/* Does the frame of a call name secrets? */
bool secret_call_is_needed(const json_t *head);

/* Keeps the frame, reads what can be read and has the rest got (actor_read_secret). What is wrong is in err. */
struct secret_call *secret_call_new(const json_t *head, const void *input, size_t n, struct redactor *r, const struct command_rules *rules, struct actor *a);
void secret_call_free(struct secret_call *c);

/* Does it wait for a value? */
bool secret_call_waits(const struct secret_call *c);

/* A value is here, or why it is not. False: it is none of this call. */
bool secret_call_take(struct secret_call *c, json_int_t id, const struct buf *value, const struct error *why, struct redactor *r);

/* The value with that name, or NULL. Borrowed. */
const struct buf *secret_call_value(const struct secret_call *c, const char *name);

#endif
