/* The table from texts to pointers, beside a list that does the same slowly. */
#include "base/arena.h"
#include "base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { KEYS = 400, STEPS = 20000 };

static void what_is_put_is_there_until_it_is_removed(void **state)
{
	char keys[KEYS][16];
	int values[KEYS];
	int *there[KEYS] = {0};
	size_t count = 0;
	struct table *t = table_new();
	unsigned seed = 7;
	(void)state;
	for (int i = 0; i < KEYS; i++) snprintf(keys[i], sizeof keys[i], "key %d", i);
	for (int step = 0; step < STEPS; step++) {
		int i = rand_r(&seed) % KEYS;
		if (rand_r(&seed) % 3) {
			count += there[i] == NULL;
			there[i] = &values[rand_r(&seed) % KEYS];
			table_put(t, keys[i], there[i]);
		} else {
			count -= there[i] != NULL;
			there[i] = NULL;
			table_remove(t, keys[i]);
		}
		i = rand_r(&seed) % KEYS;
		assert_ptr_equal(table_get(t, keys[i]), there[i]);
		assert_int_equal(table_count(t), count);
	}
	for (int i = 0; i < KEYS; i++) assert_ptr_equal(table_get(t, keys[i]), there[i]);
	size_t at = 0, seen = 0;
	while (table_next(t, &at)) seen++;
	assert_int_equal(seen, count);
	table_free(t);
	table_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_put_is_there_until_it_is_removed)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
