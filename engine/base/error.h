#ifndef RUNG_BASE_ERROR_H
#define RUNG_BASE_ERROR_H

#include "base/log.h"

#include <stddef.h>

/* Kinds of error. One table (error.c) maps each to a name, the exit status of the CLI, an HTTP status, a level of the log and a title. */
enum err {
	ERR_OK,
	ERR_FAILED,      /* the thing asked for was tried and did not succeed */
	ERR_USAGE,       /* the caller asked wrongly: an unknown option, a missing argument */
	ERR_INVALID,     /* a book, a configuration file or a value is not valid */
	ERR_TOO_BIG,     /* over a named limit */
	ERR_DENIED,      /* the right is missing */
	ERR_WAITING,     /* needs a person */
	ERR_TIMEOUT,     /* a deadline passed */
	ERR_VERIFY,      /* a journal, signature or digest does not verify */
	ERR_INTERRUPTED, /* a person or a signal stopped it */
	ERR_NOT_FOUND,
	ERR_CONFLICT,  /* the state does not allow it now; a lease's epoch has passed */
	ERR_FULL,      /* no space, no descriptors, a queue is full */
	ERR_UNCERTAIN, /* a write may or may not have happened: read back before trying again */
	ERR_IO,        /* the operating system said no */
	ERR_PROTOCOL,  /* a peer sent what the protocol does not allow */
	ERR_CLOSED,    /* the peer is gone */
	ERR_N
};

enum { ERROR_TEXT_BYTES = 1024 };

/* What went wrong, in a sentence for a person: what was expected, where, and what to do. */
struct error {
	enum err kind;
	char text[ERROR_TEXT_BYTES];
};

/* One row of the table of kinds. */
struct err_info {
	const char *name;
	int exit_status; /* DESIGN: 0 ok, 1 failed, 2 usage, 3 invalid, 4 denied, 5 waiting, 6 timed out, 7 verify, 130 interrupted */
	int http_status;
	enum log_level level; /* of a request that ended so, in the engine's log */
	const char *title;    /* for people, the same for all of the kind; RFC 9457, 3.1.3 */
};

/* The row of a kind; never NULL. */
const struct err_info *err_info(enum err kind);

/* The kind with that name, or ERR_FAILED. */
enum err err_from_name(const char *name);

/* Fills e (which may be NULL) and returns kind, so that `return error_set(e, ERR_INVALID, ...)` reads well. Text that does not fit is cut. */
enum err error_set(struct error *e, enum err kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the text of e and returns its kind. Once a layer. */
enum err error_context(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Fills e from errno: "what: No such file or directory". ENOENT becomes ERR_NOT_FOUND, EACCES and EPERM ERR_DENIED, ENOSPC ERR_FULL, the rest ERR_IO. */
enum err error_errno(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Ends the process with a line on stderr: for what cannot happen, and for memory that cannot be had. */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* An assertion that stays on in release builds. */
#define must(cond) ((cond) ? (void)0 : die("%s:%d: cannot happen: %s is false", __FILE__, __LINE__, #cond))

#endif
