#ifndef RUNG_CLI_SPAWN_H
#define RUNG_CLI_SPAWN_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Commands of a book's shell fences, one at a time, as shown, run by this process in the person's own environment and folder. What a command sets, exports
 * or changes its folder to is there for the next one.
 * source: DESIGN.md 3 (shell fences) */

/* What goes from one command to the next. */
struct spawn_carry {
	char **environment; /* NAME=VALUE, NULL-terminated */
	char *folder;
	char *private; /* a folder of our own where a command leaves them; made when first needed */
	int *keepers;  /* one open descriptor for each command with something still running in the background */
	size_t keeper_count;
};
void spawn_carry_init(struct spawn_carry *c);
/* Ends what still runs in the background and removes the private folder. */
void spawn_carry_clear(struct spawn_carry *c);

enum spawn_end { SPAWN_RUNS, SPAWN_EXITED, SPAWN_SIGNALED };

struct spawn {
	pid_t pid;    /* of the command's process group */
	int out, err; /* to read from; out is the terminal's master side with is_terminal; -1: closed */
	int status;   /* readable when the command has ended */
	int control;  /* closing it ends the whole group */
	bool is_terminal;
	enum spawn_end end;
	int number;          /* exit status or signal */
	bool is_full_screen; /* it switched to the alternate screen and not back */
};

/* Starts a command through the person's shell (bash where it is there, else sh). lock: a
 * file that the command and all its children hold open, or NULL. is_terminal: on a terminal of its own, of that size, in place of pipes. */
enum err spawn_start(struct spawn_carry *c, const char *command, const char *lock, bool is_terminal, int columns, int rows, struct spawn *out, struct error *e);

/* Reads from out or err once. Gives the number of bytes, 0 where nothing is there now, -1 where the stream has ended (and is closed). */
ssize_t spawn_read(struct spawn *r, int *fd, char *data, size_t n);

/* Has the command ended? Takes its status. What its output streams still hold can be read afterwards. */
bool spawn_has_ended(struct spawn *r);

void spawn_signal(const struct spawn *r, int number);
void spawn_resize(const struct spawn *r, int columns, int rows);

/* After its end: closes everything and takes over what the command left for the next one. Gives true where something of it still runs in the background. */
bool spawn_finish(struct spawn *r, struct spawn_carry *c);

#endif
