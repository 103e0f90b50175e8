#ifndef RUNG_WORKER_LIMIT_H
#define RUNG_WORKER_LIMIT_H

#include "sandbox/worker/worker.h"

#include <lua5.4/lua.h>

/* Limits of an attempt: memory and CPU time. Reaching one says so to the engine and ends the process, so that there is nothing to catch and nothing
 * that runs on: no pcall, message handler, __close or coroutine sees it. source: DESIGN.md 2, 4. */

/* A Lua allocator that counts; ud is the worker. */
void *limit_allocate(void *ud, void *p, size_t old_bytes, size_t new_bytes);

/* Starts and stops counting an attempt's CPU time. */
void limit_start(struct worker *w);
void limit_stop(struct worker *w);

/* Once, before the process is confined: the timer's signal, and jansson's memory. */
void limit_prepare(void);

/* Memory of jansson and PCRE2, which is outside of Lua's count. Over its cap, or where the host has none, the attempt ends as by any limit: what they make of a
 * NULL could be caught, or be a value with something left out. Never NULL. */
void *limit_other_allocate(size_t n);
void limit_other_free(void *p);

/* Ends the process so: for what allocates by itself, as libyaml does. In an attempt the engine is told, behind what was said before. */
_Noreturn void limit_out_of_memory(void);

/* Resumes co on behalf of L, so that a limit finds the running thread. As lua_resume. */
int limit_resume(lua_State *L, lua_State *co, int arguments, int *results);

#endif
