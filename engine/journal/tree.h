#ifndef RUNG_JOURNAL_TREE_H
#define RUNG_JOURNAL_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The Merkle tree of RFC 6962: leaf = SHA-256(0x00 || record), node = SHA-256(0x01 || left || right). */

enum { TREE_HASH_BYTES = 32, TREE_NODES_MAX = 64, TREE_PROOF_MAX = 64 };

struct tree_hash {
	unsigned char bytes[TREE_HASH_BYTES];
};

/* A tree of any size, as the roots of its perfect subtrees from left to right (one for each bit of size that is set, the largest first): all that appending
 * needs. */
struct tree {
	uint64_t size;
	struct tree_hash nodes[TREE_NODES_MAX];
};

void tree_leaf(struct tree_hash *out, const void *record, size_t n);
void tree_node(struct tree_hash *out, const struct tree_hash *left, const struct tree_hash *right);

/* How many nodes a tree of that size has. */
int tree_nodes(uint64_t size);

void tree_init(struct tree *t);
void tree_append(struct tree *t, const struct tree_hash *leaf); /* O(log n) at worst, O(1) on average */
void tree_root(const struct tree *t, struct tree_hash *out);    /* of the empty tree: SHA-256 of nothing */

/* Where proofs get their hashes: the root of the perfect subtree over the leaves [index << level, (index + 1) << level). False: it cannot be had. */
typedef bool tree_fetch(void *arg, int level, uint64_t index, struct tree_hash *out);

/* A fetch over an array of leaf hashes in memory: arg is a struct tree_leaves. */
struct tree_leaves {
	const struct tree_hash *hashes;
	uint64_t n;
};
bool tree_fetch_leaves(void *arg, int level, uint64_t index, struct tree_hash *out);

struct tree_proof {
	int n;
	struct tree_hash hashes[TREE_PROOF_MAX];
};

/* That leaf index is in the tree of that size (index < size), and that the tree of size old is the beginning of the tree of that size (old <= size).
 * False where fetch failed or the numbers make no sense. source: RFC 6962 sections 2.1.1 and 2.1.2. */
bool tree_prove_inclusion(uint64_t index, uint64_t size, tree_fetch *fetch, void *arg, struct tree_proof *out);
bool tree_prove_consistency(uint64_t old, uint64_t size, tree_fetch *fetch, void *arg, struct tree_proof *out);

/* Check such proofs against roots that are trusted for another reason. source: RFC 9162 sections 2.1.3.2 and 2.1.4.2. */
bool tree_verify_inclusion(uint64_t index, uint64_t size, const struct tree_hash *leaf, const struct tree_proof *proof, const struct tree_hash *root);
bool tree_verify_consistency(uint64_t old, uint64_t size, const struct tree_hash *old_root, const struct tree_proof *proof, const struct tree_hash *root);

#endif
