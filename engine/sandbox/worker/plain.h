#ifndef RUNG_WORKER_PLAIN_H
#define RUNG_WORKER_PLAIN_H

#include <lua5.4/lua.h>

/* Text without addresses: tostring, string.format and print of a table say "table", not where it lies, which differs from run to run. */

/* Pushes the value at index as a string; honours __tostring and __name. */
const char *plain_tostring(lua_State *L, int index, size_t *len);

/* Replaces tostring and string.format in the globals. */
void plain_open(lua_State *L);

#endif
