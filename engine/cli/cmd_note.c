#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/print.h"

static int add(struct use *u, const struct invocation *in, const char *id, struct error *e)
{
	json_t *args = json_pack("{s:s,s:s?,s:s}", "execution", id, "step", given_value(in, "step"), "text", in->args[in->arg_count - 1]);
	if (!args) {
		error_set(e, ERR_INVALID, "the note is not UTF-8");
		return fail(e, u->json);
	}
	if (use_make_live(u, id, e)) {
		json_decref(args);
		return fail(e, u->json);
	}
	if (use_request(u, "note", args, e)) return fail(e, u->json);
	return use_say(u, json_pack("{s:s,s:b}", "execution", id, "noted", 1), "noted");
}

static int run(const struct invocation *in)
{
	return use_one(in, in->arg_count == 2 ? in->args[0] : NULL, add);
}

static const struct option options[] = {{"step", "STEP", false, "the step that it is about"}, OPTION_STATE, {NULL, NULL, false, NULL}};

const struct command command_note = {.name = "note",
                                     .arguments = "[EXECUTION] TEXT",
                                     .least = 1,
                                     .most = 2,
                                     .options = options,
                                     .help = "writes a note into the record of an execution",
                                     .run = run};
