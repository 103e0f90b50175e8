#ifndef TESTS_SANDBOX_WHOLE_LUA_H
#define TESTS_SANDBOX_WHOLE_LUA_H

#include <lua5.4/lauxlib.h>
#include <lua5.4/lualib.h>

/* Puts the whole of Lua's standard library in the place of what a step has: luaL_requiref would give what is there already. */
static void whole_lua_open(lua_State *L)
{
	static const luaL_Reg all[] = {{LUA_GNAME, luaopen_base},
	                               {LUA_LOADLIBNAME, luaopen_package},
	                               {LUA_COLIBNAME, luaopen_coroutine},
	                               {LUA_TABLIBNAME, luaopen_table},
	                               {LUA_IOLIBNAME, luaopen_io},
	                               {LUA_OSLIBNAME, luaopen_os},
	                               {LUA_STRLIBNAME, luaopen_string},
	                               {LUA_MATHLIBNAME, luaopen_math},
	                               {LUA_UTF8LIBNAME, luaopen_utf8},
	                               {LUA_DBLIBNAME, luaopen_debug},
	                               {NULL, NULL}};
	for (const luaL_Reg *l = all; l->func; l++) {
		lua_pushcfunction(L, l->func);
		lua_pushstring(L, l->name);
		lua_call(L, 1, 1);
		luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
		lua_pushvalue(L, -2);
		lua_setfield(L, -2, l->name);
		lua_pop(L, 1);
		lua_setglobal(L, l->name);
	}
}

#endif
