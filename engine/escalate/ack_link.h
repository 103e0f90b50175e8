#ifndef RUNG_ESCALATE_ACK_LINK_H
#define RUNG_ESCALATE_ACK_LINK_H

#include "base/buf.h"
#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

/* The token in the link of a notification: whoever has it may acknowledge this escalation as this person, once, until it expires. It is
 *
 *   ESCALATION~NUMBER~EXPIRES~PERSON~MAC
 *
 * in characters that a URL's path takes as they are: the escalation's ULID, the notification's number, seconds since 1970, a name as policy_is_name takes it,
 * and HMAC-SHA-256 as 64 hex digits over a fixed text and the four parts, a line each. That it is used once is state: struct escalation keeps the numbers that
 * have acknowledged (escalation_is_link_used; ESCALATION_WAS_ACKNOWLEDGED with `link`). Programs that look at mail open links: a GET shows a page, only its
 * POST acknowledges. Pure: no clock. source: DESIGN.md 8; RFC 2104 */

enum { ACK_LINK_SECRET_BYTES = 32, ACK_LINK_PERSON_BYTES_MAX = 64, ACK_LINK_BYTES_MAX = 200 };

struct ack_link {
	char escalation[ULID_BYTES];
	uint32_t number;   /* of the notification, from 1 */
	int64_t expires_s; /* seconds since 1970: it counts until then */
	char person[ACK_LINK_PERSON_BYTES_MAX + 1];
};

enum ack_link_verdict {
	ACK_LINK_GOOD,
	ACK_LINK_FORGED, /* no token of this secret: cut, changed, or somebody's own */
	ACK_LINK_EXPIRED
};

/* Appends the token. secret: ACK_LINK_SECRET_BYTES random bytes, of this log alone. False where b is full, or a part is none that a token can hold. */
bool ack_link_make(const unsigned char secret[ACK_LINK_SECRET_BYTES], const struct ack_link *link, struct buf *b);

/* Reads a token of n bytes. What it says (out) is filled where it is good or has expired, else empty; nothing but the time of a forged one depends on its
 * bytes' shape, and the comparison takes the same time for any. now_us: the wall clock. */
enum ack_link_verdict ack_link_check(const unsigned char secret[ACK_LINK_SECRET_BYTES], const char *token, size_t n, int64_t now_us, struct ack_link *out);

#endif
