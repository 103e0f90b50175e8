#include "incident.h"
#include "simulate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOVES_MAX = 40000, EPISODE_US = 1000 };

static unsigned pick(struct alarm_world *w, unsigned n)
{
	w->chance = mix(w->chance, w->seed);
	return (unsigned)(w->chance >> 20) % n;
}

static bool is_one_in(struct alarm_world *w, unsigned n)
{
	return pick(w, n) == 0;
}

void alarm_broken(const struct alarm_world *w, const char *fmt, ...)
{
	va_list ap;
	printf("seed %llu is broken after %llu moves: ", (unsigned long long)w->seed, (unsigned long long)w->moves);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n# simulate incident loud %llu\n", (unsigned long long)w->seed);
	exit(1);
}

/* ---- the engine: what service/incident.c and intake_decide.c do with the machine ---- */

/* What all incidents together remember of an alert, from a line of any of them. */
static void remember(struct alarm_world *w, const struct alarm_line *l)
{
	if (l->ev.kind == INCIDENT_EXECUTION_ENDED)
		for (size_t a = 0; a < ALARM_ALERTS; a++)
			if (w->memory[a].running == l->run) w->memory[a].running = SIZE_MAX;
	if (l->incident == SIZE_MAX || (l->ev.kind != INCIDENT_ALERT_SEEN && l->ev.kind != INCIDENT_WAS_RESOLVED)) return;
	const struct incident_flow *f = w->incidents[l->incident];
	for (size_t a = 0; a < ALARM_ALERTS; a++) {
		const struct incident_alert *al = incident_alert_find(f, w->sources[a].key);
		struct alarm_memory *m = &w->memory[a];
		if (!al || (l->ev.kind == INCIDENT_ALERT_SEEN && l->alert != a)) continue;
		if (m->last == SIZE_MAX || w->incidents[m->last]->state == INCIDENT_RESOLVED) m->last = l->incident;
		if (al->over_starts_us > m->over_us) m->over_us = al->over_starts_us;
		if (al->executed_starts_us > m->executed_us) m->executed_us = al->executed_starts_us;
		if (l->ev.kind == INCIDENT_ALERT_SEEN && l->run != SIZE_MAX) m->running = l->run;
	}
}

static enum err fold(struct alarm_world *w, const struct alarm_line *l, struct error *e)
{
	if (l->ev.kind == INCIDENT_OPENED && l->incident == w->incident_count) w->incidents[w->incident_count++] = incident_flow_new(w->arena);
	enum err err = l->incident == SIZE_MAX ? ERR_OK : incident_apply(w->incidents[l->incident], &l->ev, e);
	if (!err) remember(w, l);
	return err;
}

static bool emit(struct alarm_world *w, struct alarm_line l)
{
	struct error e;
	l.ev.t_us = ++w->now_us;
	if (fold(w, &l, &e)) return false;
	if (w->line_count == ALARM_LINES_MAX) alarm_broken(w, "it has no end");
	if (w->is_loud)
		printf("# line %zu: incident %zd %s alert %zd %s %lld run %zd\n", w->line_count, (ssize_t)l.incident, incident_transition(l.ev.kind)->name,
		       (ssize_t)l.alert, l.ev.is_firing ? "fires since" : "", (long long)l.ev.starts_us, (ssize_t)l.run);
	w->lines[w->line_count++] = l;
	return true;
}

static void must_emit(struct alarm_world *w, struct alarm_line l)
{
	if (!emit(w, l)) alarm_broken(w, "%s is refused", incident_transition(l.ev.kind)->name);
}

static void commit(struct alarm_world *w)
{
	if (w->line_count) w->lines[w->line_count - 1].is_end_of_batch = true;
}

static struct alarm_line line_of(enum incident_event_kind kind, size_t incident)
{
	return (struct alarm_line){.ev = {.kind = kind}, .incident = incident, .alert = SIZE_MAX, .run = SIZE_MAX};
}

static bool is_open(const struct alarm_world *w, size_t i)
{
	return i != SIZE_MAX && w->incidents[i]->state != INCIDENT_RESOLVED;
}

static size_t open_incident(struct alarm_world *w, size_t alert)
{
	/* All of a grouped world are one group. */
	for (size_t i = 0; w->is_grouped && i < w->incident_count; i++)
		if (is_open(w, i)) {
			w->tally.groups++;
			return i;
		}
	(void)alert;
	must(w->incident_count < ALARM_INCIDENTS_MAX);
	must_emit(w, line_of(INCIDENT_OPENED, w->incident_count));
	return w->incident_count - 1;
}

static size_t new_run(struct alarm_world *w)
{
	must(w->run_count < ALARM_RUNS_MAX);
	struct alarm_run *r = &w->runs[w->run_count];
	*r = (struct alarm_run){.begun = 0};
	snprintf(r->id, sizeof r->id, "01JD9Z8Q6M3T4N5P6R7S%06zu", w->run_count);
	return w->run_count++;
}

static void receive(struct alarm_world *w, struct alarm_mail *m)
{
	const struct alarm_memory *mem = &w->memory[m->alert];
	bool is_late = m->is_firing && m->starts_us <= mem->over_us;
	size_t inc = mem->last;
	if (m->is_firing && !is_late && !is_open(w, inc)) inc = SIZE_MAX;
	bool starts = m->is_firing && !is_late && mem->running == SIZE_MAX && m->starts_us > mem->executed_us && !is_one_in(w, 4);
	if (inc == SIZE_MAX && m->is_firing && !is_late) inc = open_incident(w, m->alert);
	struct alarm_line l = line_of(INCIDENT_ALERT_SEEN, inc);
	l.alert = m->alert, l.mail = m->id;
	l.ev.alert = w->sources[m->alert].key, l.ev.is_firing = m->is_firing, l.ev.starts_us = m->starts_us;
	if (starts) l.run = new_run(w), l.ev.execution = w->runs[l.run].id, l.ev.rule = "r";
	must_emit(w, l);
	m->is_waiting = true;
	m->line = w->line_count - 1;
	if (is_open(w, inc) && incident_is_over(w->incidents[inc])) {
		struct alarm_line over = line_of(INCIDENT_WAS_RESOLVED, inc);
		over.ev.by_alert = true;
		must_emit(w, over);
	}
	commit(w);
	w->tally.deliveries++, w->tally.late += is_late, w->tally.starts += starts;
	w->tally.repeats += m->is_firing && m->starts_us <= mem->executed_us, w->tally.joined += mem->running != SIZE_MAX && !starts;
}

static void begin_run(struct alarm_world *w, size_t run)
{
	alarm_oracle_begin(w, run);
	w->runs[run].begun++;
}

/* What waited for those lines: executions begin, sources are answered. */
static void follow(struct alarm_world *w)
{
	for (; w->is_alive && w->followed < w->stored; w->followed++) {
		const struct alarm_line *l = &w->lines[w->followed];
		if (l->ev.kind == INCIDENT_ALERT_SEEN && l->run != SIZE_MAX) begin_run(w, l->run);
		for (size_t i = 0; i < ALARM_MAIL_MAX && l->mail; i++) {
			struct alarm_mail *m = &w->mail[i];
			if (m->id != l->mail || !m->is_waiting) continue;
			alarm_oracle_answer(w, m->line);
			struct alarm_source *s = &w->sources[m->alert];
			/* The answer may be lost on its way. */
			if (!is_one_in(w, 6) && m->is_firing == s->is_firing && m->starts_us == s->starts_us) s->is_told = true;
			*m = (struct alarm_mail){0};
		}
	}
}

static void forget(struct alarm_world *w)
{
	w->incident_count = 0;
	for (size_t a = 0; a < ALARM_ALERTS; a++) w->memory[a] = (struct alarm_memory){.last = SIZE_MAX, .running = SIZE_MAX};
}

static void read_back(struct alarm_world *w)
{
	struct error e;
	forget(w);
	for (size_t i = 0; i < w->line_count; i++)
		if (fold(w, &w->lines[i], &e)) alarm_broken(w, "line %zu is refused when it is read again: %s", i, e.text);
}

static void end_run(struct alarm_world *w, size_t inc, size_t run)
{
	struct alarm_line l = line_of(INCIDENT_EXECUTION_ENDED, inc);
	l.run = run;
	l.ev.execution = w->runs[run].id, l.ev.is_success = w->runs[run].is_success, l.ev.is_begun = true;
	must_emit(w, l);
	commit(w);
}

static size_t run_of(const struct alarm_world *w, const char *id)
{
	for (size_t r = 0; r < w->run_count; r++)
		if (strcmp(w->runs[r].id, id) == 0) return r;
	alarm_broken(w, "there is no execution %s", id);
}

/* Another engine: what was decided and never began begins, what ended unheard is told. */
static void start_engine(struct alarm_world *w)
{
	if (w->is_alive) return;
	w->is_alive = true;
	w->followed = w->stored;
	read_back(w);
	for (size_t i = 0; i < w->incident_count; i++)
		for (size_t k = 0; k < w->incidents[i]->execution_count; k++) {
			struct incident_execution x = w->incidents[i]->executions[k];
			size_t run = run_of(w, x.id);
			if (x.ended_us) continue;
			if (!w->runs[run].begun)
				begin_run(w, run);
			else if (w->runs[run].is_over)
				end_run(w, i, run);
		}
}

static bool is_same_flow(const struct incident_flow *a, const struct incident_flow *b)
{
	bool same = a->state == b->state && a->firing == b->firing && a->running == b->running && a->alert_count == b->alert_count &&
	            a->execution_count == b->execution_count && a->changed_us == b->changed_us;
	for (size_t i = 0; same && i < a->alert_count; i++) {
		const struct incident_alert *p = &a->alerts[i], *q = &b->alerts[i];
		same = p->is_firing == q->is_firing && p->starts_us == q->starts_us && p->over_starts_us == q->over_starts_us && p->seen == q->seen &&
		       p->executed_starts_us == q->executed_starts_us;
	}
	return same;
}

static void check_refold(struct alarm_world *w)
{
	struct incident_flow *live[ALARM_INCIDENTS_MAX];
	struct alarm_memory memory[ALARM_ALERTS];
	size_t count = w->incident_count;
	memcpy(live, w->incidents, count * sizeof *live);
	memcpy(memory, w->memory, sizeof memory);
	read_back(w);
	for (size_t i = 0; i < count; i++)
		if (!is_same_flow(live[i], w->incidents[i])) alarm_broken(w, "the journal gives another incident %zu than the engine has", i);
	if (memcmp(memory, w->memory, sizeof memory) != 0) alarm_broken(w, "the journal gives another memory of alerts than the engine has");
}

/* ---- the world ---- */

static void store(struct alarm_world *w)
{
	if (w->stored == w->line_count) return;
	do alarm_oracle_line(w, w->stored);
	while (!w->lines[w->stored++].is_end_of_batch);
}

static void crash(struct alarm_world *w)
{
	if (!w->is_alive || w->faults_left == 0) return;
	w->faults_left--;
	/* Of what is on its way to the disk some gets there. */
	while (w->stored < w->line_count && is_one_in(w, 2)) store(w);
	w->tally.lost_lines += w->line_count - w->stored;
	w->line_count = w->stored;
	w->is_alive = false;
	forget(w);
	w->tally.crashes++;
	if (w->is_loud) printf("# the engine dies, %zu lines are stored\n", w->stored);
	for (size_t i = 0; i < ALARM_MAIL_MAX; i++)
		if (w->mail[i].is_waiting) w->mail[i] = (struct alarm_mail){0}; /* the source hears nothing, and sends again */
}

static void post(struct alarm_world *w, size_t alert)
{
	const struct alarm_source *s = &w->sources[alert];
	for (size_t i = 0; i < ALARM_MAIL_MAX && s->starts_us; i++) {
		if (w->mail[i].id) continue;
		w->mail[i] = (struct alarm_mail){.id = ++w->next_mail, .alert = alert, .is_firing = s->is_firing, .starts_us = s->starts_us};
		return;
	}
}

static void deliver(struct alarm_world *w)
{
	size_t at = pick(w, ALARM_MAIL_MAX);
	for (size_t i = 0; i < ALARM_MAIL_MAX; i++) {
		struct alarm_mail *m = &w->mail[(at + i) % ALARM_MAIL_MAX];
		if (!m->id || m->is_waiting) continue;
		if (is_one_in(w, 5)) post(w, m->alert); /* doubled */
		if (is_one_in(w, 8) || !w->is_alive)
			*m = (struct alarm_mail){0}; /* lost, or refused */
		else
			receive(w, m);
		return;
	}
}

static void source_moves(struct alarm_world *w)
{
	size_t a = pick(w, ALARM_ALERTS);
	struct alarm_source *s = &w->sources[a];
	if (s->is_told && (s->is_firing || s->episodes_left)) {
		if (!s->is_firing) s->episodes_left--, s->starts_us = (w->now_us += EPISODE_US);
		s->is_firing = !s->is_firing;
		s->is_told = false;
	}
	if (!s->is_told || is_one_in(w, 3)) post(w, a); /* until it is answered; and now and then again */
}

static void run_moves(struct alarm_world *w)
{
	if (!w->run_count) return;
	size_t r = pick(w, (unsigned)w->run_count);
	struct alarm_run *run = &w->runs[r];
	if (!run->begun || run->is_over) return;
	run->is_over = true;
	run->is_success = !is_one_in(w, 3);
	for (size_t i = 0; w->is_alive && i < w->incident_count; i++) {
		const struct incident_execution *x = incident_execution_find(w->incidents[i], run->id);
		if (x && !x->ended_us) end_run(w, i, r);
	}
}

static void person_moves(struct alarm_world *w)
{
	static const enum incident_event_kind kinds[] = {INCIDENT_WAS_ACKNOWLEDGED, INCIDENT_NOTED,         INCIDENT_ASSIGNED,
	                                                 INCIDENT_PRIORITISED,      INCIDENT_WAS_MITIGATED, INCIDENT_WAS_RESOLVED};
	if (!w->is_alive || !w->incident_count || !w->wishes_left) return;
	w->wishes_left--;
	struct alarm_line l = line_of(kinds[pick(w, 6)], pick(w, (unsigned)w->incident_count));
	l.ev.by = "user:ana", l.ev.to = "user:bo";
	if (!emit(w, l)) return; /* the state does not allow it */
	w->tally.by_hand += l.ev.kind == INCIDENT_WAS_RESOLVED;
	commit(w);
}

static void make(struct alarm_world *w, uint64_t seed, bool is_loud)
{
	struct alarm_tally tally = w->tally;
	memset(w, 0, sizeof *w);
	w->seed = seed, w->chance = mix(seed, 0xa1a53), w->is_loud = is_loud, w->tally = tally;
	w->arena = arena_new();
	w->now_us = 1000000;
	w->is_grouped = is_one_in(w, 3);
	w->faults_left = pick(w, 8), w->wishes_left = pick(w, 10);
	for (size_t a = 0; a < ALARM_ALERTS; a++) {
		struct alarm_source *s = &w->sources[a];
		memset(s->key, 'a', INCIDENT_KEY_BYTES - 1);
		s->key[is_one_in(w, 2) ? 0 : 40] = (char)('b' + a); /* keys that begin alike, too */
		s->episodes_left = 1 + pick(w, 4);
		s->is_told = true;
	}
	forget(w);
}

static bool is_at_rest(const struct alarm_world *w)
{
	bool rest = w->is_alive && w->stored == w->line_count && w->followed == w->stored;
	for (size_t a = 0; a < ALARM_ALERTS; a++) rest = rest && w->sources[a].is_told && !w->sources[a].episodes_left;
	for (size_t i = 0; i < ALARM_MAIL_MAX; i++) rest = rest && !w->mail[i].id;
	for (size_t r = 0; r < w->run_count; r++) rest = rest && (w->runs[r].is_over || !w->oracle.is_decided[r]);
	return rest;
}

static void move(struct alarm_world *w)
{
	unsigned what = pick(w, 100);
	if (what < 30)
		store(w), follow(w);
	else if (what < 55)
		deliver(w);
	else if (what < 75)
		source_moves(w);
	else if (what < 88)
		run_moves(w);
	else if (what < 91)
		crash(w);
	else if (what < 94)
		person_moves(w);
	else
		start_engine(w);
}

void alarm_run(struct alarm_world *w, uint64_t seed, bool is_loud)
{
	make(w, seed, is_loud);
	start_engine(w);
	while (!is_at_rest(w)) {
		if (w->moves++ > MOVES_MAX) alarm_broken(w, "it does not end");
		move(w);
		if (w->is_alive && w->moves % 32 == 0) check_refold(w);
	}
	check_refold(w);
	alarm_oracle_end(w);
	for (size_t i = 0; i < w->incident_count; i++) w->tally.resolved += w->incidents[i]->state == INCIDENT_RESOLVED;
	arena_free(w->arena);
}

static double seconds_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int alarm_main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: simulate incident FIRST COUNT | FIRST seconds=N | loud SEED\n");
		return 2;
	}
	struct alarm_world *w = mem_zero(sizeof *w);
	bool is_loud = strcmp(argv[0], "loud") == 0, is_timed = strncmp(argv[1], "seconds=", 8) == 0;
	uint64_t first = strtoull(argv[is_loud ? 1 : 0], NULL, 10), done = 0, moves = 0;
	uint64_t count = is_timed ? UINT64_MAX : is_loud ? 1 : strtoull(argv[1], NULL, 10);
	double until = seconds_now() + (is_timed ? strtod(argv[1] + 8, NULL) : 0);
	for (; done < count && (!is_timed || seconds_now() < until); done++) {
		alarm_run(w, first + done, is_loud);
		moves += w->moves;
	}
	const struct alarm_tally *t = &w->tally;
	printf("# %llu seeds from %llu, %llu moves: %llu deliveries, %llu late, %llu of an episode that had its execution, %llu while one ran\n",
	       (unsigned long long)done, (unsigned long long)first, (unsigned long long)moves, (unsigned long long)t->deliveries, (unsigned long long)t->late,
	       (unsigned long long)t->repeats, (unsigned long long)t->joined);
	printf("# %llu executions, %llu incidents resolved, %llu by hand, %llu alerts joined a group, %llu crashes, %llu lines lost\n",
	       (unsigned long long)t->starts, (unsigned long long)t->resolved, (unsigned long long)t->by_hand, (unsigned long long)t->groups,
	       (unsigned long long)t->crashes, (unsigned long long)t->lost_lines);
	free(w);
	return 0;
}
