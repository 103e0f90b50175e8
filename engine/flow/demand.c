#include "flow/demand.h"

#include <string.h>

#define WITHIN_DEFAULT_US INT64_C(3600000000)

enum { FROM_BYTES_MAX = 900 };

void demands_init(struct demands *all, const struct policy *p)
{
	all->policy = p;
	all->count = 0; /* of what the list holds */
	all->needed = 0;
	all->within_us = INT64_MAX;
	buf_init(&all->from, FROM_BYTES_MAX);
}

void demands_clear(struct demands *all)
{
	buf_clear(&all->from);
}

int64_t demand_within_us(void)
{
	return WITHIN_DEFAULT_US;
}

/* ---- what is demanded ---- */

static void words_of_who(struct buf *b, const struct demand *d)
{
	if (b->len) buf_str(b, " and ");
	buf_printf(b, "%u of ", d->needed);
	for (size_t i = 0; i < d->who_count; i++) buf_printf(b, "%s%s", i ? ", " : "", d->who[i].text);
}

static enum err add_demand(struct demands *all, struct demand d, struct error *e)
{
	if (all->count == DEMAND_PEOPLE_MAX || d.needed > DEMAND_PEOPLE_MAX - all->needed)
		return error_set(e, ERR_DENIED, "it needs more approvals than %d", DEMAND_PEOPLE_MAX);
	all->list[all->count++] = d;
	all->needed += d.needed;
	if (d.within_us < all->within_us) all->within_us = d.within_us;
	words_of_who(&all->from, &d);
	return ERR_OK;
}

/* So many of a group that is named, or of everybody. */
enum err demands_add_code(struct demands *all, const struct book_step *s, const char *where, const char *from, struct demand d, struct arena *a,
                          struct error *e)
{
	struct policy_who *who = arena_alloc(a, sizeof *who);
	*who = (struct policy_who){.kind = WHO_ANY_USER, .text = "user:*"};
	if (!all->policy)
		return error_set(e, ERR_DENIED,
		                 "step %s needs the approval of %u others%s%s, and there is no policy that says who they are: write .rung/policy.yaml", s->id,
		                 d.needed, from ? " from " : "", from ? from : "");
	enum err err = from ? policy_who_find(all->policy, arena_strdup(a, from), who, e) : ERR_OK;
	if (err) {
		error_context(e, "%s:%d", where, s->line);
		if (e) e->kind = ERR_DENIED;
		return ERR_DENIED;
	}
	d.who = who;
	d.who_count = 1;
	return add_demand(all, d, e);
}

enum err demands_add_step(struct demands *all, const struct book_step *s, const char *where, struct arena *a, struct error *e)
{
	struct demand d = {.needed = (uint32_t)s->approve, .within_us = WITHIN_DEFAULT_US};
	return s->approve > 0 ? demands_add_code(all, s, where, s->from, d, a, e) : ERR_OK;
}

enum err demands_add_rules(struct demands *all, const struct policy_request *q, struct arena *a, struct error *e)
{
	struct policy_decision d = policy_decide(all->policy, q, a);
	enum err err = ERR_OK;
	for (size_t i = 0; i < d.require_count && !err; i++) {
		const struct policy_rule *r = d.requires[i];
		struct demand one = {.who = r->from, .who_count = r->from_count, .needed = (uint32_t)r->approvals, .within_us = r->within_us, .rule = r->id};
		err = add_demand(all, one, e);
	}
	return err;
}

/* ---- who may fill what: each person one slot ---- */

struct seating {
	const struct demands *all;
	const char *const *people;
	int seat[DEMAND_PEOPLE_MAX]; /* slot -> person, or -1 */
	bool is_tried[DEMAND_PEOPLE_MAX];
};

static const struct demand *demand_of_slot(const struct demands *all, size_t slot)
{
	for (size_t i = 0; i < all->count; slot -= all->list[i++].needed)
		if (slot < all->list[i].needed) return &all->list[i];
	return NULL;
}

/* Whoever sits there moves where they can. */
static bool seat_one(struct seating *s, size_t person)
{
	for (size_t slot = 0; slot < s->all->needed; slot++) {
		const struct demand *d = demand_of_slot(s->all, slot);
		if (s->is_tried[slot] || !policy_is_among(s->all->policy, s->people[person], d->who, d->who_count)) continue;
		s->is_tried[slot] = true;
		if (s->seat[slot] >= 0 && !seat_one(s, (size_t)s->seat[slot])) continue;
		s->seat[slot] = (int)person;
		return true;
	}
	return false;
}

bool demands_seat(const struct demands *all, const char *const *people, size_t count)
{
	struct seating s = {.all = all, .people = people};
	for (size_t i = 0; i < DEMAND_PEOPLE_MAX; i++) s.seat[i] = -1;
	for (size_t i = 0; i < count; i++) {
		memset(s.is_tried, 0, sizeof s.is_tried);
		if (!seat_one(&s, i)) return false;
	}
	return true;
}
