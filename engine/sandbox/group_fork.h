#ifndef RUNG_SANDBOX_GROUP_FORK_H
#define RUNG_SANDBOX_GROUP_FORK_H

#include <sys/types.h>

/* fork, with the child in a control group from its first moment. group_fd: the group's folder, opened; -1: as fork. Moving a process by cgroup.procs waits
 * for every processor of the host, about 10 ms; this does not. For a process of one thread. Linked into rung and into rung-forkd. */
pid_t group_fork(int group_fd);

#endif
