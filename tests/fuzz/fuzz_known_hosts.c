#include "base/error.h"
#include "modules/ssh/known.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever a file of known hosts holds, what is said of a host has a line behind it, and a key that no line has is never the host's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"web-1", "10.0.0.1"};
	static const char key[] = "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
	const char *types[3], *where = NULL;
	struct known *k = known_new();
	known_add(k, "file", (const char *)data, size);
	for (unsigned port = 22; port <= 2222; port += 2200) {
		enum known_verdict verdict = known_check(k, names, 2, port, key, &where);
		must((verdict == KNOWN_UNKNOWN) == (where == NULL));
		must((verdict != KNOWN_IS && verdict != KNOWN_REVOKED) || memmem(data, size, key, strlen(key)));
		size_t n = known_types(k, names, 2, port, types, 3);
		must(n <= 3);
		for (size_t i = 0; i < n; i++) must(*types[i]);
	}
	known_free(k);
	return 0;
}
