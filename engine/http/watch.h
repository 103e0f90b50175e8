#ifndef RUNG_HTTP_WATCH_H
#define RUNG_HTTP_WATCH_H

#include <stdbool.h>

/* Has a connection ever sent a byte of value 0? The library cuts heads with NULs, so that one directly before a line feed looks afterwards as if a CR had stood
 * there: it must be seen before. Nothing that is sent here has one, bodies neither (JSON and forms write it otherwise). So the library's two ways to receive
 * are watched: recv and, under TLS, gnutls_record_recv are defined in watch.c, where the loader finds them first, and hand on to the real ones. The library's
 * thread only. */

/* A new connection has this descriptor. Under TLS what comes on the descriptor itself is anything. */
void watch_begin(int fd, bool is_tls);

bool watch_saw_nul(int fd);

#endif
