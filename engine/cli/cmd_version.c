#include "cli/commands.h"
#include "cli/print.h"

#include <stdio.h>

static int run(const struct invocation *in)
{
	if (!given(in, "json")) {
		puts("rung " RUNG_VERSION);
		return 0;
	}
	json_t *v = json_pack("{s:s}", "version", RUNG_VERSION);
	print_json(v);
	json_decref(v);
	return 0;
}

const struct command command_version = {.name = "version", .arguments = "", .help = "which rung this is", .run = run};
