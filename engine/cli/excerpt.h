#ifndef RUNG_CLI_EXCERPT_H
#define RUNG_CLI_EXCERPT_H

#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

/* What calls print, as plain lines of a log: the first lines of each call as they come, the last ones when it has ended, and between them how many were left
 * out and where they are. A flood leaves a page in the log, not its whole self. */

enum { EXCERPT_FIRST = 5, EXCERPT_LAST = 5, EXCERPT_LINE_BYTES_MAX = 4096 };

struct excerpt;

struct excerpts {
	const char *execution;                                        /* borrowed */
	bool is_verbose;                                              /* everything, as it comes */
	void (*print)(void *arg, const char *step, const char *text); /* step: its id; behind it the host, of a call on another one */
	void *arg;
	struct excerpt **open; /* of calls that have printed and not ended */
	size_t count, capacity;
};

/* Output that came: head is the event's (service/protocol.h). */
void excerpts_add(struct excerpts *x, const json_t *head, const char *data, size_t n);

/* Ends those of calls that the view says have ended; with step, those of this step whether they have or not. */
void excerpts_end(struct excerpts *x, const json_t *view, const char *step);

void excerpts_clear(struct excerpts *x);

#endif
