#ifndef RUNG_SERVICE_CONFIGURE_H
#define RUNG_SERVICE_CONFIGURE_H

#include "service/config.h"
#include "service/engine_state.h"

/* An engine under its configuration: what it demands of the host is there, or the engine does not start. */

/* Reads the configuration (path NULL: that beside the state directory) and finds the user of commands. Before the fork server starts. ERR_INVALID for a file
 * that is not valid or a user that is not there, ERR_DENIED where this process may not give commands another user. */
enum err engine_configure(struct engine *en, const char *path, struct error *e);

/* Is what the configuration demands really on? Starts a worker and an actor to see. ERR_FAILED with all that is missing, and what to do. */
enum err engine_check_sandbox(struct engine *en, struct error *e);

/* What `sandbox: require` would miss here: appends "; " and a part of a sentence for each to missing. commands_as NULL: the engine's own user. paths: the files
 * that the commands' user may not be able to write, with all folders above them; NULL among them are passed over. */
void sandbox_missing(const struct config *c, const struct sandbox_user *commands_as, const struct sandbox_offer *o, const char *const *paths, size_t path_count,
                     struct buf *missing);

/* Before an execution of a book of that workspace: takes up what its configuration says now where it is the engine's own, except what needs another start of
 * the engine; ERR_CONFLICT where the engine is not what the workspace's configuration demands. */
enum err engine_check_workspace(struct engine *en, const char *workspace, struct error *e);

/* The environment of a command: what every one gets, what the configuration names, what the call gives. New reference. */
json_t *engine_environment(const struct engine *en, const char *execution, const json_t *given);

#endif
