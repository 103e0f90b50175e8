#ifndef RUNG_JOURNAL_PROOF_H
#define RUNG_JOURNAL_PROOF_H

#include "journal/note.h"
#include "journal/tree.h"

/* A proof that one record is in a log, as text that can be checked away from it (c2sp.org/tlog-proof@v1): the index, the path to the root, and the signed
 * checkpoint that states the root. */

struct proof {
	uint64_t index;
	struct tree_proof path;
	const char *note; /* the checkpoint; points into the text it was read from */
	size_t note_len;
};

/* Appends the text of a proof to out. ERR_TOO_BIG where it does not fit. */
enum err proof_write(const struct proof *p, struct buf *out, struct error *e);

/* Reads such a text; extra data is allowed and left out. ERR_INVALID with what is wrong. Nothing is verified yet. */
enum err proof_parse(const char *text, size_t n, struct proof *out, struct error *e);

/* ERR_OK where the checkpoint is signed by key and the record (its exact bytes) stands at the index under its root; else ERR_VERIFY. */
enum err proof_verify(const struct proof *p, const struct note_key *key, const void *record, size_t n, struct error *e);

#endif
