#include "base/json.h"
#include "sandbox/callable.h"
#include "sandbox/hand.h"

#include <limits.h>

/* sh.run: a command on the engine's host. */

static const struct shape variable = {.key = "a variable", .kind = SHAPE_VALUE, .most = CALLABLE_ARGUMENTS_BYTES_MAX};

static const struct shape arguments_of_run[] = {
    {.key = "argv", .kind = SHAPE_LIST, .is_required = true, .least = 1, .most = CALLABLE_ARGUMENTS_BYTES_MAX, .of = &callable_word},
    {.key = "stdin", .kind = SHAPE_VALUE, .most = CALLABLE_ARGUMENTS_BYTES_MAX},
    {.key = "env", .kind = SHAPE_MAP, .most = CALLABLE_ARGUMENTS_BYTES_MAX, .of = &variable},
    {.key = "cwd", .kind = SHAPE_BYTES, .most = 2 * PATH_MAX},
    {.key = NULL},
};

static const char *request(struct arena *a, const json_t *arguments, const struct call_site *site, struct call_request *out)
{
	const json_t *argv = json_arr(arguments, "argv"), *cwd = json_object_get(arguments, "cwd");
	json_t *v;
	const char *name;
	(void)site;
	*out = (struct call_request){.kind = "sh", .words = arena_alloc(a, (json_array_size(argv) + 1) * sizeof *out->words)};
	const char *why = callable_argv(argv, out);
	if (why) return why;
	if (cwd && !callable_is_plain(cwd)) return "a command's folder must be UTF-8 without zero bytes";
	json_object_foreach(json_object_get(arguments, "env"), name, v)
	{
		if (!callable_is_plain(v) && !json_object_get(v, "secret")) return "a command's environment must be UTF-8 without zero bytes";
	}
	return NULL;
}

static enum err frame(const struct call_site *site, const json_t *arguments, json_t *head, struct buf *payload, struct error *e)
{
	json_t *environment = site->environment(site, json_obj(arguments, "env"));
	const json_t *input = json_object_get(arguments, "stdin");
	(void)e;
	if (site->key) json_object_set_new(environment, "RUNG_KEY", json_string(site->key));
	json_object_set(head, "argv", json_object_get(arguments, "argv"));
	json_object_set_new(head, "env", environment);
	json_object_set_new(head, "cwd", json_string(json_str(arguments, "cwd", site->workspace)));
	if (input) json_bytes_get(input, payload);
	return ERR_OK;
}

static const struct callable callables[] = {
    {"run", CALLABLE_ACTOR, EFFECT_ONCE, arguments_of_run, callable_sent_options, request, frame, NULL},
    {.function = NULL},
};

const struct module module_sh = {"sh", callables, &command_hand};
