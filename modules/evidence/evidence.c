#include "sandbox/callable.h"

/* evidence.add: something that a playbook found. The record is all that comes of it. */

enum { NAME_BYTES_MAX = 200 };

static const struct shape arguments[] = {
    {.key = "name", .kind = SHAPE_BYTES, .is_required = true, .least = 1, .most = NAME_BYTES_MAX},
    {.key = "data", .kind = SHAPE_ANY, .most = CALLABLE_ARGUMENTS_DEPTH_MAX},
    {.key = NULL},
};

static const struct callable callables[] = {
    {"add", CALLABLE_ENGINE, EFFECT_READ, arguments, callable_no_options, NULL, NULL, NULL},
    {.function = NULL},
};

const struct module module_evidence = {"evidence", callables, NULL};
