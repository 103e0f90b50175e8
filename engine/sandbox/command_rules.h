#ifndef RUNG_SANDBOX_COMMAND_RULES_H
#define RUNG_SANDBOX_COMMAND_RULES_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What bounds every command of an engine: read from .rung/config.yaml by the engine, told to each actor in "setup". */

/* One row of the table of limits. */
struct command_limit {
	const char *name; /* the key under commands: limits: */
	int resource;     /* RLIMIT_... */
	int64_t least, most;
	const char *means;
};

enum { COMMAND_LIMITS = 5 };

/* The table; COMMAND_LIMITS rows. */
extern const struct command_limit command_limits[COMMAND_LIMITS];

enum { LIMIT_NONE = -1 };

struct command_rules {
	int64_t limits[COMMAND_LIMITS]; /* by row of the table; LIMIT_NONE: as the actor has it */
	bool no_new_privileges;         /* setuid programs (sudo) gain nothing */
	uid_t trusted_uid;              /* whose program files may be run beside root's and the commands' own user's: the engine's */
};

/* No limits, programs of this process's own user. */
void command_rules_init(struct command_rules *r);

/* As the "setup" frame, and back. Reading gives ERR_PROTOCOL where it is no such frame. */
json_t *command_rules_setup(const struct command_rules *r);
enum err command_rules_read(const json_t *head, struct command_rules *r, struct error *e);

#endif
