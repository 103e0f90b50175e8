#include "http/limits.h"

const struct http_limit http_limits[] = {
#define HTTP_LIMIT_ROW(name, value, unit, why) {#name, unit, why, value},
    HTTP_LIMITS(HTTP_LIMIT_ROW)
#undef HTTP_LIMIT_ROW
        {0},
};
