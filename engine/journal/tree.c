#include "journal/tree.h"
#include "base/digest.h"
#include "base/error.h"

#include <openssl/sha.h>
#include <string.h>

void tree_leaf(struct tree_hash *out, const void *record, size_t n)
{
	struct digest *d = digest_new();
	digest_add(d, "\0", 1);
	digest_add(d, record, n);
	digest_finish(d, out->bytes);
}

void tree_node(struct tree_hash *out, const struct tree_hash *left, const struct tree_hash *right)
{
	unsigned char both[1 + 2 * TREE_HASH_BYTES] = {1};
	memcpy(both + 1, left, TREE_HASH_BYTES);
	memcpy(both + 1 + TREE_HASH_BYTES, right, TREE_HASH_BYTES);
	SHA256(both, sizeof both, out->bytes);
}

int tree_nodes(uint64_t size)
{
	return __builtin_popcountll(size);
}

void tree_init(struct tree *t)
{
	memset(t, 0, sizeof *t);
}

void tree_append(struct tree *t, const struct tree_hash *leaf)
{
	struct tree_hash h = *leaf;
	int n = tree_nodes(t->size);
	must(t->size < INT64_MAX);
	for (uint64_t bit = t->size; bit & 1; bit >>= 1) tree_node(&h, &t->nodes[--n], &h);
	t->nodes[n] = h;
	t->size++;
}

void tree_root(const struct tree *t, struct tree_hash *out)
{
	int n = tree_nodes(t->size);
	if (n == 0) {
		digest_sha256(out->bytes, "", 0);
		return;
	}
	*out = t->nodes[--n];
	while (n > 0) tree_node(out, &t->nodes[--n], out);
}

bool tree_fetch_leaves(void *arg, int level, uint64_t index, struct tree_hash *out)
{
	const struct tree_leaves *l = arg;
	uint64_t from = index << level, n = (uint64_t)1 << level;
	if (from + n > l->n) return false;
	struct tree t;
	tree_init(&t);
	for (uint64_t i = 0; i < n; i++) tree_append(&t, &l->hashes[from + i]);
	tree_root(&t, out);
	return true;
}

/* The largest power of two smaller than n (n > 1), as its exponent: where RFC 6962 splits a tree. */
static int split_level(uint64_t n)
{
	return 63 - __builtin_clzll(n - 1);
}

/* The root over leaves [from, to): the perfect subtrees from the left, folded from the right. from is a multiple of the power of two that fits. */
static bool range_root(uint64_t from, uint64_t to, tree_fetch *fetch, void *arg, struct tree_hash *out)
{
	uint64_t n = to - from;
	if ((n & (n - 1)) == 0) {
		int level = __builtin_ctzll(n);
		return fetch(arg, level, from >> level, out);
	}
	uint64_t middle = from + ((uint64_t)1 << split_level(n));
	struct tree_hash left, right;
	if (!range_root(from, middle, fetch, arg, &left) || !range_root(middle, to, fetch, arg, &right)) return false;
	tree_node(out, &left, &right);
	return true;
}

static bool proof_add(struct tree_proof *p, uint64_t from, uint64_t to, tree_fetch *fetch, void *arg)
{
	must(p->n < TREE_PROOF_MAX);
	return range_root(from, to, fetch, arg, &p->hashes[p->n++]);
}

/* Walks from the root to the leaf and notes the other half at each fork; proofs list them from the leaf up. */
bool tree_prove_inclusion(uint64_t index, uint64_t size, tree_fetch *fetch, void *arg, struct tree_proof *out)
{
	uint64_t from = 0, to = size, others[TREE_PROOF_MAX][2];
	int n = 0;
	out->n = 0;
	if (index >= size || size > INT64_MAX) return false;
	while (to - from > 1) {
		uint64_t middle = from + ((uint64_t)1 << split_level(to - from));
		bool is_left = index < middle;
		others[n][0] = is_left ? middle : from, others[n++][1] = is_left ? to : middle;
		if (is_left)
			to = middle;
		else
			from = middle;
	}
	while (n-- > 0)
		if (!proof_add(out, others[n][0], others[n][1], fetch, arg)) return false;
	return true;
}

/* RFC 6962's SUBPROOF as a walk: down to the node where the old tree ends, which stands first unless it is the whole old tree. */
bool tree_prove_consistency(uint64_t old, uint64_t size, tree_fetch *fetch, void *arg, struct tree_proof *out)
{
	uint64_t from = 0, to = size, others[TREE_PROOF_MAX][2];
	int n = 0;
	out->n = 0;
	if (old > size || size > INT64_MAX) return false;
	if (old == 0 || old == size) return true;
	while (to != old) {
		uint64_t middle = from + ((uint64_t)1 << split_level(to - from));
		bool is_left = old <= middle;
		others[n][0] = is_left ? middle : from, others[n++][1] = is_left ? to : middle;
		if (is_left)
			to = middle;
		else
			from = middle;
	}
	if (from != 0 && !proof_add(out, from, to, fetch, arg)) return false;
	while (n-- > 0)
		if (!proof_add(out, others[n][0], others[n][1], fetch, arg)) return false;
	return true;
}

static bool is_same(const struct tree_hash *a, const struct tree_hash *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

bool tree_verify_inclusion(uint64_t index, uint64_t size, const struct tree_hash *leaf, const struct tree_proof *proof, const struct tree_hash *root)
{
	if (index >= size || proof->n < 0 || proof->n > TREE_PROOF_MAX) return false;
	uint64_t fn = index, sn = size - 1;
	struct tree_hash r = *leaf;
	for (int i = 0; i < proof->n; i++) {
		if (sn == 0) return false;
		if (!(fn & 1) && fn != sn) {
			tree_node(&r, &r, &proof->hashes[i]);
		} else {
			tree_node(&r, &proof->hashes[i], &r);
			while (!(fn & 1) && fn) fn >>= 1, sn >>= 1;
		}
		fn >>= 1, sn >>= 1;
	}
	return sn == 0 && is_same(&r, root);
}

bool tree_verify_consistency(uint64_t old, uint64_t size, const struct tree_hash *old_root, const struct tree_proof *proof, const struct tree_hash *root)
{
	if (old > size || proof->n < 0 || proof->n > TREE_PROOF_MAX) return false;
	if (old == size) return proof->n == 0 && is_same(old_root, root);
	if (old == 0) return proof->n == 0;
	uint64_t fn = old - 1, sn = size - 1;
	while (fn & 1) fn >>= 1, sn >>= 1;
	int i = 0;
	struct tree_hash fr = *old_root, sr = *old_root;
	if (fn) {
		if (proof->n == 0) return false;
		fr = sr = proof->hashes[i++];
	}
	for (; i < proof->n; i++) {
		if (sn == 0) return false;
		if ((fn & 1) || fn == sn) {
			tree_node(&fr, &proof->hashes[i], &fr);
			tree_node(&sr, &proof->hashes[i], &sr);
			while (!(fn & 1) && fn) fn >>= 1, sn >>= 1;
		} else {
			tree_node(&sr, &sr, &proof->hashes[i]);
		}
		fn >>= 1, sn >>= 1;
	}
	return sn == 0 && is_same(&fr, old_root) && is_same(&sr, root);
}
