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
static const char private_key; /* its address is the registry's key of the table rung */

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

/* Runs module i with rung at index. What it returns is its global and what require gives; one that returns nothing has set its globals itself. */
static void open_one(lua_State *L, size_t i, int index)
{
	const char *name = embedded_modules[i].name;
	/* Binary code is never taken from outside: this was made by modules_prepare. */
	if (luaL_loadbufferx(L, code + compiled[i].at, compiled[i].len, name, "b") != LUA_OK) lua_error(L);
	lua_pushvalue(L, index);
	lua_call(L, 1, 1);
	export_functions(L);
	luaL_getsubtable(L, index, "loaded");
	lua_insert(L, -2);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_pushboolean(L, true);
	} else {
		lua_pushvalue(L, -1);
		lua_setglobal(L, name);
	}
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
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
	for (size_t f = 0; f < sizeof always / sizeof *always; f++) {
		size_t i = find(always[f]);
		must(i != SIZE_MAX);
		open_one(L, i, lua_gettop(L));
	}
}

int modules_open(lua_State *L)
{
	size_t i = lua_type(L, 1) == LUA_TSTRING ? find(lua_tostring(L, 1)) : SIZE_MAX;
	if (i == SIZE_MAX) return 0;
	lua_settop(L, 1);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &private_key);
	luaL_getsubtable(L, 2, "loaded");
	lua_getfield(L, 3, embedded_modules[i].name);
	if (lua_isnil(L, -1)) {
		open_one(L, i, 2);
		lua_getfield(L, 3, embedded_modules[i].name);
	}
	return lua_isboolean(L, -1) ? 0 : 1;
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
