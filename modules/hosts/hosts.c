#include "sandbox/callable.h"

/* hosts.query: which hosts a query names. The engine answers from the workspace's inventory; the answer is recorded as every other. */

static const struct shape arguments[] = {
    {.key = "query", .kind = SHAPE_BYTES, .is_required = true, .most = CALLABLE_ARGUMENTS_BYTES_MAX},
    {.key = "empty", .kind = SHAPE_BOOLEAN},
    {.key = NULL},
};

static const struct callable callables[] = {
    {"query", CALLABLE_ENGINE, EFFECT_READ, arguments, callable_no_options, NULL, NULL, NULL},
    {.function = NULL},
};

const struct module module_hosts = {"hosts", callables, NULL};
