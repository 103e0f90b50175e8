#ifndef RUNG_BASE_CLOCK_H
#define RUNG_BASE_CLOCK_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Times are microseconds since 1970 UTC in an int64_t, named ..._us; durations too. */

enum { CLOCK_RFC3339_BYTES = 28 }; /* 2026-11-22T23:00:01.000000Z and the NUL */

int64_t clock_now_us(void);       /* the wall clock */
int64_t clock_monotonic_us(void); /* never steps; for deadlines while this process lives */

/* The wall clock as it stood at the first call, and what has passed since: setting the clock does not move it. For deadlines that are recorded. Any thread. */
int64_t clock_steady_us(void);

/* Both at one moment, for decisions that look at no clock themselves. */
struct clock_times {
	int64_t now_us, steady_us;
};
struct clock_times clock_times_now(void);

/* Until when something counts that somebody gave at a moment. Setting the wall clock back does not make it last longer. */
struct clock_until {
	int64_t from_us, us; /* on the wall clock, as recorded */
	int64_t steady_us;   /* its end on the steady clock; 0: it was given before this process began */
};

/* is_now: it is given at this moment, not read back from a record. */
struct clock_until clock_until_make(int64_t from_us, int64_t us, bool is_now);

/* The same where the caller looks at the clock. steady_us: of the moment in which it is given; 0: it is read back from a record. */
struct clock_until clock_until_at(int64_t from_us, int64_t us, int64_t steady_us);

/* Also where the wall clock stands before its beginning: then nobody knows how long ago that was. */
bool clock_has_passed(const struct clock_until *u);
bool clock_has_passed_at(const struct clock_until *u, struct clock_times now);

/* When it will have passed on the steady clock, unless the wall clock is set. */
int64_t clock_passes_us(const struct clock_until *u, struct clock_times now);

/* UTC with six fraction digits; years 0000 to 9999. */
void clock_rfc3339(char out[CLOCK_RFC3339_BYTES], int64_t us);

/* Reads exactly that form. */
bool clock_parse_rfc3339(const char *text, int64_t *us);

/* Reads an instant as people write it: 2026-12-20T08:00:00Z, seconds and fraction optional, Z or an offset such as +01:00. */
bool clock_parse_instant(const char *text, int64_t *us);

/* A date (2026-11-22) at midnight UTC. */
bool clock_parse_date(const char *text, int64_t *us);

/* "90s", "5m", "1h30m", "2d", "1w", "250ms"; units ms s m h d w. ERR_INVALID with what was expected. */
enum err clock_parse_duration(const char *text, int64_t *us, struct error *e);

/* "0.2 s", "1.4 s", "3 min 20 s", "2 h 5 min", "12 days": for people. */
void clock_duration_words(struct buf *b, int64_t us);

/* A ULID in canonical form: 48 bits of milliseconds, 80 random bits (from random, 10 bytes). */
enum { ULID_BYTES = 27 };
void ulid_make(char out[ULID_BYTES], int64_t now_us, const unsigned char random[10]);
bool ulid_is_valid(const char *text);

/* Fills n bytes from the kernel's generator. */
void random_bytes(void *out, size_t n);

#endif
