#ifndef RUNG_JOURNAL_RECORD_H
#define RUNG_JOURNAL_RECORD_H

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

enum { JOURNAL_RECORD_BYTES_MAX = 65535, JOURNAL_DATA_DEPTH_MAX = 8 };

/* Kinds of record; record_kinds.c has the table: name, what must stand outside d, and the schema of d (key, type, required). */
enum record_kind {
	RECORD_LOG_OPENED,
	RECORD_LOG_CONTINUED, /* the guard was set aside, or an old log's last checkpoint is named */
	RECORD_KEY_ROTATED,
	RECORD_CLOCK_STEPPED,
	RECORD_EXECUTION_STARTED,
	RECORD_EXECUTION_FINISHED, /* d.state */
	RECORD_EXECUTION_RESUMED,
	RECORD_EXECUTION_PAUSED,
	RECORD_EXECUTION_CANCELLED, /* a person asked: what runs is stopped; finished follows */
	RECORD_STEP_REQUESTED,      /* guided: a person says go */
	RECORD_STEP_SKIPPED,        /* by a person, by if, by a goto or go past it: d.why */
	RECORD_STEP_SETTLED,        /* a person's word on a manual, failed or unknown step: d.outcome succeeded|failed|skipped, d.note */
	RECORD_STEP_RESET,          /* goto, again: pending with the next attempt number */
	RECORD_CONDITION_EVALUATED,
	RECORD_ATTEMPT_STARTED,
	RECORD_ATTEMPT_FINISHED, /* d.outcome, d.result, d.to */
	RECORD_VERIFICATION_STARTED,
	RECORD_VERIFICATION_FINISHED,
	RECORD_CALL_STARTED,  /* intent: d.module, d.function, d.arguments, d.effect */
	RECORD_CALL_FINISHED, /* outcome: d.outcome ok|error|denied|timed_out..., d.answer */
	RECORD_CALL_UNKNOWN,
	RECORD_CALL_RESOLVED, /* a person's answer: d.answer again|failed|done, d.reason */
	RECORD_CHILD_CHANGED, /* an execution that a call runs begins to wait for a person, or goes on: d.state */
	RECORD_QUESTION_ASKED,
	RECORD_QUESTION_ANSWERED,
	RECORD_RIGHT_DECIDED,  /* d.allowed, d.by (declared, flag, terminal), d.pattern */
	RECORD_RIGHT_ELEVATED, /* break-glass: d.elevation until d.until_us */
	RECORD_ELEVATION_REVIEWED,
	RECORD_APPROVAL_ASKED, /* a step begins when d.needed of d.from agree to what d.binding is the digest of */
	RECORD_APPROVAL_GIVEN,
	RECORD_APPROVAL_REFUSED,
	RECORD_APPROVAL_WITHDRAWN, /* what was agreed to has changed, or too long ago: d.why */
	RECORD_START_DENIED,       /* somebody wanted a book run, and may not: there is no execution */
	RECORD_BOOK_APPROVED,      /* a revision of a book, by its digest, that services may run */
	RECORD_SECRET_USED,
	RECORD_DRIVER_CHANGED,
	RECORD_NOTE_ADDED,
	RECORD_PLAYBOOK_CONCLUDED, /* its steps are over: d.outcome mended|proposed|failed|no_cause, d.cause */
	RECORD_INCIDENT_OPENED,
	RECORD_ALERT_RECEIVED,   /* what a source delivered, and what was decided: d.outcome; d.execution where it starts one */
	RECORD_EXECUTION_LINKED, /* one that no alert started works on the incident */
	RECORD_EXECUTION_ENDED,  /* one of the incident: d.state; also where it could not begin */
	RECORD_INCIDENT_ACKNOWLEDGED,
	RECORD_INCIDENT_NOTED,
	RECORD_INCIDENT_ASSIGNED,
	RECORD_INCIDENT_PRIORITISED,
	RECORD_INCIDENT_MITIGATED,
	RECORD_INCIDENT_RESOLVED,
	RECORD_ESCALATION_RAISED, /* of the incident's escalation, as the rest below: escalate/README.md */
	RECORD_LEVEL_REACHED,
	RECORD_NOTIFICATION_STARTED,
	RECORD_NOTIFICATION_FINISHED,
	RECORD_ESCALATION_POSTPONED,
	RECORD_ESCALATION_EXHAUSTED,
	RECORD_LADDER_CHANGED,
	RECORD_ESCALATION_RESUMED,
	RECORD_TOKEN_CREATED, /* d.for may ask over HTTP with what d.hash is the digest of */
	RECORD_TOKEN_REVOKED,
	RECORD_ONCALL_TESTED, /* a message goes out on each of d.person's channels, since who asked wants to see whether one arrives */
	RECORD_BLOB_ERASED,   /* d.count blobs of the execution (or of the log) lost their bytes and salts; d.reason */
	RECORD_KIND_N
};

/* One record before it has a place in the log. Strings are borrowed. Absent: NULL, and 0 for attempt, call and epoch (they count from 1). */
struct record {
	uint64_t seq; /* set by the writer */
	int64_t t_us;
	enum record_kind kind;
	const char *execution; /* ULID; of records about an incident the incident's */
	const char *step;
	uint32_t attempt, call;
	uint64_t epoch;
	const char *node, *by;
	const json_t *data; /* object or NULL; borrowed */
};

const char *record_kind_name(enum record_kind k);
enum err record_kind_find(const char *name, enum record_kind *out, struct error *e);

/* The exact bytes of the record's line, without a newline, appended to out. ERR_INVALID where d does not match the kind's schema (a key that the schema
 * does not know, too), holds a float, is deeper than JOURNAL_DATA_DEPTH_MAX; ERR_TOO_BIG over JOURNAL_RECORD_BYTES_MAX. Control and bidirectional characters
 * become \u escapes. source: DESIGN.md 6. */
enum err record_encode(const struct record *r, struct buf *out, struct error *e);

/* The same line in two parts, for a writer that learns seq and t last: the bytes of head, then those of tail, are what record_encode gives. Seq and t of r are
 * not looked at by tail; head needs a t between the years 0000 and 9999 and at most RECORD_HEAD_BYTES_MAX bytes. */
enum { RECORD_HEAD_BYTES_MAX = 66 };
enum err record_encode_tail(const struct record *r, struct buf *out, struct error *e);
bool record_encode_head(uint64_t seq, int64_t t_us, struct buf *out);

/* Reads a line back and checks everything encode promises (key order, no space, schema, bytes that encode would have made). Strings and data live as
 * long as *hold, a new reference the caller drops. ERR_VERIFY says what is wrong and where. */
enum err record_decode(const char *line, size_t n, struct record *r, json_t **hold, struct error *e);

/* Is text the name of a blob ("hmac-sha256:" and 64 lower-case hex digits)? */
bool record_is_blob_name(const char *text, size_t n);

/* Calls fn with every blob name in the data of a decoded record, in order. */
void record_blobs(const struct record *r, void (*fn)(void *arg, const char *name), void *arg);

/* The table of kinds with their schemas, for the generated documentation and `rung help records`. New reference. */
json_t *record_kinds_json(void);

#endif
