#ifndef RUNG_SERVICE_INTAKE_PARTS_H
#define RUNG_SERVICE_INTAKE_PARTS_H

#include "service/intake.h"

/* What intake*.c share. */

enum { SOURCE_KEYS_MAX = 64, BODIES_MAX = 512, REASONS_MAX = 64 };

/* A secret of a source, read a moment ago. */
struct source_key {
	char *name;
	struct buf value;
	int64_t read_us;
	enum err err;
	struct error error;
};

/* A body that came before: the same bytes are stored once. */
struct kept_body {
	char digest[DIGEST_HEX_BYTES];
	json_t *names; /* of its blobs */
};

/* A sentence of the engine's that came before, likewise. */
struct kept_text {
	char *text, name[STORE_BLOB_NAME_BYTES];
};

struct intake {
	struct intake_counters counters;
	struct source_key keys[SOURCE_KEYS_MAX];
	size_t key_count, next_key;
	struct kept_body bodies[BODIES_MAX]; /* a ring */
	size_t next_body;
	struct table *by_digest;               /* struct kept_body */
	struct kept_text reasons[REASONS_MAX]; /* a ring */
	size_t next_reason;
	struct table *by_reason; /* struct kept_text */
	int64_t told_us;         /* when the log last heard of refused deliveries */
	uint64_t untold;
};

struct intake *intake_of(struct engine *en);

/* The values of the source's secrets, valid until the next call. The error is for the log of the one who runs the engine. */
enum err intake_keys(struct engine *en, const struct alert_source *s, struct alert_key keys[ALERTS_SECRETS_MAX], size_t *count, struct error *e);

/* The names of the blobs that hold a delivery's bytes, made where they are not there. Borrowed, until a batch fails. */
json_t *intake_body(struct engine *en, const struct alert_delivery *d, const char *bytes);

/* The name of a blob that holds this sentence, made where it is not there: no text of an alert. Borrowed, as above. */
const char *intake_reason(struct engine *en, const char *text);

/* May it open an incident: does one of its alerts fire that belongs to none that is open? */
bool intake_opens(struct engine *en, const struct alert_delivery *d);

/* Decides about every alert of a delivery and records that; the answer's "decisions". New reference. */
struct intake_around {
	const struct alerts_file *file;
	const struct book_index *books;
	const struct alert_delivery *delivery;
	json_t *body; /* names of blobs */
	const char *by;
	struct arena *arena;
};
json_t *intake_decide_all(struct engine *en, const struct intake_around *at);

#endif
