/* A fork server whose workers are not confined and know no limit, with the whole of Lua's standard library, and with one Lua state that all attempts of a
 * worker share: here each script of escapes/ must do what it tries, else it would prove nothing about the real one. */
#define environment_open environment_open_real
#include "sandbox/worker/environment.c"
#undef environment_open

#include "whole_lua.h"

#include "sandbox/forkd.h"
#include "sandbox/worker/limit.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/* ---- no confinement ---- */

bool confine_prepare(void)
{
	return true;
}

bool confine_worker(int socket_fd, int parent_pid, struct confined *out)
{
	(void)parent_pid;
	*out = (struct confined){0};
	/* Not even a harness that dies leaves a loop behind that never ends. */
	return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && (socket_fd == CHILD_SOCKET_FD || dup2(socket_fd, CHILD_SOCKET_FD) == CHILD_SOCKET_FD);
}

/* ---- no limits ---- */

void *limit_allocate(void *ud, void *p, size_t old_bytes, size_t new_bytes)
{
	(void)ud, (void)old_bytes;
	if (new_bytes > 0) return realloc(p, new_bytes);
	free(p);
	return NULL;
}

void limit_start(struct worker *w)
{
	(void)w;
}

void limit_stop(struct worker *w)
{
	(void)w;
}

void limit_prepare(void)
{
}

void limit_out_of_memory(void)
{
	abort();
}

void *limit_other_allocate(size_t n)
{
	return malloc(n);
}

void limit_other_free(void *p)
{
	free(p);
}

int limit_resume(lua_State *L, lua_State *co, int arguments, int *results)
{
	return lua_resume(co, L, arguments, results);
}

/* ---- no fresh state ---- */

static lua_State *state_shared(lua_Alloc allocate, void *ud)
{
	static lua_State *L;
	if (!L) L = lua_newstate(allocate, ud);
	lua_settop(L, 0);
	return L;
}

static void state_keep(lua_State *L)
{
	(void)L;
}

void environment_open(lua_State *L, struct worker *w);

void environment_open(lua_State *L, struct worker *w)
{
	static bool is_open;
	if (!is_open) {
		environment_open_real(L, w);
		whole_lua_open(L);
	}
	is_open = true;
	for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
		value_push(L, json_object_get(w->head, given[i]), VALUE_READ_ONLY | VALUE_BYTES);
		lua_setglobal(L, given[i]);
	}
}

#define lua_newstate state_shared
#define lua_close state_keep
#include "sandbox/worker/attempt.c"
