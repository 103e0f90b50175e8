#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>

static int hand_over(struct use *u, const struct invocation *in, const char *id, struct error *e)
{
	const char *to = given_value(in, "to");
	if (!to) return error_set(e, ERR_USAGE, "say to whom: --to NAME"), fail(e, u->json);
	if (!strchr(to, ':')) to = arena_printf(u->arena, "user:%s", to);
	json_t *args = json_pack("{s:s,s:s,s:s?}", "execution", id, "to", to, "reason", given_value(in, "reason"));
	if (!args) return error_set(e, ERR_INVALID, "the name or the reason is not UTF-8"), fail(e, u->json);
	if (use_make_live(u, id, e)) {
		json_decref(args);
		return fail(e, u->json);
	}
	if (use_request(u, "handover", args, e)) return fail(e, u->json);
	return use_say(u, json_pack("{s:s,s:s}", "execution", id, "driver", to), "handed over: what still runs needs their rights now");
}

static int run(const struct invocation *in)
{
	return use_one(in, in->arg_count ? in->args[0] : NULL, hand_over);
}

static const struct option options[] = {
    {"to", "NAME", false, "who drives it from now on"},
    {"reason", "TEXT", false, "why, for the record"},
    OPTION_STATE,
    {NULL, NULL, false, NULL},
};

const struct command command_handover = {
    .name = "handover",
    .arguments = "[EXECUTION]",
    .most = 1,
    .options = options,
    .help = "gives an execution that you drive to somebody else",
    .longer = "Everything that still runs needs the rights of the new driver; what you allowed with --allow or at the terminal counts no more.\n"
              "To take one over, use rung resume EXECUTION.",
    .run = run,
};
