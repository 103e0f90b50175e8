#ifndef RUNG_SANDBOX_ADDRESS_H
#define RUNG_SANDBOX_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* What an address of the internet leads to. An address that carries an IPv4 address in it (mapped, NAT64, 6to4, ...) is of the class of that one, since
 * that is where a packet to it may end. source: the IANA registries of special-purpose addresses, RFC 6890, 6052, 3056, 4380, 5214 */

enum address_class {
	ADDRESS_PUBLIC,
	ADDRESS_UNSPECIFIED, /* 0.0.0.0: this host, to the kernel */
	ADDRESS_LOOPBACK,
	ADDRESS_LINK_LOCAL,
	ADDRESS_PRIVATE,      /* RFC 1918, shared (RFC 6598), benchmarks, site-local */
	ADDRESS_UNIQUE_LOCAL, /* fc00::/7 */
	ADDRESS_METADATA,     /* what clouds answer with credentials at */
	ADDRESS_MULTICAST,
	ADDRESS_RESERVED, /* broadcast, documentation, what is not given out */
	ADDRESS_CLASSES
};

/* AF_INET and AF_INET6; ADDRESS_RESERVED for any other. */
enum address_class address_class(const struct sockaddr *address);

/* "public", "loopback", "link-local", ... */
const char *address_class_word(enum address_class c);

/* Is it one that strangers cannot be reached at: anything but public? */
bool address_is_inner(const struct sockaddr *address);

socklen_t address_bytes(const struct sockaddr *address);
void address_set_port(struct sockaddr *address, unsigned port);

/* "192.0.2.1:443", "[2001:db8::1]:443", a zone as %number behind a link-local one. */
enum { ADDRESS_TEXT_BYTES = 80 };
void address_text(const struct sockaddr *address, char out[ADDRESS_TEXT_BYTES]);

#endif
