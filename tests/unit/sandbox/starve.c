#include "starve.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

struct starve *starve;

/* Of AddressSanitizer; and of the C library, where there is no sanitizer. */
void *__interceptor_malloc(size_t n) __attribute__((weak));
void *__interceptor_calloc(size_t count, size_t n) __attribute__((weak));
void *__interceptor_realloc(void *p, size_t n) __attribute__((weak));
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *p, size_t n);

static bool refuses(void)
{
	struct starve *s = starve;
	if (!s) return false;
	uint64_t at = ++s->count;
	bool refused = s->nth && (at == s->nth || (s->is_for_good && at > s->nth));
	s->failed += refused;
	if (refused) errno = ENOMEM;
	return refused;
}

void *malloc(size_t n)
{
	if (refuses()) return NULL;
	return __interceptor_malloc ? __interceptor_malloc(n) : __libc_malloc(n);
}

void *calloc(size_t count, size_t n)
{
	if (refuses()) return NULL;
	return __interceptor_calloc ? __interceptor_calloc(count, n) : __libc_calloc(count, n);
}

void *realloc(void *p, size_t n)
{
	if (n && refuses()) return NULL;
	return __interceptor_realloc ? __interceptor_realloc(p, n) : __libc_realloc(p, n);
}
