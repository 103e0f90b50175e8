#ifndef RUNG_SANDBOX_REDACT_H
#define RUNG_SANDBOX_REDACT_H

#include "base/buf.h"

#include <stdint.h>

/* Takes secrets out of what commands print, as it streams: every form of redact_forms.h, in place of each `[secret NAME]`. What comes out does not depend on
 * how the input was cut into pieces. Held back are only the last bytes that may be the beginning of a secret.
 *
 * An automaton over all forms of all secrets, whose states are made when they are first needed and forgotten together when there are too many: memory is
 * bounded by REDACT_CACHE_BYTES plus the values, whatever is printed. source: DESIGN.md 7 */

enum {
	REDACT_VALUE_BYTES_MIN = 8, /* shorter ones would take ordinary words out of the output */
	REDACT_VALUE_BYTES_MAX = 65536,
	REDACT_SECRETS_MAX = 1024,
	REDACT_CACHE_BYTES = 8 << 20
};

struct redactor;

/* Knows no secret at first. forms: FORM_ALL; tests leave some out. */
struct redactor *redactor_new(int forms);
void redactor_free(struct redactor *r); /* values are overwritten; NULL is fine */

/* From now on value is taken out, in every stream. One that is known already stays as it is. False: there are REDACT_SECRETS_MAX. The value is copied.
 * n is within the limits above. */
bool redactor_add(struct redactor *r, const char *name, const void *value, size_t n);

size_t redactor_count(const struct redactor *r);

/* One stream of bytes: a command's standard output, say. */
struct redact_stream {
	struct redactor *redactor; /* borrowed */
	struct buf held;           /* what came and is not given out: from sent to at */
	uint64_t sent, at;
	uint64_t *threads; /* partial matches at the end of what came */
	size_t thread_count, thread_capacity;
	struct redact_hit *hits; /* matches that are not given out, in order */
	size_t hit_count, hit_capacity;
	uint32_t last_secret; /* of the last marker */
};

void redact_begin(struct redact_stream *s, struct redactor *r);
void redact_clear(struct redact_stream *s); /* what is held is overwritten */

/* Appends to out what can be given out of the n bytes and those held before. True: something was taken out of it. */
bool redact_feed(struct redact_stream *s, const void *data, size_t n, struct buf *out);

/* The stream is over: appends the rest. */
bool redact_end(struct redact_stream *s, struct buf *out);

/* A whole text at once: appends it to out. */
bool redact_text(struct redactor *r, const void *data, size_t n, struct buf *out);

#endif
