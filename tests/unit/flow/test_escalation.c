/* The machine of an escalation, sentence by sentence. What random worlds do to it is in tests/simulate/. */
#include "flow/escalation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)

static struct arena *arena;
static struct escalation *x;
static int64_t now;
static struct escalation_command commands[ESCALATION_COMMANDS_MAX];
static size_t count;

/* web: ana (2 channels), then bo and dee (1 and 0), twice; behind it all: chris, once. */
static struct escalation_person first[] = {{"ana", 2}}, second[] = {{"bo", 1}, {"dee", 0}}, third[] = {{"chris", 1}};
static struct escalation_level web[] = {{first, 1, 5 * MINUTE}, {second, 2, 10 * MINUTE}}, all[] = {{third, 1, 5 * MINUTE}};
static struct escalation_policy policies[] = {{"web", web, 2, 2}, {"all", all, 1, 1}};
static const struct escalation_ladder ladder = {
    policies, 2, {.attempts = 2, .delay_us = 10 * SECOND, .delay_most_us = MINUTE, .factor = 2, .timeout_us = 30 * SECOND}};

static int begin(void **state)
{
	(void)state;
	arena = arena_new();
	x = escalation_new(arena);
	now = 1000 * MINUTE;
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static enum err happens(struct escalation_event ev)
{
	ev.t_us = now;
	return escalation_apply(x, &ev, NULL);
}

static void happened(struct escalation_event ev)
{
	struct error e;
	ev.t_us = now;
	if (escalation_apply(x, &ev, &e)) fail_msg("%s", e.text);
}

static void carry_out(const struct escalation_command *c)
{
	if (c->kind == ESCALATION_DO_REACH) happened((struct escalation_event){.kind = ESCALATION_LEVEL_REACHED, .at = c->at});
	if (c->kind == ESCALATION_DO_NOTIFY)
		happened((struct escalation_event){
		    .kind = ESCALATION_NOTIFIED, .person = c->person, .channel = c->channel, .attempt = c->attempt, .number = c->number});
	if (c->kind == ESCALATION_DO_LOSE) happened((struct escalation_event){.kind = ESCALATION_TOLD, .number = c->number, .result = NOTIFICATION_UNKNOWN});
	if (c->kind == ESCALATION_DO_EXHAUST) happened((struct escalation_event){.kind = ESCALATION_WAS_EXHAUSTED});
}

/* Does what is decided, until it waits; when it wants to be asked again, or 0. */
static int64_t go_on(void)
{
	for (;;) {
		count = escalation_decide(x, now, commands);
		if (count == 0) return 0;
		if (count == 1 && commands[0].kind == ESCALATION_DO_WAKE) return commands[0].at_us;
		for (size_t i = 0; i < count; i++) carry_out(&commands[i]);
	}
}

static void raise_by(enum escalation_trigger trigger)
{
	happened((struct escalation_event){.kind = ESCALATION_RAISED, .trigger = trigger, .ladder = &ladder});
	go_on();
}

static void told(uint32_t number, enum escalation_result result)
{
	happened((struct escalation_event){.kind = ESCALATION_TOLD, .number = number, .result = result});
	go_on();
}

static void pass(int64_t us)
{
	now += us;
	go_on();
}

static void assert_at(uint32_t policy, uint32_t round, uint32_t level)
{
	assert_int_equal(x->state, ESCALATION_CLIMBING);
	assert_int_equal(x->at.policy, policy);
	assert_int_equal(x->at.round, round);
	assert_int_equal(x->at.level, level);
}

static void levels_follow_each_other_round_by_round_until_nobody_is_left(void **state)
{
	(void)state;
	static const uint32_t way[][3] = {{0, 1, 1}, {0, 1, 2}, {0, 2, 1}, {0, 2, 2}, {1, 1, 1}};
	raise_by(RAISED_BY_FAILED);
	for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
		assert_at(way[i][0], way[i][1], way[i][2]);
		told(x->sent, NOTIFICATION_DELIVERED);
		int64_t due = go_on();
		assert_int_equal(due - now, way[i][2] == 2 ? 10 * MINUTE : 5 * MINUTE);
		now = due - 1;
		go_on();
		assert_at(way[i][0], way[i][1], way[i][2]);
		pass(1);
	}
	assert_int_equal(x->state, ESCALATION_EXHAUSTED);
	assert_true(x->was_reached);
	assert_int_equal(go_on(), 0);
}

static void a_failed_channel_is_tried_again_and_then_the_next_one(void **state)
{
	(void)state;
	static const struct {
		uint32_t channel, attempt;
		int64_t after_us;
	} way[] = {{0, 1, 0}, {0, 2, 10 * SECOND}, {1, 1, 0}, {1, 2, 10 * SECOND}};
	raise_by(RAISED_BY_FAILED);
	for (size_t i = 0; i < 4; i++) {
		if (way[i].after_us) {
			assert_int_equal(x->recipients[0].reach, REACH_DUE);
			pass(way[i].after_us - 1);
			assert_int_equal(x->sent, i);
			pass(1);
		}
		assert_int_equal(x->sent, i + 1);
		assert_int_equal(x->recipients[0].channel, way[i].channel);
		assert_int_equal(x->recipients[0].attempt, way[i].attempt);
		assert_at(0, 1, 1);
		told(x->sent, NOTIFICATION_FAILED);
	}
	assert_at(0, 1, 2); /* ana cannot be reached: sooner than her five minutes */
}

static void nobody_reachable_waits_before_a_new_round(void **state)
{
	(void)state;
	raise_by(RAISED_BY_FAILED);
	for (size_t i = 0; i < 6; i++) {
		told(x->sent, NOTIFICATION_FAILED);
		if (x->sent == i + 1) pass(10 * SECOND);
	}
	assert_at(0, 1, 2);
	int64_t due = go_on();
	assert_true(due - now > 9 * MINUTE);
	now = due;
	go_on();
	assert_at(0, 2, 1);
}

static void a_message_of_which_nobody_knows_goes_to_the_next_channel_and_keeps_the_wait(void **state)
{
	(void)state;
	raise_by(RAISED_BY_FAILED);
	pass(30 * SECOND);
	assert_int_equal(x->sent, 2);
	assert_int_equal(x->recipients[0].channel, 1);
	told(1, NOTIFICATION_FAILED); /* late: what is under way now goes on */
	assert_int_equal(x->recipients[0].reach, REACH_UNDER_WAY);
	pass(30 * SECOND);
	assert_int_equal(x->recipients[0].reach, REACH_NOWHERE);
	assert_at(0, 1, 1);
	assert_int_equal(go_on() - now, 4 * MINUTE);
	told(1, NOTIFICATION_DELIVERED); /* late */
	assert_int_equal(x->recipients[0].reach, REACH_DELIVERED);
	assert_true(x->was_reached);
}

static void an_acknowledgement_stops_the_climb_at_once(void **state)
{
	(void)state;
	raise_by(RAISED_BY_FAILED);
	assert_true(escalation_is_wanted(x, 1));
	happened((struct escalation_event){.kind = ESCALATION_WAS_ACKNOWLEDGED, .by = "user:ana", .link = 1});
	assert_false(escalation_is_wanted(x, 1));
	assert_int_equal(go_on(), 0);
	told(1, NOTIFICATION_FAILED);
	pass(1000 * MINUTE);
	assert_int_equal(x->sent, 1);
	assert_string_equal(x->acknowledged_by, "user:ana");
	happened((struct escalation_event){.kind = ESCALATION_WAS_ACKNOWLEDGED, .by = "user:bo"});
	assert_string_equal(x->acknowledged_by, "user:ana");
}

static void a_link_acknowledges_once(void **state)
{
	(void)state;
	raise_by(RAISED_BY_FAILED);
	struct escalation_event by_link = {.kind = ESCALATION_WAS_ACKNOWLEDGED, .by = "user:ana", .link = 1};
	happened(by_link);
	assert_true(escalation_is_link_used(x, 1));
	raise_by(RAISED_BY_HAND);
	assert_int_equal(happens(by_link), ERR_CONFLICT);
	by_link.link = 3;
	assert_int_equal(happens(by_link), ERR_CONFLICT);
	by_link.link = 2;
	happened(by_link);
}

/* What a further trigger does in each state. */
static void what_is_raised_joins(void **state)
{
	(void)state;
	raise_by(RAISED_BY_FAILED);
	raise_by(RAISED_BY_UNKNOWN);
	raise_by(RAISED_BY_STEP);
	assert_at(0, 1, 1);
	assert_int_equal(x->sent, 1);
	assert_int_equal(x->raised, 3);
	raise_by(RAISED_BY_HAND);
	assert_at(0, 1, 2);
	happened((struct escalation_event){.kind = ESCALATION_WAS_ACKNOWLEDGED, .by = "user:ana"});
	raise_by(RAISED_BY_DENIED);
	assert_int_equal(x->state, ESCALATION_ACKNOWLEDGED);
	raise_by(RAISED_BY_STEP);
	assert_at(0, 1, 1);
	assert_int_equal(x->at.climb, 2);
	assert_null(x->acknowledged_by);
	happened((struct escalation_event){.kind = ESCALATION_WAS_RESOLVED});
	assert_int_equal(happens((struct escalation_event){.kind = ESCALATION_RAISED, .trigger = RAISED_BY_HAND, .ladder = &ladder}), ERR_CONFLICT);
}

static void maintenance_holds_what_nobody_asked_for(void **state)
{
	(void)state;
	happened((struct escalation_event){.kind = ESCALATION_RAISED, .trigger = RAISED_BY_FAILED, .ladder = &ladder, .hold_us = 60 * MINUTE});
	assert_int_equal(go_on() - now, 60 * MINUTE);
	assert_int_equal(x->state, ESCALATION_HELD);
	assert_int_equal(x->sent, 0);
	pass(60 * MINUTE);
	assert_at(0, 1, 1);
	happened((struct escalation_event){.kind = ESCALATION_PUT_OFF, .by = "user:ana", .hold_us = 5 * MINUTE});
	assert_int_equal(go_on() - now, 5 * MINUTE);
	happened((struct escalation_event){.kind = ESCALATION_RAISED, .trigger = RAISED_BY_HAND, .ladder = &ladder, .hold_us = 60 * MINUTE});
	go_on();
	assert_at(0, 1, 1);
}

static void nobody_on_the_ladder_is_said_at_once(void **state)
{
	(void)state;
	static const struct escalation_ladder nobody = {
	    NULL, 0, {.attempts = 1, .delay_us = SECOND, .delay_most_us = SECOND, .factor = 1, .timeout_us = SECOND}};
	happened((struct escalation_event){.kind = ESCALATION_RAISED, .trigger = RAISED_BY_FAILED, .ladder = &nobody});
	count = escalation_decide(x, now, commands);
	assert_int_equal(count, 1);
	assert_int_equal(commands[0].kind, ESCALATION_DO_EXHAUST);
	assert_false(commands[0].was_reached);
}

static void times_are_what_remained_of_them_when_another_engine_goes_on(void **state)
{
	(void)state;
	raise_by(RAISED_BY_FAILED);
	told(1, NOTIFICATION_DELIVERED);
	int64_t ended = now += 2 * MINUTE;
	now += 600 * MINUTE;
	happened((struct escalation_event){.kind = ESCALATION_TAKEN_UP, .alive_us = ended});
	assert_int_equal(go_on() - now, 3 * MINUTE);
	now -= 6000 * MINUTE; /* the clock was set back: never more than all of it */
	happened((struct escalation_event){.kind = ESCALATION_TAKEN_UP});
	assert_true(go_on() - now <= 5 * MINUTE);
}

/* Maintenance, and what somebody put off, end at a moment: an engine that was away meanwhile makes them no longer. */
static void a_hold_ends_at_its_moment_also_where_no_engine_was_there(void **state)
{
	(void)state;
	happened((struct escalation_event){.kind = ESCALATION_RAISED, .trigger = RAISED_BY_FAILED, .ladder = &ladder, .hold_us = 60 * MINUTE});
	int64_t ended = now += 10 * MINUTE;
	now += 40 * MINUTE;
	happened((struct escalation_event){.kind = ESCALATION_TAKEN_UP, .alive_us = ended});
	assert_int_equal(go_on() - now, 10 * MINUTE);
	assert_int_equal(x->state, ESCALATION_HELD);
	ended = now -= 600 * MINUTE; /* the clock was set back: no longer than what remained */
	happened((struct escalation_event){.kind = ESCALATION_TAKEN_UP, .alive_us = ended + 600 * MINUTE});
	assert_int_equal(go_on() - now, 10 * MINUTE);
	now += 3000 * MINUTE;
	happened((struct escalation_event){.kind = ESCALATION_TAKEN_UP, .alive_us = ended});
	go_on();
	assert_at(0, 1, 1);
}

static void who_was_called_is_known_in_each_climb(void **state)
{
	(void)state;
	raise_by(RAISED_BY_FAILED);
	assert_true(escalation_has_called(x, "ana") && !escalation_has_called(x, "bo") && !escalation_has_called(x, "chris"));
	happened((struct escalation_event){.kind = ESCALATION_PUT_OFF, .by = "user:ana", .hold_us = 5 * MINUTE});
	assert_int_equal(x->at.climb, 2);
	assert_true(escalation_has_called(x, "ana") && !escalation_has_called(x, "bo"));
	pass(5 * MINUTE);
	pass(5 * MINUTE);
	assert_at(0, 1, 2);
	assert_true(escalation_has_called(x, "ana") && escalation_has_called(x, "bo") && escalation_has_called(x, "dee"));
	assert_false(escalation_has_called(x, "chris"));
	/* Who is on the ladder no more is left out. */
	static struct escalation_level shorter[] = {{third, 1, 5 * MINUTE}, {second, 2, 10 * MINUTE}};
	static struct escalation_policy changed[] = {{"web", shorter, 2, 1}};
	static const struct escalation_ladder other = {
	    changed, 1, {.attempts = 1, .delay_us = SECOND, .delay_most_us = SECOND, .factor = 1, .timeout_us = SECOND}};
	happened((struct escalation_event){.kind = ESCALATION_LADDER_CHANGED, .ladder = &other});
	assert_true(!escalation_has_called(x, "ana") && escalation_has_called(x, "bo") && !escalation_has_called(x, "chris"));
}

static void what_was_under_way_when_the_engine_ended_is_unknown(void **state)
{
	(void)state;
	raise_by(RAISED_BY_FAILED);
	happened((struct escalation_event){.kind = ESCALATION_TAKEN_UP});
	assert_true(x->recipients[0].is_perhaps_delivered);
	go_on();
	assert_int_equal(x->recipients[0].channel, 1);
	assert_int_equal(x->sent, 2);
}

static void who_was_not_told_of_a_level_gets_all_of_its_wait(void **state)
{
	(void)state;
	happened((struct escalation_event){.kind = ESCALATION_RAISED, .trigger = RAISED_BY_FAILED, .ladder = &ladder});
	happened((struct escalation_event){.kind = ESCALATION_LEVEL_REACHED, .at = {1, 0, 1, 1}});
	now += 4 * MINUTE;
	happened((struct escalation_event){.kind = ESCALATION_TAKEN_UP, .alive_us = now});
	go_on();
	assert_int_equal(x->sent, 1);
	assert_int_equal(x->timer.due_us - now, 5 * MINUTE);
}

static void a_changed_ladder_counts_from_the_next_level(void **state)
{
	(void)state;
	static struct escalation_level longer[] = {{first, 1, 5 * MINUTE}, {second, 2, 10 * MINUTE}, {third, 1, MINUTE}};
	static struct escalation_policy changed[] = {{"web", longer, 3, 1}}, other[] = {{"db", longer, 3, 1}};
	static struct escalation_policy swapped[] = {{"all", all, 1, 1}, {"web", web, 2, 2}};
	struct escalation_ladder now_is = ladder;
	struct escalation_event ev = {.kind = ESCALATION_LADDER_CHANGED, .ladder = &now_is};
	raise_by(RAISED_BY_FAILED);
	pass(5 * MINUTE);
	now_is.policies = other, now_is.count = 1;
	assert_int_equal(happens(ev), ERR_CONFLICT);
	now_is.policies = changed;
	happened(ev);
	assert_int_equal(x->recipients[0].reach, REACH_UNDER_WAY);
	assert_int_equal(x->recipients[0].channels, 1);
	pass(10 * MINUTE);
	assert_at(0, 1, 3);
	pass(MINUTE);
	assert_int_equal(x->state, ESCALATION_EXHAUSTED);
	/* One that would be climbed twice. */
	end(NULL);
	begin(NULL);
	raise_by(RAISED_BY_FAILED);
	for (int i = 0; i < 3; i++) raise_by(RAISED_BY_HAND);
	raise_by(RAISED_BY_HAND);
	assert_at(1, 1, 1);
	now_is.policies = swapped, now_is.count = 2;
	assert_int_equal(happens(ev), ERR_CONFLICT);
}

static void what_nobody_decided_is_refused_and_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(happens((struct escalation_event){.kind = ESCALATION_WAS_ACKNOWLEDGED, .by = "user:ana"}), ERR_CONFLICT);
	assert_int_equal(happens((struct escalation_event){.kind = ESCALATION_RAISED}), ERR_INVALID);
	raise_by(RAISED_BY_FAILED);
	static const struct escalation_event refused[] = {
	    {.kind = ESCALATION_LEVEL_REACHED, .at = {1, 0, 1, 1}},
	    {.kind = ESCALATION_LEVEL_REACHED, .at = {1, 0, 2, 1}},
	    {.kind = ESCALATION_LEVEL_REACHED, .at = {2, 0, 1, 2}},
	    {.kind = ESCALATION_NOTIFIED, .person = 0, .channel = 0, .attempt = 1, .number = 2},
	    {.kind = ESCALATION_NOTIFIED, .person = 1, .channel = 0, .attempt = 1, .number = 2},
	    {.kind = ESCALATION_TOLD, .number = 0},
	    {.kind = ESCALATION_TOLD, .number = 2},
	    {.kind = ESCALATION_WAS_EXHAUSTED},
	};
	struct escalation was = *x;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) assert_int_equal(happens(refused[i]), ERR_CONFLICT);
	assert_int_equal(happens((struct escalation_event){.kind = ESCALATION_WAS_ACKNOWLEDGED}), ERR_INVALID);
	assert_int_equal(happens((struct escalation_event){.kind = ESCALATION_PUT_OFF, .by = "user:ana"}), ERR_INVALID);
	assert_memory_equal(&was, x, sizeof was);
}

static void a_ladder_that_cannot_be_climbed_is_refused(void **state)
{
	(void)state;
	struct escalation_level no_wait = {first, 1, 0};
	struct escalation_policy one = {"web", &no_wait, 1, 1};
	struct escalation_ladder l = {&one, 1, ladder.retry};
	assert_int_equal(escalation_ladder_check(&ladder, NULL), ERR_OK);
	assert_int_equal(escalation_ladder_check(&l, NULL), ERR_INVALID);
	no_wait.wait_us = 1;
	assert_int_equal(escalation_ladder_check(&l, NULL), ERR_OK);
	one.rounds = 0;
	assert_int_equal(escalation_ladder_check(&l, NULL), ERR_INVALID);
	one.rounds = 1, one.count = 0;
	assert_int_equal(escalation_ladder_check(&l, NULL), ERR_INVALID);
	one.count = 1, l.retry.attempts = 0;
	assert_int_equal(escalation_ladder_check(&l, NULL), ERR_INVALID);
}

static void the_tables_are_printed(void **state)
{
	(void)state;
	json_t *t = escalation_tables_json();
	assert_int_equal(json_array_size(json_object_get(t, "states")), ESCALATION_STATE_N);
	assert_int_equal(json_array_size(json_object_get(t, "triggers")), RAISED_BY_N);
	assert_int_equal(json_array_size(json_object_get(t, "transitions")), ESCALATION_EVENT_N);
	json_decref(t);
	for (int i = 0; i < RAISED_BY_N; i++) {
		enum escalation_trigger found;
		assert_true(escalation_trigger_find(escalation_trigger_row((enum escalation_trigger)i)->name, &found));
		assert_int_equal(found, i);
	}
	for (int i = 0; i < NOTIFICATION_RESULT_N; i++) {
		enum escalation_result found;
		assert_true(escalation_result_find(escalation_result_name((enum escalation_result)i), &found));
		assert_int_equal(found, i);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(levels_follow_each_other_round_by_round_until_nobody_is_left),
	    TEST(a_failed_channel_is_tried_again_and_then_the_next_one),
	    TEST(nobody_reachable_waits_before_a_new_round),
	    TEST(a_message_of_which_nobody_knows_goes_to_the_next_channel_and_keeps_the_wait),
	    TEST(an_acknowledgement_stops_the_climb_at_once),
	    TEST(a_link_acknowledges_once),
	    TEST(what_is_raised_joins),
	    TEST(maintenance_holds_what_nobody_asked_for),
	    TEST(nobody_on_the_ladder_is_said_at_once),
	    TEST(times_are_what_remained_of_them_when_another_engine_goes_on),
	    TEST(a_hold_ends_at_its_moment_also_where_no_engine_was_there),
	    TEST(who_was_called_is_known_in_each_climb),
	    TEST(what_was_under_way_when_the_engine_ended_is_unknown),
	    TEST(who_was_not_told_of_a_level_gets_all_of_its_wait),
	    TEST(a_changed_ladder_counts_from_the_next_level),
	    TEST(what_nobody_decided_is_refused_and_changes_nothing),
	    TEST(a_ladder_that_cannot_be_climbed_is_refused),
	    TEST(the_tables_are_printed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
