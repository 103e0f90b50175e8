#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/print.h"

#include <stdio.h>

static int add(struct use *u, const char *id, const char *step, const char *text, struct error *e)
{
	json_t *args = json_pack("{s:s,s:s?,s:s}", "execution", id, "step", step, "text", text);
	if (!args) {
		error_set(e, ERR_INVALID, "the note is not UTF-8");
		return fail(e, u->json);
	}
	if (use_make_live(u, id, e)) {
		json_decref(args);
		return fail(e, u->json);
	}
	if (use_request(u, "note", args, e)) return fail(e, u->json);
	json_t *v = json_pack("{s:s,s:b}", "execution", id, "noted", 1);
	if (u->json)
		print_json(v);
	else
		printf("noted\n");
	json_decref(v);
	return 0;
}

static int run(const struct invocation *in)
{
	struct use u;
	struct error e = {0};
	const char *id;
	bool is_named = in->arg_count == 2;
	if (use_open(in, false, &u, &e)) return fail(&e, given(in, "json"));
	int status = use_execution(&u, is_named ? in->args[0] : NULL, &id, &e) ? fail(&e, u.json)
	                                                                       : add(&u, id, given_value(in, "step"), in->args[in->arg_count - 1], &e);
	use_close(&u);
	return status;
}

static const struct option options[] = {{"step", "STEP", false, "the step that it is about"}, OPTION_STATE, {NULL, NULL, false, NULL}};

const struct command command_note = {.name = "note",
                                     .arguments = "[EXECUTION] TEXT",
                                     .least = 1,
                                     .most = 2,
                                     .options = options,
                                     .help = "writes a note into the record of an execution",
                                     .run = run};
