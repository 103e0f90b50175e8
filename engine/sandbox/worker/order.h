#ifndef RUNG_WORKER_ORDER_H
#define RUNG_WORKER_ORDER_H

#include <lua5.4/lua.h>
#include <stdbool.h>
#include <stddef.h>

/* Order that is the same every time: of a table's keys (booleans, then numbers, then strings by their bytes) and of table.sort. Lua's own depends on
 * addresses and a random seed. source: DESIGN.md 4 (same answers, same behaviour). */

struct order_key {
	int type; /* LUA_TBOOLEAN, LUA_TNUMBER, LUA_TSTRING */
	bool is_integer;
	lua_Integer integer; /* LUA_TBOOLEAN: 0, 1 */
	lua_Number number;
	const char *text; /* the table's own: valid while the key is in it */
	size_t len;
};

struct order_keys {
	struct order_key *items;
	size_t count, capacity;
	size_t objects; /* keys that are tables, functions, ...: not in items */
};

/* The raw keys of the table at index, sorted. Uses no metamethod; rung's own hidden keys are left out. */
void order_keys_get(lua_State *L, int index, struct order_keys *out);
void order_keys_free(struct order_keys *keys);

/* Replaces pairs, next and table.sort in the globals. */
void order_open(lua_State *L);

#endif
