#ifndef RUNG_CLI_NEW_LOG_H
#define RUNG_CLI_NEW_LOG_H

#include "base/error.h"

/* Sets the log of a state directory aside, with its keys and its guard (renamed, never deleted), and begins another one whose first records say why and name
 * the old log's last checkpoint, where it can be read. ERR_CONFLICT where an engine owns the store. */
enum err new_log(const char *state_dir, const char *reason, const char *by, struct error *e);

#endif
