#ifndef RUNG_WORKER_CONFINE_H
#define RUNG_WORKER_CONFINE_H

#include "sandbox/sanitized.h"

#include <stdbool.h>
#include <stddef.h>

/* Takes everything away from a worker but its one socket and its memory. source: DESIGN.md 2 (processes), 10. */

/* What is really on, for the worker's "ready". */
struct confined {
	bool seccomp;
	int landlock; /* the kernel's version of it; 0: not there */
	bool rlimits;
	bool address_space; /* RLIMIT_AS: not in sanitizer builds, whose shadow memory needs terabytes of it */
};

enum {
	CONFINE_ADDRESS_SPACE_BYTES = 640 << 20, /* 64 MiB of Lua, a largest answer several times over, the program itself */
	CONFINE_CPU_SECONDS = 1200               /* of the whole process: a worker retires long before, see WORKER_CPU_SECONDS_MAX */
};

/* Makes the system-call filter's program once, in the fork server, since that takes longer than a fork. False where libseccomp cannot. */
bool confine_prepare(void);

/* Confines this process for good. socket_fd is the only descriptor that stays, as CHILD_SOCKET_FD. False where something that every kernel of this
 * age offers was refused: the caller must end then. */
bool confine_worker(int socket_fd, int parent_pid, struct confined *out);

#endif
