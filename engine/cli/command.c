#include "cli/command.h"
#include "base/arena.h"
#include "base/text.h"
#include "cli/print.h"

#include <locale.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options that every command takes. */
static const struct option common[] = {
    {"json", NULL, false, "the result as JSON on standard output"},
    {"help", NULL, false, "this text"},
    {NULL, NULL, false, NULL},
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (strcmp(commands[i]->name, name) == 0) return commands[i];
	return NULL;
}

static const struct option *option_in(const struct option *table, const char *name, size_t n)
{
	for (; table && table->name; table++)
		if (strlen(table->name) == n && strncmp(table->name, name, n) == 0) return table;
	return NULL;
}

static const struct option *option_find(const struct command *c, const char *name, size_t n)
{
	const struct option *o = option_in(c->options, name, n);
	return o ? o : option_in(common, name, n);
}

static enum err unknown_option(const struct command *c, const char *text, struct error *e)
{
	const char *words[32];
	size_t n = 0;
	for (const struct option *o = c->options; o && o->name && n < 28; o++) words[n++] = o->name;
	for (const struct option *o = common; o->name; o++) words[n++] = o->name;
	words[n] = NULL;
	const char *near = text_nearest(text + strspn(text, "-"), words);
	if (near) return error_set(e, ERR_USAGE, "rung %s has no option %s: did you mean --%s?", c->name, text, near);
	return error_set(e, ERR_USAGE, "rung %s has no option %s: `rung help %s` lists them", c->name, text, c->name);
}

/* Reads one option at argv[*i]; moves *i over a value that stands apart. */
static enum err take_option(struct invocation *in, int argc, char **argv, int *i, struct error *e)
{
	const char *text = argv[*i];
	const char *name = text[1] == '-' ? text + 2 : strcmp(text, "-o") == 0 ? "output" : strcmp(text, "-h") == 0 ? "help" : NULL;
	if (!name) return unknown_option(in->command, text, e);
	const char *equals = strchr(name, '=');
	const struct option *o = option_find(in->command, name, equals ? (size_t)(equals - name) : strlen(name));
	if (!o) return unknown_option(in->command, text, e);
	const char *value = equals ? equals + 1 : NULL;
	if (!o->value && equals) return error_set(e, ERR_USAGE, "--%s takes no value", o->name);
	if (o->value && !equals) {
		if (*i + 1 >= argc) return error_set(e, ERR_USAGE, "--%s needs a value: --%s %s", o->name, o->name, o->value);
		value = argv[++*i];
	}
	if (!o->is_repeated)
		for (size_t k = 0; k < in->option_count; k++)
			if (in->options[k].option == o) return error_set(e, ERR_USAGE, "--%s is given twice", o->name);
	in->options[in->option_count++] = (struct option_given){o, value};
	return ERR_OK;
}

enum err invocation_parse(const struct command *c, int argc, char **argv, struct invocation *out, struct error *e)
{
	size_t room = argc > 0 ? (size_t)argc + 1 : 1;
	*out = (struct invocation){.command = c, .args = mem_zero(room * sizeof *out->args), .options = mem_zero(room * sizeof *out->options)};
	bool only_args = false;
	for (int i = 0; i < argc; i++) {
		const char *text = argv[i];
		if (!only_args && strcmp(text, "--") == 0) {
			only_args = true;
			continue;
		}
		if (only_args || text[0] != '-' || !text[1]) {
			out->args[out->arg_count++] = text;
			continue;
		}
		enum err err = take_option(out, argc, argv, &i, e);
		if (err) return err;
	}
	if (given(out, "help")) return ERR_OK;
	if (out->arg_count < c->least || out->arg_count > c->most) {
		const char *what = out->arg_count < c->least ? "needs more" : "takes fewer arguments";
		return error_set(e, ERR_USAGE, "rung %s %s: rung %s %s", c->name, what, c->name, c->arguments);
	}
	return ERR_OK;
}

void invocation_clear(struct invocation *in)
{
	free(in->args);
	free(in->options);
	*in = (struct invocation){0};
}

const char *given_value(const struct invocation *in, const char *name)
{
	for (size_t i = in->option_count; i-- > 0;)
		if (strcmp(in->options[i].option->name, name) == 0) return in->options[i].value;
	return NULL;
}

bool given(const struct invocation *in, const char *name)
{
	for (size_t i = 0; i < in->option_count; i++)
		if (strcmp(in->options[i].option->name, name) == 0) return true;
	return false;
}

enum err given_params(const struct invocation *in, json_t *out, struct error *e)
{
	for (size_t i = 0; i < in->option_count; i++) {
		if (strcmp(in->options[i].option->name, "param") != 0) continue;
		const char *text = in->options[i].value, *equals = strchr(text, '=');
		if (!equals || equals == text) return error_set(e, ERR_USAGE, "--param %s: NAME=VALUE was expected", text);
		char *name = strndup(text, (size_t)(equals - text));
		int bad = json_object_set_new(out, name, json_string(equals + 1));
		free(name);
		if (bad) return error_set(e, ERR_INVALID, "--param %.40s: the value is not UTF-8", text);
	}
	return ERR_OK;
}

static int no_such_command(const char *name)
{
	const char *words[64];
	size_t n = 0;
	for (size_t i = 0; commands[i] && n < 63; i++)
		if (!commands[i]->is_hidden) words[n++] = commands[i]->name;
	words[n] = NULL;
	const char *near = text_nearest(name, words);
	if (near)
		message("rung has no command \"%s\": did you mean `rung %s`?", name, near);
	else
		message("rung has no command \"%s\": `rung help` lists them", name);
	return err_info(ERR_USAGE)->exit_status;
}

int cli_main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "");
	/* A pager that was closed, an engine that is gone: both are answers of write(), not the end of this process. */
	signal(SIGPIPE, SIG_IGN);
	const char *name = argc > 1 ? argv[1] : "help";
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) name = "version";
	const struct command *c = command_find(name);
	if (!c) return no_such_command(name);
	struct invocation in;
	struct error e = {0};
	int status;
	if (invocation_parse(c, argc > 2 ? argc - 2 : 0, argv + 2, &in, &e))
		status = fail(&e, false);
	else if (given(&in, "help"))
		status = print_command_help(c);
	else
		status = c->run(&in);
	invocation_clear(&in);
	if (fflush(stdout) != 0 && status == 0) status = err_info(ERR_IO)->exit_status;
	return status;
}
