#include "sandbox/cgroup.h"
#include "base/failpoint.h"
#include "base/fs.h"
#include "sandbox/group_fork.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROC_BYTES_MAX = 4 << 20, DEEP_MAX = 16, TRY_MS = 500 };

/* ---- where we are ---- */

/* The mount of the cgroup2 hierarchy: its folder, and which group of the hierarchy it shows there. */
static bool find_mount(struct arena *a, char *mounts, const char **folder, const char **root)
{
	char *save = NULL;
	for (char *line = strtok_r(mounts, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		/* 36 35 98:0 ROOT FOLDER options ... - cgroup2 ... */
		const char *kind = strstr(line, " - cgroup2 ");
		char *shown = NULL, *at = NULL;
		if (!kind || sscanf(line, "%*d %*d %*s %ms %ms", &shown, &at) != 2) {
			free(shown);
			continue;
		}
		*root = arena_strdup(a, shown);
		*folder = arena_strdup(a, at);
		free(shown);
		free(at);
		return true;
	}
	return false;
}

/* The part of a group's path below the one that is mounted; NULL where it is outside. */
static const char *below(const char *group, const char *root)
{
	size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(group, root, n) != 0 || (group[n] && group[n] != '/')) return NULL;
	return strcmp(group + n, "/") == 0 ? "" : group + n;
}

static enum err own_group(struct arena *a, const char **path, struct error *e)
{
	struct buf b;
	const char *folder = NULL, *root = "/", *group = NULL;
	buf_init(&b, PROC_BYTES_MAX);
	enum err err = fs_read("/proc/self/mountinfo", &b, e);
	if (!err && !find_mount(a, b.data, &folder, &root))
		err = error_set(e, ERR_NOT_FOUND,
		                "no cgroup2 hierarchy is mounted here (mount -t cgroup2 none /sys/fs/cgroup, or boot with systemd's unified one)");
	buf_reset(&b);
	if (!err) err = fs_read("/proc/self/cgroup", &b, e);
	char *line = err ? NULL : strncmp(b.data, "0::", 3) == 0 ? b.data : strstr(b.data, "\n0::");
	if (line) {
		group = line + (*line == '\n') + 3;
		group = arena_strndup(a, group, strcspn(group, "\n"));
	}
	buf_clear(&b);
	if (err) return err;
	const char *rest = group ? below(group, root) : NULL;
	if (!rest) return error_set(e, ERR_NOT_FOUND, "this process's group is not below %s", folder);
	*path = arena_printf(a, "%s%s", folder, rest);
	return ERR_OK;
}

/* ---- making one ---- */

enum err cgroup_make(const char *base, const char *name, char **path, int *group_fd, struct error *e)
{
	char *group = mem_printf("%s/%s", base, name), *kill_file = mem_printf("%s/cgroup.kill", group);
	enum err err = ERR_OK;
	*group_fd = -1;
	if (failpoint(GROUP_MAKE))
		err = error_set(e, ERR_FAILED, "made to fail");
	else if (mkdir(group, 0755) != 0 && errno != EEXIST)
		err = error_errno(e, "%s", group);
	else if (!fs_exists(kill_file))
		err = error_set(e, ERR_FAILED, "this kernel cannot kill a control group as one (Linux 5.14 can)");
	else if ((*group_fd = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		err = error_errno(e, "%s", group);
	free(kill_file);
	failpoint(GROUP_MADE);
	if (!err) {
		*path = group;
		return ERR_OK;
	}
	rmdir(group);
	free(group);
	return err;
}

void cgroup_kill(const char *path)
{
	char *file = mem_printf("%s/cgroup.kill", path);
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	failpoint(GROUP_KILL);
	if (fd >= 0) {
		/* Refused only for a threaded group, which nobody made of ours; what stays then keeps the group, which is seen. */
		ssize_t n = write(fd, "1", 1);
		(void)n;
		close(fd);
	}
	free(file);
}

int cgroup_list(const char *path, pid_t *pids, int max)
{
	char *file = mem_printf("%s/cgroup.procs", path);
	FILE *f = fopen(file, "re");
	int count = f ? 0 : -1;
	for (int pid; f && fscanf(f, "%d", &pid) == 1; count++)
		if (count < max) pids[count] = pid;
	if (f) fclose(f);
	free(file);
	return count;
}

static bool remove_below(const char *path, int deep)
{
	if (rmdir(path) == 0 || errno == ENOENT) return true;
	if (deep == DEEP_MAX) return false;
	DIR *d = opendir(path);
	bool all = d != NULL;
	for (struct dirent *entry; d && (entry = readdir(d));) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
		char *inner = mem_printf("%s/%s", path, entry->d_name);
		all = remove_below(inner, deep + 1) && all;
		free(inner);
	}
	if (d) closedir(d);
	return all && (rmdir(path) == 0 || errno == ENOENT);
}

bool cgroup_remove(const char *path)
{
	failpoint(GROUP_REMOVE);
	return remove_below(path, 0);
}

/* ---- trying it out ---- */

/* Starts a child of ours there; false where that is refused. */
static bool start_one(int group_fd)
{
	pid_t pid = group_fork(group_fd);
	if (pid == 0) _exit(0);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
	return pid > 0;
}

enum err cgroup_base(struct arena *a, const char **base, struct error *e)
{
	char name[64], *path;
	const char *own = NULL;
	int group_fd;
	enum err err = own_group(a, &own, e);
	if (err) return err;
	snprintf(name, sizeof name, "rung-try-%d", (int)getpid());
	err = cgroup_make(own, name, &path, &group_fd, e);
	if (err == ERR_DENIED) err = error_set(e, ERR_DENIED, "this user may not make groups in %s (systemd: Delegate=yes in the unit)", own);
	if (err) return err;
	if (!start_one(group_fd))
		err = error_set(e, ERR_DENIED, "this user may not start processes below %s: %s (systemd: Delegate=yes in the unit)", own, strerror(errno));
	close(group_fd);
	for (int i = 0; i < TRY_MS && !cgroup_remove(path); i++) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	free(path);
	if (!err) *base = own;
	return err;
}
