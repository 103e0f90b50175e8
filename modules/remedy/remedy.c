#include "sandbox/callable.h"

/* remedy.lead: which cause was found, and what its row in the table of root causes says. */

static const struct shape arguments[] = {{.key = NULL}};

static const struct callable callables[] = {
    {"lead", CALLABLE_ENGINE, EFFECT_READ, arguments, callable_no_options, NULL, NULL, NULL},
    {.function = NULL},
};

const struct module module_remedy = {"remedy", callables, NULL};
