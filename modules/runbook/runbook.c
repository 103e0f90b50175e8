#include "sandbox/callable.h"

/* runbook.run: another book, as an execution of its own. The engine starts it, once, and answers when it is over. */

enum { NAME_BYTES_MAX = 1024 };

static const struct shape secret = {.key = "a secret", .kind = SHAPE_VALUE, .most = NAME_BYTES_MAX};

static const struct shape arguments[] = {
    {.key = "name", .kind = SHAPE_TEXT, .is_required = true, .least = 1, .most = NAME_BYTES_MAX},
    {.key = "params", .kind = SHAPE_ANY, .is_required = true, .most = CALLABLE_ARGUMENTS_DEPTH_MAX},
    {.key = "secrets", .kind = SHAPE_MAP, .most = NAME_BYTES_MAX, .of = &secret},
    {.key = NULL},
};

static const char *request(struct arena *a, const json_t *args, const struct call_site *site, struct call_request *out)
{
	(void)site;
	const char *name = json_str(args, "name", "");
	out->kind = "runbook";
	out->words = arena_alloc(a, sizeof *out->words);
	out->words[0] = arena_strdup(a, name);
	out->count = 1;
	return json_obj(args, "params") ? NULL : "the parameters of a runbook are a table of names and values";
}

static const struct callable callables[] = {
    {"run", CALLABLE_ENGINE, EFFECT_IDEMPOTENT, arguments, callable_no_options, request, NULL, NULL},
    {.function = NULL},
};

const struct module module_runbook = {"runbook", callables, NULL};
