#ifndef RUNG_HTTP_AUTHORIZE_H
#define RUNG_HTTP_AUTHORIZE_H

#include "http/server.h"

/* Who asks: the principal of the token in a request's Authorization header, for whom the policy then decides as for anybody at the engine's socket. Loop. */

/* False where the exchange has been answered: no token, a wrong one, one of an address with too many wrong ones, of a principal that asks too often, or whose
 * principal may not talk to this engine at all. */
bool authorize(struct exchange *x);

/* The principal of a header that was good before, if it still is; else NULL. Allocated. */
char *authorize_again(struct http *h, const char *authorization);

/* What is counted of addresses and principals. */
void authorize_start(struct http *h);
void authorize_stop(struct http *h);

#endif
