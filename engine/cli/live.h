#ifndef RUNG_CLI_LIVE_H
#define RUNG_CLI_LIVE_H

#include "cli/client.h"

/* Follows an execution where no person watches: one line for each change of a step, the first and last lines of each call's
 * output (all of them with is_verbose) behind the step's id; with json nothing until one
 * object {"execution","state","steps":[...]} at the end. Ends when the execution does, or when it waits for a person (and says how to go on). Gives the exit
 * status. Takes the client. */
int live_run(struct client *c, const char *execution, bool json, bool is_verbose);

#endif
