#ifndef RUNG_SANDBOX_SANDBOX_H
#define RUNG_SANDBOX_SANDBOX_H

#include "base/error.h"
#include "sandbox/user.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The engine's side of the fork server. Workers and actors are its children; the engine gets a socket and a pidfd of each and speaks
 * frames (base/frame.h) over the socket: engine/sandbox/wire.h says which. */
struct sandbox;

/* The last is no child to speak with: with the eyes and the rights of the commands' user it ends what holds the lock, and then itself. */
enum sandbox_kind { SANDBOX_WORKER, SANDBOX_ACTOR, SANDBOX_ENDER };

struct sandbox_child {
	pid_t pid;
	int pidfd; /* readable when the child has ended; for SIGKILL; owned by the caller */
	int fd;    /* stream socket, non-blocking, close-on-exec; owned by the caller */
};

/* Starts the fork server (forkd_path) before the engine has threads. actor_path is the program that an actor execs, with the arguments `actor`
 * (normally /proc/self/exe of the engine). commands_as: the user that every actor, and so every command, is given; NULL: this process's own. It needs
 * SANDBOX_USER_PRIVILEGES then (sandbox_can_change_user), and nothing but them stays with the fork server. */
enum err sandbox_start(const char *forkd_path, const char *actor_path, const struct sandbox_user *commands_as, struct sandbox **out, struct error *e);

/* Has this process what giving commands another user takes: CAP_SETUID, CAP_SETGID, and CAP_KILL to end them? Root has. */
bool sandbox_can_change_user(void);

/* What an actor gets beside its socket; -1: none. The caller may close its own afterwards. */
struct sandbox_gifts {
	int lock_fd;  /* the execution's lock descriptor, inherited by the actor and by every command */
	int group_fd; /* the folder of its control group: it is there from its first moment, and keeps no descriptor of it */
};

/* A new child, within 5 s or ERR_TIMEOUT. gifts: not for a worker; may be NULL for an actor. Blocks for about a millisecond. */
enum err sandbox_spawn(struct sandbox *s, enum sandbox_kind kind, const struct sandbox_gifts *gifts, struct sandbox_child *out, struct error *e);

/* What really is on, as a worker and an actor that were started for this say. */
struct sandbox_offer {
	bool seccomp, rlimits, address_space;
	int landlock; /* the kernel's version of it; 0: not there */
	uid_t actor_uid;
};

/* Starts one worker and one actor, reads what they say, ends them. For the start of the engine and for `rung doctor`; blocks for some milliseconds. */
enum err sandbox_probe(struct sandbox *s, struct sandbox_offer *out, struct error *e);

/* SIGKILL by pidfd; a child that has ended already is fine. */
void sandbox_kill(const struct sandbox_child *c);

pid_t sandbox_forkd_pid(const struct sandbox *s);
void sandbox_stop(struct sandbox *s); /* ends the fork server (its children end too, on end of file); NULL is fine */

/* The main of `rung actor`: socket on descriptor 3, lock on descriptor 4. Returns the exit status. Never returns while the engine lives. */
int actor_main(void);

#endif
