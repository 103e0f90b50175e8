/* rung's own YAML files: any bytes are read or refused with a place. */
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	struct yaml *y;
	struct error e;
	yaml_read(a, "fuzz.yaml", (const char *)data, n, &y, &e);
	arena_free(a);
	return 0;
}
