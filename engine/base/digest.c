#include "base/digest.h"
#include "base/error.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

enum { BLOCK_BYTES = 64 }; /* of SHA-256 */

static EVP_MD *sha256, *shake128;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The library allocates, for the shortest text too; else there is no way to fail. Bytes that were left as they are would be taken for a digest. */
static void ended_well(bool ok)
{
	if (!ok) die("out of memory while a digest is made");
}

/* Looked up once: the library's own short ways look it up each time, which takes longer than a short text's digest. */
static void fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	shake128 = EVP_MD_fetch(NULL, "SHAKE128", NULL);
	ended_well(sha256 && shake128);
}

void digest_shake128(void *out, size_t out_n, const void *data, size_t n)
{
	pthread_once(&once, fetch);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	ended_well(c && EVP_DigestInit_ex2(c, shake128, NULL) == 1 && EVP_DigestUpdate(c, data, n) == 1 && EVP_DigestFinalXOF(c, out, out_n) == 1);
	EVP_MD_CTX_free(c);
}

void digest_sha256(unsigned char out[DIGEST_BYTES], const void *data, size_t n)
{
	struct digest *d = digest_new();
	digest_add(d, data, n);
	digest_finish(d, out);
}

/* RFC 2104. */
void digest_hmac(unsigned char out[DIGEST_BYTES], const void *key, size_t key_len, const void *data, size_t n)
{
	unsigned char inner[BLOCK_BYTES] = {0}, outer[BLOCK_BYTES], digest[DIGEST_BYTES];
	if (key_len > BLOCK_BYTES)
		digest_sha256(inner, key, key_len);
	else if (key_len)
		memcpy(inner, key, key_len);
	for (int i = 0; i < BLOCK_BYTES; i++) outer[i] = inner[i] ^ 0x5c, inner[i] ^= 0x36;
	struct digest *d = digest_new();
	digest_add(d, inner, sizeof inner);
	digest_add(d, data, n);
	digest_finish(d, digest);
	d = digest_new();
	digest_add(d, outer, sizeof outer);
	digest_add(d, digest, sizeof digest);
	digest_finish(d, out);
	OPENSSL_cleanse(inner, sizeof inner);
	OPENSSL_cleanse(outer, sizeof outer);
}

void digest_sha256_hex(char out[DIGEST_HEX_BYTES], const void *data, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[DIGEST_BYTES];
	digest_sha256(raw, data, n);
	for (int i = 0; i < DIGEST_BYTES; i++) out[2 * i] = digits[raw[i] >> 4], out[2 * i + 1] = digits[raw[i] & 15];
	out[DIGEST_HEX_BYTES - 1] = 0;
}

struct digest *digest_new(void)
{
	pthread_once(&once, fetch);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	ended_well(c && EVP_DigestInit_ex2(c, sha256, NULL) == 1);
	return (struct digest *)c;
}

void digest_add(struct digest *d, const void *data, size_t n)
{
	ended_well(EVP_DigestUpdate((EVP_MD_CTX *)d, data, n) == 1);
}

void digest_finish(struct digest *d, unsigned char out[DIGEST_BYTES])
{
	ended_well(EVP_DigestFinal_ex((EVP_MD_CTX *)d, out, NULL) == 1);
	EVP_MD_CTX_free((EVP_MD_CTX *)d);
}
