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

/* Each pushes a library's table. */
void lua_json_push(lua_State *L);
void lua_re_push(lua_State *L);
void lua_yaml_push(lua_State *L);

#endif
