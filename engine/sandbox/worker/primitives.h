#ifndef RUNG_WORKER_PRIMITIVES_H
#define RUNG_WORKER_PRIMITIVES_H

#include <lua5.4/lua.h>
#include <stdbool.h>

/* Pushes the table that rung's own modules get, and no step ever sees: the calls to the engine, threads, errors, and the libraries in C.
 * modules/README.md lists it. */
void primitives_push(lua_State *L);

/* Puts a function of C around the function of Lua at the top, through which a step calls it. `return sh{"x"}` is a tail call: Lua would forget the line of
 * the book for a function of its own, but keeps it below a function of C. */
int primitives_export(lua_State *L);

/* Is the value at index an error of rung's own (made by rung.error)? */
bool primitives_is_error(lua_State *L, int index);

/* Adds the helpers (helpers.c) to the private table at the top. */
void helpers_add(lua_State *L);

/* Functions of Lua, each of which makes a library's table: only where a step uses it. */
int lua_json_open(lua_State *L);
int lua_re_open(lua_State *L);
int lua_yaml_open(lua_State *L);

#endif
