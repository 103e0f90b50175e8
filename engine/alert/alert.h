#ifndef RUNG_ALERT_ALERT_H
#define RUNG_ALERT_ALERT_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a source delivers, in one shape whatever the source: a delivery holds alerts. Pure data. Strings come from outside: UTF-8, NUL-terminated (a zero byte
 * of the source is U+2400 here), control characters kept, to be made visible where they are printed. README.md beside this has where each field comes from.
 * source: DESIGN.md 8 */

enum {
	ALERT_BODY_BYTES_MAX = 4 << 20,   /* of one delivery: a thousand alerts of Alertmanager have about 1.5 MiB */
	ALERT_VALUES_MAX = 131072,        /* JSON values in it: as nodes they take up to 250 bytes each, however short they are written */
	ALERT_DEPTH_MAX = 32,             /* of nesting: sources use 5 */
	ALERTS_MAX = 4096,                /* of one delivery; the others count as truncated */
	ALERT_LABELS_MAX = 128,           /* of one alert, annotations apart: exporters have about 20 */
	ALERT_LABEL_NAME_BYTES_MAX = 256, /* Prometheus' own names have up to 60 */
	ALERT_LABEL_BYTES_MAX = 4096,     /* a label's value */
	ALERT_NOTE_BYTES_MAX = 16384,     /* an annotation's value */
	ALERT_NAME_BYTES_MAX = 1024,      /* name, fingerprint, severity, value */
	ALERT_KEY_BYTES_MAX = 8192,       /* a group's key: Alertmanager writes route and labels into it */
	ALERT_TRUNCATED_MAX = 1000000000  /* what a source says that it left out */
};

enum alert_state { ALERT_FIRING, ALERT_RESOLVED, ALERT_STATE_N };

struct alert_label {
	const char *name, *value;
};

struct alert {
	const char *source; /* its name in alerts.yaml */
	const char *name;   /* "" where the source gives none */
	enum alert_state state;
	const char *severity;                  /* the source's word, or what its mapping makes of it; "" */
	const char *fingerprint;               /* which alert it is, within its source: the same when it fires again or resolves; never empty */
	bool is_own_fingerprint;               /* the source's, not made here */
	const char *group_key;                 /* "" */
	const struct alert_label *labels;      /* by name, in the order of bytes */
	const struct alert_label *annotations; /* the same */
	size_t label_count, annotation_count;
	int64_t starts_us, ends_us; /* UTC; 0: not said */
	const char *link;           /* to what raised it; "" */
	const char *runbook;        /* annotation runbook_url, else runbook; "" */
	const char *value;          /* what was measured, as the source writes it; "" */
	bool is_cut;                /* labels are missing or shortened: what is matched against them proves nothing */
};

struct alert_delivery {
	const char *source, *receiver; /* receiver: "" where the source names none */
	char digest[DIGEST_HEX_BYTES]; /* SHA-256 of the bytes as they came */
	size_t bytes;
	struct alert *alerts;
	size_t count;
	int64_t truncated; /* alerts that the source left out, or that were over ALERTS_MAX */
};

/* "firing", "resolved". */
const char *alert_state_word(enum alert_state s);

/* The value of a label or annotation, or NULL. */
const char *alert_label(const struct alert *al, const char *name);
const char *alert_annotation(const struct alert *al, const char *name);

/* {"source","name","state","severity","fingerprint","group_key","labels","annotations","starts","ends","link","runbook","value","is_cut"}: what steps see as
 * `alert`, and what is kept of it. starts and ends are RFC 3339, null where nothing is said; is_cut only where it is true. New reference. */
json_t *alert_json(const struct alert *al);

#endif
