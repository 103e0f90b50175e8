#include "flow/approval.h"
#include "base/digest.h"
#include "base/json.h"

#include <string.h>

enum { SUBJECT_BYTES_MAX = 8 << 20 };

void approval_given(struct approval *p, struct arena *a, const char *by, struct clock_until until)
{
	p->given = arena_grow(a, p->given, p->given_count, &p->given_capacity, sizeof *p->given);
	p->given[p->given_count++] = (struct approval_given){.by = arena_strdup(a, by), .until = until};
}

void approval_bind(const struct approval_subject *s, char out[APPROVAL_BINDING_BYTES])
{
	struct buf b;
	json_t *form = json_pack("{s:s,s:s,s:s,s:s,s:i,s:O?,s:O,s:b}", "execution", s->execution, "driver", s->driver, "plan", s->plan, "step", s->step,
	                         "after", (int)s->after, "targets", s->targets, "allowed", s->allowed, "declared", s->is_all_declared);
	if (s->call) {
		json_object_set_new(form, "call", json_integer(s->call));
		json_object_set_new(form, "attempt", json_integer(s->attempt));
		json_object_set(form, "asks", (json_t *)s->asks);
	}
	buf_init(&b, SUBJECT_BYTES_MAX);
	must(form && json_canonical(form, &b));
	digest_sha256_hex(out, b.data, b.len);
	buf_clear(&b);
	json_decref(form);
}

/* ---- who counts ---- */

bool approval_has_driven(const struct approval_insiders *in, const char *who)
{
	for (size_t i = 0; i < in->driver_count; i++)
		if (strcmp(in->drivers[i], who) == 0) return true;
	for (size_t i = 0; i < in->forebear_count; i++)
		if (strcmp(in->forebears[i], who) == 0) return true;
	return false;
}

bool approval_is_author(const struct approval_insiders *in, const char *who)
{
	for (size_t i = 0; i < in->book->meta_count; i++)
		if (strcmp(in->book->meta[i].key, "author") == 0 && policy_is_author(in->policy, who, in->book->meta[i].value)) return true;
	return false;
}

static bool has_given(const struct approval *p, const char *who, struct clock_times now)
{
	for (size_t i = 0; i < p->given_count; i++)
		if (!clock_has_passed_at(&p->given[i].until, now) && strcmp(p->given[i].by, who) == 0) return true;
	return false;
}

/* Can all who have agreed, and one more (or NULL), count, each once? */
static bool can_be_seated(const struct demands *all, const struct approval *p, const char *one_more, struct clock_times now)
{
	const char *people[DEMAND_PEOPLE_MAX];
	size_t count = 0;
	for (size_t i = 0; i < p->given_count && count < DEMAND_PEOPLE_MAX - 1; i++)
		if (!clock_has_passed_at(&p->given[i].until, now)) people[count++] = p->given[i].by;
	if (one_more) people[count++] = one_more;
	return demands_seat(all, people, count);
}

enum approval_verdict approval_judge(const struct approval *p, const struct demands *all, const struct approval_insiders *in, const char *who,
                                     struct clock_times now)
{
	if (strncmp(who, "user:", 5) != 0) return APPROVAL_BY_NO_PERSON;
	if (approval_has_driven(in, who)) return APPROVAL_BY_DRIVER;
	if (approval_is_author(in, who)) return APPROVAL_BY_AUTHOR;
	if (has_given(p, who, now)) return APPROVAL_IS_SECOND;
	return all->policy && can_be_seated(all, p, who, now) ? APPROVAL_COUNTS : APPROVAL_BY_OTHER;
}

/* ---- until when ---- */

static bool are_rules_the_same(const struct approval *p, const struct demands *all)
{
	size_t n = 0;
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].rule && (n == p->met_count || strcmp(p->met[n++], all->list[i].rule) != 0)) return false;
	return n == p->met_count;
}

const char *approval_void(const struct approval *p, const struct demands *all, const char *binding, const struct approval_insiders *in, struct clock_times now)
{
	if (strcmp(binding, p->binding) != 0) return "changed";
	if (p->needed != all->needed || strcmp(p->from, all->from.data ? all->from.data : "") != 0) return "policy_changed";
	if (p->within_us != all->within_us || !are_rules_the_same(p, all)) return "policy_changed";
	for (size_t i = 0; i < p->given_count; i++)
		if (clock_has_passed_at(&p->given[i].until, now)) return "expired";
	for (size_t i = 0; i < p->given_count; i++)
		if (approval_has_driven(in, p->given[i].by)) return "has_driven";
	/* A policy may learn later under which name somebody writes. */
	for (size_t i = 0; i < p->given_count; i++)
		if (approval_is_author(in, p->given[i].by)) return "policy_changed";
	return can_be_seated(all, p, NULL, now) ? NULL : "policy_changed";
}

bool approval_is_as_shown(const struct approval *p, const char *shown, const char *why)
{
	return !why && strcmp(shown, p->binding) == 0;
}

uint32_t approval_missing(const struct approval *p)
{
	return p->needed > p->given_count ? p->needed - (uint32_t)p->given_count : 0;
}

int64_t approval_first_us(const struct approval *p, struct clock_times now, int64_t first_us)
{
	for (size_t i = 0; i < p->given_count; i++) {
		int64_t at_us = clock_passes_us(&p->given[i].until, now);
		if (at_us > now.steady_us && at_us < first_us) first_us = at_us;
	}
	return first_us;
}

/* ---- what follows ---- */

bool approval_looks_first(struct approval_targets t)
{
	return t.are_wanted && !t.are_fresh;
}

bool approval_ages_targets(enum flow_event_kind kind)
{
	return kind == FLOW_ATTEMPT_FINISHED || kind == FLOW_APPROVAL_GIVEN || kind == FLOW_RESET;
}

struct approval_next approval_at_gate(const struct flow_step *s, const struct demands *all, struct approval_targets t, const char *why)
{
	struct approval_next next = {.looks_first = approval_looks_first(t)};
	if (next.looks_first) return next;
	next.is_denied = all->count && t.are_wanted && !t.are_known;
	if (next.is_denied) return next;
	if (s->is_approved) next.withdraws = why;
	next.may_begin = !all->count || (s->is_approved && !why);
	next.asks = !next.may_begin;
	return next;
}

struct approval_next approval_while_waiting(const struct demands *all, bool is_call, const char *why)
{
	struct approval_next next = {.withdraws = NULL};
	if (!all->count) why = "policy_changed";
	/* The call goes on waiting; what it was given in the round before is over with the next one. */
	if (!is_call) next.withdraws = why;
	next.asks = why && all->count;
	return next;
}

bool approval_concerns_hand(const struct flow *f, size_t step, bool is_under_way)
{
	const struct flow_step *s = &f->steps[step];
	return f->graph->book->steps[step].is_manual && s->state == STEP_WAITING && !s->is_in_attempt && !s->is_awaiting_approval && !is_under_way;
}

bool approval_covers(const json_t *targets, const char *host)
{
	size_t i;
	json_t *v;
	if (!host || !targets) return true;
	json_array_foreach(targets, i, v) if (strcmp(json_string_value(v), host) == 0) return true;
	return false;
}
