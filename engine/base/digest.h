#ifndef RUNG_BASE_DIGEST_H
#define RUNG_BASE_DIGEST_H

#include <stddef.h>

enum { DIGEST_BYTES = 32, DIGEST_HEX_BYTES = 65 };

/* SHA-256, HMAC-SHA-256 (libcrypto). */
void digest_sha256(unsigned char out[DIGEST_BYTES], const void *data, size_t n);
void digest_hmac(unsigned char out[DIGEST_BYTES], const void *key, size_t key_len, const void *data, size_t n);

/* The same as 64 lower-case hex digits and a NUL. */
void digest_sha256_hex(char out[DIGEST_HEX_BYTES], const void *data, size_t n);

/* SHAKE128, as many bytes as are wanted. */
void digest_shake128(void *out, size_t out_n, const void *data, size_t n);

/* SHA-256 over pieces: new, add ..., finish (which frees). */
struct digest;
struct digest *digest_new(void);
void digest_add(struct digest *d, const void *data, size_t n);
void digest_finish(struct digest *d, unsigned char out[DIGEST_BYTES]);

#endif
