#include "base/encode.h"

#include <string.h>

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char digits16[] = "0123456789abcdef";

bool encode_base64(struct buf *b, const void *data, size_t n)
{
	const unsigned char *p = data;
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;
		if (i + 1 < n) v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < n) v |= p[i + 2];
		char out[4] = {digits64[v >> 18], digits64[v >> 12 & 63], i + 1 < n ? digits64[v >> 6 & 63] : '=', i + 2 < n ? digits64[v & 63] : '='};
		if (!buf_add(b, out, 4)) return false;
	}
	return true;
}

static int value64(char c)
{
	const char *p = c ? strchr(digits64, c) : NULL;
	return p ? (int)(p - digits64) : -1;
}

bool decode_base64(struct buf *b, const char *text, size_t n)
{
	if (n % 4) return false;
	for (size_t i = 0; i < n; i += 4) {
		bool is_last = i + 4 == n;
		int pad = is_last && text[i + 3] == '=' ? 1 + (text[i + 2] == '=') : 0;
		uint32_t v = 0;
		for (int j = 0; j < 4; j++) {
			int d = j >= 4 - pad ? 0 : value64(text[i + (size_t)j]);
			if (d < 0) return false;
			v = v << 6 | (uint32_t)d;
		}
		if ((pad == 1 && (v & 0xff)) || (pad == 2 && (v & 0xffff))) return false;
		char out[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
		if (!buf_add(b, out, (size_t)(3 - pad))) return false;
	}
	return true;
}

bool encode_hex(struct buf *b, const void *data, size_t n)
{
	const unsigned char *p = data;
	for (size_t i = 0; i < n; i++) {
		char out[2] = {digits16[p[i] >> 4], digits16[p[i] & 15]};
		if (!buf_add(b, out, 2)) return false;
	}
	return true;
}

static int value16(char c)
{
	const char *p = c ? strchr(digits16, c) : NULL;
	return p ? (int)(p - digits16) : -1;
}

bool decode_hex(void *out, const char *text, size_t out_bytes)
{
	unsigned char *o = out;
	for (size_t i = 0; i < out_bytes; i++) {
		int hi = value16(text[2 * i]), lo = hi < 0 ? -1 : value16(text[2 * i + 1]);
		if (lo < 0) return false;
		o[i] = (unsigned char)(hi << 4 | lo);
	}
	return text[2 * out_bytes] == 0;
}

void put_u32(void *to, uint32_t v)
{
	unsigned char *p = to;
	for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> (24 - 8 * i));
}

uint32_t get_u32(const void *from)
{
	const unsigned char *p = from;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void put_u64(void *to, uint64_t v)
{
	put_u32(to, (uint32_t)(v >> 32));
	put_u32((char *)to + 4, (uint32_t)v);
}

uint64_t get_u64(const void *from)
{
	return (uint64_t)get_u32(from) << 32 | get_u32((const char *)from + 4);
}
