#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/print.h"

static int run(const struct invocation *in)
{
	struct use u;
	struct error e = {0};
	const char *id;
	if (use_open(in, false, &u, &e)) return fail(&e, given(in, "json"));
	u.is_verbose = given(in, "verbose");
	int status = use_execution(&u, in->arg_count ? in->args[0] : NULL, &id, &e) ? fail(&e, u.json) : use_follow(&u, id, false);
	use_close(&u);
	return status;
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
