#include "flow/flow.h"
#include "flow/states.h"

#include <stdlib.h>
#include <string.h>

struct flow *flow_new(const struct graph *g, enum flow_mode mode)
{
	struct flow *f = mem_zero(sizeof *f);
	f->graph = g;
	f->mode = mode;
	f->steps = mem_zero(g->count * sizeof *f->steps);
	for (size_t i = 0; i < g->count; i++) f->steps[i].go_to = SIZE_MAX;
	return f;
}

void flow_free(struct flow *f)
{
	if (!f) return;
	free(f->steps);
	free(f);
}

struct flow *flow_copy(const struct flow *f)
{
	struct flow *copy = mem_zero(sizeof *copy);
	*copy = *f;
	copy->steps = mem_zero(f->graph->count * sizeof *copy->steps);
	memcpy(copy->steps, f->steps, f->graph->count * sizeof *copy->steps);
	return copy;
}

static const struct book_step *book_step(const struct flow *f, size_t i)
{
	return &f->graph->book->steps[i];
}

bool flow_has_condition(const struct flow *f, size_t i)
{
	const struct book_step *b = book_step(f, i);
	if (b->if_source) return true;
	for (size_t k = 0; k < b->fence_count; k++)
		if (b->fences[k].role == FENCE_IF) return true;
	return false;
}

/* Over in a way that lets the steps after it start. */
static bool is_met(const struct flow *f, size_t i)
{
	const struct flow_step *s = &f->steps[i];
	if (s->go_to != SIZE_MAX) return false; /* its `go` has not been carried out */
	if (s->state == STEP_SUCCEEDED || s->state == STEP_SKIPPED) return true;
	return flow_is_bad(s->state) && s->is_decided && book_step(f, i)->on_failure == ON_FAILURE_CONTINUE;
}

/* pending, ready and waiting follow from the other steps; everything else is said by an event. */
static void refresh_step(struct flow *f, size_t i)
{
	struct flow_step *s = &f->steps[i];
	bool waits_for_work = s->state == STEP_WAITING && !s->is_in_attempt;
	if (s->state != STEP_PENDING && s->state != STEP_READY && !waits_for_work) return;
	if (s->is_awaiting_approval) return;
	const struct graph_node *n = &f->graph->nodes[i];
	bool met = true;
	for (size_t k = 0; k < n->need_count; k++) met = met && is_met(f, n->needs[k]);
	if (!met)
		s->state = STEP_PENDING;
	else if (book_step(f, i)->is_manual && (s->is_condition_known || !flow_has_condition(f, i)))
		s->state = STEP_WAITING;
	else
		s->state = STEP_READY;
}

/* With a person at the run a bad end waits for a word, unless the book says what follows. */
static bool needs_decision(const struct flow *f, size_t i)
{
	const struct flow_step *s = &f->steps[i];
	return flow_is_bad(s->state) && !s->is_decided;
}

static enum run_state derive_state(const struct flow *f)
{
	bool running = false, waiting = false, attention = false, ready = false;
	for (size_t i = 0; i < f->graph->count; i++) {
		const struct flow_step *s = &f->steps[i];
		running = running || s->state == STEP_RUNNING || s->is_verifying || s->go_to != SIZE_MAX;
		ready = ready || (s->state == STEP_READY && (f->mode == FLOW_AUTO || s->is_requested));
		waiting = waiting || s->state == STEP_WAITING || (s->state == STEP_READY && f->mode == FLOW_GUIDED);
		attention = attention || s->state == STEP_UNKNOWN || needs_decision(f, i);
	}
	if (running || (ready && !f->is_paused)) return RUN_RUNNING;
	if (attention) return RUN_ATTENTION;
	if (waiting || f->is_paused) return RUN_WAITING;
	return RUN_RUNNING;
}

void flow_refresh(struct flow *f)
{
	for (size_t i = 0; i < f->graph->count; i++) refresh_step(f, i);
	if (!f->is_finished) f->state = derive_state(f);
}

/* After a bad end: does the book settle it (retry, goto, continue, or stop with nobody at the run)? */
static bool book_decides(const struct flow *f, size_t i)
{
	const struct flow_step *s = &f->steps[i];
	const struct book_step *b = book_step(f, i);
	if (s->state == STEP_DIVERGED) return f->mode == FLOW_AUTO;
	if (b->on_failure == ON_FAILURE_CONTINUE) return true;
	if (b->on_failure == ON_FAILURE_GOTO && s->goto_used < b->goto_max) return true;
	return f->mode == FLOW_AUTO;
}

static bool may_retry(const struct flow *f, size_t i)
{
	const struct flow_step *s = &f->steps[i];
	return (s->state == STEP_FAILED || s->state == STEP_TIMED_OUT) && s->retries_used < book_step(f, i)->retry;
}

/* When it happened on the clock that deadlines run on. */
static int64_t deadline_clock(const struct flow_event *ev)
{
	return ev->t_us + ev->ahead_us;
}

static void arm_retry(struct flow *f, size_t i, int64_t t_us)
{
	struct flow_step *s = &f->steps[i];
	const struct book_step *b = book_step(f, i);
	double delay = (double)b->delay_us;
	for (int k = 0; k < s->retries_used && b->backoff > 0; k++) delay *= b->backoff;
	s->retries_used++;
	s->state = STEP_READY;
	s->is_requested = true;
	s->due_us = t_us + (delay > 86400e6 ? INT64_C(86400000000) : (int64_t)delay);
}

static void end_attempt(struct flow *f, const struct flow_event *ev)
{
	struct flow_step *s = &f->steps[ev->step];
	s->state = ev->outcome;
	s->finished_us = ev->t_us;
	s->due_us = 0;
	s->open_calls = s->unknown_calls = s->open_questions = 0;
	s->open_children = s->waiting_children = 0;
	s->is_in_attempt = s->is_verifying = false;
	s->go_to = ev->outcome == STEP_SUCCEEDED ? ev->to : SIZE_MAX;
	/* A loop made with `go` is bounded like one made with goto. */
	if (s->go_to <= ev->step && s->goto_used >= book_step(f, ev->step)->goto_max) s->state = STEP_FAILED, s->go_to = SIZE_MAX;
	if (!flow_is_bad(s->state)) return;
	if (may_retry(f, ev->step) && !f->is_cancelling)
		arm_retry(f, ev->step, deadline_clock(ev));
	else
		s->is_decided = book_decides(f, ev->step);
}

static void forget_approval(struct flow_step *s)
{
	s->is_awaiting_approval = s->is_approved = false;
	s->approvals = s->approvals_needed = 0;
}

static void settle(struct flow *f, const struct flow_event *ev)
{
	struct flow_step *s = &f->steps[ev->step];
	if (s->started_us == 0) s->started_us = ev->t_us;
	if (s->attempt == 0) s->attempt = 1;
	s->state = ev->outcome;
	s->finished_us = ev->t_us;
	s->open_calls = s->unknown_calls = s->open_questions = 0;
	s->open_children = s->waiting_children = 0;
	s->is_in_attempt = s->is_verifying = false;
	s->due_us = 0;
	forget_approval(s);
	/* "Failed" from a person who is at the run asks what now; the book's on_failure answers where it can. */
	s->is_decided = flow_is_bad(ev->outcome) && book_decides(f, ev->step);
}

static void start_attempt(struct flow *f, const struct flow_event *ev)
{
	struct flow_step *s = &f->steps[ev->step];
	s->state = STEP_RUNNING;
	s->is_in_attempt = true;
	s->attempt++;
	s->started_us = ev->t_us;
	s->finished_us = 0;
	s->is_decided = false;
	s->open_calls = s->unknown_calls = s->open_questions = 0;
	s->open_children = s->waiting_children = 0;
	s->left_us = 0;
	int64_t timeout = book_step(f, ev->step)->timeout_us;
	s->due_us = timeout ? deadline_clock(ev) + timeout : 0;
}

static void reset_one(struct flow *f, size_t i)
{
	struct flow_step *s = &f->steps[i];
	*s = (struct flow_step){.state = STEP_PENDING, .attempt = s->attempt, .goto_used = s->goto_used, .go_to = SIZE_MAX, .open_terminal = s->open_terminal};
}

/* The steps that a reset of `root` touches: itself, all that depend on it, and the step that jumped. */
static void mark_reset(const struct flow *f, size_t root, size_t by, bool *marked)
{
	memset(marked, 0, f->graph->count);
	marked[root] = true;
	if (by != SIZE_MAX && flow_is_bad(f->steps[by].state)) marked[by] = true;
	for (bool grew = true; grew;) {
		grew = false;
		for (size_t i = 0; i < f->graph->count; i++) {
			const struct graph_node *n = &f->graph->nodes[i];
			for (size_t k = 0; !marked[i] && k < n->need_count; k++)
				if (marked[n->needs[k]]) marked[i] = grew = true;
		}
	}
}

static bool none_under_way(const struct flow *f, const bool *marked)
{
	for (size_t i = 0; i < f->graph->count; i++) {
		enum step_state s = f->steps[i].state;
		if (marked[i] && (s == STEP_RUNNING || s == STEP_UNKNOWN || f->steps[i].open_questions || f->steps[i].open_calls || f->steps[i].open_terminal))
			return false;
	}
	return true;
}

bool flow_reset_is_possible(const struct flow *f, size_t root, size_t by)
{
	bool *marked = mem_zero(f->graph->count);
	mark_reset(f, root, by, marked);
	bool possible = none_under_way(f, marked);
	free(marked);
	return possible;
}

/* Enough have agreed: it stands where it stood when they were asked, and may begin. */
static void approval_given(struct flow_step *s)
{
	if (++s->approvals < s->approvals_needed) return;
	s->is_awaiting_approval = false;
	s->is_approved = true;
}

static void approval_event(struct flow *f, const struct flow_event *ev)
{
	struct flow_step *s = &f->steps[ev->step];
	if (ev->kind == FLOW_APPROVAL_GIVEN) {
		approval_given(s);
		return;
	}
	forget_approval(s);
	if (ev->kind == FLOW_APPROVAL_ASKED) {
		s->is_awaiting_approval = true;
		s->approvals_needed = ev->count;
		s->state = STEP_WAITING;
	}
	if (ev->kind == FLOW_APPROVAL_REFUSED) {
		if (s->attempt == 0) s->attempt = 1;
		s->state = STEP_DENIED;
		s->started_us = s->finished_us = ev->t_us;
		s->due_us = 0;
		s->is_decided = book_decides(f, ev->step);
	}
}

static enum err reset(struct flow *f, const struct flow_event *ev, struct error *e)
{
	bool *marked = mem_zero(f->graph->count);
	mark_reset(f, ev->step, ev->by, marked);
	enum err err = ERR_OK;
	if (!none_under_way(f, marked))
		err = error_set(e, ERR_CONFLICT, "step %s cannot start again while it, or a step that depends on it, is under way", book_step(f, ev->step)->id);
	if (!err && ev->by != SIZE_MAX) {
		f->steps[ev->by].goto_used++;
		f->steps[ev->by].go_to = SIZE_MAX;
	}
	for (size_t i = 0; !err && i < f->graph->count; i++)
		if (marked[i]) reset_one(f, i);
	/* A person who says "again" has said go. */
	if (!err && ev->by == SIZE_MAX) f->steps[ev->step].is_requested = true;
	free(marked);
	return err;
}

/* In the middle of an attempt its state follows from its calls: what is unknown comes first, then what waits for a person. The deadline stands still while
 * nothing of it can go on by itself. */
static void follow_calls(struct flow *f, size_t i, int64_t t_us)
{
	struct flow_step *s = &f->steps[i];
	if (!s->is_in_attempt) return;
	s->state = s->unknown_calls ? STEP_UNKNOWN : s->open_questions || s->waiting_children ? STEP_WAITING : STEP_RUNNING;
	/* The steps of a child have deadlines of their own. */
	bool is_on_time = s->state == STEP_RUNNING && !s->open_children;
	int64_t timeout = book_step(f, i)->timeout_us;
	if (!is_on_time && s->due_us) {
		s->left_us = s->due_us > t_us ? s->due_us - t_us : timeout;
		s->due_us = 0;
	} else if (is_on_time && s->left_us) {
		s->due_us = t_us + s->left_us;
		s->left_us = 0;
	}
}

/* A call that another execution does. */
static void child_event(struct flow_step *s, const struct flow_event *ev, bool ends)
{
	if (ev->kind == FLOW_CALL_STARTED && ev->is_child) s->open_children++;
	if (ends && ev->is_child && s->open_children) s->open_children--;
	bool begins_to_wait = ev->kind == FLOW_CHILD_CHANGED && ev->is_waiting;
	bool waits_no_more = (ev->kind == FLOW_CHILD_CHANGED && !ev->is_waiting) || (ends && ev->is_child && ev->is_waiting);
	if (begins_to_wait && s->waiting_children < s->open_children) s->waiting_children++;
	if (waits_no_more && s->waiting_children) s->waiting_children--;
}

static void call_event(struct flow *f, const struct flow_event *ev)
{
	struct flow_step *s = &f->steps[ev->step];
	bool ends = (ev->kind == FLOW_CALL_FINISHED && !ev->was_unknown) || ev->kind == FLOW_CALL_UNKNOWN;
	if (ev->is_terminal) {
		if (ev->kind == FLOW_CALL_STARTED)
			s->open_terminal++;
		else if (ends && s->open_terminal)
			s->open_terminal--;
		return;
	}
	if (ev->kind == FLOW_CALL_STARTED) s->open_calls++;
	if (ends && s->open_calls) s->open_calls--;
	child_event(s, ev, ends);
	if (ev->kind == FLOW_CALL_UNKNOWN && s->is_in_attempt) s->unknown_calls++;
	if (ev->kind == FLOW_CALL_RESOLVED && s->unknown_calls) s->unknown_calls--;
	if (ev->kind == FLOW_QUESTION_ASKED) s->open_questions++;
	if (ev->kind == FLOW_QUESTION_ANSWERED && s->open_questions) s->open_questions--;
	follow_calls(f, ev->step, deadline_clock(ev));
}

static void condition(struct flow *f, const struct flow_event *ev)
{
	struct flow_step *s = &f->steps[ev->step];
	s->is_condition_known = true;
	if (ev->outcome == STEP_SUCCEEDED) return;
	s->state = ev->outcome == STEP_SKIPPED ? STEP_SKIPPED : STEP_FAILED;
	s->started_us = s->finished_us = ev->t_us;
	if (s->state == STEP_FAILED) s->is_decided = book_decides(f, ev->step);
}

/* A deadline is what remained of it when the engine ended, whatever the wall clock said meanwhile; never more than all of its time. A retry waits for what the
 * wall clock leaves of its delay, and never longer than all of it. */
static void take_up_deadlines(struct flow *f, int64_t now_us)
{
	for (size_t i = 0; i < f->graph->count; i++) {
		struct flow_step *s = &f->steps[i];
		int64_t most = s->state == STEP_RUNNING ? book_step(f, i)->timeout_us : s->due_us - s->finished_us;
		if (!s->due_us) continue;
		if (s->state == STEP_RUNNING) s->due_us += now_us - f->last_us;
		if (s->due_us > now_us + most) s->due_us = now_us + most;
	}
}

static enum err run_event(struct flow *f, const struct flow_event *ev)
{
	if (ev->kind == FLOW_PAUSED) f->is_paused = true;
	if (ev->kind == FLOW_RESUMED && !ev->is_take_up) f->is_paused = false;
	if (ev->is_take_up) take_up_deadlines(f, deadline_clock(ev));
	if (ev->kind == FLOW_CANCEL) f->is_cancelling = true;
	if (ev->kind == FLOW_FINISHED) {
		f->is_finished = true;
		f->state = ev->run_state;
	}
	if (!f->is_finished) flow_refresh(f);
	return ERR_OK;
}

static enum err check(const struct flow *f, const struct flow_event *ev, struct error *e)
{
	if (f->is_finished) return error_set(e, ERR_CONFLICT, "the execution is over (%s)", run_state_name(f->state));
	const struct flow_transition *t = flow_transition(ev->kind);
	if (!t->name) return ERR_OK; /* of the whole execution */
	if (ev->step >= f->graph->count) return error_set(e, ERR_NOT_FOUND, "the book has no such step");
	const struct flow_step *s = &f->steps[ev->step];
	/* What became of a call is told when it ends, whatever its step is by then. */
	bool is_told = ev->kind == FLOW_CALL_FINISHED || ev->kind == FLOW_CALL_UNKNOWN;
	if (!is_told && !(t->from & BIT(s->state)))
		return error_set(e, ERR_CONFLICT, "step %s is %s: \"%s\" is not possible now", book_step(f, ev->step)->id, step_state_name(s->state), t->name);
	if (ev->kind == FLOW_SETTLED && ev->outcome != STEP_SUCCEEDED && ev->outcome != STEP_FAILED && ev->outcome != STEP_SKIPPED)
		return error_set(e, ERR_USAGE, "a step is settled as succeeded, failed or skipped");
	bool is_of_approval = ev->kind == FLOW_APPROVAL_GIVEN || ev->kind == FLOW_APPROVAL_REFUSED;
	if (is_of_approval && !s->is_awaiting_approval) return error_set(e, ERR_CONFLICT, "step %s waits for no approval", book_step(f, ev->step)->id);
	if (ev->kind == FLOW_APPROVAL_ASKED && (s->is_in_attempt || s->is_awaiting_approval || ev->count == 0))
		return error_set(e, ERR_CONFLICT, "step %s cannot wait for an approval now", book_step(f, ev->step)->id);
	if (ev->kind == FLOW_APPROVAL_WITHDRAWN && !s->is_awaiting_approval && !s->is_approved)
		return error_set(e, ERR_CONFLICT, "step %s has no approval", book_step(f, ev->step)->id);
	bool needs_it = ev->kind == FLOW_ATTEMPT_STARTED || (ev->kind == FLOW_SETTLED && ev->outcome == STEP_SUCCEEDED);
	if (needs_it && s->is_awaiting_approval)
		return error_set(e, ERR_CONFLICT, "step %s waits until %u more agree: rung approve", book_step(f, ev->step)->id,
		                 s->approvals_needed - s->approvals);
	if (ev->kind == FLOW_SETTLED && s->open_questions) return error_set(e, ERR_CONFLICT, "step %s waits for an answer", book_step(f, ev->step)->id);
	return ERR_OK;
}

static enum err apply(struct flow *f, const struct flow_event *ev, struct error *e)
{
	enum err err = ERR_OK;
	struct flow_step *s = ev->step < f->graph->count ? &f->steps[ev->step] : NULL;
	must(s || ev->kind >= FLOW_PAUSED); /* check saw to it */
	switch (ev->kind) {
	case FLOW_REQUESTED:
		s->is_requested = true;
		break;
	case FLOW_CONDITION:
		condition(f, ev);
		break;
	case FLOW_SKIP:
		forget_approval(s);
		s->state = STEP_SKIPPED;
		s->started_us = s->finished_us = ev->t_us;
		break;
	case FLOW_ATTEMPT_STARTED:
		start_attempt(f, ev);
		break;
	case FLOW_ATTEMPT_FINISHED:
		end_attempt(f, ev);
		break;
	case FLOW_CALL_STARTED:
	case FLOW_CALL_FINISHED:
	case FLOW_CALL_UNKNOWN:
	case FLOW_CALL_RESOLVED:
	case FLOW_QUESTION_ASKED:
	case FLOW_QUESTION_ANSWERED:
	case FLOW_CHILD_CHANGED:
		call_event(f, ev);
		break;
	case FLOW_VERIFICATION_STARTED:
		s->is_verifying = true;
		break;
	case FLOW_VERIFICATION_FINISHED:
		s->is_verifying = false;
		break;
	case FLOW_APPROVAL_ASKED:
	case FLOW_APPROVAL_GIVEN:
	case FLOW_APPROVAL_REFUSED:
	case FLOW_APPROVAL_WITHDRAWN:
		approval_event(f, ev);
		break;
	case FLOW_SETTLED:
		settle(f, ev);
		break;
	case FLOW_RESET:
		err = reset(f, ev, e);
		if (err) return err;
		break;
	default:
		return run_event(f, ev);
	}
	flow_refresh(f);
	return ERR_OK;
}

enum err flow_apply(struct flow *f, const struct flow_event *ev, struct error *e)
{
	enum err err = check(f, ev, e);
	if (!err) err = apply(f, ev, e);
	if (!err) f->last_us = deadline_clock(ev);
	return err;
}
