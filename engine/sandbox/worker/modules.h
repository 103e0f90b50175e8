#ifndef RUNG_WORKER_MODULES_H
#define RUNG_WORKER_MODULES_H

#include <lua5.4/lua.h>

/* Compiles the embedded modules once, in the fork server: every attempt of every worker then loads them without parsing. */
void modules_prepare(void);

/* Runs every embedded module in L, each with the private table `rung` (at index) as its argument: see modules/README.md, "How a module is built". */
void modules_open(lua_State *L, int index);

/* Pushes the function of the workspace's module with that name, or nil: the sources came with the attempt. Raises where it does not compile. */
int modules_load(lua_State *L);

#endif
