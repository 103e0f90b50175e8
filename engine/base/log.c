#include "base/log.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static enum log_level least_level = LOG_INFO;

void log_set_level(enum log_level least)
{
	least_level = least;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	if (level > least_level) return;
	char text[4096], when[CLOCK_RFC3339_BYTES];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n < 0) return;
	size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
	struct buf b;
	buf_init(&b, 65536);
	clock_rfc3339(when, clock_now_us());
	buf_printf(&b, "%s %s ", when, names[level]);
	text_visible(&b, text, len, TEXT_KEEP_NOTHING);
	buf_char(&b, '\n');
	fs_write_all(STDERR_FILENO, b.data, b.len, NULL);
	buf_clear(&b);
}
