#ifndef RUNG_CLI_ENGINE_USE_H
#define RUNG_CLI_ENGINE_USE_H

#include "base/arena.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/workspace.h"

/* What commands that speak with the engine have in common. */
struct use {
	struct arena *arena;
	struct workspace workspace;
	struct client *client; /* NULL: not connected, or handed to guided mode */
	bool json;
	bool is_verbose; /* plain lines show all that calls print */
};

/* Finds the workspace; then, with is_needed, connects to its engine, starting it where none runs. Without is_needed it stays unconnected where nothing has
 * ever run here, so that a question about the past makes no state. */
enum err use_open(const struct invocation *in, bool is_needed, struct use *out, struct error *e);
void use_close(struct use *u);

/* The frame of a command about one execution: connects, finds the one that is named (NULL: the only one that is open), runs fn, disconnects. Gives fn's status.
 */
int use_one(const struct invocation *in, const char *name, int (*fn)(struct use *u, const struct invocation *in, const char *id, struct error *e));

/* How a command ends well: its value with --json, else the sentence. value is taken. Gives 0. */
int use_say(const struct use *u, json_t *value, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* "--state", for the table of options of every command that uses it. */
#define OPTION_STATE                                                                                                                                           \
	{                                                                                                                                                      \
		"state", "DIR", false, "the state directory (default: .rung/state of the workspace, or $RUNG_STATE)"                                           \
	}

/* "--verbose", for those that stay with an execution; they put it into is_verbose. */
#define OPTION_VERBOSE                                                                                                                                         \
	{                                                                                                                                                      \
		"verbose", NULL, false, "plain lines: all that calls print, not its first and last lines alone"                                                \
	}

/* The whole id of the execution that a command line names by its start; without a name the one that is open, where there is one only. */
enum err use_execution(struct use *u, const char *name, const char **id, struct error *e);

/* The execution's view; a new reference. */
enum err use_view(struct use *u, const char *id, json_t **view, struct error *e);

/* Takes an execution up again that an engine's end left open, so that it can be told something. */
enum err use_make_live(struct use *u, const char *id, struct error *e);

/* One request; the value is dropped. args is taken. */
enum err use_request(struct use *u, const char *op, json_t *args, struct error *e);

/* Is there a person at a terminal who can be asked? */
bool use_has_person(void);

/* Asks on the terminal for a line, outside guided mode. Allocated; NULL at the end of the input. */
char *use_ask(const char *prompt);

/* The same for what nobody may see: the terminal does not show what is typed. Overwrite it after use. */
char *use_ask_hidden(const char *prompt);

/* The value of a parameter of type secret, where nobody can see it: of $RUNG_SECRET_NAME, else asked for on the terminal (may_ask). NULL with e: ERR_INVALID
 * where there is none, ERR_INTERRUPTED where the person left. Allocated. */
char *use_secret(const char *name, const char *about, bool may_ask, struct error *e);

/* Stays with an execution to its end, or as far as it goes without a person: guided mode on a terminal, else plain lines; with --json one object at the end.
 * Gives the exit status. Takes the client. */
int use_follow(struct use *u, const char *id, bool is_watching);

#endif
