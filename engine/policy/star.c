#include "policy/star.h"

#include <stdint.h>

/* The last star is the only one that may need to take more. */
bool star_matches(const char *glob, size_t n, const char *text, size_t m, char fence)
{
	size_t g = 0, at = 0, star = SIZE_MAX, taken = 0;
	while (at < m) {
		if (g < n && glob[g] == '*') {
			star = g++, taken = at;
		} else if (g < n && glob[g] == text[at]) {
			if (fence && text[at] == fence) star = SIZE_MAX; /* what stands before it is settled */
			g++, at++;
		} else if (star != SIZE_MAX && !(fence && text[taken] == fence)) {
			g = star + 1, at = ++taken;
		} else {
			return false;
		}
	}
	while (g < n && glob[g] == '*') g++;
	return g == n;
}
