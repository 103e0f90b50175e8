/* What becomes of a call whose outcome is missing, and what an attempt gets that asks for it again: DESIGN 5.3 and 5.4 as tables. */
#include "flow/calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const enum step_effect effects[] = {EFFECT_ONCE, EFFECT_READ, EFFECT_IDEMPOTENT, EFFECT_KEYED, EFFECT_RECEIPT};
enum { EFFECTS_N = sizeof effects / sizeof *effects };

static struct flow_call call_of(enum step_effect effect, enum call_state state)
{
	return (struct flow_call){.number = 1, .attempt = 1, .effect = effect, .state = state};
}

static void expect_meeting(const struct flow_call *c, enum call_meeting want)
{
	enum call_meeting got = call_meet(c, true);
	if (got != want) fail_msg("effect %d, state %d: it meets %d, not %d", (int)c->effect, (int)c->state, (int)got, (int)want);
}

static void what_has_finished_is_never_made_again(void **state)
{
	(void)state;
	for (int i = 0; i < EFFECTS_N; i++) {
		struct flow_call c = call_of(effects[i], CALL_FINISHED);
		expect_meeting(&c, MEETS_ANSWER);
	}
	assert_int_equal(call_meet(NULL, true), MEETS_NOTHING);
}

static void what_is_unknown_is_made_again_by_its_class_or_by_a_person_s_word(void **state)
{
	static const enum call_meeting want[EFFECTS_N] = {MEETS_UNKNOWN, MEETS_AGAIN, MEETS_AGAIN, MEETS_AGAIN, MEETS_AGAIN};
	(void)state;
	for (int i = 0; i < EFFECTS_N; i++) {
		struct flow_call c = call_of(effects[i], CALL_UNKNOWN);
		expect_meeting(&c, want[i]);
		c.state = CALL_AGAIN;
		expect_meeting(&c, MEETS_AGAIN);
		c.is_dispatched = true; /* it is with a target already */
		expect_meeting(&c, MEETS_ANSWER);
	}
}

static void another_question_is_no_answer_whatever_the_call_is(void **state)
{
	(void)state;
	for (int i = 0; i < EFFECTS_N; i++)
		for (int s = CALL_STARTED; s <= CALL_AGAIN; s++) {
			struct flow_call c = call_of(effects[i], (enum call_state)s);
			assert_int_equal(call_meet(&c, false), MEETS_ANOTHER_ONE);
		}
}

static void expect_fate(enum step_effect effect, enum call_loss loss, int losses, enum call_fate want)
{
	struct flow_call c = call_of(effect, CALL_STARTED);
	enum call_fate got = call_fate_of(&c, loss, losses);
	if (got != want) fail_msg("effect %d, loss %d (%d times): its fate is %d, not %d", (int)effect, (int)loss, losses, (int)got, (int)want);
}

static void what_was_in_flight_is_unknown_unless_its_class_settles_it(void **state)
{
	(void)state;
	expect_fate(EFFECT_ONCE, LOSS_ENGINE, 0, FATE_UNKNOWN);
	expect_fate(EFFECT_ONCE, LOSS_STEP, 0, FATE_UNKNOWN);
	expect_fate(EFFECT_ONCE, LOSS_TIME, 0, FATE_UNKNOWN);
	for (int i = 1; i < EFFECTS_N; i++) expect_fate(effects[i], LOSS_ENGINE, 0, FATE_KEPT);
	for (int loss = LOSS_ACTOR; loss <= LOSS_PEER; loss++) {
		expect_fate(EFFECT_ONCE, (enum call_loss)loss, 1, FATE_UNKNOWN);
		for (int i = 1; i < EFFECTS_N; i++) expect_fate(effects[i], (enum call_loss)loss, 1, FATE_AGAIN);
		expect_fate(EFFECT_READ, (enum call_loss)loss, 3, FATE_FAILED);
		expect_fate(EFFECT_KEYED, (enum call_loss)loss, 3, FATE_UNKNOWN);
		expect_fate(EFFECT_RECEIPT, (enum call_loss)loss, 3, FATE_UNKNOWN);
	}
	expect_fate(EFFECT_READ, LOSS_TIME, 0, FATE_TIMEOUT);
	expect_fate(EFFECT_KEYED, LOSS_TIME, 0, FATE_UNKNOWN);
	expect_fate(EFFECT_RECEIPT, LOSS_TIME, 0, FATE_UNKNOWN);
}

static void a_receipt_that_cannot_be_asked_is_as_once(void **state)
{
	struct flow_call c = call_of(EFFECT_RECEIPT, CALL_STARTED);
	(void)state;
	c.is_out_of_reach = true;
	assert_int_equal(call_fate_of(&c, LOSS_ENGINE, 0), FATE_UNKNOWN);
	assert_int_equal(call_fate_of(&c, LOSS_ACTOR, 1), FATE_UNKNOWN);
}

static void what_could_not_be_made_has_failed_unless_an_earlier_try_left(void **state)
{
	(void)state;
	for (int i = 0; i < EFFECTS_N; i++) {
		struct flow_call c = call_of(effects[i], CALL_STARTED);
		assert_int_equal(call_fate_unmade(&c), FATE_FAILED);
		c.has_left_before = true;
		assert_int_equal(call_fate_unmade(&c), call_effect_is_harmless(effects[i]) ? FATE_FAILED : FATE_UNKNOWN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_has_finished_is_never_made_again),
	    cmocka_unit_test(what_is_unknown_is_made_again_by_its_class_or_by_a_person_s_word),
	    cmocka_unit_test(another_question_is_no_answer_whatever_the_call_is),
	    cmocka_unit_test(what_was_in_flight_is_unknown_unless_its_class_settles_it),
	    cmocka_unit_test(a_receipt_that_cannot_be_asked_is_as_once),
	    cmocka_unit_test(what_could_not_be_made_has_failed_unless_an_earlier_try_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
