#include "engine_parts.h"

#include <string.h>

/* Approvals, carried out as engine/service/ does: who is asked, who agrees, what becomes void. */

/* What waits: the step, or a call of it. */
struct waits {
	size_t step;
	struct sim_call *call;
};

static struct approval *round_of(struct engine *g, struct waits c)
{
	return c.call ? &c.call->approval : &g->steps[c.step].approval;
}

static struct approval_insiders insiders(const struct engine *g)
{
	return (struct approval_insiders){.drivers = g->drivers, .driver_count = g->driver_count, .book = &g->world->book, .policy = people_policy(g->world)};
}

static struct clock_times now_of(const struct engine *g)
{
	return (struct clock_times){.now_us = g->world->now_us, .steady_us = engine_steady_us(g)};
}

static enum policy_risk risk_of(const struct book_step *s)
{
	return s->risk == RISK_DESTRUCTIVE ? RISK_OF_DESTRUCTIVE : RISK_OF_CHANGE;
}

static enum err demands_of(struct engine *g, struct waits c, struct demands *all, struct arena *a)
{
	const struct book_step *s = &g->world->book_steps[c.step];
	struct error e;
	demands_init(all, people_policy(g->world));
	if (c.call) {
		struct demand d = {.needed = c.call->code_needed, .within_us = demand_within_us()};
		return demands_add_code(all, s, "book.md", people_groups[c.call->code_from], d, a, &e);
	}
	enum err err = demands_add_step(all, s, "book.md", a, &e);
	struct policy_request q = {.who = g->drivers[g->driver_count - 1], .verb = VERB_RUN, .book = "book.md", .risk = risk_of(s), .now_us = g->world->now_us};
	return err ? err : demands_add_rules(all, &q, a, &e);
}

static void bind(struct engine *g, struct waits c, uint32_t after, char out[APPROVAL_BINDING_BYTES])
{
	const struct sim_step *s = &g->steps[c.step];
	json_t *asks = c.call ? json_integer((json_int_t)(c.call->asks >> 1)) : NULL;
	struct approval_subject subject = {.execution = "x",
	                                   .driver = g->drivers[g->driver_count - 1],
	                                   .plan = "p",
	                                   .step = g->world->ids[c.step],
	                                   .after = after,
	                                   .targets = s->has_targets ? people_hosts(s->targets) : NULL,
	                                   .allowed = people_hosts(0),
	                                   .call = c.call ? c.call->flow.number : 0,
	                                   .attempt = c.call ? c.call->flow.attempt : 0,
	                                   .asks = asks};
	approval_bind(&subject, out);
	json_decref(asks);
}

/* The same subject has the same binding in every world: it is digested once. */
static void binding_of(struct engine *g, struct waits c, uint32_t after, char out[APPROVAL_BINDING_BYTES])
{
	enum { KEPT = 4096 };
	static struct kept {
		const char *driver;
		uint64_t what, asks;
		char binding[APPROVAL_BINDING_BYTES];
	} kept[KEPT];
	const struct sim_step *s = &g->steps[c.step];
	const char *driver = g->drivers[g->driver_count - 1];
	uint64_t targets = s->has_targets ? s->targets : TARGETS_UNKNOWN, call = c.call ? c.call->flow.number : 0, attempt = c.call ? c.call->flow.attempt : 0;
	uint64_t what = c.step | targets << 8 | (uint64_t)after << 16 | call << 32 | attempt << 52, asks = c.call ? c.call->asks : 0;
	struct kept *k = &kept[mix(mix(what, asks), (uint64_t)(driver[5])) % KEPT];
	if (k->driver != driver || k->what != what || k->asks != asks) {
		*k = (struct kept){.driver = driver, .what = what, .asks = asks};
		bind(g, c, after, k->binding);
	}
	memcpy(out, k->binding, sizeof k->binding);
}

static const char *why_void(struct engine *g, struct waits c, const struct demands *all)
{
	struct approval_insiders in = insiders(g);
	char binding[APPROVAL_BINDING_BYTES];
	binding_of(g, c, round_of(g, c)->after, binding);
	return approval_void(round_of(g, c), all, binding, &in, now_of(g));
}

static bool emit(struct engine *g, struct waits c, enum flow_event_kind kind, struct line l)
{
	l.ev = (struct flow_event){.kind = kind, .step = c.step, .to = SIZE_MAX, .by = SIZE_MAX, .count = l.asking.needed};
	l.attempt = c.call ? c.call->flow.attempt : 0;
	l.call = c.call ? c.call->flow.number : 0;
	return engine_emit(g, l);
}

static void ask(struct engine *g, struct waits c, const struct demands *all)
{
	struct line l = {.asking = {.needed = all->needed, .within_us = all->within_us, .from = arena_strdup(g->world->arena, all->from.data)}};
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].rule) l.asking.rule = all->list[i].rule;
	binding_of(g, c, g->flow->steps[c.step].attempt, l.asking.binding);
	emit(g, c, FLOW_APPROVAL_ASKED, l);
}

static void withdraw(struct engine *g, struct waits c)
{
	g->world->tally.withdrawn++;
	emit(g, c, FLOW_APPROVAL_WITHDRAWN, (struct line){.epoch = 0});
}

void engine_fold_approval(struct engine *g, const struct line *l)
{
	struct sim_step *s = &g->steps[l->ev.step];
	struct sim_call *c = l->call ? engine_find_call(g, l->ev.step, l->attempt, l->call) : NULL;
	struct approval *p = c ? &c->approval : &s->approval;
	if (l->ev.kind == FLOW_APPROVAL_ASKED) {
		*p = (struct approval){
		    .needed = l->asking.needed, .from = l->asking.from, .within_us = l->asking.within_us, .after = g->flow->steps[l->ev.step].attempt};
		memcpy(p->binding, l->asking.binding, sizeof p->binding);
		p->met = arena_alloc(g->arena, sizeof *p->met);
		if (l->asking.rule) p->met[p->met_count++] = l->asking.rule;
	}
	if (l->ev.kind == FLOW_APPROVAL_GIVEN)
		approval_given(p, g->arena, people_names[l->who], clock_until_at(l->ev.t_us, l->until_us, g->is_emitting ? engine_steady_us(g) : 0));
}

/* ---- before a step begins ---- */

static struct approval_targets targets_of(const struct engine *g, size_t step)
{
	const struct sim_step *s = &g->steps[step];
	return (struct approval_targets){g->world->book_steps[step].targets_source != NULL, s->has_targets, s->are_targets_fresh};
}

static void look_at_targets(struct engine *g, size_t step)
{
	struct line l = {.what = LINE_TARGETS, .ev = {.kind = FLOW_EVENT_N, .step = step}, .targets = g->world->people.targets[step]};
	engine_emit(g, l);
}

/* True: nothing is missing. */
static bool is_agreed(struct engine *g, size_t step, const struct demands *all, bool *is_denied)
{
	struct waits c = {step, NULL};
	const struct flow_step *f = &g->flow->steps[step];
	struct approval_next next = approval_at_gate(f, all, targets_of(g, step), f->is_approved ? why_void(g, c, all) : NULL);
	if (next.looks_first) look_at_targets(g, step);
	if (next.withdraws) withdraw(g, c);
	if (next.asks) ask(g, c, all);
	*is_denied = next.is_denied;
	return next.may_begin;
}

static void deny(struct engine *g, size_t step)
{
	struct line l = {
	    .ev = {.kind = FLOW_ATTEMPT_STARTED, .step = step, .to = SIZE_MAX, .by = SIZE_MAX}, .attempt = g->flow->steps[step].attempt + 1, .is_denied = true};
	if (!engine_emit(g, l)) return;
	l.ev.kind = FLOW_ATTEMPT_FINISHED;
	l.ev.outcome = STEP_DENIED;
	engine_sure(g, engine_emit(g, l));
}

bool engine_gate(struct engine *g, size_t step)
{
	struct demands all;
	bool is_denied = false;
	struct arena *a = arena_new();
	bool may = demands_of(g, (struct waits){step, NULL}, &all, a) == ERR_OK && is_agreed(g, step, &all, &is_denied);
	if (is_denied) deny(g, step);
	demands_clear(&all);
	arena_free(a);
	return may;
}

bool engine_may_by_hand(struct engine *g, size_t step)
{
	const struct flow_step *f = &g->flow->steps[step];
	struct demands all;
	struct arena *a = arena_new();
	bool is_denied, may = demands_of(g, (struct waits){step, NULL}, &all, a) == ERR_OK;
	if (may && (all.count || f->is_approved)) may = !f->is_awaiting_approval && is_agreed(g, step, &all, &is_denied);
	demands_clear(&all);
	arena_free(a);
	return may;
}

static void advance_by_hand(struct engine *g, size_t step)
{
	struct demands all;
	bool is_denied;
	if (!approval_concerns_hand(g->flow, step, g->steps[step].live.is_on)) return;
	struct arena *a = arena_new();
	if (demands_of(g, (struct waits){step, NULL}, &all, a) == ERR_OK && (all.count || g->flow->steps[step].is_approved))
		is_agreed(g, step, &all, &is_denied);
	demands_clear(&all);
	arena_free(a);
}

static size_t all_that_waits(struct engine *g, struct waits *out, size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < g->world->graph.count; i++) {
		const struct flow_step *f = &g->flow->steps[i];
		if (f->is_awaiting_approval && n < max) out[n++] = (struct waits){i, NULL};
		for (size_t k = 0; k < g->steps[i].count && f->open_questions; k++) {
			struct sim_call *c = &g->steps[i].calls[k];
			if (c->code_needed && c->flow.state == CALL_STARTED && c->flow.attempt == f->attempt && n < max) out[n++] = (struct waits){i, c};
		}
	}
	return n;
}

static void refresh(struct engine *g, struct waits c)
{
	struct demands all;
	struct arena *a = arena_new();
	struct approval_next next = {.withdraws = NULL};
	if (demands_of(g, c, &all, a) == ERR_OK) next = approval_while_waiting(&all, c.call != NULL, why_void(g, c, &all));
	if (next.withdraws) withdraw(g, c);
	if (next.asks) ask(g, c, &all);
	demands_clear(&all);
	arena_free(a);
}

void engine_advance_approvals(struct engine *g)
{
	struct waits waiting[CALLS_MAX];
	size_t n = all_that_waits(g, waiting, CALLS_MAX);
	for (size_t i = 0; i < n; i++) refresh(g, waiting[i]);
	for (size_t i = 0; i < g->world->graph.count; i++) advance_by_hand(g, i);
}

int64_t engine_approvals_pass_us(struct engine *g)
{
	struct waits waiting[CALLS_MAX];
	size_t n = all_that_waits(g, waiting, CALLS_MAX);
	int64_t first_us = INT64_MAX;
	for (size_t i = 0; i < n; i++) first_us = approval_first_us(round_of(g, waiting[i]), now_of(g), first_us);
	for (size_t i = 0; i < g->world->graph.count; i++)
		if (g->flow->steps[i].is_approved && approval_concerns_hand(g->flow, i, false))
			first_us = approval_first_us(&g->steps[i].approval, now_of(g), first_us);
	return first_us;
}

void engine_ask_others(struct engine *g, size_t step, struct sim_call *c)
{
	struct waits waits = {step, c};
	struct demands all;
	struct arena *a = arena_new();
	engine_sure(g, engine_emit_call(g, FLOW_QUESTION_ASKED, step, &c->flow, (struct line){.code_needed = c->code_needed, .code_from = c->code_from}));
	if (demands_of(g, waits, &all, a) == ERR_OK) ask(g, waits, &all);
	demands_clear(&all);
	arena_free(a);
}

/* ---- people ---- */

static void answer_code(struct engine *g, struct waits c, bool is_refused)
{
	if (!engine_emit_call(g, FLOW_QUESTION_ANSWERED, c.step, &c.call->flow, (struct line){.is_failure = is_refused})) return;
	g->steps[c.step].needs_run = true;
	engine_finish_call(g, c.step, c.call, roll(g->world, 1000), is_refused);
}

/* Somebody agrees to what they see, or saw a while ago, or does not agree. */
static void say_word(struct engine *g, struct waits c, const struct demands *all, unsigned who)
{
	struct world *w = g->world;
	struct approval_insiders in = insiders(g);
	char binding[APPROVAL_BINDING_BYTES], *shown = w->people.shown[c.step];
	bool may = approval_judge(round_of(g, c), all, &in, people_names[who], now_of(g)) == APPROVAL_COUNTS;
	w->tally.not_agreed += !may;
	if (!may) return;
	if (roll(w, 12) == 0) {
		if (emit(g, c, FLOW_APPROVAL_REFUSED, (struct line){.who = who}) && c.call) answer_code(g, c, true);
		return;
	}
	binding_of(g, c, round_of(g, c)->after, binding);
	if (roll(w, 4)) memcpy(shown, binding, sizeof binding);
	if (!approval_is_as_shown(round_of(g, c), shown, why_void(g, c, all))) return;
	w->tally.agreed++;
	struct line given = {.who = who, .until_us = w->now_us + all->within_us};
	memcpy(given.asking.binding, shown, sizeof given.asking.binding);
	if (!emit(g, c, FLOW_APPROVAL_GIVEN, given)) return;
	if (c.call && !approval_missing(round_of(g, c))) answer_code(g, c, false);
}

void engine_agree(struct engine *g, size_t step)
{
	struct waits waiting[CALLS_MAX];
	struct demands all;
	struct waits c = {SIZE_MAX, NULL};
	size_t n;
	if (!g->is_awaiting_lock) {
		n = all_that_waits(g, waiting, CALLS_MAX);
		for (size_t i = 0; i < n; i++) refresh(g, waiting[i]);
	}
	n = all_that_waits(g, waiting, CALLS_MAX);
	for (size_t i = 0; i < n; i++)
		if (waiting[i].step == step) c = waiting[i];
	if (c.step == SIZE_MAX) return;
	struct arena *a = arena_new();
	if (demands_of(g, c, &all, a) == ERR_OK) say_word(g, c, &all, roll(g->world, PEOPLE));
	demands_clear(&all);
	arena_free(a);
}

void engine_hand_over(struct engine *g, unsigned who)
{
	if (g->flow->is_finished || g->driver_count == DRIVERS_MAX) return;
	engine_emit(g, (struct line){.what = LINE_DRIVER, .ev = {.kind = FLOW_EVENT_N, .step = SIZE_MAX}, .who = who});
}
