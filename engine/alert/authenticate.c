#include "alert/authenticate.h"
#include "base/encode.h"
#include "base/text.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { SIGNATURE_BYTES_MAX = 64 };

static enum err denied(const struct alert_source *s, struct error *e, const char *why)
{
	return error_set(e, ERR_DENIED, "a delivery for the source %s is refused: %s", s->name, why);
}

/* The value of a header that stands once: of two, what is checked here and what something else on the way has read could differ. */
static enum err header_get(const struct alert_source *s, const struct alert_header *headers, size_t count, const char *name, const char **out, struct error *e)
{
	char why[200];
	*out = NULL;
	for (size_t i = 0; i < count; i++) {
		if (!text_equal_nocase(headers[i].name, name)) continue;
		snprintf(why, sizeof why, "its header %s stands twice", name);
		if (*out) return denied(s, e, why);
		*out = headers[i].value;
	}
	snprintf(why, sizeof why, "it has no header %s", name);
	if (!*out) return denied(s, e, why);
	snprintf(why, sizeof why, "its header %s has more than %d bytes", name, AUTHENTICATE_HEADER_BYTES_MAX);
	return strlen(*out) <= AUTHENTICATE_HEADER_BYTES_MAX ? ERR_OK : denied(s, e, why);
}

/* ---- bearer ---- */

/* Hashes are compared, not tokens: the lengths are the same, and where they first differ says nothing about the token. All are looked at. */
static enum err check_bearer(const struct alert_source *s, const char *value, const struct alert_key *keys, size_t key_count, struct error *e)
{
	unsigned char given[DIGEST_BYTES], known[DIGEST_BYTES];
	unsigned matches = 0;
	char scheme[8] = "";
	if (strlen(value) > 7) memcpy(scheme, value, 7);
	if (!text_equal_nocase(scheme, "Bearer ")) return denied(s, e, "its header Authorization is not \"Bearer TOKEN\"");
	const char *token = value + 7;
	while (*token == ' ') token++;
	digest_sha256(given, token, strlen(token));
	if (s->auth.has_token_hash) matches |= CRYPTO_memcmp(given, s->auth.token_hash, DIGEST_BYTES) == 0;
	for (size_t i = 0; i < key_count; i++) {
		digest_sha256(known, keys[i].bytes, keys[i].n);
		matches |= CRYPTO_memcmp(given, known, DIGEST_BYTES) == 0;
	}
	return matches && *token /* an empty secret is nobody's */ ? ERR_OK : denied(s, e, "its bearer token is not the source's");
}

/* ---- hmac ---- */

static const EVP_MD *algorithm_of(enum alert_algorithm algorithm)
{
	return algorithm == ALERT_SHA1 ? EVP_sha1() : algorithm == ALERT_SHA512 ? EVP_sha512() : EVP_sha256();
}

struct message {
	const char *before, *timestamp, *between; /* "" without a signed time */
	const void *body;
	size_t n;
};

static bool add_piece(EVP_MD_CTX *c, const void *data, size_t n)
{
	return n == 0 || EVP_DigestSignUpdate(c, data, n) == 1;
}

/* What the signature should be; its length, 0 where the key cannot be used. */
static size_t sign(const struct alert_auth *auth, const struct alert_key *key, const struct message *m, unsigned char out[SIGNATURE_BYTES_MAX])
{
	size_t n = SIGNATURE_BYTES_MAX;
	EVP_PKEY *pkey = key->n ? EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, key->bytes, key->n) : NULL;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = pkey && c && EVP_DigestSignInit(c, NULL, algorithm_of(auth->algorithm), NULL, pkey) == 1;
	ok = ok && add_piece(c, m->before, strlen(m->before)) && add_piece(c, m->timestamp, strlen(m->timestamp));
	ok = ok && add_piece(c, m->between, strlen(m->between)) && add_piece(c, m->body, m->n);
	ok = ok && EVP_DigestSignFinal(c, out, &n) == 1;
	EVP_MD_CTX_free(c);
	EVP_PKEY_free(pkey);
	return ok ? n : 0;
}

/* A signature as it was sent: its bytes, or 0. Hexadecimal digits may be of either case. */
static size_t decode(const struct alert_auth *auth, const char *text, size_t n, unsigned char out[SIGNATURE_BYTES_MAX])
{
	char copy[2 * SIGNATURE_BYTES_MAX + 1];
	struct buf b;
	if (n == 0 || n >= sizeof copy) return 0;
	for (size_t i = 0; i < n; i++) copy[i] = auth->encoding == ALERT_HEX && text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] + 32) : text[i];
	copy[n] = 0;
	if (auth->encoding == ALERT_HEX) return n % 2 == 0 && decode_hex(out, copy, n / 2) ? n / 2 : 0;
	buf_init(&b, SIGNATURE_BYTES_MAX);
	size_t len = decode_base64(&b, copy, n) ? b.len : 0;
	if (len) memcpy(out, b.data, len);
	buf_clear(&b);
	return len;
}

/* Is one of the signatures of the header (between commas, each behind the prefix) the right one for one of the keys? */
static bool has_signature(const struct alert_auth *auth, const char *value, const struct alert_key *keys, size_t key_count, const struct message *m)
{
	unsigned char expected[ALERTS_SECRETS_MAX][SIGNATURE_BYTES_MAX], given[SIGNATURE_BYTES_MAX];
	size_t lengths[ALERTS_SECRETS_MAX], prefix = strlen(auth->prefix);
	bool matches = false;
	if (key_count > ALERTS_SECRETS_MAX) key_count = ALERTS_SECRETS_MAX;
	for (size_t i = 0; i < key_count; i++) lengths[i] = sign(auth, &keys[i], m, expected[i]);
	for (int tries = 0; tries < AUTHENTICATE_SIGNATURES_MAX; tries++) {
		while (*value == ' ' || *value == ',') value++;
		size_t part = strcspn(value, ","), n = part;
		while (n > 0 && value[n - 1] == ' ') n--;
		bool is_prefixed = n >= prefix && memcmp(value, auth->prefix, prefix) == 0;
		size_t len = is_prefixed ? decode(auth, value + prefix, n - prefix, given) : 0;
		for (size_t i = 0; i < key_count; i++) matches |= len > 0 && len == lengths[i] && CRYPTO_memcmp(given, expected[i], len) == 0;
		value += part;
	}
	OPENSSL_cleanse(expected, sizeof expected);
	return matches;
}

/* Seconds since 1970, 1 to 12 digits; -1. */
static int64_t seconds_of(const char *text)
{
	size_t n = strlen(text);
	int64_t s = 0;
	if (n == 0 || n > 12 || strspn(text, "0123456789") != n) return -1;
	for (const char *p = text; *p; p++) s = s * 10 + (*p - '0');
	return s;
}

static enum err check_hmac(const struct alert_source *s, const struct alert_header *headers, size_t count, const struct alert_key *keys, size_t key_count,
                           struct message *m, int64_t now_us, struct error *e)
{
	const struct alert_auth *auth = &s->auth;
	const char *value;
	enum err err = header_get(s, headers, count, auth->header, &value, e);
	if (!err && auth->timestamp_header) err = header_get(s, headers, count, auth->timestamp_header, &m->timestamp, e);
	if (err) return err;
	if (!has_signature(auth, value, keys, key_count, m)) return denied(s, e, "its signature is not the one of these bytes");
	if (!auth->timestamp_header) return ERR_OK;
	int64_t seconds = seconds_of(m->timestamp), away_us = now_us - seconds * 1000000;
	if (seconds < 0) return denied(s, e, "its signed time is no number of seconds since 1970");
	if (away_us > auth->within_us || away_us < -auth->within_us)
		return denied(s, e, "its signed time is too far from now: it may be a copy of an earlier delivery");
	return ERR_OK;
}

enum err alert_authenticate(const struct alert_source *s, const struct alert_header *headers, size_t header_count, const struct alert_key *keys,
                            size_t key_count, const void *body, size_t n, int64_t now_us, struct error *e)
{
	const char *value;
	struct message m = {s->auth.signed_before, "", s->auth.signed_between, body, n};
	if (s->auth.proof == ALERT_PROOF_HMAC) return check_hmac(s, headers, header_count, keys, key_count, &m, now_us, e);
	enum err err = header_get(s, headers, header_count, "Authorization", &value, e);
	return err ? err : check_bearer(s, value, keys, key_count, e);
}
