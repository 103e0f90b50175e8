#include "service/leftover.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fs.h"
#include "base/log.h"
#include "sandbox/cgroup.h"
#include "sandbox/holders.h"
#include "service/attempt.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { NOTE_BYTES_MAX = 2 * PATH_MAX, BOOT_ID_BYTES = 36, SWEEP_TRIES = 500 };

/* ---- the note in the lock file ---- */

static void boot_id(char out[BOOT_ID_BYTES + 1])
{
	struct buf b;
	buf_init(&b, 64);
	bool ok = fs_read("/proc/sys/kernel/random/boot_id", &b, NULL) == ERR_OK && b.len >= BOOT_ID_BYTES;
	snprintf(out, BOOT_ID_BYTES + 1, "%s", ok ? b.data : "?");
	buf_clear(&b);
}

/* "BOOT PID START GROUP": numbers of processes mean something in one boot only. */
static void note_write(const struct execution *x, pid_t pid)
{
	char *path = lock_path(x), boot[BOOT_ID_BYTES + 1];
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);
	failpoint(LOCK_NOTE);
	boot_id(boot);
	char *note = mem_printf("%s %d %llu %s\n", boot, (int)pid, pid ? holders_start_of(pid) : 0, x->group ? x->group : "-");
	struct error e;
	if (fd < 0 || fs_write_all(fd, note, strlen(note), &e))
		log_line(LOG_WARN, "execution %s: what recovery would need could not be written to its lock: %s", x->id,
		         fd < 0 ? "it cannot be opened" : e.text);
	if (fd >= 0) close(fd);
	free(note);
	free(path);
}

/* What a note says of this boot. */
struct note {
	char group[PATH_MAX]; /* "": none */
	int pid;              /* of the actor; 0: not known */
	unsigned long long start;
};

/* Reads the note of an execution; all empty where there is none, or none of this boot. A group that is not named after the execution is not believed. */
static void note_read(const struct engine *en, const char *execution, struct note *out)
{
	char *path = mem_printf("%s/locks/%s", en->state_dir, execution), boot[BOOT_ID_BYTES + 1], name[64];
	struct buf b;
	int at = 0;
	*out = (struct note){.group = ""};
	buf_init(&b, NOTE_BYTES_MAX);
	boot_id(boot);
	if (fs_read(path, &b, NULL) == ERR_OK && b.len > BOOT_ID_BYTES && strncmp(b.data, boot, BOOT_ID_BYTES) == 0 &&
	    sscanf(b.data + BOOT_ID_BYTES, "%d %llu %n", &out->pid, &out->start, &at) == 2 && at > 0)
		snprintf(out->group, sizeof out->group, "%s", b.data + BOOT_ID_BYTES + at);
	out->group[strcspn(out->group, "\n")] = 0;
	snprintf(name, sizeof name, "/rung-%s", execution);
	size_t n = strlen(out->group), m = strlen(name);
	if (out->group[0] != '/' || n <= m || strcmp(out->group + n - m, name) != 0) out->group[0] = 0;
	buf_clear(&b);
	free(path);
}

/* Groups that an engine that was killed left, where nothing is in them any more. What still runs is for the execution's recovery. */
static void remove_empty(const struct engine *en)
{
	char *path = mem_printf("%s/locks", en->state_dir);
	DIR *d = opendir(path);
	for (struct dirent *entry; d && (entry = readdir(d));) {
		struct note note;
		if (!ulid_is_valid(entry->d_name)) continue;
		note_read(en, entry->d_name, &note);
		if (note.group[0]) cgroup_remove(note.group);
	}
	if (d) closedir(d);
	free(path);
}

void leftover_start(struct engine *en)
{
	struct error e;
	remove_empty(en);
	if (cgroup_base(en->config_arena, &en->groups_base, &e)) log_line(LOG_INFO, "commands have no control group: %s", e.text);
}

int leftover_prepare(struct execution *x)
{
	struct engine *en = x->engine;
	struct error e;
	char name[64];
	int fd = -1;
	if (!en->groups_base) return -1;
	snprintf(name, sizeof name, "rung-%s", x->id);
	free(x->group);
	x->group = NULL;
	if (cgroup_make(en->groups_base, name, &x->group, &fd, &e)) log_line(LOG_WARN, "execution %s has no control group: %s", x->id, e.text);
	note_write(x, 0);
	return fd;
}

void leftover_remember(struct execution *x)
{
	note_write(x, x->actor_child.pid);
}

void leftover_find(struct execution *x)
{
	struct note note;
	if (x->group) return;
	note_read(x->engine, x->id, &note);
	if (note.group[0]) x->group = mem_strdup(note.group);
}

/* ---- what of them runs ---- */

static int add_new(pid_t *pids, int count, int max, const pid_t *more, int more_count, pid_t actor)
{
	for (int i = 0; i < more_count && count < max; i++) {
		bool is_there = more[i] == actor;
		for (int k = 0; k < count && !is_there; k++) is_there = pids[k] == more[i];
		if (!is_there) pids[count++] = more[i];
	}
	return count;
}

int leftover_list(struct execution *x, pid_t *pids, int max)
{
	enum { LOOK_MAX = 64 };
	pid_t found[LOOK_MAX], actor = x->actor ? x->actor_child.pid : 0;
	int count = 0, n = x->group ? cgroup_list(x->group, found, LOOK_MAX) : 0;
	bool is_group_seen = x->group && n >= 0;
	count = add_new(pids, count, max, found, n < LOOK_MAX ? n : LOOK_MAX, actor);
	char *path = lock_path(x);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	free(path);
	/* A lock that can be had is nobody's. It is let go with the descriptor. */
	bool is_free = fd < 0 || (!x->actor && flock(fd, LOCK_EX | LOCK_NB) == 0);
	if (!is_free) {
		n = holders_list(fd, found, LOOK_MAX);
		count = add_new(pids, count, max, found, n < LOOK_MAX ? n : LOOK_MAX, actor);
	}
	if (fd >= 0) close(fd);
	/* Of another user's processes it is not seen what they hold. */
	return count == 0 && !is_free && !is_group_seen && x->engine->commands_as ? -1 : count;
}

/* ---- their end ---- */

bool leftover_end_group(struct execution *x)
{
	if (!x->group) return true;
	cgroup_kill(x->group);
	if (!cgroup_remove(x->group)) return false;
	free(x->group);
	x->group = NULL;
	return true;
}

/* What of another user this process may not look at, a process of that user may. */
static void ask_other_user(struct execution *x, int lock)
{
	struct sandbox_child ender;
	struct error e;
	if (!x->engine->commands_as) return;
	if (engine_spawn(x->engine, SANDBOX_ENDER, &(struct sandbox_gifts){lock, -1}, &ender, &e)) {
		log_line(LOG_WARN, "execution %s: nobody could look who holds its lock: %s", x->id, e.text);
		return;
	}
	close(ender.fd);
	close(ender.pidfd);
}

void leftover_end_holders(struct execution *x)
{
	struct note note;
	pid_t ended[HOLDERS_ENDED_MAX];
	note_read(x->engine, x->id, &note);
	if (holders_end_one(note.pid, note.start)) log_line(LOG_WARN, "execution %s: its actor, process %d, had not ended: killed", x->id, note.pid);
	char *path = lock_path(x);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	free(path);
	if (fd < 0) return;
	int count = holders_end(fd, ended);
	for (int i = 0; i < count && i < HOLDERS_ENDED_MAX; i++) log_line(LOG_WARN, "process %d of an execution outlived its actor: killed", (int)ended[i]);
	ask_other_user(x, fd);
	close(fd);
}

void leftover_drop(struct execution *x)
{
	struct engine *en = x->engine;
	if (leftover_end_group(x)) return;
	en->old_groups = mem_realloc(en->old_groups, (en->old_group_count + 1) * sizeof *en->old_groups);
	en->old_groups[en->old_group_count++] = x->group;
	x->group = NULL;
}

void leftover_sweep(struct engine *en)
{
	for (size_t i = 0; i < en->old_group_count;) {
		cgroup_kill(en->old_groups[i]);
		if (!cgroup_remove(en->old_groups[i])) {
			i++;
			continue;
		}
		free(en->old_groups[i]);
		en->old_groups[i] = en->old_groups[--en->old_group_count];
	}
}

void leftover_sweep_all(struct engine *en)
{
	leftover_sweep(en);
	for (int i = 0; i < SWEEP_TRIES && en->old_group_count; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		leftover_sweep(en);
	}
	for (size_t i = 0; i < en->old_group_count; i++) {
		log_line(LOG_WARN, "the control group %s is still not empty", en->old_groups[i]);
		free(en->old_groups[i]);
	}
	free(en->old_groups);
}
