#ifndef RUNG_SANDBOX_CGROUP_H
#define RUNG_SANDBOX_CGROUP_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* Control groups (version 2): all commands of an execution in one, which is killed as one, whatever sessions they made. No controller is used.
 * source: Documentation/admin-guide/cgroup-v2.rst of Linux (delegation, cgroup.kill since 5.14) */

/* The folder of this process's own group, below which it may make others and start children there: tried out, with a process. For
 * a process of one thread. ERR_NOT_FOUND where there is no cgroup2 hierarchy, ERR_DENIED where this user may not, ERR_FAILED for a kernel that
 * cannot kill a group; each says what to do. *base in the arena. */
enum err cgroup_base(struct arena *a, const char **base, struct error *e);

/* Makes the group base/name, or takes the one that is there. *path is allocated; *group_fd is its folder, opened, to be closed by the caller.
 */
enum err cgroup_make(const char *base, const char *name, char **path, int *group_fd, struct error *e);

/* The processes in it, not those of groups below: the first max in pids. Gives how many there are; -1 where it cannot be read. */
int cgroup_list(const char *path, pid_t *pids, int max);

/* SIGKILL to everything in it and in groups below. A group that is gone is fine. */
void cgroup_kill(const char *path);

/* Removes it, with groups below it that a command made; false where something is still in it. True where it is gone already. */
bool cgroup_remove(const char *path);

#endif
