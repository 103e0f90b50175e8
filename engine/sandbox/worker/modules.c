#include "sandbox/worker/modules.h"
#include "base/arena.h"
#include "base/buf.h"
#include "sandbox/worker/embedded.h"
#include "sandbox/worker/primitives.h"
#include "sandbox/worker/worker.h"

#include <lua5.4/lauxlib.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { EMBEDDED_MAX = 64, COMPILED_BYTES_MAX = 8 << 20 };

/* Compiled, one behind the other, in pages of their own. */
static char *code;
static struct {
	size_t at, len;
} compiled[EMBEDDED_MAX];
static const char private_key; /* its address is the registry's key of the table rung, */
static const char sealed_key;  /* of the globals that modules see, once a step may have changed its own, */
static const char own_key;     /* and of what modules are to each other, whatever a step makes of what it got */

/* Those that every attempt has from the start; the others are opened by their first use, which spares half of an attempt's start. */
static const char *const always[] = {"parallel", "outcome"};

static int add_piece(lua_State *L, const void *piece, size_t n, void *to)
{
	(void)L;
	return buf_add(to, piece, n) ? 0 : 1;
}

/* Of the state that compiles: its many small pieces must not stay as holes in the heap, since each page that a worker's own pieces then fall into would
 * become that worker's own. */
static void *allocate_from_arena(void *ud, void *p, size_t old_bytes, size_t new_bytes)
{
	if (new_bytes == 0) return NULL;
	if (p && new_bytes <= old_bytes) return p;
	void *to = arena_alloc(ud, new_bytes);
	if (p) memcpy(to, p, old_bytes);
	return to;
}

/* Nothing that was needed for it stays on the heap: workers, forked from here, would fill the holes, and each of their pages would become their own. */
static void keep_code(struct buf *all)
{
	code = mmap(NULL, all->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(code != MAP_FAILED);
	memcpy(code, all->data, all->len);
	buf_clear(all);
	malloc_trim(0);
}

void modules_prepare(void)
{
	struct arena *arena = arena_new();
	struct buf all;
	lua_State *L = lua_newstate(allocate_from_arena, arena);
	must(L != NULL);
	buf_init(&all, COMPILED_BYTES_MAX);
	for (size_t i = 0; embedded_modules[i].name; i++) {
		const struct embedded *m = &embedded_modules[i];
		must(i < EMBEDDED_MAX);
		char chunk[128];
		snprintf(chunk, sizeof chunk, "@modules/%s/%s.lua", m->name, m->name);
		if (luaL_loadbufferx(L, m->text, m->len, chunk, "t") != LUA_OK) die("%s", lua_tostring(L, -1));
		compiled[i].at = all.len;
		must(lua_dump(L, add_piece, &all, 1) == 0); /* stripped: the lines of rung are of no use to an author, and loading takes half as long */
		compiled[i].len = all.len - compiled[i].at;
		lua_pop(L, 1);
	}
	lua_close(L);
	arena_free(arena);
	keep_code(&all);
}

/* Every function of the module at the top as a step shall call it. */
static void export_functions(lua_State *L)
{
	if (lua_isfunction(L, -1)) primitives_export(L);
	if (!lua_istable(L, -1)) return;
	for (lua_pushnil(L); lua_next(L, -2);) {
		if (!lua_isfunction(L, -1)) {
			lua_pop(L, 1);
			continue;
		}
		primitives_export(L);
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, -4); /* of a key that is there: does not disturb lua_next */
	}
}

/* Pushes a table with what the one at index has, and its metatable. */
static void push_copy(lua_State *L, int index)
{
	index = lua_absindex(L, index);
	lua_newtable(L);
	for (lua_pushnil(L); lua_next(L, index);) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, -4);
	}
	if (lua_getmetatable(L, index)) lua_setmetatable(L, -2);
}

/* Runs module i with rung at index. What it returns other modules get as it is, and the step, under its name and by require, as a copy: so what a step puts
 * into it reaches none of them. One that returns nothing has set its globals itself. */
static void open_one(lua_State *L, size_t i, int index)
{
	const char *name = embedded_modules[i].name;
	/* Binary code is never taken from outside: this was made by modules_prepare. */
	if (luaL_loadbufferx(L, code + compiled[i].at, compiled[i].len, name, "b") != LUA_OK) lua_error(L);
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &sealed_key) == LUA_TNIL || !lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
	lua_pushvalue(L, index);
	lua_call(L, 1, 1);
	export_functions(L);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &own_key);
	lua_pushvalue(L, -2);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
	luaL_getsubtable(L, index, "loaded");
	if (lua_isnil(L, -2)) {
		lua_pushboolean(L, true);
	} else if (lua_istable(L, -2)) {
		push_copy(L, -2);
	} else {
		lua_pushvalue(L, -2);
	}
	if (!lua_isboolean(L, -1)) {
		lua_pushvalue(L, -1);
		lua_setglobal(L, name);
	}
	lua_setfield(L, -2, name);
	lua_pop(L, 2);
}

/* The embedded module with that name, or SIZE_MAX. */
static size_t find(const char *name)
{
	for (size_t i = 0; embedded_modules[i].name; i++)
		if (strcmp(embedded_modules[i].name, name) == 0) return i;
	return SIZE_MAX;
}

void modules_start(lua_State *L)
{
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &private_key);
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &own_key);
	for (size_t f = 0; f < sizeof always / sizeof *always; f++) {
		size_t i = find(always[f]);
		must(i != SIZE_MAX);
		open_one(L, i, lua_gettop(L));
	}
}

/* A library of Lua's own, of which the step may change what it has. */
static bool is_library(lua_State *L, int index)
{
	static const char *const names[] = {"string", "table", "math", "utf8", "coroutine"};
	const char *key = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], key) == 0) return true;
	return false;
}

/* ("x"):find() is that of the copy at the top, whatever becomes of string.find; what a step adds to string works so, too. */
static void seal_strings(lua_State *L)
{
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);
	lua_getfield(L, -3, "string");
	lua_createtable(L, 0, 2);
	lua_getglobal(L, "string");
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 2);
}

void modules_seal(lua_State *L)
{
	lua_newtable(L);
	lua_pushglobaltable(L);
	for (lua_pushnil(L); lua_next(L, -2);) {
		lua_pushvalue(L, -2);
		if (is_library(L, -1))
			push_copy(L, -2);
		else
			lua_pushvalue(L, -2);
		lua_rawset(L, -6);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	seal_strings(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &sealed_key);
}

/* The module with that name as the step or as another module has it, opened where it is not yet. */
static int open_as(lua_State *L, bool is_for_step)
{
	size_t i = lua_type(L, 1) == LUA_TSTRING ? find(lua_tostring(L, 1)) : SIZE_MAX;
	if (i == SIZE_MAX) return 0;
	lua_settop(L, 1);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &private_key);
	luaL_getsubtable(L, 2, "loaded");
	lua_rawgetp(L, LUA_REGISTRYINDEX, &own_key);
	if (lua_getfield(L, 3, embedded_modules[i].name) == LUA_TNIL) open_one(L, i, 2);
	lua_getfield(L, is_for_step ? 3 : 4, embedded_modules[i].name);
	return lua_isboolean(L, -1) || lua_isnil(L, -1) ? 0 : 1;
}

int modules_open(lua_State *L)
{
	return open_as(L, false);
}

int modules_open_for_step(lua_State *L)
{
	return open_as(L, true);
}

int modules_load(lua_State *L)
{
	const struct worker *w = worker_of(L);
	const char *name = luaL_checkstring(L, 1);
	for (size_t i = 0; i < w->module_count; i++) {
		const struct module_source *m = &w->modules[i];
		if (strcmp(m->name, name) != 0) continue;
		lua_pushfstring(L, "@modules/%s.lua", name);
		if (luaL_loadbufferx(L, m->source, m->bytes, lua_tostring(L, -1), "t") != LUA_OK) return lua_error(L);
		return 1;
	}
	lua_pushnil(L);
	return 1;
}
