#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/print.h"

static int cancel(struct use *u, const struct invocation *in, const char *id, struct error *e)
{
	const char *reason = given_value(in, "reason");
	if (use_make_live(u, id, e) || use_request(u, "cancel", json_pack("{s:s,s:s}", "execution", id, "reason", reason ? reason : ""), e))
		return fail(e, u->json);
	return use_say(u, json_pack("{s:s,s:b}", "execution", id, "cancelled", 1), "%s is being cancelled", id);
}

static int run(const struct invocation *in)
{
	return use_one(in, in->arg_count ? in->args[0] : NULL, cancel);
}

static const struct option options[] = {{"reason", "TEXT", false, "why, for the record"}, OPTION_STATE, {NULL, NULL, false, NULL}};

const struct command command_cancel = {.name = "cancel",
                                       .arguments = "[EXECUTION]",
                                       .most = 1,
                                       .options = options,
                                       .help = "stops what an execution runs and ends it; everything done stays in the record",
                                       .run = run};
