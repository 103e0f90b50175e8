#ifndef RUNG_SSH_DIAL_H
#define RUNG_SSH_DIAL_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* A TCP connection to a host that may have several addresses: each next one is tried a quarter of a second after the last, or at once where that failed, and
 * the first that stands is taken (RFC 8305). */

struct ssh_hand;
struct dial;

/* Once. fd >= 0 stands and is the receiver's, where is "address:port"; else e says why each failed. The dial is gone when it returns. */
typedef void dial_done(void *arg, int fd, const char *where, const struct error *e);

/* host: a name or an address; IPv6 without brackets. done is never called from within this. */
struct dial *dial_new(struct ssh_hand *h, const char *host, unsigned port, int64_t deadline_us, dial_done *done, void *arg);

/* Gives it up: done is not called. NULL is fine. */
void dial_free(struct dial *d);

/* Frees those that are over, at the end of a round. */
void dial_bury(struct ssh_hand *h);

/* Starts what is due. Behind it the dial may be gone. */
void dial_settle(struct dial *d, int64_t now_us);

#endif
