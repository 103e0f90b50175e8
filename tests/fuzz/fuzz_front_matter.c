#include "book/document.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever stands between the lines of ---, the page below it is read and entries have lines of the file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct document *d;
	struct error e;
	char *page = arena_printf(a, "---\n%.*s\n---\n# page\n", (int)size, (const char *)data);
	size_t n = 0;
	while (page[n]) n++;
	if (document_parse(a, page, n, &d, &e) == ERR_OK) {
		for (size_t i = 0; i < d->front_matter_count; i++)
			must(d->front_matter[i].line >= 2 && (size_t)d->front_matter[i].line <= d->line_count + 1 && d->front_matter[i].value);
	} else {
		must(e.kind == ERR_TOO_BIG);
	}
	arena_free(a);
	return 0;
}
