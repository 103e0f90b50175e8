#include "base/failpoint.h"

#ifdef RUNG_FAILPOINTS

#include "base/error.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum action { ACTION_NONE, ACTION_FAIL, ACTION_STOP, ACTION_DIE, ACTION_N };

static const char *const action_names[ACTION_N] = {[ACTION_FAIL] = "fail", [ACTION_STOP] = "stop", [ACTION_DIE] = "die"};

static const struct failpoint_info places[FAILPOINT_N] = {
#define FAILPOINT_ROW(constant, name, may_fail, place) [FAILPOINT_##constant] = {name, place, may_fail},
    FAILPOINTS(FAILPOINT_ROW)
#undef FAILPOINT_ROW
};

/* One row of the table that processes share, as tests/fail/failtable.py has it. What is asked for happens once: when at passings were counted since it was
 * asked. */
struct slot {
	uint32_t passed, action, at, pid; /* pid: of whom it happened to; 0: not yet */
};

static struct slot own[FAILPOINT_N], *slots = own;

static void ask(const char *name, size_t n, const char *what)
{
	for (int i = 0; i < FAILPOINT_N; i++) {
		if (strlen(places[i].name) != n || strncmp(places[i].name, name, n) != 0) continue;
		for (uint32_t k = ACTION_FAIL; k < ACTION_N; k++) {
			size_t len = strlen(action_names[k]);
			if (strncmp(what, action_names[k], len) != 0) continue;
			slots[i].at = what[len] == ':' ? (uint32_t)strtoul(what + len + 1, NULL, 10) : 1;
			slots[i].action = k;
			return;
		}
	}
	die("RUNG_FAIL: \"%.*s=...\" is no place, or what shall happen there is not fail, stop or die (:N)", (int)n, name);
}

void failpoint_prepare(void)
{
	const char *table = getenv("RUNG_FAIL_TABLE"), *asked = getenv("RUNG_FAIL");
	int fd = table ? open(table, O_RDWR | O_CLOEXEC) : -1;
	void *shared = fd >= 0 ? mmap(NULL, sizeof own, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	if (fd >= 0) close(fd);
	if (shared != MAP_FAILED) slots = shared;
	for (const char *at = asked; at && *at; at += strcspn(at, ","), at += *at == ',') {
		size_t n = strcspn(at, "=,");
		ask(at, n, at[n] == '=' ? at + n + 1 : "");
	}
}

bool failpoint_pass(enum failpoint at)
{
	struct slot *s = &slots[at];
	__atomic_add_fetch(&s->passed, 1, __ATOMIC_RELAXED);
	uint32_t action = __atomic_load_n(&s->action, __ATOMIC_ACQUIRE), none = 0;
	if (action == ACTION_NONE || __atomic_sub_fetch(&s->at, 1, __ATOMIC_ACQ_REL) != 0) return false;
	if (!__atomic_compare_exchange_n(&s->pid, &none, (uint32_t)getpid(), false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return false;
	if (action == ACTION_FAIL) return true;
	kill(getpid(), action == ACTION_DIE ? SIGKILL : SIGSTOP);
	return false;
}

bool failpoint_info(size_t i, struct failpoint_info *out)
{
	if (i >= FAILPOINT_N) return false;
	*out = places[i];
	return true;
}

#endif
