#include "journal/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Every size up to here, every leaf, every pair of sizes. */
enum { N = 130 };

static struct tree_hash leaves[N];
static struct tree_hash roots[N + 1]; /* by the definition of RFC 6962, without a compact range */

/* The definition: split at the largest power of two smaller than n. */
static struct tree_hash root_by_definition(const struct tree_hash *l, size_t n)
{
	struct tree_hash out, right;
	if (n == 1) return l[0];
	size_t k = 1;
	while (k * 2 < n) k *= 2;
	out = root_by_definition(l, k);
	right = root_by_definition(l + k, n - k);
	tree_node(&out, &out, &right);
	return out;
}

static int make_tree(void **state)
{
	struct tree empty;
	(void)state;
	for (unsigned char i = 0; i < N; i++) tree_leaf(&leaves[i], &i, 1);
	tree_init(&empty);
	tree_root(&empty, &roots[0]);
	for (size_t n = 1; n <= N; n++) roots[n] = root_by_definition(leaves, n);
	return 0;
}

static void appending_gives_the_root_of_the_definition_at_every_size(void **state)
{
	struct tree t;
	struct tree_hash root;
	(void)state;
	tree_init(&t);
	for (size_t n = 0; n <= N; n++) {
		tree_root(&t, &root);
		assert_memory_equal(&root, &roots[n], sizeof root);
		assert_int_equal(t.size, n);
		if (n < N) tree_append(&t, &leaves[n]);
	}
}

static void every_leaf_of_every_size_has_a_proof_that_verifies_and_no_other(void **state)
{
	struct tree_leaves all = {leaves, N};
	struct tree_proof p;
	(void)state;
	for (uint64_t size = 1; size <= N; size++) {
		for (uint64_t i = 0; i < size; i++) {
			assert_true(tree_prove_inclusion(i, size, tree_fetch_leaves, &all, &p));
			assert_true(tree_verify_inclusion(i, size, &leaves[i], &p, &roots[size]));
			assert_false(tree_verify_inclusion(i, size, &leaves[(i + 1) % N], &p, &roots[size]));
			assert_false(tree_verify_inclusion(i, size, &leaves[i], &p, &roots[size - 1]));
			if (size > 1) assert_false(tree_verify_inclusion((i + 1) % size, size, &leaves[i], &p, &roots[size]));
			struct tree_proof longer = p;
			longer.hashes[longer.n++] = leaves[0];
			assert_false(tree_verify_inclusion(i, size, &leaves[i], &longer, &roots[size]));
			if (p.n == 0) continue;
			struct tree_proof bad = p;
			bad.n--;
			assert_false(tree_verify_inclusion(i, size, &leaves[i], &bad, &roots[size]));
			bad = p;
			bad.hashes[i % (uint64_t)p.n].bytes[i % 32] ^= 1;
			assert_false(tree_verify_inclusion(i, size, &leaves[i], &bad, &roots[size]));
		}
		assert_false(tree_prove_inclusion(size, size, tree_fetch_leaves, &all, &p));
	}
}

static void every_pair_of_sizes_has_a_consistency_proof_that_verifies_and_no_other(void **state)
{
	struct tree_leaves all = {leaves, N};
	struct tree_proof p;
	(void)state;
	for (uint64_t size = 0; size <= N; size++) {
		for (uint64_t old = 0; old <= size; old++) {
			assert_true(tree_prove_consistency(old, size, tree_fetch_leaves, &all, &p));
			assert_true(tree_verify_consistency(old, size, &roots[old], &p, &roots[size]));
			if (old == 0) continue;
			assert_false(tree_verify_consistency(old, size, &roots[old - 1], &p, &roots[size]));
			assert_false(tree_verify_consistency(old, size, &roots[old], &p, &roots[size - 1]));
			for (int i = 0; i < p.n; i++) {
				struct tree_proof bad = p;
				bad.hashes[i].bytes[old % 32] ^= 128;
				assert_false(tree_verify_consistency(old, size, &roots[old], &bad, &roots[size]));
			}
		}
		assert_false(tree_prove_consistency(size + 1, size, tree_fetch_leaves, &all, &p));
	}
}

static void numbers_that_make_no_sense_are_refused(void **state)
{
	struct tree_leaves few = {leaves, 3};
	struct tree_proof p = {.n = 0};
	(void)state;
	assert_false(tree_prove_inclusion(0, 4, tree_fetch_leaves, &few, &p));
	assert_false(tree_prove_inclusion(0, UINT64_MAX, tree_fetch_leaves, &few, &p));
	p.n = TREE_PROOF_MAX + 1;
	assert_false(tree_verify_inclusion(0, 1, &leaves[0], &p, &roots[1]));
	assert_false(tree_verify_consistency(1, 2, &roots[1], &p, &roots[2]));
	p.n = 0;
	assert_false(tree_verify_consistency(2, 1, &roots[2], &p, &roots[1]));
	assert_false(tree_verify_consistency(3, 4, &roots[3], &p, &roots[4]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(appending_gives_the_root_of_the_definition_at_every_size),
	    cmocka_unit_test(every_leaf_of_every_size_has_a_proof_that_verifies_and_no_other),
	    cmocka_unit_test(every_pair_of_sizes_has_a_consistency_proof_that_verifies_and_no_other),
	    cmocka_unit_test(numbers_that_make_no_sense_are_refused),
	};
	return cmocka_run_group_tests(tests, make_tree, NULL);
}
