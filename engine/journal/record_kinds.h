#ifndef RUNG_JOURNAL_RECORD_KINDS_H
#define RUNG_JOURNAL_RECORD_KINDS_H

#include "journal/record.h"

/* The table behind record.h: what a record of each kind must carry. d holds ids, names from tables, numbers and digests only; whatever a person, a host,
 * an author or an alert wrote is a blob. source: DESIGN.md 6. */

enum record_field_type {
	FIELD_WORD,   /* a name from a table: 1..64 of letters, digits and _ . : / - */
	FIELD_NAME,   /* an id, a path, a principal, a key: 1..1024 bytes */
	FIELD_DIGEST, /* SHA-256, 64 lower-case hex digits */
	FIELD_BLOB,   /* the name of a blob */
	FIELD_BLOBS,  /* an array of such */
	FIELD_NAMES,  /* an array of FIELD_NAME */
	FIELD_INT,
	FIELD_BOOL,
	FIELD_TREE, /* an object of names, integers, booleans, arrays and objects of such */
	FIELD_TYPE_N
};

/* How far down a record of a kind must say what it is about; more is allowed. But what is about an incident (x is the incident's) names no step, attempt or
 * call. */
enum record_scope { SCOPE_LOG, SCOPE_EXECUTION, SCOPE_STEP, SCOPE_ATTEMPT, SCOPE_CALL, SCOPE_INCIDENT, SCOPE_N };

struct record_field {
	const char *key;
	enum record_field_type type;
	bool is_required;
};

enum { RECORD_FIELDS_MAX = 24 };

struct record_kind_row {
	const char *name, *what;
	enum record_scope scope;
	struct record_field fields[RECORD_FIELDS_MAX]; /* ended by a NULL key */
};

extern const struct record_kind_row record_kind_table[RECORD_KIND_N];

/* ERR_INVALID with a sentence where r lacks what its kind needs, or d does not match the schema. */
enum err record_check(const struct record *r, struct error *e);

#endif
