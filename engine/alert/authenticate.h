#ifndef RUNG_ALERT_AUTHENTICATE_H
#define RUNG_ALERT_AUTHENTICATE_H

#include "alert/alerts_file.h"

/* Does a delivery come from its source? Always judged on the bytes as they came, never on what was read from them. source: DESIGN.md 8; RFC 2104, RFC 6750 */

enum {
	AUTHENTICATE_HEADER_BYTES_MAX = 4096,
	AUTHENTICATE_SIGNATURES_MAX = 8 /* in one header, between commas: senders that exchange their key send two */
};

struct alert_header {
	const char *name, *value;
};

/* A token or key; its bytes are the caller's, who wipes them. */
struct alert_key {
	const void *bytes;
	size_t n;
};

/* keys      the values of s->auth.secrets in any order; an empty one never counts. The hash of a token that alerts.yaml names needs none
 * now_us    for signed times
 * errors    ERR_DENIED, with what is missing for the log of the one who runs the engine; whoever sent it is told no more than that it is refused. It names no
 *           secret and holds nothing of what was sent
 * time      that of comparing does not depend on how much of a token or signature is right */
enum err alert_authenticate(const struct alert_source *s, const struct alert_header *headers, size_t header_count, const struct alert_key *keys,
                            size_t key_count, const void *body, size_t n, int64_t now_us, struct error *e);

#endif
