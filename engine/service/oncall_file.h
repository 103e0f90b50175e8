#ifndef RUNG_SERVICE_ONCALL_FILE_H
#define RUNG_SERVICE_ONCALL_FILE_H

#include "escalate/oncall.h"
#include "service/engine_state.h"

/* Who is on call in a workspace, as `.rung/oncall.yaml` says now: the file is looked at each time, as the policy is. The engine's loop only. */
struct oncall_at;

/* That of the workspace's folder (NULL: no workspace, and so nobody), made when it is asked for first. */
struct oncall_at *engine_oncall(struct engine *en, const char *root);

/* What it says, valid until the next call; with no file, that nobody is on call. Where the file cannot be read, or is none, the last one that could goes on
 * (nobody where there was none): whoever has to be woken is woken, and e says what is wrong, its kind ERR_OK where nothing is. */
const struct oncall *oncall_now(struct oncall_at *at, struct error *e);

const char *oncall_root(const struct oncall_at *at);

/* Between two rounds of the loop. */
void engine_oncalls_sweep(struct engine *en);
void engine_oncalls_free(struct engine *en);

#endif
