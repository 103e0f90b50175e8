#ifndef RUNG_HTTP_OPERATION_H
#define RUNG_HTTP_OPERATION_H

#include "http/server.h"

/* The engine's operations over HTTP: POST /v1/OPERATION with its arguments as a JSON object, answered with its value, or a problem (RFC 9457). Which there are,
 * and who may ask for them, is the table in service/operations.c. Loop. */

/* Asks for the operation as the exchange's principal; the exchange is answered with what comes of it. args is borrowed. */
void operation_ask(struct exchange *x, const char *name, const json_t *args);

/* The engine ends: whoever still waits is told. */
void operation_end_all(struct http *h);

#endif
