#include "base/json.h"
#include "sandbox/worker/limit.h"
#include "sandbox/worker/primitives.h"
#include "sandbox/worker/value.h"

#include <lua5.4/lauxlib.h>

/* json.decode, json.encode, json.array, json.null. source: RFC 8259; DESIGN.md 4. */

enum { TEXT_BYTES_MAX = 16 << 20, DEPTH_MAX = 100, STACK_SLOTS = 8 * DEPTH_MAX };

static int decode(lua_State *L)
{
	size_t n;
	struct error e;
	const char *text = luaL_checklstring(L, 1, &n);
	if (n > TEXT_BYTES_MAX) return luaL_error(L, "json.decode: the text has %d MiB, %d are the most", (int)(n >> 20), TEXT_BYTES_MAX >> 20);
	luaL_checkstack(L, STACK_SLOTS, "json.decode"); /* raised here, while nothing is held that would be lost */
	json_t *v = json_parse(text, n, DEPTH_MAX, &e);
	if (!v) return luaL_error(L, "json.decode: %s", e.text);
	value_push(L, v, VALUE_PLAIN);
	json_decref(v);
	return 1;
}

static int encode(lua_State *L)
{
	static const struct value_limits limits = {.depth_max = DEPTH_MAX, .bytes_max = TEXT_BYTES_MAX};
	struct error e;
	int indent = 0;
	luaL_checkany(L, 1);
	if (lua_istable(L, 2)) {
		lua_getfield(L, 2, "indent");
		indent = (int)luaL_optinteger(L, -1, 0);
		luaL_argcheck(L, indent >= 0 && indent <= 16, 2, "indent is a number from 0 to 16");
	}
	json_t *v = value_get(L, 1, &limits, "json.encode: the value", &e);
	if (!v) return luaL_error(L, "%s", e.text);
	size_t flags = JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_REAL_PRECISION(17) | (indent ? JSON_INDENT((size_t)indent) : JSON_COMPACT);
	char *text = json_dumps(v, flags);
	json_decref(v);
	must(text);
	lua_pushstring(L, text);
	limit_other_free(text);
	return 1;
}

static int array(lua_State *L)
{
	if (lua_isnoneornil(L, 1))
		lua_newtable(L);
	else
		luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	if (!value_is_array(L, 1) && luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "json.array: what a step is given cannot be changed, nor a table whose metatable is protected");
	lua_settop(L, 1);
	value_mark_array(L);
	return 1;
}

int lua_json_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"decode", decode}, {"encode", encode}, {"array", array}, {NULL, NULL}};
	luaL_newlib(L, functions);
	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -2, "null");
	return 1;
}
