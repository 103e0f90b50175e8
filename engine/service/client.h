#ifndef RUNG_SERVICE_CLIENT_H
#define RUNG_SERVICE_CLIENT_H

#include "service/engine_state.h"

/* A connection came on the socket; takes fd. */
void client_accept(struct engine *en, int fd);

/* Where what is said to a client goes that has no link. */
struct client_sink {
	void (*said)(struct client *c, const json_t *head, const void *payload, size_t n); /* an answer, or an event of what it is attached to; borrowed */
	size_t (*queued_bytes)(const struct client *c);                                    /* said and not yet taken by who reads it */
	void (*ended)(struct client *c);                                                   /* the engine ends: the last call */
};

/* A client that came another way than by a socket of the engine; account: "user:NAME" or "service:NAME". The sink's owner ends it. */
struct client *client_new(struct engine *en, const char *account, const struct client_sink *sink, void *owner);

/* Ends a client of a sink: it hears nothing more. Its memory goes with the next round of the loop, so that this may be called while it is told something. */
void client_end(struct client *c);

/* Says something to it. head is borrowed; of client_say_new it is taken. */
void client_say(struct client *c, const json_t *head, const void *payload, size_t n);
void client_say_new(struct client *c, json_t *head, const void *payload, size_t n);

/* Between two rounds of the loop: clients that were ended go. */
void client_sweep(struct engine *en);

/* Who it is now: its account, or the service that the policy says this account is. */
void client_identify(struct client *c);

/* "user:NAME" of an account; "user:1234" where it has no name. Allocated. */
char *principal_of_uid(uid_t uid);

void client_drop_all(struct engine *en);

#endif
