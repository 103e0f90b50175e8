#ifndef RUNG_CLI_CLIENT_H
#define RUNG_CLI_CLIENT_H

#include "base/error.h"
#include "base/frame.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

/* A connection to the engine of a state directory: requests that are answered, events that come by themselves.
 * source: service/protocol.h */
struct client;

/* An event; head and payload are borrowed for the time of the call. */
typedef void client_event(void *arg, const json_t *head, const char *payload, size_t n);

/* Connects to the engine of state_dir, and where none listens starts one in the background (a session of its own, as tmux does) and waits until it is
 * ready. ERR_IO and others carry the engine's own sentence where it did not start. */
enum err client_open(const char *state_dir, struct client **out, struct error *e);

/* Connects where an engine listens; ERR_NOT_FOUND where none does. */
enum err client_connect(const char *state_dir, struct client **out, struct error *e);
void client_close(struct client *c); /* NULL is fine */

void client_on_event(struct client *c, client_event *fn, void *arg);
int client_fd(const struct client *c);           /* for poll: readable */
bool client_has_more(const struct client *c);    /* for poll: do not wait, events came behind an answer */
bool client_wants_write(const struct client *c); /* for poll: writable */

/* The engine's hello: version, pid, user, host, principal, state_dir. Borrowed. */
const json_t *client_hello(const struct client *c);

struct answer {
	json_t *value; /* new reference */
	char *payload; /* allocated, NULL where there was none */
	size_t payload_len;
};
void answer_clear(struct answer *a);

/* Asks and waits for the answer; events that come before it are handed out meanwhile. args is taken (NULL: none). out may be NULL. ERR_TIMEOUT after 30 s,
 * ERR_CLOSED where the engine is gone, else the kind and sentence that the engine answered. */
enum err client_request(struct client *c, const char *op, json_t *args, struct answer *out, struct error *e);

/* The same with a payload behind the request. */
enum err client_request_with(struct client *c, const char *op, json_t *args, const void *payload, size_t n, struct answer *out, struct error *e);

/* Asks and does not wait; the answer is dropped, an error in it is told by the next client_read. */
enum err client_send(struct client *c, const char *op, json_t *args, const void *payload, size_t n, struct error *e);

/* Writes what waits, reads what is there and hands out the events, without blocking. ERR_CLOSED where the engine is gone. */
enum err client_read(struct client *c, struct error *e);

#endif
