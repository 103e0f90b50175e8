#include "sandbox/callable.h"

#include <string.h>

static const struct module *const modules[] = {&module_approve, &module_ask,    &module_cause,  &module_escalate, &module_evidence, &module_hosts,
                                               &module_http,    &module_notify, &module_remedy, &module_runbook,  &module_sh,       &module_ssh};

static const struct module *module_find(const char *name)
{
	for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
		if (strcmp(modules[i]->name, name) == 0) return modules[i];
	return NULL;
}

const struct callable *callable_find(const char *module_name, const char *function, const struct module **module)
{
	const struct module *m = module_find(module_name);
	for (const struct callable *c = m ? m->callables : NULL; c && c->function; c++) {
		if (strcmp(c->function, function) != 0) continue;
		*module = m;
		return c;
	}
	return NULL;
}

const struct module *callable_module(size_t i)
{
	return i < sizeof modules / sizeof *modules ? modules[i] : NULL;
}

const struct hand *hand_find(const char *module_name)
{
	const struct module *m = module_find(module_name);
	return m ? m->hand : NULL;
}

static const char *const effects[] = {"once", "read", "idempotent", "keyed", "receipt", NULL};

const struct shape callable_no_options[] = {{.key = NULL}};

const struct shape callable_sent_options[] = {
    {.key = "effect", .kind = SHAPE_WORD, .words = effects},
    {.key = "timeout_us", .kind = SHAPE_INTEGER, .most = CALLABLE_TIMEOUT_US_MAX},
    {.key = NULL},
};

const struct shape callable_word = {.key = "a word", .kind = SHAPE_BYTES, .most = CALLABLE_ARGUMENTS_BYTES_MAX};

bool callable_is_plain(const json_t *v)
{
	return json_is_string(v) && strlen(json_string_value(v)) == json_string_length(v);
}

const char *callable_argv(const json_t *argv, struct call_request *out)
{
	const json_t *v;
	size_t i;
	if (json_array_size(argv) > CALLABLE_WORDS_MAX) return "a command may have 4096 words";
	json_array_foreach(argv, i, v)
	{
		if (!callable_is_plain(v)) return "a command's words must be UTF-8 without zero bytes";
		out->words[out->count++] = json_string_value(v);
	}
	return NULL;
}
