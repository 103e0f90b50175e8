#ifndef RUNG_SERVICE_LISTEN_H
#define RUNG_SERVICE_LISTEN_H

#include "service/engine_state.h"

/* The engine's sockets: its own in the state directory, for its user alone, and where the configuration names one, another that a group of people reaches. Who
 * is at the other end is what the kernel says; what they may do the policy says. */

enum err listen_start(struct engine *en, struct error *e);
void listen_stop(struct engine *en);

/* Lets clients in again, where descriptors had run out. */
void listen_again(struct engine *en);

#endif
