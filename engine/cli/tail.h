#ifndef RUNG_CLI_TAIL_H
#define RUNG_CLI_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The last lines of what a step prints, safe to show: colours dropped, everything else that could steer a terminal made visible, a carriage return starts
 * the line again (progress bars). Takes gigabytes in the memory of a few lines. */
enum { TAIL_LINES = 200, TAIL_LINE_BYTES = 1024, TAIL_LABEL_BYTES_MAX = 80 };

struct tail {
	char *lines[TAIL_LINES]; /* a ring; whole lines */
	uint64_t line_count;     /* of whole lines ever */
	uint64_t byte_count;
	char partial[TAIL_LINE_BYTES]; /* raw bytes of the line that has not ended */
	size_t partial_len;
	int64_t source;      /* whose line that is: tail_add_from */
	bool is_restarted;   /* a carriage return came: the next byte that is no line feed empties the line */
	bool is_overwritten; /* which has happened: the line is shown with U+240D in front */
};

void tail_add(struct tail *t, const char *data, size_t n);

/* The same of several that print at the same time: another source begins a line of its own, and each of its lines has the label (may be NULL) in front, as
 * "web-01 | text". */
void tail_add_from(struct tail *t, int64_t source, const char *label, const char *data, size_t n);

void tail_clear(struct tail *t);

/* Lines that can be had, the unfinished one included; and the i-th of them, 0 being the oldest. Borrowed until the next call on t. */
size_t tail_count(const struct tail *t);
const char *tail_line(struct tail *t, size_t i);

/* Lines that have been dropped from the front. */
uint64_t tail_dropped(const struct tail *t);

/* n bytes made safe for one line of a terminal; allocated. */
char *tail_visible(const char *data, size_t n);

#endif
