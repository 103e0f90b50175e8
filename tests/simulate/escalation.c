#include "escalation.h"
#include "simulate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000)
enum { MOVES_MAX = 60000 };

static const char *const names[CLIMB_NAMES] = {"ana", "bo", "chris", "dee", "eli", "fay"};
static const char *const policy_names[] = {"web", "db", "all"};

static unsigned pick(struct climb_world *w, unsigned n)
{
	w->chance = mix(w->chance, w->seed);
	return (unsigned)(w->chance >> 20) % n;
}

static bool is_one_in(struct climb_world *w, unsigned n)
{
	return pick(w, n) == 0;
}

void climb_broken(const struct climb_world *w, const char *fmt, ...)
{
	va_list ap;
	printf("seed %llu is broken after %llu moves: ", (unsigned long long)w->seed, (unsigned long long)w->moves);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n# simulate escalation loud %llu\n", (unsigned long long)w->seed);
	exit(1);
}

/* ---- who is on call ---- */

static void make_level(struct climb_world *w, struct escalation_level *l, const uint32_t *channels)
{
	unsigned first = pick(w, CLIMB_NAMES);
	l->count = is_one_in(w, 12) ? 0 : 1 + pick(w, 3);
	l->people = arena_alloc(w->arena, l->count * sizeof *l->people);
	for (size_t i = 0; i < l->count; i++) {
		size_t who = (first + i) % CLIMB_NAMES;
		l->people[i] = (struct escalation_person){.name = names[who], .channels = channels[who]};
	}
	l->wait_us = (10 + pick(w, 300)) * SECOND;
}

static void make_ladder(struct climb_world *w, struct escalation_ladder *l)
{
	uint32_t channels[CLIMB_NAMES];
	for (size_t i = 0; i < CLIMB_NAMES; i++) channels[i] = pick(w, 4);
	l->count = is_one_in(w, 20) ? 0 : 1 + pick(w, 3);
	l->policies = arena_alloc(w->arena, l->count * sizeof *l->policies);
	for (size_t p = 0; p < l->count; p++) {
		struct escalation_policy *one = &l->policies[p];
		/* The second and the third change places now and then. */
		*one = (struct escalation_policy){.name = policy_names[p], .count = 1 + pick(w, 3), .rounds = 1 + pick(w, 3)};
		one->levels = arena_alloc(w->arena, one->count * sizeof *one->levels);
		for (size_t i = 0; i < one->count; i++) make_level(w, &one->levels[i], channels);
	}
	if (l->count == 3 && is_one_in(w, 3)) l->policies[1].name = policy_names[2], l->policies[2].name = policy_names[1];
	l->retry = (struct escalation_retry){.attempts = 1 + pick(w, 3),
	                                     .delay_us = (1 + pick(w, 10)) * SECOND,
	                                     .delay_most_us = 40 * SECOND,
	                                     .factor = 1 + pick(w, 3),
	                                     .timeout_us = (5 + pick(w, 30)) * SECOND};
}

/* ---- the engine ---- */

static int64_t steady(const struct climb_world *w)
{
	return w->begun_us + w->real_us - w->begun_real_us;
}

static enum err emit(struct climb_world *w, struct escalation_event ev, struct error *e)
{
	ev.t_us = w->wall_us;
	ev.ahead_us = steady(w) - w->wall_us;
	enum err err = escalation_apply(w->x, &ev, e);
	if (err) return err;
	if (w->line_count == CLIMB_LINES_MAX) climb_broken(w, "it has no end: %d lines", CLIMB_LINES_MAX);
	w->lines[w->line_count++] = (struct climb_line){.ev = ev, .real_us = w->real_us, .engine = w->engine};
	if (w->is_loud)
		printf("# %10.3f engine %u: %s climb %u policy %u round %u level %u person %u channel %u attempt %u number %u result %d -> %s\n",
		       (double)w->real_us / 1e6, w->engine, escalation_transition(ev.kind)->name, w->x->at.climb, w->x->at.policy, w->x->at.round,
		       w->x->at.level, ev.person, ev.channel, ev.attempt, ev.number, (int)ev.result, escalation_state_name(w->x->state));
	return ERR_OK;
}

static void emit_decided(struct climb_world *w, struct escalation_event ev)
{
	struct error e;
	if (emit(w, ev, &e)) climb_broken(w, "what was decided is refused: %s", e.text);
}

static void carry_out(struct climb_world *w, const struct escalation_command *c)
{
	switch (c->kind) {
	case ESCALATION_DO_REACH:
		emit_decided(w, (struct escalation_event){.kind = ESCALATION_LEVEL_REACHED, .at = c->at});
		break;
	case ESCALATION_DO_NOTIFY:
		emit_decided(w, (struct escalation_event){
		                    .kind = ESCALATION_NOTIFIED, .person = c->person, .channel = c->channel, .attempt = c->attempt, .number = c->number});
		break;
	case ESCALATION_DO_LOSE:
		emit_decided(w, (struct escalation_event){.kind = ESCALATION_TOLD, .number = c->number, .result = NOTIFICATION_UNKNOWN});
		break;
	case ESCALATION_DO_EXHAUST:
		if (c->was_reached != w->x->was_reached) climb_broken(w, "it does not say whether a message arrived");
		emit_decided(w, (struct escalation_event){.kind = ESCALATION_WAS_EXHAUSTED});
		break;
	case ESCALATION_DO_WAKE:
		w->armed_us = c->at_us;
		break;
	}
}

/* Until nothing is left to do but to wait. */
static void drive(struct climb_world *w)
{
	struct escalation_command commands[ESCALATION_COMMANDS_MAX];
	for (unsigned turns = 0; w->engine; turns++) {
		size_t count = escalation_decide(w->x, steady(w), commands);
		bool is_idle = count == 0 || (count == 1 && commands[0].kind == ESCALATION_DO_WAKE);
		w->armed_us = INT64_MAX;
		for (size_t i = 0; i < count; i++) carry_out(w, &commands[i]);
		if (is_idle) break;
		if (turns > 5000) climb_broken(w, "it decides without end");
	}
	if (w->engine) climb_oracle_idle(w);
}

static void begin_engine(struct climb_world *w)
{
	w->engine = ++w->engines;
	w->begun_us = w->wall_us;
	w->begun_real_us = w->real_us;
	w->armed_us = INT64_MAX;
	w->x = escalation_new(w->arena);
}

static void refold(struct climb_world *w, struct escalation *x)
{
	struct error e;
	for (size_t i = 0; i < w->line_count; i++) {
		struct escalation_event ev = w->lines[i].ev;
		ev.ahead_us = 0;
		if (escalation_apply(x, &ev, &e)) climb_broken(w, "line %zu is refused when it is read again: %s", i, e.text);
	}
}

/* What was folded live is what the journal gives. Where nobody set the clock, times too. */
static void compare(const struct climb_world *w, const struct escalation *a, const struct escalation *b)
{
	bool is_same = a->state == b->state && memcmp(&a->at, &b->at, sizeof a->at) == 0 && a->sent == b->sent && a->recipient_count == b->recipient_count &&
	               a->was_reached == b->was_reached && a->is_pushed == b->is_pushed && a->link_count == b->link_count;
	if (w->is_clock_right) is_same = is_same && a->timer.due_us == b->timer.due_us;
	for (size_t i = 0; is_same && i < a->recipient_count; i++) {
		const struct escalation_recipient *p = &a->recipients[i], *q = &b->recipients[i];
		is_same = p->reach == q->reach && p->channel == q->channel && p->attempt == q->attempt && p->number == q->number &&
		          p->is_perhaps_delivered == q->is_perhaps_delivered && strcmp(p->name, q->name) == 0;
		if (w->is_clock_right) is_same = is_same && p->timer.due_us == q->timer.due_us;
	}
	if (!is_same) climb_broken(w, "the journal gives another state than the engine has");
}

static void check_refold(struct climb_world *w)
{
	struct escalation *again = escalation_new(w->arena);
	refold(w, again);
	compare(w, w->x, again);
}

/* ---- store, channels, clock ---- */

static void depart(struct climb_world *w, const struct climb_line *l)
{
	size_t free_at = 0;
	if (!w->engine || l->engine != w->engine) return;
	if (!escalation_is_wanted(w->x, l->ev.number)) {
		emit_decided(w, (struct escalation_event){.kind = ESCALATION_TOLD, .number = l->ev.number, .result = NOTIFICATION_FAILED});
		return;
	}
	while (free_at < CLIMB_FLIGHTS_MAX && w->flights[free_at].is_on) free_at++;
	must(free_at < CLIMB_FLIGHTS_MAX);
	climb_oracle_depart(w, l->ev.number);
	/* At once, slowly, after its time, or never. */
	int64_t takes_us = is_one_in(w, 8) ? 4000 * SECOND : is_one_in(w, 4) ? pick(w, 90) * SECOND : pick(w, 3000) * 1000;
	w->flights[free_at] = (struct climb_flight){.is_on = true,
	                                            .engine = w->engine,
	                                            .number = l->ev.number,
	                                            .lands_us = w->real_us + takes_us,
	                                            .result = is_one_in(w, 2) ? NOTIFICATION_FAILED : NOTIFICATION_DELIVERED};
}

static void store(struct climb_world *w, size_t count)
{
	for (; count > 0 && w->stored < w->line_count; count--) {
		size_t at = w->stored++;
		climb_oracle_line(w, at);
		if (w->lines[at].ev.kind == ESCALATION_NOTIFIED) depart(w, &w->lines[at]);
	}
}

static void land(struct climb_world *w)
{
	for (size_t i = 0; i < CLIMB_FLIGHTS_MAX; i++) {
		struct climb_flight *f = &w->flights[i];
		if (!f->is_on || f->lands_us > w->real_us) continue;
		f->is_on = false;
		if (f->engine != w->engine) continue;
		w->tally.late += !escalation_is_wanted(w->x, f->number);
		emit_decided(w, (struct escalation_event){.kind = ESCALATION_TOLD, .number = f->number, .result = f->result});
		drive(w);
	}
}

static int64_t next_moment(const struct climb_world *w)
{
	int64_t at = w->engine && w->armed_us < INT64_MAX ? w->real_us + w->armed_us - steady(w) : INT64_MAX;
	for (size_t i = 0; i < CLIMB_FLIGHTS_MAX; i++)
		if (w->flights[i].is_on && w->flights[i].lands_us < at) at = w->flights[i].lands_us;
	return at;
}

static void pass(struct climb_world *w)
{
	int64_t at = next_moment(w), to = w->real_us + pick(w, 20000) * 1000;
	if (at != INT64_MAX && (at < to || !is_one_in(w, 4))) to = at > w->real_us ? at : w->real_us;
	/* An engine that stands still for a while. */
	if (is_one_in(w, 40)) to += pick(w, 400) * SECOND;
	w->wall_us += to - w->real_us;
	w->real_us = to;
	land(w);
	if (w->engine && steady(w) >= w->armed_us) drive(w);
	if (w->engine) climb_oracle_idle(w);
}

static void set_clock(struct climb_world *w)
{
	if (w->is_clock_right || w->faults_left == 0) return;
	w->faults_left--;
	w->wall_us += ((int64_t)pick(w, 7200) - 3600) * SECOND;
}

static void crash(struct climb_world *w)
{
	if (!w->engine || w->faults_left == 0) return;
	w->faults_left--;
	w->tally.crashes++;
	/* What was under way to the store is there or not. */
	size_t kept = w->stored + pick(w, (unsigned)(w->line_count - w->stored) + 1);
	w->engine = 0;
	w->line_count = kept;
	store(w, kept - w->stored);
	w->died_us = w->wall_us;
	w->x = NULL;
	if (w->is_loud) printf("# %10.3f the engine ends, %zu lines\n", (double)w->real_us / 1e6, kept);
}

static void take_up(struct climb_world *w)
{
	if (w->engine || !is_one_in(w, 3)) return;
	begin_engine(w);
	refold(w, w->x);
	if (w->x->state != ESCALATION_NEW && w->x->state != ESCALATION_RESOLVED)
		emit_decided(w, (struct escalation_event){.kind = ESCALATION_TAKEN_UP, .alive_us = is_one_in(w, 2) ? w->died_us : 0});
	drive(w);
}

/* ---- people ---- */

static void raise(struct climb_world *w)
{
	struct error e;
	struct escalation_event ev = {.kind = ESCALATION_RAISED,
	                              .trigger = (enum escalation_trigger)pick(w, RAISED_BY_N),
	                              .ladder = &w->ladders[w->ladder],
	                              .hold_us = is_one_in(w, 6) ? (1 + pick(w, 500)) * SECOND : 0};
	if (emit(w, ev, &e) && w->x->state != ESCALATION_RESOLVED) climb_broken(w, "it cannot be raised: %s", e.text);
	drive(w);
}

static void acknowledge(struct climb_world *w)
{
	struct error e;
	uint32_t link = w->x->sent && !is_one_in(w, 3) ? 1 + pick(w, w->x->sent + 1) : 0;
	bool was_used = link && escalation_is_link_used(w->x, link);
	enum err err = emit(w, (struct escalation_event){.kind = ESCALATION_WAS_ACKNOWLEDGED, .by = names[pick(w, CLIMB_NAMES)], .link = link}, &e);
	if (!err && was_used) climb_broken(w, "the link %u acknowledges twice", link);
	w->tally.links_refused += was_used;
	w->tally.acknowledged += !err;
	drive(w);
}

static void change_ladder(struct climb_world *w)
{
	struct error e;
	w->ladder = pick(w, CLIMB_LADDERS_MAX);
	w->tally.changes += !emit(w, (struct escalation_event){.kind = ESCALATION_LADDER_CHANGED, .ladder = &w->ladders[w->ladder]}, &e);
	drive(w);
}

static void wish(struct climb_world *w)
{
	struct error e;
	if (!w->engine || w->wishes_left == 0) return;
	w->wishes_left--;
	unsigned what = pick(w, 20);
	if (w->x->state == ESCALATION_NEW || what < 6) {
		raise(w);
	} else if (what < 10) {
		acknowledge(w);
	} else if (what < 14) {
		change_ladder(w);
	} else if (what < 16) {
		emit(w, (struct escalation_event){.kind = ESCALATION_PUT_OFF, .by = "ana", .hold_us = (1 + pick(w, 900)) * SECOND}, &e);
		drive(w);
	} else if (what == 16) {
		emit(w, (struct escalation_event){.kind = ESCALATION_WAS_RESOLVED}, &e);
		drive(w);
	}
}

/* ---- the whole ---- */

static void make(struct climb_world *w, uint64_t seed, bool is_loud)
{
	struct climb_tally tally = w->tally;
	size_t lines = w->line_count;
	memset(w->lines, 0, lines * sizeof *w->lines);
	w->line_count = w->stored = 0;
	memset(w->flights, 0, sizeof w->flights);
	w->oracle = (struct climb_oracle){0};
	w->seed = seed, w->chance = mix(seed, 0xe5ca1a7e), w->is_loud = is_loud, w->tally = tally;
	w->arena = arena_new();
	w->is_clock_right = !is_one_in(w, 3);
	w->real_us = 1000 * SECOND, w->wall_us = INT64_C(1764000000) * SECOND;
	w->faults_left = pick(w, 12), w->wishes_left = 1 + pick(w, 14);
	w->engine = w->engines = 0, w->moves = 0, w->ladder = 0;
	for (size_t i = 0; i < CLIMB_LADDERS_MAX; i++) make_ladder(w, &w->ladders[i]);
	begin_engine(w);
}

static bool is_at_rest(const struct climb_world *w)
{
	return w->engine && w->stored == w->line_count && w->x->state != ESCALATION_HELD && w->x->state != ESCALATION_CLIMBING;
}

static void move(struct climb_world *w)
{
	unsigned what = pick(w, 100);
	if (what < 45) {
		store(w, 1 + pick(w, 4));
		if (w->engine) drive(w);
	} else if (what < 88) {
		pass(w);
	} else if (what < 91) {
		crash(w);
	} else if (what < 93) {
		set_clock(w);
	} else if (what < 95) {
		wish(w);
	} else {
		take_up(w);
	}
}

void climb_run(struct climb_world *w, uint64_t seed, bool is_loud)
{
	make(w, seed, is_loud);
	raise(w);
	while (!is_at_rest(w) || (w->wishes_left > 0 && w->x->state != ESCALATION_RESOLVED)) {
		if (w->moves++ > MOVES_MAX) climb_broken(w, "it does not end");
		move(w);
		if (w->engine && w->moves % 16 == 0) check_refold(w);
	}
	check_refold(w);
	w->tally.exhausted += w->x->state == ESCALATION_EXHAUSTED;
	arena_free(w->arena);
}

static double seconds_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int climb_main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: simulate escalation FIRST COUNT | FIRST seconds=N | loud SEED\n");
		return 2;
	}
	struct climb_world *w = mem_zero(sizeof *w);
	bool is_loud = strcmp(argv[0], "loud") == 0, is_timed = strncmp(argv[1], "seconds=", 8) == 0;
	uint64_t first = strtoull(argv[is_loud ? 1 : 0], NULL, 10), done = 0, moves = 0;
	uint64_t count = is_timed ? UINT64_MAX : is_loud ? 1 : strtoull(argv[1], NULL, 10);
	double until = seconds_now() + (is_timed ? strtod(argv[1] + 8, NULL) : 0);
	for (; done < count && (!is_timed || seconds_now() < until); done++) {
		climb_run(w, first + done, is_loud);
		moves += w->moves;
	}
	const struct climb_tally *t = &w->tally;
	printf("# %llu seeds from %llu, %llu moves: %llu levels, %llu notified, %llu delivered, %llu heard of late, %llu levels over sooner\n",
	       (unsigned long long)done, (unsigned long long)first, (unsigned long long)moves, (unsigned long long)t->levels, (unsigned long long)t->notified,
	       (unsigned long long)t->delivered, (unsigned long long)t->late, (unsigned long long)t->sooner);
	printf("# %llu acknowledged, %llu used links refused, %llu exhausted, %llu crashes, %llu changes of the ladder\n", (unsigned long long)t->acknowledged,
	       (unsigned long long)t->links_refused, (unsigned long long)t->exhausted, (unsigned long long)t->crashes, (unsigned long long)t->changes);
	free(w);
	return 0;
}
