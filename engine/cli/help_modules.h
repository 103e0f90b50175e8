#ifndef RUNG_CLI_HELP_MODULES_H
#define RUNG_CLI_HELP_MODULES_H

#include <stdbool.h>

enum help_form { HELP_PLAIN, HELP_JSON, HELP_MARKDOWN };

/* What a step can call, on standard output: each call with what it does, or with all of it where a module is named. Gives the exit status. */
int help_modules(const char *module, enum help_form form);

#endif
