#include "sandbox/holders.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By name, not by inode: reading a name never waits for a file system that has gone. */
static bool holds(pid_t pid, const char *name)
{
	char folder[64], link[128], other[PATH_MAX + 1];
	snprintf(folder, sizeof folder, "/proc/%d/fd", (int)pid);
	DIR *d = opendir(folder);
	bool found = false;
	for (struct dirent *entry; d && !found && (entry = readdir(d));) {
		snprintf(link, sizeof link, "%s/%.40s", folder, entry->d_name);
		ssize_t n = readlink(link, other, PATH_MAX);
		if (n < 0) continue;
		other[n] = 0;
		found = strcmp(other, name) == 0;
	}
	if (d) closedir(d);
	return found;
}

static bool end_holder(pid_t pid, const char *name)
{
	if (!holds(pid, name)) return false;
	int process = (int)syscall(SYS_pidfd_open, pid, 0);
	bool ended = process >= 0 && holds(pid, name) && syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0) == 0;
	if (process >= 0) close(process);
	return ended;
}

/* Each process but this one and its parent that has that file open, or, with ends, each that was killed. */
static int walk(int fd, pid_t *pids, int max, bool ends)
{
	char link[64], name[PATH_MAX + 1];
	int count = 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, name, PATH_MAX);
	DIR *d = n > 0 ? opendir("/proc") : NULL;
	if (n > 0) name[n] = 0;
	for (struct dirent *entry; d && (entry = readdir(d));) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)atoi(entry->d_name) : 0;
		if (pid <= 1 || pid == getpid() || pid == getppid() || !(ends ? end_holder(pid, name) : holds(pid, name))) continue;
		if (count < max) pids[count] = pid;
		count++;
	}
	if (d) closedir(d);
	return count;
}

int holders_end(int fd, pid_t ended[HOLDERS_ENDED_MAX])
{
	return walk(fd, ended, HOLDERS_ENDED_MAX, true);
}

int holders_list(int fd, pid_t *pids, int max)
{
	return walk(fd, pids, max, false);
}

unsigned long long holders_start_of(pid_t pid)
{
	char path[64], text[1024];
	unsigned long long start = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
	if (fd >= 0) close(fd);
	if (n <= 0) return 0;
	text[n] = 0;
	/* The name in parentheses can hold anything: the third field comes after the last one, the start is the 22nd. */
	const char *after = strrchr(text, ')');
	if (!after || sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &start) != 1) return 0;
	return start;
}

bool holders_end_one(pid_t pid, unsigned long long start)
{
	int process = pid > 1 && start ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (process < 0) return false;
	bool ended = holders_start_of(pid) == start && syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0) == 0;
	close(process);
	return ended;
}
