#include "simulate.h"

#include <stddef.h>
#include <string.h>

/* An engine of the simulation: carries out what flow/ decides, as service/ does, against a store and targets that are not there. */

enum { WORKER_LOSSES_MAX = 3 };

/* What an engine records of its own accord, flow/ must take. */
static void sure(const struct engine *g, bool was_taken)
{
	if (!was_taken) broken(g->world, "flow/ refuses what engine %u records", g->number);
}

static struct sim_call *find_call(struct engine *g, size_t step, uint32_t attempt, uint32_t number)
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
	struct sim_call *c = find_call(g, l->ev.step, l->attempt, l->call);
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
	c->flow.is_in_verify = l->is_in_verify;
}

static bool fold(struct engine *g, const struct line *l)
{
	enum flow_event_kind kind = l->ev.kind;
	struct sim_call *known = kind == FLOW_CALL_STARTED ? find_call(g, l->ev.step, l->attempt, l->call) : NULL;
	struct error e;
	if (!(known && call_is_open(&known->flow)) && flow_apply(g->flow, &l->ev, &e)) return false;
	if (l->epoch > g->epoch) g->epoch = l->epoch;
	if (kind == FLOW_CALL_STARTED || kind == FLOW_CALL_FINISHED || kind == FLOW_CALL_UNKNOWN || kind == FLOW_CALL_RESOLVED) fold_call(g, l);
	if (kind == FLOW_VERIFICATION_FINISHED) g->steps[l->ev.step].is_proof_tried = true;
	if (kind != FLOW_ATTEMPT_STARTED) return true;
	g->steps[l->ev.step].is_proof_tried = false;
	g->ran_us[l->ev.step] = 0;
	g->ran_attempt[l->ev.step] = g->flow->steps[l->ev.step].attempt;
	return true;
}

/* --- to the store ------------------------------------------------------------------------------------------------------------------------ */

/* The clock that deadlines run on: nobody sets it. */
static int64_t steady_us(const struct engine *g)
{
	return g->begun_us + g->world->real_us - g->begun_real_us;
}

bool engine_emit(struct engine *g, struct line l)
{
	l.ev.t_us = g->world->now_us;
	l.ev.ahead_us = steady_us(g) - g->world->now_us;
	l.epoch = g->epoch;
	if (!fold(g, &l)) return false;
	must(g->line_count < RECORDS_MAX);
	g->lines[g->line_count++] = l;
	return true;
}

static bool emit(struct engine *g, enum flow_event_kind kind, size_t step, enum step_state outcome)
{
	uint32_t attempt = step == SIZE_MAX ? 0 : g->flow->steps[step].attempt + (kind == FLOW_ATTEMPT_STARTED);
	return engine_emit(g, (struct line){.ev = {.kind = kind, .step = step, .outcome = outcome, .to = SIZE_MAX, .by = SIZE_MAX}, .attempt = attempt});
}

static bool emit_call(struct engine *g, enum flow_event_kind kind, size_t step, const struct flow_call *c, struct line l)
{
	l.ev = (struct flow_event){.kind = kind, .step = step, .to = SIZE_MAX, .by = SIZE_MAX};
	l.attempt = c->attempt;
	l.call = c->number;
	return engine_emit(g, l);
}

static void later(struct engine *g, struct later l)
{
	must(g->later_count < LATERS_MAX);
	l.batch = SIZE_MAX;
	g->laters[g->later_count++] = l;
}

static void run_laters(struct engine *g);

static void commit(struct engine *g)
{
	if (g->line_count > g->batched) {
		must(g->batch_count < BATCHES_MAX);
		g->batches[g->batch_count++] = (struct batch){g->batched, g->line_count - g->batched};
		g->batched = g->line_count;
	}
	for (size_t i = g->later_count; i-- > g->later_done && g->laters[i].batch == SIZE_MAX;) g->laters[i].batch = g->batch_count;
	run_laters(g);
}

/* --- calls -------------------------------------------------------------------------------------------------------------------------------- */

static void calls_changed(struct engine *g, size_t step);

static void finish_call(struct engine *g, size_t step, struct sim_call *c, uint64_t answer, bool is_failure)
{
	sure(g, emit_call(g, FLOW_CALL_FINISHED, step, &c->flow, (struct line){.answer = answer, .is_failure = is_failure}));
	later(g, (struct later){LATER_HAND_OVER, 0, step, c->flow.attempt, c->flow.number, c->flow.order});
}

static void unknown_call(struct engine *g, size_t step, struct sim_call *c)
{
	sure(g, emit_call(g, FLOW_CALL_UNKNOWN, step, &c->flow, (struct line){.effect = c->flow.effect}));
	g->world->tally.unknown++;
}

static void make_call(struct engine *g, size_t step, struct sim_call *c)
{
	c->flow.is_intended = true;
	later(g, (struct later){LATER_DEPART, 0, step, c->flow.attempt, c->flow.number, 0});
}

static bool start_call(struct engine *g, size_t step, const struct flow_call *c, struct line l)
{
	return emit_call(g, FLOW_CALL_STARTED, step, c, l);
}

static void remake_call(struct engine *g, size_t step, struct sim_call *c)
{
	sure(g, start_call(g, step, &c->flow, (struct line){.asks = c->asks, .effect = c->flow.effect, .is_in_verify = c->flow.is_in_verify}));
	g->world->tally.again++;
	make_call(g, step, c);
}

static void depart(struct engine *g, const struct later *l)
{
	struct sim_call *c = find_call(g, l->step, l->attempt, l->call);
	struct live *a = &g->steps[l->step].live;
	if (!c) return;
	switch (call_depart(&c->flow, g->flow, l->step, g->is_awaiting_lock, a->is_on && (a->is_stopping || a->has_ended))) {
	case DEPARTS_NOT:
	case DEPARTS_LATER: /* stays intended: it is tried again when the lock is free */
		return;
	case DEPARTS_NEVER:
		c->flow.is_intended = false;
		if (call_fate_unmade(&c->flow) == FATE_UNKNOWN)
			unknown_call(g, l->step, c);
		else
			finish_call(g, l->step, c, 0, true);
		calls_changed(g, l->step);
		return;
	case DEPARTS:
		c->flow.is_intended = c->flow.is_cancelled = false;
		c->flow.is_dispatched = true;
		c->id = ++g->next_id;
		world_depart(g, l->step, l->attempt, l->call, c->id);
		return;
	}
}

static void cancel_open(struct engine *g, size_t step)
{
	for (size_t i = 0; i < g->steps[step].count; i++) {
		struct sim_call *c = &g->steps[step].calls[i];
		if (!c->id || c->flow.is_cancelled) continue;
		c->flow.is_cancelled = true;
		world_cancel(g, c->id);
	}
}

static void settle_open(struct engine *g, size_t step, enum call_loss loss)
{
	for (size_t i = 0; i < g->steps[step].count; i++) {
		struct sim_call *c = &g->steps[step].calls[i];
		enum call_fate fate = call_fate_of(&c->flow, loss, 0);
		if (fate == FATE_FAILED) finish_call(g, step, c, 0, true);
		if (fate == FATE_UNKNOWN) unknown_call(g, step, c);
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
				unknown_call(g, i, c);
			else
				finish_call(g, i, c, answer, is_failure || is_ended_by_us);
			calls_changed(g, i);
			engine_step_on(g);
			return;
		}
}

static void settle_flying(struct engine *g)
{
	for (size_t i = 0; i < g->world->graph.count; i++)
		for (size_t k = 0; k < g->steps[i].count; k++) {
			struct sim_call *c = &g->steps[i].calls[k];
			if (!c->id) {
				if (c->flow.is_intended && c->flow.state == CALL_STARTED) make_call(g, i, c);
				continue;
			}
			enum call_fate fate = call_fate_of(&c->flow, LOSS_ACTOR, g->actor_losses);
			land(c);
			if (fate == FATE_AGAIN)
				remake_call(g, i, c);
			else if (fate == FATE_FAILED)
				finish_call(g, i, c, 0, true);
			else
				unknown_call(g, i, c);
			calls_changed(g, i);
		}
}

/* --- attempts ------------------------------------------------------------------------------------------------------------------------------ */

static const enum call_range ranges[] = {[FOR_ACTION] = CALLS_OF_ACTION, [FOR_CONDITION] = CALLS_OF_CONDITION, [FOR_PROOF] = CALLS_OF_PROOF};

static const struct program *program_of(const struct engine *g, size_t step)
{
	return g->steps[step].live.purpose == FOR_PROOF ? &g->world->proof_programs[step] : &g->world->programs[step];
}

static void begin_live(struct engine *g, size_t step, enum purpose purpose)
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
	later(g, (struct later){LATER_WORK, 0, step, attempt, s->live.serial, 0});
}

static void drop_live(struct engine *g, size_t step)
{
	g->steps[step].live.is_on = g->steps[step].live.has_worker = false;
}

static void end_attempt(struct engine *g, size_t step, enum step_state outcome, size_t to)
{
	struct line l = {.ev = {.kind = FLOW_ATTEMPT_FINISHED, .step = step, .outcome = outcome, .to = to, .by = SIZE_MAX},
	                 .attempt = g->flow->steps[step].attempt};
	drop_live(g, step);
	if (outcome == STEP_DIVERGED && !g->world->programs[step].is_fickle) broken(g->world, "step %zu diverged, and its code asks the same", step);
	g->world->tally.diverged += outcome == STEP_DIVERGED;
	g->world->tally.timeouts += outcome == STEP_TIMED_OUT;
	sure(g, engine_emit(g, l));
}

static void end_proof(struct engine *g, size_t step)
{
	struct live *a = &g->steps[step].live;
	if (a->is_on && a->purpose == FOR_PROOF) {
		cancel_open(g, step);
		drop_live(g, step);
	}
	if (g->flow->steps[step].is_verifying) emit(g, FLOW_VERIFICATION_FINISHED, step, STEP_FAILED);
}

static bool abandon_calls(struct engine *g, size_t step)
{
	struct sim_step *s = &g->steps[step];
	for (size_t i = 0; i < s->count; i++) {
		struct sim_call *c = &s->calls[i];
		if (!replay_abandons(&s->live.replay, &c->flow)) continue;
		if (call_fate_of(&c->flow, LOSS_STEP, 0) == FATE_UNKNOWN)
			unknown_call(g, step, c);
		else
			finish_call(g, step, c, 0, true);
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
		drop_live(g, step);
		emit(g, FLOW_VERIFICATION_FINISHED, step, outcome);
		g->world->tally.proofs++;
		if (outcome == STEP_SUCCEEDED) emit(g, FLOW_SETTLED, step, STEP_SUCCEEDED);
		return;
	}
	for (size_t i = 0; i < s->count; i++)
		if (!a->is_cut_off && replay_left_out(&a->replay, &s->calls[i].flow)) outcome = STEP_DIVERGED;
	if ((outcome == STEP_DIVERGED || a->is_cut_off) && !abandon_calls(g, step)) {
		drop_live(g, step);
		return;
	}
	end_attempt(g, step, outcome, outcome == STEP_SUCCEEDED && word % 13 == 0 ? (size_t)(word >> 8) % g->world->graph.count : SIZE_MAX);
}

static void calls_changed(struct engine *g, size_t step)
{
	struct sim_step *s = &g->steps[step];
	size_t open = 0;
	if (!s->live.is_on) return;
	for (size_t i = 0; i < s->count; i++) open += replay_awaits(&s->live.replay, &s->calls[i].flow);
	switch (replay_follow(&s->live.replay, g->flow->steps[step].state, open, s->live.is_stopping, s->live.has_ended)) {
	case REPLAY_GOES_ON:
		break;
	case REPLAY_IS_DROPPED:
		drop_live(g, step);
		break;
	case REPLAY_LOSES_WORKER:
		s->live.has_worker = false;
		break;
	case REPLAY_PROVES_NOTHING:
		end_proof(g, step);
		break;
	case REPLAY_IS_STOPPED:
		if (!abandon_calls(g, step))
			drop_live(g, step);
		else
			end_attempt(g, step, s->live.outcome, SIZE_MAX);
		break;
	case REPLAY_CONCLUDES:
		conclude(g, step);
		break;
	}
}

static bool any_under_way(const struct engine *g, size_t step)
{
	for (size_t i = 0; i < g->steps[step].count; i++)
		if (call_is_under_way(&g->steps[step].calls[i].flow)) return true;
	return false;
}

static void stop(struct engine *g, size_t step, enum step_state outcome)
{
	struct live *a = &g->steps[step].live;
	if (!a->is_on) {
		cancel_open(g, step);
		if (any_under_way(g, step)) return;
		settle_open(g, step, LOSS_STEP);
		end_proof(g, step);
		const struct flow_step *f = &g->flow->steps[step];
		if (f->state != STEP_UNKNOWN && (f->is_in_attempt || f->state == STEP_WAITING)) end_attempt(g, step, outcome, SIZE_MAX);
		return;
	}
	if (a->is_stopping) return;
	a->is_stopping = true;
	a->outcome = outcome;
	a->has_worker = false;
	cancel_open(g, step);
	calls_changed(g, step);
}

static void fail(struct engine *g, size_t step)
{
	struct live *a = &g->steps[step].live;
	a->has_ended = a->is_cut_off = true;
	a->outcome = STEP_FAILED;
	cancel_open(g, step);
	calls_changed(g, step);
}

/* --- a worker's words ------------------------------------------------------------------------------------------------------------------------ */

static void deliver(struct engine *g, size_t step)
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
	struct sim_call *c = find_call(g, step, a->replay.attempt, number);
	struct flow_call fresh = {.number = number, .attempt = a->replay.attempt};
	struct line l = {.asks = said->asks,
	                 .effect = said->is_question ? EFFECT_READ : said->effect,
	                 .is_question = said->is_question,
	                 .is_in_verify = a->purpose == FOR_PROOF};
	switch (call_meet(c ? &c->flow : NULL, c && c->asks == said->asks)) {
	case MEETS_NOTHING:
		sure(g, start_call(g, step, &fresh, l));
		c = find_call(g, step, fresh.attempt, number);
		if (said->is_question)
			sure(g, emit_call(g, FLOW_QUESTION_ASKED, step, &fresh, (struct line){.epoch = 0}));
		else if (said->asks % 19 == 0)
			finish_call(g, step, c, 0, true); /* not allowed */
		else
			make_call(g, step, c);
		return;
	case MEETS_ANSWER:
		return;
	case MEETS_AGAIN:
		remake_call(g, step, c);
		return;
	case MEETS_UNKNOWN:
		broken(g->world, "step %zu is run again while call %u is unknown", step, number);
	case MEETS_ANOTHER_ONE:
		a->replay.asked--; /* the call of the record was not asked */
		stop(g, step, STEP_DIVERGED);
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
		questions += wait == REPLAY_WAITS_FOR_PERSON;
		others += wait == REPLAY_WAITS_FOR_TARGET;
	}
	if (questions && !others) drop_live(g, step);
}

void engine_work(struct engine *g, size_t step)
{
	struct live *a = &g->steps[step].live;
	if (!a->is_on || !a->has_worker || a->has_ended || a->replay.idles > a->replay.answers) return;
	if (a->purpose == FOR_CONDITION) {
		drop_live(g, step);
		emit(g, FLOW_CONDITION, step, roll(g->world, 4) ? STEP_SUCCEEDED : roll(g->world, 2) ? STEP_SKIPPED : STEP_FAILED);
		engine_step_on(g);
		return;
	}
	struct saying said = program_speak(program_of(g, step), &a->running, a->replay.asked);
	if (said.says == SAYS_CALL) ask(g, step, &said);
	if (said.says == SAYS_IDLE) {
		a->replay.idles++;
		deliver(g, step);
		if (a->replay.answers < a->replay.idles) wait_for_person(g, step);
	}
	if (said.says == SAYS_END) {
		a->has_ended = true;
		a->outcome = said.outcome;
		cancel_open(g, step);
		calls_changed(g, step);
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
		drop_live(g, step);
	} else if (s->live.purpose == FOR_CONDITION)
		drop_live(g, step);
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

/* --- what comes next ----------------------------------------------------------------------------------------------------------------------- */

static void run_laters(struct engine *g)
{
	while (g->later_done < g->later_count && g->laters[g->later_done].batch <= g->told) {
		struct later l = g->laters[g->later_done++];
		struct live *a = &g->steps[l.step].live;
		struct flow_call c = {.attempt = l.attempt, .number = l.call, .order = l.order};
		if (l.kind == LATER_DEPART) depart(g, &l);
		if (l.kind == LATER_HAND_OVER && a->is_on && replay_recorded(&a->replay, &c)) deliver(g, l.step);
		if (l.kind == LATER_WORK && a->is_on && a->serial == l.call && !a->has_worker && !a->is_stopping) {
			a->has_worker = true;
			oracle_work(g->world, g, l.step);
		}
	}
}

static bool ask_approval(struct engine *g, size_t step)
{
	struct line l = {.ev = {.kind = FLOW_APPROVAL_ASKED, .step = step, .count = g->world->approvals[step], .to = SIZE_MAX, .by = SIZE_MAX}};
	return engine_emit(g, l);
}

/* True: nothing is missing. What was agreed to is sometimes void by then. */
static bool is_agreed(struct engine *g, size_t step)
{
	if (!g->world->approvals[step]) return true;
	if (g->flow->steps[step].is_approved && roll(g->world, 12)) return true;
	if (g->flow->steps[step].is_approved) emit(g, FLOW_APPROVAL_WITHDRAWN, step, 0);
	ask_approval(g, step);
	return false;
}

static void start(struct engine *g, size_t step)
{
	if (g->steps[step].live.is_on || !is_agreed(g, step)) return;
	if (!emit(g, FLOW_ATTEMPT_STARTED, step, 0)) return;
	g->steps[step].worker_losses = 0;
	begin_live(g, step, FOR_ACTION);
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
		if (!g->steps[c->step].live.is_on) begin_live(g, c->step, FOR_CONDITION);
		return false;
	case FLOW_DO_START:
		start(g, c->step);
		return false;
	case FLOW_DO_STOP:
		if (c->is_timeout) check_deadline(g, c->step);
		stop(g, c->step, c->is_timeout ? STEP_TIMED_OUT : STEP_CANCELLED);
		return false;
	case FLOW_DO_SKIP:
		l.ev.kind = FLOW_SKIP;
		engine_emit(g, l);
		return true;
	case FLOW_DO_RESET:
		l.ev.kind = FLOW_RESET;
		engine_emit(g, l);
		for (size_t i = 0; i < g->world->graph.count; i++)
			if (g->steps[i].live.is_on && g->steps[i].live.purpose == FOR_CONDITION) drop_live(g, i);
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
		begin_live(g, i, FOR_ACTION);
	}
	if (need != STEP_NEEDS_PROOF) return;
	s->is_proof_tried = true;
	begin_live(g, i, FOR_PROOF);
	emit(g, FLOW_VERIFICATION_STARTED, i, 0);
}

static void advance(struct engine *g)
{
	struct flow_command commands[2 * STEPS_MAX + 2];
	if (g->is_awaiting_lock || g->flow->is_finished) return;
	for (bool again = true; again && !g->flow->is_finished;) {
		again = false;
		size_t n = flow_decide(g->flow, steady_us(g), commands, 2 * STEPS_MAX + 2);
		for (size_t i = 0; i < n; i++)
			if (carry_out(g, &commands[i])) again = true;
	}
	for (size_t i = 0; i < g->world->graph.count && !g->flow->is_finished; i++) {
		const struct flow_step *f = &g->flow->steps[i];
		bool waits = g->world->book_steps[i].is_manual && f->state == STEP_WAITING && !f->is_in_attempt && !f->is_awaiting_approval && !f->is_approved;
		if (waits && g->world->approvals[i]) ask_approval(g, i);
		revive(g, i);
	}
}

void engine_step_on(struct engine *g)
{
	if (g->is_gone) return;
	advance(g);
	commit(g);
}

void engine_tell(struct engine *g)
{
	if (g->told == g->stored) return;
	g->told++;
	run_laters(g);
	engine_step_on(g);
}

/* --- begin, take up, end ---------------------------------------------------------------------------------------------------------------------- */

static struct engine *new_engine(struct world *w)
{
	must(w->engine_count < ENGINES_MAX);
	if (!w->engines[w->engine_count]) w->engines[w->engine_count] = mem_alloc(sizeof(struct engine));
	struct engine *g = w->engines[w->engine_count++];
	memset(g, 0, offsetof(struct engine, lines)); /* what is behind counts only as far as it is filled */
	g->line_count = g->batched = g->batch_count = g->stored = g->told = g->later_count = g->later_done = 0;
	g->world = w;
	g->number = w->engine_count;
	g->epoch = 1;
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

struct engine *engine_take_up(struct world *w)
{
	struct engine *g = new_engine(w);
	for (size_t i = 0; i < w->journal_count; i++)
		if (!fold(g, &w->journal[i])) broken(w, "line %zu of the journal does not fold", i);
	if (g->flow->is_finished) return g;
	know_times(g, w->engines[w->engine_count - 2]);
	g->epoch++;
	g->is_awaiting_lock = g->is_taking_up = true;
	sure(g, engine_emit(g, (struct line){.ev = {.kind = FLOW_RESUMED, .step = SIZE_MAX, .is_take_up = true, .to = SIZE_MAX, .by = SIZE_MAX}}));
	commit(g);
	return g;
}

static void taken_up(struct engine *g)
{
	g->is_taking_up = false;
	for (size_t i = 0; i < g->world->graph.count; i++) {
		g->steps[i].needs_run = true;
		if (g->flow->steps[i].is_verifying) {
			settle_open(g, i, LOSS_STEP);
			end_proof(g, i);
			g->steps[i].is_proof_tried = false;
		}
		settle_open(g, i, LOSS_ENGINE);
	}
}

void engine_lock_is_free(struct engine *g)
{
	g->is_awaiting_lock = false;
	if (g->is_taking_up)
		taken_up(g);
	else
		settle_flying(g);
	engine_step_on(g);
}

void engine_end(struct engine *g)
{
	if (g->is_gone) return;
	g->is_gone = true;
	flow_free(g->flow);
	g->flow = NULL;
}

/* --- people ------------------------------------------------------------------------------------------------------------------------------------ */

static void answer_question(struct engine *g, size_t step)
{
	struct sim_step *s = &g->steps[step];
	for (size_t i = 0; i < s->count; i++) {
		struct sim_call *c = &s->calls[i];
		if (!c->flow.is_question || c->flow.state != CALL_STARTED || c->flow.attempt != g->flow->steps[step].attempt || roll(g->world, 3) == 0)
			continue;
		if (!emit_call(g, FLOW_QUESTION_ANSWERED, step, &c->flow, (struct line){.epoch = 0})) return;
		s->needs_run = true;
		finish_call(g, step, c, roll(g->world, 1000), false);
		return;
	}
}

static void resolve(struct engine *g, size_t step)
{
	struct sim_step *s = &g->steps[step];
	unsigned word = roll(g->world, 4);
	if (!step_is_resolvable(g->flow, step, any_under_way(g, step))) return;
	end_proof(g, step);
	if (s->live.is_on) drop_live(g, step);
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
		sure(g, emit_call(g, FLOW_CALL_RESOLVED, step, &c->flow, (struct line){.is_again = word > 1}));
		if (word == 1) finish_call(g, step, c, 0, true);
		if (!is_all) return;
	}
}

void engine_person(struct engine *g, size_t step)
{
	struct world *w = g->world;
	bool is_live = g->steps[step].live.is_on;
	switch (flow_waits_for(g->flow, step)) {
	case WAIT_GO:
		emit(g, roll(w, 10) ? FLOW_REQUESTED : FLOW_SKIP, step, 0);
		break;
	case WAIT_PERSON:
		emit(g, FLOW_SETTLED, step, roll(w, 6) ? STEP_SUCCEEDED : STEP_FAILED);
		break;
	case WAIT_DECISION:
		if (!is_live) emit(g, roll(w, 3) ? FLOW_SETTLED : FLOW_RESET, step, STEP_SUCCEEDED);
		break;
	case WAIT_APPROVAL:
		emit(g, roll(w, 8) ? FLOW_APPROVAL_GIVEN : roll(w, 2) ? FLOW_APPROVAL_REFUSED : FLOW_APPROVAL_WITHDRAWN, step, 0);
		break;
	case WAIT_ANSWER:
		answer_question(g, step);
		break;
	case WAIT_RESOLVE:
		resolve(g, step);
		break;
	default:
		break;
	}
	if (g->flow->is_paused) emit(g, FLOW_RESUMED, SIZE_MAX, 0);
	engine_step_on(g);
}
