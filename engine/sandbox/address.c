#include "sandbox/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* One stretch of addresses: its first bytes, and how many bits of them count. The first row that holds an address is its class. */
struct range {
	unsigned char bytes[16];
	unsigned bits;
	enum address_class class;
};

static const struct range ranges4[] = {
    {{169, 254, 169, 254}, 32, ADDRESS_METADATA}, /* most clouds */
    {{169, 254, 169, 253}, 32, ADDRESS_METADATA}, /* Amazon: names */
    {{169, 254, 169, 123}, 32, ADDRESS_METADATA}, /* Amazon: time */
    {{169, 254, 170, 2}, 32, ADDRESS_METADATA},   /* Amazon: credentials of containers */
    {{169, 254, 170, 23}, 32, ADDRESS_METADATA},  /* Amazon: credentials of pods */
    {{169, 254, 42, 42}, 32, ADDRESS_METADATA},   /* Scaleway */
    {{169, 254, 0, 23}, 32, ADDRESS_METADATA},    /* Tencent */
    {{100, 100, 100, 200}, 32, ADDRESS_METADATA}, /* Alibaba */
    {{168, 63, 129, 16}, 32, ADDRESS_METADATA},   /* Azure: in public space */
    {{192, 0, 0, 192}, 32, ADDRESS_METADATA},     /* Oracle */
    {{0}, 8, ADDRESS_UNSPECIFIED},
    {{10}, 8, ADDRESS_PRIVATE},
    {{100, 64}, 10, ADDRESS_PRIVATE},
    {{127}, 8, ADDRESS_LOOPBACK},
    {{169, 254}, 16, ADDRESS_LINK_LOCAL},
    {{172, 16}, 12, ADDRESS_PRIVATE},
    {{192, 0, 0}, 24, ADDRESS_RESERVED},
    {{192, 0, 2}, 24, ADDRESS_RESERVED},
    {{192, 88, 99}, 24, ADDRESS_RESERVED},
    {{192, 168}, 16, ADDRESS_PRIVATE},
    {{198, 18}, 15, ADDRESS_PRIVATE},
    {{198, 51, 100}, 24, ADDRESS_RESERVED},
    {{203, 0, 113}, 24, ADDRESS_RESERVED},
    {{224}, 4, ADDRESS_MULTICAST},
    {{240}, 4, ADDRESS_RESERVED},
};

static const struct range ranges6[] = {
    {{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54}, 128, ADDRESS_METADATA}, /* Amazon */
    {{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x23}, 128, ADDRESS_METADATA}, /* Amazon: credentials of pods */
    {{0xfd, 0x20, 0, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54}, 128, ADDRESS_METADATA}, /* Google */
    {{0}, 128, ADDRESS_UNSPECIFIED},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, ADDRESS_LOOPBACK},
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48, ADDRESS_PRIVATE}, /* NAT64 of a site's own */
    {{0x20, 1}, 23, ADDRESS_RESERVED},                  /* protocols; Teredo's is among them */
    {{0x20, 1, 0x0d, 0xb8}, 32, ADDRESS_RESERVED},
    {{0x3f, 0xff}, 20, ADDRESS_RESERVED},
    {{0x20}, 3, ADDRESS_PUBLIC},
    {{0xfc}, 7, ADDRESS_UNIQUE_LOCAL},
    {{0xfe, 0x80}, 10, ADDRESS_LINK_LOCAL},
    {{0xfe, 0xc0}, 10, ADDRESS_PRIVATE},
    {{0xff}, 8, ADDRESS_MULTICAST},
};

/* Prefixes behind which an IPv4 address stands, and at which byte. */
static const struct carrier {
	unsigned char bytes[16];
	unsigned bits, at;
	bool is_public_reserved; /* nothing is reached there although the address in it is public */
} carriers[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12, false}, /* mapped */
    {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12, true},        /* translated (SIIT) */
    {{0, 0x64, 0xff, 0x9b}, 96, 12, false},                      /* NAT64 */
    {{0x20, 2}, 16, 2, false},                                   /* 6to4 */
    {{0}, 96, 12, true},                                         /* compatible; ::1 and :: are no such */
};

static bool is_within(const unsigned char *address, const unsigned char *range, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	if (memcmp(address, range, whole) != 0) return false;
	return rest == 0 || ((address[whole] ^ range[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

static enum address_class class_in(const struct range *ranges, size_t count, const unsigned char *address, enum address_class otherwise)
{
	for (size_t i = 0; i < count; i++)
		if (is_within(address, ranges[i].bytes, ranges[i].bits)) return ranges[i].class;
	return otherwise;
}

static enum address_class class4(const unsigned char *address)
{
	return class_in(ranges4, sizeof ranges4 / sizeof *ranges4, address, ADDRESS_PUBLIC);
}

/* The last 64 bits of ISATAP: 0 or 200, 5efe, an IPv4 address. */
static bool is_isatap(const unsigned char *address)
{
	return (address[8] & ~3) == 0 && address[9] == 0 && address[10] == 0x5e && address[11] == 0xfe;
}

static enum address_class class6(const unsigned char *address)
{
	static const unsigned char none_or_one[15];
	bool is_carrier = memcmp(address, none_or_one, 15) != 0 || address[15] > 1;
	for (size_t i = 0; is_carrier && i < sizeof carriers / sizeof *carriers; i++) {
		const struct carrier *c = &carriers[i];
		if (!is_within(address, c->bytes, c->bits)) continue;
		enum address_class inner = class4(address + c->at);
		return inner == ADDRESS_PUBLIC && c->is_public_reserved ? ADDRESS_RESERVED : inner;
	}
	enum address_class class = class_in(ranges6, sizeof ranges6 / sizeof *ranges6, address, ADDRESS_RESERVED);
	return class == ADDRESS_PUBLIC && is_isatap(address) ? class4(address + 12) : class;
}

enum address_class address_class(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) return class4((const unsigned char *)&((const struct sockaddr_in *)address)->sin_addr);
	if (address->sa_family == AF_INET6) return class6(((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr);
	return ADDRESS_RESERVED;
}

const char *address_class_word(enum address_class c)
{
	static const char *const words[ADDRESS_CLASSES] = {
	    [ADDRESS_PUBLIC] = "public",           [ADDRESS_UNSPECIFIED] = "unspecified", [ADDRESS_LOOPBACK] = "loopback",
	    [ADDRESS_LINK_LOCAL] = "link-local",   [ADDRESS_PRIVATE] = "private",         [ADDRESS_UNIQUE_LOCAL] = "unique local",
	    [ADDRESS_METADATA] = "cloud metadata", [ADDRESS_MULTICAST] = "multicast",     [ADDRESS_RESERVED] = "reserved",
	};
	return words[c];
}

bool address_is_inner(const struct sockaddr *address)
{
	return address_class(address) != ADDRESS_PUBLIC;
}

socklen_t address_bytes(const struct sockaddr *address)
{
	return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

void address_set_port(struct sockaddr *address, unsigned port)
{
	if (address->sa_family == AF_INET6)
		((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
}

void address_text(const struct sockaddr *address, char out[ADDRESS_TEXT_BYTES])
{
	char host[INET6_ADDRSTRLEN] = "?", zone[16] = "";
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
		inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
		if (six->sin6_scope_id) snprintf(zone, sizeof zone, "%%%u", six->sin6_scope_id);
		snprintf(out, ADDRESS_TEXT_BYTES, "[%s%s]:%u", host, zone, ntohs(six->sin6_port));
	} else {
		const struct sockaddr_in *four = (const struct sockaddr_in *)address;
		inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
		snprintf(out, ADDRESS_TEXT_BYTES, "%s:%u", host, ntohs(four->sin_port));
	}
}
