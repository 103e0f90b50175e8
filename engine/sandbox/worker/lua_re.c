#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/text.h"
#include "sandbox/worker/limit.h"
#include "sandbox/worker/primitives.h"
#include "sandbox/worker/worker.h"

#include <lua5.4/lauxlib.h>
#include <pcre2.h>
#include <string.h>

/* re.exec: one match of a PCRE2 pattern, within limits that turn a runaway pattern into an error. No JIT: a worker may not make code. */

enum { PATTERN_BYTES_MAX = 65536, MATCH_STEPS_MAX = 5000000, MATCH_DEPTH_MAX = 100000, MATCH_HEAP_KIB_MAX = 32768, CACHED_MAX = 64 };

static const char cache_key, subject_key; /* their addresses are the registry's keys */

struct pattern {
	pcre2_code *code;
	pcre2_match_data *match;
};

static pcre2_general_context *general;
static pcre2_match_context *limits;

static void *allocate(size_t n, void *unused)
{
	(void)unused;
	return limit_other_allocate(n);
}

static void release(void *p, void *unused)
{
	(void)unused;
	limit_other_free(p);
}

static int pattern_free(lua_State *L)
{
	struct pattern *p = lua_touserdata(L, 1);
	pcre2_match_data_free(p->match);
	pcre2_code_free(p->code);
	*p = (struct pattern){0};
	return 0;
}

/* ---- patterns ---- */

static void refuse_pattern(lua_State *L, int code, size_t at)
{
	char text[200] = "";
	pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof text);
	attempt_error(L, "re: the pattern is wrong at character %d: %s", (int)at + 1, text);
}

/* Pushes the compiled pattern. */
static struct pattern *pattern_compile(lua_State *L, const char *text, size_t n, bool is_utf)
{
	int code = 0;
	size_t at = 0;
	struct pattern *p = lua_newuserdatauv(L, sizeof *p, 0);
	*p = (struct pattern){0};
	lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key);
	lua_getfield(L, -1, "metatable");
	lua_setmetatable(L, -3);
	lua_pop(L, 1);
	if (n > PATTERN_BYTES_MAX) attempt_error(L, "re: a pattern may have %d bytes", PATTERN_BYTES_MAX);
	pcre2_compile_context *context = pcre2_compile_context_create(general);
	uint32_t options = PCRE2_NEVER_BACKSLASH_C | (is_utf ? PCRE2_UTF | PCRE2_UCP : PCRE2_NEVER_UTF);
	p->code = pcre2_compile((PCRE2_SPTR)text, n, options, &code, &at, context);
	pcre2_compile_context_free(context);
	if (!p->code) refuse_pattern(L, code, at);
	p->match = pcre2_match_data_create_from_pattern(p->code, general);
	must(p->match);
	return p;
}

/* Pushes the compiled pattern of the string at index 1, from the cache where it is there: keyed by the mode's letter and the text. */
static struct pattern *pattern_get(lua_State *L, bool is_utf)
{
	size_t n;
	const char *text = lua_tolstring(L, 1, &n);
	bool utf_pattern = is_utf && text_is_utf8(text, n);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key);
	int cache = lua_gettop(L);
	lua_pushstring(L, utf_pattern ? "u" : "b");
	lua_pushvalue(L, 1);
	lua_concat(L, 2);
	lua_pushvalue(L, -1);
	if (lua_rawget(L, cache) == LUA_TUSERDATA) return lua_touserdata(L, -1);
	lua_pop(L, 1);
	struct pattern *p = pattern_compile(L, text, n, utf_pattern);
	lua_Integer count = (lua_getfield(L, cache, "count"), lua_tointeger(L, -1));
	lua_pop(L, 1);
	if (count < CACHED_MAX) {
		lua_pushinteger(L, count + 1);
		lua_setfield(L, cache, "count");
		lua_pushvalue(L, -1);
		lua_insert(L, -3);
		lua_rawset(L, cache);
	}
	return p;
}

/* Is the string at index 2 UTF-8? The last answer is kept: a loop over the matches of a long text asks again and again. */
static bool subject_is_utf8(lua_State *L, const char *s, size_t n)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &subject_key);
	lua_rawgeti(L, -1, 1);
	bool same = lua_rawequal(L, -1, 2), is_utf;
	lua_rawgeti(L, -2, 2);
	is_utf = same ? lua_toboolean(L, -1) : text_is_utf8(s, n);
	lua_pop(L, 2);
	if (!same) {
		lua_pushvalue(L, 2);
		lua_rawseti(L, -2, 1);
		lua_pushboolean(L, is_utf);
		lua_rawseti(L, -2, 2);
	}
	lua_pop(L, 1);
	return is_utf;
}

/* ---- matches ---- */

/* Pushes the captures: whole match at 0, then by number, then by name; a group that took no part is absent. */
static void push_captures(lua_State *L, const struct pattern *p, const char *subject, int count)
{
	const size_t *at = pcre2_get_ovector_pointer(p->match);
	lua_createtable(L, count, 1);
	for (int i = 0; i < count; i++) {
		if (at[2 * i] == PCRE2_UNSET) continue;
		lua_pushlstring(L, subject + at[2 * i], at[2 * i + 1] - at[2 * i]);
		lua_rawseti(L, -2, i);
	}
	uint32_t names = 0, size = 0;
	PCRE2_SPTR table = NULL;
	pcre2_pattern_info(p->code, PCRE2_INFO_NAMECOUNT, &names);
	pcre2_pattern_info(p->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	pcre2_pattern_info(p->code, PCRE2_INFO_NAMETABLE, &table);
	for (uint32_t i = 0; i < names; i++) {
		PCRE2_SPTR entry = table + i * size;
		if (lua_rawgeti(L, -1, entry[0] << 8 | entry[1]) != LUA_TNIL)
			lua_setfield(L, -2, (const char *)entry + 2);
		else
			lua_pop(L, 1);
	}
}

/* Where to look after a match that ended at end: an empty one moves on by a character. */
static size_t position_after(const char *s, size_t n, size_t start, size_t end, bool is_utf)
{
	uint32_t code;
	if (end > start || end >= n) return end > start ? end : end + 1;
	size_t step = is_utf ? text_decode(s + end, s + n, &code) : 1;
	return end + (step ? step : 1);
}

static int refuse_match(lua_State *L, int code)
{
	char text[200] = "";
	if (code == PCRE2_ERROR_MATCHLIMIT || code == PCRE2_ERROR_DEPTHLIMIT || code == PCRE2_ERROR_HEAPLIMIT || code == PCRE2_ERROR_NOMEMORY)
		return attempt_error(L, "re: the pattern takes too many steps on this text: make it simpler (nested repetitions are the usual cause)");
	pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof text);
	return attempt_error(L, "re: %s", text);
}

static int exec(lua_State *L)
{
	size_t n;
	if (!lua_isstring(L, 1) || !lua_isstring(L, 2))
		return attempt_error(L, "re: the text and the pattern must be strings, one is a %s", luaL_typename(L, lua_isstring(L, 2) ? 1 : 2));
	luaL_checkstring(L, 1);
	const char *s = luaL_checklstring(L, 2, &n);
	lua_Integer from = luaL_optinteger(L, 3, 1);
	lua_settop(L, 3);
	luaL_argcheck(L, from >= 1, 3, "a position from 1 was expected");
	if ((size_t)from > n + 1) return lua_pushnil(L), 1;
	bool is_utf = subject_is_utf8(L, s, n);
	struct pattern *p = pattern_get(L, is_utf);
	uint32_t all = 0;
	pcre2_pattern_info(p->code, PCRE2_INFO_ALLOPTIONS, &all);
	is_utf = (all & PCRE2_UTF) != 0;
	size_t offset = (size_t)from - 1;
	luaL_argcheck(L, !is_utf || offset >= n || ((unsigned char)s[offset] & 0xc0) != 0x80, 3, "the position is inside of a character");
	int count = pcre2_match(p->code, (PCRE2_SPTR)s, n, offset, is_utf ? PCRE2_NO_UTF_CHECK : 0, p->match, limits);
	if (count == PCRE2_ERROR_NOMATCH) return lua_pushnil(L), 1;
	if (count < 0) return refuse_match(L, count);
	const size_t *at = pcre2_get_ovector_pointer(p->match);
	if (at[0] > at[1]) return attempt_error(L, "re: the pattern sets a match's start behind its end");
	size_t after = position_after(s, n, at[0], at[1], is_utf);
	lua_pushinteger(L, (lua_Integer)at[0] + 1);
	lua_pushinteger(L, (lua_Integer)at[1]);
	push_captures(L, p, s, count);
	lua_pushinteger(L, (lua_Integer)after + 1);
	return 4;
}

static void contexts_make(void)
{
	if (general) return;
	general = pcre2_general_context_create(allocate, release, NULL);
	limits = pcre2_match_context_create(general);
	must(general && limits);
	pcre2_set_match_limit(limits, MATCH_STEPS_MAX);
	pcre2_set_depth_limit(limits, MATCH_DEPTH_MAX);
	pcre2_set_heap_limit(limits, MATCH_HEAP_KIB_MAX);
}

int lua_re_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"exec", exec}, {NULL, NULL}};
	contexts_make();
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &subject_key);
	lua_newtable(L);
	lua_newtable(L);
	lua_pushcfunction(L, pattern_free);
	lua_setfield(L, -2, "__gc");
	lua_setfield(L, -2, "metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
	luaL_newlib(L, functions);
	return 1;
}
