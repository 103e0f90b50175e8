#include "base/clock.h"
#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/print.h"

enum { SECOND_US = 1000000 };

/* How long it is: maintenance may make it longer than what was asked for. */
static int say_put_off(struct use *u, json_t *value)
{
	struct buf b;
	int64_t left_us = json_int(value, "until_us", 0) - clock_now_us();
	buf_init(&b, 64);
	clock_duration_words(&b, left_us > 0 ? (left_us + SECOND_US - 1) / SECOND_US * SECOND_US : 0);
	int status = use_say(u, value, "put off: nobody is notified for %s, then it climbs from the first level", b.data);
	buf_clear(&b);
	return status;
}

static int run(const struct invocation *in)
{
	struct use u;
	struct error e = {0};
	struct answer answer = {0};
	const char *hold = given_value(in, "for"), *note = given_value(in, "note");
	if (use_open(in, true, &u, &e)) return fail(&e, given(in, "json"));
	json_t *args = hold ? json_pack("{s:s,s:s,s:s*}", "incident", in->args[0], "for", hold, "reason", note)
	                    : json_pack("{s:s,s:s,s:s*}", "incident", in->args[0], "how", "cli", "note", note);
	int status = 0;
	if (!args) {
		error_set(&e, ERR_INVALID, "what was given is not UTF-8");
		status = fail(&e, u.json);
	} else if (client_request(u.client, hold ? "incident.put_off" : "incident.ack", args, &answer, &e)) {
		status = fail(&e, u.json);
	} else {
		status = hold ? say_put_off(&u, answer.value) : use_say(&u, answer.value, "you have it: nobody else is notified");
	}
	use_close(&u);
	return status;
}

static const struct option options[] = {
    {"note", "TEXT", false, "what you are about to do"},
    {"for", "DURATION", false, "put it off instead: nobody is notified for so long (1s to 7d), then it climbs from the first level"},
    OPTION_STATE,
    {NULL, NULL, false, NULL}};

const struct command command_ack = {.name = "ack",
                                    .arguments = "INCIDENT",
                                    .least = 1,
                                    .most = 1,
                                    .options = options,
                                    .help = "says that you have an incident: nobody else is notified of it",
                                    .run = run};
