#include "flow/flow.h"
#include "flow/states.h"

#include <stdlib.h>
#include <string.h>

struct decision {
	struct flow_command *out;
	size_t count, max;
};

static void add(struct decision *d, struct flow_command c)
{
	must(d->count < d->max);
	d->out[d->count++] = c;
}

static const struct book_step *book_step(const struct flow *f, size_t i)
{
	return &f->graph->book->steps[i];
}

enum flow_wait flow_waits_for(const struct flow *f, size_t i)
{
	const struct flow_step *s = &f->steps[i];
	if (f->is_finished) return WAIT_NONE;
	if (s->is_awaiting_approval) return WAIT_APPROVAL;
	if (s->open_questions) return WAIT_ANSWER;
	if (s->state == STEP_UNKNOWN) return s->is_verifying ? WAIT_NONE : WAIT_RESOLVE;
	if (s->is_in_attempt && s->waiting_children) return WAIT_CHILD;
	if (s->state == STEP_WAITING) return WAIT_PERSON;
	if (s->state == STEP_READY && s->due_us) return WAIT_RETRY;
	if (s->state == STEP_READY && flow_has_condition(f, i) && !s->is_condition_known) return WAIT_NONE;
	if (s->state == STEP_READY && f->mode == FLOW_GUIDED && !s->is_requested) return WAIT_GO;
	if (flow_is_bad(s->state) && !s->is_decided) return WAIT_DECISION;
	return WAIT_NONE;
}

/* A step's bad end that stands and for which the book says stop: nothing new starts. */
static bool is_stopping(const struct flow *f)
{
	for (size_t i = 0; i < f->graph->count; i++) {
		const struct flow_step *s = &f->steps[i];
		const struct book_step *b = book_step(f, i);
		bool jumps = b->on_failure == ON_FAILURE_GOTO && s->goto_used < b->goto_max && s->state != STEP_DIVERGED;
		if (flow_is_bad(s->state) && s->is_decided && b->on_failure != ON_FAILURE_CONTINUE && !jumps) return true;
		if (s->state == STEP_DIVERGED && s->is_decided) return true;
	}
	return false;
}

static bool is_busy(const struct flow *f)
{
	for (size_t i = 0; i < f->graph->count; i++)
		if (f->steps[i].is_in_attempt || f->steps[i].open_calls || f->steps[i].open_terminal) return true;
	return false;
}

/* Has not begun, and nothing of it is under way: `go` may lead past it. */
static bool may_be_skipped(const struct flow_step *s)
{
	if (s->state == STEP_PENDING || s->state == STEP_READY) return true;
	return s->state == STEP_WAITING && !s->is_in_attempt && !s->open_terminal;
}

/* `go` and on_failure=goto. */
static bool decide_jump(const struct flow *f, size_t i, struct decision *d)
{
	const struct flow_step *s = &f->steps[i];
	const struct book_step *b = book_step(f, i);
	size_t to = s->go_to;
	if (flow_is_bad(s->state) && s->is_decided && b->on_failure == ON_FAILURE_GOTO && s->goto_used < b->goto_max && s->state != STEP_DIVERGED)
		to = f->graph->nodes[i].goto_step;
	if (to == SIZE_MAX || !flow_reset_is_possible(f, to, i)) return false;
	bool is_forward = s->go_to != SIZE_MAX && to > i && !flow_is_over(f->steps[to].state);
	if (is_forward) {
		/* What is under way for a step that will be skipped comes to its end first. */
		for (size_t k = i + 1; k < to; k++)
			if (f->steps[k].open_calls && may_be_skipped(&f->steps[k])) return false;
		for (size_t k = i + 1; k < to; k++)
			if (may_be_skipped(&f->steps[k])) add(d, (struct flow_command){.kind = FLOW_DO_SKIP, .step = k, .by = i});
	}
	add(d, (struct flow_command){.kind = FLOW_DO_RESET, .step = to, .by = i});
	return true;
}

static void decide_ready(const struct flow *f, size_t i, int64_t now_us, struct decision *d)
{
	const struct flow_step *s = &f->steps[i];
	if (flow_has_condition(f, i) && !s->is_condition_known) {
		add(d, (struct flow_command){.kind = FLOW_DO_EVALUATE, .step = i});
		return;
	}
	if (f->mode == FLOW_GUIDED && !s->is_requested) return;
	if (s->due_us > now_us)
		add(d, (struct flow_command){.kind = FLOW_DO_WAKE, .step = i, .at_us = s->due_us});
	else
		add(d, (struct flow_command){.kind = FLOW_DO_START, .step = i});
}

static enum run_state final_state(const struct flow *f)
{
	enum run_state worst = RUN_SUCCEEDED;
	for (size_t i = 0; i < f->graph->count; i++) {
		enum step_state s = f->steps[i].state;
		if (flow_is_bad(s) && book_step(f, i)->on_failure == ON_FAILURE_CONTINUE && s != STEP_DIVERGED) continue;
		if (s == STEP_DIVERGED) return RUN_DIVERGED;
		if (s == STEP_TIMED_OUT && worst == RUN_SUCCEEDED)
			worst = RUN_TIMED_OUT;
		else if (flow_is_bad(s) && s != STEP_TIMED_OUT)
			worst = RUN_FAILED;
	}
	return worst;
}

static bool all_over(const struct flow *f)
{
	for (size_t i = 0; i < f->graph->count; i++)
		if (!flow_is_over(f->steps[i].state) || flow_waits_for(f, i) == WAIT_DECISION || f->steps[i].open_terminal) return false;
	return true;
}

static void decide_cancel(const struct flow *f, struct decision *d)
{
	for (size_t i = 0; i < f->graph->count; i++) {
		const struct flow_step *s = &f->steps[i];
		/* A question beside a call that nobody knows of stays open: to end the step would hide what is unknown. */
		bool asks = s->open_questions && s->state != STEP_UNKNOWN;
		if (s->state == STEP_RUNNING || s->is_verifying || s->open_calls || asks || s->open_terminal)
			add(d, (struct flow_command){.kind = FLOW_DO_STOP, .step = i});
	}
	if (d->count == 0) add(d, (struct flow_command){.kind = FLOW_DO_FINISH, .run_state = RUN_CANCELLED});
}

size_t flow_decide(const struct flow *f, int64_t now_us, struct flow_command *out, size_t max)
{
	struct decision d = {.out = out, .max = max};
	if (f->is_finished) return 0;
	if (f->is_cancelling) {
		decide_cancel(f, &d);
		return d.count;
	}
	for (size_t i = 0; i < f->graph->count; i++) {
		const struct flow_step *s = &f->steps[i];
		if (s->state != STEP_RUNNING || !s->due_us) continue;
		if (s->due_us <= now_us)
			add(&d, (struct flow_command){.kind = FLOW_DO_STOP, .step = i, .is_timeout = true});
		else
			add(&d, (struct flow_command){.kind = FLOW_DO_WAKE, .step = i, .at_us = s->due_us});
	}
	bool stopping = is_stopping(f);
	if (stopping && !is_busy(f)) {
		add(&d, (struct flow_command){.kind = FLOW_DO_FINISH, .run_state = final_state(f)});
		return d.count;
	}
	if (stopping || f->is_paused) return d.count;
	/* One jump at a time: it changes what the others are. */
	for (size_t i = 0; i < f->graph->count; i++) {
		size_t before = d.count;
		if (decide_jump(f, i, &d)) return d.count;
		must(d.count == before);
	}
	for (size_t i = 0; i < f->graph->count; i++)
		if (f->steps[i].state == STEP_READY) decide_ready(f, i, now_us, &d);
	if (all_over(f)) add(&d, (struct flow_command){.kind = FLOW_DO_FINISH, .run_state = final_state(f)});
	return d.count;
}
