#ifndef RUNG_SERVICE_CLIENT_H
#define RUNG_SERVICE_CLIENT_H

#include "service/engine_state.h"

/* A connection came on the socket; takes fd. */
void client_accept(struct engine *en, int fd);

void client_drop_all(struct engine *en);

#endif
