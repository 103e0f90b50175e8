/* The inventory: what hosts get from the file, its groups and the command's answer; which hosts a query names. */
#include "base/buf.h"
#include "policy/host_range.h"
#include "policy/inventory.h"
#include "policy/inventory_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena *arena;

static int open_arena(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int close_arena(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static const struct inventory *read_with(const char *text, const char *answer)
{
	const struct inventory *inv;
	struct error e;
	if (inventory_read(arena, ".rung/inventory.yaml", text, strlen(text), answer, answer ? strlen(answer) : 0, &inv, &e)) fail_msg("%s", e.text);
	return inv;
}

static const struct inventory_host *host(const struct inventory *inv, const char *name)
{
	const struct inventory_host *h = inventory_find(inv, name);
	if (!h) fail_msg("there is no %s", name);
	return h;
}

/* The names, one after another with spaces. */
static const char *names_of(const struct inventory_selection *s)
{
	struct buf b;
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < s->count; i++) buf_printf(&b, "%s%s", i ? " " : "", s->names[i]);
	const char *text = arena_strdup(arena, b.data ? b.data : "");
	buf_clear(&b);
	return text;
}

/* ---- hosts ---- */

static const char fleet[] = "version: 1\n"
                            "hosts:\n"
                            "  gate: {address: 203.0.113.9, login: jump}\n"
                            "  web-[01:03]: {address: \"10.0.1.[1:3]\", groups: [eu-web], labels: {role: web, zone: a}}\n"
                            "  web-04: {address: \"{name}.example.net\", groups: [us-web], port: 2200, labels: {role: web, zone: b, canary: true}}\n"
                            "  db-[a:c]: {labels: {role: db, zone: a}, groups: [db]}\n"
                            "  DB-d.prod.example.net: {labels: {role: db, zone: \"west 1\"}, groups: [db]}\n"
                            "  \"[2001:db8::10]\": {labels: {role: cache}}\n"
                            "groups:\n"
                            "  all: {login: ops}\n"
                            "  web: {children: [eu-web, us-web], login: deploy, jump: gate, labels: {tier: front}}\n"
                            "  us-web: {login: deploy-us, labels: {tier: edge}}\n"
                            "  spare:\n";

static void hosts_have_what_the_file_says(void **state)
{
	(void)state;
	const struct inventory *inv = read_with(fleet, NULL);
	assert_int_equal(inv->host_count, 10);
	assert_true(inv->is_whole);
	const struct inventory_host *h = host(inv, "web-02");
	assert_string_equal(h->address, "10.0.1.2");
	assert_int_equal(h->port, 22);
	assert_string_equal(h->login, "deploy");
	assert_string_equal(h->jump, "gate");
	assert_string_equal(inventory_label(h, "tier"), "front");
	assert_string_equal(inventory_label(h, "zone"), "a");
	assert_null(inventory_label(h, "canary"));
	assert_true(inventory_is_in(h, "web") && inventory_is_in(h, "eu-web") && inventory_is_in(h, "all") && !inventory_is_in(h, "us-web"));
	assert_int_equal(h->line, 4);
	h = host(inv, "WEB-04");
	assert_string_equal(h->address, "web-04.example.net");
	assert_int_equal(h->port, 2200);
	assert_string_equal(h->login, "deploy-us");
	assert_string_equal(inventory_label(h, "tier"), "edge");
	h = host(inv, "db-d.prod.example.net");
	assert_string_equal(h->name, "db-d.prod.example.net");
	assert_string_equal(h->login, "ops");
	assert_null(h->jump);
	assert_string_equal(host(inv, "gate")->login, "jump");
	h = host(inv, "[2001:DB8::0010]");
	assert_string_equal(h->name, "[2001:db8::10]");
	assert_string_equal(h->address, "2001:db8::10");
	assert_null(inventory_find(inv, "web-05"));
	assert_null(inventory_find(inv, "not a name"));
}

static void the_jump_host_of_its_own_group_is_reached_directly(void **state)
{
	(void)state;
	const struct inventory *inv = read_with("version: 1\nhosts:\n  \"[g:i]ate\": {groups: s}\n  a: {groups: s}\ngroups:\n  s: {jump: hate}\n", NULL);
	assert_string_equal(host(inv, "gate")->jump, "hate");
	assert_null(host(inv, "hate")->jump);
	assert_string_equal(host(inv, "iate")->jump, "hate");
	assert_string_equal(host(inv, "a")->jump, "hate");
}

static void a_host_that_is_not_in_it_is_reached_by_its_name(void **state)
{
	(void)state;
	const struct inventory *inv = read_with(fleet, NULL);
	const struct inventory_host *h;
	struct error e;
	assert_int_equal(inventory_reach(arena, inv, "10.0.0.7", &h, &e), ERR_OK);
	assert_string_equal(h->name, "10.0.0.7");
	assert_string_equal(h->address, "10.0.0.7");
	assert_int_equal(h->port, 22);
	assert_null(h->login);
	assert_int_equal(inventory_reach(arena, inv, "[2001:db8::99]", &h, &e), ERR_OK);
	assert_string_equal(h->address, "2001:db8::99");
	assert_int_equal(inventory_reach(arena, inv, "Web-01", &h, &e), ERR_OK);
	assert_string_equal(h->address, "10.0.1.1");
	assert_int_equal(inventory_reach(arena, inv, "a b", &h, &e), ERR_INVALID);
}

static const char dynamic[] = "version: 1\n"
                              "hosts:\n"
                              "  web-2: {port: 2222, labels: {role: canary}}\n"
                              "groups: {web: {jump: gate}}\n"
                              "dynamic: {command: [x], labels: [role, \"env*\"]}\n";

static const char answer[] =
    "{\"_meta\": {\"hostvars\": {"
    "\"web-10\": {\"ansible_host\": \"10.0.0.10\", \"ansible_port\": 22022, \"ansible_user\": \"deploy\", \"role\": \"web\", \"env\": \"prod\","
    "  \"rack\": 7, \"db_password\": \"hunter22\", \"env_list\": [1], \"ansible_password\": \"x\"},"
    "\"web-2\": {\"ansible_host\": \"10.0.0.2\", \"ansible_port\": \"22\", \"role\": \"web\", \"env\": \"prod\"},"
    "\"gate\": {\"rung_host_keys\": \"SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}}},"
    "\"all\": {\"children\": [\"ungrouped\", \"web\", \"eu\"], \"vars\": {\"ansible_user\": \"ops\", \"env\": \"dev\"}},"
    "\"ungrouped\": {\"hosts\": [\"gate\"]},"
    "\"eu\": {\"children\": [\"web\"], \"vars\": {\"env\": \"eu\", \"ansible_user\": \"eu\"}},"
    "\"web\": {\"hosts\": [\"web-10\", \"web-2\", \"web-3\"], \"vars\": {\"ansible_user\": \"web\"}}, \"old\": [\"web-3\"]}";

static void what_ansible_prints_becomes_hosts(void **state)
{
	(void)state;
	const struct inventory *inv = read_with(dynamic, answer);
	struct inventory_selection s;
	assert_true(inv->is_whole);
	assert_int_equal(inventory_query(arena, inv, "all", &s, NULL), ERR_OK);
	assert_string_equal(names_of(&s), "web-2 gate web-3 web-10"); /* the file's, then the command's by name */
	const struct inventory_host *h = host(inv, "web-10");
	assert_string_equal(h->address, "10.0.0.10");
	assert_int_equal(h->port, 22022);
	assert_string_equal(h->login, "deploy");
	assert_string_equal(h->jump, "gate"); /* what the file says of a group holds for the command's hosts */
	assert_string_equal(inventory_label(h, "role"), "web");
	assert_string_equal(inventory_label(h, "env"), "prod");
	assert_int_equal(h->label_count, 2); /* what the file does not list is no label, and so nowhere */
	assert_true(h->is_from_command && !h->is_in_file);
	h = host(inv, "web-2");
	assert_int_equal(h->port, 2222); /* the file's word wins */
	assert_string_equal(inventory_label(h, "role"), "canary");
	assert_string_equal(h->login, "web"); /* the group that lies deepest */
	assert_true(h->is_from_command && h->is_in_file);
	h = host(inv, "web-3");
	assert_string_equal(inventory_label(h, "env"), "eu");
	assert_true(inventory_is_in(h, "old") && inventory_is_in(h, "eu"));
	h = host(inv, "gate");
	assert_string_equal(h->login, "ops");
	assert_int_equal(h->group_count, 0);
	assert_int_equal(h->host_key_count, 1);
	assert_null(h->jump);
}

static void a_command_that_nobody_ran_leaves_it_unfinished(void **state)
{
	(void)state;
	const struct inventory *inv = read_with(dynamic, NULL);
	assert_false(inv->is_whole);
	assert_int_equal(inv->command->word_count, 1);
	assert_int_equal(inv->command->cache_us, 300000000);
	assert_int_equal(inv->command->timeout_us, 30000000);
	assert_non_null(inventory_find(inv, "web-2"));
}

static void a_template_of_ansible_is_an_error_unless_the_file_says_it(void **state)
{
	(void)state;
	static const char text[] = "{\"_meta\": {\"hostvars\": {\"a\": {\"ansible_host\": \"{{ inventory_hostname }}.net\"}}}}";
	const struct inventory *inv;
	struct error e;
	assert_int_equal(inventory_read(arena, "i.yaml", dynamic, strlen(dynamic), text, strlen(text), &inv, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "ansible_host of a: it is a template"));
	inv = read_with("version: 1\nhosts: {a: {address: 10.0.0.1}}\ndynamic: {command: [x]}\n", text);
	assert_string_equal(host(inv, "a")->address, "10.0.0.1");
}

static void as_json_and_back(void **state)
{
	(void)state;
	const struct inventory *inv = read_with(dynamic, answer), *back;
	json_t *hosts = json_array(), *groups = json_array(), *again = json_array();
	for (size_t i = 0; i < inv->host_count; i++) json_array_append_new(hosts, inventory_host_json(&inv->hosts[i]));
	for (size_t i = 0; i < inv->group_count; i++) json_array_append_new(groups, json_string(inv->groups[i]));
	assert_int_equal(inventory_from_json(arena, hosts, groups, &back, NULL), ERR_OK);
	for (size_t i = 0; i < back->host_count; i++) json_array_append_new(again, inventory_host_json(&back->hosts[i]));
	assert_true(json_equal(hosts, again));
	assert_int_equal(back->group_count, inv->group_count);
	json_decref(hosts), json_decref(groups), json_decref(again);
}

/* ---- queries ---- */

static void queries_by_hand(void **state)
{
	(void)state;
	static const char *const table[][2] = {
	    {"all", "gate web-01 web-02 web-03 web-04 db-a db-b db-c db-d.prod.example.net [2001:db8::10]"},
	    {"*", "gate web-01 web-02 web-03 web-04 db-a db-b db-c db-d.prod.example.net [2001:db8::10]"},
	    {"role=web", "web-01 web-02 web-03 web-04"},
	    {"role=web and not zone=b", "web-01 web-02 web-03"},
	    {"role=web and zone!=b", "web-01 web-02 web-03"},
	    {"role = web and zone == b", "web-04"},
	    {"role=db or role=cache", "db-a db-b db-c db-d.prod.example.net [2001:db8::10]"},
	    {"role=db|cache and not db-a", "db-b db-c db-d.prod.example.net [2001:db8::10]"},
	    {"role in db|cache and zone not in a|b", "db-d.prod.example.net [2001:db8::10]"},
	    {"role in (db, cache) and zone='west 1'", "db-d.prod.example.net"},
	    {"zone=\"west 1\"|b", "web-04 db-d.prod.example.net"},
	    {"zone=w*", "db-d.prod.example.net"},
	    {"zone!=a", "gate web-04 db-d.prod.example.net [2001:db8::10]"}, /* also where there is no zone */
	    {"zone=* and zone!=a", "web-04 db-d.prod.example.net"},
	    {"canary=true", "web-04"},
	    {"not role=*", "gate"},
	    {"a", NULL},
	    {"web", "web-01 web-02 web-03 web-04"},
	    {"group=web", "web-01 web-02 web-03 web-04"},
	    {"group=*-web", "web-01 web-02 web-03 web-04"},
	    {"eu-web, gate", "web-01 web-02 web-03 gate"},
	    {"gate, eu-web", "gate web-01 web-02 web-03"},
	    {"web-04, role=web", "web-04 web-01 web-02 web-03"},
	    {"web-04 or role=web", "web-01 web-02 web-03 web-04"},
	    {"web-*", "web-01 web-02 web-03 web-04"},
	    {"WEB-*", "web-01 web-02 web-03 web-04"},
	    {"name=web-0[1:2]", NULL},
	    {"web-0[2:3]", "web-02 web-03"},
	    {"web-[01:04] and not web-02", "web-01 web-03 web-04"},
	    {"not web-[01:04] and not group=db", "gate [2001:db8::10]"},
	    {"db-*", "db-a db-b db-c"}, /* a star crosses no dot */
	    {"db-*.prod.example.net", "db-d.prod.example.net"},
	    {"name=gate|db-?", NULL},
	    {"name=gate|db-a", "gate db-a"},
	    {"name!=web-*", "gate db-a db-b db-c db-d.prod.example.net [2001:db8::10]"},
	    {"[2001:DB8::10]", "[2001:db8::10]"},
	    {"spare", ""},
	    {"role=none", ""},
	    {"role=web and (zone=b or canary=true) and not (db or gate)", "web-04"},
	    {"not not gate", "gate"},
	    {"role=web and zone=a or role=cache", "web-01 web-02 web-03 [2001:db8::10]"},
	    {"  ( ( gate ) )  ", "gate"},
	    {"Gate", "gate"},
	    {"10.0.0.7, gate, x.example.net", "10.0.0.7 gate x.example.net"}, /* machines that the inventory does not have */
	    {"localhost", "localhost"},
	    {"gate, GATE, gate", "gate"},
	    {"tier=front|edge and not us-web", "web-01 web-02 web-03"},
	};
	const struct inventory *inv = read_with(fleet, NULL);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct inventory_selection s;
		struct error e;
		enum err err = inventory_query(arena, inv, table[i][0], &s, &e);
		if (!table[i][1] && !err) fail_msg("%s is read", table[i][0]);
		if (table[i][1] && err) fail_msg("%s: %s", table[i][0], e.text);
		if (table[i][1] && strcmp(names_of(&s), table[i][1]) != 0) fail_msg("%s: %s, and %s was expected", table[i][0], names_of(&s), table[i][1]);
	}
}

static void refused_queries_say_where_and_why(void **state)
{
	(void)state;
	static const char *const table[][2] = {
	    {"", "the query is empty: name hosts, a group, or label=value; all is every host"},
	    {"  ", "the query is empty: name hosts, a group, or label=value; all is every host"},
	    {"role=", "the query ends where a value was expected"},
	    {"role=web and", "the query ends where a host, a group or label=value was expected"},
	    {"and role=web", "character 1: a host, a group or label=value was expected, and here is \"and role=web\""},
	    {"role=web zone=b", "character 10: and, or, a comma or the end was expected, and here is \"zone=b\""},
	    {"role=web && zone=b", "character 10: and, or, a comma or the end was expected, and here is \"&& zone=b\""},
	    {"(role=web", "the query ends where a \")\" was expected"},
	    {"role=web)", "character 9: and, or, a comma or the end was expected, and here is \")\""},
	    {"role=web,", "the query ends where a host, a group or label=value was expected"},
	    {"role in (web, db", "the query ends where a \")\" was expected"},
	    {"zone=\"west 1", "character 6: the quote is not closed"},
	    {"role=web|", "the query ends where a value was expected"},
	    {"!web", "character 1: a host, a group or label=value was expected, and here is \"!web\""},
	    {"rol=web", "character 1: no host has a label \"rol\": did you mean \"role\"?"},
	    {"role=web and zoned=a", "character 14: no host has a label \"zoned\": did you mean \"zone\"?"},
	    {"wed", "character 1: there is no host or group \"wed\": did you mean \"web\"?"},
	    {"gatee", "character 1: there is no host or group \"gatee\": did you mean \"gate\"?"},
	    {"completely-else", "character 1: there is no host or group \"completely-else\" in .rung/inventory.yaml"},
	    {"group=webs", "character 1: there is no group \"webs\": did you mean \"web\"?"},
	    {"name=gatee", "character 1: there is no host \"gatee\": did you mean \"gate\"?"},
	    {"not 10.0.0.7", "character 5: there is no host or group \"10.0.0.7\" in .rung/inventory.yaml"}, /* only by itself is it a machine */
	    {"web-[01:05]", "character 1: there is no host \"web-05\": did you mean \"web-01\"?"},
	    {"web-[5:1]", "character 1: [5:1]: a range goes upward"},
	    {"web-[1:100000]", "character 1: these are over 10000 hosts, the most that are possible"},
	    {"name=a..b", "character 1: a host has no empty part and no dot at either end"},
	};
	const struct inventory *inv = read_with(fleet, NULL);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct inventory_selection s;
		struct error e;
		char *want = mem_printf("hosts \"%s\": %s", table[i][0], table[i][1]);
		if (!inventory_query(arena, inv, table[i][0], &s, &e)) fail_msg("%s is read", table[i][0]);
		assert_int_equal(e.kind, ERR_INVALID);
		if (strcmp(e.text, want) != 0) fail_msg("%s\n and was expected\n%s", e.text, want);
		free(want);
	}
}

static void bounds_of_queries(void **state)
{
	(void)state;
	struct inventory_query *q;
	struct error e;
	struct buf b;
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 40; i++) buf_char(&b, '(');
	assert_int_equal(inventory_query_parse(arena, b.data, &q, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "nested"));
	buf_reset(&b);
	for (int i = 0; i < 300; i++) buf_printf(&b, "%sa", i ? "," : "");
	assert_int_equal(inventory_query_parse(arena, b.data, &q, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "at most 256"));
	buf_reset(&b);
	for (int i = 0; i < 5000; i++) buf_char(&b, 'a');
	assert_int_equal(inventory_query_parse(arena, b.data, &q, &e), ERR_INVALID);
	assert_int_equal(inventory_query_parse(arena, "\xff", &q, &e), ERR_INVALID);
	buf_clear(&b);
	/* Names of more than 256 KiB are no list that a step could have. */
	const struct inventory *big = read_with("version: 1\nhosts:\n  \"long-name-of-a-host-[00001:20000]\":\n", NULL);
	struct inventory_selection s;
	assert_int_equal(inventory_query(arena, big, "all", &s, &e), ERR_TOO_BIG);
	assert_int_equal(inventory_query(arena, big, "long-name-of-a-host-1*", &s, &e), ERR_TOO_BIG);
	assert_int_equal(inventory_query(arena, big, "long-name-of-a-host-00*", &s, &e), ERR_OK);
	assert_int_equal(s.count, 999);
}

static void without_an_inventory_names_stand_for_themselves(void **state)
{
	(void)state;
	const struct inventory *none = inventory_none(arena);
	struct inventory_selection s;
	struct error e;
	const char *one;
	assert_int_equal(inventory_query(arena, none, "web-1, db[1:2].example.net", &s, &e), ERR_OK);
	assert_string_equal(names_of(&s), "web-1 db1.example.net db2.example.net");
	assert_int_equal(inventory_query(arena, none, "role=web", &s, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "write .rung/inventory.yaml"));
	assert_int_equal(inventory_query(arena, none, "all", &s, &e), ERR_OK);
	assert_int_equal(s.count, 0);
	assert_int_equal(inventory_one(arena, none, "Web-1", &one, &e), ERR_OK);
	assert_string_equal(one, "web-1");
	const struct inventory *inv = read_with(fleet, NULL);
	assert_int_equal(inventory_one(arena, inv, "web-1", &one, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "did you mean"));
	assert_int_equal(inventory_one(arena, inv, "web", &one, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "web is a group"));
	assert_int_equal(inventory_one(arena, inv, "www.example.net", &one, &e), ERR_OK);
	assert_int_equal(inventory_one(arena, inv, "web-*", &one, &e), ERR_INVALID);
}

/* ---- random queries ---- */

static uint64_t seed;

static unsigned pick(unsigned n)
{
	seed = seed * 6364136223846793005U + 1442695040888963407U;
	return (unsigned)(seed >> 33) % n;
}

enum { HOSTS = 60 };
static const char *const roles[] = {"web", "db", "cache"}, *const zones[] = {"a", "b", "c", "d"};

struct fact {
	const char *role, *zone; /* NULL: none */
	bool is_big;
};

static struct fact facts[HOSTS];

/* A random condition as text, and by itself what it holds of: each host a bit. */
static uint64_t random_query(struct buf *b, int depth)
{
	uint64_t left, right, all = (UINT64_C(1) << HOSTS) - 1, bits = 0;
	if (depth == 0 || pick(4) == 0) {
		unsigned kind = pick(5), value = pick(3), other = pick(4);
		if (kind == 0) buf_printf(b, "role=%s", roles[value]);
		if (kind == 1) buf_printf(b, "zone not in %s|%s", zones[value], zones[other]);
		if (kind == 2) buf_str(b, "big");
		if (kind == 3) buf_printf(b, "h-%u*", value);
		if (kind == 4) buf_printf(b, "role != %s", roles[value]);
		for (unsigned i = 0; i < HOSTS; i++) {
			const struct fact *f = &facts[i];
			bool is = kind == 0   ? f->role && strcmp(f->role, roles[value]) == 0
			          : kind == 1 ? !(f->zone && (strcmp(f->zone, zones[value]) == 0 || strcmp(f->zone, zones[other]) == 0))
			          : kind == 2 ? f->is_big
			          : kind == 3 ? i / 10 == value
			                      : !(f->role && strcmp(f->role, roles[value]) == 0);
			bits |= (uint64_t)is << i;
		}
		return bits;
	}
	unsigned kind = pick(3);
	buf_str(b, kind == 2 ? "not (" : "(");
	left = random_query(b, depth - 1);
	if (kind == 2) {
		buf_char(b, ')');
		return all & ~left;
	}
	buf_str(b, kind == 0 ? " and " : " or ");
	right = random_query(b, depth - 1);
	buf_char(b, ')');
	return kind == 0 ? left & right : left | right;
}

static const struct inventory *random_fleet(void)
{
	struct buf b;
	buf_init(&b, 1 << 16);
	buf_str(&b, "version: 1\nhosts:\n");
	for (unsigned i = 0; i < HOSTS; i++) {
		facts[i] = (struct fact){pick(4) ? roles[pick(3)] : NULL, pick(4) ? zones[pick(4)] : NULL, pick(3) == 0};
		if (i < 3) facts[i].role = roles[i], facts[i].zone = zones[i], facts[i].is_big = true;
		buf_printf(&b, "  h-%02u: {%s%s%slabels: {x: y", i, facts[i].is_big ? "groups: big, " : "", "", "");
		if (facts[i].role) buf_printf(&b, ", role: %s", facts[i].role);
		if (facts[i].zone) buf_printf(&b, ", zone: %s", facts[i].zone);
		buf_str(&b, "}}\n");
	}
	const struct inventory *inv = read_with(b.data, NULL);
	buf_clear(&b);
	return inv;
}

static uint64_t bits_of(const struct inventory *inv, const char *query)
{
	struct inventory_selection s;
	struct error e;
	uint64_t bits = 0;
	if (inventory_query(arena, inv, query, &s, &e)) fail_msg("%s", e.text);
	for (size_t i = 0; i < s.count; i++) bits |= UINT64_C(1) << strtoul(s.names[i] + 2, NULL, 10);
	assert_int_equal(__builtin_popcountll(bits), s.count);
	return bits;
}

static void random_queries_select_what_their_parts_say(void **state)
{
	(void)state;
	const char *given = getenv("SEED");
	seed = given ? strtoull(given, NULL, 10) : 20261129;
	print_message("SEED=%llu\n", (unsigned long long)seed);
	for (int i = 0; i < 600; i++) {
		if (i % 100 == 0) {
			arena_free(arena);
			arena = arena_new();
		}
		const struct inventory *inv = random_fleet();
		struct buf a, b;
		buf_init(&a, 1 << 16), buf_init(&b, 1 << 16);
		uint64_t left = random_query(&a, 3), right = random_query(&b, 2), all = (UINT64_C(1) << HOSTS) - 1;
		char *neither = mem_printf("not (%s or %s)", a.data, b.data), *both_not = mem_printf("not %s and not %s", a.data, b.data);
		if (bits_of(inv, a.data) != left) fail_msg("%s", a.data);
		if (bits_of(inv, neither) != (all & ~(left | right)) || bits_of(inv, both_not) != (all & ~(left | right))) fail_msg("%s", neither);
		free(neither), free(both_not);
		buf_clear(&a), buf_clear(&b);
	}
}

/* ---- ranges ---- */

static void ranges_are_what_counting_gives(void **state)
{
	(void)state;
	seed = 7;
	for (int i = 0; i < 2000; i++) {
		unsigned from = pick(120), to = from + pick(60), step = 1 + pick(5), n = 0;
		bool is_padded = pick(2);
		char text[64];
		const char **names;
		size_t count;
		struct error e;
		if (is_padded)
			snprintf(text, sizeof text, "w[%03u:%03u:%u].x", from, to, step);
		else
			snprintf(text, sizeof text, "w[%u:%u:%u].x", from, to, step);
		if (host_range_expand(arena, text, 1000, &names, &count, &e)) fail_msg("%s: %s", text, e.text);
		for (unsigned k = from; k <= to; k += step, n++) {
			snprintf(text, sizeof text, is_padded ? "w%03u.x" : "w%u.x", k);
			assert_true(n < count);
			assert_string_equal(names[n], text);
		}
		assert_int_equal(n, count);
	}
}

static void several_ranges_are_multiplied(void **state)
{
	(void)state;
	const char **names;
	size_t count;
	assert_int_equal(host_range_expand(arena, "r[1:2]-[a:c]", 6, &names, &count, NULL), ERR_OK);
	assert_int_equal(count, 6);
	static const char *const want[] = {"r1-a", "r1-b", "r1-c", "r2-a", "r2-b", "r2-c"};
	for (size_t i = 0; i < 6; i++) assert_string_equal(names[i], want[i]);
	assert_int_equal(host_range_expand(arena, "r[1:2]-[a:c]", 5, &names, &count, NULL), ERR_TOO_BIG);
	assert_int_equal(host_range_expand(arena, "plain", 1, &names, &count, NULL), ERR_OK);
	assert_string_equal(names[0], "plain");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hosts_have_what_the_file_says),
	    cmocka_unit_test(the_jump_host_of_its_own_group_is_reached_directly),
	    cmocka_unit_test(a_host_that_is_not_in_it_is_reached_by_its_name),
	    cmocka_unit_test(what_ansible_prints_becomes_hosts),
	    cmocka_unit_test(a_command_that_nobody_ran_leaves_it_unfinished),
	    cmocka_unit_test(a_template_of_ansible_is_an_error_unless_the_file_says_it),
	    cmocka_unit_test(as_json_and_back),
	    cmocka_unit_test(queries_by_hand),
	    cmocka_unit_test(refused_queries_say_where_and_why),
	    cmocka_unit_test(bounds_of_queries),
	    cmocka_unit_test(without_an_inventory_names_stand_for_themselves),
	    cmocka_unit_test(random_queries_select_what_their_parts_say),
	    cmocka_unit_test(ranges_are_what_counting_gives),
	    cmocka_unit_test(several_ranges_are_multiplied),
	};
	return cmocka_run_group_tests(tests, open_arena, close_arena);
}
