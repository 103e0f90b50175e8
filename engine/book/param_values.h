#ifndef RUNG_BOOK_PARAM_VALUES_H
#define RUNG_BOOK_PARAM_VALUES_H

#include "book/book.h"

/* Is this a regular expression? ERR_INVALID with PCRE2's reason and the place. */
enum err param_pattern_check(const char *pattern, struct error *e);

#endif
