#ifndef RUNG_SERVICE_CHANNEL_H
#define RUNG_SERVICE_CHANNEL_H

#include "escalate/notice.h"
#include "escalate/oncall.h"
#include "service/engine_state.h"

/* One message to one person on one channel. All are sent by one process, an actor that belongs to no execution: it runs the commands, speaks HTTP and SMTP and
 * has the secrets, so the loop waits for nobody and parses nothing that a host says. Where that process ends, or says what it may not, nobody knows what became
 * of the messages that it had, and the next one has another. The engine's loop only. source: DESIGN.md 2 (processes), 8 */
struct notifier;

/* why: a sentence; NULL where it was delivered. Valid in it only. result NOTIFICATION_RESULT_N: the engine ends, and arg is to be freed. */
typedef void channel_done(void *arg, enum escalation_result result, const char *why);

/* Sends n to c. done is called once, never from within this. All arguments but arg are borrowed until it returns. root: the workspace
 * whose secrets.yaml names the secrets. An error: nothing has left, and done is not called. */
enum err channel_send(struct engine *en, const char *root, const struct oncall *o, const struct oncall_channel *c, const struct notice *n, channel_done *done,
                      void *arg, struct error *e);

/* Nothing under way has that arg any more: its message may still arrive, and nobody is told. */
void channel_forget(struct engine *en, const void *arg);

/* Are messages under way? */
bool channels_are_busy(const struct engine *en);

/* The engine ends: the process gets the end of file, and with it ends what it runs. */
void channels_stop(struct engine *en);

#endif
