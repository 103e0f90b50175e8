#ifndef TESTS_SANDBOX_STARVE_H
#define TESTS_SANDBOX_STARVE_H

#include <stdint.h>

/* Memory that runs out: malloc, calloc and realloc of the whole process, libraries too, fail at the nth asking (0: never), once or from then on. Linked into a
 * program, starve.c takes the place of the C library's; starve is NULL until a test points it at something, which may be memory that processes share. */
struct starve {
	volatile uint64_t nth, is_for_good;
	volatile uint64_t count, failed; /* asked so far, refused so far */
};

extern struct starve *starve;

#endif
