#ifndef RUNG_MODULES_HTTP_ANSWER_H
#define RUNG_MODULES_HTTP_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The head of an answer, line by line as a host sends it. */

struct http_answer {
	int status;      /* of the last status line; 0: none yet */
	json_t *headers; /* names in lower case; a list of texts where one came more than once. NULL: none yet */
	size_t bytes;    /* of all lines, those of answers before it (1xx) too */
	size_t kept;     /* of those in headers */
	bool is_whole;   /* the empty line behind the headers of the last answer (none of 1xx) came: what follows are trailers */
};

enum { HTTP_HEAD_BYTES_MAX = 256 << 10 /* of all lines, with those of any number of 1xx answers: a host that sends more is left */ };

/* Takes a line, with or without its end. False where there is too much: `too_many` says of what. */
bool http_answer_line(struct http_answer *a, const char *line, size_t n);

/* Why http_answer_line said no. */
const char *http_answer_fault(const struct http_answer *a);

/* A header's first value, or NULL. Borrowed. */
const char *http_answer_header(const struct http_answer *a, const char *name);

/* Nothing came yet. */
void http_answer_clear(struct http_answer *a);

#endif
