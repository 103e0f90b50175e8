#include "simulate.h"

#include <string.h>

/* People, the groups that policies put them into, and what policies require. Made from plain tables, by which the oracle judges too. */

const char *const people_names[PEOPLE] = {"user:ana", "user:bo", "user:cy", "user:dee", "service:bot"};
const char *const people_groups[3] = {NULL, "group:a", "group:b"};

enum { AUTHOR = 2 }; /* cy, who writes as somebody else; a policy may know it */

static const char author_names[] = "Cyrus Writer";
static const char *const author_known_as[] = {author_names};

/* A policy, as policy/ knows it. */
struct written {
	struct policy policy;
	struct policy_group groups[2];
	const char *members[2][PEOPLE];
	struct policy_rule rules[2];
	struct policy_who anyone, from;
	struct policy_person person;
};

static struct written written[POLICIES_MAX];

static void write_policy(struct written *p, const struct policy_rules *r)
{
	memset(p, 0, sizeof *p);
	for (size_t k = 0; k < 2; k++) {
		p->groups[k] = (struct policy_group){.name = k ? "b" : "a", .members = p->members[k]};
		/* In the order of their bytes, as policy/ looks them up: the service comes first. */
		for (size_t i = 0; i < PEOPLE; i++) {
			size_t who = (i + PEOPLE - 1) % PEOPLE;
			if (r->is_member[k][who]) p->members[k][p->groups[k].count++] = people_names[who];
		}
	}
	p->anyone = (struct policy_who){.kind = WHO_ANYONE, .text = "*"};
	p->from = (struct policy_who){.kind = r->from ? WHO_GROUP : WHO_ANY_USER, .text = r->from ? people_groups[r->from] : "user:*", .group = r->from - 1};
	p->rules[0] = (struct policy_rule){.id = "all", .effect = POLICY_ALLOW, .verbs = 1U << VERB_RUN, .who = &p->anyone, .who_count = 1};
	p->rules[1] = (struct policy_rule){.id = "others",
	                                   .effect = POLICY_REQUIRE,
	                                   .verbs = 1U << VERB_RUN,
	                                   .when = {.is_given = true, .risks = 1U << RISK_OF_DESTRUCTIVE, .targets_above = -1},
	                                   .approvals = r->needed,
	                                   .within_us = r->within_us,
	                                   .from = &p->from,
	                                   .from_count = 1};
	p->person = (struct policy_person){.name = people_names[AUTHOR], .names = (const char **)author_known_as, .count = 1};
	p->policy = (struct policy){.file = "policy.yaml",
	                            .groups = p->groups,
	                            .group_count = 2,
	                            .rules = p->rules,
	                            .rule_count = r->needed ? 2 : 1,
	                            .people = &p->person,
	                            .person_count = r->is_author[AUTHOR] ? 1 : 0};
}

void people_make(struct world *w)
{
	struct people *p = &w->people;
	memset(p, 0, sizeof *p);
	p->count = 1 + roll(w, POLICIES_MAX);
	bool is_author_known = roll(w, 3) > 0;
	for (size_t i = 0; i < p->count; i++) {
		struct policy_rules *r = &p->says[i];
		for (size_t who = 0; who < PEOPLE; who++)
			for (size_t k = 0; k < 2; k++) r->is_member[k][who] = roll(w, 4) > 0;
		r->is_author[AUTHOR] = is_author_known || roll(w, 3) == 0;
		r->needed = roll(w, 3) ? 1 + roll(w, 2) : 0;
		r->from = roll(w, 3);
		r->within_us = (int64_t)(roll(w, 4) ? 2000 : 100) * 1000;
		write_policy(&written[i], r);
	}
	p->meta[0] = (struct book_meta){.key = "author", .value = author_names};
	w->book.meta = p->meta;
	w->book.meta_count = 1;
	for (size_t i = 0; i < STEPS_MAX; i++) p->targets[i] = roll(w, 12) ? roll(w, TARGETS_UNKNOWN) : TARGETS_UNKNOWN;
}

void people_move(struct world *w)
{
	if (roll(w, 2))
		w->people.now = roll(w, (unsigned)w->people.count);
	else
		w->people.targets[roll(w, STEPS_MAX)] = roll(w, 12) ? roll(w, TARGETS_UNKNOWN) : TARGETS_UNKNOWN;
}

const struct policy *people_policy(const struct world *w)
{
	return &written[w->people.now].policy;
}

static json_t *hosts[TARGETS_UNKNOWN];

const json_t *people_hosts(unsigned targets)
{
	static const char *const names[HOSTS] = {"h1", "h2"};
	if (targets >= TARGETS_UNKNOWN) return NULL;
	if (hosts[targets]) return hosts[targets];
	hosts[targets] = json_array();
	for (unsigned i = 0; i < HOSTS; i++)
		if (targets & 1U << i) json_array_append_new(hosts[targets], json_string(names[i]));
	return hosts[targets];
}

void people_free(void)
{
	for (unsigned i = 0; i < TARGETS_UNKNOWN; i++) json_decref(hosts[i]);
}
