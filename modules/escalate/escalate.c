#include "sandbox/callable.h"

/* escalate.raise: somebody must look. The engine raises it, once, and answers when that is recorded; nobody needs a right to ask for help. */

static const struct shape arguments[] = {
    {.key = "why", .kind = SHAPE_BYTES, .is_required = true, .most = CALLABLE_ARGUMENTS_BYTES_MAX},
    {.key = NULL},
};

static const struct callable callables[] = {
    {"raise", CALLABLE_ENGINE, EFFECT_IDEMPOTENT, arguments, callable_no_options, NULL, NULL, NULL},
    {.function = NULL},
};

const struct module module_escalate = {"escalate", callables, NULL};
