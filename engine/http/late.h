#ifndef RUNG_HTTP_LATE_H
#define RUNG_HTTP_LATE_H

#include "base/error.h"

/* Loads libmicrohttpd, before any of its functions is called. ERR_NOT_FOUND with the sentence of the loader. */
enum err late_load(struct error *e);

#endif
