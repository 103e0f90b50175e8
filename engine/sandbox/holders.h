#ifndef RUNG_SANDBOX_HOLDERS_H
#define RUNG_SANDBOX_HOLDERS_H

#include <stdbool.h>
#include <sys/types.h>

/* Processes that an execution left behind. Linked into rung and into rung-forkd, which looks with another user's eyes. */

enum { HOLDERS_ENDED_MAX = 16 };

/* SIGKILL to every process but this one and its parent that has the same file open as fd, where this user may look and kill; by pidfd, and looked at again
 * behind it, so that a number that was given to another process is left alone. Gives how many, the first of them in ended. */
int holders_end(int fd, pid_t ended[HOLDERS_ENDED_MAX]);

/* The same processes, as far as this user may look: nothing is done to them. Gives how many, the first max of them in pids. */
int holders_list(int fd, pid_t *pids, int max);

/* When that process started, in the kernel's ticks since boot; 0 where it has gone. With its number it names a process of this boot. */
unsigned long long holders_start_of(pid_t pid);

/* SIGKILL to that process, where it is still the one that started then. */
bool holders_end_one(pid_t pid, unsigned long long start);

#endif
