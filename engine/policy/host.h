#ifndef RUNG_POLICY_HOST_H
#define RUNG_POLICY_HOST_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { HOST_BYTES_MAX = 253, LOGIN_BYTES_MAX = 64 };

enum host_kind { HOST_NAME, HOST_IPV4, HOST_IPV6 };

/* The one spelling of a host: a name in lower case, an IPv4 address as four decimal numbers, an IPv6 address (which stands in brackets in text) without
 * them as RFC 5952 writes it. Lives in the arena. ERR_INVALID where it has no other safe reading: empty labels, a trailing dot, bytes that are not
 * ASCII, a name that resolvers read as an address (0x7f.1, 2130706433, 127.1), an IPv4 address in IPv6's clothes, a zone. */
enum err host_normal(struct arena *a, const char *text, size_t n, char **out, enum host_kind *kind, struct error *e);

/* A file on a host, as put and get take it: absolute, in its one spelling: no empty part, no "." and no "..", no control characters. ERR_INVALID. */
enum err file_path_check(const char *path, struct error *e);

/* Is this a name of an account: letters, digits and . _ - + $, none of these first but _? */
bool login_is_valid(const char *s, size_t n);

#endif
