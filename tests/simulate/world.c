#include "simulate.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The world around the engines: the book, the store, targets, the clock, people, and what goes wrong. */

enum { MOVES_MAX = 60000, PATIENCE = 4000, SECOND_US = 1000 };

unsigned roll(struct world *w, unsigned n)
{
	w->chance = w->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(w->chance >> 33) % n;
}

static void say(const struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct world *w, const char *fmt, ...)
{
	va_list ap;
	if (!w->is_loud) return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void broken(const struct world *w, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fflush(stdout);
	fprintf(stderr, "seed %llu, move %llu: ", (unsigned long long)w->seed, (unsigned long long)w->moves);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(1);
}

/* --- the book ---------------------------------------------------------------------------------------------------------------------------- */

static struct program random_program(struct world *w, bool is_proof)
{
	static const enum step_effect effects[] = {EFFECT_ONCE, EFFECT_ONCE, EFFECT_READ, EFFECT_IDEMPOTENT, EFFECT_KEYED, EFFECT_RECEIPT};
	struct program p = {.seed = mix(w->seed, roll(w, 1 << 20)), .branches = 1 + roll(w, BRANCHES_MAX), .is_proof = is_proof};
	for (unsigned b = 0; b < p.branches; b++) p.length[b] = roll(w, LENGTH_MAX + 1);
	p.is_race = p.branches > 1 && roll(w, 4) == 0;
	p.errors_max = roll(w, 3) ? 99 : (int)roll(w, 2);
	p.effect = effects[roll(w, 6)];
	p.is_fickle = !is_proof && roll(w, 25) == 0;
	return p;
}

static void random_step(struct world *w, size_t i)
{
	struct book_step *s = &w->book_steps[i];
	snprintf(w->ids[i], sizeof w->ids[i], "s%zu", i);
	*s = (struct book_step){.id = w->ids[i], .goto_max = 2};
	w->nodes[i] = (struct graph_node){.needs = w->needs[i], .need_count = i ? 1 : 0, .goto_step = SIZE_MAX};
	w->needs[i][0] = i ? i - 1 : 0;
	if (i && roll(w, 2)) {
		w->nodes[i].need_count = roll(w, 3);
		for (size_t k = 0; k < w->nodes[i].need_count; k++) w->needs[i][k] = roll(w, (unsigned)i);
	}
	s->is_manual = roll(w, 7) == 0;
	if (roll(w, 6) == 0) s->if_source = "x";
	if (roll(w, 3) == 0) s->retry = (int)roll(w, 3), s->delay_us = roll(w, 50) * SECOND_US, s->backoff = 2;
	if (roll(w, 3) == 0) s->timeout_us = (20 + roll(w, 300)) * SECOND_US;
	if (roll(w, 4) == 0)
		s->on_failure = ON_FAILURE_CONTINUE;
	else if (roll(w, 5) == 0)
		s->on_failure = ON_FAILURE_GOTO, s->goto_max = (int)roll(w, 3), w->nodes[i].goto_step = roll(w, (unsigned)w->graph.count);
	s->approve = roll(w, 6) == 0 ? 1 + (int)roll(w, 2) : 0;
	s->from = people_groups[roll(w, 3)];
	s->risk = roll(w, 5) == 0 ? RISK_DESTRUCTIVE : RISK_CHANGE;
	if (roll(w, 3) == 0) s->targets_source = "t";
	w->proofs[i] = (struct book_fence){.role = FENCE_VERIFY, .source = ""};
	if (!s->is_manual && roll(w, 3) == 0) s->fences = &w->proofs[i], s->fence_count = 1;
	w->programs[i] = random_program(w, false);
	w->proof_programs[i] = random_program(w, true);
}

static void random_world(struct world *w)
{
	w->graph = (struct graph){.book = &w->book, .nodes = w->nodes, .count = 1 + roll(w, STEPS_MAX)};
	w->book = (struct book){.steps = w->book_steps, .step_count = w->graph.count};
	for (size_t i = 0; i < w->graph.count; i++) random_step(w, i);
	people_make(w);
	w->mode = roll(w, 3) ? FLOW_AUTO : FLOW_GUIDED;
	w->now_us = w->real_us = INT64_C(1000000000);
	w->is_clock_right = roll(w, 3) > 0;
	w->faults_left = roll(w, 5) ? 1 + roll(w, 9) : 0;
}

/* --- the store --------------------------------------------------------------------------------------------------------------------------- */

static void end_engine(struct world *w, struct engine *g)
{
	for (size_t i = 0; i < FLIGHTS_MAX; i++)
		if (w->flights[i].is_on && w->flights[i].engine == g->number) w->flights[i].is_orphan = true;
	engine_end(g);
}

/* Those behind it in the queue are judged for themselves; the engine ends when it hears of it. */
static void refuse(struct world *w, struct engine *g)
{
	say(w, "engine %u: refused", g->number);
	w->tally.refused++;
	w->tally.claims_refused += g->is_claiming;
	g->batches[g->stored++].is_refused = true;
}

static void tell(struct world *w, struct engine *g)
{
	if (g->told < g->stored && g->batches[g->told].is_refused)
		end_engine(w, g);
	else
		engine_tell(g);
}

/* The writer stores a batch whole, or refuses it where its lease has passed, or was taken by another. */
static void store_batch(struct world *w, struct engine *g)
{
	if (g->stored == g->batch_count) return;
	const struct batch *b = &g->batches[g->stored];
	struct lease held = {.epoch = w->journal_count ? w->journal[w->journal_count - 1].epoch : 0, .last = w->journal_count};
	bool is_claim = g->is_claiming && g->stored == 0;
	if (!lease_admits(&held, g->lines[b->first].epoch) || (is_claim && !lease_is_free_for(&held, &g->claim))) {
		refuse(w, g);
		return;
	}
	for (size_t i = 0; i < b->count; i++) {
		must(w->journal_count < RECORDS_MAX);
		w->journal[w->journal_count] = g->lines[b->first + i];
		w->journal[w->journal_count].ev.ahead_us = 0; /* no record says it */
		const struct line *l = &w->journal[w->journal_count];
		say(w, "%4zu engine %u: event %d step %zd attempt %u call %u outcome %s who %s", w->journal_count, g->number, (int)l->ev.kind,
		    (ssize_t)l->ev.step, l->attempt, l->call, step_state_name(l->ev.outcome), people_names[l->who]);
		oracle_line(w, w->journal_count++);
	}
	g->stored++;
}

/* --- targets -------------------------------------------------------------------------------------------------------------------------------- */

void world_depart(struct engine *g, size_t step, uint32_t attempt, uint32_t call, uint64_t id)
{
	struct world *w = g->world;
	struct flight *f = w->flights;
	while (f->is_on && f < w->flights + FLIGHTS_MAX - 1) f++;
	must(!f->is_on);
	*f = (struct flight){.is_on = true, .engine = g->number, .id = id, .step = step, .attempt = attempt, .call = call};
	oracle_depart(w, g, f);
	say(w, "     engine %u: call %u of step %zu leaves", g->number, call, step);
}

void world_cancel(struct engine *g, uint64_t id)
{
	for (size_t i = 0; i < FLIGHTS_MAX; i++)
		if (g->world->flights[i].engine == g->number && g->world->flights[i].id == id) g->world->flights[i].is_cancelled = true;
}

static void move_flight(struct world *w, struct flight *f)
{
	struct engine *g = w->engines[f->engine - 1];
	if (!f->has_landed && !f->is_cancelled && roll(w, 3)) {
		f->has_landed = true;
		w->tally.landed++;
		return;
	}
	/* An orphan's answer reaches nobody, and an answer may be lost with its actor. */
	bool is_ended = f->is_cancelled && roll(w, 3), is_lost = f->is_orphan || g->is_gone;
	uint64_t id = f->id;
	f->is_on = false;
	if (is_lost) return;
	if (g->is_paused) {
		f->is_on = true; /* until it listens again */
		return;
	}
	unsigned answer = 1 + roll(w, 1000);
	engine_answer(g, id, answer, !f->has_landed || answer % 7 == 0, is_ended);
	if (!g->is_gone && roll(w, 8) == 0) engine_answer(g, id, answer + 1, false, false); /* and once more */
}

static bool is_lock_free(const struct world *w, const struct engine *g)
{
	for (size_t i = 0; i < FLIGHTS_MAX; i++)
		if (w->flights[i].is_on && w->flights[i].is_orphan) return false;
	/* An engine that was taken over, and does not know it yet, holds it too. */
	for (unsigned i = 0; i + 1 < g->number; i++)
		if (!w->engines[i]->is_gone) return false;
	return true;
}

/* --- what happens ---------------------------------------------------------------------------------------------------------------------------- */

static void lose_actor(struct world *w, struct engine *g)
{
	bool any = false;
	for (size_t i = 0; i < FLIGHTS_MAX; i++) {
		struct flight *f = &w->flights[i];
		if (f->is_on && f->engine == g->number) f->is_orphan = any = true;
	}
	if (!any || g->is_awaiting_lock) return;
	say(w, "     engine %u: its actor ends", g->number);
	engine_lose_actor(g);
}

static void pass_time(struct world *w, int64_t by_us)
{
	w->real_us += by_us;
	w->now_us += by_us;
	for (unsigned k = 0; k < w->engine_count; k++) {
		struct engine *g = w->engines[k];
		for (size_t i = 0; i < w->graph.count && !g->is_gone; i++)
			if (g->flow->steps[i].state == STEP_RUNNING) g->ran_us[i] += by_us;
	}
}

static void turn_clock(struct world *w)
{
	pass_time(w, (roll(w, 40) == 0 ? roll(w, 500) : roll(w, 6)) * SECOND_US);
	if (!w->is_clock_right && roll(w, 60) == 0) w->now_us += ((int64_t)roll(w, 2000) - 1000) * SECOND_US;
}

static void go_wrong(struct world *w, struct engine *g)
{
	if (!w->faults_left) return;
	w->faults_left--;
	unsigned what = roll(w, 10);
	if (what < 4 && w->engine_count < ENGINES_MAX - 4) {
		say(w, "     engine %u: crash", g->number);
		w->tally.crashes++;
		/* What the writer had in hand may have reached the disk, and nobody heard of it. */
		while (roll(w, 2) && g->stored < g->batch_count && !g->is_gone) store_batch(w, g);
		end_engine(w, g);
		pass_time(w, roll(w, 1000) * SECOND_US);
	} else if (what < 6 && w->journal_count && w->engine_count < ENGINES_MAX - 4) {
		say(w, "     engine %u: taken over", g->number);
		w->tally.takeovers++;
		engine_take_up(w);
		if (roll(w, 4) == 0) engine_take_up(w); /* and by another at once */
	} else if (what < 7) {
		say(w, "     engine %u: stands still", g->number);
		g->is_paused = true;
	} else if (what < 8)
		lose_actor(w, g);
	else
		engine_lose_worker(g, roll(w, (unsigned)w->graph.count));
}

static void person(struct world *w, struct engine *g)
{
	unsigned what = roll(w, w->moves < PATIENCE ? 600 : 40);
	if (what == 0)
		engine_emit(g, (struct line){.ev = {.kind = FLOW_CANCEL, .step = SIZE_MAX, .to = SIZE_MAX, .by = SIZE_MAX}});
	else if (what < 8)
		engine_emit(g, (struct line){.ev = {.kind = FLOW_PAUSED, .step = SIZE_MAX, .to = SIZE_MAX, .by = SIZE_MAX}});
	else if (what < 14)
		engine_hand_over(g, roll(w, PEOPLE - 1));
	engine_person(g, roll(w, (unsigned)w->graph.count));
}

/* Its timer goes off. */
static void wake(struct world *w, struct engine *g)
{
	if (g->is_gone || engine_steady_us(g) < g->armed_us) return;
	g->armed_us = INT64_MAX;
	w->tally.timers++;
	engine_step_on(g);
}

static void move(struct world *w, struct engine *g)
{
	if (g->is_paused) { /* the world goes on around it */
		turn_clock(w);
		g->is_paused = roll(w, 30) > 0;
		return;
	}
	unsigned what = roll(w, 100);
	struct flight *f = &w->flights[roll(w, 8)];
	if (roll(w, 8) == 0) f = &w->flights[roll(w, STEPS_MAX * BRANCHES_MAX * 2)];
	if (what < 25)
		store_batch(w, g);
	else if (what < 45)
		tell(w, g);
	else if (what < 65)
		engine_work(g, roll(w, (unsigned)w->graph.count));
	else if (what < 80 && f->is_on)
		move_flight(w, f);
	else if (what < 86)
		turn_clock(w);
	else if (what < 95)
		person(w, g);
	else if (what < 96)
		go_wrong(w, g);
	else if (roll(w, 8) == 0)
		people_move(w);
	wake(w, g);
	if (!g->is_gone && g->is_awaiting_lock && is_lock_free(w, g)) engine_lock_is_free(g);
	bool is_quiet = !g->is_gone && g->told == g->batch_count && g->line_count == g->batched;
	if (is_quiet && w->journal_count && g->number == w->engine_count && roll(w, 64) == 0) oracle_refold(w, g);
	if (is_quiet && !g->is_awaiting_lock) oracle_timers(w, g);
}

static struct engine *pick(struct world *w)
{
	struct engine *alive[ENGINES_MAX];
	unsigned n = 0;
	for (unsigned i = 0; i < w->engine_count; i++)
		if (!w->engines[i]->is_gone) alive[n++] = w->engines[i];
	/* An execution of which nothing is durable there is not: somebody starts it again. */
	if (n == 0) return w->journal_count ? engine_take_up(w) : engine_begin(w);
	return alive[roll(w, n)];
}

static bool is_over(const struct world *w)
{
	return w->journal_count && w->journal[w->journal_count - 1].ev.kind == FLOW_FINISHED;
}

void world_run(struct world *w, uint64_t seed, bool is_loud)
{
	struct engine *engines[ENGINES_MAX];
	struct tally tally = w->tally;
	memcpy(engines, w->engines, sizeof engines);
	memset(w, 0, offsetof(struct world, journal));
	memset(w->flights, 0, sizeof w->flights);
	memcpy(w->engines, engines, sizeof engines);
	w->tally = tally;
	w->journal_count = w->departure_count = 0;
	w->engine_count = 0;
	w->moves = 0;
	w->seed = seed;
	w->arena = arena_new();
	w->chance = mix(seed, 1);
	w->is_loud = is_loud;
	random_world(w);
	engine_begin(w);
	for (; !is_over(w); w->moves++) {
		if (w->moves == MOVES_MAX) broken(w, "the run does not end");
		move(w, pick(w));
	}
	for (unsigned i = 0; i < w->engine_count; i++) engine_end(w->engines[i]);
	arena_free(w->arena);
}
