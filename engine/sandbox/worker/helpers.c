#include "base/clock.h"
#include "base/text.h"
#include "sandbox/worker/primitives.h"
#include "sandbox/worker/worker.h"

#include <lua5.4/lauxlib.h>
#include <string.h>

/* Small things that rung's modules get in the private table: time, durations, text, log lines. */

static int rung_now_us(lua_State *L)
{
	lua_pushinteger(L, worker_of(L)->now_us);
	return 1;
}

static int rung_rfc3339(lua_State *L)
{
	char text[CLOCK_RFC3339_BYTES];
	lua_Integer us = luaL_checkinteger(L, 1);
	/* Years 0000 to 9999: what the form has room for. */
	luaL_argcheck(L, us >= INT64_C(-62167219200000000) && us < INT64_C(253402300800000000), 1, "a time between the years 0 and 9999 was expected");
	clock_rfc3339(text, us);
	lua_pushstring(L, text);
	return 1;
}

static int rung_parse_time(lua_State *L)
{
	int64_t us;
	const char *text = luaL_checkstring(L, 1);
	if (clock_parse_rfc3339(text, &us) || clock_parse_date(text, &us))
		lua_pushinteger(L, us);
	else
		lua_pushnil(L);
	return 1;
}

static int rung_duration_words(lua_State *L)
{
	struct buf b;
	buf_init(&b, 64);
	clock_duration_words(&b, luaL_checkinteger(L, 1));
	lua_pushlstring(L, b.data, b.len);
	buf_clear(&b);
	return 1;
}

static int rung_visible(lua_State *L)
{
	size_t n;
	const char *s = luaL_checklstring(L, 1, &n);
	struct buf b;
	buf_init(&b, n * 4 + 8);
	text_visible(&b, s, n, TEXT_KEEP_NEWLINE | TEXT_KEEP_TAB);
	lua_pushlstring(L, b.data ? b.data : "", b.len);
	buf_clear(&b);
	return 1;
}

/* rung.log(level, text): said at once, so that it is there when the step ends badly. */
static int rung_log(lua_State *L)
{
	size_t n;
	struct worker *w = worker_of(L);
	const char *level = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &n);
	struct buf b;
	if (n > WORKER_TEXT_BYTES_MAX) n = WORKER_TEXT_BYTES_MAX;
	buf_init(&b, n * 4 + 8);
	/* What is not UTF-8, and what could steer a terminal, is made visible; a cut code point becomes <hex>. */
	text_visible(&b, text, n, TEXT_KEEP_NEWLINE | TEXT_KEEP_TAB);
	worker_say(w, json_pack("{s:s,s:s,s:s#}", "t", "log", "level", level, "text", b.data ? b.data : "", (int)b.len));
	buf_clear(&b);
	worker_flush(w);
	return 0;
}

/* rung.shorten(text, n): one line of at most n bytes, cut between characters. */
static int rung_shorten(lua_State *L)
{
	size_t n, most = (size_t)luaL_checkinteger(L, 2), kept;
	const char *s = luaL_checklstring(L, 1, &n);
	struct buf b;
	buf_init(&b, n + 4);
	for (kept = 0; kept < n && b.len <= most; kept++) {
		bool is_space = s[kept] == ' ' || (s[kept] >= '\t' && s[kept] <= '\r');
		if (!is_space)
			buf_char(&b, s[kept]);
		else if (b.len == 0 || b.data[b.len - 1] != ' ')
			buf_char(&b, ' ');
	}
	if (b.len > most) {
		size_t end = most;
		while (end > 0 && ((unsigned char)b.data[end] & 0xc0) == 0x80) end--;
		lua_pushlstring(L, b.data, end);
		lua_pushliteral(L, "...");
		lua_concat(L, 2);
	} else {
		lua_pushlstring(L, b.data ? b.data : "", b.len);
	}
	buf_clear(&b);
	return 1;
}

/* rung.microseconds(what, value): of "30s" or a number of seconds; raises an error that begins with what. */
static int rung_microseconds(lua_State *L)
{
	const char *what = luaL_checkstring(L, 1);
	const double most = 3e8;
	int64_t us;
	struct error e;
	if (lua_type(L, 2) == LUA_TNUMBER && lua_tonumber(L, 2) > 0 && lua_tonumber(L, 2) < most)
		return lua_pushinteger(L, (lua_Integer)(lua_tonumber(L, 2) * 1e6)), 1;
	if (lua_type(L, 2) != LUA_TSTRING) return attempt_error(L, "%s: a duration such as \"30s\" or a number of seconds was expected", what);
	if (clock_parse_duration(lua_tostring(L, 2), &us, &e) != ERR_OK) return attempt_error(L, "%s: %s", what, e.text);
	lua_pushinteger(L, us);
	return 1;
}

void helpers_add(lua_State *L)
{
	static const luaL_Reg functions[] = {
	    {"now_us", rung_now_us},
	    {"microseconds", rung_microseconds},
	    {"rfc3339", rung_rfc3339},
	    {"parse_time", rung_parse_time},
	    {"duration_words", rung_duration_words},
	    {"visible", rung_visible},
	    {"shorten", rung_shorten},
	    {"log", rung_log},
	    {NULL, NULL},
	};
	luaL_setfuncs(L, functions, 0);
}
