#include "engine_parts.h"

/* Calls: to the target and back, by the fates that flow/ gives them. */

void engine_finish_call(struct engine *g, size_t step, struct sim_call *c, uint64_t answer, bool is_failure)
{
	engine_sure(g, engine_emit_call(g, FLOW_CALL_FINISHED, step, &c->flow, (struct line){.answer = answer, .is_failure = is_failure}));
	engine_later(g, (struct later){LATER_HAND_OVER, 0, step, c->flow.attempt, c->flow.number, c->flow.order});
}

void engine_unknown_call(struct engine *g, size_t step, struct sim_call *c)
{
	engine_sure(g, engine_emit_call(g, FLOW_CALL_UNKNOWN, step, &c->flow, (struct line){.effect = c->flow.effect}));
	g->world->tally.unknown++;
}

void engine_make_call(struct engine *g, size_t step, struct sim_call *c)
{
	c->flow.is_intended = true;
	engine_later(g, (struct later){LATER_DEPART, 0, step, c->flow.attempt, c->flow.number, 0});
}

bool engine_start_call(struct engine *g, size_t step, const struct flow_call *c, struct line l)
{
	return engine_emit_call(g, FLOW_CALL_STARTED, step, c, l);
}

void engine_remake_call(struct engine *g, size_t step, struct sim_call *c)
{
	engine_sure(g, engine_start_call(g, step, &c->flow, (struct line){.asks = c->asks, .effect = c->flow.effect, .is_in_verify = c->flow.is_in_verify}));
	g->world->tally.again++;
	engine_make_call(g, step, c);
}

void engine_depart(struct engine *g, const struct later *l)
{
	struct sim_call *c = engine_find_call(g, l->step, l->attempt, l->call);
	struct live *a = &g->steps[l->step].live;
	if (!c) return;
	switch (call_depart(&c->flow, g->flow, l->step, g->is_awaiting_lock, a->is_on && (a->is_stopping || a->has_ended))) {
	case DEPARTS_NOT:
	case DEPARTS_LATER: /* stays intended: it is tried again when the lock is free */
		return;
	case DEPARTS_NEVER:
		c->flow.is_intended = false;
		if (call_fate_unmade(&c->flow) == FATE_UNKNOWN)
			engine_unknown_call(g, l->step, c);
		else
			engine_finish_call(g, l->step, c, 0, true);
		engine_calls_changed(g, l->step);
		return;
	case DEPARTS:
		c->flow.is_intended = c->flow.is_cancelled = false;
		c->flow.is_dispatched = true;
		c->id = ++g->next_id;
		world_depart(g, l->step, l->attempt, l->call, c->id);
		return;
	}
}

void engine_cancel_open(struct engine *g, size_t step)
{
	for (size_t i = 0; i < g->steps[step].count; i++) {
		struct sim_call *c = &g->steps[step].calls[i];
		if (!c->id || c->flow.is_cancelled) continue;
		c->flow.is_cancelled = true;
		world_cancel(g, c->id);
	}
}

void engine_settle_open(struct engine *g, size_t step, enum call_loss loss)
{
	for (size_t i = 0; i < g->steps[step].count; i++) {
		struct sim_call *c = &g->steps[step].calls[i];
		enum call_fate fate = call_fate_of(&c->flow, loss, 0);
		if (fate == FATE_FAILED) engine_finish_call(g, step, c, 0, true);
		if (fate == FATE_UNKNOWN) engine_unknown_call(g, step, c);
	}
}

static void land(struct sim_call *c)
{
	c->id = 0;
	c->flow.is_dispatched = false;
}

void engine_answer(struct engine *g, uint64_t id, uint64_t answer, bool is_failure, bool is_ended_by_us)
{
	if (g->flow->is_finished) return; /* what a proof read when the run was cancelled */
	for (size_t i = 0; i < g->world->graph.count; i++)
		for (size_t k = 0; k < g->steps[i].count; k++) {
			struct sim_call *c = &g->steps[i].calls[k];
			if (!c->id || c->id != id) continue;
			enum call_fate fate = call_fate_of(&c->flow, LOSS_TIME, 0);
			land(c);
			if (is_ended_by_us && fate == FATE_UNKNOWN)
				engine_unknown_call(g, i, c);
			else
				engine_finish_call(g, i, c, answer, is_failure || is_ended_by_us);
			engine_calls_changed(g, i);
			engine_step_on(g);
			return;
		}
}

void engine_settle_flying(struct engine *g)
{
	for (size_t i = 0; i < g->world->graph.count; i++)
		for (size_t k = 0; k < g->steps[i].count; k++) {
			struct sim_call *c = &g->steps[i].calls[k];
			if (!c->id) {
				if (c->flow.is_intended && c->flow.state == CALL_STARTED) engine_make_call(g, i, c);
				continue;
			}
			enum call_fate fate = call_fate_of(&c->flow, LOSS_ACTOR, g->actor_losses);
			land(c);
			if (fate == FATE_AGAIN)
				engine_remake_call(g, i, c);
			else if (fate == FATE_FAILED)
				engine_finish_call(g, i, c, 0, true);
			else
				engine_unknown_call(g, i, c);
			engine_calls_changed(g, i);
		}
}
