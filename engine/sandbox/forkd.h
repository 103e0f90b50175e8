#ifndef RUNG_SANDBOX_FORKD_H
#define RUNG_SANDBOX_FORKD_H

#include <stdint.h>

/* What the engine and its fork server say to each other: one packet each way over a SOCK_SEQPACKET pair. Both are of one build, so these are plain structs
 * (tests/tools/forkd.py has them too).
 *
 * Arguments of the fork server: none, or UID GID GROUP,GROUP,...: the user that every actor becomes before it is executed. */

enum {
	FORKD_SOCKET_FD = 3,  /* in the fork server: its end of the pair */
	FORKD_PROGRAM_FD = 4, /* in the fork server: the opened program that an actor executes */
	CHILD_SOCKET_FD = 3,  /* in a worker or an actor: its end of the stream to the engine */
	CHILD_LOCK_FD = 4,    /* in an actor: the execution's lock descriptor */
	FORKD_GIFTS = 2       /* descriptors that come with a request at most */
};

/* With SCM_RIGHTS: the lock descriptor where has_lock, then the folder of a control group where has_group. */
struct forkd_request {
	uint32_t number;
	uint32_t kind; /* enum sandbox_kind */
	uint32_t has_lock, has_group;
};

/* With SCM_RIGHTS where error is 0: the engine's end of the child's socket, then its pidfd. */
struct forkd_reply {
	uint32_t number;
	int32_t error; /* an errno */
	int32_t pid;
};

#endif
