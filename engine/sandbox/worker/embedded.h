#ifndef RUNG_WORKER_EMBEDDED_H
#define RUNG_WORKER_EMBEDDED_H

#include <stddef.h>

/* The Lua of modules/, linked in: a worker opens no file. Made by the build (tests/tools/embed.sh); ends with a NULL name. */
struct embedded {
	const char *name;
	const char *text;
	size_t len;
};

extern const struct embedded embedded_modules[];

#endif
