#include "sandbox/callable.h"

#include <limits.h>
#include <string.h>

#define TIMEOUT_US_MAX (INT64_C(1) << 60)

static const char *const effects[] = {"once", "read", "idempotent", "keyed", "receipt", NULL};

/* ---- sh ---- */

static const struct shape sh_word = {.key = "a word", .kind = SHAPE_BYTES, .most = CALLABLE_ARGUMENTS_BYTES_MAX};

static const struct shape sh_variable = {.key = "a variable", .kind = SHAPE_VALUE, .most = CALLABLE_ARGUMENTS_BYTES_MAX};

static const struct shape sh_arguments[] = {
    {.key = "argv", .kind = SHAPE_LIST, .is_required = true, .least = 1, .most = CALLABLE_ARGUMENTS_BYTES_MAX, .of = &sh_word},
    {.key = "stdin", .kind = SHAPE_VALUE, .most = CALLABLE_ARGUMENTS_BYTES_MAX},
    {.key = "env", .kind = SHAPE_MAP, .most = CALLABLE_ARGUMENTS_BYTES_MAX, .of = &sh_variable},
    {.key = "cwd", .kind = SHAPE_BYTES, .most = 2 * PATH_MAX},
    {.key = NULL},
};

static const struct shape sh_options[] = {
    {.key = "effect", .kind = SHAPE_WORD, .words = effects},
    {.key = "timeout_us", .kind = SHAPE_INTEGER, .most = TIMEOUT_US_MAX},
    {.key = NULL},
};

/* ---- ask ---- */

static const char *const ask_types[] = {"string", "int", "number", "bool", "enum", "duration", NULL};
static const struct shape ask_choice = {.key = "a choice", .kind = SHAPE_BYTES, .most = CALLABLE_ARGUMENTS_BYTES_MAX};

static const struct shape ask_arguments[] = {
    {.key = "prompt", .kind = SHAPE_BYTES, .is_required = true, .most = CALLABLE_ARGUMENTS_BYTES_MAX},
    {.key = "type", .kind = SHAPE_WORD, .is_required = true, .words = ask_types},
    {.key = "choices", .kind = SHAPE_LIST, .least = 1, .most = CALLABLE_ARGUMENTS_BYTES_MAX, .of = &ask_choice},
    {.key = "default", .kind = SHAPE_ANY, .most = CALLABLE_ARGUMENTS_DEPTH_MAX},
    {.key = NULL},
};

/* ---- approve ---- */

static const struct shape approve_arguments[] = {
    {.key = "prompt", .kind = SHAPE_BYTES, .is_required = true, .least = 1, .most = CALLABLE_ARGUMENTS_BYTES_MAX},
    {.key = "from", .kind = SHAPE_BYTES, .least = 1, .most = 64},
    {.key = "needed", .kind = SHAPE_INTEGER, .is_required = true, .least = 1, .most = 9},
    {.key = "within_us", .kind = SHAPE_INTEGER, .least = 1000000, .most = TIMEOUT_US_MAX},
    {.key = NULL},
};

static const struct shape no_options[] = {{.key = NULL}};

/* ---- all of them ---- */

static const struct callable callables[] = {
    {"sh", "run", CALLABLE_ACTOR, sh_arguments, sh_options},
    {"ask", "ask", CALLABLE_PERSON, ask_arguments, no_options},
    {"approve", "ask", CALLABLE_PERSON, approve_arguments, no_options},
};

const struct callable *callable_find(const char *module, const char *function)
{
	for (size_t i = 0; i < sizeof callables / sizeof *callables; i++)
		if (strcmp(callables[i].module, module) == 0 && strcmp(callables[i].function, function) == 0) return &callables[i];
	return NULL;
}
