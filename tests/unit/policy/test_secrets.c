/* .rung/secrets.yaml: names and sources, read strictly; no value in it. */
#include "policy/secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
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

static struct secrets *parse(const char *text)
{
	struct secrets *s;
	struct error e;
	if (secrets_parse(arena, ".rung/secrets.yaml", text, strlen(text), &s, &e)) fail_msg("%s", e.text);
	return s;
}

static void test_sources(void **state)
{
	(void)state;
	struct secrets *s = parse("version: 1\nsecrets:\n  db-admin: {file: /etc/rung/db}\n  api.token_2: {environment: API_TOKEN}\n"
	                          "  sign: {command: [pass, show, sign], timeout: 3s}\n  slow: {command: [get]}\n");
	assert_int_equal(s->count, 4);
	const struct secret_source *db = secrets_find(s, "db-admin"), *api = secrets_find(s, "api.token_2"), *sign = secrets_find(s, "sign");
	assert_int_equal(db->kind, SECRET_FILE);
	assert_string_equal(db->place, "/etc/rung/db");
	assert_int_equal(db->line, 3);
	assert_int_equal(api->kind, SECRET_ENVIRONMENT);
	assert_string_equal(api->place, "API_TOKEN");
	assert_int_equal(sign->kind, SECRET_COMMAND);
	assert_int_equal(sign->word_count, 3);
	assert_string_equal(sign->words[2], "sign");
	assert_int_equal(sign->timeout_us, 3000000);
	assert_int_equal(secrets_find(s, "slow")->timeout_us, 10000000);
	assert_null(secrets_find(s, "nobody"));
	s = parse(
	    "version: 1\nsecrets:\n  t: {file: t}\n  a: {vault: {address: \"HTTPS://Vault.test:443/\", path: /secret/data/a, field: password, token: t}}\n"
	    "  b: {vault: {address: \"http://10.0.0.1:8200\", path: kv/b, field: f, token: t, namespace: ops/eu}, timeout: 2s}\n");
	const struct secret_source *a = secrets_find(s, "a"), *b = secrets_find(s, "b");
	assert_int_equal(a->kind, SECRET_VAULT);
	assert_string_equal(a->place, "https://vault.test/v1/secret/data/a");
	assert_string_equal(a->field, "password");
	assert_string_equal(a->token, "t");
	assert_null(a->vault_namespace);
	assert_int_equal(a->timeout_us, 10000000);
	assert_string_equal(b->place, "http://10.0.0.1:8200/v1/kv/b");
	assert_string_equal(b->vault_namespace, "ops/eu");
	assert_int_equal(b->timeout_us, 2000000);
	assert_int_equal(parse("version: 1\n")->count, 0);
}

static void test_faults_have_a_place(void **state)
{
	(void)state;
	static const char *const faults[][3] = {
	    {"", "1:1", "version"},
	    {"version: 2\n", "1:10", "1"},
	    {"version: 1\nsecret: {}\n", "2:1", "secrets"},
	    {"version: 1\nsecrets: [a]\n", "2:10", "map"},
	    {"version: 1\nsecrets: {a: hunter22}\n", "2:14", "never stands in this file"},
	    {"version: 1\nsecrets: {a: {}}\n", "2:14", "one of file, environment, command and vault"},
	    {"version: 1\nsecrets: {a: {file: x, environment: Y}}\n", "2:14", "one of"},
	    {"version: 1\nsecrets: {a: {fil: x}}\n", "2:15", "file"},
	    {"version: 1\nsecrets: {a: {file: }}\n", "2", "path"},
	    {"version: 1\nsecrets: {a: {file: [x]}}\n", "2:21", "path"},
	    {"version: 1\nsecrets: {a: {file: x, timeout: 3s}}\n", "2", "only a command"},
	    {"version: 1\nsecrets: {a: {command: pass show x}}\n", "2:24", "no shell"},
	    {"version: 1\nsecrets: {a: {command: []}}\n", "2", "argument"},
	    {"version: 1\nsecrets: {a: {command: [x], timeout: soon}}\n", "2:38", "timeout"},
	    {"version: 1\nsecrets: {a: {command: [x], timeout: 1h}}\n", "2:38", "5m"},
	    {"version: 1\nsecrets: {\"a b\": {file: x}}\n", "2:11", "cannot name a secret"},
	    {"version: 1\nsecrets: {\"param:a\": {file: x}}\n", "2:11", "cannot name a secret"},
	    {"version: 1\nsecrets: {a: {environment: \"A=b\"}}\n", "2", "never stands in this file"},
	    {"version: 1\nsecrets: {a: {file: x}, a: {file: y}}\n", "2", "a"},
	    {"version: 1\nsecrets: {a: &x {file: x}}\n", "2", "anchor"},
	    {"version: 1\nsecrets: {a: {vault: x}}\n", "2:22", "{vault: {address"},
	    {"version: 1\nsecrets: {t: {file: t}, a: {vault: {address: \"https://v\", path: x, token: t}}}\n", "2", "needs field"},
	    {"version: 1\nsecrets: {t: {file: t}, a: {vault: {address: \"ftp://v\", path: x, field: f, token: t}}}\n", "2", "no URL"},
	    {"version: 1\nsecrets: {t: {file: t}, a: {vault: {address: \"https://v\", path: a/../x, field: f, token: t}}}\n", "2", "no URL"},
	    {"version: 1\nsecrets: {t: {file: t}, a: {vault: {address: \"https://v\", path: \"x?y\", field: f, token: t}}}\n", "2", "\"?\""},
	    {"version: 1\nsecrets: {a: {vault: {address: \"https://v\", path: x, field: f, token: hvs/CAES}}}\n", "2", "never the token itself"},
	    {"version: 1\nsecrets: {a: {vault: {address: \"https://v\", path: x, field: f, token: t}}}\n", "2", "no secret of this file"},
	    {"version: 1\nsecrets: {a: {vault: {address: \"https://v\", path: x, field: f, token: a}}}\n", "2", "comes from Vault itself"},
	    {"version: 1\nsecrets: {t: {file: t}, a: {vault: {address: \"https://v\", path: x, field: f, token: t, user: u}}}\n", "2", "user"},
	};
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		struct secrets *s;
		struct error e;
		if (secrets_parse(arena, ".rung/secrets.yaml", faults[i][0], strlen(faults[i][0]), &s, &e) != ERR_INVALID) fail_msg("taken: %s", faults[i][0]);
		char place[64];
		snprintf(place, sizeof place, ".rung/secrets.yaml:%s", faults[i][1]);
		if (strncmp(e.text, place, strlen(place)) != 0 || !strstr(e.text, faults[i][2])) fail_msg("%s: %s", faults[i][0], e.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_sources, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(test_faults_have_a_place, open_arena, close_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
