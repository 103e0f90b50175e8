#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct err_info table[ERR_N] = {
    [ERR_OK] = {"ok", 0, 200, LOG_DEBUG, "Done"},
    [ERR_FAILED] = {"failed", 1, 500, LOG_WARN, "It was tried, and failed"},
    [ERR_USAGE] = {"usage", 2, 400, LOG_DEBUG, "The request is not understood"},
    [ERR_INVALID] = {"invalid", 3, 422, LOG_INFO, "Something is not valid"},
    [ERR_TOO_BIG] = {"too_big", 3, 413, LOG_INFO, "Over a limit"},
    [ERR_DENIED] = {"denied", 4, 403, LOG_INFO, "The right is missing"},
    [ERR_WAITING] = {"waiting", 5, 202, LOG_DEBUG, "It waits for a person"},
    [ERR_TIMEOUT] = {"timeout", 6, 504, LOG_WARN, "A deadline passed"},
    [ERR_VERIFY] = {"verify", 7, 500, LOG_ERROR, "The record does not verify"},
    [ERR_INTERRUPTED] = {"interrupted", 130, 499, LOG_INFO, "It was interrupted"},
    [ERR_NOT_FOUND] = {"not_found", 2, 404, LOG_DEBUG, "Nothing is there"},
    [ERR_CONFLICT] = {"conflict", 1, 409, LOG_INFO, "The state does not allow it now"},
    [ERR_FULL] = {"full", 1, 507, LOG_ERROR, "No room is left"},
    [ERR_UNCERTAIN] = {"uncertain", 1, 500, LOG_ERROR, "It may or may not have happened"},
    [ERR_IO] = {"io", 1, 500, LOG_ERROR, "The operating system refused"},
    [ERR_PROTOCOL] = {"protocol", 1, 400, LOG_INFO, "The protocol does not allow it"},
    [ERR_CLOSED] = {"closed", 1, 503, LOG_INFO, "The engine is ending"},
};

const struct err_info *err_info(enum err kind)
{
	must(kind < ERR_N);
	return &table[kind];
}

enum err err_from_name(const char *name)
{
	for (int i = 0; name && i < ERR_N; i++)
		if (strcmp(table[i].name, name) == 0) return (enum err)i;
	return ERR_FAILED;
}

/* A text that was cut ends with a whole character. */
static void mend_end(char *text, size_t size)
{
	size_t n = strlen(text);
	if (n + 1 < size) return;
	for (size_t back = 1; back <= 3 && back <= n; back++) {
		unsigned char c = (unsigned char)text[n - back];
		size_t wants = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
		if (c < 0x80) return;
		if (wants > back) text[n - back] = 0;
		if (c >= 0xc0) return;
	}
}

enum err error_set(struct error *e, enum err kind, const char *fmt, ...)
{
	if (!e) return kind;
	va_list ap;
	va_start(ap, fmt);
	e->kind = kind;
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	mend_end(e->text, sizeof e->text);
	return kind;
}

enum err error_context(struct error *e, const char *fmt, ...)
{
	if (!e) return ERR_FAILED;
	char context[ERROR_TEXT_BYTES], whole[2 * ERROR_TEXT_BYTES + 4];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(context, sizeof context, fmt, ap);
	va_end(ap);
	snprintf(whole, sizeof whole, "%s: %s", context, e->text);
	memcpy(e->text, whole, sizeof e->text - 1);
	e->text[sizeof e->text - 1] = 0;
	mend_end(e->text, sizeof e->text);
	return e->kind;
}

enum err error_errno(struct error *e, const char *fmt, ...)
{
	int no = errno;
	enum err kind = ERR_IO;
	if (no == ENOENT) kind = ERR_NOT_FOUND;
	if (no == EACCES || no == EPERM) kind = ERR_DENIED;
	if (no == ENOSPC || no == EDQUOT || no == EMFILE || no == ENFILE) kind = ERR_FULL;
	if (!e) return kind;
	char what[ERROR_TEXT_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	return error_set(e, kind, "%.900s: %s", what, strerror(no));
}

void die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("rung: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	abort();
}
