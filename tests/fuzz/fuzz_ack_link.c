/* Tokens of links: any bytes are read or forged; what somebody without the secret made is never good. */
#include "base/arena.h"
#include "escalate/ack_link.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const unsigned char secret[ACK_LINK_SECRET_BYTES] = {1};
	struct ack_link l;
	struct buf b;
	enum ack_link_verdict v = ack_link_check(secret, (const char *)data, n, 0, &l);
	buf_init(&b, ACK_LINK_BYTES_MAX);
	/* The seeds have one of this secret: what is good has one spelling. */
	must(v == ACK_LINK_FORGED || (ack_link_make(secret, &l, &b) && b.len == n && memcmp(b.data, data, n) == 0));
	buf_clear(&b);
	return 0;
}
