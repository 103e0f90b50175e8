/* Policies in the two tables of tests/fixtures/policy/: each of refused.txt is refused with just the place and the sentence that stand there, each of
 * accepted.txt is read. */
#include "case_table.h"
#include "policy/policy.h"

static enum err read_policy(const struct buf *file, struct error *e)
{
	struct arena *a = arena_new();
	const struct policy *p;
	char *exact = malloc(file->len + 1); /* so that reading beyond it is found */
	if (file->len) memcpy(exact, file->data, file->len);
	enum err err = policy_read(a, "policy.yaml", exact, file->len, &p, e);
	free(exact);
	arena_free(a);
	return err;
}

static void refused_with_a_place_and_what_was_expected(void **state)
{
	(void)state;
	check_refused("tests/fixtures/policy/refused.txt", "policy.yaml:", 200, read_policy);
}

static void accepted(void **state)
{
	(void)state;
	check_accepted("tests/fixtures/policy/accepted.txt", 40, read_policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refused_with_a_place_and_what_was_expected),
	    cmocka_unit_test(accepted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
