#include "journal/rowset.h"
#include "base/digest.h"
#include "base/error.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

enum { LANES = ROWSET_BYTES / 2 };

void rowset_init(struct rowset *r)
{
	memset(r, 0, sizeof *r);
}

static void combine(struct rowset *r, const void *row, size_t n, bool is_added)
{
	uint16_t sum[LANES], wide[LANES], sign = is_added ? 1 : UINT16_MAX; /* minus one */
	digest_shake128(wide, sizeof wide, row, n);
	memcpy(sum, r->sum, sizeof sum);
	for (size_t i = 0; i < LANES; i++) sum[i] = htole16((uint16_t)(le16toh(sum[i]) + sign * (unsigned)le16toh(wide[i])));
	memcpy(r->sum, sum, sizeof sum);
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
