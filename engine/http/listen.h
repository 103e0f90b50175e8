#ifndef RUNG_HTTP_LISTEN_H
#define RUNG_HTTP_LISTEN_H

#include "http/server.h"

/* Where the server listens: h->listen_fd and h->address, by what the command line or else the configuration says. TLS where a certificate is named; without it
 * only addresses of this host itself are listened on: tokens and alerts do not cross a network in the clear. ERR_INVALID, ERR_USAGE, ERR_IO. */
enum err listen_open(struct http *h, struct error *e);

/* An address as people write it, "127.0.0.1:7864", "[::1]:7864", "localhost:7864", ":7864" (this host): ERR_INVALID. Pure. */
enum err listen_parse(const char *text, struct sockaddr_storage *out, socklen_t *n, struct error *e);

/* Is it one that only processes of this host reach? Pure. */
bool listen_is_loopback(const struct sockaddr_storage *a);

#endif
