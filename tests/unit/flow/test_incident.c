/* The machine of an incident, sentence by sentence. What random worlds do to it is in tests/simulate/. */
#include "flow/incident.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "aaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define X1 "01JD9Z8Q6M3T4N5P6R7S8T9V0W"
#define X2 "01JD9Z8Q6M3T4N5P6R7S8T9V1W"
#define X3 "01JD9Z8Q6M3T4N5P6R7S8T9V2W"

static struct arena *arena;
static struct incident_flow *x;
static int64_t now;

static int begin(void **state)
{
	(void)state;
	arena = arena_new();
	x = incident_flow_new(arena);
	now = 1000;
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static enum err happens(struct incident_event ev)
{
	ev.t_us = ++now;
	return incident_apply(x, &ev, NULL);
}

static void happened(struct incident_event ev)
{
	struct error e;
	ev.t_us = ++now;
	if (incident_apply(x, &ev, &e)) fail_msg("%s", e.text);
}

static struct incident_event fires(const char *key, int64_t starts_us, const char *execution)
{
	return (struct incident_event){
	    .kind = INCIDENT_ALERT_SEEN, .alert = key, .is_firing = true, .starts_us = starts_us, .execution = execution, .rule = "r"};
}

static struct incident_event is_over(const char *key, int64_t starts_us)
{
	return (struct incident_event){.kind = INCIDENT_ALERT_SEEN, .alert = key, .starts_us = starts_us};
}

static struct incident_event ended(const char *execution, bool is_success)
{
	return (struct incident_event){.kind = INCIDENT_EXECUTION_ENDED, .execution = execution, .is_success = is_success, .is_begun = true};
}

static void opened(void)
{
	happened((struct incident_event){.kind = INCIDENT_OPENED, .origin = INCIDENT_BY_ALERT, .priority = 2});
}

static void it_is_opened_once_and_first(void **state)
{
	(void)state;
	assert_int_equal(happens(fires(A, 1, NULL)), ERR_CONFLICT);
	opened();
	assert_int_equal(happens((struct incident_event){.kind = INCIDENT_OPENED}), ERR_CONFLICT);
	assert_int_equal(x->state, INCIDENT_OPEN);
	assert_int_equal(x->priority, 2);
	assert_int_equal(x->opened_us, 1002);
}

static void an_episode_has_one_execution_whatever_became_of_it(void **state)
{
	(void)state;
	opened();
	happened(fires(A, 10, X1));
	assert_string_equal(incident_running(x, incident_alert_find(x, A)), X1);
	assert_int_equal(happens(fires(A, 10, X2)), ERR_CONFLICT); /* one runs */
	assert_int_equal(happens(fires(A, 20, X2)), ERR_CONFLICT); /* also of a later episode */
	happened(fires(A, 10, NULL));
	happened(ended(X1, false));
	assert_null(incident_running(x, incident_alert_find(x, A)));
	assert_int_equal(happens(fires(A, 10, X2)), ERR_CONFLICT); /* it had its own */
	assert_int_equal(happens(fires(A, 5, X2)), ERR_CONFLICT);  /* an earlier one came late */
	happened(fires(A, 20, X2));
	happened(fires(B, 10, X3)); /* of another alert whose key begins alike */
	assert_int_equal(x->running, 2);
	assert_int_equal(happens(fires(B, 10, X3)), ERR_CONFLICT);
}

static void where_a_source_says_no_beginning_it_may_start_again(void **state)
{
	(void)state;
	opened();
	happened(fires(A, 0, X1));
	happened(ended(X1, true));
	happened(fires(A, 0, X2));
	happened(ended(X2, true));
	assert_int_equal(x->execution_count, 2);
}

static void what_is_over_is_over_and_late_ones_start_nothing(void **state)
{
	(void)state;
	opened();
	happened(fires(A, 10, NULL));
	happened(fires(B, 10, NULL));
	happened(is_over(A, 10));
	assert_true(incident_is_late(incident_alert_find(x, A), 10));
	assert_false(incident_is_late(incident_alert_find(x, A), 11));
	assert_false(incident_is_late(incident_alert_find(x, A), 0));
	happened(fires(A, 10, NULL)); /* late */
	assert_int_equal(x->firing, 1);
	assert_int_equal(happens(fires(A, 10, X1)), ERR_CONFLICT);
	assert_int_equal(happens((struct incident_event){.kind = INCIDENT_WAS_RESOLVED, .by_alert = true}), ERR_CONFLICT);
	happened(is_over(B, 10));
	assert_true(incident_is_over(x));
	happened((struct incident_event){.kind = INCIDENT_WAS_RESOLVED, .by_alert = true});
	assert_int_equal(x->state, INCIDENT_RESOLVED);
	assert_null(x->resolved_by);
}

static void the_end_of_an_earlier_episode_does_not_end_a_later_one(void **state)
{
	(void)state;
	opened();
	happened(fires(A, 10, NULL));
	happened(fires(A, 20, NULL)); /* nobody said that the first was over: it is */
	happened(is_over(A, 10));
	assert_int_equal(x->firing, 1);
	assert_true(incident_is_late(incident_alert_find(x, A), 10));
	happened(is_over(A, 0)); /* of which one it is not said: the one that fires */
	assert_int_equal(x->firing, 0);
	assert_true(incident_is_late(incident_alert_find(x, A), 20));
}

static void a_person_resolves_it_while_it_fires(void **state)
{
	(void)state;
	opened();
	happened(fires(A, 10, X1));
	happened((struct incident_event){.kind = INCIDENT_WAS_RESOLVED, .by = "user:ana"});
	assert_string_equal(x->resolved_by, "user:ana");
	assert_int_equal(x->firing, 0);
	assert_true(incident_is_late(incident_alert_find(x, A), 10));
	assert_int_equal(x->running, 1);
	happened(ended(X1, true)); /* what was under way tells still how it ended */
	assert_int_equal(happens(ended(X1, true)), ERR_CONFLICT);
	assert_int_equal(happens(fires(A, 30, X2)), ERR_CONFLICT);
	happened(fires(A, 30, NULL));
	assert_int_equal(x->firing, 0);
	static const enum incident_event_kind kinds[] = {INCIDENT_WAS_ACKNOWLEDGED, INCIDENT_ASSIGNED, INCIDENT_PRIORITISED, INCIDENT_WAS_MITIGATED,
	                                                 INCIDENT_WAS_RESOLVED};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		assert_int_equal(happens((struct incident_event){.kind = kinds[i], .by = "user:ana", .to = "user:bo"}), ERR_CONFLICT);
	happened((struct incident_event){.kind = INCIDENT_NOTED});
}

static void it_is_acknowledged_mitigated_and_fires_anew(void **state)
{
	(void)state;
	opened();
	happened(fires(A, 10, NULL));
	happened((struct incident_event){.kind = INCIDENT_WAS_MITIGATED});
	assert_int_equal(x->state, INCIDENT_MITIGATED);
	happened(fires(A, 10, NULL)); /* the same */
	assert_int_equal(x->state, INCIDENT_MITIGATED);
	happened(fires(A, 20, NULL));
	assert_int_equal(x->state, INCIDENT_OPEN);
	happened((struct incident_event){.kind = INCIDENT_WAS_ACKNOWLEDGED, .by = "user:ana"});
	int64_t first_us = x->acknowledged_us;
	happened((struct incident_event){.kind = INCIDENT_WAS_ACKNOWLEDGED, .by = "user:bo"});
	assert_int_equal(x->state, INCIDENT_ACKNOWLEDGED);
	assert_int_equal(x->acknowledged_us, first_us);
	assert_string_equal(x->acknowledged_by, "user:bo");
	happened((struct incident_event){.kind = INCIDENT_WAS_MITIGATED});
	happened((struct incident_event){.kind = INCIDENT_WAS_ACKNOWLEDGED, .by = "user:bo"});
	assert_int_equal(x->state, INCIDENT_MITIGATED);
	happened(fires(A, 30, NULL));
	assert_int_equal(x->state, INCIDENT_ACKNOWLEDGED);
}

static void executions_that_no_alert_started_belong_to_it_too(void **state)
{
	(void)state;
	opened();
	happened((struct incident_event){.kind = INCIDENT_EXECUTION_LINKED, .execution = X1});
	assert_int_equal(happens((struct incident_event){.kind = INCIDENT_EXECUTION_LINKED, .execution = X1}), ERR_CONFLICT);
	assert_int_equal(happens(ended(X2, true)), ERR_CONFLICT);
	happened(ended(X1, true));
	assert_int_equal(x->running, 0);
	assert_false(incident_is_over(x)); /* it had no alert */
}

static void what_lacks_what_it_needs_is_invalid(void **state)
{
	(void)state;
	opened();
	assert_int_equal(happens((struct incident_event){.kind = INCIDENT_ALERT_SEEN, .alert = "short"}), ERR_INVALID);
	assert_int_equal(happens((struct incident_event){.kind = INCIDENT_ALERT_SEEN}), ERR_INVALID);
	struct incident_event ev = fires(A, 1, "nonsense");
	assert_int_equal(happens(ev), ERR_INVALID);
	ev = fires(A, 1, X1);
	ev.rule = NULL;
	assert_int_equal(happens(ev), ERR_INVALID);
	assert_int_equal(happens((struct incident_event){.kind = INCIDENT_WAS_ACKNOWLEDGED}), ERR_INVALID);
	assert_int_equal(happens((struct incident_event){.kind = INCIDENT_ASSIGNED}), ERR_INVALID);
	assert_int_equal(happens((struct incident_event){.kind = INCIDENT_EXECUTION_LINKED}), ERR_INVALID);
	ev = fires(A, 1, NULL);
	assert_int_equal(incident_apply(x, &ev, NULL), ERR_INVALID); /* no time */
	assert_int_equal(x->alert_count, 0);
}

static void the_tables_are_whole(void **state)
{
	(void)state;
	json_t *tables = incident_tables_json();
	assert_int_equal(json_array_size(json_object_get(tables, "states")), INCIDENT_STATE_N);
	assert_int_equal(json_array_size(json_object_get(tables, "transitions")), INCIDENT_EVENT_N);
	json_decref(tables);
	for (int i = 0; i < INCIDENT_STATE_N; i++) {
		enum incident_state s;
		assert_true(incident_state_find(incident_state_name((enum incident_state)i), &s));
		assert_int_equal(s, i);
		assert_true(*incident_state_means(s));
	}
	for (int i = 0; i < INCIDENT_ORIGIN_N; i++) {
		enum incident_origin o;
		assert_true(incident_origin_find(incident_origin_name((enum incident_origin)i), &o));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(it_is_opened_once_and_first, begin, end),
	    cmocka_unit_test_setup_teardown(an_episode_has_one_execution_whatever_became_of_it, begin, end),
	    cmocka_unit_test_setup_teardown(where_a_source_says_no_beginning_it_may_start_again, begin, end),
	    cmocka_unit_test_setup_teardown(what_is_over_is_over_and_late_ones_start_nothing, begin, end),
	    cmocka_unit_test_setup_teardown(the_end_of_an_earlier_episode_does_not_end_a_later_one, begin, end),
	    cmocka_unit_test_setup_teardown(a_person_resolves_it_while_it_fires, begin, end),
	    cmocka_unit_test_setup_teardown(it_is_acknowledged_mitigated_and_fires_anew, begin, end),
	    cmocka_unit_test_setup_teardown(executions_that_no_alert_started_belong_to_it_too, begin, end),
	    cmocka_unit_test_setup_teardown(what_lacks_what_it_needs_is_invalid, begin, end),
	    cmocka_unit_test_setup_teardown(the_tables_are_whole, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
