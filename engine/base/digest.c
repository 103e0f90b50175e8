#include "base/digest.h"
#include "base/error.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdbool.h>

/* The library allocates, for the shortest text too; else there is no way to fail. Bytes that were left as they are would be taken for a digest. */
static void ended_well(bool ok)
{
	if (!ok) die("out of memory while a digest is made");
}

void digest_sha256(unsigned char out[DIGEST_BYTES], const void *data, size_t n)
{
	ended_well(SHA256(data, n, out) != NULL);
}

void digest_hmac(unsigned char out[DIGEST_BYTES], const void *key, size_t key_len, const void *data, size_t n)
{
	ended_well(HMAC(EVP_sha256(), key, (int)key_len, data, n, out, NULL) != NULL);
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
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	ended_well(c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1);
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
