#include "journal/rowset.h"
#include "base/digest.h"
#include "base/error.h"

#include <string.h>

void rowset_init(struct rowset *r)
{
	memset(r, 0, sizeof *r);
}

static void combine(struct rowset *r, const void *row, size_t n, bool is_added)
{
	unsigned char wide[ROWSET_BYTES];
	digest_shake128(wide, sizeof wide, row, n);
	for (size_t i = 0; i < ROWSET_BYTES; i += 2) {
		unsigned have = r->sum[i] | (unsigned)r->sum[i + 1] << 8, more = wide[i] | (unsigned)wide[i + 1] << 8;
		unsigned now = is_added ? have + more : have - more;
		r->sum[i] = (unsigned char)now, r->sum[i + 1] = (unsigned char)(now >> 8);
	}
}

void rowset_add(struct rowset *r, const void *row, size_t n)
{
	combine(r, row, n, true);
}

void rowset_remove(struct rowset *r, const void *row, size_t n)
{
	combine(r, row, n, false);
}

void rowset_digest(const struct rowset *r, struct tree_hash *out)
{
	digest_sha256(out->bytes, r->sum, ROWSET_BYTES);
}
