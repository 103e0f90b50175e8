#include "cli/commands.h"
#include "cli/engine_use.h"

static int attach(struct use *u, const struct invocation *in, const char *id, struct error *e)
{
	(void)e;
	u->is_verbose = given(in, "verbose");
	return use_follow(u, id, false);
}

static int run(const struct invocation *in)
{
	return use_one(in, in->arg_count ? in->args[0] : NULL, attach);
}

static const struct option options[] = {OPTION_VERBOSE, OPTION_STATE, {NULL, NULL, false, NULL}};

const struct command command_attach = {
    .name = "attach",
    .arguments = "[EXECUTION]",
    .most = 1,
    .options = options,
    .help = "comes back to an execution: guided on a terminal, else its lines",
    .longer = "EXECUTION is its id or the start of it; it can be left out where only one is open. Several terminals can be attached to the same\n"
              "execution; each sees what the others do.",
    .run = run,
};
