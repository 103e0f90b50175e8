#include "cli/command.h"
#include "sandbox/sandbox.h"
#include "service/engine.h"

#include <string.h>

int main(int argc, char **argv)
{
	/* The two programs that other processes of rung start, before anything a person's terminal needs is set up. */
	if (argc > 1 && strcmp(argv[1], "actor") == 0) return actor_main();
	if (argc > 1 && strcmp(argv[1], "engine") == 0) return engine_main(argc - 1, argv + 1);
	return cli_main(argc, argv);
}
