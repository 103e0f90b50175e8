#ifndef RUNG_SANDBOX_SANDBOX_H
#define RUNG_SANDBOX_SANDBOX_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The engine's side of the fork server. Workers and actors are its children; the engine gets a socket and a pidfd of each and speaks
 * frames (base/frame.h) over the socket: engine/sandbox/wire.h says which. */
struct sandbox;

enum sandbox_kind { SANDBOX_WORKER, SANDBOX_ACTOR };

struct sandbox_child {
	pid_t pid;
	int pidfd; /* readable when the child has ended; for SIGKILL; owned by the caller */
	int fd;    /* stream socket, non-blocking, close-on-exec; owned by the caller */
};

/* Starts the fork server (forkd_path) before the engine has threads. actor_path is the program that an actor execs, with the arguments `actor`
 * (normally /proc/self/exe of the engine). Both are strings that stay. */
enum err sandbox_start(const char *forkd_path, const char *actor_path, struct sandbox **out, struct error *e);

/* A new child, within 5 s or ERR_TIMEOUT. lock_fd: SANDBOX_ACTOR only, the execution's lock descriptor, inherited by the actor and by every command; the
 * caller may close its own afterwards. Blocks for about a millisecond. */
enum err sandbox_spawn(struct sandbox *s, enum sandbox_kind kind, int lock_fd, struct sandbox_child *out, struct error *e);

/* SIGKILL by pidfd; a child that has ended already is fine. */
void sandbox_kill(const struct sandbox_child *c);

pid_t sandbox_forkd_pid(const struct sandbox *s);
void sandbox_stop(struct sandbox *s); /* ends the fork server (its children end too, on end of file); NULL is fine */

/* The main of `rung actor`: socket on descriptor 3, lock on descriptor 4. Returns the exit status. Never returns while the engine lives. */
int actor_main(void);

#endif
