#include "base/json.h"
#include "sandbox/worker/modules.h"
#include "sandbox/worker/order.h"
#include "sandbox/worker/plain.h"
#include "sandbox/worker/primitives.h"
#include "sandbox/worker/secret.h"
#include "sandbox/worker/value.h"
#include "sandbox/worker/worker.h"

#include <lua5.4/lauxlib.h>
#include <lua5.4/lualib.h>
#include <string.h>

/* What a step can use: Lua's own libraries without what reaches outside or differs from run to run, then rung's. source: DESIGN.md 4. */

static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},       {LUA_TABLIBNAME, luaopen_table}, {LUA_STRLIBNAME, luaopen_string},
                                     {LUA_MATHLIBNAME, luaopen_math}, {LUA_UTF8LIBNAME, luaopen_utf8}, {NULL, NULL}};

static const struct {
	const char *library, *name; /* library NULL: a global */
} removed[] = {
    {NULL, "collectgarbage"}, {NULL, "dofile"}, {NULL, "load"},  {NULL, "loadfile"}, {NULL, "rawget"},
    {NULL, "rawset"},         {NULL, "warn"},   {NULL, "print"}, {"string", "dump"},
};

/* What the engine gives, under these names in the attempt's header and in Lua. */
static const char *const given[] = {"params", "steps", "item", "run", "alert", "incident"};

static void open_libraries(lua_State *L)
{
	for (const luaL_Reg *l = libraries; l->func; l++) {
		luaL_requiref(L, l->name, l->func, 1);
		lua_pop(L, 1);
	}
	for (size_t i = 0; i < sizeof removed / sizeof *removed; i++) {
		if (removed[i].library)
			lua_getglobal(L, removed[i].library);
		else
			lua_pushglobaltable(L);
		lua_pushnil(L);
		lua_setfield(L, -2, removed[i].name);
		lua_pop(L, 1);
	}
}

static int no_metatable_events(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	if (lua_istable(L, 2)) {
		static const char *const refused[] = {"__gc", "__mode"};
		for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
			lua_pushstring(L, refused[i]);
			if (lua_rawget(L, 2) != LUA_TNIL)
				return luaL_error(L, "setmetatable: %s is refused: when memory is collected differs from run to run", refused[i]);
			lua_pop(L, 1);
		}
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	return 1;
}

static int seed_needs_number(lua_State *L)
{
	if (lua_isnoneornil(L, 1))
		return luaL_error(L, "math.randomseed needs a number: without one it would differ from run to run (and the seed is set already)");
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 0);
	return 0;
}

/* Puts a C function that gets the old one as its upvalue in the place of library.name. */
static void wrap(lua_State *L, const char *library, const char *name, lua_CFunction with)
{
	if (library)
		lua_getglobal(L, library);
	else
		lua_pushglobaltable(L);
	lua_getfield(L, -1, name);
	lua_pushcclosure(L, with, 1);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}

/* getmetatable("") would hand out the table that all strings share. */
static void hide_string_metatable(lua_State *L)
{
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
}

static void seed_random(lua_State *L, const json_t *seed)
{
	lua_getglobal(L, "math");
	lua_getfield(L, -1, "randomseed");
	lua_pushinteger(L, json_integer_value(json_array_get(seed, 0)));
	lua_pushinteger(L, json_integer_value(json_array_get(seed, 1)));
	lua_call(L, 2, 0);
	lua_pop(L, 1);
}

void environment_open(lua_State *L, struct worker *w)
{
	open_libraries(L);
	lua_gc(L, LUA_GCSTOP); /* nothing of this is garbage */
	seed_random(L, json_arr(w->head, "seed"));
	wrap(L, NULL, "setmetatable", no_metatable_events);
	wrap(L, "math", "randomseed", seed_needs_number);
	hide_string_metatable(L);
	value_open(L);
	secret_open(L);
	order_open(L);
	plain_open(L);
	primitives_push(L);
	modules_start(L);
	lua_pop(L, 1);
	for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
		/* A parameter of type secret is given as its name; a result of a step is data, whatever it looks like. */
		int secrets = strcmp(given[i], "params") == 0 ? VALUE_SECRETS : 0;
		value_push(L, json_object_get(w->head, given[i]), VALUE_READ_ONLY | VALUE_BYTES | secrets);
		lua_setglobal(L, given[i]);
	}
	modules_seal(L);
	lua_gc(L, LUA_GCRESTART);
	lua_gc(L, LUA_GCINC, 150, 0, 0); /* collects at half more than what was alive, not at twice: large strings leave room below the limit */
}
