#include "base/clock.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static int64_t now(clockid_t id)
{
	struct timespec t;
	must(clock_gettime(id, &t) == 0);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
	return now(CLOCK_REALTIME);
}

int64_t clock_monotonic_us(void)
{
	return now(CLOCK_MONOTONIC);
}

int64_t clock_steady_us(void)
{
	static _Atomic int64_t start_us;
	int64_t monotonic_us = clock_monotonic_us(), start = atomic_load(&start_us), mine = now(CLOCK_REALTIME) - monotonic_us;
	if (!start && atomic_compare_exchange_strong(&start_us, &start, mine)) start = mine;
	return start + monotonic_us;
}

enum { STEP_US = 1000000 }; /* the wall clock may be corrected by so much without anything counting as set back */

struct clock_times clock_times_now(void)
{
	return (struct clock_times){.now_us = clock_now_us(), .steady_us = clock_steady_us()};
}

struct clock_until clock_until_at(int64_t from_us, int64_t us, int64_t steady_us)
{
	return (struct clock_until){.from_us = from_us, .us = us, .steady_us = steady_us ? steady_us + (us - from_us) : 0};
}

struct clock_until clock_until_make(int64_t from_us, int64_t us, bool is_now)
{
	return clock_until_at(from_us, us, is_now ? clock_steady_us() : 0);
}

bool clock_has_passed_at(const struct clock_until *u, struct clock_times now)
{
	return now.now_us >= u->us || now.now_us < u->from_us - STEP_US || (u->steady_us && now.steady_us >= u->steady_us);
}

bool clock_has_passed(const struct clock_until *u)
{
	return clock_has_passed_at(u, clock_times_now());
}

int64_t clock_passes_us(const struct clock_until *u, struct clock_times now)
{
	int64_t by_wall_us = now.steady_us + (u->us - now.now_us);
	return u->steady_us && u->steady_us < by_wall_us ? u->steady_us : by_wall_us;
}

void clock_rfc3339(char out[CLOCK_RFC3339_BYTES], int64_t us)
{
	time_t s = (time_t)(us / 1000000);
	int fraction = (int)(us % 1000000);
	if (fraction < 0) fraction += 1000000, s--;
	struct tm tm;
	must(gmtime_r(&s, &tm) != NULL && tm.tm_year >= -1900 && tm.tm_year <= 8099);
	char text[96];
	snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	         fraction);
	memcpy(out, text, CLOCK_RFC3339_BYTES - 1);
	out[CLOCK_RFC3339_BYTES - 1] = 0;
}

static bool digits(const char **p, int n, int *out)
{
	*out = 0;
	for (int i = 0; i < n; i++) {
		if (!isdigit((unsigned char)**p)) return false;
		*out = *out * 10 + (*(*p)++ - '0');
	}
	return true;
}

static bool parse_day(const char **p, struct tm *tm)
{
	*tm = (struct tm){0};
	bool ok = digits(p, 4, &tm->tm_year) && *(*p)++ == '-' && digits(p, 2, &tm->tm_mon) && *(*p)++ == '-' && digits(p, 2, &tm->tm_mday);
	if (!ok || tm->tm_mon < 1 || tm->tm_mon > 12 || tm->tm_mday < 1 || tm->tm_mday > 31) return false;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	struct tm same = *tm;
	return timegm(&same) != -1 && same.tm_mday == tm->tm_mday;
}

/* Z or +01:00; what is to be taken from the local time. */
static bool parse_offset(const char **p, int64_t *us)
{
	int hours, minutes, sign = **p == '-' ? -1 : 1;
	*us = 0;
	if (**p == 'Z') return (*p)++, true;
	if (**p != '+' && **p != '-') return false;
	(*p)++;
	if (!digits(p, 2, &hours) || *(*p)++ != ':' || !digits(p, 2, &minutes) || hours > 23 || minutes > 59) return false;
	*us = sign * ((int64_t)hours * 60 + minutes) * 60000000;
	return true;
}

/* ".25" in microseconds; more digits than six are not kept. */
static void parse_fraction(const char **p, int64_t *us)
{
	if (**p != '.') return;
	int64_t unit = 100000;
	for ((*p)++; **p >= '0' && **p <= '9'; (*p)++, unit /= 10) *us += (**p - '0') * unit;
}

bool clock_parse_instant(const char *text, int64_t *us)
{
	struct tm tm;
	const char *p = text;
	int64_t fraction = 0, offset;
	if (!parse_day(&p, &tm) || *p++ != 'T' || !digits(&p, 2, &tm.tm_hour) || *p++ != ':' || !digits(&p, 2, &tm.tm_min)) return false;
	if (*p == ':') {
		p++;
		if (!digits(&p, 2, &tm.tm_sec)) return false;
		parse_fraction(&p, &fraction);
	}
	if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59 || !parse_offset(&p, &offset) || *p) return false;
	*us = (int64_t)timegm(&tm) * 1000000 + fraction - offset;
	return true;
}

bool clock_parse_date(const char *text, int64_t *us)
{
	struct tm tm;
	const char *p = text;
	if (!parse_day(&p, &tm) || *p) return false;
	*us = (int64_t)timegm(&tm) * 1000000;
	return true;
}

bool clock_parse_rfc3339(const char *text, int64_t *us)
{
	struct tm tm;
	int fraction;
	const char *p = text;
	if (!text || strlen(text) != CLOCK_RFC3339_BYTES - 1 || !parse_day(&p, &tm)) return false;
	if (*p++ != 'T' || !digits(&p, 2, &tm.tm_hour) || *p++ != ':' || !digits(&p, 2, &tm.tm_min) || *p++ != ':' || !digits(&p, 2, &tm.tm_sec)) return false;
	if (*p++ != '.' || !digits(&p, 6, &fraction) || *p++ != 'Z' || *p) return false;
	if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59) return false;
	*us = (int64_t)timegm(&tm) * 1000000 + fraction;
	return true;
}

static const struct unit {
	const char *name;
	int64_t us;
} units[] = {{"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000}, {"d", 86400000000}, {"w", 604800000000}};

static const struct unit *unit_at(const char *p, size_t *len)
{
	while (isalpha((unsigned char)p[*len])) ++*len;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strlen(units[i].name) == *len && strncmp(units[i].name, p, *len) == 0) return &units[i];
	return NULL;
}

enum err clock_parse_duration(const char *text, int64_t *us, struct error *e)
{
	const int64_t most = 3660 * INT64_C(86400000000);
	int64_t sum = 0;
	const char *p = text;
	while (p && *p) {
		char *end;
		if (!isdigit((unsigned char)*p)) break;
		double n = strtod(p, &end);
		size_t len = 0;
		const struct unit *u = unit_at(end, &len);
		if (!u || n < 0 || n * (double)u->us > (double)(most - sum)) break;
		sum += (int64_t)(n * (double)u->us);
		p = end + len;
	}
	if (!p || *p || p == text)
		return error_set(e, ERR_INVALID,
		                 "\"%.40s\" is no duration: write a number and a unit (ms, s, m, h, d, w), such as 90s, 5m or 1h30m, ten years at most",
		                 text ? text : "");
	*us = sum;
	return ERR_OK;
}

void clock_duration_words(struct buf *b, int64_t us)
{
	int64_t s = us / 1000000;
	if (us < 0)
		buf_str(b, "0 s");
	else if (s < 60)
		buf_printf(b, "%lld.%lld s", (long long)s, (long long)(us / 100000 % 10));
	else if (s < 3600)
		buf_printf(b, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
	else if (s < 86400)
		buf_printf(b, "%lld h %lld min", (long long)(s / 3600), (long long)(s / 60 % 60));
	else
		buf_printf(b, "%lld day%s", (long long)(s / 86400), s / 86400 == 1 ? "" : "s");
}

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void ulid_make(char out[ULID_BYTES], int64_t now_us, const unsigned char random[10])
{
	uint64_t ms = (uint64_t)(now_us / 1000);
	for (int i = 9; i >= 0; i--, ms >>= 5) out[i] = crockford[ms & 31];
	for (int i = 0; i < 16; i++) {
		unsigned v = 0;
		for (int bit = 0; bit < 5; bit++) {
			int at = i * 5 + bit;
			v = v << 1 | ((unsigned)random[at / 8] >> (7 - at % 8) & 1u);
		}
		out[10 + i] = crockford[v];
	}
	out[26] = 0;
}

bool ulid_is_valid(const char *text)
{
	size_t n = 0;
	for (; text && text[n]; n++)
		if (n >= 26 || !strchr(crockford, text[n])) return false;
	return n == 26 && text[0] <= '7';
}

void random_bytes(void *out, size_t n)
{
	unsigned char *p = out;
	while (n) {
		ssize_t got = getrandom(p, n, 0);
		if (got < 0) continue;
		p += got, n -= (size_t)got;
	}
}
