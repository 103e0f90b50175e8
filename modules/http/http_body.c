#include "modules/http/http_body.h"
#include "base/arena.h"
#include "base/error.h"

#include <stdlib.h>
#include <strings.h>
#define ZLIB_CONST
#include <zlib.h>

enum { GZIP_WINDOW = 16 + MAX_WBITS };

struct http_body {
	z_stream z;
	bool is_whole; /* nothing of a member is open */
};

enum http_coding http_coding_of(const char *header)
{
	if (!header || !*header || strcasecmp(header, "identity") == 0) return HTTP_CODING_NONE;
	return strcasecmp(header, "gzip") == 0 || strcasecmp(header, "x-gzip") == 0 ? HTTP_CODING_GZIP : HTTP_CODING_UNKNOWN;
}

struct http_body *http_body_new(void)
{
	struct http_body *b = mem_zero(sizeof *b);
	must(inflateInit2(&b->z, GZIP_WINDOW) == Z_OK);
	return b;
}

void http_body_free(struct http_body *b)
{
	if (!b) return;
	inflateEnd(&b->z);
	free(b);
}

bool http_body_decode(struct http_body *b, const char **in, size_t *n, char *out, size_t out_bytes, size_t *given)
{
	/* Members may follow one another. */
	if (b->is_whole && *n) must(inflateReset(&b->z) == Z_OK);
	if (*n) b->is_whole = false;
	b->z.next_in = (const unsigned char *)*in;
	b->z.avail_in = (unsigned)*n;
	b->z.next_out = (unsigned char *)out;
	b->z.avail_out = (unsigned)out_bytes;
	int code = inflate(&b->z, Z_SYNC_FLUSH);
	*in += *n - b->z.avail_in;
	*n = b->z.avail_in;
	*given = out_bytes - b->z.avail_out;
	b->is_whole = b->is_whole || code == Z_STREAM_END;
	return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR;
}

bool http_body_is_whole(const struct http_body *b)
{
	return b->is_whole;
}
