/* A fork server whose workers are confined as the real ones are, and leave the whole of Lua's standard library in: io, os, package, debug, load with
 * binary code, everything that the real environment wraps as Lua itself has it. What it cannot do is held by the process, not by Lua. */
#define environment_open environment_open_real
#include "sandbox/worker/environment.c"
#undef environment_open

#include "whole_lua.h"

void environment_open(lua_State *L, struct worker *w);

void environment_open(lua_State *L, struct worker *w)
{
	environment_open_real(L, w);
	whole_lua_open(L);
	modules_seal(L); /* modules have it, too */
}
