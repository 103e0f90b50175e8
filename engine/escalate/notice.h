#ifndef RUNG_ESCALATE_NOTICE_H
#define RUNG_ESCALATE_NOTICE_H

#include "base/buf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What a message to one person says. Pure. Text of strangers (of alerts, hosts, books, people) is made visible and cut, so that a message is never longer than
 * NOTICE_BYTES_MAX. source: DESIGN.md 8 */

enum {
	NOTICE_KEY_BYTES = 96,
	NOTICE_LINE_BYTES_MAX = 200,   /* of one thing on a line */
	NOTICE_REASON_BYTES_MAX = 800, /* why it was raised */
	NOTICE_TEXT_BYTES_MAX = 4096,  /* what a step has to say */
	NOTICE_LINK_BYTES_MAX = 1024,
	NOTICE_BYTES_MAX = 64 << 10 /* the whole, in any form: made visible, text grows */
};

enum notice_kind {
	NOTICE_ESCALATION, /* somebody must look */
	NOTICE_MESSAGE,    /* a step says something: there is nothing to acknowledge */
	NOTICE_TEST        /* a person wants to see whether messages arrive */
};

/* Borrowed; NULL: not known, or none. */
struct notice {
	enum notice_kind kind;
	const char *incident; /* its ULID; of a message that belongs to none, the execution's; of a test one of its own */
	uint32_t number;      /* of the notification */
	const char *key;      /* NULL: of these two */
	const char *person;
	const char *title; /* what the incident is, or the book's title */
	const char *priority;
	const char *trigger, *means; /* its word, and what that means */
	const char *reason;
	const char *host, *book, *execution, *step;
	const char *policy;
	uint32_t level, round;
	const char *text;           /* of a message */
	const char *link;           /* acknowledges */
	int64_t since_us, sent_us;  /* since when it is so; now. 0: not known */
	const char *workspace_host; /* where this engine runs */
};

/* "INCIDENT.NUMBER": the same for each attempt at sending one notification, and for no other. Receivers that get it twice can tell. */
void notice_key(const struct notice *n, char out[NOTICE_KEY_BYTES]);

/* One line without control characters, for a mail's subject and a pager's first line. */
bool notice_subject(const struct notice *n, struct buf *b);

/* Plain text, lines ended by \n: what, where, since when, and what to do. */
bool notice_body(const struct notice *n, struct buf *b);

/* The same fields as an object. New reference. */
json_t *notice_json(const struct notice *n);

#endif
