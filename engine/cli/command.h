#ifndef RUNG_CLI_COMMAND_H
#define RUNG_CLI_COMMAND_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

/* One command a file, its name, arguments, options and help in one table entry beside the function that runs it. commands.c lists the entries;
 * parsing, `rung help` and the hint after a mistyped name are made from them. */

struct option {
	const char *name;  /* without the dashes */
	const char *value; /* what stands for its value in the help; NULL for a flag */
	bool is_repeated;
	const char *help;
};

struct option_given {
	const struct option *option;
	const char *value; /* borrowed from argv; NULL for a flag */
};

/* A command line that was understood. */
struct invocation {
	const struct command *command;
	const char **args;
	size_t arg_count;
	struct option_given *options;
	size_t option_count;
};

struct command {
	const char *name;
	const char *arguments;        /* as the help shows them: "BOOK", "[EXECUTION]", "PATH..." */
	size_t least, most;           /* how many arguments */
	const struct option *options; /* ends with a NULL name */
	const char *help;             /* one line */
	const char *longer;           /* paragraphs; NULL where the line says it all */
	bool is_hidden;
	/* Runs it and gives the exit status. */
	int (*run)(const struct invocation *in);
};

/* All commands in the order in which the help lists them; ends with NULL. */
extern const struct command *const commands[];

const struct command *command_find(const char *name); /* NULL where there is none */

/* Reads argv (after the command's name). Memory is given back by invocation_clear. ERR_USAGE says what was expected, with the nearest name. */
enum err invocation_parse(const struct command *c, int argc, char **argv, struct invocation *out, struct error *e);
void invocation_clear(struct invocation *in);

/* The last value given for an option, or NULL; is it there at all. The name must be one of the command's table. */
const char *given_value(const struct invocation *in, const char *name);
bool given(const struct invocation *in, const char *name);

/* The values of --param NAME=VALUE, as texts, into an object; the last of a name wins. */
enum err given_params(const struct invocation *in, json_t *out, struct error *e);

/* The whole of `rung`: finds the command, runs it, gives the exit status. */
int cli_main(int argc, char **argv);

#endif
