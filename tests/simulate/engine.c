#include "engine_parts.h"

#include <stddef.h>
#include <string.h>

/* An engine of the simulation: carries out what flow/ decides, as service/ does, against a store and targets that are not there. */

void engine_run_laters(struct engine *g)
{
	while (g->later_done < g->later_count && g->laters[g->later_done].batch <= g->told) {
		struct later l = g->laters[g->later_done++];
		struct live *a = &g->steps[l.step].live;
		struct flow_call c = {.attempt = l.attempt, .number = l.call, .order = l.order};
		if (l.kind == LATER_DEPART) engine_depart(g, &l);
		if (l.kind == LATER_HAND_OVER && a->is_on && replay_recorded(&a->replay, &c)) engine_deliver(g, l.step);
		if (l.kind == LATER_WORK && a->is_on && a->serial == l.call && !a->has_worker && !a->is_stopping) {
			a->has_worker = true;
			oracle_work(g->world, g, l.step);
		}
	}
}

static void start(struct engine *g, size_t step)
{
	if (g->steps[step].live.is_on || !engine_gate(g, step)) return;
	if (!engine_event(g, FLOW_ATTEMPT_STARTED, step, 0)) return;
	g->steps[step].worker_losses = 0;
	engine_begin_live(g, step, FOR_ACTION);
}

static void check_deadline(const struct engine *g, size_t step)
{
	int64_t timeout_us = g->world->book_steps[step].timeout_us;
	/* Where the wall clock was set, an engine that takes up knows no better than the times of the records. */
	if ((g->world->is_clock_right || g->number == 1) && g->ran_us[step] < timeout_us && !g->steps[step].live.is_stopping)
		broken(g->world, "step %zu is stopped after %lld of its %lld us", step, (long long)g->ran_us[step], (long long)timeout_us);
}

static bool carry_out(struct engine *g, const struct flow_command *c)
{
	struct line l = {.ev = {.step = c->step, .to = SIZE_MAX, .by = c->by}};
	switch (c->kind) {
	case FLOW_DO_EVALUATE:
		if (!g->steps[c->step].live.is_on) engine_begin_live(g, c->step, FOR_CONDITION);
		return false;
	case FLOW_DO_START:
		start(g, c->step);
		return false;
	case FLOW_DO_STOP:
		if (c->is_timeout) check_deadline(g, c->step);
		engine_stop(g, c->step, c->is_timeout ? STEP_TIMED_OUT : STEP_CANCELLED);
		return false;
	case FLOW_DO_SKIP:
		l.ev.kind = FLOW_SKIP;
		engine_emit(g, l);
		return true;
	case FLOW_DO_RESET:
		l.ev.kind = FLOW_RESET;
		engine_emit(g, l);
		for (size_t i = 0; i < g->world->graph.count; i++)
			if (g->steps[i].live.is_on && g->steps[i].live.purpose == FOR_CONDITION) engine_drop_live(g, i);
		return true;
	case FLOW_DO_FINISH:
		l.ev.kind = FLOW_FINISHED;
		l.ev.step = SIZE_MAX;
		l.ev.run_state = c->run_state;
		engine_emit(g, l);
		return true;
	case FLOW_DO_WAKE:
		break;
	}
	return false;
}

static void revive(struct engine *g, size_t i)
{
	struct sim_step *s = &g->steps[i];
	struct step_around around = {s->live.is_on, s->needs_run, g->world->book_steps[i].fence_count > 0, s->is_proof_tried};
	enum step_need need = step_need_of(g->flow, i, around);
	if (need == STEP_NEEDS_RUN) {
		s->needs_run = false;
		engine_begin_live(g, i, FOR_ACTION);
	}
	if (need != STEP_NEEDS_PROOF) return;
	s->is_proof_tried = true;
	engine_begin_live(g, i, FOR_PROOF);
	engine_event(g, FLOW_VERIFICATION_STARTED, i, 0);
}

static void advance(struct engine *g)
{
	struct flow_command commands[2 * STEPS_MAX + 2];
	int64_t wake_us = INT64_MAX;
	if (g->is_awaiting_lock || g->flow->is_finished) return;
	for (bool again = true; again && !g->flow->is_finished;) {
		again = false;
		wake_us = INT64_MAX;
		size_t n = flow_decide(g->flow, engine_steady_us(g), commands, 2 * STEPS_MAX + 2);
		for (size_t i = 0; i < n; i++) {
			if (carry_out(g, &commands[i])) again = true;
			if (commands[i].kind == FLOW_DO_WAKE && commands[i].at_us < wake_us) wake_us = commands[i].at_us;
		}
	}
	if (g->flow->is_finished) return;
	engine_advance_approvals(g);
	int64_t passes_us = engine_approvals_pass_us(g);
	g->armed_us = passes_us < wake_us ? passes_us : wake_us;
	for (size_t i = 0; i < g->world->graph.count && !g->flow->is_finished; i++) revive(g, i);
}

void engine_step_on(struct engine *g)
{
	if (g->is_gone) return;
	advance(g);
	engine_commit(g);
}

void engine_tell(struct engine *g)
{
	if (g->told == g->stored) return;
	g->told++;
	g->is_claiming = false;
	engine_run_laters(g);
	engine_step_on(g);
}

/* --- begin, take up, end ---------------------------------------------------------------------------------------------------------------------- */

static struct engine *new_engine(struct world *w)
{
	must(w->engine_count < ENGINES_MAX);
	if (!w->engines[w->engine_count]) w->engines[w->engine_count] = mem_alloc(sizeof(struct engine));
	struct engine *g = w->engines[w->engine_count++];
	memset(g, 0, offsetof(struct engine, steps)); /* what is behind counts only as far as it is filled */
	for (size_t i = 0; i < STEPS_MAX; i++) memset(&g->steps[i], 0, offsetof(struct sim_step, calls));
	g->line_count = g->batched = g->batch_count = g->stored = g->told = g->later_count = g->later_done = 0;
	g->world = w;
	g->number = w->engine_count;
	g->epoch = lease_next(0);
	g->armed_us = INT64_MAX;
	g->arena = arena_new();
	g->drivers[g->driver_count++] = people_names[0];
	g->begun_us = w->now_us;
	g->begun_real_us = w->real_us;
	g->flow = flow_new(&w->graph, w->mode);
	flow_refresh(g->flow);
	return g;
}

struct engine *engine_begin(struct world *w)
{
	struct engine *g = new_engine(w);
	engine_step_on(g);
	return g;
}

/* Of an attempt that both know; where the one before had lost it, nothing is asked of it. */
static void know_times(struct engine *g, const struct engine *before)
{
	for (size_t i = 0; i < g->world->graph.count; i++)
		g->ran_us[i] = before->ran_attempt[i] == g->flow->steps[i].attempt ? before->ran_us[i] : INT64_MAX / 2,
		g->ran_attempt[i] = g->flow->steps[i].attempt;
}

/* The last that had the lease; others only asked for it. */
static const struct engine *engine_before(const struct world *w)
{
	unsigned i = w->engine_count - 1;
	while (--i && (!w->engines[i]->stored || w->engines[i]->batches[0].is_refused)) continue;
	return w->engines[i];
}

struct engine *engine_take_up(struct world *w)
{
	struct engine *g = new_engine(w);
	for (size_t i = 0; i < w->journal_count; i++)
		if (!engine_fold(g, &w->journal[i])) broken(w, "line %zu of the journal does not fold", i);
	know_times(g, engine_before(w));
	g->epoch = lease_next(g->epoch);
	g->claim = (struct lease_claim){.epoch = g->epoch, .last = w->journal_count};
	g->is_claiming = g->is_awaiting_lock = g->is_taking_up = true;
	engine_sure(g, engine_emit(g, (struct line){.ev = {.kind = FLOW_RESUMED, .step = SIZE_MAX, .is_take_up = true, .to = SIZE_MAX, .by = SIZE_MAX}}));
	engine_commit(g);
	return g;
}

static void taken_up(struct engine *g)
{
	g->is_taking_up = false;
	for (size_t i = 0; i < g->world->graph.count; i++) {
		g->steps[i].needs_run = true;
		if (g->flow->steps[i].is_verifying) {
			engine_settle_open(g, i, LOSS_STEP);
			engine_end_proof(g, i);
			g->steps[i].is_proof_tried = false;
		}
		engine_settle_open(g, i, LOSS_ENGINE);
	}
}

void engine_lock_is_free(struct engine *g)
{
	g->is_awaiting_lock = false;
	if (g->is_taking_up)
		taken_up(g);
	else
		engine_settle_flying(g);
	engine_step_on(g);
}

void engine_end(struct engine *g)
{
	if (g->is_gone) return;
	g->is_gone = true;
	flow_free(g->flow);
	g->flow = NULL;
	arena_free(g->arena);
}
