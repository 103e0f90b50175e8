#include "sandbox/worker/plain.h"

#include <lua5.4/lauxlib.h>
#include <string.h>

const char *plain_tostring(lua_State *L, int index, size_t *len)
{
	index = lua_absindex(L, index);
	if (luaL_callmeta(L, index, "__tostring")) {
		if (!lua_isstring(L, -1)) luaL_error(L, "'__tostring' must return a string");
		return lua_tolstring(L, -1, len);
	}
	switch (lua_type(L, index)) {
	case LUA_TNIL:
	case LUA_TBOOLEAN:
	case LUA_TNUMBER:
	case LUA_TSTRING:
		return luaL_tolstring(L, index, len);
	default:
		break;
	}
	if (lua_islightuserdata(L, index))
		lua_pushliteral(L, "null");
	else if (luaL_getmetafield(L, index, "__name") != LUA_TSTRING)
		lua_pushstring(L, luaL_typename(L, index));
	return lua_tolstring(L, -1, len);
}

static int plain_tostring_call(lua_State *L)
{
	luaL_checkany(L, 1);
	plain_tostring(L, 1, NULL);
	return 1;
}

/* Upvalue: Lua's own string.format, which gets what %s would print of a table as a string already. The format may hold zero bytes. */
static int plain_format(lua_State *L)
{
	size_t n;
	const char *p = luaL_checklstring(L, 1, &n), *end = p + n;
	int argument = 1, top = lua_gettop(L);
	while ((p = memchr(p, '%', (size_t)(end - p))) != NULL) {
		p += 1 + strspn(p + 1, "-+ #0123456789."); /* ends at the zero behind the text, if not before */
		if (p == end) break;
		if (*p++ == '%') continue;
		if (++argument > top) break;
		if (p[-1] == 'p') return luaL_error(L, "string.format: %%p is not there: an address is another one next time");
		if (p[-1] == 's' && !lua_isstring(L, argument)) {
			plain_tostring(L, argument, NULL);
			lua_replace(L, argument);
		}
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, top, 1);
	return 1;
}

void plain_open(lua_State *L)
{
	lua_register(L, "tostring", plain_tostring_call);
	lua_getglobal(L, "string");
	lua_getfield(L, -1, "format");
	lua_pushcclosure(L, plain_format, 1);
	lua_setfield(L, -2, "format");
	lua_pop(L, 1);
}
