#include "engine_parts.h"

/* Attempts: workers, what they say, and what follows from it. */

enum { WORKER_LOSSES_MAX = 3 };

static const enum call_range ranges[] = {[FOR_ACTION] = CALLS_OF_ACTION, [FOR_CONDITION] = CALLS_OF_CONDITION, [FOR_PROOF] = CALLS_OF_PROOF};

static const struct program *program_of(const struct engine *g, size_t step)
{
	return g->steps[step].live.purpose == FOR_PROOF ? &g->world->proof_programs[step] : &g->world->programs[step];
}

void engine_begin_live(struct engine *g, size_t step, enum purpose purpose)
{
	struct sim_step *s = &g->steps[step];
	uint32_t attempt = g->flow->steps[step].attempt + (purpose == FOR_CONDITION), first = call_range_base(ranges[purpose]);
	s->live = (struct live){.is_on = true, .serial = ++g->serial, .purpose = purpose};
	for (size_t i = 0; i < s->count && purpose == FOR_PROOF; i++) {
		const struct flow_call *c = &s->calls[i].flow;
		if (c->attempt == attempt && call_range_of(c->number) == CALLS_OF_PROOF && c->number > first) first = c->number;
	}
	replay_begin(&s->live.replay, attempt, ranges[purpose], first);
	for (size_t i = 0; i < s->count; i++) replay_take(&s->live.replay, &s->calls[i].flow);
	g->world->tally.replayed += purpose == FOR_ACTION && s->live.replay.recorded > 0;
	s->live.running.learned = mix(attempt, program_of(g, step)->is_fickle ? g->number : 0);
	engine_later(g, (struct later){LATER_WORK, 0, step, attempt, s->live.serial, 0});
}

void engine_drop_live(struct engine *g, size_t step)
{
	g->steps[step].live.is_on = g->steps[step].live.has_worker = false;
}

static void end_attempt(struct engine *g, size_t step, enum step_state outcome, size_t to)
{
	struct line l = {.ev = {.kind = FLOW_ATTEMPT_FINISHED, .step = step, .outcome = outcome, .to = to, .by = SIZE_MAX},
	                 .attempt = g->flow->steps[step].attempt};
	engine_drop_live(g, step);
	if (outcome == STEP_DIVERGED && !g->world->programs[step].is_fickle) broken(g->world, "step %zu diverged, and its code asks the same", step);
	g->world->tally.diverged += outcome == STEP_DIVERGED;
	g->world->tally.timeouts += outcome == STEP_TIMED_OUT;
	engine_sure(g, engine_emit(g, l));
}

void engine_end_proof(struct engine *g, size_t step)
{
	struct live *a = &g->steps[step].live;
	if (a->is_on && a->purpose == FOR_PROOF) {
		engine_cancel_open(g, step);
		engine_drop_live(g, step);
	}
	if (g->flow->steps[step].is_verifying) engine_event(g, FLOW_VERIFICATION_FINISHED, step, STEP_FAILED);
}

static bool abandon_calls(struct engine *g, size_t step)
{
	struct sim_step *s = &g->steps[step];
	for (size_t i = 0; i < s->count; i++) {
		struct sim_call *c = &s->calls[i];
		if (!replay_abandons(&s->live.replay, &c->flow)) continue;
		if (call_fate_of(&c->flow, LOSS_STEP, 0) == FATE_UNKNOWN)
			engine_unknown_call(g, step, c);
		else
			engine_finish_call(g, step, c, 0, true);
	}
	return g->flow->steps[step].state != STEP_UNKNOWN;
}

static void conclude(struct engine *g, size_t step)
{
	struct sim_step *s = &g->steps[step];
	struct live *a = &s->live;
	enum step_state outcome = a->outcome;
	uint64_t word = mix(a->running.learned, 77);
	if (a->purpose == FOR_PROOF) {
		engine_drop_live(g, step);
		engine_event(g, FLOW_VERIFICATION_FINISHED, step, outcome);
		g->world->tally.proofs++;
		if (outcome == STEP_SUCCEEDED) engine_event(g, FLOW_SETTLED, step, STEP_SUCCEEDED);
		return;
	}
	for (size_t i = 0; i < s->count; i++)
		if (!a->is_cut_off && replay_left_out(&a->replay, &s->calls[i].flow)) outcome = STEP_DIVERGED;
	if ((outcome == STEP_DIVERGED || a->is_cut_off) && !abandon_calls(g, step)) {
		engine_drop_live(g, step);
		return;
	}
	end_attempt(g, step, outcome, outcome == STEP_SUCCEEDED && word % 13 == 0 ? (size_t)(word >> 8) % g->world->graph.count : SIZE_MAX);
}

void engine_calls_changed(struct engine *g, size_t step)
{
	struct sim_step *s = &g->steps[step];
	size_t open = 0;
	if (!s->live.is_on) return;
	for (size_t i = 0; i < s->count; i++) open += replay_awaits(&s->live.replay, &s->calls[i].flow);
	switch (replay_follow(&s->live.replay, g->flow->steps[step].state, open, s->live.is_stopping, s->live.has_ended)) {
	case REPLAY_GOES_ON:
		break;
	case REPLAY_IS_DROPPED:
		engine_drop_live(g, step);
		break;
	case REPLAY_LOSES_WORKER:
		s->live.has_worker = false;
		break;
	case REPLAY_PROVES_NOTHING:
		engine_end_proof(g, step);
		break;
	case REPLAY_IS_STOPPED:
		if (!abandon_calls(g, step))
			engine_drop_live(g, step);
		else
			end_attempt(g, step, s->live.outcome, SIZE_MAX);
		break;
	case REPLAY_CONCLUDES:
		conclude(g, step);
		break;
	}
}

bool engine_any_under_way(const struct engine *g, size_t step)
{
	for (size_t i = 0; i < g->steps[step].count; i++)
		if (call_is_under_way(&g->steps[step].calls[i].flow)) return true;
	return false;
}

void engine_stop(struct engine *g, size_t step, enum step_state outcome)
{
	struct live *a = &g->steps[step].live;
	if (!a->is_on) {
		engine_cancel_open(g, step);
		if (engine_any_under_way(g, step)) return;
		engine_settle_open(g, step, LOSS_STEP);
		engine_end_proof(g, step);
		const struct flow_step *f = &g->flow->steps[step];
		if (f->state != STEP_UNKNOWN && (f->is_in_attempt || f->state == STEP_WAITING)) end_attempt(g, step, outcome, SIZE_MAX);
		return;
	}
	if (a->is_stopping) return;
	a->is_stopping = true;
	a->outcome = outcome;
	a->has_worker = false;
	engine_cancel_open(g, step);
	engine_calls_changed(g, step);
}

static void fail(struct engine *g, size_t step)
{
	struct live *a = &g->steps[step].live;
	a->has_ended = a->is_cut_off = true;
	a->outcome = STEP_FAILED;
	engine_cancel_open(g, step);
	engine_calls_changed(g, step);
}

/* --- a worker's words ------------------------------------------------------------------------------------------------------------------------ */

void engine_deliver(struct engine *g, size_t step)
{
	struct sim_step *s = &g->steps[step];
	for (bool found = true; found && s->live.is_on && s->live.has_worker;) {
		found = false;
		for (size_t i = 0; i < s->count && !found; i++) {
			struct sim_call *c = &s->calls[i];
			found = replay_gets_next(&s->live.replay, &c->flow);
			if (!found) continue;
			replay_delivered(&s->live.replay);
			oracle_deliver(g->world, g, step, c);
			program_hear(program_of(g, step), &s->live.running, c->flow.number - s->live.replay.first_call, c->answer, c->is_failure);
		}
	}
}

static void ask(struct engine *g, size_t step, const struct saying *said)
{
	struct live *a = &g->steps[step].live;
	uint32_t number = a->replay.first_call + ++a->replay.asked;
	struct sim_call *c = engine_find_call(g, step, a->replay.attempt, number);
	struct flow_call fresh = {.number = number, .attempt = a->replay.attempt};
	struct line l = {.asks = said->asks,
	                 .effect = said->is_question ? EFFECT_READ : said->effect,
	                 .is_question = said->is_question,
	                 .is_in_verify = a->purpose == FOR_PROOF,
	                 .code_needed = said->code_needed,
	                 .code_from = said->code_from};
	switch (call_meet(c ? &c->flow : NULL, c && c->asks == said->asks)) {
	case MEETS_NOTHING:
		engine_sure(g, engine_start_call(g, step, &fresh, l));
		c = engine_find_call(g, step, fresh.attempt, number);
		if (said->code_needed)
			engine_ask_others(g, step, c);
		else if (said->is_question)
			engine_sure(g, engine_emit_call(g, FLOW_QUESTION_ASKED, step, &fresh, (struct line){.epoch = 0}));
		else if (said->asks % 19 == 0)
			engine_finish_call(g, step, c, 0, true); /* not allowed */
		else
			engine_make_call(g, step, c);
		return;
	case MEETS_ANSWER:
		return;
	case MEETS_AGAIN:
		engine_remake_call(g, step, c);
		return;
	case MEETS_UNKNOWN:
		broken(g->world, "step %zu is run again while call %u is unknown", step, number);
	case MEETS_ANOTHER_ONE:
		a->replay.asked--; /* the call of the record was not asked */
		engine_stop(g, step, STEP_DIVERGED);
		return;
	}
}

/* Every branch waits, and there is no answer: where all of them wait for a person, the worker ends. */
static void wait_for_person(struct engine *g, size_t step)
{
	struct sim_step *s = &g->steps[step];
	size_t questions = 0, others = 0;
	for (size_t i = 0; i < s->count; i++) {
		enum replay_wait wait = replay_waits_for(&s->live.replay, &s->calls[i].flow);
		if (wait == REPLAY_WAITS_FOR_STORE) return;
		questions += wait == REPLAY_WAITS_FOR_LONG;
		others += wait == REPLAY_WAITS_FOR_TARGET;
	}
	if (questions && !others) engine_drop_live(g, step);
}

void engine_work(struct engine *g, size_t step)
{
	struct live *a = &g->steps[step].live;
	if (!a->is_on || !a->has_worker || a->has_ended || a->replay.idles > a->replay.answers) return;
	if (a->purpose == FOR_CONDITION) {
		engine_drop_live(g, step);
		engine_event(g, FLOW_CONDITION, step, roll(g->world, 4) ? STEP_SUCCEEDED : roll(g->world, 2) ? STEP_SKIPPED : STEP_FAILED);
		engine_step_on(g);
		return;
	}
	struct saying said = program_speak(program_of(g, step), &a->running, a->replay.asked);
	if (said.says == SAYS_CALL) ask(g, step, &said);
	if (said.says == SAYS_IDLE) {
		a->replay.idles++;
		engine_deliver(g, step);
		if (a->replay.answers < a->replay.idles) wait_for_person(g, step);
	}
	if (said.says == SAYS_END) {
		a->has_ended = true;
		a->outcome = said.outcome;
		engine_cancel_open(g, step);
		engine_calls_changed(g, step);
	}
	engine_step_on(g);
}

void engine_lose_worker(struct engine *g, size_t step)
{
	struct sim_step *s = &g->steps[step];
	if (!s->live.is_on || !s->live.has_worker) return;
	s->live.has_worker = false;
	if (s->live.has_ended) return;
	g->world->tally.workers++;
	s->needs_run = true;
	if (s->worker_losses++ < WORKER_LOSSES_MAX) {
		if (s->live.purpose == FOR_PROOF) s->is_proof_tried = false;
		engine_drop_live(g, step);
	} else if (s->live.purpose == FOR_CONDITION)
		engine_drop_live(g, step);
	else
		fail(g, step);
	engine_step_on(g);
}

void engine_lose_actor(struct engine *g)
{
	g->actor_losses++;
	g->is_awaiting_lock = true;
	g->world->tally.actors++;
}
