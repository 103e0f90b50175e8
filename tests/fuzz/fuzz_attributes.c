#include "base/error.h"
#include "book/attributes.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any text gives names that are not empty, values, and columns inside the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	char *text = arena_strndup(a, (const char *)data, size);
	struct attributes t;
	for (int bare = 0; bare < 2; bare++) {
		(bare ? attributes_parse_bare : attributes_parse)(a, text, size, &t);
		for (size_t i = 0; i < t.count; i++) must((t.is_json || *t.items[i].name) && t.items[i].column >= 0 && (size_t)t.items[i].column <= size);
		must(t.error_column >= 0 && (size_t)t.error_column <= size);
	}
	attributes_language(a, text);
	arena_free(a);
	return 0;
}
