#include "base/clock.h"
#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/lines.h"
#include "cli/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIMIT = 500, TITLE_COLUMNS = 40 };

static const char *local_time(struct arena *a, int64_t us)
{
	char text[32] = "-";
	time_t t = (time_t)(us / 1000000);
	struct tm tm;
	if (us > 0 && localtime_r(&t, &tm)) strftime(text, sizeof text, "%F %T", &tm);
	return arena_strdup(a, text);
}

/* ---- the list ---- */

static void print_row(struct use *u, const json_t *v)
{
	struct arena *a = u->arena;
	json_int_t priority = json_int(v, "priority", 0), alerts = json_int(v, "alerts", 0);
	const char *who = json_str(v, "assigned_to", json_str(v, "acknowledged_by", ""));
	printf("%s  %s  P%c  %-12s  %s", json_str(v, "incident", ""), local_time(a, json_int(v, "opened_us", 0)), priority ? (char)('0' + priority) : '-',
	       json_str(v, "state", ""), line_fit(a, line_safe(a, json_str(v, "title", "")), TITLE_COLUMNS, true));
	if (alerts > 1) printf("  %lld alerts", (long long)alerts);
	if (json_int(v, "running", 0)) printf("  %lld running", (long long)json_int(v, "running", 0));
	if (*who) printf("  %s", line_safe(a, who));
	printf("\n");
}

static int list(struct use *u, const struct invocation *in, struct error *e)
{
	struct answer answer = {0};
	json_t *row;
	size_t i;
	bool all = given(in, "all");
	if (client_request(u->client, "incidents", json_pack("{s:b,s:i}", "all", all, "limit", LIMIT), &answer, e)) return fail(e, u->json);
	const json_t *rows = json_arr(answer.value, "incidents");
	if (u->json) {
		json_array_foreach(rows, i, row) print_json_line(row);
	} else {
		json_array_foreach(rows, i, row) print_row(u, row);
		if (json_array_size(rows) == 0) message(all ? "there was no incident yet" : "no incident is open (--all shows those that are over)");
	}
	answer_clear(&answer);
	return 0;
}

/* ---- one ---- */

static void print_time(struct use *u, const json_t *v, const char *what, const char *key, const char *by)
{
	int64_t us = json_int(v, key, 0), opened_us = json_int(v, "opened_us", 0);
	struct buf b;
	if (!us) return;
	printf("  %-13s %s", what, local_time(u->arena, us));
	buf_init(&b, 64);
	if (us > opened_us) clock_duration_words(&b, us - opened_us);
	if (b.len) printf("  after %s", b.data);
	if (by) printf("  by %s", line_safe(u->arena, by));
	printf("\n");
	buf_clear(&b);
}

static void print_alerts(struct use *u, const json_t *v)
{
	struct arena *a = u->arena;
	json_t *al;
	size_t i;
	if (json_array_size(json_arr(v, "alert_list"))) printf("\nAlerts\n\n");
	json_array_foreach(json_arr(v, "alert_list"), i, al)
	{
		const json_t *alert = json_obj(al, "alert");
		printf("  %-8s  %s  since %s, delivered %lld times, %s\n", json_str(al, "state", ""), line_safe(a, json_str(alert, "name", "?")),
		       local_time(a, json_int(al, "first_us", 0)), (long long)json_int(al, "seen", 0), line_safe(a, json_str(al, "outcome", "")));
		const char *key, *comma = "";
		json_t *label;
		printf("           ");
		json_object_foreach(json_obj(alert, "labels"), key, label)
		{
			printf("%s %s=%s", comma, line_safe(a, key), line_safe(a, json_is_string(label) ? json_string_value(label) : ""));
			comma = ",";
		}
		printf("\n");
	}
}

static void print_told(struct use *u, const json_t *people)
{
	static const char *const reaches[][2] = {
	    {"due", "is told next"}, {"under_way", "is being told"}, {"delivered", "was told"}, {"nowhere", "could not be told"}};
	json_t *who;
	size_t i;
	json_array_foreach(people, i, who)
	{
		const char *reach = json_str(who, "reach", ""), *words = reach;
		for (size_t k = 0; k < sizeof reaches / sizeof *reaches; k++)
			if (strcmp(reaches[k][0], reach) == 0) words = reaches[k][1];
		if (json_bool(who, "perhaps", false) && strcmp(reach, "delivered") != 0) words = "was perhaps told";
		printf("  %s %s\n", line_safe(u->arena, json_str(who, "person", "")), words);
	}
}

/* Whom the escalation has told, and what comes next. */
static void print_raised(struct use *u, const json_t *raised)
{
	static const char *const states[][2] = {{"held", "put off, by a person or by maintenance: nobody is told"},
	                                        {"acknowledged", "somebody has it: nobody else is told"},
	                                        {"exhausted", "every level was reached, and nobody has acknowledged"},
	                                        {"resolved", "over: nobody is told any more"}};
	const char *state = json_str(raised, "state", ""), *words = NULL;
	json_int_t waits_us = json_int(raised, "waits_us", 0);
	struct buf b;
	if (!raised) return;
	buf_init(&b, 1024);
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (strcmp(states[i][0], state) == 0) words = states[i][1];
	if (words)
		buf_str(&b, words);
	else
		buf_printf(&b, "%s, level %lld of round %lld", line_safe(u->arena, json_str(raised, "policy", "")), (long long)json_int(raised, "level", 0),
		           (long long)json_int(raised, "round", 1));
	if (waits_us > 0) buf_str(&b, words ? ", for " : "; the next step in "), clock_duration_words(&b, waits_us);
	printf("\nEscalation (%s)\n\n  %s\n", json_str(raised, "trigger", ""), b.data);
	buf_clear(&b);
	print_told(u, json_arr(raised, "people"));
}

static void print_executions(struct use *u, const json_t *v)
{
	struct arena *a = u->arena;
	json_t *x;
	size_t i;
	if (json_array_size(json_arr(v, "executions"))) printf("\nExecutions\n\n");
	json_array_foreach(json_arr(v, "executions"), i, x)
	{
		printf("  %s  %-10s  %s  %s\n", json_str(x, "execution", ""), line_safe(a, json_str(x, "state", "")),
		       local_time(a, json_int(x, "linked_us", 0)), line_safe(a, json_str(x, "title", json_str(x, "rule", ""))));
		if (json_str(x, "why", NULL)) print_wrapped(stdout, "      ", line_safe(a, json_str(x, "why", "")));
	}
}

static void print_notes(struct use *u, const json_t *v)
{
	json_t *n;
	size_t i;
	if (json_array_size(json_arr(v, "notes"))) printf("\nNotes\n\n");
	json_array_foreach(json_arr(v, "notes"), i, n)
	{
		printf("  %s  %s\n", local_time(u->arena, json_int(n, "t_us", 0)), line_safe(u->arena, json_str(n, "by", "")));
		print_wrapped(stdout, "      ", line_safe(u->arena, json_str(n, "text", "")));
	}
}

static void print_one(struct use *u, const json_t *v)
{
	struct arena *a = u->arena;
	json_int_t priority = json_int(v, "priority", 0);
	printf("%s\n%s  %s", line_safe(a, json_str(v, "title", "")), json_str(v, "incident", ""), json_str(v, "state", ""));
	if (priority) printf("  priority %lld", (long long)priority);
	if (json_str(v, "assigned_to", NULL)) printf("  assigned to %s", line_safe(a, json_str(v, "assigned_to", "")));
	if (json_str(v, "owner", NULL)) printf("  owner %s", line_safe(a, json_str(v, "owner", "")));
	printf("\n\n");
	print_time(u, v, "detected", "opened_us", NULL);
	print_time(u, v, "acknowledged", "acknowledged_us", json_str(v, "acknowledged_by", NULL));
	print_time(u, v, "mitigated", "mitigated_us", NULL);
	print_time(u, v, "resolved", "resolved_us", json_str(v, "resolved_by", "its alerts"));
	print_raised(u, json_obj(v, "raised"));
	print_alerts(u, v);
	print_executions(u, v);
	print_notes(u, v);
}

static int show(struct use *u, const char *id, struct error *e)
{
	struct answer answer = {0};
	if (client_request(u->client, "incident.show", json_pack("{s:s}", "incident", id), &answer, e)) return fail(e, u->json);
	if (u->json)
		print_json(answer.value);
	else
		print_one(u, answer.value);
	answer_clear(&answer);
	return 0;
}

/* ---- what a person says of one ---- */

static const struct act {
	const char *option, *op, *key, *said;
} acts[] = {
    {"assign", "incident.assign", "to", "assigned"},
    {"priority", "incident.prioritise", "priority", "its priority is set"},
    {"resolve", "incident.resolve", "reason", "resolved"},
};

static const struct act *act_of(const struct invocation *in)
{
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
		if (given(in, acts[i].option)) return &acts[i];
	return NULL;
}

static json_t *args_of(struct use *u, const struct act *act, const char *id, const char *value)
{
	if (strcmp(act->key, "priority") == 0) return json_pack("{s:s,s:i}", "incident", id, "priority", value[1] ? 0 : value[0] - '0');
	if (strcmp(act->key, "to") == 0 && strncmp(value, "user:", 5) != 0) value = arena_printf(u->arena, "user:%s", value);
	return json_pack("{s:s,s:s}", "incident", id, act->key, value);
}

static int tell(struct use *u, const struct invocation *in, const struct act *act, struct error *e)
{
	struct answer answer = {0};
	json_t *args = args_of(u, act, in->args[0], given_value(in, act->option));
	if (!args) {
		error_set(e, ERR_INVALID, "what was given is not UTF-8");
		return fail(e, u->json);
	}
	if (client_request(u->client, act->op, args, &answer, e)) return fail(e, u->json);
	return use_say(u, answer.value, "%s: %s", json_str(answer.value, "incident", ""), act->said);
}

static int open_one(struct use *u, const struct invocation *in, struct error *e)
{
	struct answer answer = {0};
	const char *priority = given_value(in, "priority");
	json_t *args = json_pack("{s:s,s:i}", "title", given_value(in, "open"), "priority", priority ? (priority[1] ? -1 : priority[0] - '0') : 0);
	if (!args) {
		error_set(e, ERR_INVALID, "the title is not UTF-8");
		return fail(e, u->json);
	}
	if (client_request(u->client, "incident.open", args, &answer, e)) return fail(e, u->json);
	return use_say(u, answer.value, "%s", json_str(answer.value, "incident", ""));
}

static int run(const struct invocation *in)
{
	struct use u;
	struct error e = {0};
	const struct act *act = act_of(in);
	bool is_opening = given(in, "open");
	if (use_open(in, is_opening, &u, &e)) return fail(&e, given(in, "json"));
	int status = 0;
	if (is_opening)
		status = open_one(&u, in, &e);
	else if (act && !in->arg_count) {
		error_set(&e, ERR_USAGE, "--%s speaks of one incident: rung incidents INCIDENT --%s ...", act->option, act->option);
		status = fail(&e, u.json);
	} else if (!u.client) {
		error_set(&e, ERR_NOT_FOUND, "nothing has ever run here");
		if (in->arg_count) status = fail(&e, u.json);
	} else if (act)
		status = tell(&u, in, act, &e);
	else
		status = in->arg_count ? show(&u, in->args[0], &e) : list(&u, in, &e);
	use_close(&u);
	return status;
}

static const struct option options[] = {{"all", NULL, false, "those that are over, too; newest first"},
                                        {"assign", "USER", false, "this person has it from now on"},
                                        {"priority", "1..5", false, "how urgent it is: 1 is the most"},
                                        {"resolve", "REASON", false, "it is over"},
                                        {"open", "TITLE", false, "opens one by hand and prints its id"},
                                        OPTION_STATE,
                                        {NULL, NULL, false, NULL}};

const struct command command_incidents = {
    .name = "incidents",
    .arguments = "[INCIDENT]",
    .most = 1,
    .options = options,
    .help = "what is being worked on, the most urgent first; or one incident: its alerts, executions, times and notes",
    .longer = "An alert that fires opens an incident, and so does an execution that nobody looks at. `rung ack INCIDENT` says that you have it,\n"
              "`rung note INCIDENT TEXT` writes something down. It is resolved when its alerts are over, or by hand with --resolve.",
    .run = run,
};
