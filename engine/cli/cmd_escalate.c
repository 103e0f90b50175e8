#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/lines.h"
#include "cli/print.h"

#include <string.h>

/* Asks for another person. */

static int say_it(struct use *u, const json_t *value)
{
	const json_t *g = json_obj(value, "escalation");
	const char *id = json_str(value, "incident", ""), *policy = json_str(g, "policy", NULL), *state = json_str(g, "state", "");
	if (strcmp(state, "exhausted") == 0)
		return use_say(u, json_incref((json_t *)value), "incident %s: nobody is on call for it; write .rung/oncall.yaml (`rung oncall` shows who is)",
		               id);
	return use_say(u, json_incref((json_t *)value), "incident %s: %s%s%s, level %d; the first who runs `rung ack %s` has it", id, state, policy ? ", " : "",
	               policy ? line_exact(u->arena, policy) : "", (int)json_int(g, "level", 0), id);
}

static int run(const struct invocation *in)
{
	struct use u;
	struct error e;
	struct answer answer = {0};
	const char *to = given_value(in, "to");
	int status;
	if (use_open(in, true, &u, &e)) return fail(&e, given(in, "json"));
	json_t *args = json_pack("{s:s,s:s*,s:s*}", "id", in->args[0], "to", to, "reason", given_value(in, "reason"));
	if (client_request(u.client, "escalate", args, &answer, &e))
		status = fail(&e, u.json);
	else
		status = say_it(&u, answer.value);
	answer_clear(&answer);
	use_close(&u);
	return status;
}

static const struct option options[] = {{"to", "POLICY", false, "a policy of oncall.yaml to climb from here on"},
                                        {"reason", "TEXT", false, "what whoever is woken shall know"},
                                        OPTION_STATE,
                                        {NULL, NULL, false, NULL}};

const struct command command_escalate = {
    .name = "escalate",
    .arguments = "INCIDENT|EXECUTION",
    .least = 1,
    .most = 1,
    .options = options,
    .help = "ask for another person: the next level is notified now, or all of it begins anew",
    .longer = "Where its escalation climbs, the next level is notified now; where somebody has acknowledged, or every level was reached, it begins anew. An\n"
              "execution without an incident gets one. --reason must be given: it is in the message.",
    .run = run,
};
