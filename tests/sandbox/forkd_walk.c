/* A fork server whose steps have the real environment, and the debug library beside it: for the golden walk, which looks behind what a step can reach. */
#define environment_open environment_open_real
#include "sandbox/worker/environment.c"
#undef environment_open

void environment_open(lua_State *L, struct worker *w);

void environment_open(lua_State *L, struct worker *w)
{
	environment_open_real(L, w);
	luaL_requiref(L, LUA_DBLIBNAME, luaopen_debug, 1);
	lua_pop(L, 1);
}
