#ifndef RUNG_BASE_ENCODE_H
#define RUNG_BASE_ENCODE_H

#include "base/buf.h"

#include <stdint.h>

/* base64 (RFC 4648 section 4, padded) and lower-case hex; big-endian integers. Encoders append to b and return false where it is full;
 * decoders return false for anything but the one canonical spelling. */
bool encode_base64(struct buf *b, const void *data, size_t n);
bool decode_base64(struct buf *b, const char *text, size_t n);
bool encode_hex(struct buf *b, const void *data, size_t n);
bool decode_hex(void *out, const char *text, size_t out_bytes); /* text: exactly 2 * out_bytes digits */

void put_u32(void *to, uint32_t v);
uint32_t get_u32(const void *from);
void put_u64(void *to, uint64_t v);
uint64_t get_u64(const void *from);

#endif
