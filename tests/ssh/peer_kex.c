/* The banner and the key exchange: RFC 4253 sections 4.2, 7, 8, RFC 8731 (curve25519-sha256), RFC 8709 (ssh-ed25519). The server's half of the exchange is the
 * same for all connections, so that one of them costs one scalar multiplication and one signature. */
#include "peer.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

enum { MSG_KEXINIT = 20, MSG_NEWKEYS = 21, MSG_ECDH_INIT = 30, MSG_ECDH_REPLY = 31, SHARE_BYTES = 32, SIGNATURE_BYTES = 64 };
static const char escapes[] = "SSH-2.0-\x1b]0;mine\x07\x1b[2J\xff";

static struct {
	EVP_PKEY *share, *host, *other_host;
	uint8_t public_share[SHARE_BYTES];
	struct buf host_blob;
	char host_line[128];
} ours;

static EVP_PKEY *key_of(int type, const char *seed)
{
	uint8_t bytes[32];
	SHA256((const uint8_t *)seed, strlen(seed), bytes);
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(type, NULL, bytes, sizeof bytes);
	if (!key) stop("no key");
	return key;
}

static void public_of(EVP_PKEY *key, uint8_t out[32])
{
	size_t n = 32;
	if (EVP_PKEY_get_raw_public_key(key, out, &n) != 1) stop("no public key");
}

void kex_prepare(void)
{
	uint8_t public[32];
	char text[100];
	ours.share = key_of(EVP_PKEY_X25519, "share");
	public_of(ours.share, ours.public_share);
	ours.host = key_of(EVP_PKEY_ED25519, "host");
	ours.other_host = key_of(EVP_PKEY_ED25519, "other host");
	public_of(ours.host, public);
	buf_init(&ours.host_blob, 200);
	put_text(&ours.host_blob, "ssh-ed25519");
	put_string(&ours.host_blob, public, sizeof public);
	EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)ours.host_blob.data, (int)ours.host_blob.len);
	snprintf(ours.host_line, sizeof ours.host_line, "ssh-ed25519 %s", text);
}

const char *kex_host_key(void)
{
	return ours.host_line;
}

static const char *banner_of(const struct conn *c)
{
	if (fault_is(c, ODD_BANNER_OLD)) return "SSH-1.5-ancient";
	return fault_is(c, ODD_BANNER_ESCAPES) ? escapes : "SSH-2.0-peer_1";
}

void kex_banner(struct conn *c)
{
	if (fault_is(c, ODD_LINES_BEFORE)) buf_str(&c->out, "Welcome to a host that\r\nsays a few lines \x1b[31mfirst\r\n\r\n");
	buf_printf(&c->out, "%s\r\n", banner_of(c));
}

void kex_start(struct conn *c)
{
	static const char *const lists[] = {"curve25519-sha256,curve25519-sha256@libssh.org",
	                                    "ssh-ed25519",
	                                    "aes256-gcm@openssh.com,aes128-gcm@openssh.com",
	                                    "aes256-gcm@openssh.com,aes128-gcm@openssh.com",
	                                    "hmac-sha2-256,hmac-sha2-512,hmac-sha2-256-etm@openssh.com",
	                                    "hmac-sha2-256,hmac-sha2-512,hmac-sha2-256-etm@openssh.com",
	                                    "none",
	                                    "none",
	                                    "",
	                                    ""};
	struct buf *b = packet_begin(c, MSG_KEXINIT);
	buf_add(b, "a cookie of ours", 16);
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) put_text(b, i == 0 && fault_is(c, ODD_NO_COMMON) ? "diffie-hellman-of-nobody" : lists[i]);
	buf_char(b, 0); /* no guess follows */
	put_u32(b, 0);
	buf_add(&c->server_kexinit, b->data, b->len);
	packet_end(c);
}

/* The client's first choice that is one of two. */
static size_t key_bytes_of(struct reader list)
{
	for (size_t i = 0; i + 6 <= list.left; i++)
		if (memcmp(list.at + i, "aes", 3) == 0 && i + 10 <= list.left && memcmp(list.at + i + 6, "-gcm", 4) == 0)
			return list.at[i + 3] == '1' ? 16 : 32;
	return 0;
}

static bool take_kexinit(struct conn *c, const uint8_t *payload, size_t n)
{
	struct reader r = {payload + 1, n - 1, false};
	if (r.left < 16) return false;
	r.at += 16, r.left -= 16;
	buf_add(&c->client_kexinit, payload, n);
	read_string(&r), read_string(&r);
	c->key_bytes = key_bytes_of(read_string(&r));
	c->phase = PHASE_KEX;
	return !r.is_bad && c->key_bytes;
}

static bool shared_secret(const uint8_t *theirs, uint8_t out[SHARE_BYTES])
{
	size_t n = SHARE_BYTES;
	EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, theirs, SHARE_BYTES);
	EVP_PKEY_CTX *x = EVP_PKEY_CTX_new(ours.share, NULL);
	bool is_good = peer && x && EVP_PKEY_derive_init(x) == 1 && EVP_PKEY_derive_set_peer(x, peer) == 1 && EVP_PKEY_derive(x, out, &n) == 1;
	EVP_PKEY_CTX_free(x);
	EVP_PKEY_free(peer);
	return is_good;
}

static void sign(EVP_PKEY *key, const uint8_t hash[HASH_BYTES], uint8_t out[SIGNATURE_BYTES])
{
	size_t n = SIGNATURE_BYTES;
	EVP_MD_CTX *x = EVP_MD_CTX_new();
	if (!x || EVP_DigestSignInit(x, NULL, NULL, NULL, key) != 1 || EVP_DigestSign(x, out, &n, hash, HASH_BYTES) != 1) stop("no signature");
	EVP_MD_CTX_free(x);
}

/* RFC 4253 section 7.2; no key here is longer than one hash. */
static void derive(const struct buf *secret, const uint8_t hash[HASH_BYTES], char letter, uint8_t *out, size_t n)
{
	uint8_t digest[HASH_BYTES];
	struct buf b;
	buf_init(&b, 1024);
	buf_add(&b, secret->data, secret->len);
	buf_add(&b, hash, HASH_BYTES);
	buf_char(&b, letter);
	buf_add(&b, hash, HASH_BYTES); /* the session's identifier is the first exchange's hash */
	SHA256((const uint8_t *)b.data, b.len, digest);
	memcpy(out, digest, n);
	buf_clear(&b);
}

static size_t share_bytes(const struct conn *c)
{
	return fault_is(c, ODD_BAD_SHARE) ? SHARE_BYTES - 1 : SHARE_BYTES;
}

static void reply(struct conn *c, const struct buf *host_blob, const uint8_t *share, const uint8_t hash[HASH_BYTES])
{
	uint8_t signature[SIGNATURE_BYTES];
	sign(fault_is(c, ODD_WRONG_KEY) ? ours.other_host : ours.host, hash, signature);
	if (fault_is(c, ODD_BAD_SIGNATURE)) signature[5] ^= 1;
	struct buf *b = packet_begin(c, MSG_ECDH_REPLY);
	put_string(b, host_blob->data, host_blob->len);
	put_string(b, share, share_bytes(c));
	put_u32(b, 4 + 11 + 4 + SIGNATURE_BYTES);
	put_text(b, "ssh-ed25519");
	put_string(b, signature, sizeof signature);
	packet_end(c);
	packet_begin(c, MSG_NEWKEYS);
	packet_end(c);
}

static void host_blob_of(struct conn *c, struct buf *out)
{
	buf_init(out, 200);
	buf_add(out, ours.host_blob.data, ours.host_blob.len);
	if (fault_is(c, ODD_WRONG_KEY)) public_of(ours.other_host, (uint8_t *)out->data + out->len - 32);
}

static bool take_share(struct conn *c, const uint8_t *payload, size_t n)
{
	static const uint8_t nothing[SHARE_BYTES] = {0};
	struct reader r = {payload + 1, n - 1, false}, theirs = read_string(&r);
	uint8_t shared[SHARE_BYTES];
	if (theirs.is_bad || theirs.left != SHARE_BYTES || !shared_secret(theirs.at, shared)) return false;
	const uint8_t *share = fault_is(c, ODD_ZERO_SHARE) ? nothing : ours.public_share;
	struct buf host, secret, b;
	host_blob_of(c, &host);
	buf_init(&secret, 64);
	put_mpint(&secret, shared, sizeof shared);
	buf_init(&b, 3 * PACKET_BYTES_MAX);
	put_string(&b, c->client_banner.data, c->client_banner.len);
	put_text(&b, banner_of(c));
	put_string(&b, c->client_kexinit.data, c->client_kexinit.len);
	put_string(&b, c->server_kexinit.data, c->server_kexinit.len);
	put_string(&b, host.data, host.len);
	put_string(&b, theirs.at, theirs.left);
	put_string(&b, share, share_bytes(c));
	buf_add(&b, secret.data, secret.len);
	SHA256((const uint8_t *)b.data, b.len, c->session);
	reply(c, &host, share, c->session);
	for (int i = 0; i < 2; i++) {
		derive(&secret, c->session, (char)('A' + i), c->keys[i], IV_BYTES);
		derive(&secret, c->session, (char)('C' + i), c->keys[i] + IV_BYTES, c->key_bytes);
	}
	cipher_set(&c->transmit, c->keys[1], c->key_bytes, true);
	buf_clear(&b), buf_clear(&secret), buf_clear(&host);
	buf_clear(&c->client_kexinit), buf_clear(&c->server_kexinit), buf_clear(&c->client_banner);
	c->phase = PHASE_NEWKEYS;
	return true;
}

bool kex_packet(struct conn *c, const uint8_t *payload, size_t n)
{
	switch (c->phase) {
	case PHASE_KEXINIT:
		return *payload == MSG_KEXINIT && take_kexinit(c, payload, n);
	case PHASE_KEX:
		if (*payload != MSG_ECDH_INIT) return false;
		return !fault_at(c, STAGE_KEX) || take_share(c, payload, n);
	case PHASE_NEWKEYS:
		if (*payload != MSG_NEWKEYS) return false;
		cipher_set(&c->receive, c->keys[0], c->key_bytes, false);
		c->phase = PHASE_SERVICE;
		return true;
	default:
		return false;
	}
}
