/* What the text of a step's Lua tells about its calls. */
#include "policy/lua_calls.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The calls found: "pattern" where they are whole, "~pattern" where not, with "; " between. */
static void finds(const char *source, const char *wanted)
{
	struct arena *a = arena_new();
	struct lua_calls found;
	struct buf b;
	buf_init(&b, 1 << 16);
	lua_calls_find(a, source, &found);
	for (size_t i = 0; i < found.count; i++) buf_printf(&b, "%s%s%s", i ? "; " : "", found.calls[i].is_whole ? "" : "~", found.calls[i].pattern);
	assert_string_equal(b.data ? b.data : "", wanted);
	buf_clear(&b);
	arena_free(a);
}

static void lists_of_texts_are_seen_whole(void **state)
{
	(void)state;
	finds("sh({\"df\", '-P', [[/a b]]})", "sh df -P '/a b'");
	finds("sh{'a', \"it's\", ''}", "sh a 'it'\\''s' ''");
	finds("local r = sh{'a'}.stdout", "sh a");
	finds("sh({'sleep', 5})", "sh sleep 5");
	finds("return pcall(sh, {'a', 'b'}, {ok = {0, 1}})", "sh a b");
	finds("sh({'a',}, {timeout = '5s'})", "sh a");
	finds("sh {'a';'b'}", "sh a b");
	finds("sh{'x', '*', '{a|b}', '$(y)', 'a\\nb'}", "sh x '*' '{a|b}' '$(y)' 'a\nb'");
}

static void queries_of_hosts_are_seen_where_they_stand(void **state)
{
	(void)state;
	static const struct {
		const char *source, *wanted;
	} table[] = {
	    {"local h = hosts('role=web')\nreturn #hosts(\"a\")", "1:role=web 2:a "},
	    {"hosts 'all'", "1:all "},
	    {"for _, h in ipairs(hosts([[web]])) do end", "1:web "},
	    {"pcall(hosts, 'x') hosts('y', {empty = true})", "1:x 1:y? "},
	    {"hosts('role=' .. params.role) hosts(query) hosts() my.hosts('x') hosts.of('y')", ""},
	    {"local function hosts(q) end hosts('x')", ""},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct arena *a = arena_new();
		struct lua_calls found;
		struct buf b;
		buf_init(&b, 1 << 16);
		lua_calls_find(a, table[i].source, &found);
		for (size_t k = 0; k < found.query_count; k++)
			buf_printf(&b, "%d:%s%s ", found.queries[k].line, found.queries[k].text, found.queries[k].has_options ? "?" : "");
		assert_string_equal(b.data ? b.data : "", table[i].wanted);
		assert_int_equal(found.count, 0);
		buf_clear(&b);
		arena_free(a);
	}
}

static void texts_go_to_the_shell(void **state)
{
	(void)state;
	finds("sh 'df | sort'", "sh sh -c 'df | sort'");
	finds("sh(\"df\", {check = false})", "sh sh -c df");
	finds("sh([==[\na ]] b]==])", "sh sh -c 'a ]] b'");
	finds("sh('df ' .. params.path)", "sh sh -c 'df '{param:path}");
	finds("sh('df ' .. path)", "~sh sh -c 'df '*");
}

static void parameters_and_what_is_hidden(void **state)
{
	(void)state;
	finds("sh{'x', params.unit}", "sh x {param:unit}");
	finds("sh{'x', params['unit'] .. '.service'}", "sh x {param:unit}.service");
	finds("sh{'x', '--n=' .. tostring(params.n)}", "sh x --n={param:n}");
	finds("sh{'x', params.list[1], params.map.a, params.f()}", "~sh x * * **");
	finds("sh{'x', host, 'y'}", "~sh x * y");
	finds("sh{'x', 'a' .. host .. 'b', steps.look.down[1]}", "~sh x a*b *");
	finds("sh{'x', table.unpack(all)}", "~sh x **");
	finds("sh{'x', table.unpack(all), 'y'}", "~sh x * y");
	finds("sh{'x', ...}", "~sh x **");
	finds("sh{'x', a and 'b' or 'c', 'y'}", "~sh x * y");
	finds("sh{'x', 1 + 2}", "~sh x *");
	finds("sh{'x', function() return {1, 2} end, 'y'}", "~sh x * y");
	finds("sh(command)", "~sh **");
	finds("sh(make('x'))", "~sh **");
	finds("sh{cmd = 'x'}", "~sh **");
	finds("sh{'x', '\\65'}", "~sh x *");
}

static void other_kinds(void **state)
{
	(void)state;
	finds("ssh(params.host, {'systemctl', 'restart', params.unit})", "ssh {param:host} -- systemctl restart {param:unit}");
	finds("ssh('deploy@' .. h, {'uptime'})", "~ssh deploy@* -- uptime");
	finds("ssh.each(params.hosts, {'uptime'}, {max_errors = 1})", "~ssh {param:hosts} -- uptime");
	finds("ssh(h)", "~ssh * -- **");
	finds("http.get('https://h/x')", "http GET https://h/x");
	finds("http.post{}", "~http POST *");
	finds("http.request('options', 'https://h/x', {check = false})", "http OPTIONS https://h/x");
	finds("http.request(m, 'https://h/x')", "");
	finds("http.delete(\"https://\" .. h .. \"/x\", {json = {a = 1}})", "~http DELETE https://*/x");
	finds("local s = secret 'db-admin'", "secret db-admin");
	finds("local s = params.auth and secret 'token' or nil", "secret token");
	finds("f(secret 'a' == x, secret \"b c\".name, secret('d' .. e))", "secret a; secret 'b c'; ~secret d*");
	finds("notify('web-oncall', text)", "notify web-oncall");
	finds("runbook('RUN002', {a = secret 'x'})", "runbook RUN002; secret x");
}

static void files_of_hosts(void **state)
{
	(void)state;
	finds("ssh.put('web-1', '/srv/motd', text)", "ssh web-1 put /srv/motd");
	finds("local text = ssh.get(params.host, '/srv/a b')", "ssh {param:host} get '/srv/a b'");
	finds("ssh.put('h', '/srv/' .. params.name .. '.conf', {template = 'a, {{b}}', values = {b = f(1, 2)}})", "ssh h put /srv/{param:name}.conf");
	finds("ssh.put('h', '/srv/' .. name, secret 'x')", "~ssh h put /srv/*; secret x");
	/* The login is in the options, or may be. */
	finds("ssh.put('h', '/x', 'y', {mode = '0600'})", "~ssh h put /x");
	finds("ssh.get('h', '/x', options)", "~ssh h get /x");
	/* A pattern's path begins with a slash: what is hidden there may be any. */
	finds("ssh.put(h, params.path, 'x')", "~ssh * put /**");
	finds("ssh.get('h', path)", "~ssh h get /**");
	finds("ssh.get('h', base .. '/x')", "~ssh h get /**");
	finds("ssh.get('h', '*')", "ssh h get '*'");
	finds("ssh.get 'h'; ssh.put('h')", "~ssh h get /**; ~ssh h put /**");
	finds("pcall(ssh.put, 'h', '/x', 'y') pcall(http.get, 'https://h/x') pcall(ssh.get)", "ssh h put /x; http GET https://h/x");
	finds("my.ssh.put('h', '/x', 'y') ssh.place('h', '/x') ssh:get('h', '/x')", "");
	finds("local ssh = f ssh.get('h', '/x')", "");
}

static void what_is_no_call_is_left_alone(void **state)
{
	(void)state;
	finds("-- sh{'a'}\n--[[ sh{'b'} ]] sh{'c'}", "sh c");
	finds("local s = \"sh{'a'}\"", "");
	finds("x.sh{'a'} y:sh{'b'}", "");
	finds("return {sh = 1, [sh] = 2}", "");
	finds("local sh = f; sh{'a'}", "");
	finds("local function sh(x) end sh{'a'}", "");
	finds("sh = f sh{'a'}", "");
	finds("http.request{method = 'GET'} http{'x'} ssh.move('h', 'a')", "");
	finds("if sh == nil then end sh", "");
}

static void broken_lua_ends(void **state)
{
	(void)state;
	static const char *const broken[] = {"sh{",
	                                     "sh(",
	                                     "sh{'a",
	                                     "sh{'a\n'b'}",
	                                     "sh{[[a",
	                                     "sh{[",
	                                     "sh{[x",
	                                     "sh{a=",
	                                     "sh{'a' ..",
	                                     "sh{..",
	                                     "ssh(",
	                                     "ssh('a',",
	                                     "http.get(",
	                                     "pcall(sh,",
	                                     "sh{function() if x then",
	                                     "sh{params.",
	                                     "sh{params[",
	                                     "sh{tostring(",
	                                     "sh{)))}}}",
	                                     "[",
	                                     "--[",
	                                     "'\\",
	                                     "sh'\\",
	                                     "sh{'x', ]}",
	                                     "ssh.put(",
	                                     "ssh.put('h',",
	                                     "ssh.get('h', '/",
	                                     "ssh.put('h', '/x', {"};
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		struct arena *a = arena_new();
		struct lua_calls found;
		lua_calls_find(a, broken[i], &found);
		assert_true(found.count <= 1);
		arena_free(a);
	}
}

static void lines_are_those_of_the_source(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct lua_calls found;
	lua_calls_find(a, "local x = [[\n\n]]\n--[[\n]]\nsh{'a',\n'b'}\nsh'c'", &found);
	assert_int_equal(found.count, 2);
	assert_int_equal(found.calls[0].line, 6);
	assert_int_equal(found.calls[1].line, 8);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lists_of_texts_are_seen_whole),
	    cmocka_unit_test(queries_of_hosts_are_seen_where_they_stand),
	    cmocka_unit_test(texts_go_to_the_shell),
	    cmocka_unit_test(parameters_and_what_is_hidden),
	    cmocka_unit_test(other_kinds),
	    cmocka_unit_test(files_of_hosts),
	    cmocka_unit_test(what_is_no_call_is_left_alone),
	    cmocka_unit_test(broken_lua_ends),
	    cmocka_unit_test(lines_are_those_of_the_source),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
