/* What an attempt says: ends, lines of the book, results, limits, calls and their order. */
#include "lua.h"

static struct sandbox *sandbox;

/* One attempt in a worker of its own; the end in r, or NULL. */
static json_t *attempt(struct lua_run *r, struct peer *p, const char *source)
{
	peer_open(p, sandbox, SANDBOX_WORKER, -1);
	peer_expect(p, "ready");
	r->peer = p;
	return lua_run(r, source);
}

static void finish(struct lua_run *r, json_t *end)
{
	json_decref(end);
	lua_clear(r);
	peer_close(r->peer);
}

/* The end of source as one line: "failed lua 12: why" and so on. */
static char *ended(const char *source)
{
	struct peer p;
	struct lua_run r = {.line = 12};
	json_t *end = attempt(&r, &p, source);
	assert_non_null(end);
	const char *outcome = json_str(end, "outcome", "");
	char *value = json_dumps(json_object_get(end, "value"), JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)), *line;
	if (strcmp(outcome, "succeeded") == 0)
		line = mem_printf("%s", value);
	else
		line = mem_printf("%s %s %lld: %s", outcome, json_str(end, "kind", ""), (long long)json_int(json_object_get(end, "at"), "line", 0),
		                  json_str(end, "why", ""));
	free(value);
	finish(&r, end);
	return line;
}

static void check(const char *source, const char *want)
{
	char *got = ended(source);
	if (strcmp(got, want) != 0) fail_msg("%s\n  wanted: %s\n  got:    %s", source, want, got);
	free(got);
}

static void check_starts(const char *source, const char *want)
{
	char *got = ended(source);
	if (strncmp(got, want, strlen(want)) != 0) fail_msg("%s\n  wanted: %s...\n  got:    %s", source, want, got);
	free(got);
}

static void test_results(void **state)
{
	(void)state;
	check("return {}", "{}");
	check("", "null");
	check("return {1, 1.0, 0.1, 'a'}", "[1,1.0,0.10000000000000001,\"a\"]");
	check("return {e = json.array(), b = '\\xff', n = {json.null}}", "{\"b\":{\"b64\":\"/w==\"},\"e\":[],\"n\":[null]}");
	check("return {a = {b = {c = {print}}}}",
	      "failed result 12: result.a.b.c[1] is a function: only plain data (nil, booleans, numbers, strings, tables of these) can leave a step");
	check("return {x = 0/0}", "failed result 12: result.x is not a number (NaN), which JSON cannot hold");
	check("return {-1/0}", "failed result 12: result[1] is infinite, which JSON cannot hold");
	check("local t = {} t.t = t return t", "failed result 12: result.t holds itself");
	check("return string.rep('x', 262145)", "failed result 12: result is larger than 256 KiB as JSON");
	check("return string.rep('\\1', 100000)", "failed result 12: result is larger than 256 KiB as JSON");
	check("local t = {} for i = 1, 15 do t = {t} end return t", "[[[[[[[[[[[[[[[{}]]]]]]]]]]]]]]]");
	check_starts("local t = {} for i = 1, 16 do t = {t} end return t", "failed result 12: result[1][1][1]");
	check_starts("return {[1] = 1, [3] = 3}", "failed result 12: result has keys that JSON cannot hold");
	check("return {a = 1}, 2, 3", "{\"a\":1}");
}

static void test_errors_name_the_line(void **state)
{
	(void)state;
	check("local x = nil\n\nreturn x.y", "failed lua 14: attempt to index a nil value (local 'x')");
	check("x = = 1", "failed lua 12: unexpected symbol near '='");
	check("error('own words')", "failed lua 12: own words");
	check("error('own words', 0)", "failed lua 12: own words");
	check("error({code = 3, b = 'x'})", "failed lua 12: {\"b\":\"x\",\"code\":3}");
	check("error(nil)", "failed lua 12: nil");
	check("error(setmetatable({}, {__tostring = function() return 'told' end}))", "failed lua 12: told");
	check("error('a\\27[31m\\xff')", "failed lua 12: a\xe2\x90\x9b[31m<ff>");
	check("\nfail('no space left')", "failed fail 13: no space left");
	check("\nexpect(1 == 2, 'sum is wrong')", "failed expect 13: sum is wrong");
	check("expect(1 == 2)", "failed expect 12: what the step expects does not hold");
	check("\nreturn sh({'x'}, {ok = {1}})", "failed call 13: sh: x ended with exit status 0");
	check("\nreturn update('x')", "failed lua 13: update: messages to stakeholders are not in this version of rung (modules/README.md lists what is)");
	check("\nreturn re.match('x', '(')", "failed lua 13: re: the pattern is wrong at character 2: missing closing parenthesis");
	check("\nreturn re.match(nil, 'x')", "failed lua 13: re: the text and the pattern must be strings, one is a nil");
	check("\nreturn text.trim(5)", "failed lua 13: text.trim: a string was expected, this is a number");
	check("\nreturn each({1}, function(x)\nreturn sh(x) end)",
	      "failed lua 14: sh: a list such as {\"systemctl\", \"restart\", \"nginx\"} or a text for the shell was expected");
	check("skip('nothing to do')", "skipped skip 12: nothing to do");
	check("pcall(skip, 'nothing')", "skipped skip 12: nothing");
	check("coroutine.wrap(function() pcall(skip, 'nothing') end)()", "skipped skip 12: nothing");
	check("xpcall(go, print, 'rotate')", "go go 12: go to rotate");
	check("local co = coroutine.create(function() local x <close> = setmetatable({}, {__close = function() skip('on close') end}) coroutine.yield() end)\n"
	      "coroutine.resume(co) coroutine.close(co)",
	      "skipped skip 12: on close");
	check("pcall(function() local x <close> = setmetatable({}, {__close = function(_, e) e.ends = nil end}) skip('seen') end)", "skipped skip 12: seen");
	check("parallel{function() end, function()\n error('in a branch') end}", "failed lua 13: in a branch");
	check("sh({'x'}, {ok = {1}})", "failed call 12: sh: x ended with exit status 0");
	check("local function f() error('deep') end\nlocal function g() f() end\ng()", "failed lua 12: deep");
	check("table.sort({3, 2, 1}, function(a, b) error('cmp') end)", "failed lua 12: cmp");
	check("string.dump(print)", "failed lua 12: attempt to call a nil value (field 'dump')");
	check("params.x = 1", "failed lua 12: attempt to index a nil value (global 'params')");
}

/* While an error is caught its fields are the step's: they make nothing up that only a worker may say. */
static void test_errors_cannot_be_forged(void **state)
{
	(void)state;
	check("local ok, e = pcall(fail, 'x') e.kind = 'limit' error(e, 0)", "failed lua 12: x");
	check("local ok, e = pcall(fail, 'x') e.kind = '\\xff' error(e, 0)", "failed lua 12: x");
	check("local ok, e = pcall(fail, 'x') e.kind = {} error(e, 0)", "failed lua 12: x");
	check("local ok, e = pcall(fail, 'x') e.why = '\\xff\\27' error(e, 0)", "failed fail 12: <ff>\xe2\x90\x9b");
	check("local ok, e = pcall(fail, 'x') e.chunk, e.line = '/etc/passwd', 1 error(e, 0)", "failed fail 12: x");
	check("local ok, e = pcall(fail, 'x') e.line = -7 error(e, 0)", "failed fail 12: x");
	check("local ok, e = pcall(fail, 'x') e.line = 1 << 40 error(e, 0)", "failed fail 12: x");
	check("local ok, e = pcall(sh, 'x', {ok = 1}) e.reason = ('r'):rep(2 << 20) error(e, 0)", "failed call 12: sh: x ended with exit status 0");
	check("local ok, e = pcall(sh, 'x', {ok = 1}) e.reason, e.call = '\\xff', 99 error(e, 0)", "failed call 12: sh: x ended with exit status 0");
	check("local ok, e = pcall(fail, 'x') e.kind, e.to = 'go', {} error(e, 0)", "failed go 12: x");
}

static void test_limits_cannot_be_caught(void **state)
{
	static const char *const memory[] = {
	    "local s = 'x' while true do s = s .. s end",
	    "pcall(function() local t = {} for i = 1, 1e9 do t[i] = {i} end end) return 'caught'",
	    "xpcall(function() return ('x'):rep(1 << 30) end, function() return 'handled' end) return 'caught'",
	    "local t <close> = setmetatable({}, {__close = function() while true do end end}) local s = 'x' while true do s = s .. s end",
	    "coroutine.resume(coroutine.create(function() return ('x'):rep(1 << 30) end)) return 'caught'",
	    "parallel{function() pcall(string.rep, 'x', 1 << 30) end} return 'caught'",
	    "local t = {} for i = 1, 1e8 do t[i] = coroutine.create(print) end",
	    "table.concat({('x'):rep(1 << 25), ('x'):rep(1 << 25)})",
	    "local a = ('x'):rep(40 << 20) pcall(string.rep, 'x', 30 << 20) return 'caught'",
	};
	(void)state;
	for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
		check(memory[i], "failed limit 12: the step wanted more than its 64 MiB of memory: work on less at a time, or let a command do it");
}

static void test_time_cannot_be_caught(void **state)
{
	static const char *const loops[] = {
	    "while true do end",
	    "while true do pcall(function() while true do end end) end",
	    "while true do coroutine.wrap(function() while true do end end)() end",
	    "local function f() return f() end f()",
	    "local t <close> = setmetatable({}, {__close = function() while true do end end}) while true do end",
	    "parallel{function() while true do end end, function() end}",
	    "string.find(string.rep('a', 100000), string.rep('a*', 20) .. 'b')", /* no instruction is reached any more: the signal says it */
	    "table.move({}, 1, 1 << 40, 2)",
	};
	(void)state;
	for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
		struct peer p;
		struct lua_run r = {.given = json_pack("{s:i}", "cpu_ms", 50)};
		json_t *end = attempt(&r, &p, loops[i]);
		assert_non_null(end);
		if (strcmp(json_str(end, "kind", ""), "limit") != 0) fail_msg("%s: %s", loops[i], json_dumps(end, 0));
		assert_null(peer_read(&p)); /* the process ends */
		finish(&r, end);
	}
}

/* Memory that libraries in C take is bounded too, and running out of it is an error. */
static void test_memory_of_libraries(void **state)
{
	(void)state;
	/* No pcall keeps it: what a step makes of it would depend on its host. */
	const char *limit = "failed limit 0: the step wanted more than the 256 MiB of memory that JSON, YAML and patterns may have";
	check_starts("return (pcall(json.decode, '[' .. ('[],'):rep(5000000) .. '[]]'))", limit);
	check_starts("local wide = {} for i = 1, 30 do wide = {wide, wide} end return (pcall(json.encode, wide))", limit);
	check_starts("local l = {} for i = 1, 1000 do l[i] = i end local t = {} for i = 1, 1000 do t[i] = l end return #json.encode(t)", "3895001");
}

static void test_worker_is_used_again(void **state)
{
	struct peer p;
	struct lua_run r = {0};
	json_t *end = attempt(&r, &p, "left = 1; string.format = nil; math.random = nil; return 1");
	(void)state;
	json_decref(end);
	for (int i = 0; i < 20; i++) {
		end = lua_run(&r, "expect(left == nil and string.format and math.random) return sh('x').stdout");
		assert_string_equal(json_str(end, "value", ""), "out\n");
		json_decref(end);
	}
	finish(&r, NULL);
}

static void test_given(void **state)
{
	struct peer p;
	struct lua_run r = {.given = json_pack("{s:{s:[s,s],s:{}},s:{s:{s:[i]}},s:i,s:{s:s},s:[{s:s,s:i}]}", "params", "hosts", "a", "b", "m", "steps", "look",
	                                       "down", 7, "item", 5, "run", "id", "01J", "modules", "name", "disks", "bytes", 54)};
	(void)state;
	r.modules = "local d = {}\nfunction d.f(x) return x * 2 end\nreturn d";
	assert_int_equal(strlen(r.modules), 54);
	json_t *end =
	    attempt(&r, &p,
	            "expect(params.hosts[2] == 'b' and #params.hosts == 2 and steps.look.down[1] == 7 and item == 5 and run.id == '01J' and alert == nil)\n"
	            "expect(table.concat(params.hosts, ' ') == 'a b' and select('#', table.unpack(params.hosts)) == 2 and type(params) == 'table')\n"
	            "for _, f in ipairs{function() params.x = 1 end, function() params.hosts[1] = 1 end, function() table.insert(params.hosts, 'c') end,\n"
	            " function() table.sort(params.hosts) end, function() setmetatable(params, {}) end, function() json.array(params.m) end} do expect(not "
	            "pcall(f)) end\n"
	            "local n = 0 for k, v in pairs(params.hosts) do n = n + k end expect(n == 3 and next(params.m) == nil and next(params.hosts) == 1)\n"
	            "for i, h in ipairs(params.hosts) do n = n + i end expect(n == 6)\n"
	            "expect(json.encode(params) == '{\"hosts\":[\"a\",\"b\"],\"m\":{}}')\n"
	            "expect(require('disks').f(21) == 42 and require('disks') == require('disks'))\n"
	            "return {params = params, r = rawlen({1})}");
	assert_string_equal(json_str(end, "outcome", ""), "succeeded");
	char *value = json_dumps(json_object_get(end, "value"), JSON_COMPACT);
	assert_string_equal(value, "{\"params\":{\"hosts\":[\"a\",\"b\"],\"m\":{}},\"r\":1}");
	free(value);
	finish(&r, end);
}

/* ---- parts ---- */

/* Sends the parts {role, source, role, source, ..., NULL}; gives the end. */
static json_t *run_parts(struct peer *p, const char *const *parts)
{
	json_t *list = json_array();
	struct buf payload;
	buf_init(&payload, 1 << 20);
	for (size_t i = 0; parts[i]; i += 2) {
		json_array_append_new(list, json_pack("{s:s,s:s,s:i,s:i}", "role", parts[i], "chunk", "runbooks/x.md", "line", (int)(100 * (i / 2 + 1)),
		                                      "bytes", (int)strlen(parts[i + 1])));
		buf_str(&payload, parts[i + 1]);
	}
	peer_send(p, json_pack("{s:s,s:o,s:{s:i}}", "t", "attempt", "parts", list, "params", "x", 4), payload.data, payload.len);
	buf_clear(&payload);
	return json_deep_copy(peer_read(p));
}

static void check_parts(const char *const *parts, const char *want)
{
	struct peer p;
	peer_open(&p, sandbox, SANDBOX_WORKER, -1);
	peer_expect(&p, "ready");
	json_t *end = run_parts(&p, parts), *value = json_object_get(end, "value");
	char *shown = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	char *got = mem_printf("%s %s %s %lld %s", json_str(end, "outcome", "?"), json_str(end, "part", "-"), json_str(end, "kind", "-"),
	                       (long long)json_int(json_object_get(end, "at"), "line", 0), shown ? shown : json_str(end, "why", ""));
	if (strcmp(got, want) != 0) fail_msg("wanted: %s\n  got:  %s", want, got);
	free(got);
	free(shown);
	json_decref(end);
	peer_close(&p);
}

#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_parts(void **state)
{
	(void)state;
	check_parts(PARTS("action", "return {a = 1}", "verify", "expect(result.a == 1)"), "succeeded - - 0 {\"a\":1}");
	check_parts(PARTS("action", "return {a = 1}", "verify", "return {b = 2}"), "succeeded - - 0 {\"a\":1}");
	check_parts(PARTS("action", "return {a = 1}", "verify", "\nreturn false"), "failed verify verify 200 the verification returned false");
	check_parts(PARTS("action", "return {a = 1}", "verify", "\nexpect(result.a == 2, 'no')"), "failed verify expect 201 no");
	check_parts(PARTS("action", "return {a = 1}", "verify", "result.a = 2"),
	            "failed verify lua 200 what a step is given cannot be changed: copy it first, or return a new table as the step's result");
	check_parts(PARTS("action", "fail('x')", "verify", "return true"), "failed action fail 100 x");
	check_parts(PARTS("action", "sh('x')", "verify", "x = = 1"), "failed verify lua 200 unexpected symbol near '='"); /* before anything was done */
	check_parts(PARTS("verify", "return {ok = true}"), "succeeded - - 0 {\"ok\":true}");
	check_parts(PARTS("verify", "return false"), "failed verify verify 100 the verification returned false");
	check_parts(PARTS("if", "params.x > 3 and true"), "succeeded - - 0 true");
	check_parts(PARTS("expression", "{params.x, 2}"), "succeeded - - 0 [4,2]");
	check_parts(PARTS("expression", "sh('x')"),
	            "failed expression lua 100 an expression (if, each, targets) looks at params, steps and alert only and may make no call");
	check_parts(PARTS("if", "x = 1"), "failed if lua 100 ')' expected near '='");
	check_parts(PARTS("action", "\x1bLua"), "failed action lua 100 unexpected symbol near '<\\27>'");
}

/* ---- calls ---- */

static void answer_with_number(struct lua_run *r, const json_t *head)
{
	char out[32];
	snprintf(out, sizeof out, "%lld", (long long)json_int(head, "c", 0));
	lua_answer(r, json_int(head, "c", 0), json_pack("{s:i}", "code", 0), out, "");
}

static const char branches[] =
    "local order = {}\n"
    "local r = each({3, 1, 2}, function(n) local last for i = 1, n do last = sh('n' .. n .. i).stdout order[#order + 1] = n .. i end return last end)\n"
    "return {order = table.concat(order, ' '), r = r, random = math.random(1000)}";

/* The commands of all calls, in the order of asking. */
static char *asked(const struct lua_run *r)
{
	struct buf b;
	size_t i;
	json_t *call;
	buf_init(&b, 65536);
	json_array_foreach(r->calls, i, call) buf_printf(&b, "%s ", json_string_value(json_array_get(json_arr(json_obj(call, "arguments"), "argv"), 2)));
	return buf_take(&b);
}

static void test_branches_ask_in_order_and_again_the_same(void **state)
{
	(void)state;
	json_t *first = NULL;
	for (int i = 0; i < 3; i++) {
		struct peer p;
		struct lua_run r = {.on_call = answer_with_number};
		json_t *end = attempt(&r, &p, branches);
		char *calls = asked(&r);
		assert_string_equal(calls, "n31 n11 n21 n32 n22 n33 ");
		assert_string_equal(json_str(json_obj(end, "value"), "order", ""), "31 11 21 32 22 33");
		if (first)
			assert_true(json_equal(first, end));
		else
			first = json_incref(end);
		free(calls);
		finish(&r, end);
	}
	json_decref(first);
}

/* Answers the last of the open calls first. */
static json_int_t held[16];
static size_t held_count;

static void answer_backwards(struct lua_run *r, const json_t *head)
{
	held[held_count++] = json_int(head, "c", 0);
	if (held_count < 3) return;
	while (held_count > 0) lua_answer(r, held[--held_count], json_pack("{s:i}", "code", 0), "x", "");
}

/* The order of answers is the order of delivery: one at a time, whatever the order of asking was. */
static void test_answers_are_delivered_as_they_come(void **state)
{
	struct peer p;
	struct lua_run r = {.on_call = answer_backwards};
	(void)state;
	json_t *end = attempt(&r, &p, "local order = {} each({1, 2, 3}, function(n) sh('x' .. n) order[#order + 1] = n end) return order");
	char *value = json_dumps(json_object_get(end, "value"), JSON_COMPACT);
	assert_string_equal(value, "[3,2,1]");
	free(value);
	finish(&r, end);
}

static void answer_failed(struct lua_run *r, const json_t *head)
{
	peer_send(r->peer,
	          json_pack("{s:s,s:O,s:b,s:s,s:s}", "t", "answer", "c", json_object_get(head, "c"), "ok", 0, "kind", "denied", "why", "the right is missing"),
	          NULL, 0);
}

static void test_a_call_that_failed(void **state)
{
	struct peer p;
	struct lua_run r = {.on_call = answer_failed, .line = 7};
	(void)state;
	json_t *end = attempt(&r, &p, "sh{'rm', '-rf', '/tmp/a b'}");
	assert_string_equal(json_str(end, "why", ""), "sh: rm -rf '/tmp/a b': the right is missing");
	assert_string_equal(json_str(end, "kind", ""), "call");
	assert_string_equal(json_str(end, "reason", ""), "denied");
	assert_int_equal(json_int(end, "call", 0), 1);
	assert_int_equal(json_int(json_object_get(end, "at"), "line", 0), 7);
	json_decref(end);
	end = lua_run(&r, "local ok, e = pcall(sh, 'x') return {ok, e.kind, e.reason, e.why, tostring(e), e.call}");
	char *value = json_dumps(json_object_get(end, "value"), JSON_COMPACT);
	assert_string_equal(value, "[false,\"call\",\"denied\",\"sh: x: the right is missing\",\"runbooks/x.md:7: sh: x: the right is missing\",1]");
	free(value);
	finish(&r, end);
}

static void answer_bytes(struct lua_run *r, const json_t *head)
{
	(void)head;
	peer_send(r->peer,
	          json_pack("{s:s,s:i,s:b,s:{s:i,s:{s:s}},s:i,s:i}", "t", "answer", "c", 1, "ok", 1, "value", "code", 3, "b", "b64", "/wA=", "stdout", 4,
	                    "stderr", 2),
	          "a\0\xff"
	          "b"
	          "e\n",
	          6);
}

static void test_bytes_of_a_call(void **state)
{
	struct peer p;
	struct lua_run r = {.on_call = answer_bytes};
	(void)state;
	json_t *end = attempt(&r, &p,
	                      "local r = sh({'x\\xff'}, {ok = 3, stdin = '\\0\\xfe'}) expect(r.b == '\\xff\\0' and r.stdout == 'a\\0\\xffb' and r.stderr == "
	                      "'e\\n' and r.code == 3)");
	assert_string_equal(json_str(end, "outcome", ""), "succeeded");
	char *arguments = json_dumps(json_object_get(json_array_get(r.calls, 0), "arguments"), JSON_COMPACT);
	assert_string_equal(arguments, "{\"argv\":[{\"b64\":\"eP8=\"}],\"stdin\":{\"b64\":\"AP4=\"}}");
	free(arguments);
	finish(&r, end);
}

static void answer_large(struct lua_run *r, const json_t *head)
{
	const int n = 10 << 20;
	char *out = mem_alloc((size_t)n);
	memset(out, 'x', (size_t)n);
	peer_send(
	    r->peer,
	    json_pack("{s:s,s:O,s:b,s:{s:i},s:i,s:i}", "t", "answer", "c", json_object_get(head, "c"), "ok", 1, "value", "code", 0, "stdout", n, "stderr", 0),
	    out, (size_t)n);
	free(out);
}

static void test_ten_mebibytes_of_output(void **state)
{
	struct peer p;
	struct lua_run r = {.on_call = answer_large};
	(void)state;
	json_t *end = attempt(&r, &p, "return #sh('x').stdout + #sh('y').stdout");
	assert_int_equal(json_int(end, "value", 0), 20 << 20);
	finish(&r, end);
}

static void answer_person(struct lua_run *r, const json_t *head)
{
	peer_send(r->peer, json_pack("{s:s,s:O,s:b,s:s}", "t", "answer", "c", json_object_get(head, "c"), "ok", 1, "value", "/var"), NULL, 0);
}

static void test_ask(void **state)
{
	struct peer p;
	struct lua_run r = {.on_call = answer_person};
	(void)state;
	json_t *end = attempt(&r, &p, "return ask{prompt = 'Which?', choices = {'/var', '/'}}");
	assert_string_equal(json_str(end, "value", ""), "/var");
	char *call = json_dumps(json_array_get(r.calls, 0), JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(
	    call,
	    "{\"arguments\":{\"choices\":[\"/var\",\"/"
	    "\"],\"prompt\":\"Which?\",\"type\":\"enum\"},\"c\":1,\"function\":\"ask\",\"module\":\"ask\",\"options\":{},\"part\":\"action\",\"t\":\"call\"}");
	free(call);
	finish(&r, end);
}

static void test_log(void **state)
{
	struct peer p;
	struct lua_run r = {0};
	(void)state;
	json_t *end = attempt(&r, &p, "print('a', nil, {}) log.warn('b\\27') log('\\xff')");
	char *logs = json_dumps(r.logs, JSON_COMPACT);
	assert_string_equal(logs, "[\"a\\tnil\\ttable\",\"b\xe2\x90\x9b\",\"<ff>\"]");
	free(logs);
	finish(&r, end);
}

/* ---- what the engine must not say ---- */

static void check_broken(json_t *head, const char *payload)
{
	struct peer p;
	peer_open(&p, sandbox, SANDBOX_WORKER, -1);
	peer_expect(&p, "ready");
	peer_send(&p, head, payload, strlen(payload));
	peer_expect(&p, "broken");
	assert_null(peer_read(&p));
	peer_wait_end(&p);
	peer_close(&p);
}

static void test_frames_are_checked(void **state)
{
	(void)state;
	check_broken(json_pack("{s:s}", "t", "answer"), "");
	check_broken(json_pack("{s:s}", "t", "attempt"), "");
	check_broken(json_pack("{s:s,s:[]}", "t", "attempt", "parts"), "");
	check_broken(json_pack("{s:s,s:[{s:s,s:s,s:i}]}", "t", "attempt", "parts", "role", "action", "chunk", "x", "bytes", 5), "abc");
	check_broken(json_pack("{s:s,s:[{s:s,s:s,s:i}]}", "t", "attempt", "parts", "role", "action", "chunk", "x", "bytes", 2), "abc");
	check_broken(json_pack("{s:s,s:[{s:s,s:s,s:i}]}", "t", "attempt", "parts", "role", "other", "chunk", "x", "bytes", 3), "abc");
	check_broken(json_pack("{s:s,s:[{s:s,s:s,s:i,s:I}]}", "t", "attempt", "parts", "role", "action", "chunk", "x", "bytes", 3, "line", (json_int_t)1 << 40),
	             "abc");
	check_broken(json_pack("{s:s,s:[{s:s,s:s,s:I}]}", "t", "attempt", "parts", "role", "action", "chunk", "x", "bytes", (json_int_t)-1), "abc");
}

static void answer_another_call(struct lua_run *r, const json_t *head)
{
	(void)head;
	peer_send(r->peer, json_pack("{s:s,s:i,s:b}", "t", "answer", "c", 2, "ok", 1), NULL, 0);
	peer_expect(r->peer, "broken");
}

static void test_an_answer_to_nothing_ends_the_worker(void **state)
{
	struct peer p;
	struct lua_run r = {.on_call = answer_another_call};
	(void)state;
	assert_null(attempt(&r, &p, "sh('x')"));
	finish(&r, NULL);
}

static void test_the_worker_ends_with_the_engine(void **state)
{
	struct peer p;
	struct lua_run r = {.peer = &p};
	(void)state;
	peer_open(&p, sandbox, SANDBOX_WORKER, -1);
	peer_expect(&p, "ready");
	shutdown(p.child.fd, SHUT_RDWR);
	peer_wait_end(&p);
	peer_close(&p);
	/* And when the fork server is stopped, as the engine's end does. */
	struct sandbox *other = harness_start(NULL);
	peer_open(&p, other, SANDBOX_WORKER, -1);
	peer_expect(&p, "ready");
	sandbox_stop(other);
	peer_wait_end(&p);
	lua_clear(&r);
	peer_close(&p);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "actor") == 0) return actor_main();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_results),
	    cmocka_unit_test(test_errors_name_the_line),
	    cmocka_unit_test(test_errors_cannot_be_forged),
	    cmocka_unit_test(test_limits_cannot_be_caught),
	    cmocka_unit_test(test_time_cannot_be_caught),
	    cmocka_unit_test(test_memory_of_libraries),
	    cmocka_unit_test(test_worker_is_used_again),
	    cmocka_unit_test(test_given),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_branches_ask_in_order_and_again_the_same),
	    cmocka_unit_test(test_answers_are_delivered_as_they_come),
	    cmocka_unit_test(test_a_call_that_failed),
	    cmocka_unit_test(test_bytes_of_a_call),
	    cmocka_unit_test(test_ten_mebibytes_of_output),
	    cmocka_unit_test(test_ask),
	    cmocka_unit_test(test_log),
	    cmocka_unit_test(test_frames_are_checked),
	    cmocka_unit_test(test_an_answer_to_nothing_ends_the_worker),
	    cmocka_unit_test(test_the_worker_ends_with_the_engine),
	};
	sandbox = harness_start(NULL);
	int failed = cmocka_run_group_tests_name("worker", tests, NULL, NULL);
	sandbox_stop(sandbox);
	return failed;
}
