#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "service/attempt.h"
#include "service/engine_state.h"
#include "service/leftover.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* An execution's lock: every command inherits its descriptor, so that a free lock means that nothing of the execution runs any more. */

enum { POLL_MS = 10, PATIENCE_US = 3000000, AGAIN_US = 500000 };

char *lock_path(const struct execution *x)
{
	return mem_printf("%s/locks/%s", x->engine->state_dir, x->id);
}

/* Where others drive executions too, their terminals reach it beside the shared socket. */
char *lock_terminal_path(const struct execution *x)
{
	if (x->engine->terminal_locks) return mem_printf("%s/%s.terminal", x->engine->terminal_locks, x->id);
	return mem_printf("%s/locks/%s.terminal", x->engine->state_dir, x->id);
}

/* Does a command on somebody's terminal still run? It is theirs: it is waited for, never ended by us. */
static bool is_terminal_busy(const struct execution *x)
{
	char *path = lock_terminal_path(x);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool busy = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
	if (fd >= 0) close(fd);
	free(path);
	return busy;
}

/* For reading only: commands inherit it, and may be somebody else's. */
int lock_take(struct execution *x, struct error *e)
{
	char *path = lock_path(x);
	int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		error_errno(e, "%s", path);
	else if (failpoint(LOCK_TAKE) || flock(fd, LOCK_EX | LOCK_NB) != 0) {
		error_set(e, ERR_CONFLICT, "commands of execution %s are still running", x->id);
		close(fd);
		fd = -1;
	}
	if (fd >= 0) failpoint(LOCK_TAKEN);
	free(path);
	return fd;
}

static void poll_lock(uv_timer_t *t)
{
	struct execution *x = t->data;
	struct error e;
	if (!leftover_end_group(x)) return;
	int fd = lock_take(x, &e);
	if (fd < 0 && e.kind != ERR_CONFLICT) {
		log_line(LOG_ERROR, "execution %s: its lock: %s", x->id, e.text);
		return;
	}
	if (fd < 0) {
		if (clock_monotonic_us() - x->lock_since_us < PATIENCE_US) return;
		leftover_end_holders(x);
		x->lock_since_us += AGAIN_US;
		return;
	}
	close(fd);
	if (x->is_terminal_awaited && is_terminal_busy(x)) return;
	failpoint(LOCK_FREE);
	uv_timer_stop(t);
	x->is_waiting_for_lock = false;
	x->lock_go(x);
}

void lock_wait(struct execution *x, bool with_terminal, void (*go)(struct execution *x))
{
	x->is_terminal_awaited = with_terminal;
	leftover_find(x);
	if (!x->lock_timer) {
		x->lock_timer = mem_zero(sizeof *x->lock_timer);
		uv_timer_init(&x->engine->loop, x->lock_timer);
		x->lock_timer->data = x;
	}
	x->is_waiting_for_lock = true;
	x->lock_since_us = clock_monotonic_us();
	x->lock_go = go;
	uv_update_time(&x->engine->loop);
	uv_timer_start(x->lock_timer, poll_lock, 0, POLL_MS);
}
