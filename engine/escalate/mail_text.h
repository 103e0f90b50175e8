#ifndef RUNG_ESCALATE_MAIL_TEXT_H
#define RUNG_ESCALATE_MAIL_TEXT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* A mail as it goes over the wire: RFC 5322, with MIME (RFC 2045, 2047) for what is not ASCII, lines ended by CRLF and at most 78 bytes long. Nothing that
 * stands in a field can begin another one, whatever it is. Pure. */

enum { MAIL_TEXT_BYTES_MAX = 1 << 20 };

struct mail_text {
	const char *from, *to; /* addresses, as oncall.yaml has them */
	const char *subject;   /* one line of UTF-8; what else it has is cut */
	const char *body;      /* UTF-8, lines ended by \n */
	const char *key;       /* the left half of its Message-ID: the same for the same notification */
	const char *thread;    /* the incident: mails of one stand together in a mail program */
	int64_t date_us;       /* the wall clock */
};

/* Appends it; false where b is full. */
bool mail_text_make(const struct mail_text *m, struct buf *b);

#endif
