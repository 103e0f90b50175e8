#ifndef RUNG_SERVICE_CLIENT_H
#define RUNG_SERVICE_CLIENT_H

#include "service/engine_state.h"

/* A connection came on the socket; takes fd. */
void client_accept(struct engine *en, int fd);

/* Who it is now: its account, or the service that the policy says this account is. */
void client_identify(struct client *c);

/* "user:NAME" of an account; "user:1234" where it has no name. Allocated. */
char *principal_of_uid(uid_t uid);

void client_drop_all(struct engine *en);

#endif
