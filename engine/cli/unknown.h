#ifndef RUNG_CLI_UNKNOWN_H
#define RUNG_CLI_UNKNOWN_H

#include "cli/lines.h"

#include <jansson.h>

/* What a person should see before saying what became of unknown calls, as resolve.show gives it (service/protocol.h, UNKNOWN), in lines of so many columns. */

/* The selected calls: what was sent, when and how, why nobody knows, what had been printed by then, what their targets say. Of more than three what differs. */
void unknown_lines(struct lines *out, const json_t *shown, size_t columns);

/* What the step's verify said, and when; nothing where the book has none. */
void unknown_proof_lines(struct lines *out, const json_t *shown, size_t columns);

/* What one answer would bring. */
void unknown_answer_lines(struct lines *out, const json_t *shown, const char *answer, size_t columns);

/* All of it, and what each answer would bring. */
void unknown_all_lines(struct lines *out, const json_t *shown, size_t columns);

/* A proof (PROOF of the protocol) in one sentence: how it ended, when, who asked for it, why. */
const char *proof_words(struct arena *a, const json_t *proof);

/* The answers that there are, and what each says; ends with a NULL name. */
extern const struct unknown_answer {
	int key;
	const char *name, *means;
} unknown_answers[];

/* The one with that name, or NULL. */
const struct unknown_answer *unknown_answer_find(const char *name);

#endif
