#ifndef RUNG_JOURNAL_CHECKPOINT_H
#define RUNG_JOURNAL_CHECKPOINT_H

#include "journal/note.h"
#include "journal/tree.h"

/* What a log signs (c2sp.org/tlog-checkpoint): its name, its size, its root, and, as an extension line, the digest of the store's other rows. */
struct checkpoint {
	char origin[NOTE_NAME_BYTES];
	uint64_t size;
	struct tree_hash root, rows;
	bool has_rows;
};

/* The text that is signed. */
void checkpoint_text(const struct checkpoint *c, struct buf *out);

/* Reads the text of a note. Extension lines of others are allowed and left out. ERR_INVALID. */
enum err checkpoint_parse(const char *text, size_t n, struct checkpoint *out, struct error *e);

/* Signs, and appends the note to out. */
enum err checkpoint_sign(const struct checkpoint *c, const struct note_signer *s, struct buf *out, struct error *e);

/* A note's bytes to a checkpoint whose signature by key is right: ERR_VERIFY where it is not, or is missing, or where the origin is not the key's name. */
enum err checkpoint_open(const char *bytes, size_t n, const struct note_key *key, struct checkpoint *out, struct error *e);

#endif
