#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/print.h"

/* Breaking the glass, and looking at it afterwards: two commands of the same shape. */

static int ask_engine(struct use *u, const char *op, json_t *args, const char *said, const char *id, struct error *e)
{
	if (!args) return error_set(e, ERR_INVALID, "the reason is not UTF-8"), fail(e, u->json);
	if (use_request(u, op, args, e)) return fail(e, u->json);
	return use_say(u, json_pack("{s:s,s:s}", "execution", id, "recorded", op), "%s", said);
}

static int elevate(struct use *u, const struct invocation *in, const char *id, struct error *e)
{
	const char *reason = given_value(in, "reason");
	if (!reason) return error_set(e, ERR_USAGE, "say why: --reason TEXT. Somebody will read it afterwards"), fail(e, u->json);
	if (use_make_live(u, id, e)) return fail(e, u->json);
	json_t *args = json_pack("{s:s,s:s,s:s}", "execution", id, "elevation", in->args[in->arg_count - 1], "reason", reason);
	return ask_engine(u, "elevate", args, "taken, and recorded: it ends by itself (the policy says when)", id, e);
}

static int run_elevate(const struct invocation *in)
{
	return use_one(in, in->arg_count > 1 ? in->args[0] : NULL, elevate);
}

static int review(struct use *u, const struct invocation *in, const char *id, struct error *e)
{
	const char *reason = given_value(in, "reason");
	if (!reason) return error_set(e, ERR_USAGE, "say what you found: --reason TEXT"), fail(e, u->json);
	return ask_engine(u, "review", json_pack("{s:s,s:s}", "execution", id, "reason", reason), "reviewed, and recorded", id, e);
}

static int run_review(const struct invocation *in)
{
	return use_one(in, in->args[0], review);
}

static const struct option options[] = {{"reason", "TEXT", false, "why, for the record"}, OPTION_STATE, {NULL, NULL, false, NULL}};

const struct command command_elevate = {
    .name = "elevate",
    .arguments = "[EXECUTION] NAME",
    .least = 1,
    .most = 2,
    .options = options,
    .help = "takes a right for a time that the policy keeps for emergencies (break-glass)",
    .longer = "NAME is one of the policy's elevations. It counts for this execution and you alone, until its time is over; the reason goes into the\n"
              "record, and somebody else looks at it afterwards (rung review). To start with one: rung run BOOK --elevate NAME --reason TEXT.",
    .run = run_elevate,
};

const struct command command_review = {
    .name = "review",
    .arguments = "EXECUTION",
    .least = 1,
    .most = 1,
    .options = options,
    .help = "records that you looked at what was done with a right taken for a time",
    .longer = "For executions in which somebody used rung elevate or run --elevate. Who drove it does not review it.",
    .run = run_review,
};
