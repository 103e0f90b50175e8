#include "escalate/ack_link.h"
#include "base/digest.h"
#include "base/encode.h"
#include "policy/policy.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

enum { PARTS = 5, MAC_HEX_BYTES = 2 * DIGEST_BYTES };

static bool is_link(const struct ack_link *l)
{
	return ulid_is_valid(l->escalation) && l->number > 0 && l->expires_s > 0 && policy_is_name(l->person);
}

static void sign(const unsigned char *secret, const struct ack_link *l, unsigned char mac[DIGEST_BYTES])
{
	char text[ACK_LINK_BYTES_MAX];
	int n = snprintf(text, sizeof text, "rung acknowledgement 1\n%s\n%u\n%lld\n%s\n", l->escalation, l->number, (long long)l->expires_s, l->person);
	must(n > 0 && (size_t)n < sizeof text);
	digest_hmac(mac, secret, ACK_LINK_SECRET_BYTES, text, (size_t)n);
}

bool ack_link_make(const unsigned char secret[ACK_LINK_SECRET_BYTES], const struct ack_link *link, struct buf *b)
{
	unsigned char mac[DIGEST_BYTES];
	if (!is_link(link)) return false;
	sign(secret, link, mac);
	return buf_printf(b, "%s~%u~%lld~%s~", link->escalation, link->number, (long long)link->expires_s, link->person) && encode_hex(b, mac, sizeof mac);
}

/* A number in its one spelling. */
static bool read_number(const char *s, size_t n, int64_t most, int64_t *out)
{
	*out = 0;
	if (n == 0 || n > 18 || s[0] == '0') return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9') return false;
		*out = *out * 10 + (s[i] - '0');
	}
	return *out <= most;
}

struct part {
	const char *at;
	size_t n;
};

static bool split(const char *token, size_t n, struct part parts[PARTS])
{
	const char *end = token + n;
	if (n == 0 || n > ACK_LINK_BYTES_MAX) return false;
	for (size_t i = 0; i < PARTS; i++) {
		const char *stop = memchr(token, '~', (size_t)(end - token));
		if ((stop == NULL) != (i == PARTS - 1)) return false;
		parts[i] = (struct part){token, (size_t)((stop ? stop : end) - token)};
		if (stop) token = stop + 1;
	}
	return true;
}

static bool copy(char *to, size_t room, const struct part *p)
{
	if (p->n >= room || memchr(p->at, 0, p->n)) return false;
	memcpy(to, p->at, p->n);
	to[p->n] = 0;
	return true;
}

static bool parse(const char *token, size_t n, struct ack_link *l, unsigned char mac[DIGEST_BYTES])
{
	struct part p[PARTS];
	char hex[MAC_HEX_BYTES + 1];
	int64_t number;
	bool is_read = split(token, n, p) && copy(l->escalation, sizeof l->escalation, &p[0]) && read_number(p[1].at, p[1].n, UINT32_MAX, &number) &&
	               read_number(p[2].at, p[2].n, INT64_MAX / 1000000, &l->expires_s) && copy(l->person, sizeof l->person, &p[3]) &&
	               copy(hex, sizeof hex, &p[4]) && decode_hex(mac, hex, DIGEST_BYTES);
	if (is_read) l->number = (uint32_t)number;
	return is_read && is_link(l);
}

enum ack_link_verdict ack_link_check(const unsigned char secret[ACK_LINK_SECRET_BYTES], const char *token, size_t n, int64_t now_us, struct ack_link *out)
{
	unsigned char said[DIGEST_BYTES], right[DIGEST_BYTES];
	struct ack_link l = {0};
	*out = (struct ack_link){0};
	if (!parse(token, n, &l, said)) return ACK_LINK_FORGED;
	sign(secret, &l, right);
	if (CRYPTO_memcmp(said, right, sizeof right) != 0) return ACK_LINK_FORGED;
	*out = l;
	return now_us >= l.expires_s * 1000000 ? ACK_LINK_EXPIRED : ACK_LINK_GOOD;
}
