#ifndef RUNG_POLICY_URL_H
#define RUNG_POLICY_URL_H

#include "policy/host.h"

/* URLs of the schemes http and https in one spelling, so that what is checked is what is sent. Whoever makes the request uses `text`, not what it was
 * given. source: DESIGN.md 7; RFC 3986; README.md here has the table of what is normalised and what is refused. */

enum { URL_BYTES_MAX = 8192 };

struct url {
	const char *text;   /* the whole, normalised */
	const char *scheme; /* "http", "https" */
	const char *host;   /* an IPv6 address without its brackets */
	enum host_kind host_kind;
	unsigned port;     /* always there: the scheme's where none is written */
	const char *path;  /* "/..." */
	const char *query; /* without "?"; NULL where there is none */
};

/* Reads and normalises; parts live in the arena. ERR_INVALID says what cannot be taken and why: user names, fragments, dot segments, empty segments,
 * encoded slashes, what is encoded twice, bytes that are not ASCII, hosts that host_normal refuses. */
enum err url_parse(struct arena *a, const char *text, struct url *out, struct error *e);

/* A text that may hold a URL, as it may be shown: what stands before the @ of its authority, a password perhaps, is "...". In the arena. */
const char *url_masked(struct arena *a, const char *text);

/* For the matcher of patterns: a stretch of a path or a query with its %XX in one spelling; ERR_INVALID for bytes that cannot stand there. */
enum err url_escapes_normal(struct arena *a, const char *text, bool is_query, char **out, struct error *e);

/* Is this normalised path free of empty, "." and ".." segments (".." with parameters behind ";" too)? */
enum err url_check_path(const char *path, struct error *e);

#endif
