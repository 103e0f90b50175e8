#ifndef RUNG_MODULES_HTTP_H
#define RUNG_MODULES_HTTP_H

#include "sandbox/hand.h"

/* What the rows of http (http.c) and the hand that makes its calls (http_hand.c) agree on. */

enum {
	HTTP_HEADER_BYTES_MAX = 65536,  /* of one that is sent; a value of a secret is as long */
	HTTP_BODY_BYTES_MAX = 10 << 20, /* of an answer: what is kept of a call's output */
	HTTP_BODY_BYTES = 8 << 20,      /* where a call does not say */
	HTTP_ANSWER_HEADER_BYTES = 24576 /* of an answer: what the record takes, however they are escaped */,
	HTTP_RETRIES_MAX = 10
};

extern const struct hand http_hand;

bool http_is_header_name(const char *name);
bool http_is_header_value(const char *value, size_t n);

/* Is it one that the hand makes itself? */
bool http_is_own_header(const char *name);

#endif
