/* Inventories in the tables of tests/fixtures/inventory/: each of refused.txt is refused with just the place and the sentence that stand there, each of
 * accepted.txt is read; and what a command printed. */
#include "case_table.h"
#include "policy/inventory.h"

static const char dynamic[] = "version: 1\ndynamic: {command: [x], labels: [role, \"env*\"]}\n";

static enum err read_exact(const char *bytes, size_t n, const char *answer, size_t answer_n, struct error *e)
{
	struct arena *a = arena_new();
	const struct inventory *inv;
	enum err err = inventory_read(a, "inventory.yaml", bytes, n, answer, answer_n, &inv, e);
	arena_free(a);
	return err;
}

/* In memory of just its size, so that reading beyond it is found. */
static enum err read_file(const struct buf *file, struct error *e)
{
	char *exact = malloc(file->len + 1);
	if (file->len) memcpy(exact, file->data, file->len);
	enum err err = read_exact(exact, file->len, NULL, 0, e);
	free(exact);
	return err;
}

static enum err read_answer(const struct buf *file, struct error *e)
{
	char *exact = malloc(file->len + 1);
	if (file->len) memcpy(exact, file->data, file->len);
	enum err err = read_exact(dynamic, strlen(dynamic), exact, file->len, e);
	free(exact);
	return err;
}

static void refused_with_a_place_and_what_was_expected(void **state)
{
	(void)state;
	check_refused("tests/fixtures/inventory/refused.txt", "inventory.yaml:", 100, read_file);
}

static void accepted(void **state)
{
	(void)state;
	check_accepted("tests/fixtures/inventory/accepted.txt", 18, read_file);
}

static void answers_are_refused_with_what_was_expected(void **state)
{
	(void)state;
	check_refused("tests/fixtures/inventory/refused_answers.txt", "what the command of inventory.yaml printed: ", 30, read_answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refused_with_a_place_and_what_was_expected),
	    cmocka_unit_test(accepted),
	    cmocka_unit_test(answers_are_refused_with_what_was_expected),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
