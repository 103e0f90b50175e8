#ifndef RUNG_WORKER_MODULES_H
#define RUNG_WORKER_MODULES_H

#include <lua5.4/lua.h>

/* Compiles the embedded modules once, in the fork server: every attempt of every worker then loads them without parsing. */
void modules_prepare(void);

/* Opens what every attempt has, with the private table `rung` (at the top) as the argument: see modules/README.md, "How a module is built". */
void modules_start(lua_State *L);

/* From here on modules that are opened see the globals as they are now, and strings have the methods that they have now: the step may change its own. */
void modules_seal(lua_State *L);

/* Functions of Lua: what the embedded module with that name gives, opened now where it is not yet; nothing where there is none. The step gets a copy. */
int modules_open(lua_State *L);
int modules_open_for_step(lua_State *L);

/* Pushes the function of the workspace's module with that name, or nil: the sources came with the attempt. Raises where it does not compile. */
int modules_load(lua_State *L);

#endif
