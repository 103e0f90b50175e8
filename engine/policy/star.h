#ifndef RUNG_POLICY_STAR_H
#define RUNG_POLICY_STAR_H

#include <stdbool.h>
#include <stddef.h>

/* Does the whole text match a pattern in which `*` stands for any characters, also none, but never for the fence (0: for any)? Costs their product at most. */
bool star_matches(const char *glob, size_t n, const char *text, size_t m, char fence);

#endif
