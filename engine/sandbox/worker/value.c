#include "sandbox/worker/value.h"
#include "base/arena.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/text.h"
#include "sandbox/worker/order.h"
#include "sandbox/worker/secret.h"

#include <lua5.4/lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char array_mark, read_only_mark, behind_key; /* their addresses are the registry's keys */

/* ---- the marks ---- */

static bool has_metatable(lua_State *L, int index, const void *key)
{
	if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index)) return false;
	lua_rawgetp(L, LUA_REGISTRYINDEX, key);
	bool same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same;
}

void value_mark_array(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &array_mark);
	lua_setmetatable(L, -2);
}

bool value_is_array(lua_State *L, int index)
{
	return has_metatable(L, index, &array_mark);
}

bool value_behind(lua_State *L, int index)
{
	if (!has_metatable(L, index, &read_only_mark)) return false;
	lua_rawgetp(L, index, &behind_key);
	return true;
}

static int read_only_index(lua_State *L)
{
	lua_rawgetp(L, 1, &behind_key);
	lua_pushvalue(L, 2);
	lua_rawget(L, -2);
	return 1;
}

static int read_only_assign(lua_State *L)
{
	return luaL_error(L, "what a step is given cannot be changed: copy it first, or return a new table as the step's result");
}

static int read_only_length(lua_State *L)
{
	lua_rawgetp(L, 1, &behind_key);
	lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
	return 1;
}

void value_open(lua_State *L)
{
	static const luaL_Reg events[] = {{"__index", read_only_index}, {"__newindex", read_only_assign}, {"__len", read_only_length}, {NULL, NULL}};
	lua_newtable(L);
	luaL_setfuncs(L, events, 0);
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &read_only_mark);
	lua_newtable(L);
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &array_mark);
}

/* Puts a table that refuses assignment in front of the one at the top. */
static void make_read_only(lua_State *L)
{
	lua_newtable(L);
	lua_insert(L, -2);
	lua_rawsetp(L, -2, &behind_key);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &read_only_mark);
	lua_setmetatable(L, -2);
}

/* ---- JSON to Lua ---- */

static bool push_bytes(lua_State *L, const json_t *v)
{
	const json_t *s = json_object_get(v, "b64");
	if (!json_is_string(s) || json_object_size(v) != 1) return false;
	struct buf b;
	buf_init(&b, json_string_length(s));
	bool ok = json_bytes_get(v, &b);
	if (ok) lua_pushlstring(L, b.data ? b.data : "", b.len);
	buf_clear(&b);
	return ok;
}

static bool push_secret(lua_State *L, const json_t *v)
{
	const char *name = json_str(v, "secret", NULL);
	if (!name || json_object_size(v) != 1) return false;
	secret_push(L, name);
	return true;
}

static void push_array(lua_State *L, const json_t *v, int flags)
{
	size_t n = json_array_size(v);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(v, i);
		if (json_is_null(item))
			lua_pushlightuserdata(L, NULL);
		else
			value_push(L, item, flags);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	value_mark_array(L);
}

static void push_object(lua_State *L, const json_t *v, int flags)
{
	const char *key;
	json_t *item;
	lua_createtable(L, 0, (int)json_object_size(v));
	json_object_foreach((json_t *)v, key, item)
	{
		if (json_is_null(item)) continue;
		lua_pushstring(L, key);
		value_push(L, item, flags);
		lua_rawset(L, -3);
	}
}

void value_push(lua_State *L, const json_t *v, int flags)
{
	luaL_checkstack(L, 8, "the value is nested too deep");
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_NULL:
		lua_pushnil(L);
		return;
	case JSON_TRUE:
		lua_pushboolean(L, true);
		return;
	case JSON_FALSE:
		lua_pushboolean(L, false);
		return;
	case JSON_INTEGER:
		lua_pushinteger(L, json_integer_value(v));
		return;
	case JSON_REAL:
		lua_pushnumber(L, json_real_value(v));
		return;
	case JSON_STRING:
		lua_pushlstring(L, json_string_value(v), json_string_length(v));
		return;
	case JSON_ARRAY:
		push_array(L, v, flags);
		break;
	case JSON_OBJECT:
		if ((flags & VALUE_BYTES) && push_bytes(L, v)) return;
		if ((flags & VALUE_SECRETS) && push_secret(L, v)) return;
		push_object(L, v, flags);
		break;
	}
	if (flags & VALUE_READ_ONLY) make_read_only(L);
}

/* ---- Lua to JSON ---- */

enum { DEPTH_MAX = 128, VALUE_STACK_SLOTS = 8 * DEPTH_MAX };

struct walk {
	lua_State *L;
	const struct value_limits *limits;
	const char *name;
	struct error *e;
	size_t bytes, depth;
	const void *tables[DEPTH_MAX];    /* from the outermost: to know a table that holds itself */
	struct order_key keys[DEPTH_MAX]; /* the way to the value at hand */
};

/* "result.disks[3].free": the value that a sentence is about. */
static void path_of(const struct walk *w, struct buf *b)
{
	buf_str(b, w->name);
	for (size_t i = 0; i < w->depth; i++) {
		const struct order_key *k = &w->keys[i];
		if (k->type == LUA_TSTRING)
			buf_str(b, "."), text_visible(b, k->text, k->len < 60 ? k->len : 60, TEXT_KEEP_NOTHING);
		else
			buf_printf(b, "[%lld]", (long long)k->integer);
	}
}

static json_t *refuse(const struct walk *w, const char *what)
{
	struct buf path;
	buf_init(&path, 600);
	path_of(w, &path);
	error_set(w->e, ERR_INVALID, "%s %s", path.data ? path.data : w->name, what);
	buf_clear(&path);
	return NULL;
}

static bool count(struct walk *w, size_t n)
{
	w->bytes += n;
	if (w->bytes <= w->limits->bytes_max) return true;
	error_set(w->e, ERR_TOO_BIG, "%s is larger than %zu KiB as JSON", w->name, w->limits->bytes_max >> 10);
	return false;
}

static json_t *get_value(struct walk *w);

static json_t *get_string(struct walk *w)
{
	size_t n;
	const char *s = lua_tolstring(w->L, -1, &n);
	if (!count(w, n + 2)) return NULL;
	if (w->limits->bytes_as_b64 || text_is_utf8(s, n)) return json_bytes(s, n);
	return refuse(w, "is not UTF-8, which JSON must be");
}

static json_t *get_secret(struct walk *w, const char *name)
{
	if (w->limits->has_secrets) return count(w, strlen(name) + 16) ? json_pack("{s:s}", "secret", name) : NULL;
	return refuse(w, "is a secret handle, which only a call takes whole, as sh(argv, {env = {NAME = secret \"...\"}}) or {stdin = secret \"...\"}");
}

static json_t *get_number(struct walk *w)
{
	if (!count(w, 2)) return NULL;
	if (lua_isinteger(w->L, -1)) return json_integer(lua_tointeger(w->L, -1));
	double n = lua_tonumber(w->L, -1);
	if (isnan(n)) return refuse(w, "is not a number (NaN), which JSON cannot hold");
	if (isinf(n)) return refuse(w, "is infinite, which JSON cannot hold");
	return json_real(n);
}

/* The member of the table at the top whose key has been put on the way. */
static json_t *get_member(struct walk *w, const struct order_key *k)
{
	w->keys[w->depth++] = *k;
	if (k->type == LUA_TSTRING)
		lua_pushlstring(w->L, k->text, k->len);
	else
		lua_pushinteger(w->L, k->integer);
	lua_rawget(w->L, -2);
	json_t *v = get_value(w);
	lua_pop(w->L, 1);
	w->depth--;
	return v;
}

static json_t *get_array(struct walk *w, size_t n)
{
	json_t *array = json_array();
	for (size_t i = 1; i <= n; i++) {
		json_t *v = get_member(w, &(struct order_key){.type = LUA_TNUMBER, .is_integer = true, .integer = (lua_Integer)i});
		if (!v || !count(w, 1) || json_array_append_new(array, v) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *get_object(struct walk *w, const struct order_keys *keys)
{
	json_t *object = json_object();
	for (size_t i = 0; i < keys->count; i++) {
		const struct order_key *k = &keys->items[i];
		json_t *v = NULL;
		if (!text_is_utf8(k->text, k->len) || memchr(k->text, 0, k->len))
			refuse(w, "has a key that is not UTF-8, which JSON must be");
		else
			v = get_member(w, k);
		if (!v || !count(w, k->len + 4) || json_object_setn_new_nocheck(object, k->text, k->len, v) != 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

/* Keys 1..n with nothing between make an array, strings an object. */
static json_t *get_by_keys(struct walk *w, bool is_array)
{
	struct order_keys keys;
	json_t *v = NULL;
	order_keys_get(w->L, -1, &keys);
	size_t strings = 0, whole = 0;
	for (size_t i = 0; i < keys.count; i++) {
		const struct order_key *k = &keys.items[i];
		strings += k->type == LUA_TSTRING;
		whole += k->type == LUA_TNUMBER && k->is_integer && k->integer == (lua_Integer)i + 1;
	}
	if (keys.objects == 0 && keys.count > 0 && whole == keys.count)
		v = get_array(w, keys.count);
	else if (is_array && keys.count + keys.objects > 0)
		refuse(w, "was made by json.array and may have the keys 1, 2, 3, ... only");
	else if (is_array)
		v = json_array();
	else if (keys.objects == 0 && strings == keys.count)
		v = get_object(w, &keys);
	else
		refuse(w, "has keys that JSON cannot hold: use strings only, or 1, 2, 3, ... with no gap");
	order_keys_free(&keys);
	return v;
}

static json_t *get_table(struct walk *w)
{
	const void *self = lua_topointer(w->L, -1);
	if (w->depth >= w->limits->depth_max) return refuse(w, "is nested too deep, or holds itself");
	for (size_t i = 0; i < w->depth; i++)
		if (w->tables[i] == self) return refuse(w, "holds itself");
	w->tables[w->depth] = self;
	if (!count(w, 2)) return NULL;
	bool is_behind = value_behind(w->L, -1);
	json_t *v = get_by_keys(w, value_is_array(w->L, -1));
	if (is_behind) lua_pop(w->L, 1);
	return v;
}

static json_t *get_value(struct walk *w)
{
	char what[160];
	switch (lua_type(w->L, -1)) {
	case LUA_TNIL:
		return count(w, 4) ? json_null() : NULL;
	case LUA_TBOOLEAN:
		return count(w, 4) ? json_boolean(lua_toboolean(w->L, -1)) : NULL;
	case LUA_TNUMBER:
		return get_number(w);
	case LUA_TSTRING:
		return get_string(w);
	case LUA_TTABLE:
		return get_table(w);
	case LUA_TLIGHTUSERDATA:
		return count(w, 4) ? json_null() : NULL;
	default:
		break;
	}
	if (secret_name(w->L, -1)) return get_secret(w, secret_name(w->L, -1));
	snprintf(what, sizeof what, "is a %s: only plain data (nil, booleans, numbers, strings, tables of these) can leave a step", luaL_typename(w->L, -1));
	return refuse(w, what);
}

json_t *value_get(lua_State *L, int index, const struct value_limits *limits, const char *name, struct error *e)
{
	struct walk w = {.L = L, .limits = limits, .name = name, .e = e};
	must(limits->depth_max < DEPTH_MAX);
	luaL_checkstack(L, VALUE_STACK_SLOTS, name);                                         /* raised here, while nothing is held that would be lost */
	error_set(e, ERR_TOO_BIG, "%s needs more memory as JSON than a step may use", name); /* where no one says better */
	lua_pushvalue(L, index);
	json_t *v = get_value(&w);
	lua_pop(L, 1);
	return v;
}
