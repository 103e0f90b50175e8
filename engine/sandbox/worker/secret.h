#ifndef RUNG_WORKER_SECRET_H
#define RUNG_WORKER_SECRET_H

#include <lua5.4/lua.h>

/* Handles of secrets: a name that a step can hand to a call. There is no value in a worker. */

/* Registers the metatable; once a state. */
void secret_open(lua_State *L);

/* Pushes the handle of that name. */
void secret_push(lua_State *L, const char *name);

/* The name of the handle at index, NULL for anything else. Borrowed from the state. */
const char *secret_name(lua_State *L, int index);

#endif
