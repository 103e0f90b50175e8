#include "flow/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 12 };

/* A book of n automatic steps in a row, made by hand: flow needs nothing of a parser. */
struct world {
	struct book book;
	struct book_step steps[MAX];
	struct graph graph;
	struct graph_node nodes[MAX];
	size_t needs[MAX][MAX];
	char ids[MAX][24];
	uint32_t approvals[MAX]; /* that a step's start needs */
	struct flow *flow;
	int64_t now;
	struct flow_command commands[2 * MAX + 2];
	size_t count;
};

static void world_make(struct world *w, size_t n)
{
	memset(w, 0, sizeof *w);
	for (size_t i = 0; i < n; i++) {
		snprintf(w->ids[i], sizeof w->ids[i], "s%zu", i);
		w->steps[i] = (struct book_step){.id = w->ids[i], .goto_max = 10};
		w->nodes[i] = (struct graph_node){.needs = w->needs[i], .need_count = i ? 1 : 0, .goto_step = SIZE_MAX};
		if (i) w->needs[i][0] = i - 1;
	}
	w->book = (struct book){.steps = w->steps, .step_count = n};
	w->graph = (struct graph){.book = &w->book, .nodes = w->nodes, .count = n};
	w->now = 1000000;
}

static void begin(struct world *w, enum flow_mode mode)
{
	w->flow = flow_new(&w->graph, mode);
	flow_refresh(w->flow);
}

static size_t decide(struct world *w)
{
	w->count = flow_decide(w->flow, w->now, w->commands, 2 * MAX + 2);
	return w->count;
}

static enum err apply(struct world *w, enum flow_event_kind kind, size_t step, enum step_state outcome)
{
	struct error e;
	struct flow_event ev = {.kind = kind, .step = step, .t_us = w->now, .outcome = outcome, .to = SIZE_MAX, .by = SIZE_MAX};
	return flow_apply(w->flow, &ev, &e);
}

#define ok(...) assert_int_equal(apply(__VA_ARGS__), ERR_OK)
#define conflict(...) assert_int_equal(apply(__VA_ARGS__), ERR_CONFLICT)

static void must_be(struct world *w, enum flow_command_kind kind, size_t step)
{
	assert_int_equal(decide(w), 1);
	assert_int_equal(w->commands[0].kind, kind);
	if (kind != FLOW_DO_FINISH) assert_int_equal(w->commands[0].step, step);
}

static void run_step(struct world *w, size_t step, enum step_state outcome)
{
	ok(w, FLOW_ATTEMPT_STARTED, step, 0);
	ok(w, FLOW_ATTEMPT_FINISHED, step, outcome);
}

static void a_call_that_is_said_to_have_failed_leaves_the_others_open(void **state)
{
	(void)state;
	struct world w;
	struct error e;
	world_make(&w, 1);
	begin(&w, FLOW_AUTO);
	ok(&w, FLOW_ATTEMPT_STARTED, 0, 0);
	ok(&w, FLOW_CALL_STARTED, 0, 0);
	ok(&w, FLOW_CALL_STARTED, 0, 0);
	ok(&w, FLOW_CALL_UNKNOWN, 0, 0);
	ok(&w, FLOW_CALL_RESOLVED, 0, 0);
	struct flow_event ev = {.kind = FLOW_CALL_FINISHED, .step = 0, .t_us = w.now, .to = SIZE_MAX, .by = SIZE_MAX, .was_unknown = true};
	assert_int_equal(flow_apply(w.flow, &ev, &e), ERR_OK);
	assert_int_equal(w.flow->steps[0].open_calls, 1);
	ok(&w, FLOW_CALL_FINISHED, 0, 0);
	assert_int_equal(w.flow->steps[0].open_calls, 0);
	flow_free(w.flow);
}

static void steps_run_one_after_another_and_end(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 3);
	begin(&w, FLOW_AUTO);
	for (size_t i = 0; i < 3; i++) {
		must_be(&w, FLOW_DO_START, i);
		run_step(&w, i, STEP_SUCCEEDED);
	}
	must_be(&w, FLOW_DO_FINISH, 0);
	assert_int_equal(w.commands[0].run_state, RUN_SUCCEEDED);
	flow_free(w.flow);
}

static void steps_whose_needs_are_met_start_together(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 3);
	w.nodes[1].need_count = 0;
	w.nodes[2].need_count = 2;
	w.needs[2][0] = 0, w.needs[2][1] = 1;
	begin(&w, FLOW_AUTO);
	assert_int_equal(decide(&w), 2);
	run_step(&w, 0, STEP_SUCCEEDED);
	must_be(&w, FLOW_DO_START, 1);
	conflict(&w, FLOW_ATTEMPT_STARTED, 2, 0);
	run_step(&w, 1, STEP_SUCCEEDED);
	must_be(&w, FLOW_DO_START, 2);
	flow_free(w.flow);
}

static void a_failure_stops_what_comes_after(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 2);
	begin(&w, FLOW_AUTO);
	run_step(&w, 0, STEP_FAILED);
	must_be(&w, FLOW_DO_FINISH, 0);
	assert_int_equal(w.commands[0].run_state, RUN_FAILED);
	assert_int_equal(w.flow->steps[1].state, STEP_PENDING);
	flow_free(w.flow);
}

static void what_runs_finishes_before_a_failed_execution_ends(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 3);
	w.nodes[1].need_count = 0;
	begin(&w, FLOW_AUTO);
	ok(&w, FLOW_ATTEMPT_STARTED, 1, 0);
	run_step(&w, 0, STEP_FAILED);
	assert_int_equal(decide(&w), 0);
	ok(&w, FLOW_ATTEMPT_FINISHED, 1, STEP_SUCCEEDED);
	must_be(&w, FLOW_DO_FINISH, 0);
	flow_free(w.flow);
}

static void on_failure_continue_goes_on(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 2);
	w.steps[0].on_failure = ON_FAILURE_CONTINUE;
	begin(&w, FLOW_GUIDED);
	ok(&w, FLOW_REQUESTED, 0, 0);
	run_step(&w, 0, STEP_FAILED);
	ok(&w, FLOW_REQUESTED, 1, 0);
	must_be(&w, FLOW_DO_START, 1);
	run_step(&w, 1, STEP_SUCCEEDED);
	must_be(&w, FLOW_DO_FINISH, 0);
	assert_int_equal(w.commands[0].run_state, RUN_SUCCEEDED);
	flow_free(w.flow);
}

static void a_retry_waits_its_growing_delay(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 1);
	w.steps[0].retry = 2, w.steps[0].delay_us = 1000, w.steps[0].backoff = 3;
	begin(&w, FLOW_AUTO);
	run_step(&w, 0, STEP_FAILED);
	must_be(&w, FLOW_DO_WAKE, 0);
	assert_int_equal(w.commands[0].at_us, w.now + 1000);
	assert_int_equal(flow_waits_for(w.flow, 0), WAIT_RETRY);
	w.now += 1000;
	must_be(&w, FLOW_DO_START, 0);
	run_step(&w, 0, STEP_TIMED_OUT);
	must_be(&w, FLOW_DO_WAKE, 0);
	assert_int_equal(w.commands[0].at_us, w.now + 3000);
	w.now += 3000;
	run_step(&w, 0, STEP_FAILED);
	assert_int_equal(w.flow->steps[0].attempt, 3);
	must_be(&w, FLOW_DO_FINISH, 0);
	flow_free(w.flow);
}

static void a_deadline_stops_a_running_step(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 1);
	w.steps[0].timeout_us = 500;
	begin(&w, FLOW_AUTO);
	ok(&w, FLOW_ATTEMPT_STARTED, 0, 0);
	must_be(&w, FLOW_DO_WAKE, 0);
	w.now += 500;
	must_be(&w, FLOW_DO_STOP, 0);
	assert_true(w.commands[0].is_timeout);
	ok(&w, FLOW_ATTEMPT_FINISHED, 0, STEP_TIMED_OUT);
	must_be(&w, FLOW_DO_FINISH, 0);
	assert_int_equal(w.commands[0].run_state, RUN_TIMED_OUT);
	flow_free(w.flow);
}

static void the_deadline_stands_still_while_a_question_is_open(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 1);
	w.steps[0].timeout_us = 500;
	begin(&w, FLOW_AUTO);
	ok(&w, FLOW_ATTEMPT_STARTED, 0, 0);
	w.now += 100;
	ok(&w, FLOW_CALL_STARTED, 0, 0);
	ok(&w, FLOW_QUESTION_ASKED, 0, 0);
	assert_int_equal(w.flow->state, RUN_WAITING);
	w.now += 100000;
	assert_int_equal(decide(&w), 0);
	ok(&w, FLOW_QUESTION_ANSWERED, 0, 0);
	ok(&w, FLOW_CALL_FINISHED, 0, 0);
	must_be(&w, FLOW_DO_WAKE, 0);
	assert_int_equal(w.commands[0].at_us, w.now + 400);
	flow_free(w.flow);
}

/* An event of a call that another execution does. */
static void child(struct world *w, enum flow_event_kind kind, bool is_waiting)
{
	struct error e;
	struct flow_event ev = {.kind = kind, .step = 0, .t_us = w->now, .to = SIZE_MAX, .by = SIZE_MAX, .is_child = true, .is_waiting = is_waiting};
	assert_int_equal(flow_apply(w->flow, &ev, &e), ERR_OK);
}

static void the_deadline_stands_still_while_a_child_runs(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 1);
	w.steps[0].timeout_us = 500;
	begin(&w, FLOW_AUTO);
	ok(&w, FLOW_ATTEMPT_STARTED, 0, 0);
	w.now += 100;
	child(&w, FLOW_CALL_STARTED, false);
	assert_int_equal(w.flow->state, RUN_RUNNING);
	assert_int_equal(w.flow->steps[0].state, STEP_RUNNING);
	w.now += 100000;
	assert_int_equal(decide(&w), 0);
	child(&w, FLOW_CALL_FINISHED, false);
	must_be(&w, FLOW_DO_WAKE, 0);
	assert_int_equal(w.commands[0].at_us, w.now + 400);
	flow_free(w.flow);
}

static void a_step_waits_while_its_child_waits_for_a_person(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 1);
	begin(&w, FLOW_AUTO);
	ok(&w, FLOW_ATTEMPT_STARTED, 0, 0);
	child(&w, FLOW_CALL_STARTED, false);
	child(&w, FLOW_CHILD_CHANGED, true);
	assert_int_equal(w.flow->state, RUN_WAITING);
	assert_int_equal(flow_waits_for(w.flow, 0), WAIT_CHILD);
	child(&w, FLOW_CHILD_CHANGED, false);
	assert_int_equal(w.flow->state, RUN_RUNNING);
	assert_int_equal(flow_waits_for(w.flow, 0), WAIT_NONE);
	/* One of two waits: a person is needed, whatever the other one does. */
	child(&w, FLOW_CALL_STARTED, false);
	child(&w, FLOW_CHILD_CHANGED, true);
	assert_int_equal(w.flow->state, RUN_WAITING);
	child(&w, FLOW_CALL_FINISHED, false);
	assert_int_equal(w.flow->state, RUN_WAITING);
	/* Cancelled, say, while it waits. */
	child(&w, FLOW_CALL_FINISHED, true);
	assert_int_equal(w.flow->state, RUN_RUNNING);
	assert_int_equal(w.flow->steps[0].open_children + w.flow->steps[0].waiting_children, 0);
	flow_free(w.flow);
}

static void a_child_whose_execution_cannot_go_on_is_an_unknown_call(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 1);
	begin(&w, FLOW_AUTO);
	ok(&w, FLOW_ATTEMPT_STARTED, 0, 0);
	child(&w, FLOW_CALL_STARTED, false);
	child(&w, FLOW_CHILD_CHANGED, true);
	child(&w, FLOW_CALL_UNKNOWN, true);
	assert_int_equal(flow_waits_for(w.flow, 0), WAIT_RESOLVE);
	assert_int_equal(w.flow->steps[0].waiting_children, 0);
	flow_free(w.flow);
}

static void cancelling_stops_a_step_whose_child_waits(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 1);
	begin(&w, FLOW_AUTO);
	ok(&w, FLOW_ATTEMPT_STARTED, 0, 0);
	child(&w, FLOW_CALL_STARTED, false);
	child(&w, FLOW_CHILD_CHANGED, true);
	ok(&w, FLOW_CANCEL, SIZE_MAX, 0);
	must_be(&w, FLOW_DO_STOP, 0);
	flow_free(w.flow);
}

static void goto_starts_its_target_again_and_is_bounded(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 3);
	w.steps[2].on_failure = ON_FAILURE_GOTO, w.steps[2].goto_max = 2;
	w.nodes[2].goto_step = 1;
	begin(&w, FLOW_AUTO);
	run_step(&w, 0, STEP_SUCCEEDED);
	for (int round = 0; round < 3; round++) {
		run_step(&w, 1, STEP_SUCCEEDED);
		run_step(&w, 2, STEP_FAILED);
		if (round == 2) break;
		must_be(&w, FLOW_DO_RESET, 1);
		struct flow_event ev = {.kind = FLOW_RESET, .step = 1, .by = 2, .to = SIZE_MAX, .t_us = w.now};
		assert_int_equal(flow_apply(w.flow, &ev, NULL), ERR_OK);
		assert_int_equal(w.flow->steps[0].state, STEP_SUCCEEDED);
		assert_int_equal(w.flow->steps[2].state, STEP_PENDING);
	}
	must_be(&w, FLOW_DO_FINISH, 0);
	assert_int_equal(w.commands[0].run_state, RUN_FAILED);
	assert_int_equal(w.flow->steps[1].attempt, 3);
	flow_free(w.flow);
}

static void finish_with_go(struct world *w, size_t step, size_t to)
{
	ok(w, FLOW_ATTEMPT_STARTED, step, 0);
	struct flow_event ev = {.kind = FLOW_ATTEMPT_FINISHED, .step = step, .outcome = STEP_SUCCEEDED, .to = to, .by = SIZE_MAX, .t_us = w->now};
	assert_int_equal(flow_apply(w->flow, &ev, NULL), ERR_OK);
}

static void go_forward_skips_what_stands_between(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 4);
	begin(&w, FLOW_AUTO);
	finish_with_go(&w, 0, 3);
	assert_int_equal(decide(&w), 3);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(w.commands[i].kind, FLOW_DO_SKIP);
		ok(&w, FLOW_SKIP, w.commands[i].step, 0);
	}
	assert_int_equal(w.commands[2].kind, FLOW_DO_RESET);
	struct flow_event ev = {.kind = FLOW_RESET, .step = 3, .by = 0, .to = SIZE_MAX, .t_us = w.now};
	assert_int_equal(flow_apply(w.flow, &ev, NULL), ERR_OK);
	must_be(&w, FLOW_DO_START, 3);
	flow_free(w.flow);
}

static void go_backward_is_a_bounded_loop(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 2);
	w.steps[1].goto_max = 3;
	begin(&w, FLOW_AUTO);
	for (int round = 0; round < 4; round++) {
		run_step(&w, 0, STEP_SUCCEEDED);
		finish_with_go(&w, 1, 0);
		if (round == 3) break;
		must_be(&w, FLOW_DO_RESET, 0);
		struct flow_event ev = {.kind = FLOW_RESET, .step = 0, .by = 1, .to = SIZE_MAX, .t_us = w.now};
		assert_int_equal(flow_apply(w.flow, &ev, NULL), ERR_OK);
	}
	assert_int_equal(w.flow->steps[1].state, STEP_FAILED);
	must_be(&w, FLOW_DO_FINISH, 0);
	flow_free(w.flow);
}

static void in_guided_mode_a_person_says_go_and_decides_on_failures(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 2);
	begin(&w, FLOW_GUIDED);
	assert_int_equal(decide(&w), 0);
	assert_int_equal(flow_waits_for(w.flow, 0), WAIT_GO);
	assert_int_equal(w.flow->state, RUN_WAITING);
	ok(&w, FLOW_REQUESTED, 0, 0);
	must_be(&w, FLOW_DO_START, 0);
	run_step(&w, 0, STEP_FAILED);
	assert_int_equal(decide(&w), 0);
	assert_int_equal(flow_waits_for(w.flow, 0), WAIT_DECISION);
	assert_int_equal(w.flow->state, RUN_ATTENTION);
	ok(&w, FLOW_RESET, 0, 0);
	must_be(&w, FLOW_DO_START, 0);
	run_step(&w, 0, STEP_FAILED);
	ok(&w, FLOW_SETTLED, 0, STEP_SUCCEEDED);
	ok(&w, FLOW_SKIP, 1, 0);
	must_be(&w, FLOW_DO_FINISH, 0);
	assert_int_equal(w.commands[0].run_state, RUN_SUCCEEDED);
	flow_free(w.flow);
}

static void a_manual_step_waits_for_a_persons_word(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 2);
	w.steps[0].is_manual = true;
	begin(&w, FLOW_AUTO);
	assert_int_equal(decide(&w), 0);
	assert_int_equal(flow_waits_for(w.flow, 0), WAIT_PERSON);
	ok(&w, FLOW_SETTLED, 0, STEP_SUCCEEDED);
	must_be(&w, FLOW_DO_START, 1);
	conflict(&w, FLOW_SETTLED, 0, STEP_FAILED);
	assert_int_equal(apply(&w, FLOW_SETTLED, 1, STEP_CANCELLED), ERR_USAGE);
	flow_free(w.flow);
}

static void a_condition_is_evaluated_once_and_skips(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 2);
	w.steps[0].if_source = "false";
	begin(&w, FLOW_AUTO);
	must_be(&w, FLOW_DO_EVALUATE, 0);
	ok(&w, FLOW_CONDITION, 0, STEP_SKIPPED);
	must_be(&w, FLOW_DO_START, 1);
	flow_free(w.flow);
}

static void an_unknown_call_waits_to_be_resolved(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 2);
	begin(&w, FLOW_AUTO);
	ok(&w, FLOW_ATTEMPT_STARTED, 0, 0);
	ok(&w, FLOW_CALL_STARTED, 0, 0);
	ok(&w, FLOW_CALL_UNKNOWN, 0, 0);
	assert_int_equal(w.flow->steps[0].state, STEP_UNKNOWN);
	assert_int_equal(w.flow->state, RUN_ATTENTION);
	assert_int_equal(decide(&w), 0);
	ok(&w, FLOW_CALL_RESOLVED, 0, 0);
	assert_int_equal(w.flow->steps[0].state, STEP_RUNNING);
	ok(&w, FLOW_ATTEMPT_FINISHED, 0, STEP_SUCCEEDED);
	must_be(&w, FLOW_DO_START, 1);
	flow_free(w.flow);
}

static void pausing_starts_nothing_and_cancelling_stops_what_runs(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 2);
	begin(&w, FLOW_AUTO);
	ok(&w, FLOW_PAUSED, SIZE_MAX, 0);
	assert_int_equal(decide(&w), 0);
	ok(&w, FLOW_RESUMED, SIZE_MAX, 0);
	ok(&w, FLOW_ATTEMPT_STARTED, 0, 0);
	ok(&w, FLOW_CANCEL, SIZE_MAX, 0);
	must_be(&w, FLOW_DO_STOP, 0);
	ok(&w, FLOW_ATTEMPT_FINISHED, 0, STEP_CANCELLED);
	must_be(&w, FLOW_DO_FINISH, 0);
	assert_int_equal(w.commands[0].run_state, RUN_CANCELLED);
	flow_free(w.flow);
}

static void nothing_is_legal_after_the_end(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 1);
	begin(&w, FLOW_AUTO);
	run_step(&w, 0, STEP_SUCCEEDED);
	struct flow_event ev = {.kind = FLOW_FINISHED, .step = SIZE_MAX, .run_state = RUN_SUCCEEDED};
	assert_int_equal(flow_apply(w.flow, &ev, NULL), ERR_OK);
	for (int k = 0; k < FLOW_EVENT_N; k++) conflict(&w, (enum flow_event_kind)k, 0, STEP_SUCCEEDED);
	assert_int_equal(decide(&w), 0);
	flow_free(w.flow);
}

static void ask_approval(struct world *w, size_t step, uint32_t count)
{
	struct flow_event ev = {.kind = FLOW_APPROVAL_ASKED, .step = step, .t_us = w->now, .count = count, .to = SIZE_MAX, .by = SIZE_MAX};
	assert_int_equal(flow_apply(w->flow, &ev, NULL), ERR_OK);
}

static void a_step_begins_when_enough_have_agreed(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 2);
	begin(&w, FLOW_AUTO);
	conflict(&w, FLOW_APPROVAL_GIVEN, 0, 0);
	ask_approval(&w, 0, 2);
	assert_int_equal(decide(&w), 0);
	assert_int_equal(w.flow->state, RUN_WAITING);
	assert_int_equal(flow_waits_for(w.flow, 0), WAIT_APPROVAL);
	ok(&w, FLOW_APPROVAL_GIVEN, 0, 0);
	conflict(&w, FLOW_ATTEMPT_STARTED, 0, 0);
	ok(&w, FLOW_APPROVAL_GIVEN, 0, 0);
	must_be(&w, FLOW_DO_START, 0);
	/* Withdrawn before it began: it is asked for again. */
	ok(&w, FLOW_APPROVAL_WITHDRAWN, 0, 0);
	conflict(&w, FLOW_APPROVAL_WITHDRAWN, 0, 0);
	must_be(&w, FLOW_DO_START, 0);
	ask_approval(&w, 0, 1);
	ok(&w, FLOW_APPROVAL_GIVEN, 0, 0);
	run_step(&w, 0, STEP_SUCCEEDED);
	must_be(&w, FLOW_DO_START, 1);
	flow_free(w.flow);
}

static void a_refusal_denies_the_step(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 1);
	begin(&w, FLOW_AUTO);
	ask_approval(&w, 0, 2);
	ok(&w, FLOW_APPROVAL_GIVEN, 0, 0);
	ok(&w, FLOW_APPROVAL_REFUSED, 0, 0);
	assert_int_equal(w.flow->steps[0].state, STEP_DENIED);
	must_be(&w, FLOW_DO_FINISH, 0);
	flow_free(w.flow);
	/* With a person at the run it is tried again, and what was agreed to before counts no more. */
	begin(&w, FLOW_GUIDED);
	ok(&w, FLOW_REQUESTED, 0, 0);
	ask_approval(&w, 0, 1);
	ok(&w, FLOW_APPROVAL_REFUSED, 0, 0);
	assert_int_equal(flow_waits_for(w.flow, 0), WAIT_DECISION);
	ok(&w, FLOW_RESET, 0, 0);
	must_be(&w, FLOW_DO_START, 0);
	assert_false(w.flow->steps[0].is_approved);
	flow_free(w.flow);
}

static void a_manual_step_is_done_only_after_the_approval(void **state)
{
	(void)state;
	struct world w;
	world_make(&w, 1);
	w.steps[0].is_manual = true;
	begin(&w, FLOW_GUIDED);
	assert_int_equal(flow_waits_for(w.flow, 0), WAIT_PERSON);
	ask_approval(&w, 0, 1);
	conflict(&w, FLOW_SETTLED, 0, STEP_SUCCEEDED);
	ok(&w, FLOW_APPROVAL_GIVEN, 0, 0);
	assert_int_equal(flow_waits_for(w.flow, 0), WAIT_PERSON);
	ok(&w, FLOW_SETTLED, 0, STEP_SUCCEEDED);
	must_be(&w, FLOW_DO_FINISH, 0);
	flow_free(w.flow);
}

/* --- random books, random outcomes: every run ends, and no step starts before its needs are over ---------------------------------------- */

static uint64_t rng;

static unsigned roll(unsigned n)
{
	rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned)(rng >> 33) % n;
}

static void random_book(struct world *w)
{
	size_t n = 1 + roll(MAX - 1);
	world_make(w, n);
	for (size_t i = 0; i < n; i++) {
		struct book_step *s = &w->steps[i];
		if (roll(3) == 0 && i > 1) {
			w->nodes[i].need_count = 1 + roll(2);
			for (size_t k = 0; k < w->nodes[i].need_count; k++) w->needs[i][k] = roll((unsigned)i);
		}
		if (roll(5) == 0) s->is_manual = true;
		if (roll(5) == 0) w->approvals[i] = 1 + roll(2);
		if (roll(5) == 0) s->if_source = "x";
		if (roll(4) == 0) s->retry = (int)roll(3), s->delay_us = roll(50), s->backoff = 2;
		if (roll(4) == 0) s->timeout_us = 1 + roll(100);
		if (roll(4) == 0)
			s->on_failure = ON_FAILURE_CONTINUE;
		else if (roll(4) == 0)
			s->on_failure = ON_FAILURE_GOTO, s->goto_max = (int)roll(3), w->nodes[i].goto_step = roll((unsigned)n);
	}
}

static void check_started_legally(const struct world *w, size_t i)
{
	for (size_t k = 0; k < w->nodes[i].need_count; k++) {
		enum step_state s = w->flow->steps[w->nodes[i].needs[k]].state;
		bool continued = flow_is_bad(s) && w->steps[w->nodes[i].needs[k]].on_failure == ON_FAILURE_CONTINUE;
		assert_true(s == STEP_SUCCEEDED || s == STEP_SKIPPED || continued);
	}
}

static void random_move(struct world *w)
{
	size_t i = roll((unsigned)w->graph.count);
	struct flow_step *s = &w->flow->steps[i];
	static const enum step_state ends[] = {STEP_SUCCEEDED, STEP_SUCCEEDED, STEP_SUCCEEDED, STEP_FAILED, STEP_SKIPPED, STEP_DENIED, STEP_DIVERGED};
	if (s->state == STEP_RUNNING && s->open_calls)
		apply(w, roll(8) ? FLOW_CALL_FINISHED : FLOW_CALL_UNKNOWN, i, 0);
	else if (s->state == STEP_RUNNING && roll(3) == 0)
		apply(w, FLOW_CALL_STARTED, i, 0);
	else if (s->state == STEP_RUNNING) {
		struct flow_event ev = {.kind = FLOW_ATTEMPT_FINISHED,
		                        .step = i,
		                        .outcome = ends[roll(7)],
		                        .to = roll(6) ? SIZE_MAX : roll((unsigned)w->graph.count),
		                        .by = SIZE_MAX,
		                        .t_us = w->now};
		assert_int_equal(flow_apply(w->flow, &ev, NULL), ERR_OK);
	} else if (flow_waits_for(w->flow, i) == WAIT_RESOLVE) {
		if (roll(3))
			apply(w, FLOW_CALL_RESOLVED, i, 0);
		else
			ok(w, FLOW_SETTLED, i, STEP_SUCCEEDED);
	} else if (flow_waits_for(w->flow, i) == WAIT_APPROVAL) {
		conflict(w, FLOW_ATTEMPT_STARTED, i, 0);
		conflict(w, FLOW_SETTLED, i, STEP_SUCCEEDED);
		ok(w, roll(8) ? FLOW_APPROVAL_GIVEN : roll(2) ? FLOW_APPROVAL_REFUSED : FLOW_APPROVAL_WITHDRAWN, i, 0);
	} else if (flow_waits_for(w->flow, i) == WAIT_PERSON || flow_waits_for(w->flow, i) == WAIT_DECISION)
		ok(w, FLOW_SETTLED, i, roll(6) ? STEP_SUCCEEDED : STEP_FAILED);
	else if (flow_waits_for(w->flow, i) == WAIT_GO)
		ok(w, FLOW_REQUESTED, i, 0);
	if (roll(400) == 0) ok(w, FLOW_CANCEL, SIZE_MAX, 0);
}

static void carry_out(struct world *w, const struct flow_command *c)
{
	struct flow_event ev = {.step = c->step, .by = c->by, .to = SIZE_MAX, .t_us = w->now};
	switch (c->kind) {
	case FLOW_DO_START:
		check_started_legally(w, c->step);
		if (w->approvals[c->step] && !w->flow->steps[c->step].is_approved) {
			ev.kind = FLOW_APPROVAL_ASKED;
			ev.count = w->approvals[c->step];
			assert_int_equal(flow_apply(w->flow, &ev, NULL), ERR_OK);
			break;
		}
		assert_false(w->flow->is_cancelling);
		ok(w, FLOW_ATTEMPT_STARTED, c->step, 0);
		break;
	case FLOW_DO_EVALUATE:
		ok(w, FLOW_CONDITION, c->step, roll(4) ? STEP_SUCCEEDED : roll(2) ? STEP_SKIPPED : STEP_FAILED);
		break;
	case FLOW_DO_STOP:
		ok(w, FLOW_ATTEMPT_FINISHED, c->step, c->is_timeout ? STEP_TIMED_OUT : STEP_CANCELLED);
		break;
	case FLOW_DO_SKIP:
		ok(w, FLOW_SKIP, c->step, 0);
		break;
	case FLOW_DO_RESET:
		ev.kind = FLOW_RESET;
		assert_int_equal(flow_apply(w->flow, &ev, NULL), ERR_OK);
		break;
	case FLOW_DO_FINISH:
		ev.kind = FLOW_FINISHED;
		ev.step = SIZE_MAX;
		ev.run_state = c->run_state;
		assert_int_equal(flow_apply(w->flow, &ev, NULL), ERR_OK);
		break;
	case FLOW_DO_WAKE:
		break;
	}
}

static void every_random_run_ends_and_starts_nothing_too_early(void **state)
{
	(void)state;
	const char *given = getenv("SEEDS");
	uint64_t seeds = given ? strtoull(given, NULL, 10) : 20000;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct world w;
		rng = seed * UINT64_C(0x9e3779b97f4a7c15);
		random_book(&w);
		begin(&w, roll(2) ? FLOW_AUTO : FLOW_GUIDED);
		int rounds = 0;
		for (; !w.flow->is_finished && rounds < 20000; rounds++) {
			/* One command a round: the ones after it may be stale. */
			decide(&w);
			for (size_t i = 0; i < w.count; i++)
				if (w.commands[i].kind != FLOW_DO_WAKE) {
					carry_out(&w, &w.commands[i]);
					break;
				}
			if (!w.flow->is_finished) random_move(&w);
			w.now += roll(40);
		}
		if (!w.flow->is_finished) fail_msg("seed %llu does not end", (unsigned long long)seed);
		flow_free(w.flow);
	}
}

static void the_tables_are_printed(void **state)
{
	(void)state;
	json_t *t = flow_states_json();
	assert_int_equal(json_array_size(json_object_get(t, "steps")), STEP_STATE_N);
	assert_int_equal(json_array_size(json_object_get(t, "executions")), RUN_STATE_N);
	json_decref(t);
	for (int i = 0; i < STEP_STATE_N; i++) {
		enum step_state s;
		assert_true(step_state_find(step_state_name((enum step_state)i), &s));
		assert_int_equal(s, i);
	}
	assert_int_equal(run_exit_status(RUN_FAILED, false), 1);
	assert_int_equal(run_exit_status(RUN_FAILED, true), 4);
	assert_int_equal(run_exit_status(RUN_WAITING, false), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_call_that_is_said_to_have_failed_leaves_the_others_open),
	    cmocka_unit_test(steps_run_one_after_another_and_end),
	    cmocka_unit_test(steps_whose_needs_are_met_start_together),
	    cmocka_unit_test(a_failure_stops_what_comes_after),
	    cmocka_unit_test(what_runs_finishes_before_a_failed_execution_ends),
	    cmocka_unit_test(on_failure_continue_goes_on),
	    cmocka_unit_test(a_retry_waits_its_growing_delay),
	    cmocka_unit_test(a_deadline_stops_a_running_step),
	    cmocka_unit_test(the_deadline_stands_still_while_a_question_is_open),
	    cmocka_unit_test(the_deadline_stands_still_while_a_child_runs),
	    cmocka_unit_test(a_step_waits_while_its_child_waits_for_a_person),
	    cmocka_unit_test(a_child_whose_execution_cannot_go_on_is_an_unknown_call),
	    cmocka_unit_test(cancelling_stops_a_step_whose_child_waits),
	    cmocka_unit_test(goto_starts_its_target_again_and_is_bounded),
	    cmocka_unit_test(go_forward_skips_what_stands_between),
	    cmocka_unit_test(go_backward_is_a_bounded_loop),
	    cmocka_unit_test(in_guided_mode_a_person_says_go_and_decides_on_failures),
	    cmocka_unit_test(a_manual_step_waits_for_a_persons_word),
	    cmocka_unit_test(a_condition_is_evaluated_once_and_skips),
	    cmocka_unit_test(an_unknown_call_waits_to_be_resolved),
	    cmocka_unit_test(pausing_starts_nothing_and_cancelling_stops_what_runs),
	    cmocka_unit_test(nothing_is_legal_after_the_end),
	    cmocka_unit_test(a_step_begins_when_enough_have_agreed),
	    cmocka_unit_test(a_refusal_denies_the_step),
	    cmocka_unit_test(a_manual_step_is_done_only_after_the_approval),
	    cmocka_unit_test(every_random_run_ends_and_starts_nothing_too_early),
	    cmocka_unit_test(the_tables_are_printed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
