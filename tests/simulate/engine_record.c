#include "engine_parts.h"

/* The engine's journal: what is folded, what is submitted, what waits until it is durable. */

/* What an engine records of its own accord, flow/ must take. */
void engine_sure(const struct engine *g, bool was_taken)
{
	if (!was_taken) broken(g->world, "flow/ refuses what engine %u records", g->number);
}

struct sim_call *engine_find_call(struct engine *g, size_t step, uint32_t attempt, uint32_t number)
{
	struct sim_step *s = &g->steps[step];
	for (size_t i = s->count; i-- > 0;)
		if (s->calls[i].flow.attempt == attempt && s->calls[i].flow.number == number) return &s->calls[i];
	return NULL;
}

static struct sim_call *add_call(struct engine *g, const struct line *l)
{
	struct sim_step *s = &g->steps[l->ev.step];
	must(s->count < CALLS_MAX);
	s->calls[s->count] = (struct sim_call){.flow = {.number = l->call, .attempt = l->attempt}};
	return &s->calls[s->count++];
}

static uint32_t most_order(const struct engine *g, const struct line *l)
{
	uint32_t most = 0;
	const struct sim_step *s = &g->steps[l->ev.step];
	for (size_t i = 0; i < s->count; i++) {
		const struct flow_call *c = &s->calls[i].flow;
		if (c->attempt == l->attempt && call_range_of(c->number) == call_range_of(l->call) && c->order > most) most = c->order;
	}
	return most;
}

static void fold_call(struct engine *g, const struct line *l)
{
	struct sim_call *c = engine_find_call(g, l->ev.step, l->attempt, l->call);
	if (!c && l->ev.kind != FLOW_CALL_STARTED) return;
	if (!c) c = add_call(g, l);
	if (l->ev.kind == FLOW_CALL_STARTED) {
		if (c->flow.state == CALL_AGAIN) c->intents = 0;
		c->flow.has_left_before = c->intents++ > 0;
	}
	call_apply(&c->flow, l->ev.kind, most_order(g, l), l->is_again);
	if (l->ev.kind == FLOW_CALL_FINISHED) c->answer = l->answer, c->is_failure = l->is_failure;
	if (l->ev.kind != FLOW_CALL_STARTED) return;
	c->asks = l->asks;
	c->flow.effect = l->effect;
	c->flow.is_question = l->is_question;
	c->code_needed = l->code_needed;
	c->code_from = l->code_from;
	c->flow.is_in_verify = l->is_in_verify;
}

static bool is_about_approval(enum flow_event_kind kind)
{
	return kind == FLOW_APPROVAL_ASKED || kind == FLOW_APPROVAL_GIVEN || kind == FLOW_APPROVAL_REFUSED || kind == FLOW_APPROVAL_WITHDRAWN;
}

/* What is no event of flow/. */
static void fold_rest(struct engine *g, const struct line *l)
{
	if (l->what == LINE_DRIVER) {
		must(g->driver_count < DRIVERS_MAX);
		g->drivers[g->driver_count++] = people_names[l->who];
	}
	if (l->what != LINE_TARGETS) return;
	struct sim_step *s = &g->steps[l->ev.step];
	s->targets = l->targets;
	s->has_targets = l->targets < TARGETS_UNKNOWN;
	s->are_targets_fresh = true;
}

static void fold_step(struct engine *g, const struct line *l)
{
	enum flow_event_kind kind = l->ev.kind;
	if (kind == FLOW_CALL_STARTED || kind == FLOW_CALL_FINISHED || kind == FLOW_CALL_UNKNOWN || kind == FLOW_CALL_RESOLVED) fold_call(g, l);
	if (is_about_approval(kind)) engine_fold_approval(g, l);
	if (kind == FLOW_VERIFICATION_FINISHED) g->steps[l->ev.step].is_proof_tried = true;
	for (size_t i = 0; i < g->world->graph.count && approval_ages_targets(kind); i++)
		if (i == l->ev.step || kind == FLOW_RESET) g->steps[i].are_targets_fresh = false;
	if (kind != FLOW_ATTEMPT_STARTED) return;
	g->steps[l->ev.step].is_proof_tried = false;
	g->ran_us[l->ev.step] = 0;
	g->ran_attempt[l->ev.step] = g->flow->steps[l->ev.step].attempt;
}

bool engine_fold(struct engine *g, const struct line *l)
{
	struct sim_call *known = l->ev.kind == FLOW_CALL_STARTED ? engine_find_call(g, l->ev.step, l->attempt, l->call) : NULL;
	struct error e;
	if (l->what != LINE_EVENT) {
		fold_rest(g, l);
		return true;
	}
	/* An approval that code asked for is an answer to its call; the step itself waits for none. */
	bool is_event = !(known && call_is_open(&known->flow)) && !(l->call && is_about_approval(l->ev.kind));
	struct flow_event ev = l->ev;
	const struct sim_call *c = ev.kind == FLOW_CALL_FINISHED ? engine_find_call(g, ev.step, l->attempt, l->call) : NULL;
	ev.was_unknown = c && c->flow.state == CALL_UNKNOWN;
	if (is_event && flow_apply(g->flow, &ev, &e)) return false;
	if (l->ev.kind == FLOW_RESUMED) g->epoch = lease_read(g->epoch, l->epoch);
	if (l->ev.step != SIZE_MAX) fold_step(g, l);
	return true;
}

/* --- to the store ------------------------------------------------------------------------------------------------------------------------ */

/* The clock that deadlines run on: nobody sets it. */
int64_t engine_steady_us(const struct engine *g)
{
	return g->begun_us + g->world->real_us - g->begun_real_us;
}

bool engine_emit(struct engine *g, struct line l)
{
	l.ev.t_us = g->world->now_us;
	l.ev.ahead_us = engine_steady_us(g) - g->world->now_us;
	l.epoch = g->epoch;
	l.engine = g->number;
	l.policy = (unsigned)g->world->people.now;
	l.real_us = g->world->real_us;
	g->is_emitting = true;
	bool was_folded = engine_fold(g, &l);
	g->is_emitting = false;
	if (!was_folded) return false;
	must(g->line_count < RECORDS_MAX);
	g->lines[g->line_count++] = l;
	return true;
}

bool engine_event(struct engine *g, enum flow_event_kind kind, size_t step, enum step_state outcome)
{
	uint32_t attempt = step == SIZE_MAX ? 0 : g->flow->steps[step].attempt + (kind == FLOW_ATTEMPT_STARTED);
	return engine_emit(g, (struct line){.ev = {.kind = kind, .step = step, .outcome = outcome, .to = SIZE_MAX, .by = SIZE_MAX}, .attempt = attempt});
}

bool engine_emit_call(struct engine *g, enum flow_event_kind kind, size_t step, const struct flow_call *c, struct line l)
{
	l.ev = (struct flow_event){.kind = kind, .step = step, .to = SIZE_MAX, .by = SIZE_MAX};
	l.attempt = c->attempt;
	l.call = c->number;
	return engine_emit(g, l);
}

void engine_later(struct engine *g, struct later l)
{
	must(g->later_count < LATERS_MAX);
	l.batch = SIZE_MAX;
	g->laters[g->later_count++] = l;
}

void engine_commit(struct engine *g)
{
	if (g->line_count > g->batched && !lease_may_submit(g->is_claiming, (unsigned)(g->batch_count - g->told))) return;
	if (g->line_count > g->batched) {
		must(g->batch_count < BATCHES_MAX);
		g->batches[g->batch_count++] = (struct batch){.first = g->batched, .count = g->line_count - g->batched};
		g->batched = g->line_count;
	}
	for (size_t i = g->later_count; i-- > g->later_done && g->laters[i].batch == SIZE_MAX;) g->laters[i].batch = g->batch_count;
	engine_run_laters(g);
}
