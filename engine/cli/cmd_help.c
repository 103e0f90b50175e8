#include "cli/commands.h"
#include "cli/keys.h"
#include "cli/print.h"
#include "flow/flow.h"
#include "journal/record.h"

#include <stdio.h>
#include <string.h>

static int help_commands(void)
{
	printf("rung runs Markdown runbooks and playbooks: step by step with a person, or by themselves.\n\n");
	for (size_t i = 0; commands[i]; i++)
		if (!commands[i]->is_hidden) printf("  %-9s %-26s %s\n", commands[i]->name, commands[i]->arguments, commands[i]->help);
	printf("\nrung help COMMAND tells more. Topics: rung help states, rung help records, rung help keys, rung help exit.\n"
	       "Results are on standard output, messages on standard error; --json gives results as JSON.\n");
	return 0;
}

static void print_state(const json_t *row, bool is_execution)
{
	printf("  %-10s ", json_str(row, "name", ""));
	if (is_execution) printf("%4lld  ", (long long)json_int(row, "exit", 0));
	printf("%s\n", json_str(row, "means", ""));
}

static int help_states(bool json)
{
	json_t *table = flow_states_json(), *row, *from;
	size_t i, k;
	if (json) {
		print_json(table);
		json_decref(table);
		return 0;
	}
	printf("States of an execution, with the exit status of rung\n\n");
	json_array_foreach(json_arr(table, "executions"), i, row) print_state(row, true);
	printf("\nStates of a step\n\n");
	json_array_foreach(json_arr(table, "steps"), i, row) print_state(row, false);
	printf("\nWhat moves a step\n\n");
	json_array_foreach(json_arr(table, "transitions"), i, row)
	{
		printf("  %s:", json_str(row, "event", ""));
		json_array_foreach(json_arr(row, "from"), k, from) printf("%s %s", k ? "," : "", json_string_value(from));
		printf(" -> %s\n", json_str(row, "to", "as the event says"));
	}
	json_decref(table);
	return 0;
}

static int help_records(bool json)
{
	json_t *kinds = record_kinds_json(), *row, *field;
	size_t i, k;
	if (json) {
		print_json(kinds);
		json_decref(kinds);
		return 0;
	}
	printf("Kinds of record in the journal, with the members of each record's d (? can be absent)\n\n");
	const json_t *list = json_is_array(kinds) ? kinds : json_arr(kinds, "kinds");
	json_array_foreach(list, i, row)
	{
		const json_t *fields = json_arr(row, "d") ? json_arr(row, "d") : json_arr(row, "members");
		printf("  %-24s", json_str(row, "kind", json_str(row, "name", "")));
		json_array_foreach(fields, k, field) printf("%s%s %s%s", k ? ", " : " ", json_str(field, "key", json_str(field, "name", "")),
		                                            json_str(field, "type", ""), json_bool(field, "required", true) ? "" : "?");
		printf("\n");
	}
	json_decref(kinds);
	return 0;
}

static int help_keys(void)
{
	printf("Keys of guided mode; those that mean something now stand at the bottom of the screen\n\n");
	for (const struct key_info *k = key_table; k->key; k++)
		if (k->longer) printf("  %-7s %s\n", k->label, k->longer);
	return 0;
}

static int help_exit(void)
{
	static const struct {
		int status;
		const char *means;
	} table[] = {{0, "succeeded"},
	             {1, "failed"},
	             {2, "wrong usage: an unknown command or option, no such book"},
	             {3, "a book or a configuration file is not valid"},
	             {4, "denied: a right is missing"},
	             {5, "waiting for a person: rung attach goes on"},
	             {6, "timed out"},
	             {7, "the journal does not verify"},
	             {130, "interrupted or cancelled"}};
	printf("Exit statuses\n\n");
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) printf("  %3d  %s\n", table[i].status, table[i].means);
	return 0;
}

static int run(const struct invocation *in)
{
	const char *topic = in->arg_count ? in->args[0] : NULL;
	if (!topic) return help_commands();
	if (strcmp(topic, "states") == 0) return help_states(given(in, "json"));
	if (strcmp(topic, "records") == 0) return help_records(given(in, "json"));
	if (strcmp(topic, "keys") == 0) return help_keys();
	if (strcmp(topic, "exit") == 0) return help_exit();
	const struct command *c = command_find(topic);
	if (c) return print_command_help(c);
	static const char *const topics[] = {"states", "records", "keys", "exit", NULL};
	const char *near = nearest_word(topic, topics);
	message("there is no help on \"%s\"%s%s%s", topic, near ? ": did you mean `rung help " : "", near ? near : ": `rung help` lists commands and topics",
	        near ? "`?" : "");
	return err_info(ERR_USAGE)->exit_status;
}

const struct command command_help = {
    .name = "help", .arguments = "[COMMAND|TOPIC]", .most = 1, .help = "this list, a command in full, or a topic: states, records, keys, exit", .run = run};
