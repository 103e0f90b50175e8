#include "simulate.h"

#include <string.h>

/* What DESIGN.md 5 promises, judged from outside: by the lines that are durable, and by what left for a target. It knows no state of any engine but where it
 * compares one with the journal. */

static bool is_of(const struct line *l, size_t step, uint32_t attempt, uint32_t call)
{
	return l->ev.step == step && l->attempt == attempt && l->call == call && l->call;
}

/* What the journal says of a call before line `end`. */
struct known {
	unsigned starts, agains, finishes;
	bool is_open, is_unknown;
	enum step_effect effect;
	bool is_question;
	enum flow_event_kind last;
	bool is_last_again;
};

static struct known known_of(const struct world *w, size_t step, uint32_t attempt, uint32_t call, size_t end)
{
	struct known k = {.last = FLOW_EVENT_N};
	for (size_t i = 0; i < end; i++) {
		const struct line *l = &w->journal[i];
		if (!is_of(l, step, attempt, call)) continue;
		if (l->ev.kind == FLOW_CALL_STARTED) k.starts++, k.effect = l->effect, k.is_question = l->is_question;
		if (l->ev.kind == FLOW_CALL_FINISHED) k.finishes++;
		if (l->ev.kind == FLOW_CALL_RESOLVED) k.agains += l->is_again, k.is_last_again = l->is_again;
		k.last = l->ev.kind;
	}
	k.is_open = k.last == FLOW_CALL_STARTED;
	k.is_unknown = k.last == FLOW_CALL_UNKNOWN;
	return k;
}

static bool ends_step(const struct line *l)
{
	return l->ev.kind == FLOW_ATTEMPT_FINISHED || l->ev.kind == FLOW_SETTLED || l->ev.kind == FLOW_SKIP || l->ev.kind == FLOW_APPROVAL_REFUSED ||
	       (l->ev.kind == FLOW_CONDITION && l->ev.outcome != STEP_SUCCEEDED);
}

/* No step begins before what it needs is durably over. */
static void check_needs(const struct world *w, size_t step, size_t end)
{
	for (size_t k = 0; k < w->nodes[step].need_count; k++) {
		size_t need = w->needs[step][k];
		const struct line *last = NULL;
		for (size_t i = 0; i < end; i++)
			if (w->journal[i].ev.step == need && (ends_step(&w->journal[i]) || w->journal[i].ev.kind == FLOW_ATTEMPT_STARTED))
				last = &w->journal[i];
		if (!last || last->ev.kind == FLOW_ATTEMPT_STARTED)
			broken(w, "line %zu: step %zu begins before step %zu, which it needs, is over", end, step, need);
		bool is_good = last->ev.kind == FLOW_SKIP || last->ev.outcome == STEP_SUCCEEDED || last->ev.outcome == STEP_SKIPPED;
		if (!is_good && w->book_steps[need].on_failure != ON_FAILURE_CONTINUE)
			broken(w, "line %zu: step %zu begins, and step %zu, which it needs, ended badly", end, step, need);
	}
}

/* "Done" settles the whole step, with all that its attempt had not made. */
static bool is_settled_behind(const struct world *w, size_t step, size_t from, size_t end)
{
	for (size_t i = from; i < end; i++)
		if (w->journal[i].ev.kind == FLOW_SETTLED && w->journal[i].ev.step == step) return true;
	return false;
}

/* A call that a cancelled attempt would have made again stays open beside one that nobody knows of. */
static bool is_beside_unknown(const struct world *w, size_t step, uint32_t attempt, size_t end)
{
	for (size_t i = 0; i < end; i++) {
		const struct line *l = &w->journal[i];
		if (l->ev.kind == FLOW_CALL_UNKNOWN && l->ev.step == step && l->attempt == attempt && known_of(w, step, attempt, l->call, end).is_unknown)
			return true;
	}
	return false;
}

/* What is unknown stays so until its class, a proof or a person settles it; and what was made is known before the step is over. */
static void check_calls_of(const struct world *w, size_t step, size_t end)
{
	for (size_t i = 0; i < end; i++) {
		const struct line *l = &w->journal[i];
		if (l->ev.kind != FLOW_CALL_STARTED || l->ev.step != step || call_range_of(l->call) == CALLS_OF_PROOF) continue; /* a proof reads */
		struct known k = known_of(w, step, l->attempt, l->call, end);
		bool is_settled = is_settled_behind(w, step, i, end);
		if (k.is_unknown && !is_settled) broken(w, "line %zu: step %zu is over, and call %u of attempt %u is unknown", end, step, l->call, l->attempt);
		if (k.is_open && !k.is_question && !is_settled)
			broken(w, "line %zu: step %zu is over, and call %u of attempt %u is open", end, step, l->call, l->attempt);
	}
}

static void check_call(const struct world *w, const struct line *l, size_t at)
{
	struct known k = known_of(w, l->ev.step, l->attempt, l->call, at);
	bool repeats = k.effect != EFFECT_ONCE;
	size_t step = l->ev.step;
	if (k.finishes) broken(w, "line %zu: call %u of step %zu is finished already", at, l->call, step);
	if (l->ev.kind == FLOW_CALL_STARTED && k.starts) {
		if (k.is_open && !repeats) broken(w, "line %zu: call %u of step %zu is made again, and nobody said so", at, l->call, step);
		if (k.is_unknown) broken(w, "line %zu: call %u of step %zu is made again while it is unknown", at, l->call, step);
		for (size_t i = 0; i < at; i++)
			if (is_of(&w->journal[i], step, l->attempt, l->call) && w->journal[i].ev.kind == FLOW_CALL_STARTED && w->journal[i].asks != l->asks)
				broken(w, "line %zu: call %u of step %zu is made again as something else", at, l->call, step);
	}
	if (l->ev.kind == FLOW_CALL_FINISHED && k.is_unknown) broken(w, "line %zu: call %u of step %zu is unknown, and gets an outcome", at, l->call, step);
	bool is_harmless = k.effect == EFFECT_READ || k.effect == EFFECT_IDEMPOTENT;
	if (l->ev.kind == FLOW_CALL_UNKNOWN && is_harmless) broken(w, "line %zu: call %u of step %zu may be made again, and became unknown", at, l->call, step);
}

/* When the run is over every call is known, or is the unknown one that a person knows of. */
static void check_end(const struct world *w, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		const struct line *c = &w->journal[i];
		size_t step = c->ev.step;
		if (c->ev.kind != FLOW_CALL_STARTED || c->is_question || call_range_of(c->call) == CALLS_OF_PROOF ||
		    !known_of(w, step, c->attempt, c->call, at).is_open)
			continue;
		if (is_settled_behind(w, step, i, at) || is_beside_unknown(w, step, c->attempt, at)) continue;
		broken(w, "line %zu: the run is over, and call %u of step %zu is open", at, c->call, step);
	}
}

void oracle_line(struct world *w, size_t at)
{
	const struct line *l = &w->journal[at];
	if (at && l->epoch < w->journal[at - 1].epoch) broken(w, "line %zu was written under a lease that had passed", at);
	if (at && l->epoch == w->journal[at - 1].epoch && l->engine != w->journal[at - 1].engine) broken(w, "line %zu: two engines write under one lease", at);
	switch (l->ev.kind) {
	case FLOW_ATTEMPT_STARTED:
		check_needs(w, l->ev.step, at);
		oracle_agreed(w, at);
		oracle_retry(w, at);
		check_calls_of(w, l->ev.step, at);
		break;
	case FLOW_CALL_STARTED:
	case FLOW_CALL_FINISHED:
	case FLOW_CALL_UNKNOWN:
		check_call(w, l, at);
		break;
	case FLOW_ATTEMPT_FINISHED:
		check_calls_of(w, l->ev.step, at);
		break;
	case FLOW_SETTLED:
		if (l->is_by_hand && l->ev.outcome == STEP_SUCCEEDED) oracle_agreed(w, at);
		break;
	case FLOW_QUESTION_ANSWERED:
		if (!l->is_failure) oracle_agreed(w, at);
		break;
	case FLOW_APPROVAL_GIVEN:
		oracle_agrees(w, at);
		break;
	case FLOW_FINISHED:
		check_end(w, at);
		break;
	default:
		break;
	}
}

void oracle_depart(struct world *w, const struct engine *g, const struct flight *f)
{
	struct known k = known_of(w, f->step, f->attempt, f->call, w->journal_count);
	bool repeats = k.effect != EFFECT_ONCE;
	unsigned departed = 0;
	for (size_t i = 0; i < w->departure_count; i++) {
		const struct flight *d = &w->departures[i];
		departed += d->step == f->step && d->attempt == f->attempt && d->call == f->call;
	}
	if (k.starts < departed + 1) broken(w, "call %u of step %zu leaves, and no intent is durable", f->call, f->step);
	if (k.finishes) broken(w, "call %u of step %zu is made again, and its outcome is durable", f->call, f->step);
	if (!repeats && departed > k.agains) broken(w, "call %u of step %zu is made twice", f->call, f->step);
	for (size_t i = 0; i < FLIGHTS_MAX; i++)
		if (w->flights[i].is_on && w->flights[i].is_orphan && w->flights[i].engine != g->number)
			broken(w, "call %u of step %zu leaves while something of an engine before may run", f->call, f->step);
	must(w->departure_count < DEPARTURES_MAX);
	w->departures[w->departure_count++] = *f;
}

void oracle_deliver(struct world *w, const struct engine *g, size_t step, const struct sim_call *c)
{
	const struct replay *r = &g->steps[step].live.replay;
	uint32_t order = 0;
	for (size_t i = 0; i < w->journal_count; i++) {
		const struct line *l = &w->journal[i];
		if (l->ev.kind != FLOW_CALL_FINISHED || l->ev.step != step || l->attempt != r->attempt || call_range_of(l->call) != r->range) continue;
		if (++order < r->delivered) continue;
		if (l->call != c->flow.number || l->answer != c->answer)
			broken(w, "step %zu gets call %u where call %u comes next", step, c->flow.number, l->call);
		return;
	}
	broken(w, "step %zu gets call %u, and its outcome is not durable", step, c->flow.number);
}

void oracle_work(struct world *w, const struct engine *g, size_t step)
{
	const struct live *a = &g->steps[step].live;
	if (a->purpose != FOR_ACTION) return;
	for (size_t i = 0; i < w->journal_count; i++)
		if (w->journal[i].ev.kind == FLOW_ATTEMPT_STARTED && w->journal[i].ev.step == step && w->journal[i].attempt == a->replay.attempt) return;
	broken(w, "step %zu is worked on, and its attempt is not durable", step);
}

/* No event of flow/, or one of an approval that code asked for. */
static bool is_apart(const struct line *l)
{
	enum flow_event_kind kind = l->ev.kind;
	bool is_approval = kind == FLOW_APPROVAL_ASKED || kind == FLOW_APPROVAL_GIVEN || kind == FLOW_APPROVAL_REFUSED || kind == FLOW_APPROVAL_WITHDRAWN;
	return l->what != LINE_EVENT || (l->call && is_approval);
}

void oracle_refold(struct world *w, const struct engine *g)
{
	struct flow *f = flow_new(&w->graph, w->mode);
	struct error e;
	flow_refresh(f);
	for (size_t i = 0; i < w->journal_count; i++) {
		const struct line *l = &w->journal[i];
		bool is_repeat = l->ev.kind == FLOW_CALL_STARTED && known_of(w, l->ev.step, l->attempt, l->call, i).is_open;
		struct flow_event ev = l->ev;
		/* A person has said that it failed, of which nobody knew. */
		ev.was_unknown = ev.kind == FLOW_CALL_FINISHED && known_of(w, ev.step, l->attempt, l->call, i).last == FLOW_CALL_RESOLVED;
		if (!is_repeat && !is_apart(l) && flow_apply(f, &ev, &e)) broken(w, "line %zu does not fold: %s", i, e.text);
	}
	for (size_t i = 0; i < w->graph.count; i++) {
		const struct flow_step *a = &f->steps[i], *b = &g->flow->steps[i];
		bool same = a->state == b->state && a->attempt == b->attempt && a->open_calls == b->open_calls && a->unknown_calls == b->unknown_calls &&
		            a->open_questions == b->open_questions && (!w->is_clock_right || (a->due_us == b->due_us && a->left_us == b->left_us)) &&
		            a->is_in_attempt == b->is_in_attempt && a->is_decided == b->is_decided && a->is_approved == b->is_approved &&
		            a->approvals == b->approvals && a->retries_used == b->retries_used;
		if (!same)
			broken(w, "step %zu is %s live and %s by the journal, or differs in its counts", i, step_state_name(b->state),
			       step_state_name(a->state));
	}
	if (f->state != g->flow->state) broken(w, "the run is %s live and %s by the journal", run_state_name(g->flow->state), run_state_name(f->state));
	flow_free(f);
}
