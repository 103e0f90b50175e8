/* How fast output goes through the redactor, beside memcpy: no secret, 10, 100; text like a log's, in pieces as an actor reads them. */
#include "sandbox/redact.h"
#include "base/clock.h"
#include "sandbox/redact_forms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 64 << 20, PIECE = 65536 };

static char *make_text(void)
{
	char *text = malloc(TEXT_BYTES + 256);
	unsigned random = 1;
	for (size_t at = 0, line = 0; at < TEXT_BYTES; line++) {
		random = random * 1103515245 + 12345;
		at += (size_t)sprintf(text + at, "2026-11-22T23:00:%02zu web-%u nginx[%u]: GET /api/v1/items/%08x?page=%u 200 %u \"Mozilla/5.0\"\n", line % 60,
		                      random >> 28, random >> 16, random, random >> 24, random >> 20);
	}
	return text;
}

static double memcpy_rate(const char *text)
{
	static char to[PIECE];
	int64_t from = clock_monotonic_us();
	for (size_t at = 0; at + PIECE <= TEXT_BYTES; at += PIECE) {
		memcpy(to, text + at, PIECE);
		__asm__ volatile("" : : "r"(to) : "memory");
	}
	return TEXT_BYTES / (double)(clock_monotonic_us() - from);
}

static double redact_rate(const char *text, int secrets)
{
	struct redactor *r = redactor_new(FORM_ALL);
	struct redact_stream s;
	struct buf out;
	unsigned random = 7;
	for (int i = 0; i < secrets; i++) {
		char name[32], value[64];
		random = random * 1103515245 + 12345;
		snprintf(name, sizeof name, "secret-%d", i);
		snprintf(value, sizeof value, "%xKq%x/zR%x", random, random * 7919, random * 104729);
		redactor_add(r, name, value, strlen(value));
	}
	buf_init(&out, 2 * PIECE);
	redact_begin(&s, r);
	int64_t from = clock_monotonic_us();
	for (size_t at = 0; at + PIECE <= TEXT_BYTES; at += PIECE) {
		buf_reset(&out);
		redact_feed(&s, text + at, PIECE, &out);
	}
	double rate = TEXT_BYTES / (double)(clock_monotonic_us() - from);
	redact_clear(&s);
	redactor_free(r);
	buf_clear(&out);
	return rate;
}

int main(void)
{
	char *text = make_text();
	double copy = memcpy_rate(text);
	static const int counts[] = {0, 1, 10, 100};
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		double rate = redact_rate(text, counts[i]);
		printf("redacting %3d secrets: %.0f MB/s, memcpy %.0f MB/s, ratio 1/%.1f\n", counts[i], rate, copy, copy / rate);
	}
	free(text);
	return 0;
}
