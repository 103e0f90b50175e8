#ifndef RUNG_POLICY_LUA_CALLS_H
#define RUNG_POLICY_LUA_CALLS_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

/* Calls of sh, ssh, http, secret, notify, runbook (and cause) that a step's Lua makes, as far as its text tells: its tokens are read, nothing runs. A call
 * through another name (`local run = sh`), in a module or with words that are computed is seen in part or not at all. */
struct lua_call {
	const char *pattern; /* the call as a capability pattern: texts, {param:x}; `*` and `**` stand for what cannot be seen */
	bool is_whole;       /* all of it could be seen */
	int line;            /* of the source, from 1 */
};

/* A query of hosts("..."), whose whole text stands there. */
struct lua_query {
	const char *text;
	bool has_options;
	int line;
};

/* cause("..."), whose whole text stands there. */
struct lua_cause {
	const char *id;
	int line;
};

struct lua_calls {
	struct lua_call *calls;
	size_t count, capacity;
	struct lua_query *queries;
	size_t query_count, query_capacity;
	struct lua_cause *causes;
	size_t cause_count, cause_capacity;
	bool has_hidden_cause; /* one that is computed */
};

/* Any text may be given; what is no Lua gives fewer calls. Lives in the arena. */
void lua_calls_find(struct arena *a, const char *source, struct lua_calls *out);

#endif
