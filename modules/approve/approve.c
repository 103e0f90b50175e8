#include "sandbox/callable.h"

/* approve.ask: others agree before the step goes on. */

static const struct shape arguments[] = {
    {.key = "prompt", .kind = SHAPE_BYTES, .is_required = true, .least = 1, .most = CALLABLE_ARGUMENTS_BYTES_MAX},
    {.key = "from", .kind = SHAPE_BYTES, .least = 1, .most = 64},
    {.key = "needed", .kind = SHAPE_INTEGER, .is_required = true, .least = 1, .most = 9},
    {.key = "within_us", .kind = SHAPE_INTEGER, .least = 1000000, .most = CALLABLE_TIMEOUT_US_MAX},
    {.key = NULL},
};

static const struct callable callables[] = {
    {"ask", CALLABLE_PERSON, EFFECT_READ, arguments, callable_no_options, NULL, NULL, NULL},
    {.function = NULL},
};

const struct module module_approve = {"approve", callables, NULL};
