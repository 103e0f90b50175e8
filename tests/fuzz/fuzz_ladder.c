/* Ladders of records: any JSON is read or refused; what is read can be climbed, is written as it was, and turns to another policy wherever it stands. */
#include "base/json.h"
#include "escalate/ladder.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void turn(struct arena *a, const struct escalation_ladder *l)
{
	const struct escalation_ladder *out;
	struct escalation_place at = {.climb = 1, .round = 1};
	for (int i = 0; i < 8; i++) {
		if (ladder_turn(a, l, at, l, &out, NULL) == ERR_OK) {
			struct escalation_place next;
			must(escalation_ladder_check(out, NULL) == ERR_OK);
			/* What comes next is the first level of a policy. */
			must(escalation_next(out, at, &next) && next.level == 1 && next.round == 1);
		}
		if (!escalation_next(l, at, &at)) break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	const struct escalation_ladder *l, *again;
	json_t *v = json_parse((const char *)data, n, 16, NULL);
	if (v && ladder_read(a, v, &l, NULL) == ERR_OK) {
		json_t *written = ladder_json(l), *twice;
		must(ladder_read(a, written, &again, NULL) == ERR_OK);
		twice = ladder_json(again);
		must(json_equal(written, twice));
		if (l->count) turn(a, l);
		json_decref(written);
		json_decref(twice);
	}
	json_decref(v);
	arena_free(a);
	return 0;
}
