#include "policy/capability.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINES = 4 };

/* Lines: two patterns, a call, parameters. Where the first covers the second, it allows what the second allows; a pattern covers itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	char *text = arena_strndup(a, (const char *)data, size), *lines[LINES] = {"", "", "", ""};
	struct capability *c[2] = {NULL, NULL};
	struct error e;
	for (size_t i = 0; i < LINES && text; i++) {
		lines[i] = text;
		text = i + 1 < LINES ? strchr(text, '\n') : NULL;
		if (text) *text++ = 0;
	}
	for (size_t i = 0; i < 2; i++) {
		e.text[0] = 0;
		if (capability_parse(a, lines[i], &c[i], &e)) {
			must(e.text[0]);
			c[i] = NULL;
			continue;
		}
		const struct capability *self = c[i];
		must(capability_covers(&self, 1, c[i]));
		must(capability_could_allow(c[i], c[i]));
	}
	const char *kind, *const *words;
	size_t count;
	if (capability_words(a, lines[2], &kind, &words, &count, &e) == ERR_OK) {
		json_t *params = json_loads(lines[3], JSON_ALLOW_NUL, NULL);
		const struct capability_request *r = capability_request_make(a, kind, words, count);
		bool first = c[0] && capability_allows_request(c[0], r, params), second = c[1] && capability_allows_request(c[1], r, params);
		must(!(first || second) || !capability_request_fault(r));
		const struct capability *outer = c[0];
		if (c[0] && c[1] && second && !first) must(!capability_covers(&outer, 1, c[1]));
		json_decref(params);
	}
	arena_free(a);
	return 0;
}
