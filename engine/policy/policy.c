#include "policy/policy.h"
#include "base/text.h"
#include "policy/policy_words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char *const policy_verb_words[] = {"run", "read", "cancel", "resolve", "approve-book", "respond", NULL};
const char *const policy_risk_words[] = {"", "read", "change", "destructive", NULL};
const char *const policy_trigger_words[] = {"person", "alert", "schedule", "parent", NULL};
const char *const policy_outcome_words[] = {"allow", "deny", "wait", NULL};

const char *policy_verb_word(enum policy_verb v)
{
	return policy_verb_words[v];
}

const char *policy_outcome_word(enum policy_outcome o)
{
	return policy_outcome_words[o];
}

const char *policy_risk_word(enum policy_risk r)
{
	return r == RISK_OF_NO_STEP ? NULL : policy_risk_words[r];
}

const char *policy_trigger_word(enum policy_trigger t)
{
	return policy_trigger_words[t];
}

bool policy_trigger_find(const char *word, enum policy_trigger *out)
{
	for (int i = 0; word && i < TRIGGER_N; i++)
		if (strcmp(policy_trigger_words[i], word) == 0) return *out = (enum policy_trigger)i, true;
	return false;
}

/* ---- who ---- */

int policy_by_name(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	return strcmp(*x, *y);
}

static bool is_member(const struct policy_group *g, const char *who)
{
	return g->count && bsearch(&who, g->members, g->count, sizeof *g->members, policy_by_name) != NULL;
}

/* Who asks, and of which groups they are; and the call, taken apart: each looked at once a decision. */
struct asker {
	const struct policy *p;
	const char *who;
	const struct capability_request *call; /* or NULL */
	bool is_known[POLICY_GROUPS_MAX], is_member[POLICY_GROUPS_MAX];
};

static bool is_in_group(struct asker *a, size_t group)
{
	if (!a->is_known[group]) a->is_member[group] = is_member(&a->p->groups[group], a->who), a->is_known[group] = true;
	return a->is_member[group];
}

static bool is_one(struct asker *a, const struct policy_who *w)
{
	switch (w->kind) {
	case WHO_PRINCIPAL:
		return strcmp(w->text, a->who) == 0;
	case WHO_GROUP:
		return is_in_group(a, w->group);
	case WHO_ANY_USER:
		return strncmp(a->who, "user:", 5) == 0;
	case WHO_ANY_SERVICE:
		return strncmp(a->who, "service:", 8) == 0;
	case WHO_ANYONE:
		return true;
	}
	return false;
}

static bool is_among(struct asker *a, const struct policy_who *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_one(a, &list[i])) return true;
	return false;
}

bool policy_is_among(const struct policy *p, const char *who, const struct policy_who *list, size_t count)
{
	struct asker a = {.p = p, .who = who};
	return is_among(&a, list, count);
}

/* The k-th principal of an entry. */
static const char *principal_at(const struct policy *p, const struct policy_who *w, size_t k)
{
	return w->kind == WHO_PRINCIPAL ? w->text : p->groups[w->group].members[k];
}

size_t policy_count(const struct policy *p, const struct policy_who *list, size_t count, const char *without)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		if (list[i].kind != WHO_PRINCIPAL && list[i].kind != WHO_GROUP) return SIZE_MAX;
		size_t members = list[i].kind == WHO_PRINCIPAL ? 1 : p->groups[list[i].group].count;
		for (size_t k = 0; k < members; k++) {
			const char *who = principal_at(p, &list[i], k);
			bool is_again = policy_is_among(p, who, list, i) || (without && strcmp(who, without) == 0);
			for (size_t m = 0; m < k && !is_again; m++) is_again = strcmp(principal_at(p, &list[i], m), who) == 0;
			n += !is_again;
		}
	}
	return n;
}

enum err policy_who_find(const struct policy *p, const char *text, struct policy_who *out, struct error *e)
{
	*out = (struct policy_who){.kind = WHO_PRINCIPAL, .text = text};
	if (strncmp(text, "user:", 5) == 0 || strncmp(text, "service:", 8) == 0) return ERR_OK;
	const char *name = strncmp(text, "group:", 6) == 0 ? text + 6 : text;
	for (size_t i = 0; i < p->group_count; i++)
		if (strcmp(p->groups[i].name, name) == 0) {
			out->kind = WHO_GROUP;
			out->group = i;
			return ERR_OK;
		}
	return error_set(e, ERR_INVALID, "%s has no group \"%.60s\": add it under groups:", p->file, name);
}

/* Are these the same words, whatever stands between them? "Ana Lima" in "Ana  Lima <ana@example.org>, Bo". */
static bool holds_words(const char *text, const char *words)
{
	size_t n = strlen(words);
	for (const char *at = text; n && *at; at++) {
		bool begins = at == text || !isalnum((unsigned char)at[-1]), ends;
		if (!begins || strncasecmp(at, words, n) != 0) continue;
		ends = !isalnum((unsigned char)at[n]);
		if (ends) return true;
	}
	return false;
}

bool policy_is_author(const struct policy *p, const char *who, const char *authors)
{
	const char *colon = strchr(who, ':');
	if (!authors) return false;
	if (holds_words(authors, colon ? colon + 1 : who)) return true;
	for (size_t i = 0; p && i < p->person_count; i++)
		for (size_t k = 0; strcmp(p->people[i].name, who) == 0 && k < p->people[i].count; k++)
			if (holds_words(authors, p->people[i].names[k])) return true;
	return false;
}

const struct policy_elevation *policy_elevation_find(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->elevation_count; i++)
		if (strcmp(p->elevations[i].name, name) == 0) return &p->elevations[i];
	return NULL;
}

const struct policy_service *policy_service_find(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->service_count; i++)
		if (strcmp(p->services[i].name, name) == 0) return &p->services[i];
	return NULL;
}

const struct policy_service *policy_service_of_user(const struct policy *p, const char *user)
{
	for (size_t i = 0; i < p->service_count; i++)
		if (p->services[i].user && strcmp(p->services[i].user, user) == 0) return &p->services[i];
	return NULL;
}

/* ---- conditions: yes, no, or not to be known ---- */

static enum policy_truth truth_of(bool b)
{
	return b ? POLICY_YES : POLICY_NO;
}

static enum policy_truth both(enum policy_truth a, enum policy_truth b)
{
	return a < b ? a : b;
}

static bool is_within(const struct policy_condition *c, int64_t now_us)
{
	for (size_t i = 0; i < c->window_count; i++)
		for (size_t k = 0; k < c->windows[i]->count; k++)
			if (now_us >= c->windows[i]->spans[k].from_us && now_us < c->windows[i]->spans[k].to_us) return true;
	return false;
}

static bool is_elevated(const struct policy_condition *c, const struct policy_request *q)
{
	for (size_t i = 0; i < c->elevation_count; i++)
		for (size_t k = 0; k < q->elevated_count; k++)
			if (strcmp(c->elevations[i], q->elevated[k]) == 0) return true;
	return false;
}

static enum policy_truth targets_are_above(int64_t above, int64_t targets)
{
	if (targets == POLICY_TARGETS_UNKNOWN) return POLICY_UNKNOWN;
	return truth_of(targets > above); /* of no step: -1 is above nothing */
}

enum policy_truth policy_condition_holds(const struct policy_condition *c, const struct policy_request *q)
{
	enum policy_truth t = POLICY_YES;
	if (c->risks) t = both(t, truth_of(c->risks & 1U << q->risk));
	if (c->triggers) t = both(t, truth_of(c->triggers & 1U << q->trigger));
	if (c->window_count) t = both(t, truth_of(is_within(c, q->now_us)));
	if (c->elevation_count) t = both(t, truth_of(is_elevated(c, q)));
	if (c->targets_above >= 0) t = both(t, targets_are_above(c->targets_above, q->targets));
	return t;
}

static enum policy_truth rule_conditions(const struct policy_rule *r, const struct policy_request *q)
{
	enum policy_truth when = r->when.is_given ? policy_condition_holds(&r->when, q) : POLICY_YES;
	enum policy_truth unless = r->unless.is_given ? policy_condition_holds(&r->unless, q) : POLICY_NO;
	return both(when, unless == POLICY_YES ? POLICY_NO : unless == POLICY_NO ? POLICY_YES : POLICY_UNKNOWN);
}

/* ---- rules ---- */

static bool speaks_of_book(const struct policy_rule *r, const char *book)
{
	for (size_t i = 0; i < r->book_count; i++)
		if (policy_book_matches(r->books[i], book)) return true;
	return r->book_count == 0;
}

/* An allow grants the calls that it names; a deny that names none denies all. */
static bool speaks_of_call(const struct asker *asker, const struct policy_rule *r, const struct policy_request *q)
{
	if (!q->kind) return r->effect != POLICY_DENY || r->call_count == 0;
	for (size_t i = 0; i < r->call_count; i++) {
		const struct capability *c = r->calls[i];
		bool allows =
		    asker->call ? capability_allows_request(c, asker->call, q->params) : capability_allows(c, q->kind, q->words, q->word_count, q->params);
		if (allows) return true;
	}
	return r->effect != POLICY_ALLOW && r->call_count == 0;
}

static bool matches(struct asker *asker, const struct policy_rule *r, const struct policy_request *q)
{
	if (!(r->verbs & 1U << q->verb)) return false;
	if (r->who_count && !is_among(asker, r->who, r->who_count)) return false;
	if (!speaks_of_book(r, q->book)) return false;
	/* What cannot be known counts against: as a match of deny and require, as none of allow. */
	enum policy_truth t = rule_conditions(r, q);
	if (t == POLICY_NO || (t == POLICY_UNKNOWN && r->effect == POLICY_ALLOW)) return false;
	return speaks_of_call(asker, r, q);
}

bool policy_rule_matches(const struct policy *p, const struct policy_rule *r, const struct policy_request *q)
{
	struct asker asker = {.p = p, .who = q->who};
	return matches(&asker, r, q);
}

bool policy_names_host(const struct policy *p, const struct policy_request *q, struct arena *a)
{
	struct asker asker = {.p = p, .who = q->who, .call = capability_request_make(a, q->kind, q->words, q->word_count)};
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct policy_rule *r = &p->rules[i];
		if (r->effect != POLICY_ALLOW || !matches(&asker, r, q)) continue;
		for (size_t k = 0; k < r->call_count; k++)
			if (capability_names_host(r->calls[k], asker.call, q->params)) return true;
	}
	return false;
}

static bool is_met(const struct policy_rule *r, const struct policy_request *q)
{
	for (size_t i = 0; i < q->met_count; i++)
		if (strcmp(q->met[i], r->id) == 0) return true;
	return false;
}

/* The one of two that is named: the order of the rules says nothing. */
static const struct policy_rule *first_of(const struct policy_rule *a, const struct policy_rule *b)
{
	return !a || strcmp(b->id, a->id) < 0 ? b : a;
}

static int by_id(const void *a, const void *b)
{
	const struct policy_rule *const *x = a, *const *y = b;
	return strcmp((*x)->id, (*y)->id);
}

struct policy_decision policy_decide(const struct policy *p, const struct policy_request *q, struct arena *a)
{
	const struct policy_rule *best[3] = {NULL}, *unmet = NULL;
	struct policy_decision d = {.outcome = POLICY_IS_ALLOWED};
	struct asker asker = {.p = p, .who = q->who, .call = q->kind ? capability_request_make(a, q->kind, q->words, q->word_count) : NULL};
	size_t capacity = 0;
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct policy_rule *r = &p->rules[i];
		if (!matches(&asker, r, q)) continue;
		best[r->effect] = first_of(best[r->effect], r);
		if (r->effect != POLICY_REQUIRE) continue;
		d.requires = arena_grow(a, d.requires, d.require_count, &capacity, sizeof *d.requires);
		d.requires[d.require_count++] = r;
		if (!is_met(r, q)) unmet = first_of(unmet, r);
	}
	if (d.require_count > 1) qsort(d.requires, d.require_count, sizeof *d.requires, by_id);
	d.rule = best[POLICY_DENY] ? best[POLICY_DENY] : best[POLICY_ALLOW];
	if (best[POLICY_DENY] || !best[POLICY_ALLOW]) {
		d.outcome = POLICY_IS_DENIED;
	} else if (unmet) {
		d.outcome = POLICY_MUST_WAIT;
		d.rule = unmet;
	}
	return d;
}

/* ---- tests ---- */

bool policy_test_run(const struct policy *p, size_t i, int64_t now_us, struct error *e)
{
	const struct policy_test *t = &p->tests[i];
	struct policy_request q = t->request;
	struct arena *a = arena_new();
	if (!q.now_us) q.now_us = now_us;
	struct policy_decision d = policy_decide(p, &q, a);
	arena_free(a);
	const char *by = d.rule ? d.rule->id : "no rule that allows it";
	if (d.outcome != t->want)
		error_set(e, ERR_FAILED, "%s:%d: wants %s, gets %s (%s)", p->file, t->line, policy_outcome_word(t->want), policy_outcome_word(d.outcome), by);
	else if (t->rule && (!d.rule || strcmp(d.rule->id, t->rule) != 0))
		error_set(e, ERR_FAILED, "%s:%d: %s as it should, but decided by %s, not by %s", p->file, t->line, policy_outcome_word(t->want), by, t->rule);
	else
		return true;
	return false;
}
