#include "sandbox/worker/secret.h"
#include "sandbox/worker/worker.h"

#include <lua5.4/lauxlib.h>
#include <string.h>

static const char handle_mark; /* its address is the registry's key of the metatable */

const char *secret_name(lua_State *L, int index)
{
	if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return NULL;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &handle_mark);
	bool is_handle = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return is_handle ? lua_touserdata(L, index) : NULL;
}

static int handle_tostring(lua_State *L)
{
	const char *name = secret_name(L, 1);
	lua_pushfstring(L, "secret %s", name ? name : "?");
	return 1;
}

static int handle_equal(lua_State *L)
{
	const char *a = secret_name(L, 1), *b = secret_name(L, 2);
	lua_pushboolean(L, a && b && strcmp(a, b) == 0);
	return 1;
}

static int handle_misused(lua_State *L)
{
	const char *name = secret_name(L, 1) ? secret_name(L, 1) : secret_name(L, 2);
	return attempt_error(L,
	                     "the value of the secret %s is never here, so it cannot be joined to a text or looked into: give it whole, as "
	                     "sh(argv, {env = {NAME = secret \"...\"}}) or {stdin = secret \"...\"}",
	                     name ? name : "?");
}

void secret_open(lua_State *L)
{
	static const luaL_Reg events[] = {{"__tostring", handle_tostring}, {"__eq", handle_equal},    {"__concat", handle_misused},
	                                  {"__index", handle_misused},     {"__len", handle_misused}, {NULL, NULL}};
	lua_newtable(L);
	luaL_setfuncs(L, events, 0);
	lua_pushliteral(L, "secret");
	lua_setfield(L, -2, "__name");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &handle_mark);
}

void secret_push(lua_State *L, const char *name)
{
	size_t n = strlen(name) + 1;
	memcpy(lua_newuserdatauv(L, n, 0), name, n);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &handle_mark);
	lua_setmetatable(L, -2);
}
