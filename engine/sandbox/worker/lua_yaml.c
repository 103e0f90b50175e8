#include "base/error.h"
#include "base/text.h"
#include "sandbox/worker/limit.h"
#include "sandbox/worker/primitives.h"
#include "sandbox/worker/value.h"

#include <errno.h>
#include <lua5.4/lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* yaml.decode and yaml.decode_all: YAML 1.2's core schema over libyaml's events ("yes" is a string). libyaml takes time that grows faster than its input
 * on nested flow, so depth and size are judged before it sees the text. source: DESIGN.md 10; https://yaml.org/spec/1.2.2 section 10.3. */

enum { TEXT_BYTES_MAX = 1 << 20, DEPTH_MAX = 64 };

struct reader {
	lua_State *L;
	yaml_parser_t parser;
	yaml_event_t event;
	int anchors; /* stack index of the table from name to value */
	int depth;
	struct error e;
};

/* Brackets inside of strings count too: a text with 64 that are never closed is refused, which no configuration file is. */
static bool too_deep(const char *s, size_t n)
{
	int depth = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '[' || s[i] == '{')
			depth++;
		else if ((s[i] == ']' || s[i] == '}') && depth > 0)
			depth--;
		if (depth > DEPTH_MAX) return true;
	}
	return false;
}

static bool refuse(struct reader *r, const char *what, const yaml_mark_t *at)
{
	error_set(&r->e, ERR_INVALID, "yaml: line %d, column %d: %s", (int)at->line + 1, (int)at->column + 1, what);
	return false;
}

static bool next(struct reader *r)
{
	yaml_event_delete(&r->event);
	if (yaml_parser_parse(&r->parser, &r->event)) return true;
	memset(&r->event, 0, sizeof r->event);
	if (r->parser.error == YAML_MEMORY_ERROR) limit_out_of_memory();
	return refuse(r, r->parser.problem ? r->parser.problem : "not YAML", &r->parser.problem_mark);
}

/* ---- scalars ---- */

static bool is_one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(s, *words) == 0) return true;
	return false;
}

static bool push_integer(lua_State *L, const char *s)
{
	char *end;
	int base = strncmp(s, "0x", 2) == 0 ? 16 : strncmp(s, "0o", 2) == 0 ? 8 : 10;
	const char *digits = base == 10 ? s + (*s == '-' || *s == '+') : s + 2;
	if (*digits == 0 || digits[strspn(digits, base == 16 ? "0123456789abcdefABCDEF" : base == 8 ? "01234567" : "0123456789")]) return false;
	errno = 0;
	long long v = strtoll(base == 10 ? s : digits, &end, base);
	if (errno != 0) return false;
	lua_pushinteger(L, v);
	return true;
}

static bool push_float(lua_State *L, const char *s)
{
	static const char *const infinite[] = {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", NULL}, *const negative[] = {"-.inf", "-.Inf", "-.INF", NULL},
	                         *const not_number[] = {".nan", ".NaN", ".NAN", NULL};
	char *end;
	if (is_one_of(s, infinite)) return lua_pushnumber(L, HUGE_VAL), true;
	if (is_one_of(s, negative)) return lua_pushnumber(L, -HUGE_VAL), true;
	if (is_one_of(s, not_number)) return lua_pushnumber(L, (lua_Number)NAN), true;
	if (s[strspn(s, "+-.0123456789eE")] || !s[strcspn(s, "0123456789")]) return false;
	double v = strtod(s, &end);
	if (*end) return false;
	lua_pushnumber(L, v);
	return true;
}

static void push_scalar(struct reader *r)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL}, *const yes[] = {"true", "True", "TRUE", NULL},
	                         *const no[] = {"false", "False", "FALSE", NULL};
	const char *s = (const char *)r->event.data.scalar.value, *tag = (const char *)r->event.data.scalar.tag;
	size_t n = r->event.data.scalar.length;
	bool is_plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !tag && strlen(s) == n;
	if (is_plain && is_one_of(s, nulls))
		lua_pushlightuserdata(r->L, NULL);
	else if (is_plain && is_one_of(s, yes))
		lua_pushboolean(r->L, true);
	else if (is_plain && is_one_of(s, no))
		lua_pushboolean(r->L, false);
	else if (!is_plain || (!push_integer(r->L, s) && !push_float(r->L, s)))
		lua_pushlstring(r->L, s, n);
}

/* ---- nodes: each pushes the value of the event at hand ---- */

static bool read_node(struct reader *r);

/* Keeps the value at the top under the anchor's name. */
static void anchor_set(struct reader *r, const yaml_char_t *name)
{
	if (!name) return;
	lua_pushvalue(r->L, -1);
	lua_setfield(r->L, r->anchors, (const char *)name);
}

static bool read_sequence(struct reader *r)
{
	lua_newtable(r->L);
	value_mark_array(r->L);
	anchor_set(r, r->event.data.sequence_start.anchor);
	for (lua_Integer i = 1;; i++) {
		if (!next(r)) return false;
		if (r->event.type == YAML_SEQUENCE_END_EVENT) return true;
		if (!read_node(r)) return false;
		lua_rawseti(r->L, -2, i);
	}
}

static bool read_mapping(struct reader *r)
{
	lua_newtable(r->L);
	anchor_set(r, r->event.data.mapping_start.anchor);
	for (;;) {
		if (!next(r)) return false;
		if (r->event.type == YAML_MAPPING_END_EVENT) return true;
		yaml_mark_t at = r->event.start_mark;
		if (!read_node(r)) return false;
		int type = lua_type(r->L, -1);
		if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN) return refuse(r, "a key must be a string, a number or a boolean", &at);
		if (lua_rawequal(r->L, -1, -1) == 0) return refuse(r, "a key is not a number (NaN)", &at);
		lua_pushvalue(r->L, -1);
		bool twice = lua_rawget(r->L, -3) != LUA_TNIL;
		lua_pop(r->L, 1);
		if (twice) return refuse(r, "a key is there twice", &at);
		if (!next(r) || !read_node(r)) return false;
		/* As in JSON: null is absent. */
		if (lua_islightuserdata(r->L, -1))
			lua_pop(r->L, 2);
		else
			lua_rawset(r->L, -3);
	}
}

static bool read_node(struct reader *r)
{
	yaml_mark_t at = r->event.start_mark;
	if (r->depth >= DEPTH_MAX || !lua_checkstack(r->L, 8)) return refuse(r, "nested too deep", &at);
	r->depth++;
	bool ok = true;
	switch (r->event.type) {
	case YAML_SCALAR_EVENT:
		push_scalar(r);
		anchor_set(r, r->event.data.scalar.anchor);
		break;
	case YAML_SEQUENCE_START_EVENT:
		ok = read_sequence(r);
		break;
	case YAML_MAPPING_START_EVENT:
		ok = read_mapping(r);
		break;
	case YAML_ALIAS_EVENT:
		/* The very same table: nothing is copied, so that aliases of aliases cannot grow. */
		if (lua_getfield(r->L, r->anchors, (const char *)r->event.data.alias.anchor) == LUA_TNIL)
			ok = refuse(r, "an alias to an anchor that is not there", &at);
		break;
	default:
		ok = refuse(r, "a value was expected", &at);
	}
	r->depth--;
	return ok;
}

/* Every document into the list at the top. */
static bool read_stream(struct reader *r)
{
	int list = lua_gettop(r->L);
	if (!next(r)) return false;
	for (lua_Integer i = 1;; i++) {
		if (!next(r)) return false;
		if (r->event.type == YAML_STREAM_END_EVENT) return true;
		lua_newtable(r->L);
		r->anchors = lua_gettop(r->L);
		if (!next(r) || !read_node(r)) return false;
		lua_rawseti(r->L, list, i);
		lua_settop(r->L, list);
		if (!next(r)) return false;
	}
}

/* Pushes the list of documents. */
static void decode(lua_State *L)
{
	size_t n;
	const char *s = luaL_checklstring(L, 1, &n);
	if (n > TEXT_BYTES_MAX) luaL_error(L, "yaml: the text has %d KiB, %d are the most", (int)(n >> 10), TEXT_BYTES_MAX >> 10);
	if (too_deep(s, n)) luaL_error(L, "yaml: nested deeper than %d brackets", DEPTH_MAX);
	struct reader r = {.L = L};
	if (!yaml_parser_initialize(&r.parser)) limit_out_of_memory();
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)s, n);
	lua_newtable(L);
	value_mark_array(L);
	bool ok = read_stream(&r);
	yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	if (!ok) luaL_error(L, "%s", r.e.text);
}

static int decode_one(lua_State *L)
{
	decode(L);
	if (lua_rawlen(L, -1) > 1) return luaL_error(L, "yaml.decode: there are %d documents: use yaml.decode_all", (int)lua_rawlen(L, -1));
	if (lua_rawgeti(L, -1, 1) == LUA_TLIGHTUSERDATA) lua_pushnil(L);
	return 1;
}

static int decode_all(lua_State *L)
{
	decode(L);
	return 1;
}

int lua_yaml_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"decode", decode_one}, {"decode_all", decode_all}, {NULL, NULL}};
	luaL_newlib(L, functions);
	return 1;
}
