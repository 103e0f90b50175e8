#include "base/text.h"
#include "book/book.h"
#include "cli/commands.h"
#include "cli/help_modules.h"
#include "cli/keys.h"
#include "cli/print.h"
#include "flow/escalation.h"
#include "flow/flow.h"
#include "flow/incident.h"
#include "journal/record.h"
#include "service/config.h"

#include <stdio.h>
#include <string.h>

struct topic {
	const char *name;
	int (*show)(bool json);
};

static const struct topic *topic_table(void);

static int help_commands(void)
{
	printf("rung runs Markdown runbooks and playbooks: step by step with a person, or by themselves.\n\n");
	for (size_t i = 0; commands[i]; i++)
		if (!commands[i]->is_hidden) printf("  %-12s %-30s %s\n", commands[i]->name, commands[i]->arguments, commands[i]->help);
	printf("\nrung help COMMAND tells more, rung help TOPIC of");
	for (const struct topic *t = topic_table(); t->name; t++) printf("%s %s", t == topic_table() ? "" : ",", t->name);
	printf(".\nResults are on standard output, messages on standard error; --json gives results as JSON.\n");
	return 0;
}

static void print_state(const json_t *row, bool is_execution)
{
	printf("  %-10s ", json_str(row, "name", ""));
	if (is_execution) printf("%4lld  ", (long long)json_int(row, "exit", 0));
	printf("%s\n", json_str(row, "means", ""));
}

static void print_move(const json_t *row)
{
	size_t k;
	json_t *from;
	printf("  %s:", json_str(row, "event", ""));
	json_array_foreach(json_arr(row, "from"), k, from) printf("%s %s", k ? "," : "", json_string_value(from));
	printf(" -> %s\n", json_str(row, "to", "as the event says"));
}

static void print_words(const char *heading, const json_t *rows)
{
	size_t i;
	json_t *row;
	printf("\n%s\n\n", heading);
	json_array_foreach(rows, i, row) printf("  %-12s %s\n", json_str(row, "name", ""), json_str(row, "means", ""));
}

static int help_states(bool json)
{
	json_t *table = flow_states_json(), *incidents = incident_tables_json(), *escalations = escalation_tables_json(), *row;
	size_t i;
	json_object_set_new(table, "incidents", incidents);
	json_object_set_new(table, "escalations", escalations);
	if (json) {
		print_json(table);
		json_decref(table);
		return 0;
	}
	printf("States of an execution, with the exit status of rung\n\n");
	json_array_foreach(json_arr(table, "executions"), i, row) print_state(row, true);
	printf("\nStates of a step\n\n");
	json_array_foreach(json_arr(table, "steps"), i, row) print_state(row, false);
	print_words("States of an incident", json_arr(incidents, "states"));
	print_words("States of an escalation", json_arr(escalations, "states"));
	print_words("What raises an escalation", json_arr(escalations, "triggers"));
	printf("\nWhat moves a step\n\n");
	json_array_foreach(json_arr(table, "transitions"), i, row) print_move(row);
	printf("\nWhat moves an incident\n\n");
	json_array_foreach(json_arr(incidents, "transitions"), i, row) print_move(row);
	printf("\nWhat moves an escalation\n\n");
	json_array_foreach(json_arr(escalations, "transitions"), i, row) print_move(row);
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

static int help_keys(bool json)
{
	(void)json;
	printf("Keys of guided mode; those that mean something now stand at the bottom of the screen\n\n");
	for (const struct key_info *k = key_table; k->key; k++)
		if (k->longer) printf("  %-7s %s\n", k->label, k->longer);
	return 0;
}

static int help_exit(bool json)
{
	(void)json;
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

static json_t *attributes_json(void)
{
	struct attribute_info t;
	json_t *all = json_array();
	for (size_t i = 0; step_attribute_info(i, &t); i++)
		json_array_append_new(all, json_pack("{s:s,s:s,s:s}", "name", t.name, "value", t.value, "means", t.means));
	return all;
}

static int help_attributes(bool json)
{
	struct attribute_info t;
	if (json) {
		json_t *all = attributes_json();
		print_json(all);
		json_decref(all);
		return 0;
	}
	printf("Attributes of a step: in its fence's info string after the language, or in a comment where it has no fence\n\n"
	       "  ```lua {id=restart needs=look timeout=5m risk=change if=\"params.force\"}\n"
	       "  <!-- step: id=agree owner=dba expect=\"a yes in the ticket\" -->\n\n");
	for (size_t i = 0; step_attribute_info(i, &t); i++) {
		if (*t.value)
			printf("  %s=%s\n      %s\n", t.name, t.value, t.means);
		else
			printf("  %s\n      %s\n", t.name, t.means);
	}
	return 0;
}

static int help_capabilities(bool json)
{
	static const struct {
		const char *pattern, *means;
	} parts[] = {{"word", "itself; quoted as a POSIX shell quotes, nothing is expanded"},
	             {"*", "one argument, or a part of one (web-*): never empty, never one that begins with -"},
	             {"**", "all arguments that are left, if any; stands alone, at the end"},
	             {"{a|b}", "one of these"},
	             {"{param:x}", "the value that the parameter x has in this execution"},
	             {"'*' \\*", "quoted, each character means itself"},
	             {NULL, NULL}},
	  examples[] = {{"sh df -P -k {param:path}", "df -P -k /var, where path is /var"},
	                {"sh systemctl {status|is-active} *", "both, of any unit"},
	                {"sh systemctl restart {param:unit}.service", "that one unit"},
	                {"sh df **", "df with whatever follows"},
	                {"sh sh -c 'df | sort'", "this one shell line and no other: what sh(\"df | sort\") calls"},
	                {"ssh deploy@web-* as root -- systemctl restart *", "on hosts of one name part, as that user and no other"},
	                {"ssh deploy@web-* put /etc/app/*", "ssh.put of files of that folder; ** is all below it; no right to commands holds it"},
	                {"ssh deploy@web-* get /var/log/app/**", "ssh.get of files below that folder"},
	                {"http {GET|HEAD} https://api.example.net/v1/**", "below that path, with no query; ?** at the end allows any"},
	                {"secret db-admin", "use of that secret; so with notify NAME and runbook ID or path"},
	                {NULL, NULL}};
	(void)json;
	printf("A capability is a right to make certain calls: a kind and a pattern over the arguments, matched one by one. A book declares what its\n"
	       "steps may call under ## Permissions, one in backticks an item, with read: before those that change nothing; a person allows with\n"
	       "--allow PATTERN (or --allow declared), or at the terminal. A call needs both.\n\n");
	for (size_t i = 0; parts[i].pattern; i++) printf("  %-10s %s\n", parts[i].pattern, parts[i].means);
	printf("\nExamples\n\n");
	for (size_t i = 0; examples[i].pattern; i++) printf("  %s\n      %s\n", examples[i].pattern, examples[i].means);
	printf("\nA pattern that allows every command (sh **, sh sudo **, sh find **) is a finding of rung check.\n");
	return 0;
}

static int help_config(bool json)
{
	struct config_key_info k;
	json_t *all = json_array();
	for (size_t i = 0; config_key_info(i, &k); i++)
		json_array_append_new(all, json_pack("{s:s,s:s,s:s}", "name", k.name, "value", k.value, "means", k.means));
	if (json) {
		print_json(all);
		json_decref(all);
		return 0;
	}
	json_decref(all);
	printf("Keys of .rung/config.yaml, which an engine reads when it starts, and before each execution for what needs no other start\n\n");
	for (size_t i = 0; config_key_info(i, &k); i++) printf("  %s: %s\n      %s\n", k.name, k.value, k.means);
	printf("\nExample\n\n  version: 1\n  sandbox: require\n  commands: {as: runner, limits: {processes: 200}}\n  environment: [KUBECONFIG, LANG]\n\n"
	       "rung doctor shows what this host offers, and what the file asks for.\n");
	return 0;
}

static void print_table(const char *title, const char *const (*rows)[2], int width)
{
	printf("\n%s\n\n", title);
	for (; (*rows)[0]; rows++) printf("  %-*s  %s\n", width, (*rows)[0], (*rows)[1]);
}

static int help_inventory(bool json)
{
	static const char *const keys[][2] = {{"address",
	                                       "where it is reached, else by its name; \"{name}\" in it is the name, a range goes with that of the name"},
	                                      {"port, login", "22; none"},
	                                      {"jump", "the name of the host through which it is reached"},
	                                      {"host_keys", "keys (\"ssh-ed25519 AAAA...\") or fingerprints (\"SHA256:...\") that it may have, no others"},
	                                      {"labels", "role: web, zone: a"},
	                                      {"groups", "of a host: those that it is in"},
	                                      {"hosts, children", "of a group: hosts that are in it, too; groups within it"},
	                                      {NULL, NULL}},
	                         *const queries[][2] = {{"role=web", "hosts with that label; role=web|db one of these, zone=eu-* with a star"},
	                                                {"role!=web", "the others, also those without the label"},
	                                                {"zone in a|b, zone not in (a, b)", "the same in words"},
	                                                {"web-01, web, all", "a host, the hosts of a group, every host"},
	                                                {"web-*, web-[01:10]", "by name; a star crosses no dot"},
	                                                {"name=..., group=...", "by name alone, by group alone"},
	                                                {"not A, A and B, A or B, ( )", "not binds first, then and, then or"},
	                                                {"web-01, role=web", "one after another, no host twice: web-01 is the first"},
	                                                {NULL, NULL}},
	                         *const dynamic[][2] = {
	                             {"command", "its arguments; runs as the user of commands, in the workspace's folder; there is no shell"},
	                             {"cache, timeout", "how long its answer is good (5m); how long it may take (30s)"},
	                             {"labels", "which of its variables are labels (\"*\": all); others, passwords too, are not kept"},
	                             {NULL, NULL}};
	(void)json;
	printf(".rung/inventory.yaml names the hosts that steps act on; rung hosts [QUERY] lists them\n\n"
	       "  version: 1\n"
	       "  hosts:\n"
	       "    gate: {address: 203.0.113.9, login: jump, host_keys: [\"SHA256:...\"]}\n"
	       "    web-[01:40]: {address: \"10.0.1.[1:40]\", groups: [web], labels: {role: web, zone: a}}\n"
	       "    db-[a:c]: {labels: {role: db}}\n"
	       "  groups:\n"
	       "    all: {login: deploy}\n"
	       "    web: {jump: gate}\n"
	       "  dynamic: {command: [ansible-inventory, --list], cache: 5m, labels: [role, zone]}\n");
	print_table("A host, and but for its address a group, may have", keys, 15);
	printf(
	    "\nA range is [FROM:TO] or [FROM:TO:STEP] of numbers or letters; [01:40] keeps the zero. What a host says wins over its groups, a group over the\n"
	    "groups around it. The group all is around every host.\n");
	print_table("Queries: parameters of type hosts, and hosts(\"...\") in Lua", queries, 31);
	print_table("dynamic: a command that prints hosts as Ansible's --list does", dynamic, 15);
	printf("\nOf Ansible's variables ansible_host, ansible_port and ansible_user are read, rung_jump and rung_host_keys too; what the file says of a host "
	       "wins.\n");
	return 0;
}

static int help_all_modules(bool json)
{
	return help_modules(NULL, json ? HELP_JSON : HELP_PLAIN);
}

static const struct topic *topic_table(void)
{
	static const struct topic topics[] = {{"states", help_states},
	                                      {"records", help_records},
	                                      {"keys", help_keys},
	                                      {"exit", help_exit},
	                                      {"attributes", help_attributes},
	                                      {"capabilities", help_capabilities},
	                                      {"config", help_config},
	                                      {"inventory", help_inventory},
	                                      {"modules", help_all_modules},
	                                      {NULL, NULL}};
	return topics;
}

static int run(const struct invocation *in)
{
	const char *name = in->arg_count ? in->args[0] : NULL, *names[64] = {0};
	size_t n = 0;
	if (!name) return help_commands();
	if (strcmp(name, "modules") == 0 && (in->arg_count > 1 || given(in, "markdown")))
		return help_modules(in->arg_count > 1 ? in->args[1] : NULL, given(in, "markdown") ? HELP_MARKDOWN : given(in, "json") ? HELP_JSON : HELP_PLAIN);
	if (in->arg_count > 1) {
		message("one command or topic was expected; only `rung help modules` takes a name behind it");
		return err_info(ERR_USAGE)->exit_status;
	}
	for (const struct topic *t = topic_table(); t->name; t++) {
		if (strcmp(name, t->name) == 0) return t->show(given(in, "json"));
		names[n++] = t->name;
	}
	const struct command *c = command_find(name);
	if (c) return print_command_help(c);
	for (size_t i = 0; commands[i] && n < 63; i++)
		if (!commands[i]->is_hidden) names[n++] = commands[i]->name;
	const char *near = text_nearest(name, names);
	message("there is no help on \"%s\"%s%s%s", name, near ? ": did you mean `rung help " : "", near ? near : ": `rung help` lists commands and topics",
	        near ? "`?" : "");
	return err_info(ERR_USAGE)->exit_status;
}

static const struct option options[] = {{"markdown", NULL, false, "modules: the reference as Markdown, as modules/README.md has it"}, {.name = NULL}};

const struct command command_help = {.name = "help",
                                     .arguments = "[COMMAND|TOPIC [MODULE]]",
                                     .most = 2,
                                     .options = options,
                                     .help = "this list, a command in full, or a topic: states, keys, attributes, modules, ...",
                                     .run = run};
