#include "escalation.h"
#include "simulate.h"

#include <string.h>

/* What is promised, judged by the durable lines, by what left for a channel, and by the time that passed: written from the rules' text (flow/escalation.h), not
 * from its code. */

/* ---- the order of levels: a list of all of them ---- */

static bool is_before(struct escalation_place a, struct escalation_place b)
{
	if (a.policy != b.policy) return a.policy < b.policy;
	if (a.round != b.round) return a.round < b.round;
	return a.level < b.level;
}

/* The first of the list that stands behind `at`. A round that has begun is climbed to its end, also where a new ladder has fewer. */
static bool first_behind(const struct escalation_ladder *l, struct escalation_place at, struct escalation_place *out)
{
	for (uint32_t p = 0; p < l->count; p++)
		for (uint32_t r = 1; r <= l->policies[p].rounds || (p == at.policy && r <= at.round); r++)
			for (uint32_t k = 1; k <= l->policies[p].count; k++) {
				*out = (struct escalation_place){.climb = at.climb, .policy = p, .round = r, .level = k};
				if (is_before(at, *out)) return true;
			}
	return false;
}

static uint32_t index_of(const struct escalation_ladder *l, const char *name)
{
	uint32_t i = 0;
	while (i < l->count && strcmp(l->policies[i].name, name) != 0) i++;
	return i;
}

static uint32_t channels_of(const struct escalation_ladder *l, const char *name)
{
	for (size_t p = 0; p < l->count; p++)
		for (size_t k = 0; k < l->policies[p].count; k++)
			for (size_t i = 0; i < l->policies[p].levels[k].count; i++)
				if (strcmp(l->policies[p].levels[k].people[i].name, name) == 0) return l->policies[p].levels[k].people[i].channels;
	return 0;
}

/* ---- when a level may end ---- */

static bool is_nobody_left(const struct climb_oracle *o)
{
	for (size_t i = 0; i < o->people_count; i++)
		if (!o->people[i].is_out || o->people[i].is_delivered || o->people[i].is_perhaps) return false;
	return true;
}

static void check_may_end(struct climb_world *w, const struct climb_line *l, const struct escalation_place *next)
{
	const struct climb_oracle *o = &w->oracle;
	bool is_time = l->real_us - o->since_us >= o->wait_us;
	if (o->state == ESCALATION_HELD) {
		if (!is_time && !o->is_vague) climb_broken(w, "held for %lld us, %lld were said", (long long)(l->real_us - o->since_us), (long long)o->wait_us);
		return;
	}
	if (o->at.level == 0 || o->is_pushed) return;
	for (size_t i = 0; i < o->people_count && !o->is_changed; i++)
		if (o->people[i].channels > 0 && o->people[i].told == 0) climb_broken(w, "person %zu of a level was not notified", i);
	if (is_time || o->is_vague) return;
	bool is_new_round = next && next->policy == o->at.policy && next->round != o->at.round;
	if (!is_nobody_left(o))
		climb_broken(w, "a level ends after %lld us of %lld, and somebody may have been reached", (long long)(l->real_us - o->since_us),
		             (long long)o->wait_us);
	if (is_new_round) climb_broken(w, "a new round begins before the last level has had its wait");
	w->tally.sooner++;
}

/* ---- lines ---- */

static void start(struct climb_oracle *o, enum escalation_state state, const struct climb_line *l)
{
	o->at = (struct escalation_place){.climb = o->at.climb + 1, .round = 1};
	o->state = state;
	o->since_us = l->real_us;
	o->wait_us = l->ev.hold_us;
	o->is_pushed = o->is_vague = o->is_changed = o->was_reached = false;
	o->climb_first = o->level_first = o->notified + 1;
	o->people_count = 0;
}

static void line_raised(struct climb_world *w, const struct climb_line *l)
{
	struct climb_oracle *o = &w->oracle;
	bool is_asked_for = l->ev.trigger == RAISED_BY_STEP || l->ev.trigger == RAISED_BY_HAND;
	bool is_held = l->ev.hold_us > 0 && !is_asked_for;
	if (o->state == ESCALATION_RESOLVED) climb_broken(w, "raised when it was over");
	if (o->state == ESCALATION_NEW) o->ladder = l->ev.ladder;
	if (o->state == ESCALATION_NEW || o->state == ESCALATION_EXHAUSTED)
		start(o, is_held ? ESCALATION_HELD : ESCALATION_CLIMBING, l);
	else if ((o->state == ESCALATION_HELD || o->state == ESCALATION_ACKNOWLEDGED) && is_asked_for)
		start(o, ESCALATION_CLIMBING, l);
	else if (o->state == ESCALATION_CLIMBING && l->ev.trigger == RAISED_BY_HAND && o->at.level > 0)
		o->is_pushed = true;
}

static void line_reached(struct climb_world *w, const struct climb_line *l)
{
	struct climb_oracle *o = &w->oracle;
	struct escalation_place next;
	if (o->state != ESCALATION_HELD && o->state != ESCALATION_CLIMBING) climb_broken(w, "it climbs in the state %s", escalation_state_name(o->state));
	if (!first_behind(o->ladder, o->at, &next)) climb_broken(w, "it climbs beyond its end");
	if (memcmp(&next, &l->ev.at, sizeof next) != 0)
		climb_broken(w, "behind policy %u round %u level %u stands %u %u %u, not %u %u %u", o->at.policy, o->at.round, o->at.level, next.policy,
		             next.round, next.level, l->ev.at.policy, l->ev.at.round, l->ev.at.level);
	check_may_end(w, l, &next);
	const struct escalation_level *level = &o->ladder->policies[next.policy].levels[next.level - 1];
	o->state = ESCALATION_CLIMBING;
	o->at = next;
	o->since_us = l->real_us;
	o->wait_us = level->wait_us;
	o->is_pushed = o->is_vague = o->is_changed = false;
	o->level_first = o->notified + 1;
	o->people_count = level->count;
	for (size_t i = 0; i < level->count; i++)
		o->people[i] = (struct climb_person){
		    .name = level->people[i].name, .channels = level->people[i].channels, .attempt = 1, .is_out = level->people[i].channels == 0};
	w->tally.levels++;
}

static void line_notified(struct climb_world *w, const struct climb_line *l)
{
	struct climb_oracle *o = &w->oracle;
	if (o->state != ESCALATION_CLIMBING) climb_broken(w, "somebody is notified in the state %s", escalation_state_name(o->state));
	if (l->ev.person >= o->people_count) climb_broken(w, "somebody is notified who is not of the level");
	struct climb_person *p = &o->people[l->ev.person];
	if (l->ev.number != o->notified + 1) climb_broken(w, "notification %u comes behind %u", l->ev.number, o->notified);
	if (p->is_delivered) climb_broken(w, "somebody is notified again whom a message has reached");
	if (p->is_awaited) climb_broken(w, "somebody is notified while a message is on its way");
	if (l->ev.channel != p->channel || l->ev.attempt != p->attempt)
		climb_broken(w, "attempt %u on channel %u, expected %u on %u", l->ev.attempt, l->ev.channel, p->attempt, p->channel);
	if (l->ev.channel >= p->channels) climb_broken(w, "channel %u of %u", l->ev.channel, p->channels);
	if (l->real_us < p->not_before_us && !o->is_vague)
		climb_broken(w, "a channel is tried again %lld us too soon", (long long)(p->not_before_us - l->real_us));
	o->notified++;
	p->told++;
	p->number = l->ev.number;
	p->is_awaited = true;
	must(l->ev.number - o->level_first < CLIMB_SENT_MAX);
	o->sent_to[l->ev.number - o->level_first] = l->ev.person;
	w->tally.notified++;
}

/* Which message may come next, now that this one did not arrive. */
static void go_on(struct climb_oracle *o, struct climb_person *p, bool is_unknown, int64_t now_us)
{
	const struct escalation_retry *r = &o->ladder->retry;
	int64_t delay = r->delay_us;
	p->is_awaited = false;
	p->is_perhaps = p->is_perhaps || is_unknown;
	if (!is_unknown && p->attempt < r->attempts && p->channel < p->channels) {
		for (uint32_t i = 1; i < p->attempt; i++) delay = delay * r->factor > r->delay_most_us ? r->delay_most_us : delay * r->factor;
		p->attempt++;
		p->not_before_us = now_us + (delay > r->delay_most_us ? r->delay_most_us : delay);
		return;
	}
	p->channel++;
	p->attempt = 1;
	p->not_before_us = 0;
	if (p->channel >= p->channels) p->is_out = true;
}

static void line_told(struct climb_world *w, const struct climb_line *l)
{
	struct climb_oracle *o = &w->oracle;
	if (l->ev.number == 0 || l->ev.number > o->notified) climb_broken(w, "an outcome of notification %u, which nobody sent", l->ev.number);
	if (l->ev.result == NOTIFICATION_DELIVERED && l->ev.number >= o->climb_first) o->was_reached = true;
	w->tally.delivered += l->ev.result == NOTIFICATION_DELIVERED;
	if (o->state != ESCALATION_CLIMBING || l->ev.number < o->level_first) return;
	struct climb_person *p = &o->people[o->sent_to[l->ev.number - o->level_first]];
	if (l->ev.result == NOTIFICATION_DELIVERED)
		p->is_delivered = true, p->is_awaited = false;
	else if (p->is_awaited && p->number == l->ev.number)
		go_on(o, p, l->ev.result == NOTIFICATION_UNKNOWN, l->real_us);
}

static void line_acknowledged(struct climb_world *w, const struct climb_line *l)
{
	struct climb_oracle *o = &w->oracle;
	for (size_t i = 0; l->ev.link && i < o->link_count; i++)
		if (o->links[i] == l->ev.link) climb_broken(w, "the link %u is used twice", l->ev.link);
	if (l->ev.link > o->notified) climb_broken(w, "the link %u of nothing that was sent", l->ev.link);
	must(o->link_count < CLIMB_LINKS_MAX);
	if (l->ev.link) o->links[o->link_count++] = l->ev.link;
	o->state = ESCALATION_ACKNOWLEDGED;
}

static void line_exhausted(struct climb_world *w, const struct climb_line *l)
{
	struct climb_oracle *o = &w->oracle;
	struct escalation_place next;
	if (o->state != ESCALATION_HELD && o->state != ESCALATION_CLIMBING) climb_broken(w, "exhausted in the state %s", escalation_state_name(o->state));
	if (first_behind(o->ladder, o->at, &next)) climb_broken(w, "exhausted, and level %u of round %u comes next", next.level, next.round);
	check_may_end(w, l, NULL);
	o->state = ESCALATION_EXHAUSTED;
}

static void line_changed(struct climb_world *w, const struct climb_line *l)
{
	struct climb_oracle *o = &w->oracle;
	const struct escalation_ladder *now = l->ev.ladder, *was = o->ladder;
	o->is_changed = true;
	if (o->at.level > 0) {
		uint32_t p = index_of(now, was->policies[o->at.policy].name);
		if (p == now->count) climb_broken(w, "a ladder without its policy is taken");
		for (uint32_t i = 0; i < o->at.policy; i++) {
			uint32_t again = index_of(now, was->policies[i].name);
			if (again > p && again < now->count) climb_broken(w, "a policy would be climbed twice");
		}
		o->at.policy = p;
	}
	o->ladder = now;
	for (size_t i = 0; i < o->people_count; i++) {
		struct climb_person *p = &o->people[i];
		p->channels = channels_of(now, p->name);
		p->is_out = !p->is_awaited && p->channel >= p->channels;
	}
}

static void line_taken_up(struct climb_world *w, const struct climb_line *l)
{
	struct climb_oracle *o = &w->oracle;
	o->is_vague = o->is_vague || !w->is_clock_right;
	for (size_t i = 0; i < o->people_count; i++)
		if (o->people[i].is_awaited) go_on(o, &o->people[i], true, l->real_us);
}

void climb_oracle_line(struct climb_world *w, size_t at)
{
	const struct climb_line *l = &w->lines[at];
	switch (l->ev.kind) {
	case ESCALATION_RAISED:
		line_raised(w, l);
		break;
	case ESCALATION_LEVEL_REACHED:
		line_reached(w, l);
		break;
	case ESCALATION_NOTIFIED:
		line_notified(w, l);
		break;
	case ESCALATION_TOLD:
		line_told(w, l);
		break;
	case ESCALATION_WAS_ACKNOWLEDGED:
		line_acknowledged(w, l);
		break;
	case ESCALATION_PUT_OFF:
		start(&w->oracle, ESCALATION_HELD, l);
		break;
	case ESCALATION_WAS_EXHAUSTED:
		line_exhausted(w, l);
		break;
	case ESCALATION_WAS_RESOLVED:
		w->oracle.state = ESCALATION_RESOLVED;
		break;
	case ESCALATION_LADDER_CHANGED:
		line_changed(w, l);
		break;
	case ESCALATION_TAKEN_UP:
		line_taken_up(w, l);
		break;
	default:
		break;
	}
}

/* ---- what leaves, and what time passes ---- */

void climb_oracle_depart(struct climb_world *w, uint32_t number)
{
	struct climb_oracle *o = &w->oracle;
	if (number > o->notified) climb_broken(w, "notification %u leaves before its intent is durable", number);
	if (number <= o->departed) climb_broken(w, "notification %u leaves twice", number);
	for (size_t i = w->line_count; i-- > 0;) {
		enum escalation_event_kind k = w->lines[i].ev.kind;
		if (k == ESCALATION_NOTIFIED && w->lines[i].ev.number == number) break;
		if (k == ESCALATION_WAS_ACKNOWLEDGED || k == ESCALATION_WAS_RESOLVED)
			climb_broken(w, "notification %u leaves after it was acknowledged", number);
	}
	o->departed = number;
}

/* The world's time of the last line of that kind (and number), or of a take-up behind it. */
static int64_t since(const struct climb_world *w, unsigned kinds, uint32_t number)
{
	int64_t taken_up_us = 0;
	for (size_t i = w->line_count; i-- > 0;) {
		const struct climb_line *l = &w->lines[i];
		if (l->ev.kind == ESCALATION_TAKEN_UP && !taken_up_us) taken_up_us = l->real_us;
		if ((kinds & (1u << l->ev.kind)) && (!number || l->ev.number == number)) return l->real_us > taken_up_us ? l->real_us : taken_up_us;
	}
	return taken_up_us;
}

static unsigned engine_that_sent(const struct climb_world *w, uint32_t number)
{
	for (size_t i = w->line_count; i-- > 0;)
		if (w->lines[i].ev.kind == ESCALATION_NOTIFIED && w->lines[i].ev.number == number) return w->lines[i].engine;
	return 0;
}

/* The engine has done what it wanted: is anything over its time? */
void climb_oracle_idle(struct climb_world *w)
{
	const struct escalation *x = w->x;
	enum { LEVEL = 1u << ESCALATION_LEVEL_REACHED, HOLD = 1u << ESCALATION_RAISED | 1u << ESCALATION_PUT_OFF };
	if (x->state != ESCALATION_HELD && x->state != ESCALATION_CLIMBING) return;
	/* Somebody may raise a held one again, which makes its time no longer. */
	int64_t from_us = since(w, x->state == ESCALATION_HELD ? HOLD : LEVEL, 0);
	if (w->armed_us == INT64_MAX) climb_broken(w, "it waits, and nobody wakes up");
	if (w->real_us - from_us >= x->timer.whole_us)
		climb_broken(w, "a level or a hold of %lld us is not over after %lld", (long long)x->timer.whole_us, (long long)(w->real_us - from_us));
	for (size_t i = 0; x->state == ESCALATION_CLIMBING && i < x->recipient_count; i++) {
		const struct escalation_recipient *r = &x->recipients[i];
		bool is_due = r->reach == REACH_DUE;
		if (!is_due && r->reach != REACH_UNDER_WAY) continue;
		if (is_due && r->number == 0) climb_broken(w, "person %zu is not notified", i);
		if (!is_due && engine_that_sent(w, r->number) != w->engine) climb_broken(w, "person %zu waits for a channel of an engine that has ended", i);
		int64_t passed_us = w->real_us - since(w, 1u << (is_due ? ESCALATION_TOLD : ESCALATION_NOTIFIED), r->number);
		if (passed_us >= r->timer.whole_us)
			climb_broken(w, "person %zu waits %lld us for a channel of %lld", i, (long long)passed_us, (long long)r->timer.whole_us);
	}
}
