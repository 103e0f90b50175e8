#ifndef RUNG_SSH_AUTH_H
#define RUNG_SSH_AUTH_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

/* Who we are, to hosts: private keys from files, with a user certificate where one stands beside them; a key that is a secret of the call; an agent. No
 * passwords. An agent's answers are waited for by the client library, for as long as it takes: so that part of it is done in a thread, which has the session
 * alone meanwhile. */

struct ssh_hand;
struct peer;
struct auth;
struct auth_try;

struct auth *auth_new(struct ssh_hand *h);

/* Threads that wait for an agent are made to end, and waited for. NULL is fine. */
void auth_free(struct auth *a);

/* Files and agent, of a "call" frame; the first that comes counts: they are the engine's, and the same in all. */
void auth_use(struct auth *a, const json_t *head);

enum auth_answer {
	AUTH_IN,
	AUTH_WAITS,   /* for the host */
	AUTH_IS_AWAY, /* a thread has the session, or will: it is not to be touched until peer_go is called */
	AUTH_REFUSED
};

/* Of a peer whose host has proved its key. */
struct auth_try *auth_begin(struct peer *p);
enum auth_answer auth_go(struct auth_try *t, struct error *e);

/* Ends it. False: a thread still has the session; it will end soon, ask again. NULL is fine: true. */
bool auth_end(struct auth_try *t);

/* The home of the user that this process is, or "". */
const char *auth_home(void);

#endif
