#include "simulate.h"

#include <string.h>

/* What DESIGN.md 7 promises of approvals, and 5.7 of timers, judged from the durable lines and from the tables of which the policies were made. */

enum { SEATS_MAX = 8 };

/* What is demanded: so many seats, each of a group (0: of anybody). */
struct seats {
	unsigned from[SEATS_MAX];
	size_t count;
	int64_t within_us;
};

static void add_seats(struct seats *s, uint32_t needed, unsigned from, int64_t within_us)
{
	for (uint32_t i = 0; i < needed; i++) s->from[s->count++] = from;
	if (needed && within_us < s->within_us) s->within_us = within_us;
}

static unsigned group_of(const char *from)
{
	for (unsigned i = 1; i < 3; i++)
		if (from && strcmp(from, people_groups[i]) == 0) return i;
	return 0;
}

/* The question that the call asked, or NULL for a step. */
static const struct line *question_of(const struct world *w, const struct line *l, size_t end)
{
	for (size_t i = end; l->call && i-- > 0;) {
		const struct line *q = &w->journal[i];
		if (q->ev.kind == FLOW_QUESTION_ASKED && q->ev.step == l->ev.step && q->attempt == l->attempt && q->call == l->call) return q;
	}
	return NULL;
}

static struct seats seats_of(const struct world *w, const struct line *l, const struct line *question)
{
	const int64_t hour_us = INT64_C(3600000000);
	const struct policy_rules *r = &w->people.says[l->policy];
	const struct book_step *b = &w->book_steps[l->ev.step];
	struct seats s = {.within_us = INT64_MAX};
	if (question) {
		add_seats(&s, question->code_needed, question->code_from, hour_us);
		return s;
	}
	add_seats(&s, (uint32_t)b->approve, group_of(b->from), hour_us);
	if (b->risk == RISK_DESTRUCTIVE) add_seats(&s, r->needed, r->from, r->within_us);
	return s;
}

/* Whose word could count under that policy. */
static bool is_among(const struct policy_rules *r, unsigned who, unsigned from)
{
	return from ? r->is_member[from - 1][who] : strncmp(people_names[who], "user:", 5) == 0;
}

/* Can each have a seat of their own? Tried out. */
static bool can_sit(const struct policy_rules *r, const struct seats *s, const unsigned *who, size_t count, unsigned taken)
{
	if (count == 0) return true;
	for (size_t i = 0; i < s->count; i++)
		if (!(taken & 1U << i) && is_among(r, who[0], s->from[i]) && can_sit(r, s, who + 1, count - 1, taken | 1U << i)) return true;
	return false;
}

static bool has_driven(const struct world *w, unsigned who, size_t end)
{
	for (size_t i = 0; i < end; i++)
		if (w->journal[i].what == LINE_DRIVER && w->journal[i].who == who) return true;
	return who == 0;
}

static unsigned driver_at(const struct world *w, size_t end)
{
	while (end-- > 0)
		if (w->journal[end].what == LINE_DRIVER) return w->journal[end].who;
	return 0;
}

/* The last line about the step's targets before end; SIZE_MAX: none. */
static size_t targets_at(const struct world *w, size_t step, size_t end)
{
	while (end-- > 0)
		if (w->journal[end].what == LINE_TARGETS && w->journal[end].ev.step == step) return end;
	return SIZE_MAX;
}

static unsigned targets_of(const struct world *w, size_t at)
{
	return at == SIZE_MAX ? TARGETS_UNKNOWN : w->journal[at].targets;
}

/* Does a reset of that step start this one again? */
static bool is_behind(const struct world *w, size_t root, size_t step)
{
	if (root == step) return true;
	for (size_t k = 0; k < w->nodes[step].need_count; k++)
		if (w->needs[step][k] < step && is_behind(w, root, w->needs[step][k])) return true;
	return false;
}

/* Who has agreed in the round that is open before end, by the places of their lines. */
struct agreed {
	size_t asked, at[PEOPLE * 4];
	size_t count;
};

static struct agreed agreed_before(const struct world *w, const struct line *what, size_t end)
{
	struct agreed a = {.asked = SIZE_MAX};
	for (size_t i = 0; i < end; i++) {
		const struct line *l = &w->journal[i];
		enum flow_event_kind kind = l->ev.kind;
		bool is_round = l->what == LINE_EVENT && l->ev.step == what->ev.step && l->call == what->call && (!l->call || l->attempt == what->attempt);
		bool is_over = kind == FLOW_APPROVAL_WITHDRAWN || kind == FLOW_APPROVAL_REFUSED || kind == FLOW_SETTLED || kind == FLOW_SKIP;
		if (is_round && (is_over || kind == FLOW_APPROVAL_ASKED)) a = (struct agreed){.asked = kind == FLOW_APPROVAL_ASKED ? i : SIZE_MAX};
		if (kind == FLOW_RESET && !what->call && is_behind(w, l->ev.step, what->ev.step)) a = (struct agreed){.asked = SIZE_MAX};
		if (!is_round || kind != FLOW_APPROVAL_GIVEN) continue;
		if (a.asked == SIZE_MAX) broken(w, "line %zu: somebody agrees, and nobody was asked", i);
		must(a.count < sizeof a.at / sizeof *a.at);
		a.at[a.count++] = i;
	}
	return a;
}

/* Where the wall clock was set, an engine that read it back knows no better than the times of the records. */
static bool has_passed(const struct world *w, const struct line *given, const struct line *now, int64_t within_us)
{
	bool is_known = w->is_clock_right || given->engine == now->engine;
	return is_known && now->real_us - given->real_us >= within_us;
}

static void check_each(struct world *w, const struct agreed *a, const struct seats *s, size_t at)
{
	const struct line *l = &w->journal[at];
	const struct policy_rules *r = &w->people.says[l->policy];
	unsigned who[PEOPLE * 4];
	for (size_t i = 0; i < a->count; i++) {
		const struct line *given = &w->journal[a->at[i]];
		who[i] = given->who;
		for (size_t k = 0; k < i; k++)
			if (who[k] == who[i]) broken(w, "line %zu: step %zu begins, and %s counts twice", at, l->ev.step, people_names[who[i]]);
		if (strncmp(people_names[who[i]], "user:", 5) != 0) broken(w, "line %zu: %s is no person, and counts", at, people_names[who[i]]);
		if (has_driven(w, who[i], at)) broken(w, "line %zu: step %zu begins by the word of %s, who has driven", at, l->ev.step, people_names[who[i]]);
		if (r->is_author[who[i]]) broken(w, "line %zu: step %zu begins by the word of %s, its author", at, l->ev.step, people_names[who[i]]);
		if (has_passed(w, given, l, s->within_us))
			broken(w, "line %zu: step %zu begins, and what %s said has passed", at, l->ev.step, people_names[who[i]]);
	}
	if (!can_sit(r, s, who, a->count, 0)) broken(w, "line %zu: step %zu begins, and not all who agreed may", at, l->ev.step);
}

/* Begins what others agree to: enough have, to exactly this. */
void oracle_agreed(struct world *w, size_t at)
{
	const struct line *l = &w->journal[at], *question = question_of(w, l, at);
	struct seats s = seats_of(w, l, question);
	size_t step = l->ev.step, targets = targets_at(w, step, at);
	if (s.count == 0 || l->is_denied) return;
	struct agreed a = agreed_before(w, l, at);
	if (a.asked == SIZE_MAX) broken(w, "line %zu: step %zu begins, and nobody was asked", at, step);
	if (a.count < s.count) broken(w, "line %zu: step %zu begins, and %zu of %zu agreed", at, step, a.count, s.count);
	check_each(w, &a, &s, at);
	if (driver_at(w, a.asked) != driver_at(w, at)) broken(w, "line %zu: step %zu begins under another driver than was shown", at, step);
	if (question || !w->book_steps[step].targets_source) return;
	if (targets_of(w, targets) >= TARGETS_UNKNOWN) broken(w, "line %zu: step %zu begins, and its targets are not known", at, step);
	if (targets_of(w, targets) != targets_of(w, targets_at(w, step, a.asked)))
		broken(w, "line %zu: step %zu begins with other targets than were shown", at, step);
	if (targets < a.at[a.count - 1]) broken(w, "line %zu: step %zu begins, and its targets were not looked at since they agreed", at, step);
}

/* One agrees: they may, and what they agree to is what was asked. */
void oracle_agrees(struct world *w, size_t at)
{
	const struct line *l = &w->journal[at], *question = question_of(w, l, at);
	struct agreed a = agreed_before(w, l, at + 1);
	struct seats s = seats_of(w, l, question);
	if (a.count > s.count) broken(w, "line %zu: %zu agree where %zu must", at, a.count, s.count);
	check_each(w, &a, &s, at);
	if (strcmp(l->asking.binding, w->journal[a.asked].asking.binding) != 0) broken(w, "line %zu: one agrees to something else than was asked", at);
	if (driver_at(w, a.asked) != driver_at(w, at)) broken(w, "line %zu: one agrees to what was shown of another driver", at);
}

/* A retry by the book waits for its delay. */
void oracle_retry(struct world *w, size_t at)
{
	const struct line *l = &w->journal[at];
	for (size_t i = at; i-- > 0;) {
		const struct line *before = &w->journal[i];
		if (before->ev.kind == FLOW_RESET) return;
		if (before->what != LINE_EVENT || before->ev.step != l->ev.step || before->ev.kind != FLOW_ATTEMPT_FINISHED) continue;
		if (has_passed(w, before, l, w->book_steps[l->ev.step].delay_us) || !(w->is_clock_right || before->engine == l->engine)) return;
		broken(w, "line %zu: step %zu is tried again after %lld of its %lld us", at, l->ev.step, (long long)(l->real_us - before->real_us),
		       (long long)w->book_steps[l->ev.step].delay_us);
	}
}

/* What would begin when its delay is over. */
static bool begins_at(const struct flow *f, size_t step, int64_t at_us)
{
	struct flow_command commands[2 * STEPS_MAX + 2];
	size_t n = flow_decide(f, at_us, commands, 2 * STEPS_MAX + 2);
	for (size_t i = 0; i < n; i++)
		if (commands[i].kind == FLOW_DO_START && commands[i].step == step) return true;
	return false;
}

void oracle_timers(struct world *w, const struct engine *g)
{
	const struct flow *f = g->flow;
	int64_t now_us = engine_steady_us(g);
	if (f->is_finished || f->is_cancelling || f->is_paused) return;
	for (size_t i = 0; i < w->graph.count; i++) {
		const struct flow_step *s = &f->steps[i];
		if (s->state == STEP_RUNNING && s->due_us && !g->steps[i].live.is_stopping && g->armed_us > s->due_us && s->due_us > now_us)
			broken(w, "step %zu has a deadline, and nobody wakes up for it", i);
		bool is_put_off = s->state == STEP_READY && s->due_us > now_us && g->armed_us > s->due_us;
		if (is_put_off && begins_at(f, i, s->due_us)) broken(w, "step %zu is put off, and nobody wakes up for it", i);
		const struct approval *p = &g->steps[i].approval;
		for (size_t k = 0; s->is_awaiting_approval && k < p->given_count; k++)
			if (p->given[k].until.steady_us && p->given[k].until.steady_us > now_us && g->armed_us > p->given[k].until.steady_us)
				broken(w, "what %s said of step %zu passes, and nobody wakes up", p->given[k].by, i);
	}
}
