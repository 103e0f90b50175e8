#include "cli/commands.h"
#include "cli/print.h"

static int run(const struct invocation *in)
{
	(void)in;
	/* main.c hands `rung engine` to the engine before commands are read; this entry is there for the help. */
	message("rung engine is started by other commands");
	return err_info(ERR_USAGE)->exit_status;
}

const struct command command_engine = {
    .name = "engine",
    .arguments = "",
    .help = "the engine itself: started in the background by the commands that need it",
    .is_hidden = true,
    .run = run,
};
