#include "base/clock.h"
#include "base/log.h"
#include "service/approval.h"
#include "service/attempt.h"
#include "service/engine_state.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The second wall behind the limits that workers and actors keep by themselves: the engine looks at them from outside, and ends what does not keep them.
 * source: DESIGN.md 2 (processes), 4 (limits of an attempt) */

enum {
	CPU_GRACE_US = 3000000,   /* a worker ends itself at ATTEMPT_CPU_MS, a tick or two late */
	RESIDENT_MIB_MAX = 1024,  /* above the address space of a release build, which the kernel keeps */
	STALLED_LOOKS_MAX = 10,   /* of about a second each */
	ACTOR_GRACE_US = 10000000 /* from a command's deadline: SIGTERM, 2 s, SIGKILL, what it left behind */
};

/* What the kernel says of a process. */
struct usage {
	char state;
	int64_t cpu_us;
	int64_t resident_mib;
};

static bool usage_of(pid_t pid, struct usage *u)
{
	char path[64], text[1024];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
	if (fd >= 0) close(fd);
	if (n <= 0) return false;
	text[n] = 0;
	/* The name stands in parentheses and may hold anything: what counts begins after the last one. */
	const char *after = strrchr(text, ')');
	unsigned long user = 0, system = 0;
	long pages = 0;
	bool ok = after && sscanf(after, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %*u %*u %ld", &u->state, &user, &system,
	                          &pages) == 4;
	u->cpu_us = (int64_t)(user + system) * 1000000 / sysconf(_SC_CLK_TCK);
	u->resident_mib = (int64_t)pages * sysconf(_SC_PAGESIZE) >> 20;
	return ok;
}

/* It is the worker's turn unless it waits for an answer. One that then sleeps, and has not computed since the last look, does nothing that it should. */
static bool is_stalled(struct worker *w, const struct usage *u)
{
	const struct attempt *a = w->attempt;
	bool rests = a->replay.idles <= a->replay.answers && u->state == 'S' && u->cpu_us == w->cpu_us;
	w->stalled = rests ? w->stalled + 1 : 0;
	w->cpu_us = u->cpu_us;
	return w->stalled > STALLED_LOOKS_MAX;
}

/* Why the worker must end, as the end of a sentence; NULL: it may go on. */
static const char *fault_of(struct worker *w, int64_t now_us)
{
	struct usage u;
	if (w->attempt->ends_us && now_us > w->attempt->ends_us) return "the time of the step passed";
	if (!usage_of(w->child.pid, &u)) return NULL; /* it has ended: the end of file is on its way */
	if (w->cpu_before_us < 0) w->cpu_before_us = u.cpu_us;
	if (u.cpu_us - w->cpu_before_us > ATTEMPT_CPU_MS * INT64_C(1000) + CPU_GRACE_US) return "the step computed for more than its time, and did not end";
	if (u.resident_mib > RESIDENT_MIB_MAX) return "the step took more memory than there is for it";
	return is_stalled(w, &u) ? "the step's process did nothing, and did not say that it waits" : NULL;
}

static void supervise_worker(struct attempt *a, int64_t now_us)
{
	struct execution *x = a->x;
	const char *why = a->worker && !a->has_ended ? fault_of(a->worker, now_us) : NULL;
	if (!why) return;
	log_line(LOG_WARN, "execution %s: the worker of step %s is ended: %s", x->id, attempt_step(a)->id, why);
	worker_release(a, false);
	attempt_fail(a, "%s", why);
	execution_step_on(x);
}

/* The actor keeps a command's deadline, and ends what it is asked to end. */
static void supervise_actor(struct execution *x, int64_t now_us)
{
	for (size_t i = 0; i < x->flying_count; i++) {
		struct call *c = x->flying[i];
		if (!c->ends_us || now_us < c->ends_us + ACTOR_GRACE_US) continue;
		if (c->is_cancelled && x->actor) {
			call_end_actor(x, "it did not end a command that it was asked to end");
			return;
		}
		call_cancel(x, c);
	}
}

void supervise(struct engine *en)
{
	int64_t now_us = clock_monotonic_us();
	for (struct execution *x = en->executions, *next; x; x = next) {
		next = x->next;
		for (size_t i = 0; i < x->graph->count && !x->is_gone; i++)
			if (x->steps[i].live) supervise_worker(x->steps[i].live, now_us);
		if (!x->is_gone && !x->is_waiting_for_lock) supervise_actor(x, now_us);
		/* Agreements expire and the policy changes while nothing else happens. */
		struct consent waits;
		if (!x->is_gone && approvals_waiting(x, &waits, 1)) execution_step_on(x);
	}
}
