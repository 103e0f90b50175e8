#include "sandbox/callable.h"

/* cause.found: a root cause. What becomes of it is decided when the playbook's steps are over. */

static const struct shape arguments[] = {
    {.key = "id", .kind = SHAPE_TEXT, .is_required = true, .least = 1, .most = CAUSE_ID_BYTES_MAX},
    {.key = "evidence", .kind = SHAPE_ANY, .most = CALLABLE_ARGUMENTS_DEPTH_MAX},
    {.key = "parameters", .kind = SHAPE_ANY, .most = CALLABLE_ARGUMENTS_DEPTH_MAX},
    {.key = "certainty", .kind = SHAPE_INTEGER, .most = 100},
    {.key = NULL},
};

static const struct callable callables[] = {
    {"found", CALLABLE_ENGINE, EFFECT_READ, arguments, callable_no_options, NULL, NULL, NULL},
    {.function = NULL},
};

const struct module module_cause = {"cause", callables, NULL};
