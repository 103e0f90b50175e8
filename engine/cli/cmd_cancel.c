#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/print.h"

#include <stdio.h>

static int cancel(struct use *u, const char *id, const char *reason, struct error *e)
{
	if (use_make_live(u, id, e) || use_request(u, "cancel", json_pack("{s:s,s:s}", "execution", id, "reason", reason), e)) return fail(e, u->json);
	json_t *v = json_pack("{s:s,s:b}", "execution", id, "cancelled", 1);
	if (u->json)
		print_json(v);
	else
		printf("%s is being cancelled\n", id);
	json_decref(v);
	return 0;
}

static int run(const struct invocation *in)
{
	struct use u;
	struct error e = {0};
	const char *id, *reason = given_value(in, "reason");
	if (use_open(in, false, &u, &e)) return fail(&e, given(in, "json"));
	int status = use_execution(&u, in->arg_count ? in->args[0] : NULL, &id, &e) ? fail(&e, u.json) : cancel(&u, id, reason ? reason : "", &e);
	use_close(&u);
	return status;
}

static const struct option options[] = {{"reason", "TEXT", false, "why, for the record"}, OPTION_STATE, {NULL, NULL, false, NULL}};

const struct command command_cancel = {.name = "cancel",
                                       .arguments = "[EXECUTION]",
                                       .most = 1,
                                       .options = options,
                                       .help = "stops what an execution runs and ends it; everything done stays in the record",
                                       .run = run};
