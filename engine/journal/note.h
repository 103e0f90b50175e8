#ifndef RUNG_JOURNAL_NOTE_H
#define RUNG_JOURNAL_NOTE_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Signed notes (c2sp.org/signed-note) with Ed25519, and the cosignatures of witnesses (c2sp.org/tlog-cosignature, cosignature/v1). */

enum { NOTE_KEY_BYTES = 32, NOTE_SEED_BYTES = 32, NOTE_NAME_BYTES = 256, NOTE_VKEY_BYTES = 320, NOTE_BYTES_MAX = 65536, NOTE_SIGNATURES_MAX = 64 };

enum note_algorithm { NOTE_ED25519 = 1, NOTE_COSIGNATURE_V1 = 4 };

/* A public key, as its verifier key text says it: NAME+ID+KEY. */
struct note_key {
	char name[NOTE_NAME_BYTES];
	uint32_t id;
	enum note_algorithm algorithm;
	unsigned char key[NOTE_KEY_BYTES];
};

/* Names have no space, no plus sign, no control character. */
bool note_name_is_valid(const char *name, size_t n);

enum err note_key_parse(const char *vkey, struct note_key *out, struct error *e);
void note_key_text(const struct note_key *k, char out[NOTE_VKEY_BYTES]);

/* A private key ready to sign. */
struct note_signer;
enum err note_signer_new(const char *name, enum note_algorithm algorithm, const unsigned char seed[NOTE_SEED_BYTES], struct note_signer **out, struct error *e);
void note_signer_free(struct note_signer *s); /* NULL is fine */
const struct note_key *note_signer_key(const struct note_signer *s);

/* Appends text (which ends in a newline), an empty line and the signature's line to out. */
enum err note_sign(const struct note_signer *s, const char *text, size_t n, struct buf *out, struct error *e);

/* Appends a witness's signature line over the text of a note at a time in seconds since 1970. */
enum err note_cosign(const struct note_signer *s, const char *text, size_t n, uint64_t time_s, struct buf *out, struct error *e);

struct note_signature {
	const char *name; /* borrowed from the note's bytes, name_len of them */
	size_t name_len;
	uint32_t id;
	unsigned char bytes[128];
	size_t n;
};

/* A note taken apart; text points into the bytes it was parsed from. */
struct note {
	const char *text;
	size_t text_len;
	int n;
	struct note_signature signatures[NOTE_SIGNATURES_MAX];
};

/* ERR_INVALID where the bytes are no signed note. Nothing is verified yet. */
enum err note_parse(const char *bytes, size_t n, struct note *out, struct error *e);

/* ERR_OK where a signature by that key is there and right; ERR_NOT_FOUND where none by that key is there; ERR_VERIFY where one is there and wrong.
 * time_s, when not NULL, gets the time that a witness stated (0 for an Ed25519 key). */
enum err note_verify(const struct note *note, const struct note_key *key, uint64_t *time_s, struct error *e);

#endif
