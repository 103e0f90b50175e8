#include "escalate/ladder.h"
#include "base/json.h"

#include <string.h>

static json_t *level_json(const struct escalation_level *l)
{
	json_t *people = json_array();
	for (size_t i = 0; i < l->count; i++)
		json_array_append_new(people, json_pack("{s:s,s:I}", "name", l->people[i].name, "channels", (json_int_t)l->people[i].channels));
	return json_pack("{s:I,s:o}", "wait_us", (json_int_t)l->wait_us, "people", people);
}

json_t *ladder_json(const struct escalation_ladder *l)
{
	const struct escalation_retry *r = &l->retry;
	json_t *policies = json_array();
	for (size_t i = 0; i < l->count; i++) {
		const struct escalation_policy *p = &l->policies[i];
		json_t *levels = json_array();
		for (size_t k = 0; k < p->count; k++) json_array_append_new(levels, level_json(&p->levels[k]));
		json_array_append_new(policies, json_pack("{s:s,s:I,s:o}", "name", p->name, "rounds", (json_int_t)p->rounds, "levels", levels));
	}
	return json_pack("{s:o,s:{s:I,s:I,s:I,s:I,s:I}}", "policies", policies, "retry", "attempts", (json_int_t)r->attempts, "delay_us",
	                 (json_int_t)r->delay_us, "delay_most_us", (json_int_t)r->delay_most_us, "factor", (json_int_t)r->factor, "timeout_us",
	                 (json_int_t)r->timeout_us);
}

/* ---- the other way ---- */

/* A count from a record; what is none is more than any ladder takes. */
static uint32_t count_of(const json_t *o, const char *key)
{
	json_int_t n = json_int(o, key, -1);
	return n >= 0 && n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static void read_level(struct arena *a, const json_t *v, struct escalation_level *l)
{
	const json_t *people = json_arr(v, "people"), *p;
	size_t i;
	l->wait_us = json_int(v, "wait_us", 0);
	l->count = json_array_size(people);
	l->people = arena_alloc(a, l->count * sizeof *l->people);
	json_array_foreach(people, i, p)
	{
		const char *name = json_str(p, "name", NULL);
		l->people[i] = (struct escalation_person){.name = name ? arena_strdup(a, name) : NULL, .channels = count_of(p, "channels")};
	}
}

static void read_policy(struct arena *a, const json_t *v, struct escalation_policy *p)
{
	const json_t *levels = json_arr(v, "levels"), *l;
	const char *name = json_str(v, "name", NULL);
	size_t i;
	p->name = name ? arena_strdup(a, name) : NULL;
	p->rounds = count_of(v, "rounds");
	p->count = json_array_size(levels);
	p->levels = arena_alloc(a, p->count * sizeof *p->levels);
	json_array_foreach(levels, i, l) read_level(a, l, &p->levels[i]);
}

enum err ladder_read(struct arena *a, const json_t *v, const struct escalation_ladder **out, struct error *e)
{
	const json_t *policies = json_arr(v, "policies"), *retry = json_obj(v, "retry"), *p;
	size_t i;
	if (!policies || !retry) return error_set(e, ERR_INVALID, "the record of an escalation has no ladder that can be read");
	struct escalation_ladder *l = arena_alloc(a, sizeof *l);
	l->retry = (struct escalation_retry){.attempts = count_of(retry, "attempts"),
	                                     .delay_us = json_int(retry, "delay_us", 0),
	                                     .delay_most_us = json_int(retry, "delay_most_us", 0),
	                                     .factor = count_of(retry, "factor"),
	                                     .timeout_us = json_int(retry, "timeout_us", 0)};
	l->count = json_array_size(policies);
	l->policies = arena_alloc(a, l->count * sizeof *l->policies);
	json_array_foreach(policies, i, p) read_policy(a, p, &l->policies[i]);
	*out = l;
	return escalation_ladder_check(l, e);
}

/* ---- another policy ---- */

static bool has_policy(const struct escalation_policy *policies, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(policies[i].name, name) == 0) return true;
	return false;
}

enum err ladder_turn(struct arena *a, const struct escalation_ladder *l, struct escalation_place at, const struct escalation_ladder *then,
                     const struct escalation_ladder **out, struct error *e)
{
	size_t climbed = at.level > 0 && at.policy < l->count ? at.policy + 1 : 0;
	struct escalation_ladder *made = arena_alloc(a, sizeof *made);
	*made = (struct escalation_ladder){.retry = then->retry};
	made->policies = arena_alloc(a, (climbed + then->count) * sizeof *made->policies);
	for (size_t i = 0; i < climbed; i++) made->policies[made->count++] = l->policies[i];
	if (climbed) {
		struct escalation_policy *last = &made->policies[climbed - 1];
		last->count = at.level;
		last->rounds = at.round;
	}
	for (size_t i = 0; i < then->count && made->count < ESCALATION_POLICIES_MAX; i++)
		if (!has_policy(made->policies, climbed, then->policies[i].name)) made->policies[made->count++] = then->policies[i];
	if (made->count == climbed)
		return error_set(e, ERR_CONFLICT, "all of that was climbed already: once somebody has acknowledged, escalating begins anew");
	*out = made;
	return ERR_OK;
}
