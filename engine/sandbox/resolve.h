#ifndef RUNG_SANDBOX_RESOLVE_H
#define RUNG_SANDBOX_RESOLVE_H

#include "base/error.h"
#include "sandbox/address.h"

#include <stdint.h>

/* Names to addresses, for a loop that never blocks: the system's own resolver (hosts file, name service switch, DNS) asked in threads of their own, each
 * answer delivered on the loop's thread. Nothing is remembered from one lookup to the next. One resolver belongs to one thread. */

enum {
	RESOLVE_ADDRESSES_MAX = 32, /* of one name; more are left out */
	RESOLVE_THREADS_MAX = 32    /* each held for as long as a dead name server lets it wait; further lookups queue */
};

struct resolver;
struct lookup;

struct resolved {
	/* ERR_OK; ERR_NOT_FOUND: there is no such name, or no address of it; ERR_TIMEOUT: the deadline passed; ERR_FAILED: the resolver could not tell. e has
	 * the sentence. */
	enum err err;
	struct error error;
	struct sockaddr_storage addresses[RESOLVE_ADDRESSES_MAX]; /* in the order that the system prefers (RFC 6724), with the port that was asked for */
	size_t count;
};

/* On the loop's thread, from resolver_serve; r is borrowed until it returns. It may ask anew, and cancel others. */
typedef void resolve_done(void *arg, const struct resolved *r);

struct resolver *resolver_new(void);

/* Drops what is open: no done is called. Threads that still wait for a name server are left behind and free what is theirs. NULL is fine. */
void resolver_free(struct resolver *r);

/* Asks for the addresses of a host: a name, or an address as it is written (an IPv6 address without brackets), which no name server is asked for. done comes
 * once, never from within this; not after resolver_cancel. deadline_us: on the monotonic clock; 0: none. The lookup is the resolver's: it is gone once done
 * returned. */
struct lookup *resolver_ask(struct resolver *r, const char *host, unsigned port, int64_t deadline_us, resolve_done *done, void *arg);

void resolver_cancel(struct resolver *r, struct lookup *l);

/* What to wait for: readable when answers are there. */
int resolver_fd(const struct resolver *r);

/* When the next deadline passes, on the monotonic clock; INT64_MAX: never. */
int64_t resolver_wake_us(const struct resolver *r);

/* Calls done for what has come and for what is late. To be called when the descriptor is readable and behind each round: it is cheap where nothing is. */
void resolver_serve(struct resolver *r);

#endif
