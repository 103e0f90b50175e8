#include "escalate/oncall.h"

#include <string.h>

/* Where the file says nothing of retries. */
static const struct escalation_retry retry_default = {
    .attempts = 3,
    .delay_us = INT64_C(10000000),
    .delay_most_us = INT64_C(300000000),
    .factor = 3,
    .timeout_us = INT64_C(30000000),
};

#define MINUTE_US INT64_C(60000000)
static const struct oncall_after after_default = {.waiting_us = 30 * MINUTE_US, .approval_us = 30 * MINUTE_US};
static const int64_t link_default_us = 24 * 60 * MINUTE_US;

static const char *const channel_words[CHANNEL_N] = {"command", "webhook", "mail"};

const char *oncall_channel_word(enum oncall_channel_kind kind)
{
	must(kind < CHANNEL_N);
	return channel_words[kind];
}

const char *oncall_tls_word(enum oncall_tls tls)
{
	static const char *const words[] = {[ONCALL_STARTTLS] = "starttls", [ONCALL_IMPLICIT_TLS] = "implicit", [ONCALL_NO_TLS] = "none"};
	must(tls <= ONCALL_NO_TLS);
	return words[tls];
}

struct oncall *oncall_none(struct arena *a)
{
	struct oncall *o = arena_alloc(a, sizeof *o);
	o->file = "";
	o->retry = retry_default;
	o->after = after_default;
	o->link_us = link_default_us;
	digest_sha256_hex(o->digest, "", 0);
	return o;
}

const struct oncall_person *oncall_person(const struct oncall *o, const char *name)
{
	for (size_t i = 0; i < o->person_count; i++)
		if (strcmp(o->people[i].name, name) == 0) return &o->people[i];
	return NULL;
}

const struct oncall_policy *oncall_policy(const struct oncall *o, const char *name)
{
	for (size_t i = 0; name && i < o->policy_count; i++)
		if (strcmp(o->policies[i].name, name) == 0) return &o->policies[i];
	return NULL;
}

const struct oncall_person **oncall_people(struct arena *a, const struct oncall *o, const char *name, size_t *count)
{
	const struct oncall_person *person = oncall_person(o, name);
	const struct oncall_policy *policy = oncall_policy(o, name);
	*count = 0;
	if (!person && policy && policy->count) {
		*count = policy->levels[0].count;
		return policy->levels[0].people;
	}
	if (!person) return NULL;
	const struct oncall_person **one = arena_alloc(a, sizeof *one);
	one[0] = person;
	*count = 1;
	return one;
}

/* ---- ladders ---- */

static const struct oncall_policy *behind(const struct oncall *o, const struct oncall_policy *p)
{
	return p->finally == FINALLY_POLICY ? p->behind : p->finally == FINALLY_DEFAULT ? o->otherwise : NULL;
}

static void put_policy(struct arena *a, const struct oncall_policy *from, struct escalation_policy *to)
{
	*to = (struct escalation_policy){.name = from->name, .count = from->count, .rounds = from->repeats + 1};
	to->levels = arena_alloc(a, from->count * sizeof *to->levels);
	for (size_t i = 0; i < from->count; i++) {
		const struct oncall_level *l = &from->levels[i];
		to->levels[i] = (struct escalation_level){.count = l->count, .wait_us = l->wait_us};
		to->levels[i].people = arena_alloc(a, l->count * sizeof *to->levels[i].people);
		for (size_t k = 0; k < l->count; k++)
			to->levels[i].people[k] = (struct escalation_person){.name = l->people[k]->name, .channels = (uint32_t)l->people[k]->count};
	}
}

const struct escalation_ladder *oncall_ladder(struct arena *a, const struct oncall *o, const char *policy)
{
	const struct oncall_policy *chain[ESCALATION_POLICIES_MAX], *p = oncall_policy(o, policy);
	struct escalation_ladder *l = arena_alloc(a, sizeof *l);
	*l = (struct escalation_ladder){.retry = o->retry};
	for (p = p ? p : o->otherwise; p && l->count < ESCALATION_POLICIES_MAX; p = behind(o, p)) {
		bool is_there = false;
		for (size_t i = 0; i < l->count; i++) is_there = is_there || chain[i] == p;
		if (is_there) break;
		chain[l->count++] = p;
	}
	l->policies = arena_alloc(a, l->count * sizeof *l->policies);
	for (size_t i = 0; i < l->count; i++) put_policy(a, chain[i], &l->policies[i]);
	return l;
}

/* ---- maintenance ---- */

static bool concerns(const struct oncall_maintenance *m, const struct oncall_policy *p)
{
	bool is_named = m->count == 0;
	for (size_t i = 0; p && i < m->count; i++) is_named = is_named || m->policies[i] == p;
	return is_named;
}

int64_t oncall_hold_us(const struct oncall *o, const char *policy, int64_t now_us)
{
	const struct oncall_policy *p = oncall_policy(o, policy);
	int64_t until_us = now_us;
	if (!p) p = o->otherwise;
	/* One may begin before another one ends. */
	for (bool has_grown = true; has_grown;) {
		has_grown = false;
		for (size_t i = 0; i < o->maintenance_count; i++) {
			const struct oncall_maintenance *m = &o->maintenance[i];
			if (m->from_us > until_us || m->to_us <= until_us || !concerns(m, p)) continue;
			until_us = m->to_us;
			has_grown = true;
		}
	}
	return until_us - now_us < ESCALATION_HOLD_MAX_US ? until_us - now_us : ESCALATION_HOLD_MAX_US;
}
