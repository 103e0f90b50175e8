#include "sandbox/callable.h"

/* ask.ask: a question to the person at the run. */

static const char *const types[] = {"string", "int", "number", "bool", "enum", "duration", NULL};
static const struct shape choice = {.key = "a choice", .kind = SHAPE_BYTES, .most = CALLABLE_ARGUMENTS_BYTES_MAX};

static const struct shape arguments[] = {
    {.key = "prompt", .kind = SHAPE_BYTES, .is_required = true, .most = CALLABLE_ARGUMENTS_BYTES_MAX},
    {.key = "type", .kind = SHAPE_WORD, .is_required = true, .words = types},
    {.key = "choices", .kind = SHAPE_LIST, .least = 1, .most = CALLABLE_ARGUMENTS_BYTES_MAX, .of = &choice},
    {.key = "default", .kind = SHAPE_ANY, .most = CALLABLE_ARGUMENTS_DEPTH_MAX},
    {.key = NULL},
};

static const struct callable callables[] = {
    {"ask", CALLABLE_PERSON, EFFECT_READ, arguments, callable_no_options, NULL, NULL, NULL},
    {.function = NULL},
};

const struct module module_ask = {"ask", callables, NULL};
