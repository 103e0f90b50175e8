#include "sandbox/worker/primitives.h"
#include "base/json.h"
#include "sandbox/worker/limit.h"
#include "sandbox/worker/modules.h"
#include "sandbox/worker/secret.h"
#include "sandbox/worker/value.h"
#include "sandbox/worker/worker.h"

#include <lua5.4/lauxlib.h>
#include <stdlib.h>
#include <string.h>

static const char error_mark, ends_mark; /* their addresses are keys: of the registry, of an error's table */

/* ---- errors ---- */

bool primitives_is_error(lua_State *L, int index)
{
	if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index)) return false;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &error_mark);
	bool same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same;
}

/* "runbooks/x.md:12: why", as Lua's own errors. */
static int error_tostring(lua_State *L)
{
	lua_settop(L, 1);
	lua_getfield(L, 1, "chunk");
	lua_getfield(L, 1, "line");
	lua_getfield(L, 1, "why");
	const char *why = lua_isstring(L, 4) ? lua_tostring(L, 4) : "an error";
	if (lua_isstring(L, 2) && lua_isinteger(L, 3))
		lua_pushfstring(L, "%s:%I: %s", lua_tostring(L, 2), (LUAI_UACINT)lua_tointeger(L, 3), why);
	else
		lua_pushstring(L, why);
	return 1;
}

/* rung.error(fields): the table becomes an error, with the place in the book where the step is now. Not raised. What ends the attempt is marked under a
 * key that no step can write, since a to-be-closed variable gets to see the table. */
static int rung_error(lua_State *L)
{
	const char *chunk;
	int line;
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	if (attempt_where(L, &chunk, &line)) {
		lua_pushstring(L, chunk);
		lua_setfield(L, 1, "chunk");
		lua_pushinteger(L, line);
		lua_setfield(L, 1, "line");
	}
	if (lua_getfield(L, 1, "ends") == LUA_TBOOLEAN) lua_rawsetp(L, 1, &ends_mark);
	lua_settop(L, 1);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &error_mark);
	lua_setmetatable(L, 1);
	return 1;
}

/* rung.ends(value): is it what skip and go raise, which no pcall keeps? */
static int rung_ends(lua_State *L)
{
	lua_pushboolean(L, primitives_is_error(L, 1) && lua_rawgetp(L, 1, &ends_mark) == LUA_TBOOLEAN);
	return 1;
}

/* rung.keep_trace(co, error): of a branch that ended with an error, while its stack is there. */
static int rung_keep_trace(lua_State *L)
{
	struct worker *w = worker_of(L);
	lua_State *co = lua_tothread(L, 1);
	luaL_argcheck(L, co != NULL, 1, "a thread");
	luaL_traceback(L, co, NULL, 0);
	free(w->branch_trace);
	w->branch_trace = strdup(lua_tostring(L, -1));
	w->branch_error = lua_topointer(L, 2);
	return 0;
}

/* rung.raise(why): an error with the place in the book before it. */
static int rung_raise(lua_State *L)
{
	return attempt_error(L, "%s", luaL_checkstring(L, 1));
}

static int exported_done(lua_State *L, int status, lua_KContext context)
{
	(void)status, (void)context;
	return lua_gettop(L);
}

static int exported(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, exported_done);
	return lua_gettop(L);
}

int primitives_export(lua_State *L)
{
	luaL_checktype(L, -1, LUA_TFUNCTION);
	if (!lua_iscfunction(L, -1)) lua_pushcclosure(L, exported, 1);
	return 1;
}

/* ---- calls ---- */

static void check_may_call(lua_State *L, struct worker *w)
{
	if (!w->may_call) attempt_error(L, "an expression (if, each, targets) looks at params, steps and alert only and may make no call");
	if (w->calls >= WIRE_CALLS_MAX) attempt_error(L, "this attempt has made %d calls already, which is the most that one may", WIRE_CALLS_MAX);
}

/* rung.secret(name): the handle. */
static int rung_secret(lua_State *L)
{
	secret_push(L, luaL_checkstring(L, 1));
	return 1;
}

/* rung.is_secret(value) */
static int rung_is_secret(lua_State *L)
{
	lua_pushboolean(L, secret_name(L, 1) != NULL);
	return 1;
}

/* The table at index as JSON; NULL with e filled. The modules say where a secret may stand. */
static json_t *plain_argument(lua_State *L, int index, const char *name, struct error *e)
{
	static const struct value_limits limits = {
	    .depth_max = WIRE_RESULT_DEPTH_MAX, .bytes_max = WORKER_ARGUMENTS_BYTES_MAX, .bytes_as_b64 = true, .has_secrets = true};
	json_t *v = value_get(L, index, &limits, name, e);
	/* An empty table is an object here: arguments and options have names. */
	if (json_is_array(v) && json_array_size(v) == 0) json_decref(v), v = json_object();
	return v;
}

/* rung.send(module, function, arguments, options): says the call, gives its number. */
static int rung_send(lua_State *L)
{
	struct error e;
	struct worker *w = worker_of(L);
	const char *module = luaL_checkstring(L, 1), *function = luaL_checkstring(L, 2);
	check_may_call(L, w);
	json_t *arguments = plain_argument(L, 3, module, &e), *options = arguments ? plain_argument(L, 4, "options", &e) : NULL;
	size_t bytes = json_dumpb(arguments, NULL, 0, JSON_COMPACT);
	if (options && bytes > WORKER_ARGUMENTS_BYTES_MAX) {
		error_set(&e, ERR_TOO_BIG, "%s: the arguments of one call may have %d KiB, these have %zu: pass large data in a file", module,
		          WORKER_ARGUMENTS_BYTES_MAX >> 10, bytes >> 10);
		json_decref(options);
		options = NULL;
	}
	if (!options) {
		json_decref(arguments);
		return attempt_error(L, "%s", e.text);
	}
	w->calls++;
	w->open++;
	w->is_open[w->calls / 8] |= (unsigned char)(1 << w->calls % 8);
	const char *part = w->part_now < w->part_count ? w->parts[w->part_now].role_name : "action";
	worker_say(w, json_pack("{s:s,s:I,s:s,s:s,s:s,s:o,s:o}", "t", "call", "c", (json_int_t)w->calls, "part", part, "module", module, "function", function,
	                        "arguments", arguments, "options", options));
	lua_pushinteger(L, w->calls);
	return 1;
}

/* rung.answer(): waits for the next answer and gives its call's number. */
static int rung_answer(lua_State *L)
{
	struct worker *w = worker_of(L);
	worker_read_answer(w);
	lua_pushinteger(L, w->answer);
	return 1;
}

/* rung.take(): the answer that was read last: true and its value (with stdout and stderr where there are), or false, kind and why. */
static int rung_take(lua_State *L)
{
	struct worker *w = worker_of(L);
	const json_t *head = w->frame.head;
	bool ok = json_bool(head, "ok", false);
	lua_pushboolean(L, ok);
	if (!ok) {
		lua_pushstring(L, json_str(head, "kind", "failed"));
		lua_pushstring(L, json_str(head, "why", "the call failed"));
		return 3;
	}
	value_push(L, json_object_get(head, "value"), VALUE_BYTES);
	if (lua_istable(L, -1) && json_object_get(head, "stdout")) {
		size_t out = (size_t)json_int(head, "stdout", 0), err = (size_t)json_int(head, "stderr", 0);
		lua_pushlstring(L, w->frame.payload, out);
		lua_setfield(L, -2, "stdout");
		lua_pushlstring(L, w->frame.payload + out, err);
		lua_setfield(L, -2, "stderr");
	}
	return 2;
}

/* ---- threads ---- */

static int rung_create(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_State *co = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	return 1;
}

static lua_State *thread_at(lua_State *L, int index)
{
	lua_State *co = lua_tothread(L, index);
	luaL_argexpected(L, co, index, "coroutine");
	return co;
}

static const char *thread_status(lua_State *L, lua_State *co)
{
	lua_Debug ar;
	if (L == co) return "running";
	if (lua_status(co) == LUA_YIELD) return "suspended";
	if (lua_status(co) != LUA_OK) return "dead";
	if (lua_getstack(co, 0, &ar)) return "normal";
	return lua_gettop(co) == 0 ? "dead" : "suspended";
}

static int rung_status(lua_State *L)
{
	lua_pushstring(L, thread_status(L, thread_at(L, 1)));
	return 1;
}

/* rung.resume(co, ...): true and what it yielded or returned, or false and the error. */
static int rung_resume(lua_State *L)
{
	lua_State *co = thread_at(L, 1);
	int arguments = lua_gettop(L) - 1, results = 0;
	const char *status = thread_status(L, co);
	if (strcmp(status, "suspended") != 0 || !lua_checkstack(co, arguments)) {
		lua_pushboolean(L, false);
		lua_pushfstring(L, "cannot resume %s coroutine", strcmp(status, "suspended") ? status : "a too large");
		return 2;
	}
	lua_xmove(L, co, arguments);
	int outcome = limit_resume(L, co, arguments, &results);
	bool ok = outcome == LUA_OK || outcome == LUA_YIELD;
	if (!ok) results = 1;
	luaL_checkstack(L, results + 1, "too many results to resume");
	lua_pushboolean(L, ok);
	lua_xmove(co, L, results);
	return results + 1;
}

static int rung_yield(lua_State *L)
{
	return lua_yield(L, lua_gettop(L));
}

static int rung_running(lua_State *L)
{
	lua_pushboolean(L, lua_pushthread(L));
	return 2;
}

static int rung_can_yield(lua_State *L)
{
	lua_pushboolean(L, lua_isyieldable(L));
	return 1;
}

/* rung.close(co): runs its to-be-closed variables; true, or false and the error. */
static int rung_close(lua_State *L)
{
	lua_State *co = thread_at(L, 1);
	const char *status = thread_status(L, co);
	if (strcmp(status, "suspended") != 0 && strcmp(status, "dead") != 0) return luaL_error(L, "cannot close a %s coroutine", status);
	struct worker *w = worker_of(L);
	w->running = co;
	int outcome = lua_resetthread(co);
	w->running = L;
	lua_pushboolean(L, outcome == LUA_OK);
	if (outcome == LUA_OK) return 1;
	lua_xmove(co, L, 1);
	return 2;
}

static const luaL_Reg functions[] = {
    {"error", rung_error},         {"ends", rung_ends},           {"keep_trace", rung_keep_trace}, {"raise", rung_raise},
    {"export", primitives_export}, {"send", rung_send},           {"answer", rung_answer},         {"take", rung_take},
    {"create", rung_create},       {"status", rung_status},       {"resume", rung_resume},         {"yield", rung_yield},
    {"secret", rung_secret},       {"is_secret", rung_is_secret}, {"running", rung_running},       {"can_yield", rung_can_yield},
    {"close", rung_close},         {"load", modules_load},        {"open", modules_open},          {"open_for_step", modules_open_for_step},
    {"open_json", lua_json_open},  {"open_re", lua_re_open},      {"open_yaml", lua_yaml_open},    {NULL, NULL},
};

void primitives_push(lua_State *L)
{
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, error_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &error_mark);
	lua_createtable(L, 0, 48);
	luaL_setfuncs(L, functions, 0);
	helpers_add(L);
}
