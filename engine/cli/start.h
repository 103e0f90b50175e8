#ifndef RUNG_CLI_START_H
#define RUNG_CLI_START_H

#include "base/arena.h"
#include "base/error.h"

/* Starting the engine in the background. */

/* Makes the state directory (0700) and waits for this client's turn to start its engine: of two that come at once the second finds an engine running.
 * Closing *turn ends the turn. */
enum err start_take_turn(const char *state_dir, int *turn, struct error *e);

/* The configuration of an engine with that state directory, whether the file is there or not; NULL: it has none. In the arena. */
const char *start_config(struct arena *a, const char *state_dir);

/* Starts `rung engine --state DIR` in a session of its own, its messages appended to <state>/engine.log, and waits until it says that it is ready.
 * The error is the engine's own sentence where it says why not. */
enum err start_engine(const char *state_dir, struct error *e);

#endif
