#include "engine_parts.h"

/* What people do when something waits for them. */

static void answer_question(struct engine *g, size_t step)
{
	struct sim_step *s = &g->steps[step];
	for (size_t i = 0; i < s->count; i++) {
		struct sim_call *c = &s->calls[i];
		if (!c->flow.is_question || c->code_needed || c->flow.state != CALL_STARTED || c->flow.attempt != g->flow->steps[step].attempt ||
		    roll(g->world, 3) == 0)
			continue;
		if (!engine_emit_call(g, FLOW_QUESTION_ANSWERED, step, &c->flow, (struct line){.epoch = 0})) return;
		s->needs_run = true;
		engine_finish_call(g, step, c, roll(g->world, 1000), false);
		return;
	}
}

static void resolve(struct engine *g, size_t step)
{
	struct sim_step *s = &g->steps[step];
	unsigned word = roll(g->world, 4);
	if (!step_is_resolvable(g->flow, step, engine_any_under_way(g, step))) return;
	engine_end_proof(g, step);
	if (s->live.is_on) engine_drop_live(g, step);
	if (word == 0) {
		struct line l = {.ev = {.kind = FLOW_SETTLED, .step = step, .outcome = STEP_SUCCEEDED, .to = SIZE_MAX, .by = SIZE_MAX}, .is_by_person = true};
		engine_emit(g, l);
		return;
	}
	s->needs_run = true;
	s->is_proof_tried = false;
	bool is_all = roll(g->world, 2);
	for (size_t i = 0; i < s->count; i++) {
		struct sim_call *c = &s->calls[i];
		if (c->flow.state != CALL_UNKNOWN || c->flow.attempt != g->flow->steps[step].attempt) continue;
		engine_sure(g, engine_emit_call(g, FLOW_CALL_RESOLVED, step, &c->flow, (struct line){.is_again = word > 1}));
		if (word == 1) engine_finish_call(g, step, c, 0, true);
		if (!is_all) return;
	}
}

static void settle_by_hand(struct engine *g, size_t step)
{
	enum step_state outcome = roll(g->world, 6) ? STEP_SUCCEEDED : STEP_FAILED;
	struct line l = {.ev = {.kind = FLOW_SETTLED, .step = step, .outcome = outcome, .to = SIZE_MAX, .by = SIZE_MAX}, .is_by_hand = true};
	if (outcome == STEP_SUCCEEDED && !engine_may_by_hand(g, step)) return;
	engine_emit(g, l);
}

void engine_person(struct engine *g, size_t step)
{
	struct world *w = g->world;
	bool is_live = g->steps[step].live.is_on;
	switch (flow_waits_for(g->flow, step)) {
	case WAIT_GO:
		engine_event(g, roll(w, 10) ? FLOW_REQUESTED : FLOW_SKIP, step, 0);
		break;
	case WAIT_PERSON:
		settle_by_hand(g, step);
		break;
	case WAIT_DECISION:
		if (!is_live) engine_event(g, roll(w, 3) ? FLOW_SETTLED : FLOW_RESET, step, STEP_SUCCEEDED);
		break;
	case WAIT_APPROVAL:
		if (roll(w, 40))
			engine_agree(g, step);
		else
			engine_event(g, FLOW_SKIP, step, 0);
		break;
	case WAIT_ANSWER:
		answer_question(g, step);
		engine_agree(g, step);
		break;
	case WAIT_RESOLVE:
		resolve(g, step);
		break;
	default:
		break;
	}
	if (g->flow->is_paused) engine_event(g, FLOW_RESUMED, SIZE_MAX, 0);
	engine_step_on(g);
}
