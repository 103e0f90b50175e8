#ifndef RUNG_BASE_LOG_H
#define RUNG_BASE_LOG_H

/* The engine's own log: one line an event on stderr, control characters made visible. Library layers (base to journal) do not log. */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level least);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
