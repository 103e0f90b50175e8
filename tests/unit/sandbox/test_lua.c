/* Every file of tests/lua is one attempt that must succeed: it checks with expect what it says. Its sh calls end with 0 and print "out". */
#include "lua.h"

#include <dirent.h>

static struct sandbox *sandbox;

static void test_file(void **state)
{
	struct buf source;
	struct error e;
	struct peer p;
	buf_init(&source, WIRE_SOURCE_BYTES_MAX);
	if (fs_read(*state, &source, &e) != ERR_OK) fail_msg("%s", e.text);
	peer_open(&p, sandbox, SANDBOX_WORKER, -1);
	peer_expect(&p, "ready");
	struct lua_run r = {.peer = &p};
	json_t *end = lua_run(&r, source.data);
	assert_non_null(end);
	if (strcmp(json_str(end, "outcome", ""), "succeeded") != 0)
		fail_msg("line %lld: %s\n%s", (long long)json_int(json_object_get(end, "at"), "line", 0), json_str(end, "why", ""), json_str(end, "trace", ""));
	json_decref(end);
	lua_clear(&r);
	peer_close(&p);
	buf_clear(&source);
}

static int is_lua(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);
	return n > 4 && strcmp(entry->d_name + n - 4, ".lua") == 0;
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[64];
	struct dirent **files;
	if (argc > 1 && strcmp(argv[1], "actor") == 0) return actor_main();
	int n = scandir("tests/lua", &files, is_lua, alphasort);
	if (n < 1 || n > 64) {
		fprintf(stderr, "tests/lua has no files: run from the root of the checkout\n");
		return 1;
	}
	for (int i = 0; i < n; i++) {
		char *path = mem_printf("tests/lua/%s", files[i]->d_name);
		tests[i] = (struct CMUnitTest){.name = path, .test_func = test_file, .initial_state = path};
		free(files[i]);
	}
	free(files);
	sandbox = harness_start(NULL);
	int failed = _cmocka_run_group_tests("lua", tests, (size_t)n, NULL, NULL);
	sandbox_stop(sandbox);
	for (int i = 0; i < n; i++) free((char *)tests[i].name);
	return failed;
}
