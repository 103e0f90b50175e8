#include "base/json.h"
#include "base/text.h"
#include "sandbox/worker/limit.h"
#include "sandbox/worker/plain.h"
#include "sandbox/worker/primitives.h"
#include "sandbox/worker/value.h"
#include "sandbox/worker/worker.h"

#include <lua5.4/lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One attempt: its parts, one after another, in a fresh Lua state. */

static const struct value_limits result_limits = {.depth_max = WIRE_RESULT_DEPTH_MAX, .bytes_max = WIRE_RESULT_BYTES_MAX, .bytes_as_b64 = true};

enum { LINES_MAX = 1 << 24 /* of a book */, REASON_BYTES_MAX = 64 };

/* ---- where ---- */

bool attempt_where(lua_State *L, const char **chunk, int *line)
{
	const struct worker *w = worker_of(L);
	lua_Debug ar;
	for (int level = 0; lua_getstack(L, level, &ar); level++) {
		if (!lua_getinfo(L, "Sl", &ar) || ar.source[0] != '@' || ar.currentline < 1) continue;
		for (size_t i = 0; i < w->part_count; i++)
			if (strcmp(ar.source + 1, w->parts[i].chunk) == 0) {
				*chunk = w->parts[i].chunk;
				*line = ar.currentline;
				return true;
			}
	}
	return false;
}

int attempt_error(lua_State *L, const char *fmt, ...)
{
	const char *chunk;
	int line;
	va_list ap;
	if (attempt_where(L, &chunk, &line))
		lua_pushfstring(L, "%s:%d: ", chunk, line);
	else
		lua_pushliteral(L, "");
	va_start(ap, fmt);
	lua_pushvfstring(L, fmt, ap);
	va_end(ap);
	lua_concat(L, 2);
	return lua_error(L);
}

/* "runbooks/x.md:12: what" as Lua writes it: the line, and what stands after it; 0 where the text is not of a part. */
static int prefix_line(const struct worker *w, const char *text, const char **chunk, const char **rest)
{
	for (size_t i = 0; i < w->part_count; i++) {
		const char *name = w->parts[i].chunk;
		size_t n = strlen(name);
		char shortened[LUA_IDSIZE];
		/* A name that is too long keeps its end, after three dots. */
		if (n + 1 > LUA_IDSIZE)
			snprintf(shortened, sizeof shortened, "...%s", name + n - (LUA_IDSIZE - 1 - 3));
		else
			snprintf(shortened, sizeof shortened, "%s", name);
		size_t len = strlen(shortened);
		if (strncmp(text, shortened, len) != 0 || text[len] != ':') continue;
		char *end;
		long line = strtol(text + len + 1, &end, 10);
		if (line < 1 || line > LINES_MAX || strncmp(end, ": ", 2) != 0) continue;
		*chunk = name;
		*rest = end + 2;
		return (int)line;
	}
	return 0;
}

/* What stands after "modules/re/re.lua:8: ": the line of a module that ships with rung is not the author's matter. */
static const char *without_module(const char *text)
{
	char name[64];
	int end = 0;
	if (sscanf(text, "modules/%63[a-z_]/%*[a-z_].lua:%*d: %n", name, &end) != 1 || end == 0) return text;
	return text + end;
}

/* ---- what is said at the end ---- */

/* Text of a step as a JSON string: cut, UTF-8, nothing in it that could steer a terminal. */
static json_t *said(const char *text, size_t n)
{
	struct buf b;
	if (n > WORKER_TEXT_BYTES_MAX) n = WORKER_TEXT_BYTES_MAX;
	buf_init(&b, n * 4 + 8);
	text_visible(&b, text, n, TEXT_KEEP_NEWLINE | TEXT_KEEP_TAB);
	json_t *s = json_stringn(b.data ? b.data : "", b.len);
	buf_clear(&b);
	return s;
}

static void add_at(json_t *end, const char *chunk, int line)
{
	json_object_set_new(end, "at", json_pack("{s:s,s:i}", "chunk", chunk, "line", line));
}

json_t *attempt_failure(struct worker *w, lua_State *L, const char *kind, const char *why)
{
	const char *chunk;
	int line;
	json_t *end = json_pack("{s:s,s:s,s:s,s:o}", "t", "end", "outcome", "failed", "kind", kind, "why", said(why, strlen(why)));
	if (w->part_now < w->part_count) json_object_set_new(end, "part", json_string(w->parts[w->part_now].role_name));
	if (L && attempt_where(L, &chunk, &line)) add_at(end, chunk, line);
	return end;
}

void attempt_add_trace(json_t *end, lua_State *L, int level)
{
	size_t n;
	luaL_traceback(L, L, NULL, level);
	const char *trace = lua_tolstring(L, -1, &n);
	json_object_set_new(end, "trace", said(trace, n));
	lua_pop(L, 1);
}

/* ---- errors that nobody caught ---- */

static const char *field(lua_State *L, const char *name)
{
	lua_pushstring(L, name);
	lua_rawget(L, 1);
	return lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
}

static lua_Integer integer_field(lua_State *L, const char *name)
{
	lua_pushstring(L, name);
	lua_rawget(L, 1);
	return lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
}

/* The part whose chunk has that name; NULL: none. */
static const struct part *part_of(const struct worker *w, const char *chunk)
{
	for (size_t i = 0; chunk && i < w->part_count; i++)
		if (strcmp(w->parts[i].chunk, chunk) == 0) return &w->parts[i];
	return NULL;
}

/* What rung's modules raise: "limit" and the like are the worker's own to say. */
static bool is_kind(const char *kind)
{
	static const char *const kinds[] = {"call", "fail", "expect", "skip", "go"};
	for (size_t i = 0; kind && i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kind, kinds[i]) == 0) return true;
	return false;
}

/* An error of rung's own: its fields say everything, as long as the step that caught it has left them what they were. Strings stay on the stack while they
 * are used. */
static json_t *failure_of_error(lua_State *L, struct worker *w)
{
	const char *kind = field(L, "kind"), *why = field(L, "why"), *to = field(L, "to"), *chunk = field(L, "chunk");
	json_t *end = attempt_failure(w, L, is_kind(kind) ? kind : "lua", why ? why : "");
	lua_Integer line = integer_field(L, "line"), call = integer_field(L, "call");
	if (part_of(w, chunk) && line >= 1 && line <= LINES_MAX) add_at(end, chunk, (int)line);
	if (call >= 1 && call <= w->calls) json_object_set_new(end, "call", json_integer(call));
	const char *reason = field(L, "reason");
	if (reason) json_object_set_new(end, "reason", said(reason, strnlen(reason, REASON_BYTES_MAX)));
	if (kind && strcmp(kind, "skip") == 0) json_object_set_new(end, "outcome", json_string("skipped"));
	if (kind && strcmp(kind, "go") == 0 && to) {
		json_object_set_new(end, "outcome", json_string("go"));
		json_object_set_new(end, "to", said(to, strlen(to)));
	}
	return end;
}

/* Anything else that was raised: a string of Lua's with its line, or what the step gave to error(). */
static json_t *failure_of_value(lua_State *L, struct worker *w)
{
	const char *chunk, *rest, *text;
	size_t n;
	struct error e;
	if (lua_istable(L, 1) && !luaL_getmetafield(L, 1, "__tostring")) {
		json_t *v = value_get(L, 1, &result_limits, "the error", &e);
		char *dump = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
		json_t *end = attempt_failure(w, L, "lua", dump ? dump : "an error that is a table");
		limit_other_free(dump);
		json_decref(v);
		return end;
	}
	text = plain_tostring(L, 1, &n);
	int line = prefix_line(w, text, &chunk, &rest);
	json_t *end = attempt_failure(w, L, "lua", line ? rest : without_module(text));
	if (line) add_at(end, chunk, line);
	return end;
}

/* The message handler of every part: the stack is still there. Its answer is a light userdata with the "end". */
static int on_error(lua_State *L)
{
	struct worker *w = worker_of(L);
	lua_settop(L, 1);
	json_t *end = primitives_is_error(L, 1) ? failure_of_error(L, w) : failure_of_value(L, w);
	if (w->branch_trace && w->branch_error == lua_topointer(L, 1))
		json_object_set_new(end, "trace", said(w->branch_trace, strlen(w->branch_trace)));
	else
		attempt_add_trace(end, L, 1);
	lua_pushlightuserdata(L, end);
	return 1;
}

/* The "end" of a pcall that failed, popped. */
static json_t *failure_take(lua_State *L, struct worker *w)
{
	json_t *end = NULL;
	if (lua_type(L, -1) == LUA_TLIGHTUSERDATA)
		end = lua_touserdata(L, -1);
	else
		end = attempt_failure(w, NULL, "lua", lua_isstring(L, -1) ? lua_tostring(L, -1) : "an error while handling an error");
	lua_pop(L, 1);
	return end;
}

/* ---- parts ---- */

struct pieces {
	const struct part *part;
	int newlines;
	int state;
};

/* Feeds Lua newlines up to the part's first line, so that its own counting gives the book's lines; then the source, an expression between "return (" and ")":
 * one value, and no tail call, which would forget the line. */
static const char *next_piece(lua_State *L, void *data, size_t *size)
{
	static const char newlines[] =
	    "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n";
	struct pieces *p = data;
	bool is_expression = p->part->role == PART_IF || p->part->role == PART_EXPRESSION;
	const char *piece = NULL;
	(void)L;
	if (p->newlines > 0) {
		*size = p->newlines < (int)sizeof newlines - 1 ? (size_t)p->newlines : sizeof newlines - 1;
		p->newlines -= (int)*size;
		return newlines;
	}
	switch (p->state++) {
	case 0:
		piece = is_expression ? "return (" : " ";
		break;
	case 1:
		*size = p->part->bytes;
		if (*size > 0) return p->part->source;
		piece = " ";
		break;
	case 2:
		piece = is_expression ? "\n)" : NULL;
		break; /* the expression may end with a comment */
	default:
		break;
	}
	*size = piece ? strlen(piece) : 0;
	return piece;
}

static int load_parts(lua_State *L)
{
	struct worker *w = worker_of(L);
	environment_open(L, w);
	lua_createtable(L, (int)w->part_count, 0);
	for (w->part_now = 0; w->part_now < w->part_count; w->part_now++) {
		const struct part *p = &w->parts[w->part_now];
		if (p->bytes > WIRE_SOURCE_BYTES_MAX)
			return luaL_error(L, "a fence may have %d KiB of Lua, this one has %d: move what is common into a module", WIRE_SOURCE_BYTES_MAX >> 10,
			                  (int)(p->bytes >> 10));
		struct pieces pieces = {.part = p, .newlines = p->line - 1};
		lua_pushfstring(L, "@%s", p->chunk);
		if (lua_load(L, next_piece, &pieces, lua_tostring(L, -1), "t") != LUA_OK) return lua_error(L);
		lua_rawseti(L, -3, (lua_Integer)w->part_now + 1);
		lua_pop(L, 1);
	}
	return 1;
}

/* The value at the top as the result; NULL with *end where it cannot be one. */
static json_t *result_get(lua_State *L, struct worker *w, json_t **end)
{
	struct error e;
	json_t *v = value_get(L, -1, &result_limits, "result", &e);
	if (v && json_dumpb(v, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) > WIRE_RESULT_BYTES_MAX) {
		json_decref(v);
		v = NULL;
		error_set(&e, ERR_TOO_BIG, "result is larger than %d KiB as JSON", WIRE_RESULT_BYTES_MAX >> 10);
	}
	if (v) return v;
	*end = attempt_failure(w, NULL, "result", e.text);
	const struct part *p = &w->parts[w->part_now];
	add_at(*end, p->chunk, p->line);
	return NULL;
}

/* What the part's value (at the top) means. Gives the "end" where the attempt is over; else keeps the result. */
static json_t *part_done(lua_State *L, struct worker *w, json_t **result)
{
	const struct part *p = &w->parts[w->part_now];
	json_t *end = NULL;
	if (p->role == PART_VERIFY && lua_isboolean(L, -1) && !lua_toboolean(L, -1)) {
		end = attempt_failure(w, NULL, "verify", "the verification returned false");
		add_at(end, p->chunk, p->line);
		return end;
	}
	if (p->role == PART_VERIFY && *result) return NULL;
	*result = result_get(L, w, &end);
	if (end) return end;
	value_push(L, *result, VALUE_READ_ONLY | VALUE_BYTES);
	lua_setglobal(L, "result");
	return NULL;
}

static json_t *run_parts(lua_State *L, struct worker *w)
{
	json_t *end = NULL, *result = NULL;
	lua_pushcfunction(L, on_error);
	lua_pushcfunction(L, load_parts);
	if (lua_pcall(L, 0, 1, 1) != LUA_OK) return failure_take(L, w);
	for (w->part_now = 0; w->part_now < w->part_count && !end; w->part_now++) {
		enum part_role role = w->parts[w->part_now].role;
		w->may_call = role == PART_ACTION || role == PART_VERIFY;
		lua_rawgeti(L, 2, (lua_Integer)w->part_now + 1);
		end = lua_pcall(L, 0, 1, 1) == LUA_OK ? part_done(L, w, &result) : failure_take(L, w);
		lua_settop(L, 2);
	}
	if (!end) end = json_pack("{s:s,s:s,s:O}", "t", "end", "outcome", "succeeded", "value", result);
	json_decref(result);
	return end;
}

void attempt_run(struct worker *w)
{
	w->may_call = false;
	w->running = NULL;
	lua_State *L = lua_newstate(limit_allocate, w);
	if (!L) _exit(1);
	memcpy(lua_getextraspace(L), &w, sizeof w);
	w->running = L;
	limit_start(w);
	json_t *end = run_parts(L, w);
	limit_stop(w);
	lua_close(L);
	worker_say(w, end);
	worker_flush(w);
}
