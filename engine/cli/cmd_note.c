#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/print.h"

static int add(struct use *u, const struct invocation *in, const char *id, struct error *e)
{
	json_t *args = json_pack("{s:s,s:s?,s:s}", "execution", id, "step", given_value(in, "step"), "text", in->args[in->arg_count - 1]);
	if (!args) {
		error_set(e, ERR_INVALID, "the note is not UTF-8");
		return fail(e, u->json);
	}
	if (use_make_live(u, id, e)) {
		json_decref(args);
		return fail(e, u->json);
	}
	if (use_request(u, "note", args, e)) return fail(e, u->json);
	return use_say(u, json_pack("{s:s,s:b}", "execution", id, "noted", 1), "noted");
}

/* What is no execution may be an incident. */
static int note_incident(struct use *u, const struct invocation *in, struct error *e)
{
	struct error own;
	json_t *args = json_pack("{s:s,s:s}", "incident", in->args[0], "text", in->args[1]);
	if (!args) {
		error_set(e, ERR_INVALID, "the note is not UTF-8");
		return fail(e, u->json);
	}
	if (use_request(u, "incident.note", args, &own)) return fail(own.kind == ERR_NOT_FOUND ? e : &own, u->json);
	return use_say(u, json_pack("{s:s,s:b}", "incident", in->args[0], "noted", 1), "noted");
}

static int run(const struct invocation *in)
{
	struct use u;
	struct error e = {0};
	const char *id, *name = in->arg_count == 2 ? in->args[0] : NULL;
	if (use_open(in, false, &u, &e)) return fail(&e, given(in, "json"));
	enum err err = use_execution(&u, name, &id, &e);
	int status = !err                                                                   ? add(&u, in, id, &e)
	             : err == ERR_NOT_FOUND && name && u.client && !given_value(in, "step") ? note_incident(&u, in, &e)
	                                                                                    : fail(&e, u.json);
	use_close(&u);
	return status;
}

static const struct option options[] = {{"step", "STEP", false, "the step that it is about"}, OPTION_STATE, {NULL, NULL, false, NULL}};

const struct command command_note = {.name = "note",
                                     .arguments = "[EXECUTION|INCIDENT] TEXT",
                                     .least = 1,
                                     .most = 2,
                                     .options = options,
                                     .help = "writes a note into the record of an execution, or of an incident",
                                     .run = run};
