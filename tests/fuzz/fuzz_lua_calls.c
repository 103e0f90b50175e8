#include "policy/capability.h"
#include "policy/lua_calls.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any text gives calls on its own lines, and patterns of a kind that exists. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct lua_calls found;
	int lines = 1;
	char *text = arena_strndup(a, (const char *)data, size);
	for (const char *s = text; *s; s++) lines += *s == '\n';
	lua_calls_find(a, text, &found);
	for (size_t i = 0; i < found.count; i++) {
		struct capability *c;
		struct error e;
		must(found.calls[i].line >= 1 && found.calls[i].line <= lines);
		enum err err = capability_parse(a, found.calls[i].pattern, &c, &e);
		must(!strstr(err ? e.text : "", "starts with its kind"));
		must(err || !found.calls[i].is_whole || strncmp(capability_kind(c), found.calls[i].pattern, 2) == 0);
	}
	for (size_t i = 0; i < found.query_count; i++) must(found.queries[i].line >= 1 && found.queries[i].line <= lines && found.queries[i].text);
	arena_free(a);
	return 0;
}
