#ifndef RUNG_MODULES_HTTP_BODY_H
#define RUNG_MODULES_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>

/* The body of an answer as it comes: plain, or compressed as gzip (RFC 1952), a piece at a time, so that a bomb costs no memory. */

struct http_body; /* a decoder */

enum http_coding { HTTP_CODING_NONE, HTTP_CODING_GZIP, HTTP_CODING_UNKNOWN };

/* Of a Content-Encoding header; NULL: there was none. */
enum http_coding http_coding_of(const char *header);

struct http_body *http_body_new(void);
void http_body_free(struct http_body *b); /* NULL is fine */

/* Decodes from *in, of which it takes what it can: *in and *n move on. How many bytes stand in out; 0 with *n 0: it wants more. False: this is no gzip. */
bool http_body_decode(struct http_body *b, const char **in, size_t *n, char *out, size_t out_bytes, size_t *given);

/* Did the last member of it end? */
bool http_body_is_whole(const struct http_body *b);

#endif
