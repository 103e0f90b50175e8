#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/print.h"
#include "cli/session.h"

#include <stdlib.h>
#include <string.h>

/* What is never stored is asked for again. */
static enum err ask_secrets(const struct use *u, const json_t *view, json_t *out, struct error *e)
{
	size_t i;
	json_t *name;
	json_array_foreach(json_arr(view, "secrets_missing"), i, name)
	{
		char *text = use_secret(json_string_value(name), "", use_has_person() && !u->json, e);
		if (!text) return e->kind;
		json_object_set_new(out, json_string_value(name), json_string(text));
		explicit_bzero(text, strlen(text));
		free(text);
	}
	return ERR_OK;
}

static int resume(struct use *u, const struct invocation *in, const char *id, struct error *e)
{
	u->is_verbose = given(in, "verbose");
	json_t *view;
	if (use_view(u, id, &view, e)) return fail(e, u->json);
	bool is_over = view_is_over(view), is_auto = json_is_string(json_object_get(view, "mode")) && json_str(view, "mode", "")[0] == 'a';
	json_t *secrets = json_object();
	enum err err = is_over ? ERR_OK : ask_secrets(u, view, secrets, e);
	json_decref(view);
	if (err) {
		json_decref(secrets);
		return fail(e, u->json);
	}
	/* One that runs, or has ended, needs nothing: the same as attach then. */
	if (!is_over) err = use_request(u, "resume", json_pack("{s:s,s:O}", "execution", id, "secrets", secrets), e);
	json_decref(secrets);
	if (err && err != ERR_CONFLICT) return fail(e, u->json);
	return use_follow(u, id, is_auto);
}

static int run(const struct invocation *in)
{
	return use_one(in, in->arg_count ? in->args[0] : NULL, resume);
}

static const struct option options[] = {OPTION_VERBOSE, OPTION_STATE, {NULL, NULL, false, NULL}};

const struct command command_resume = {
    .name = "resume",
    .arguments = "[EXECUTION]",
    .most = 1,
    .options = options,
    .help = "goes on with an execution that was paused, or left open when its engine ended",
    .longer = "Finished calls are never made again: their recorded answers are used. A call that was in flight is made again where its effect is\n"
              "read, idempotent or keyed; a receipt answers for itself; else the step's verify decides, or you do (rung resolve).",
    .run = run,
};
