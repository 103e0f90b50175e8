#include "flow/escalation.h"

#include <string.h>

#define DELAY_MOST_US INT64_C(86400000000)

static bool is_time(int64_t us)
{
	return us > 0 && us <= ESCALATION_HOLD_MAX_US;
}

/* When it happened on the clock that its times run on. */
static int64_t clock_of(const struct escalation_event *ev)
{
	return ev->t_us + ev->ahead_us;
}

static struct escalation_timer timer_set(int64_t now_us, int64_t whole_us)
{
	return (struct escalation_timer){.due_us = now_us + whole_us, .whole_us = whole_us};
}

struct escalation *escalation_new(struct arena *a)
{
	struct escalation *x = arena_alloc(a, sizeof *x);
	x->arena = a;
	return x;
}

/* ---- the ladder ---- */

static bool is_level(const struct escalation_level *l)
{
	bool is_good = l->count <= ESCALATION_PEOPLE_MAX && is_time(l->wait_us);
	for (size_t i = 0; is_good && i < l->count; i++) is_good = l->people[i].name && l->people[i].channels <= ESCALATION_CHANNELS_MAX;
	return is_good;
}

static bool is_policy(const struct escalation_policy *p)
{
	bool is_good = p->name && p->count > 0 && p->count <= ESCALATION_LEVELS_MAX && p->rounds > 0 && p->rounds <= ESCALATION_ROUNDS_MAX;
	for (size_t i = 0; is_good && i < p->count; i++) is_good = is_level(&p->levels[i]);
	return is_good;
}

enum err escalation_ladder_check(const struct escalation_ladder *l, struct error *e)
{
	const struct escalation_retry *r = &l->retry;
	bool is_good = l->count <= ESCALATION_POLICIES_MAX && r->attempts > 0 && r->attempts <= ESCALATION_ATTEMPTS_MAX && is_time(r->timeout_us) &&
	               is_time(r->delay_us) && r->delay_most_us <= DELAY_MOST_US && r->delay_us <= r->delay_most_us && r->factor > 0 && r->factor <= 100;
	for (size_t i = 0; is_good && i < l->count; i++) is_good = is_policy(&l->policies[i]);
	return is_good ? ERR_OK
	               : error_set(e, ERR_INVALID,
	                           "a ladder has at most %d policies, each with 1 to %d levels, a wait for each, 1 to %d rounds; this one cannot be climbed",
	                           ESCALATION_POLICIES_MAX, ESCALATION_LEVELS_MAX, ESCALATION_ROUNDS_MAX);
}

bool escalation_next(const struct escalation_ladder *l, struct escalation_place at, struct escalation_place *next)
{
	*next = at;
	if (at.policy >= l->count) return false;
	const struct escalation_policy *p = &l->policies[at.policy];
	next->level = at.level + 1;
	if (at.level < p->count) return true;
	next->level = 1;
	next->round = at.round + 1;
	if (at.round < p->rounds) return true;
	next->round = 1;
	next->policy = at.policy + 1;
	return next->policy < l->count;
}

/* ---- what becomes of a person's messages ---- */

static void next_channel(struct escalation_recipient *r, int64_t now_us)
{
	r->channel++;
	r->attempt = 0;
	r->timer = (struct escalation_timer){.due_us = now_us};
	r->reach = r->channel < r->channels ? REACH_DUE : REACH_NOWHERE;
}

static void try_again(const struct escalation_retry *retry, struct escalation_recipient *r, int64_t now_us)
{
	int64_t delay = retry->delay_us;
	for (uint32_t i = 1; i < r->attempt && delay < retry->delay_most_us; i++) delay *= retry->factor;
	r->reach = REACH_DUE;
	r->timer = timer_set(now_us, delay < retry->delay_most_us ? delay : retry->delay_most_us);
}

static void follow(const struct escalation_retry *retry, struct escalation_recipient *r, enum escalation_result result, int64_t now_us)
{
	if (result == NOTIFICATION_DELIVERED) {
		r->reach = REACH_DELIVERED;
		r->timer = (struct escalation_timer){0};
		return;
	}
	if (result == NOTIFICATION_UNKNOWN) r->is_perhaps_delivered = true;
	if (result == NOTIFICATION_FAILED && r->attempt < retry->attempts && r->channel < r->channels)
		try_again(retry, r, now_us);
	else
		next_channel(r, now_us);
}

/* ---- events ---- */

/* Before the first level of the next climb. */
static void rewind_climb(struct escalation *x)
{
	x->at = (struct escalation_place){.climb = x->at.climb + 1, .policy = 0, .round = 1, .level = 0};
	x->recipient_count = x->sent_count = 0;
	x->climb_sent = x->sent;
	x->was_reached = x->is_pushed = false;
	x->acknowledged_by = NULL;
	x->timer = (struct escalation_timer){0};
}

static void hold(struct escalation *x, const struct escalation_event *ev)
{
	rewind_climb(x);
	x->timer = timer_set(clock_of(ev), ev->hold_us);
	x->state = ESCALATION_HELD;
}

static void begin(struct escalation *x)
{
	rewind_climb(x);
	x->state = ESCALATION_CLIMBING;
}

static enum err raised(struct escalation *x, const struct escalation_event *ev, struct error *e)
{
	const struct escalation_trigger_row *t = escalation_trigger_row(ev->trigger);
	bool is_held = t->is_held_by_maintenance && ev->hold_us > 0;
	if (is_held && !is_time(ev->hold_us)) return error_set(e, ERR_INVALID, "maintenance that holds an escalation ends within 400 days");
	if (x->state == ESCALATION_NEW) {
		if (!ev->ladder) return error_set(e, ERR_INVALID, "an escalation begins with its ladder");
		enum err err = escalation_ladder_check(ev->ladder, e);
		if (err) return err;
		x->ladder = ev->ladder;
	}
	x->triggers |= 1u << ev->trigger;
	x->raised++;
	switch (x->state) {
	case ESCALATION_NEW:
	case ESCALATION_EXHAUSTED:
		if (is_held)
			hold(x, ev);
		else
			begin(x);
		break;
	case ESCALATION_HELD:
		if (!t->is_held_by_maintenance) begin(x);
		break;
	case ESCALATION_CLIMBING:
		/* Before the first level there is nothing to pass over. */
		if (t->climbs && x->at.level > 0) x->is_pushed = true;
		break;
	case ESCALATION_ACKNOWLEDGED:
		if (t->begins_anew) begin(x);
		break;
	default:
		die("cannot happen: raised in the state %s", escalation_state_name(x->state));
	}
	return ERR_OK;
}

static bool is_same_place(struct escalation_place a, struct escalation_place b)
{
	return a.climb == b.climb && a.policy == b.policy && a.round == b.round && a.level == b.level;
}

static bool is_called(const struct escalation *x, const char *name)
{
	for (size_t i = 0; i < x->called_count; i++)
		if (strcmp(x->called[i], name) == 0) return true;
	return false;
}

static void call(struct escalation *x, const char *name)
{
	if (is_called(x, name)) return;
	x->called = arena_grow(x->arena, x->called, x->called_count, &x->called_capacity, sizeof *x->called);
	x->called[x->called_count++] = arena_strdup(x->arena, name);
}

static enum err level_reached(struct escalation *x, const struct escalation_event *ev, struct error *e)
{
	struct escalation_place next;
	if (!escalation_next(x->ladder, x->at, &next) || !is_same_place(next, ev->at))
		return error_set(e, ERR_CONFLICT, "level %u of round %u is not the next one", ev->at.level, ev->at.round);
	const struct escalation_level *l = &x->ladder->policies[next.policy].levels[next.level - 1];
	x->state = ESCALATION_CLIMBING;
	x->at = next;
	x->is_pushed = false;
	x->timer = timer_set(clock_of(ev), l->wait_us);
	x->recipient_count = x->sent_count = 0;
	for (size_t i = 0; i < l->count; i++) {
		x->recipients = arena_grow(x->arena, x->recipients, x->recipient_count, &x->recipient_capacity, sizeof *x->recipients);
		x->recipients[x->recipient_count++] = (struct escalation_recipient){
		    .name = l->people[i].name,
		    .channels = l->people[i].channels,
		    .reach = l->people[i].channels ? REACH_DUE : REACH_NOWHERE,
		    .timer = {.due_us = clock_of(ev)},
		};
		call(x, l->people[i].name);
	}
	return ERR_OK;
}

static enum err notified(struct escalation *x, const struct escalation_event *ev, struct error *e)
{
	struct escalation_recipient *r = ev->person < x->recipient_count ? &x->recipients[ev->person] : NULL;
	if (!r || r->reach != REACH_DUE || ev->channel != r->channel || ev->attempt != r->attempt + 1 || ev->number != x->sent + 1)
		return error_set(e, ERR_CONFLICT, "notification %u, attempt %u on channel %u, is none that is due", ev->number, ev->attempt, ev->channel);
	r->reach = REACH_UNDER_WAY;
	r->attempt = ev->attempt;
	r->number = x->sent = ev->number;
	r->timer = timer_set(clock_of(ev), x->ladder->retry.timeout_us);
	x->sent_to = arena_grow(x->arena, x->sent_to, x->sent_count, &x->sent_capacity, sizeof *x->sent_to);
	x->sent_to[x->sent_count++] = ev->person;
	return ERR_OK;
}

/* A message that was given up may still be said to have arrived; any other late word changes nothing. */
static enum err told(struct escalation *x, const struct escalation_event *ev, struct error *e)
{
	if (ev->number == 0 || ev->number > x->sent) return error_set(e, ERR_CONFLICT, "there is no notification %u", ev->number);
	bool is_delivered = ev->result == NOTIFICATION_DELIVERED;
	if (is_delivered && ev->number > x->climb_sent) x->was_reached = true;
	if (x->state != ESCALATION_CLIMBING || ev->number <= x->sent - x->sent_count) return ERR_OK;
	struct escalation_recipient *r = &x->recipients[x->sent_to[ev->number - (x->sent - x->sent_count) - 1]];
	bool is_awaited = r->number == ev->number && r->reach == REACH_UNDER_WAY;
	if (is_awaited || is_delivered) follow(&x->ladder->retry, r, ev->result, clock_of(ev));
	return ERR_OK;
}

bool escalation_is_link_used(const struct escalation *x, uint32_t number)
{
	bool is_used = number == 0 || number > x->sent;
	for (size_t i = 0; !is_used && i < x->link_count; i++) is_used = x->links_used[i] == number;
	return is_used;
}

static void stop(struct escalation *x, enum escalation_state state)
{
	x->state = state;
	x->is_pushed = false;
	x->timer = (struct escalation_timer){0};
	x->recipient_count = x->sent_count = 0;
}

static enum err acknowledged(struct escalation *x, const struct escalation_event *ev, struct error *e)
{
	if (!ev->by) return error_set(e, ERR_INVALID, "an acknowledgement names who acknowledges");
	if (ev->link && escalation_is_link_used(x, ev->link)) return error_set(e, ERR_CONFLICT, "this link was used already: `rung ack` acknowledges, too");
	if (ev->link) {
		x->links_used = arena_grow(x->arena, x->links_used, x->link_count, &x->link_capacity, sizeof *x->links_used);
		x->links_used[x->link_count++] = ev->link;
	}
	/* Who was first has it. */
	if (x->state != ESCALATION_ACKNOWLEDGED) x->acknowledged_by = arena_strdup(x->arena, ev->by);
	stop(x, ESCALATION_ACKNOWLEDGED);
	return ERR_OK;
}

static enum err put_off(struct escalation *x, const struct escalation_event *ev, struct error *e)
{
	if (!is_time(ev->hold_us)) return error_set(e, ERR_INVALID, "an escalation is put off for more than 0 and at most 400 days");
	hold(x, ev);
	return ERR_OK;
}

static enum err exhausted(struct escalation *x, struct error *e)
{
	struct escalation_place next;
	if (escalation_next(x->ladder, x->at, &next)) return error_set(e, ERR_CONFLICT, "level %u of round %u comes next", next.level, next.round);
	stop(x, ESCALATION_EXHAUSTED);
	return ERR_OK;
}

/* ---- a changed ladder ---- */

static const struct escalation_person *person_of(const struct escalation_ladder *l, const char *name)
{
	for (size_t p = 0; p < l->count; p++)
		for (size_t i = 0; i < l->policies[p].count; i++)
			for (size_t k = 0; k < l->policies[p].levels[i].count; k++)
				if (strcmp(l->policies[p].levels[i].people[k].name, name) == 0) return &l->policies[p].levels[i].people[k];
	return NULL;
}

static size_t policy_of(const struct escalation_ladder *l, const char *name)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->policies[i].name, name) == 0) return i;
	return SIZE_MAX;
}

/* The level that is reached goes on with its people, as far as they are on the ladder still; the new ladder says what comes behind it. */
static enum err ladder_changed(struct escalation *x, const struct escalation_event *ev, struct error *e)
{
	if (!ev->ladder) return error_set(e, ERR_INVALID, "a changed ladder was expected");
	enum err err = escalation_ladder_check(ev->ladder, e);
	if (err) return err;
	if (x->at.level > 0) {
		const char *name = x->ladder->policies[x->at.policy].name;
		size_t now = policy_of(ev->ladder, name);
		if (now == SIZE_MAX)
			return error_set(e, ERR_CONFLICT, "the policy %.64s is not on the new ladder: the escalation goes on with the one that it has", name);
		for (size_t i = 0; i < x->at.policy; i++) {
			size_t was = policy_of(ev->ladder, x->ladder->policies[i].name);
			if (was != SIZE_MAX && was > now)
				return error_set(e, ERR_CONFLICT, "the policy %.64s was climbed already, and the new ladder has it behind %.64s",
				                 ev->ladder->policies[was].name, name);
		}
		x->at.policy = (uint32_t)now;
	}
	x->ladder = ev->ladder;
	for (size_t i = 0; i < x->recipient_count; i++) {
		struct escalation_recipient *r = &x->recipients[i];
		const struct escalation_person *now = person_of(x->ladder, r->name);
		r->channels = now ? now->channels : 0;
		r->name = now ? now->name : arena_strdup(x->arena, r->name);
		if (r->reach == REACH_DUE || r->reach == REACH_NOWHERE) r->reach = r->channel < r->channels ? REACH_DUE : REACH_NOWHERE;
	}
	return ERR_OK;
}

/* ---- another engine ---- */

static void keep_rest(struct escalation_timer *t, int64_t stood_still_us, int64_t now_us)
{
	if (!t->due_us) return;
	int64_t rest = t->due_us - stood_still_us;
	if (rest > t->whole_us) rest = t->whole_us;
	t->due_us = now_us + (rest > 0 ? rest : 0);
}

/* The engine ended between reaching the level and notifying all of it: who hears of it only now gets the whole wait. */
static bool is_somebody_untold(const struct escalation *x)
{
	for (size_t i = 0; i < x->recipient_count; i++)
		if (x->recipients[i].reach == REACH_DUE && x->recipients[i].number == 0) return true;
	return false;
}

static enum err taken_up(struct escalation *x, const struct escalation_event *ev)
{
	int64_t now_us = clock_of(ev), until_us = ev->alive_us > x->last_us ? ev->alive_us : x->last_us;
	/* What is held ends at a moment, and no engine has to be there until then. */
	int64_t held_us = x->timer.due_us > ev->t_us ? x->timer.due_us - ev->t_us : 0;
	keep_rest(&x->timer, until_us, now_us);
	if (x->state == ESCALATION_HELD && now_us + held_us < x->timer.due_us) x->timer.due_us = now_us + held_us;
	if (x->state == ESCALATION_CLIMBING && x->at.level > 0 && is_somebody_untold(x)) x->timer = timer_set(now_us, x->timer.whole_us);
	for (size_t i = 0; i < x->recipient_count; i++) {
		struct escalation_recipient *r = &x->recipients[i];
		keep_rest(&r->timer, until_us, now_us);
		if (r->reach == REACH_UNDER_WAY) follow(&x->ladder->retry, r, NOTIFICATION_UNKNOWN, now_us);
	}
	return ERR_OK;
}

static enum err apply(struct escalation *x, const struct escalation_event *ev, struct error *e)
{
	switch (ev->kind) {
	case ESCALATION_RAISED:
		return raised(x, ev, e);
	case ESCALATION_LEVEL_REACHED:
		return level_reached(x, ev, e);
	case ESCALATION_NOTIFIED:
		return notified(x, ev, e);
	case ESCALATION_TOLD:
		return told(x, ev, e);
	case ESCALATION_WAS_ACKNOWLEDGED:
		return acknowledged(x, ev, e);
	case ESCALATION_PUT_OFF:
		return put_off(x, ev, e);
	case ESCALATION_WAS_EXHAUSTED:
		return exhausted(x, e);
	case ESCALATION_WAS_RESOLVED:
		stop(x, ESCALATION_RESOLVED);
		return ERR_OK;
	case ESCALATION_LADDER_CHANGED:
		return ladder_changed(x, ev, e);
	case ESCALATION_TAKEN_UP:
		return taken_up(x, ev);
	default:
		die("cannot happen: an event of kind %d", (int)ev->kind);
	}
}

enum err escalation_apply(struct escalation *x, const struct escalation_event *ev, struct error *e)
{
	const struct escalation_transition *t = escalation_transition(ev->kind);
	if (!(t->from & (1u << x->state)))
		return error_set(e, ERR_CONFLICT, "the escalation is %s: \"%s\" cannot happen to it now", escalation_state_name(x->state), t->name);
	enum err err = apply(x, ev, e);
	if (!err) x->last_us = clock_of(ev);
	return err;
}

bool escalation_is_wanted(const struct escalation *x, uint32_t number)
{
	for (size_t i = 0; x->state == ESCALATION_CLIMBING && i < x->recipient_count; i++)
		if (x->recipients[i].number == number) return number > 0 && x->recipients[i].reach == REACH_UNDER_WAY;
	return false;
}

bool escalation_has_called(const struct escalation *x, const char *name)
{
	return is_called(x, name) && person_of(x->ladder, name);
}

bool escalation_is_open(const struct escalation *x)
{
	return x->state != ESCALATION_NEW && x->state != ESCALATION_RESOLVED;
}

/* ---- what is to be done ---- */

/* Can none of them be reached? */
static bool is_nobody_reachable(const struct escalation *x)
{
	for (size_t i = 0; i < x->recipient_count; i++)
		if (x->recipients[i].reach != REACH_NOWHERE || x->recipients[i].is_perhaps_delivered) return false;
	return true;
}

static bool is_level_over(const struct escalation *x, struct escalation_place next, bool has_next, int64_t now_us)
{
	if (x->state == ESCALATION_HELD) return now_us >= x->timer.due_us;
	if (x->at.level == 0 || x->is_pushed || now_us >= x->timer.due_us) return true;
	bool is_new_round = has_next && next.policy == x->at.policy && next.round != x->at.round;
	return is_nobody_reachable(x) && !is_new_round;
}

struct decided {
	struct escalation_command *out;
	size_t count;
	int64_t wake_us;
};

static void wake(struct decided *d, const struct escalation_timer *t)
{
	if (t->due_us < d->wake_us) d->wake_us = t->due_us;
}

static void decide_recipient(const struct escalation *x, uint32_t person, int64_t now_us, uint32_t *number, struct decided *d)
{
	const struct escalation_recipient *r = &x->recipients[person];
	struct escalation_command c = {.at = x->at, .person = person, .name = r->name, .channel = r->channel, .attempt = r->attempt, .number = r->number};
	if (r->reach != REACH_DUE && r->reach != REACH_UNDER_WAY) return;
	if (r->timer.due_us > now_us) {
		wake(d, &r->timer);
		return;
	}
	c.kind = r->reach == REACH_DUE ? ESCALATION_DO_NOTIFY : ESCALATION_DO_LOSE;
	if (r->reach == REACH_DUE) {
		c.attempt++;
		c.number = ++*number;
	}
	d->out[d->count++] = c;
}

size_t escalation_decide(const struct escalation *x, int64_t now_us, struct escalation_command *out)
{
	struct decided d = {.out = out, .wake_us = INT64_MAX};
	struct escalation_place next;
	uint32_t number = x->sent;
	if (x->state != ESCALATION_HELD && x->state != ESCALATION_CLIMBING) return 0;
	bool has_next = escalation_next(x->ladder, x->at, &next);
	if (is_level_over(x, next, has_next, now_us)) {
		out[0] = (struct escalation_command){
		    .kind = has_next ? ESCALATION_DO_REACH : ESCALATION_DO_EXHAUST, .at = has_next ? next : x->at, .was_reached = x->was_reached};
		return 1;
	}
	wake(&d, &x->timer);
	for (uint32_t i = 0; x->state == ESCALATION_CLIMBING && i < x->recipient_count; i++) decide_recipient(x, i, now_us, &number, &d);
	out[d.count++] = (struct escalation_command){.kind = ESCALATION_DO_WAKE, .at = x->at, .at_us = d.wake_us};
	return d.count;
}
