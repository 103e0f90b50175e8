#include "base/clock.h"
#include "base/encode.h"
#include "base/fs.h"
#include "store/internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* keys/log.seed: the Ed25519 seed as 64 hex digits and a newline, mode 0600. keys/log.vkey: the verifier key, for whoever checks checkpoints. */

static enum err read_seed(const char *path, unsigned char seed[NOTE_SEED_BYTES], struct error *e)
{
	struct stat st;
	struct buf b;
	if (stat(path, &st) == 0 && (st.st_mode & 077))
		return error_set(e, ERR_INVALID, "%s can be read by others: `chmod 600` it, or start a new log if somebody has", path);
	buf_init(&b, 2 * NOTE_SEED_BYTES + 1);
	enum err err = fs_read(path, &b, e);
	if (!err && b.len == 2 * NOTE_SEED_BYTES + 1 && b.data[b.len - 1] == '\n') b.data[--b.len] = 0;
	if (!err && (b.len != 2 * NOTE_SEED_BYTES || !decode_hex(seed, b.data, NOTE_SEED_BYTES)))
		err = error_set(e, ERR_INVALID, "%s does not hold the 64 hex digits of an Ed25519 seed", path);
	if (b.data) OPENSSL_cleanse(b.data, b.cap);
	buf_clear(&b);
	return err;
}

static enum err make_seed(const char *path, unsigned char seed[NOTE_SEED_BYTES], struct error *e)
{
	struct buf b;
	random_bytes(seed, NOTE_SEED_BYTES);
	buf_init(&b, 2 * NOTE_SEED_BYTES + 1);
	must(encode_hex(&b, seed, NOTE_SEED_BYTES) && buf_char(&b, '\n'));
	enum err err = fs_write_atomic(path, b.data, b.len, 0600, e);
	OPENSSL_cleanse(b.data, b.cap);
	buf_clear(&b);
	return err;
}

/* A first open that died before record 0 left the key of a name that no log has. */
static enum err write_vkey(struct store *s, bool is_new, struct error *e)
{
	char *path = mem_printf("%s/keys/log.vkey", s->dir), *text = mem_printf("%s\n", s->vkey);
	enum err err = !is_new && fs_exists(path) ? ERR_OK : fs_write_atomic(path, text, strlen(text), 0644, e);
	free(path);
	free(text);
	return err;
}

enum err keys_load(struct store *s, const char *origin, bool may_make, struct error *e)
{
	unsigned char seed[NOTE_SEED_BYTES];
	char *path = mem_printf("%s/keys/log.seed", s->dir);
	enum err err = may_make && !fs_exists(path) ? make_seed(path, seed, e) : read_seed(path, seed, e);
	if (!err) err = note_signer_new(origin, NOTE_ED25519, seed, &s->signer, e);
	if (!err) {
		memcpy(s->origin, note_signer_key(s->signer)->name, sizeof s->origin);
		note_key_text(note_signer_key(s->signer), s->vkey);
		err = write_vkey(s, may_make, e);
	}
	OPENSSL_cleanse(seed, sizeof seed);
	free(path);
	return err;
}

enum err keys_read_vkey(const char *dir, char out[NOTE_VKEY_BYTES], struct error *e)
{
	char *path = mem_printf("%s/keys/log.vkey", dir);
	struct buf b;
	buf_init(&b, NOTE_VKEY_BYTES - 1);
	enum err err = fs_read(path, &b, e);
	if (!err && b.len && b.data[b.len - 1] == '\n') b.data[--b.len] = 0;
	if (!err) memcpy(out, b.data ? b.data : "", b.len + 1);
	buf_clear(&b);
	free(path);
	return err;
}
