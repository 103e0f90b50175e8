#include "base/failpoint.h"
#include "base/json.h"
#include "cli/command.h"
#include "http/http.h"
#include "sandbox/sandbox.h"
#include "service/engine.h"

#include <stdio.h>
#include <string.h>

#ifdef RUNG_FAILPOINTS
/* `rung failpoints`: what tests/fail goes by, in the order of the table. */
static int print_failpoints(void)
{
	struct failpoint_info f;
	for (size_t i = 0; failpoint_info(i, &f); i++) printf("%s\t%s\t%s\n", f.name, f.may_fail ? "fail" : "-", f.place);
	return 0;
}
#endif

int main(int argc, char **argv)
{
	json_prepare();
#ifdef RUNG_FAILPOINTS
	failpoint_prepare();
	if (argc > 1 && strcmp(argv[1], "failpoints") == 0) return print_failpoints();
#endif
	/* The two programs that other processes of rung start, before anything a person's terminal needs is set up. */
	if (argc > 1 && strcmp(argv[1], "actor") == 0) return actor_main();
	if (argc > 1 && strcmp(argv[1], "engine") == 0) return engine_main(argc - 1, argv + 1, &http_part);
	return cli_main(argc, argv);
}
