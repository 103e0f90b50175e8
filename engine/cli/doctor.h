#ifndef RUNG_CLI_DOCTOR_H
#define RUNG_CLI_DOCTOR_H

#include "base/arena.h"
#include "cli/workspace.h"

#include <jansson.h>
#include <stdbool.h>

/* Rows of what was found: name, whether it is as it should be, what it is and what that means. */
struct findings {
	struct arena *arena;
	json_t *rows;
	size_t bad;
	json_t *config;          /* what config.yaml says; NULL: it is not valid */
	const char *commands_as; /* who commands run as where that is another user than the engine's, and possible; else NULL */
};

void found(struct findings *f, const char *name, bool is_good, const char *what);

/* Workers, control groups, the user of commands, tracing, config.yaml: what confines what here. forkd: the fork server's path, or NULL. */
void doctor_sandbox(struct findings *f, const struct workspace *w, const char *forkd);

#endif
