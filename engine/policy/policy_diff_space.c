#include "policy/policy_diff_space.h"
#include "policy/policy_phrase.h"

#include <stdlib.h>
#include <string.h>

#define OTHER_USER "user:"
#define OTHER_SERVICE "service:"
#define OTHER_BOOK "any-other-folder/any-other-book.md"
#define OUTSIDE_BOOK "external/any.md"

/* ---- filling ---- */

static void add_name(struct diff_space *s, struct diff_names *n, const char *id, const char *shown)
{
	for (size_t i = 0; i < n->count; i++)
		if (strcmp(n->id[i], id) == 0) return;
	n->id = arena_grow(s->arena, n->id, n->count, &n->capacity[0], sizeof *n->id);
	n->shown = arena_grow(s->arena, n->shown, n->count, &n->capacity[1], sizeof *n->shown);
	n->id[n->count] = id;
	n->shown[n->count++] = shown;
}

static void add_who(struct diff_space *s, const struct policy_who *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].kind == WHO_PRINCIPAL) add_name(s, &s->who, list[i].text, phrase_principal(s->arena, list[i].text));
}

static void add_people(struct diff_space *s, const struct policy *p)
{
	for (size_t i = 0; i < p->group_count; i++)
		for (size_t k = 0; k < p->groups[i].count; k++)
			add_name(s, &s->who, p->groups[i].members[k], phrase_principal(s->arena, p->groups[i].members[k]));
	for (size_t i = 0; i < p->service_count; i++) {
		const char *who = arena_printf(s->arena, "service:%s", p->services[i].name);
		add_name(s, &s->who, who, phrase_principal(s->arena, who));
	}
	for (size_t i = 0; i < p->elevation_count; i++) {
		add_who(s, p->elevations[i].who, p->elevations[i].who_count);
		add_name(s, &s->elevations, p->elevations[i].name, p->elevations[i].name);
	}
	for (size_t i = 0; i < p->person_count; i++) add_name(s, &s->who, p->people[i].name, phrase_principal(s->arena, p->people[i].name));
	for (size_t i = 0; i < p->test_count; i++) add_name(s, &s->who, p->tests[i].request.who, phrase_principal(s->arena, p->tests[i].request.who));
}

static void add_call(struct diff_space *s, struct policy_call call, const char *shown)
{
	for (size_t i = 1; i < s->calls.count; i++)
		if (strcmp(s->calls.shown[i], shown) == 0) return;
	s->calls.call = arena_grow(s->arena, s->calls.call, s->calls.count, &s->calls.capacity[0], sizeof *s->calls.call);
	s->calls.shown = arena_grow(s->arena, s->calls.shown, s->calls.count, &s->calls.capacity[1], sizeof *s->calls.shown);
	s->calls.call[s->calls.count] = call;
	s->calls.shown[s->calls.count++] = shown;
}

static void add_pattern(struct diff_space *s, const char *pattern)
{
	struct policy_call calls[POLICY_EXAMPLES_MAX];
	struct capability *c;
	if (capability_parse(s->arena, pattern, &c, NULL)) return;
	policy_example_params(c, s->params);
	size_t n = policy_call_examples(s->arena, pattern, NULL, calls);
	for (size_t i = 0; i < n; i++) {
		const char *exact = n == 1 ? pattern : capability_exact(s->arena, calls[i].kind, calls[i].words, calls[i].word_count);
		add_call(s, calls[i], arena_printf(s->arena, "`%s`", exact));
	}
}

static void add_moment(struct diff_space *s, int64_t at, const char *window)
{
	struct diff_moments *m = &s->moments;
	for (size_t i = 1; i < m->count; i++)
		if (m->at[i] == at && window && strcmp(m->window[i], window) == 0) return;
	m->at = arena_grow(s->arena, m->at, m->count, &m->capacity[0], sizeof *m->at);
	m->window = arena_grow(s->arena, m->window, m->count, &m->capacity[1], sizeof *m->window);
	m->at[m->count] = at;
	m->window[m->count++] = window;
}

static void add_target(struct diff_space *s, int64_t n)
{
	for (size_t i = 0; i < s->target_count; i++)
		if (s->targets[i] == n) return;
	s->targets = arena_grow(s->arena, s->targets, s->target_count, &s->target_capacity, sizeof *s->targets);
	s->targets[s->target_count++] = n;
}

static void add_condition(struct diff_space *s, const struct policy_condition *c)
{
	for (int t = 0; c->triggers && t < TRIGGER_N; t++) s->triggers[t] = (enum policy_trigger)t, s->trigger_count = TRIGGER_N;
	if (c->targets_above < 0 || !c->is_given) return;
	add_target(s, c->targets_above + 1);
	add_target(s, POLICY_TARGETS_UNKNOWN);
}

static void add_rule(struct diff_space *s, const struct policy_rule *r)
{
	add_who(s, r->who, r->who_count);
	add_who(s, r->from, r->from_count);
	for (size_t i = 0; i < r->book_count; i++) add_name(s, &s->books, policy_book_example(s->arena, r->books[i]), r->books[i]);
	for (size_t i = 0; i < r->call_count; i++) add_pattern(s, capability_text(r->calls[i]));
	add_condition(s, &r->when);
	add_condition(s, &r->unless);
}

void diff_space_fill(struct diff_space *s, const struct policy_book *books, size_t book_count, int64_t now_us)
{
	static const char *const other_words[] = {"any-other-call"};
	s->params = json_object();
	s->trigger_count = 1;
	add_name(s, &s->elevations, "", "");
	add_moment(s, now_us, NULL);
	add_target(s, POLICY_TARGETS_OF_NO_STEP);
	s->calls.count = 0;
	add_call(s, (struct policy_call){0}, "");
	for (size_t i = 0; i < book_count; i++) {
		add_name(s, &s->books, books[i].path, books[i].path);
		for (size_t k = 0; k < books[i].book->permission_count; k++) add_pattern(s, books[i].book->permissions[k].pattern);
	}
	for (int side = 0; side < DIFF_N; side++) {
		const struct policy *p = s->p[side];
		add_people(s, p);
		for (size_t i = 0; i < p->rule_count; i++) add_rule(s, &p->rules[i]);
		for (size_t i = 0; i < p->window_count; i++)
			for (size_t k = 0; k < p->windows[i].count; k++) {
				add_moment(s, p->windows[i].spans[k].from_us, p->windows[i].name);
				add_moment(s, p->windows[i].spans[k].to_us - 1, p->windows[i].name);
			}
	}
	add_name(s, &s->who, OTHER_USER, "anyone else");
	add_name(s, &s->who, OTHER_SERVICE, "any other service");
	add_name(s, &s->books, OTHER_BOOK, "any other book");
	add_name(s, &s->books, OUTSIDE_BOOK, "books outside of the workspace");
	add_call(s, (struct policy_call){.kind = "sh", .words = other_words, .word_count = 1}, "any other call");
}

/* ---- requests ---- */

size_t diff_situation_count(const struct diff_space *s)
{
	return DIFF_RISKS * s->trigger_count * s->target_count * s->moments.count * s->elevations.count;
}

struct diff_situation diff_situation_at(const struct diff_space *s, size_t i)
{
	struct diff_situation at;
	at.risk = i % DIFF_RISKS, i /= DIFF_RISKS;
	at.trigger = i % s->trigger_count, i /= s->trigger_count;
	at.target = i % s->target_count, i /= s->target_count;
	at.moment = i % s->moments.count, i /= s->moments.count;
	at.elevation = i;
	return at;
}

bool diff_is_asked(const struct diff_situation *at, bool is_run, bool has_call)
{
	bool is_step = at->risk != RISK_OF_NO_STEP;
	if (!is_step && (has_call || at->target)) return false;
	return is_run || !is_step;
}

struct policy_request diff_request(const struct diff_space *s, int side, size_t who, enum policy_verb verb, size_t book, size_t call,
                                   const struct diff_situation *at, const char **elevated)
{
	const struct policy_call *c = &s->calls.call[call];
	struct policy_request q = {.who = s->who.id[who],
	                           .verb = verb,
	                           .book = s->books.id[book],
	                           .risk = (enum policy_risk)at->risk,
	                           .targets = s->targets[at->target],
	                           .now_us = s->moments.at[at->moment],
	                           .kind = c->kind,
	                           .words = c->words,
	                           .word_count = c->word_count,
	                           .params = s->params};
	q.trigger = strncmp(q.who, "service:", 8) == 0 ? TRIGGER_ALERT : TRIGGER_PERSON;
	if (s->trigger_count > 1) q.trigger = s->triggers[at->trigger];
	const struct policy_elevation *v = at->elevation ? policy_elevation_find(s->p[side], s->elevations.id[at->elevation]) : NULL;
	if (v && policy_is_among(s->p[side], q.who, v->who, v->who_count)) {
		*elevated = v->name;
		q.elevated = elevated, q.elevated_count = 1;
	}
	return q;
}
