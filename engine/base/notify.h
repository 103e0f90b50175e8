#ifndef RUNG_BASE_NOTIFY_H
#define RUNG_BASE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* What a service tells the manager that started it (systemd): lines such as READY=1, as datagrams to the socket that $NOTIFY_SOCKET names.
 * source: sd_notify(3), sd_watchdog_enabled(3) */

/* Takes what the environment says and removes it there, so that no process below inherits it. Once, before there are threads. */
void notify_prepare(void);

/* Says one or more lines. False where nobody wants to hear, or it could not be delivered: nothing depends on it. */
bool notify_say(const char *lines);

/* How often the manager wants to hear WATCHDOG=1, at least; 0: it does not. */
int64_t notify_watchdog_us(void);

#endif
