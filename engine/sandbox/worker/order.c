#include "sandbox/worker/order.h"
#include "base/arena.h"
#include "sandbox/worker/value.h"

#include <lua5.4/lauxlib.h>
#include <stdlib.h>
#include <string.h>

/* ---- keys ---- */

static int compare_numbers(const struct order_key *a, const struct order_key *b)
{
	if (a->is_integer && b->is_integer) return (a->integer > b->integer) - (a->integer < b->integer);
	long double x = a->is_integer ? (long double)a->integer : (long double)a->number; /* 64 bits of mantissa: exact for both */
	long double y = b->is_integer ? (long double)b->integer : (long double)b->number;
	return (x > y) - (x < y);
}

static int compare_keys(const void *pa, const void *pb)
{
	const struct order_key *a = pa, *b = pb;
	if (a->type != b->type) return a->type - b->type; /* LUA_TBOOLEAN < LUA_TNUMBER < LUA_TSTRING */
	if (a->type == LUA_TNUMBER) return compare_numbers(a, b);
	if (a->type == LUA_TBOOLEAN) return (int)(a->integer - b->integer);
	int c = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
	return c ? c : (a->len > b->len) - (a->len < b->len);
}

/* The key at index; false for one that has no order. */
static bool key_read(lua_State *L, int index, struct order_key *k)
{
	*k = (struct order_key){.type = lua_type(L, index)};
	switch (k->type) {
	case LUA_TBOOLEAN:
		k->integer = lua_toboolean(L, index);
		return true;
	case LUA_TNUMBER:
		k->is_integer = lua_isinteger(L, index);
		if (k->is_integer)
			k->integer = lua_tointeger(L, index);
		else
			k->number = lua_tonumber(L, index);
		return true;
	case LUA_TSTRING:
		k->text = lua_tolstring(L, index, &k->len);
		return true;
	default:
		return false;
	}
}

static void key_push(lua_State *L, const struct order_key *k)
{
	if (k->type == LUA_TBOOLEAN)
		lua_pushboolean(L, (int)k->integer);
	else if (k->type == LUA_TSTRING)
		lua_pushlstring(L, k->text, k->len);
	else if (k->is_integer)
		lua_pushinteger(L, k->integer);
	else
		lua_pushnumber(L, k->number);
}

void order_keys_get(lua_State *L, int index, struct order_keys *out)
{
	*out = (struct order_keys){0};
	index = lua_absindex(L, index);
	luaL_checkstack(L, 4, "keys");
	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
		struct order_key k;
		if (lua_type(L, -2) == LUA_TLIGHTUSERDATA && lua_touserdata(L, -2)) continue;
		if (!key_read(L, -2, &k)) {
			out->objects++;
			continue;
		}
		if (out->count == out->capacity) {
			out->capacity = out->capacity ? out->capacity * 2 : 16;
			out->items = mem_realloc(out->items, out->capacity * sizeof *out->items);
		}
		out->items[out->count++] = k;
	}
	if (out->count > 1) qsort(out->items, out->count, sizeof *out->items, compare_keys);
}

void order_keys_free(struct order_keys *keys)
{
	free(keys->items);
}

/* Pushes the only key of the table at index that is a table, a function or the like. */
static void push_object_key(lua_State *L, int index)
{
	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
		struct order_key k;
		if (key_read(L, -2, &k) || (lua_type(L, -2) == LUA_TLIGHTUSERDATA && lua_touserdata(L, -2))) continue;
		lua_pop(L, 1);
		return;
	}
	lua_pushnil(L);
}

/* Pushes a table with the sorted keys of the table at index. */
static void push_keys(lua_State *L, int index)
{
	struct order_keys keys;
	order_keys_get(L, index, &keys);
	if (keys.objects > 1) {
		order_keys_free(&keys);
		luaL_error(L,
		           "pairs: %I keys are tables or functions, which have no order that is the same next time: use strings or numbers as keys, or a list",
		           (LUAI_UACINT)keys.objects);
		return; /* luaL_error does not, but does not say so */
	}
	lua_createtable(L, (int)keys.count + (int)keys.objects, 0);
	for (size_t i = 0; i < keys.count; i++) {
		key_push(L, &keys.items[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	if (keys.objects) {
		push_object_key(L, index);
		lua_rawseti(L, -2, (lua_Integer)keys.count + 1);
	}
	order_keys_free(&keys);
}

/* ---- pairs, next ---- */

/* Upvalues: the table, its keys, how many were given. A key whose value is gone by now is left out. */
static int pairs_step(lua_State *L)
{
	lua_Integer at = lua_tointeger(L, lua_upvalueindex(3));
	for (;;) {
		if (lua_rawgeti(L, lua_upvalueindex(2), ++at) == LUA_TNIL) return 1;
		lua_pushvalue(L, -1);
		if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) break;
		lua_pop(L, 2);
	}
	lua_pushinteger(L, at);
	lua_replace(L, lua_upvalueindex(3));
	return 2;
}

static int pairs_called(lua_State *L, int status, lua_KContext context)
{
	(void)L, (void)status, (void)context;
	return 3;
}

static int order_pairs(lua_State *L)
{
	luaL_checkany(L, 1);
	if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
		lua_pushvalue(L, 1);
		lua_callk(L, 1, 3, 0, pairs_called);
		return 3;
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	if (value_behind(L, 1)) lua_replace(L, 1);
	lua_pushvalue(L, 1);
	push_keys(L, 1);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, pairs_step, 3);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

/* The smallest key after the given one (or of all): one pass. A loop over next costs the square of the table's size; pairs does not. */
static int order_next(lua_State *L)
{
	struct order_key after, best = {0}, k;
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	if (value_behind(L, 1)) lua_replace(L, 1);
	bool has_after = !lua_isnil(L, 2), found = false, is_object = has_after && !key_read(L, 2, &after);
	size_t objects = 0;
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		if (lua_type(L, -2) == LUA_TLIGHTUSERDATA && lua_touserdata(L, -2)) continue;
		if (!key_read(L, -2, &k))
			objects++;
		else if (!is_object && (!has_after || compare_keys(&k, &after) > 0) && (!found || compare_keys(&k, &best) < 0))
			best = k, found = true;
	}
	if (objects > 1) return luaL_error(L, "next: several keys are tables or functions, which have no order that is the same next time");
	if (found)
		key_push(L, &best);
	else if (objects && !is_object)
		push_object_key(L, 1);
	else
		return lua_pushnil(L), 1;
	lua_pushvalue(L, -1);
	lua_rawget(L, 1);
	return 2;
}

/* ---- table.sort ---- */

/* Does the value at b stand before that at a? Equal ones keep their order: the same result every time, which Lua's own does not promise. */
static bool is_before(lua_State *L, int b, int a)
{
	if (lua_isnil(L, 2)) return lua_compare(L, b, a, LUA_OPLT);
	b = lua_absindex(L, b), a = lua_absindex(L, a);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, b);
	lua_pushvalue(L, a);
	lua_call(L, 2, 1);
	bool yes = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return yes;
}

/* Merges [low, middle) and [middle, high) of the table at from into the table at to. */
static void merge(lua_State *L, int from, int to, lua_Integer low, lua_Integer middle, lua_Integer high)
{
	lua_Integer a = low, b = middle;
	for (lua_Integer i = low; i < high; i++) {
		bool second = a >= middle;
		if (!second && b < high) {
			lua_rawgeti(L, from, a);
			lua_rawgeti(L, from, b);
			second = is_before(L, -1, -2);
			lua_pop(L, 2);
		}
		if (second)
			lua_rawgeti(L, from, b++);
		else
			lua_rawgeti(L, from, a++);
		lua_rawseti(L, to, i);
	}
}

static int order_sort(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	lua_Integer n = luaL_len(L, 1);
	if (n < 2) return 0;
	luaL_argcheck(L, n < INT32_MAX, 1, "array too big");
	lua_createtable(L, (int)n, 0);
	lua_createtable(L, (int)n, 0);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_geti(L, 1, i);
		lua_rawseti(L, 3, i);
	}
	int from = 3, to = 4;
	for (lua_Integer width = 1; width < n; width *= 2) {
		for (lua_Integer low = 1; low <= n; low += 2 * width) {
			lua_Integer middle = low + width < n + 1 ? low + width : n + 1, high = low + 2 * width < n + 1 ? low + 2 * width : n + 1;
			merge(L, from, to, low, middle, high);
		}
		int other = from;
		from = to, to = other;
	}
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, from, i);
		lua_seti(L, 1, i);
	}
	return 0;
}

void order_open(lua_State *L)
{
	lua_register(L, "pairs", order_pairs);
	lua_register(L, "next", order_next);
	lua_getglobal(L, "table");
	lua_pushcfunction(L, order_sort);
	lua_setfield(L, -2, "sort");
	lua_pop(L, 1);
}
