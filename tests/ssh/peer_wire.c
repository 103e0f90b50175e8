/* Bytes and packets of SSH: RFC 4251 section 5, RFC 4253 section 6, RFC 5647. */
#include "peer.h"

#include <arpa/inet.h>
#include <string.h>

uint32_t read_u32(struct reader *r)
{
	uint32_t n = 0;
	if (r->left < 4) r->is_bad = true;
	if (r->is_bad) return 0;
	memcpy(&n, r->at, 4);
	r->at += 4, r->left -= 4;
	return ntohl(n);
}

bool read_bool(struct reader *r)
{
	if (r->left < 1) r->is_bad = true;
	if (r->is_bad) return false;
	r->left--;
	return *r->at++ != 0;
}

struct reader read_string(struct reader *r)
{
	uint32_t n = read_u32(r);
	if (n > r->left) r->is_bad = true;
	if (r->is_bad) return (struct reader){.is_bad = true};
	struct reader out = {r->at, n, false};
	r->at += n, r->left -= n;
	return out;
}

bool reads_as(struct reader r, const char *text)
{
	return !r.is_bad && r.left == strlen(text) && memcmp(r.at, text, r.left) == 0;
}

void put_u32(struct buf *b, uint32_t n)
{
	n = htonl(n);
	buf_add(b, &n, 4);
}

void put_string(struct buf *b, const void *data, size_t n)
{
	put_u32(b, (uint32_t)n);
	buf_add(b, data, n);
}

void put_text(struct buf *b, const char *text)
{
	put_string(b, text, strlen(text));
}

void put_mpint(struct buf *b, const uint8_t *data, size_t n)
{
	while (n && *data == 0) data++, n--;
	bool is_high = n && *data & 0x80;
	put_u32(b, (uint32_t)(n + is_high));
	if (is_high) buf_char(b, 0);
	buf_add(b, data, n);
}

/* The last eight bytes count packets. */
static void iv_next(uint8_t iv[IV_BYTES])
{
	for (int i = IV_BYTES - 1; i >= 4 && ++iv[i] == 0; i--) continue;
}

void cipher_set(struct cipher *cipher, const uint8_t *iv_and_key, size_t key_bytes, bool encrypts)
{
	cipher->context = EVP_CIPHER_CTX_new();
	memcpy(cipher->iv, iv_and_key, IV_BYTES);
	const EVP_CIPHER *kind = key_bytes == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
	if (!cipher->context || EVP_CipherInit_ex(cipher->context, kind, NULL, iv_and_key + IV_BYTES, NULL, encrypts) != 1) stop("no cipher");
}

void cipher_clear(struct cipher *cipher)
{
	EVP_CIPHER_CTX_free(cipher->context);
	cipher->context = NULL;
}

/* In place; the four bytes of the length are authenticated only. */
static bool crypt(struct cipher *cipher, uint8_t *packet, size_t n, uint8_t tag[TAG_BYTES], bool encrypts)
{
	int done;
	EVP_CIPHER_CTX *x = cipher->context;
	bool is_good = EVP_CipherInit_ex(x, NULL, NULL, NULL, cipher->iv, encrypts) == 1 && EVP_CipherUpdate(x, NULL, &done, packet, 4) == 1 &&
	               EVP_CipherUpdate(x, packet + 4, &done, packet + 4, (int)n - 4) == 1;
	if (is_good && !encrypts) is_good = EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1;
	is_good = is_good && EVP_CipherFinal_ex(x, packet + n, &done) == 1;
	if (is_good && encrypts) is_good = EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1;
	iv_next(cipher->iv);
	return is_good;
}

void packet_raw(struct conn *c, const void *payload, size_t n)
{
	static const uint8_t padding[32] = {0};
	bool is_secret = c->transmit.context != NULL;
	/* What is encrypted is a multiple of the block: without the length under GCM, with it before. */
	size_t block = is_secret ? 16 : 8, body = 1 + n + (is_secret ? 0 : 4), pad = block - body % block;
	if (pad < 4) pad += block;
	size_t at = c->out.len;
	uint32_t length = (uint32_t)(1 + n + pad);
	if (fault_is(c, ODD_PACKET_HUGE) && c->phase == PHASE_OPEN) length = 0x7fffffff;
	put_u32(&c->out, length);
	buf_char(&c->out, (char)(fault_is(c, ODD_PADDING_WRONG) && c->phase >= PHASE_KEX ? 0xff : pad));
	buf_add(&c->out, payload, n);
	buf_add(&c->out, padding, pad);
	if (!is_secret || !buf_reserve(&c->out, TAG_BYTES)) return;
	uint8_t tag[TAG_BYTES];
	if (!crypt(&c->transmit, (uint8_t *)c->out.data + at, 5 + n + pad, tag, true)) stop("a packet could not be encrypted");
	if (fault_is(c, ODD_TAG_WRONG) && c->phase == PHASE_OPEN) tag[0] ^= 1;
	buf_add(&c->out, tag, TAG_BYTES);
}

struct buf *packet_begin(struct conn *c, uint8_t type)
{
	buf_reset(&c->packet);
	buf_char(&c->packet, (char)type);
	return &c->packet;
}

void packet_end(struct conn *c)
{
	packet_raw(c, c->packet.data, c->packet.len);
}

int packet_next(struct conn *c, const uint8_t **payload, size_t *n)
{
	struct reader r = {(const uint8_t *)c->in.data, c->in.len, false};
	if (c->in.len < 4) return 0;
	size_t length = read_u32(&r), tag = c->receive.context ? TAG_BYTES : 0;
	if (length < 5 || length > PACKET_BYTES_MAX) return -1;
	if (c->in.len < 4 + length + tag) return 0;
	uint8_t *packet = (uint8_t *)c->in.data;
	if (tag && !crypt(&c->receive, packet, 4 + length, packet + 4 + length, false)) return -1;
	size_t padding = packet[4];
	if (padding + 2 > length) return -1;
	buf_reset(&c->packet);
	*n = length - padding - 1;
	/* Kept apart from what is read next: an answer is made while it is looked at. */
	static uint8_t kept[PACKET_BYTES_MAX];
	memcpy(kept, packet + 5, *n);
	*payload = kept;
	buf_drop(&c->in, 4 + length + tag);
	return 1;
}
