#ifndef RUNG_JOURNAL_ROWSET_H
#define RUNG_JOURNAL_ROWSET_H

#include "journal/tree.h"

/* The digest of a set of rows that come and go, kept up to date in constant time: each row is stretched to 1,024 numbers of 16 bits (SHAKE-128) and these are
 * added up, or taken away again. Two different sets with the same sum are as hard to find as in the lattice hash LtHash16 (Bellare and Micciancio's paradigm;
 * 32 bytes of XOR or of addition would not do). It covers the rows that the tree does not: executions, plans, timers, which blobs there are. */

enum { ROWSET_BYTES = 2048 };

struct rowset {
	unsigned char sum[ROWSET_BYTES]; /* little-endian numbers of 16 bits */
};

void rowset_init(struct rowset *r);
void rowset_add(struct rowset *r, const void *row, size_t n);
void rowset_remove(struct rowset *r, const void *row, size_t n);

/* 32 bytes that stand for the set. */
void rowset_digest(const struct rowset *r, struct tree_hash *out);

#endif
