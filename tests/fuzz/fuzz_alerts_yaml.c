/* Files of alerts.yaml: any bytes are read, or refused with a place; what is read reads a delivery of each of its sources and decides. */
#include "tests/fuzz/alert_checks.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char body[] =
    "{\"alerts\":[{\"labels\":{\"alertname\":\"X\",\"instance\":\"web-1:9100\",\"severity\":\"page\"},\"annotations\":{\"summary\":\"s\"},"
    "\"status\":\"firing\",\"name\":\"X\",\"items\":[1]}],\"items\":[{\"title\":\"X\"}],\"labels\":{\"alertname\":\"X\"}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	const struct alerts_file *f;
	struct error e;
	int line = 0, column = 0;
	if (alerts_file_read(a, "fuzz.yaml", (const char *)data, n, &f, &e))
		must(e.kind == ERR_TOO_BIG || (sscanf(e.text, "fuzz.yaml:%d:%d: ", &line, &column) == 2 && line > 0 && column > 0));
	else
		for (size_t i = 0; i < f->source_count && i < 8; i++) check_delivery(a, f, f->sources[i].name, (const uint8_t *)body, sizeof body - 1);
	arena_free(a);
	return 0;
}
