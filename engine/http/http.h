#ifndef RUNG_HTTP_HTTP_H
#define RUNG_HTTP_HTTP_H

#include "service/serve.h"

/* HTTP for `rung serve`: what it adds to the engine's loop. See README.md. source: DESIGN.md 2, 8 */
extern const struct engine_part http_part;

#endif
