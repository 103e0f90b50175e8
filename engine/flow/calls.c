#include "flow/calls.h"

enum call_range call_range_of(uint32_t number)
{
	uint32_t r = (number - 1) / CALLS_IN_RANGE;
	return r < CALLS_OF_PROOF ? (enum call_range)r : CALLS_OF_PROOF;
}

uint32_t call_range_base(enum call_range r)
{
	return (uint32_t)r * CALLS_IN_RANGE;
}

void call_apply(struct flow_call *c, enum flow_event_kind kind, uint32_t most, bool is_again)
{
	if (kind == FLOW_CALL_STARTED) c->state = CALL_STARTED;
	if (kind == FLOW_CALL_UNKNOWN) c->state = CALL_UNKNOWN;
	/* Answered as failed, it is followed by the finish that its code sees. */
	if (kind == FLOW_CALL_RESOLVED && is_again) c->state = CALL_AGAIN;
	if (kind != FLOW_CALL_FINISHED) return;
	c->state = CALL_FINISHED;
	c->order = most + 1;
}

bool call_is_open(const struct flow_call *c)
{
	return c->state == CALL_STARTED;
}

bool call_is_under_way(const struct flow_call *c)
{
	return (c->is_dispatched || c->is_intended) && c->state == CALL_STARTED && call_range_of(c->number) == CALLS_OF_ACTION;
}

bool call_effect_is_harmless(enum step_effect effect)
{
	return effect == EFFECT_READ || effect == EFFECT_IDEMPOTENT;
}

bool call_effect_repeats(enum step_effect effect)
{
	return call_effect_is_harmless(effect) || effect == EFFECT_KEYED || effect == EFFECT_RECEIPT;
}

enum call_fate call_fate_of(const struct flow_call *c, enum call_loss loss, int losses)
{
	bool repeats = call_effect_repeats(c->effect) && !c->is_out_of_reach;
	enum call_fate told = call_effect_is_harmless(c->effect) || c->is_question ? FATE_FAILED : FATE_UNKNOWN;
	switch (loss) {
	case LOSS_ENGINE:
	case LOSS_STEP:
		if (c->state != CALL_STARTED || c->is_dispatched) return FATE_KEPT;
		if (c->has_terminal && loss == LOSS_ENGINE) return FATE_KEPT;
		if (!c->is_question && !repeats) return FATE_UNKNOWN;
		return loss == LOSS_ENGINE ? FATE_KEPT : told;
	case LOSS_ACTOR:
		if (!repeats) return FATE_UNKNOWN;
		return losses < ACTOR_LOSSES_MAX && !c->is_cancelled ? FATE_AGAIN : told;
	case LOSS_PEER:
		if (!repeats) return FATE_UNKNOWN;
		return losses < PEER_LOSSES_MAX && !c->is_cancelled ? FATE_AGAIN : told;
	case LOSS_TIME:
		/* We ended it: what it had done by then nobody knows. */
		return call_effect_is_harmless(c->effect) ? FATE_TIMEOUT : FATE_UNKNOWN;
	}
	return FATE_UNKNOWN;
}

enum call_fate call_fate_unmade(const struct flow_call *c)
{
	return c->has_left_before && !call_effect_is_harmless(c->effect) ? FATE_UNKNOWN : FATE_FAILED;
}

enum call_meeting call_meet(const struct flow_call *c, bool is_same)
{
	if (!c) return MEETS_NOTHING;
	if (!is_same) return MEETS_ANOTHER_ONE;
	if (c->state == CALL_FINISHED || c->is_question || c->is_dispatched || c->is_intended) return MEETS_ANSWER;
	return c->state == CALL_AGAIN || call_effect_repeats(c->effect) ? MEETS_AGAIN : MEETS_UNKNOWN;
}

enum call_departure call_depart(const struct flow_call *c, const struct flow *f, size_t step, bool is_awaiting_lock, bool is_attempt_over)
{
	if (c->is_dispatched || c->state != CALL_STARTED) return DEPARTS_NOT;
	if (is_awaiting_lock) return DEPARTS_LATER;
	return is_attempt_over || f->is_cancelling || flow_is_over(f->steps[step].state) ? DEPARTS_NEVER : DEPARTS;
}
