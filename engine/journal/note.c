#include "journal/note.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/text.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { SIGNATURE_BYTES = 64, COSIGNATURE_BYTES = 72, ID_BYTES = 4 };

static const char dash[] = "\xe2\x80\x94 "; /* an em dash and a space open a signature's line */

struct note_signer {
	struct note_key key;
	EVP_PKEY *pkey;
};

/* Spaces of Unicode that text_is_control does not hold. */
static bool is_space(uint32_t c)
{
	return c == ' ' || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool note_name_is_valid(const char *name, size_t n)
{
	if (n == 0 || n >= NOTE_NAME_BYTES) return false;
	for (const char *p = name, *end = name + n; p < end;) {
		uint32_t c;
		size_t step = text_decode(p, end, &c);
		if (step == 0 || c == '+' || is_space(c) || text_is_control(c)) return false;
		p += step;
	}
	return true;
}

/* The first four bytes of SHA-256(name, newline, algorithm, key). */
static uint32_t key_id(const struct note_key *k)
{
	unsigned char sum[DIGEST_BYTES], algorithm = (unsigned char)k->algorithm;
	struct digest *d = digest_new();
	digest_add(d, k->name, strlen(k->name));
	digest_add(d, "\n", 1);
	digest_add(d, &algorithm, 1);
	digest_add(d, k->key, NOTE_KEY_BYTES);
	digest_finish(d, sum);
	return get_u32(sum);
}

enum err note_key_parse(const char *vkey, struct note_key *out, struct error *e)
{
	*out = (struct note_key){0};
	const char *plus = strchr(vkey, '+'), *second = plus ? strchr(plus + 1, '+') : NULL;
	char id_text[2 * ID_BYTES + 1] = "";
	unsigned char id[ID_BYTES];
	if (!second || second - plus != 1 + 2 * ID_BYTES || !note_name_is_valid(vkey, (size_t)(plus - vkey)))
		return error_set(e, ERR_INVALID, "a verifier key has the form NAME+ID+KEY, not \"%.80s\"", vkey);
	memcpy(out->name, vkey, (size_t)(plus - vkey));
	memcpy(id_text, plus + 1, 2 * ID_BYTES);
	struct buf raw;
	buf_init(&raw, 64);
	bool is_fine = decode_hex(id, id_text, ID_BYTES) && decode_base64(&raw, second + 1, strlen(second + 1)) && raw.len == 1 + NOTE_KEY_BYTES &&
	               (raw.data[0] == NOTE_ED25519 || raw.data[0] == NOTE_COSIGNATURE_V1);
	if (is_fine) {
		out->algorithm = (enum note_algorithm)raw.data[0];
		memcpy(out->key, raw.data + 1, NOTE_KEY_BYTES);
		out->id = key_id(out);
	}
	buf_clear(&raw);
	if (!is_fine) return error_set(e, ERR_INVALID, "the verifier key of %s is not an Ed25519 key", out->name);
	if (out->id != get_u32(id)) return error_set(e, ERR_INVALID, "the verifier key of %s says the id %s, its key has %08x", out->name, id_text, out->id);
	return ERR_OK;
}

void note_key_text(const struct note_key *k, char out[NOTE_VKEY_BYTES])
{
	unsigned char raw[1 + NOTE_KEY_BYTES] = {(unsigned char)k->algorithm};
	struct buf b;
	memcpy(raw + 1, k->key, NOTE_KEY_BYTES);
	buf_init(&b, NOTE_VKEY_BYTES - 1);
	must(buf_printf(&b, "%s+%08x+", k->name, k->id) && encode_base64(&b, raw, sizeof raw));
	memcpy(out, b.data, b.len + 1);
	buf_clear(&b);
}

enum err note_signer_new(const char *name, enum note_algorithm algorithm, const unsigned char seed[NOTE_SEED_BYTES], struct note_signer **out, struct error *e)
{
	*out = NULL;
	if (!note_name_is_valid(name, strlen(name)))
		return error_set(e, ERR_INVALID, "the name of a key has 1 to %d bytes, no space and no plus sign, not \"%.80s\"", NOTE_NAME_BYTES - 1, name);
	struct note_signer *s = mem_zero(sizeof *s);
	size_t n = NOTE_KEY_BYTES;
	memcpy(s->key.name, name, strlen(name));
	s->key.algorithm = algorithm;
	s->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, NOTE_SEED_BYTES);
	must(s->pkey && EVP_PKEY_get_raw_public_key(s->pkey, s->key.key, &n) == 1 && n == NOTE_KEY_BYTES);
	s->key.id = key_id(&s->key);
	*out = s;
	return ERR_OK;
}

void note_signer_free(struct note_signer *s)
{
	if (!s) return;
	EVP_PKEY_free(s->pkey);
	free(s);
}

const struct note_key *note_signer_key(const struct note_signer *s)
{
	return &s->key;
}

static void sign(const struct note_signer *s, const void *data, size_t n, unsigned char out[SIGNATURE_BYTES])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t len = SIGNATURE_BYTES;
	must(c && EVP_DigestSignInit(c, NULL, NULL, NULL, s->pkey) == 1 && EVP_DigestSign(c, out, &len, data, n) == 1 && len == SIGNATURE_BYTES);
	EVP_MD_CTX_free(c);
}

static bool is_signed(const unsigned char key[NOTE_KEY_BYTES], const void *data, size_t n, const unsigned char signature[SIGNATURE_BYTES])
{
	EVP_PKEY *p = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, NOTE_KEY_BYTES);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool is_right = p && c && EVP_DigestVerifyInit(c, NULL, NULL, NULL, p) == 1 && EVP_DigestVerify(c, signature, SIGNATURE_BYTES, data, n) == 1;
	EVP_MD_CTX_free(c);
	EVP_PKEY_free(p);
	return is_right;
}

/* What a witness signs: a statement of the time, then the text of the note. */
static void cosigned_bytes(struct buf *b, uint64_t time_s, const char *text, size_t n)
{
	buf_init(b, NOTE_BYTES_MAX + 64);
	buf_printf(b, "cosignature/v1\ntime %llu\n", (unsigned long long)time_s);
	must(buf_add(b, text, n));
}

static enum err check_text(const char *text, size_t n, struct error *e)
{
	if (n == 0 || n > NOTE_BYTES_MAX || text[n - 1] != '\n' || !text_is_utf8(text, n))
		return error_set(e, ERR_INVALID, "the text of a note is UTF-8 of at most %d bytes that ends in a newline", NOTE_BYTES_MAX);
	return ERR_OK;
}

static enum err add_line(struct buf *out, const struct note_key *k, const unsigned char *signature, size_t n, struct error *e)
{
	unsigned char raw[ID_BYTES + COSIGNATURE_BYTES];
	put_u32(raw, k->id);
	memcpy(raw + ID_BYTES, signature, n);
	if (buf_str(out, dash) && buf_str(out, k->name) && buf_char(out, ' ') && encode_base64(out, raw, ID_BYTES + n) && buf_char(out, '\n')) return ERR_OK;
	return error_set(e, ERR_TOO_BIG, "the note is larger than %zu bytes", out->max);
}

enum err note_sign(const struct note_signer *s, const char *text, size_t n, struct buf *out, struct error *e)
{
	unsigned char signature[SIGNATURE_BYTES];
	enum err err = check_text(text, n, e);
	if (err) return err;
	must(s->key.algorithm == NOTE_ED25519);
	sign(s, text, n, signature);
	buf_add(out, text, n);
	buf_char(out, '\n');
	return add_line(out, &s->key, signature, SIGNATURE_BYTES, e);
}

enum err note_cosign(const struct note_signer *s, const char *text, size_t n, uint64_t time_s, struct buf *out, struct error *e)
{
	unsigned char signature[COSIGNATURE_BYTES];
	struct buf b;
	enum err err = check_text(text, n, e);
	if (err) return err;
	must(s->key.algorithm == NOTE_COSIGNATURE_V1);
	put_u64(signature, time_s);
	cosigned_bytes(&b, time_s, text, n);
	sign(s, b.data, b.len, signature + 8);
	buf_clear(&b);
	return add_line(out, &s->key, signature, COSIGNATURE_BYTES, e);
}

/* One line "— NAME BASE64" of a note, without its newline. */
static bool parse_line(const char *line, size_t n, struct note_signature *out)
{
	size_t open = sizeof dash - 1;
	if (n <= open || memcmp(line, dash, open) != 0) return false;
	const char *name = line + open, *space = memchr(name, ' ', n - open);
	if (!space || !note_name_is_valid(name, (size_t)(space - name))) return false;
	struct buf raw;
	buf_init(&raw, ID_BYTES + sizeof out->bytes);
	bool is_fine = decode_base64(&raw, space + 1, (size_t)(line + n - space - 1)) && raw.len > ID_BYTES;
	if (is_fine) {
		out->name = name, out->name_len = (size_t)(space - name);
		out->id = get_u32(raw.data);
		out->n = raw.len - ID_BYTES;
		memcpy(out->bytes, raw.data + ID_BYTES, out->n);
	}
	buf_clear(&raw);
	return is_fine;
}

static bool has_control(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)bytes[i] < 0x20 && bytes[i] != '\n') return true;
	return false;
}

enum err note_parse(const char *bytes, size_t n, struct note *out, struct error *e)
{
	out->n = 0;
	if (n > NOTE_BYTES_MAX) return error_set(e, ERR_INVALID, "a note has at most %d bytes", NOTE_BYTES_MAX);
	if (!text_is_utf8(bytes, n) || has_control(bytes, n)) return error_set(e, ERR_INVALID, "a note is UTF-8 without control characters");
	const char *blank = NULL;
	for (size_t i = 0; i + 1 < n; i++)
		if (bytes[i] == '\n' && bytes[i + 1] == '\n') blank = bytes + i;
	if (!blank || bytes[n - 1] != '\n' || blank + 2 == bytes + n) return error_set(e, ERR_INVALID, "a note is text, an empty line and lines of signatures");
	out->text = bytes, out->text_len = (size_t)(blank - bytes) + 1;
	for (const char *p = blank + 2, *end = bytes + n; p < end;) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		if (out->n == NOTE_SIGNATURES_MAX) return error_set(e, ERR_INVALID, "a note has at most %d signatures", NOTE_SIGNATURES_MAX);
		if (!parse_line(p, (size_t)(newline - p), &out->signatures[out->n]))
			return error_set(e, ERR_INVALID, "signature %d of the note is not a dash, a name and base64", out->n + 1);
		out->n++;
		p = newline + 1;
	}
	return ERR_OK;
}

static bool is_right(const struct note *note, const struct note_signature *s, const struct note_key *key, uint64_t *time_s)
{
	*time_s = 0;
	if (key->algorithm == NOTE_ED25519) return s->n == SIGNATURE_BYTES && is_signed(key->key, note->text, note->text_len, s->bytes);
	if (s->n != COSIGNATURE_BYTES) return false;
	struct buf b;
	*time_s = get_u64(s->bytes);
	cosigned_bytes(&b, *time_s, note->text, note->text_len);
	bool is_fine = is_signed(key->key, b.data, b.len, s->bytes + 8);
	buf_clear(&b);
	return is_fine;
}

enum err note_verify(const struct note *note, const struct note_key *key, uint64_t *time_s, struct error *e)
{
	uint64_t stated;
	for (int i = 0; i < note->n; i++) {
		const struct note_signature *s = &note->signatures[i];
		if (s->id != key->id || s->name_len != strlen(key->name) || memcmp(s->name, key->name, s->name_len) != 0) continue;
		if (!is_right(note, s, key, &stated))
			return error_set(e, ERR_VERIFY, "the signature by %s+%08x does not match the text of the note", key->name, key->id);
		if (time_s) *time_s = stated;
		return ERR_OK;
	}
	return error_set(e, ERR_NOT_FOUND, "the note carries no signature by %s+%08x", key->name, key->id);
}
