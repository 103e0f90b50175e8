#ifndef RUNG_WORKER_VALUE_H
#define RUNG_WORKER_VALUE_H

#include "base/error.h"

#include <jansson.h>
#include <lua5.4/lua.h>
#include <stdbool.h>

/* Between Lua's values and JSON. In Lua, an array that came from JSON carries a mark (a metatable), so that an empty one goes out as [] again; null is
 * dropped from objects and is json.null in arrays. source: DESIGN.md 4. */

enum value_flags {
	VALUE_PLAIN = 0,
	VALUE_READ_ONLY = 1, /* tables refuse assignment, all the way down */
	VALUE_BYTES = 2,     /* an object {"b64": ...} becomes the string that it stands for */
	VALUE_SECRETS = 4    /* an object {"secret": name} becomes the handle of that name */
};

/* Registers the metatables; once a state. */
void value_open(lua_State *L);

/* Pushes v. */
void value_push(lua_State *L, const json_t *v, int flags);

struct value_limits {
	size_t depth_max;
	size_t bytes_max;  /* estimated while walking, so that a small table that is mentioned many times cannot grow without bound */
	bool bytes_as_b64; /* strings that are not UTF-8 become {"b64"}; else they are refused */
	bool has_secrets;  /* handles become {"secret": name}; else they are refused */
};

/* The value at index as JSON; NULL with e filled by a sentence that names the path, which begins with name: "result.disks[3] is a function". */
json_t *value_get(lua_State *L, int index, const struct value_limits *limits, const char *name, struct error *e);

/* Replaces the table at the top by itself marked as an array. */
void value_mark_array(lua_State *L);

/* Is the table at index marked as an array? */
bool value_is_array(lua_State *L, int index);

/* For a read-only table at index, pushes the table behind it and returns true; pushes nothing otherwise. */
bool value_behind(lua_State *L, int index);

#endif
