/* Runs a fuzz target over files instead of a fuzzer: each file of the given folder, and the empty input, once. So `make check` keeps what fuzzing
 * found without needing clang. */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void run_file(const char *folder, const char *name)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "rb");
	if (!f) return;
	size_t n = 0, room = 1 << 16;
	uint8_t *bytes = malloc(room);
	while (bytes) {
		n += fread(bytes + n, 1, room - n, f);
		if (n < room) break;
		uint8_t *more = realloc(bytes, room *= 2);
		if (!more) abort();
		bytes = more;
	}
	fclose(f);
	/* A copy of exactly n bytes: reading one byte too far is then seen. */
	uint8_t *exact = malloc(n ? n : 1);
	if (!exact || !bytes) abort();
	memcpy(exact, bytes, n);
	free(bytes);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	printf("ok %s\n", name);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	printf("ok the empty input\n");
	DIR *d = argc > 1 ? opendir(argv[1]) : NULL;
	if (!d) return 0;
	for (struct dirent *entry; (entry = readdir(d));)
		if (entry->d_name[0] != '.') run_file(argv[1], entry->d_name);
	closedir(d);
	return 0;
}
