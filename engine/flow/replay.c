#include "flow/replay.h"

void replay_begin(struct replay *r, uint32_t attempt, enum call_range range, uint32_t first_call)
{
	*r = (struct replay){.attempt = attempt, .range = range, .first_call = first_call};
}

static bool is_of_range(const struct replay *r, const struct flow_call *c)
{
	return c->attempt == r->attempt && call_range_of(c->number) == r->range;
}

void replay_take(struct replay *r, const struct flow_call *c)
{
	if (!is_of_range(r, c)) return;
	if (c->order > r->recorded) r->recorded = c->order;
	if (c->number <= r->first_call && c->order > r->delivered) r->delivered = c->order;
	r->replayed = r->recorded;
}

bool replay_owns(const struct replay *r, const struct flow_call *c)
{
	return is_of_range(r, c) && c->number > r->first_call;
}

static bool is_asked(const struct replay *r, const struct flow_call *c)
{
	return replay_owns(r, c) && c->number <= r->first_call + r->asked;
}

bool replay_awaits(const struct replay *r, const struct flow_call *c)
{
	bool is_under_way = is_asked(r, c) || c->is_dispatched || c->is_intended;
	return replay_owns(r, c) && is_under_way && c->state == CALL_STARTED && !c->is_question;
}

bool replay_abandons(const struct replay *r, const struct flow_call *c)
{
	return replay_owns(r, c) && !is_asked(r, c) && c->state == CALL_STARTED && !c->is_question && !c->is_dispatched && !c->is_intended;
}

bool replay_recorded(struct replay *r, const struct flow_call *c)
{
	if (!is_of_range(r, c)) return false;
	if (c->order > r->recorded) r->recorded = c->order;
	return true;
}

bool replay_gets_next(const struct replay *r, const struct flow_call *c)
{
	return r->answers < r->idles && is_asked(r, c) && c->order == r->delivered + 1 && c->order <= r->recorded;
}

void replay_delivered(struct replay *r)
{
	r->delivered++;
	r->answers++;
}

enum replay_wait replay_waits_for(const struct replay *r, const struct flow_call *c)
{
	if (!replay_owns(r, c)) return REPLAY_WAITS_NOT;
	if (c->order > r->delivered) return REPLAY_WAITS_FOR_STORE;
	if (c->state != CALL_STARTED) return REPLAY_WAITS_NOT;
	return c->is_question || c->is_child ? REPLAY_WAITS_FOR_LONG : REPLAY_WAITS_FOR_TARGET;
}

bool replay_left_out(const struct replay *r, const struct flow_call *c)
{
	return replay_owns(r, c) && !is_asked(r, c) && !c->is_in_verify;
}

enum replay_next replay_follow(const struct replay *r, enum step_state step, size_t open, bool is_stopping, bool has_ended)
{
	if (step == STEP_UNKNOWN && r->range == CALLS_OF_ACTION) return open ? REPLAY_LOSES_WORKER : REPLAY_IS_DROPPED;
	if (open) return REPLAY_GOES_ON;
	static const enum replay_next stopped[] = {[CALLS_OF_ACTION] = REPLAY_IS_STOPPED,
	                                           [CALLS_OF_CONDITION] = REPLAY_IS_DROPPED,
	                                           [CALLS_OF_TERMINAL] = REPLAY_GOES_ON,
	                                           [CALLS_OF_PROOF] = REPLAY_PROVES_NOTHING};
	if (is_stopping) return stopped[r->range];
	return has_ended ? REPLAY_CONCLUDES : REPLAY_GOES_ON;
}

enum step_need step_need_of(const struct flow *f, size_t step, struct step_around around)
{
	const struct flow_step *s = &f->steps[step];
	if (around.is_live || f->is_cancelling || f->is_finished) return STEP_NEEDS_NOTHING;
	/* What waits for a person or for a child needs no worker until something comes. */
	bool may_run = s->state == STEP_RUNNING || s->state == STEP_WAITING, goes_on = s->state == STEP_RUNNING && !s->open_children;
	if (s->is_in_attempt && (goes_on || (may_run && around.has_news))) return STEP_NEEDS_RUN;
	bool may_prove = around.has_proof && !around.is_proof_tried && !s->open_calls;
	return s->state == STEP_UNKNOWN && may_prove ? STEP_NEEDS_PROOF : STEP_NEEDS_NOTHING;
}

bool step_is_resolvable(const struct flow *f, size_t step, bool is_any_under_way)
{
	return f->steps[step].state == STEP_UNKNOWN && !is_any_under_way;
}
