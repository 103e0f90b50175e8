#include "sandbox/worker/limit.h"
#include "base/arena.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	OTHER_BYTES_MAX = 256 << 20, /* trees of JSON cost up to fifty times their text */
	TICK_MS = 200                /* of CPU time, for the hook to be reached after the deadline; then the signal itself ends it */
};

#define EVERYTHING (LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT)

static struct worker *timed; /* what the signal's handler and the memory outside of Lua see: a process has one worker. NULL: between two attempts */

/* ---- the end ---- */

_Noreturn static void end_with(struct worker *w, json_t *end)
{
	worker_say(w, end);
	worker_flush(w);
	_exit(0);
}

static const char *cpu_why(const struct worker *w)
{
	static char why[160];
	snprintf(why, sizeof why, "the step computed for more than its %lld s: let a command do the work, or split the step",
	         (long long)(w->cpu_ms + 999) / 1000);
	return why;
}

static const char *other_why(void)
{
	static char why[160];
	snprintf(why, sizeof why, "the step wanted more than the %d MiB of memory that JSON, YAML and patterns may have, or its host has none left",
	         OTHER_BYTES_MAX >> 20);
	return why;
}

static void on_deadline(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	struct worker *w = worker_of(L);
	json_t *end = attempt_failure(w, L, "limit", cpu_why(w));
	attempt_add_trace(end, L, 0);
	end_with(w, end);
}

/* Ends the attempt at the next instruction of L. */
static void arm(lua_State *L)
{
	lua_sethook(L, on_deadline, EVERYTHING, 1);
}

static void timer_set(int64_t first_ms, int64_t every_ms)
{
	struct itimerval t = {.it_value = {first_ms / 1000, first_ms % 1000 * 1000}, .it_interval = {every_ms / 1000, every_ms % 1000 * 1000}};
	setitimer(ITIMER_PROF, &t, NULL);
}

/* Writes all of it, or what the engine takes. */
static void put(const struct worker *w, const struct buf *b, size_t left)
{
	for (const char *p = b->data; left;) {
		ssize_t n = write(w->fd, p, left);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return;
		p += n, left -= (size_t)n;
	}
}

/* ---- memory ---- */

/* Lua answers a first refusal by collecting and asking again for the very same thing: the second time it is final. */
static bool is_final(struct worker *w, const void *p, size_t bytes)
{
	bool again = w->refused_bytes == bytes && w->refused == p;
	w->refused = p;
	w->refused_bytes = bytes;
	return again;
}

/* No trace: making one may need memory of this very state, in the middle of its allocating. */
_Noreturn static void end_of_memory(struct worker *w, lua_State *L)
{
	char why[160];
	snprintf(why, sizeof why, "the step wanted more than its %zu MiB of memory: work on less at a time, or let a command do it", w->memory_max >> 20);
	end_with(w, attempt_failure(w, L, "limit", why));
}

/* The first instruction after a refusal: a buffer of the string library asks once only, and raises what a pcall could catch. */
static void on_refused(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	struct worker *w = worker_of(L);
	if (w->refused_bytes) end_of_memory(w, L);
	lua_sethook(L, NULL, 0, 0);
	if (w->ticks > 0) arm(L);
}

/* NULL, after which Lua collects and asks again, or raises what the hook turns into the end. */
static void *refuse(struct worker *w, const void *p, size_t bytes)
{
	if (!w->running) return NULL; /* there is no state yet, and will be none */
	if (is_final(w, p, bytes)) end_of_memory(w, w->running);
	lua_sethook(w->running, on_refused, EVERYTHING, 1);
	return NULL;
}

void *limit_allocate(void *ud, void *p, size_t old_bytes, size_t new_bytes)
{
	struct worker *w = ud;
	size_t old = p ? old_bytes : 0; /* without p, old_bytes says what kind of object it will be */
	if (new_bytes == 0) {
		free(p);
		w->memory_used -= old;
		return NULL;
	}
	if (new_bytes > old && new_bytes - old > w->memory_max - w->memory_used) return refuse(w, p, new_bytes);
	bool was_refused = new_bytes == w->refused_bytes && p == w->refused;
	void *to = realloc(p, new_bytes);
	/* The host has none either. A block that would become smaller stays as it is. */
	if (!to && new_bytes > old) return refuse(w, p, new_bytes);
	if (!to) to = p;
	if (was_refused) w->refused_bytes = 0; /* collecting has helped */
	w->memory_used += new_bytes - old;
	return to;
}

static size_t other_used;

void limit_out_of_memory(void)
{
	struct worker *w = timed;
	if (!w) _exit(1);
	timer_set(0, 0);
	put(w, &w->out, w->said_bytes);
	put(w, &w->memory_word, w->memory_word.len);
	_exit(0);
}

void *limit_other_allocate(size_t n)
{
	void *p = n > OTHER_BYTES_MAX - other_used ? NULL : malloc(n);
	if (!p) limit_out_of_memory();
	other_used += malloc_usable_size(p);
	return p;
}

void limit_other_free(void *p)
{
	if (p) other_used -= malloc_usable_size(p);
	free(p);
}

/* ---- time ---- */

/* Async-signal-safe: lua_sethook is, for this purpose (the Lua manual's own interpreter does so); write and _exit are. */
static void on_tick(int signal_number)
{
	(void)signal_number;
	struct worker *w = timed;
	if (!w) return;
	if (w->ticks++ == 0) {
		arm(w->running);
		return;
	}
	/* Within string.find, say. A frame half written would be garbled by another: then the end of file says it. */
	if (!w->is_writing) put(w, &w->last_word, w->last_word.len);
	_exit(0);
}

void limit_prepare(void)
{
	struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
	sigaction(SIGPROF, &action, NULL);
	json_set_alloc_funcs(limit_other_allocate, limit_other_free);
	mem_when_none(limit_out_of_memory);
}

/* The frame of an end that has to be said where nothing can be made any more. */
static void prepare(struct worker *w, struct buf *word, const char *why)
{
	json_t *end = attempt_failure(w, NULL, "limit", why);
	buf_reset(word);
	must(frame_write(word, end, NULL, 0) == ERR_OK);
	json_decref(end);
}

void limit_start(struct worker *w)
{
	prepare(w, &w->last_word, cpu_why(w));
	prepare(w, &w->memory_word, other_why());
	timed = w;
	w->ticks = 0;
	timer_set(w->cpu_ms, TICK_MS);
}

void limit_stop(struct worker *w)
{
	(void)w;
	timer_set(0, 0);
	timed = NULL;
}

int limit_resume(lua_State *L, lua_State *co, int arguments, int *results)
{
	struct worker *w = worker_of(L);
	w->running = co;
	int status = lua_resume(co, L, arguments, results);
	w->running = L;
	/* The deadline may have passed between the thread's last instruction and here. */
	if (w->ticks > 0)
		arm(L);
	else if (w->refused_bytes)
		lua_sethook(L, on_refused, EVERYTHING, 1);
	return status;
}
