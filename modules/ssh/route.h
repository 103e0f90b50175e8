#ifndef RUNG_SSH_ROUTE_H
#define RUNG_SSH_ROUTE_H

#include "base/buf.h"
#include "base/error.h"

#include <jansson.h>

/* The way to a host, as a "call" frame has it: whom, where, as whom, which keys it may prove, and through which host. */
struct route {
	char *key; /* the same for two calls that can share a connection */
	char *host, *address, *login;
	unsigned port;
	char **host_keys; /* pinned, "TYPE BASE64" or "SHA256:..."; none: the known hosts say */
	size_t host_key_count;
	char *secret_name;     /* of the key that it is to be used with, alone; NULL: the usual ones */
	struct buf secret_key; /* its text */
	struct route *jump;    /* NULL: directly */
};

/* From the frame's members. ERR_PROTOCOL. The caller frees. */
enum err route_read(const json_t *head, struct route **out, struct error *e);
struct route *route_dup(const struct route *r);
void route_free(struct route *r); /* NULL is fine; secrets are overwritten */

/* "login@host", with the port where it is not 22: for messages. A buffer of the function's own, until the next call. */
const char *route_shown(const struct route *r);

/* Hash of a text (FNV-1a). */
size_t route_hash(const char *text);

#endif
