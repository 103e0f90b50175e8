#include "policy/policy_lint.h"
#include "policy/policy_phrase.h"

#include <stdlib.h>
#include <string.h>

struct linter {
	struct arena *arena;
	const struct policy *p;
	const struct policy_book *books;
	size_t book_count;
	int64_t now_us;
	struct lint_finding *findings;
	size_t count, capacity;
};

static void add(struct linter *l, enum lint_severity severity, int line, const char *rule, const char *text, const char *mend)
{
	l->findings = arena_grow(l->arena, l->findings, l->count, &l->capacity, sizeof *l->findings);
	l->findings[l->count++] =
	    (struct lint_finding){.rule = rule, .severity = severity, .line = line, .text = arena_strdup(l->arena, text), .mend = arena_strdup(l->arena, mend)};
}

#define SAY(...) arena_printf(l->arena, __VA_ARGS__)

/* ---- people ---- */

static bool is_nobody(const struct policy *p, const struct policy_who *list, size_t count)
{
	return count > 0 && policy_count(p, list, count, NULL) == 0;
}

static void lint_groups(struct linter *l)
{
	for (size_t i = 0; i < l->p->group_count; i++) {
		const struct policy_group *g = &l->p->groups[i];
		if (!g->count) add(l, LINT_WARNING, g->line, "empty-group", SAY("nobody is in group %s", g->name), "name its people, or take it out");
		for (size_t k = 1; k < g->count; k++)
			for (size_t m = 0; m < k; m++)
				if (strcmp(g->members[k], g->members[m]) == 0)
					add(l, LINT_INFO, g->line, "twice", SAY("%s is in group %s twice", phrase_principal(l->arena, g->members[k]), g->name),
					    "once is enough");
	}
}

static void lint_who(struct linter *l, const struct policy_rule *r)
{
	if (is_nobody(l->p, r->who, r->who_count))
		add(l, LINT_ERROR, r->line, "nobody", SAY("rule %s is for %s: it never counts", r->id, phrase_who(l->arena, l->p, r->who, r->who_count)),
		    "name somebody in the group, or take the rule out");
}

static void lint_approvals(struct linter *l, const struct policy_rule *r)
{
	if (r->effect != POLICY_REQUIRE) return;
	size_t all = policy_count(l->p, r->from, r->from_count, NULL), needed = (size_t)r->approvals;
	const char *from = phrase_who(l->arena, l->p, r->from, r->from_count), *mend = "name more people there, or ask for fewer approvals";
	if (all < needed)
		add(l, LINT_ERROR, r->line, "too-few-to-approve", SAY("rule %s asks for %zu approvals, and %zu could give one: %s", r->id, needed, all, from),
		    mend);
	else if (all - 1 < needed && all != SIZE_MAX)
		add(l, LINT_WARNING, r->line, "too-few-to-approve",
		    SAY("rule %s asks for %zu approval%s: when one of %s starts the execution, %s left to give %s, since who has driven it never counts", r->id,
		        needed, needed == 1 ? "" : "s", from, all == 1 ? "nobody is" : SAY("only %zu are", all - 1), needed == 1 ? "it" : "them"),
		    mend);
}

/* ---- elevations, windows, services ---- */

static bool names_elevation(const struct policy_condition *c, const char *name)
{
	for (size_t i = 0; i < c->elevation_count; i++)
		if (strcmp(c->elevations[i], name) == 0) return true;
	return false;
}

static bool names_window(const struct policy_condition *c, const struct policy_window *w)
{
	for (size_t i = 0; i < c->window_count; i++)
		if (c->windows[i] == w) return true;
	return false;
}

static void lint_elevations(struct linter *l)
{
	for (size_t i = 0; i < l->p->elevation_count; i++) {
		const struct policy_elevation *v = &l->p->elevations[i];
		bool is_used = false;
		for (size_t k = 0; k < l->p->rule_count; k++)
			is_used = is_used || names_elevation(&l->p->rules[k].when, v->name) || names_elevation(&l->p->rules[k].unless, v->name);
		if (is_nobody(l->p, v->who, v->who_count))
			add(l, LINT_ERROR, v->line, "nobody",
			    SAY("nobody can take the elevation %s: it is for %s", v->name, phrase_who(l->arena, l->p, v->who, v->who_count)),
			    "name somebody in the group, or take it out");
		if (!is_used)
			add(l, LINT_WARNING, v->line, "unused", SAY("no rule speaks of the elevation %s: taking it changes nothing", v->name),
			    SAY("name it in a rule (unless: {grant: %s}), or take it out", v->name));
	}
}

static bool is_over(const struct policy_window *w, int64_t now_us)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->spans[i].to_us > now_us) return false;
	return true;
}

static void lint_windows(struct linter *l)
{
	for (size_t i = 0; i < l->p->window_count; i++) {
		const struct policy_window *w = &l->p->windows[i];
		bool is_used = false;
		for (size_t k = 0; k < l->p->rule_count; k++)
			is_used = is_used || names_window(&l->p->rules[k].when, w) || names_window(&l->p->rules[k].unless, w);
		if (is_over(w, l->now_us))
			add(l, LINT_WARNING, w->line, "over", SAY("the window %s is over: rules that count in it alone never do again", w->name),
			    "give it its next days, or take it out with its rules");
		if (!is_used) add(l, LINT_WARNING, w->line, "unused", SAY("no rule speaks of the window %s", w->name), "name it in a rule, or take it out");
	}
}

static bool is_for(const struct policy_rule *r, const struct policy *p, const char *who)
{
	return policy_is_among(p, who, r->who, r->who_count);
}

static void lint_services(struct linter *l)
{
	for (size_t i = 0; i < l->p->service_count; i++) {
		const struct policy_service *s = &l->p->services[i];
		const char *who = SAY("service:%s", s->name);
		bool is_allowed = false;
		for (size_t k = 0; k < l->p->rule_count && !is_allowed; k++)
			is_allowed = l->p->rules[k].effect == POLICY_ALLOW && is_for(&l->p->rules[k], l->p, who);
		if (!is_allowed)
			add(l, LINT_WARNING, s->line, "unused", SAY("no rule allows the service %s anything", s->name), "name it in an allow, or take it out");
	}
}

/* ---- books and calls ---- */

static void lint_books(struct linter *l, const struct policy_rule *r)
{
	for (size_t i = 0; i < r->book_count; i++) {
		bool is_there = l->book_count == 0 || strncmp(r->books[i], "external/", 9) == 0;
		/* Of a glob with an anchor only the page is looked for: which headings are books is the page's business. */
		const char *page = arena_strndup(l->arena, r->books[i], strcspn(r->books[i], "#"));
		for (size_t k = 0; k < l->book_count && !is_there; k++) is_there = policy_book_matches(page, l->books[k].path);
		if (!is_there)
			add(l, LINT_WARNING, r->line, "no-such-book", SAY("rule %s speaks of %s, and no book of the workspace is that", r->id, r->books[i]),
			    "correct the path, or take it out; `rung list` shows the books");
	}
}

static void lint_calls(struct linter *l, const struct policy_rule *r)
{
	for (size_t i = 0; i < r->call_count && r->effect == POLICY_ALLOW; i++) {
		const char *danger = capability_danger(r->calls[i]);
		if (danger)
			add(l, LINT_ERROR, r->line, "too-wide", SAY("rule %s grants `%s`: %s", r->id, capability_text(r->calls[i]), danger),
			    "name the commands that are meant, with their arguments");
	}
	for (size_t i = 0; i < r->call_count; i++) {
		const struct capability **others = arena_alloc(l->arena, r->call_count * sizeof *others);
		size_t n = 0;
		/* Of two that are the same, the first stays. */
		for (size_t k = 0; k < r->call_count; k++)
			if (k != i && (k < i || strcmp(capability_text(r->calls[k]), capability_text(r->calls[i])) != 0)) others[n++] = r->calls[k];
		if (capability_covers(others, n, r->calls[i]))
			add(l, LINT_INFO, r->line, "covered", SAY("rule %s: `%s` is covered by what stands beside it", r->id, capability_text(r->calls[i])),
			    "it can go");
	}
}

/* Stars mean the same everywhere, and so a deny with one can be evaded by an option. */
static void lint_denied_calls(struct linter *l, const struct policy_rule *r)
{
	for (size_t i = 0; i < r->call_count && r->effect == POLICY_DENY; i++) {
		const char *left_out, *wider = capability_widened(l->arena, r->calls[i], &left_out);
		if (wider)
			add(l, LINT_ERROR, r->line, "deny-leaves-out",
			    SAY("rule %s denies `%s` and leaves out %s", r->id, capability_text(r->calls[i]), left_out), SAY("write `%s`", wider));
	}
}

static bool ends_with_rest(const char *pattern)
{
	size_t n = strlen(pattern);
	return n > 3 && strcmp(pattern + n - 3, " **") == 0;
}

/* Does an entry of who mean a service? */
static bool is_for_services(const struct policy *p, const struct policy_rule *r)
{
	for (size_t i = 0; i < r->who_count; i++) {
		if (r->who[i].kind == WHO_ANYONE || r->who[i].kind == WHO_ANY_SERVICE) return true;
		if (r->who[i].kind == WHO_PRINCIPAL && strncmp(r->who[i].text, "service:", 8) == 0) return true;
		for (size_t k = 0; r->who[i].kind == WHO_GROUP && k < p->groups[r->who[i].group].count; k++)
			if (strncmp(p->groups[r->who[i].group].members[k], "service:", 8) == 0) return true;
	}
	return false;
}

static bool speaks_of(const struct policy_rule *r, const char *book)
{
	for (size_t i = 0; i < r->book_count; i++)
		if (policy_book_matches(r->books[i], book)) return true;
	return false;
}

static void lint_service_rule(struct linter *l, const struct policy_rule *r)
{
	const char **without = arena_alloc(l->arena, (l->book_count + 1) * sizeof *without);
	size_t n = 0;
	if (r->effect != POLICY_ALLOW || !(r->verbs & 1U << VERB_RUN) || !is_for_services(l->p, r)) return;
	for (size_t i = 0; i < l->book_count; i++)
		if (speaks_of(r, l->books[i].path) && !l->books[i].book->has_permissions) without[n++] = l->books[i].path;
	if (n)
		add(l, LINT_WARNING, r->line, "no-permissions",
		    SAY("rule %s lets services run %s, which %s no Permissions section: no service can start %s", r->id,
		        phrase_list(l->arena, without, n, 3, "and"), n == 1 ? "has" : "have", n == 1 ? "it" : "them"),
		    "add ## Permissions to the book, or leave the book to people");
	for (size_t i = 0; i < r->call_count; i++)
		if (ends_with_rest(capability_text(r->calls[i])))
			add(l, LINT_WARNING, r->line, "wide-for-services",
			    SAY("rule %s grants services `%s`: any arguments, with nobody looking on", r->id, capability_text(r->calls[i])),
			    "name the arguments");
}

/* ---- rules that never count ---- */

static void lint_conditions(struct linter *l, const struct policy_rule *r)
{
	bool is_about_steps = r->when.risks || r->when.targets_above >= 0;
	if (is_about_steps && !(r->verbs & 1U << VERB_RUN))
		add(l, LINT_WARNING, r->line, "never", SAY("rule %s speaks of risk or targets, which only run has: it never counts", r->id),
		    "leave the condition out, or speak of run");
}

static bool covers_glob(const char *outer, const char *inner)
{
	size_t n = strlen(outer);
	if (strcmp(outer, "**") == 0 || strcmp(outer, inner) == 0) return true;
	return n > 3 && strcmp(outer + n - 3, "/**") == 0 && strncmp(outer, inner, n - 2) == 0;
}

static bool covers_books(const struct policy_rule *outer, const struct policy_rule *inner)
{
	for (size_t i = 0; i < inner->book_count; i++) {
		bool is_covered = outer->book_count == 0;
		for (size_t k = 0; k < outer->book_count && !is_covered; k++) is_covered = covers_glob(outer->books[k], inner->books[i]);
		if (!is_covered) return false;
	}
	return outer->book_count == 0 || inner->book_count > 0;
}

static bool covers_entry(const struct policy *p, const struct policy_rule *outer, const struct policy_who *w)
{
	for (size_t i = 0; i < outer->who_count; i++) {
		const struct policy_who *o = &outer->who[i];
		if (o->kind == WHO_ANYONE || (o->kind == w->kind && o->kind != WHO_PRINCIPAL && o->kind != WHO_GROUP)) return true;
	}
	if (w->kind == WHO_PRINCIPAL) return policy_is_among(p, w->text, outer->who, outer->who_count);
	if (w->kind != WHO_GROUP) return false;
	for (size_t k = 0; k < p->groups[w->group].count; k++)
		if (!policy_is_among(p, p->groups[w->group].members[k], outer->who, outer->who_count)) return false;
	return true;
}

static bool covers_who(const struct policy *p, const struct policy_rule *outer, const struct policy_rule *inner)
{
	if (outer->who_count == 0) return true;
	for (size_t i = 0; i < inner->who_count; i++)
		if (!covers_entry(p, outer, &inner->who[i])) return false;
	return inner->who_count > 0;
}

static bool covers_calls(const struct policy_rule *outer, const struct policy_rule *inner)
{
	for (size_t i = 0; i < inner->call_count; i++)
		if (!capability_covers(outer->calls, outer->call_count, inner->calls[i])) return false;
	return true;
}

/* Does outer speak of all that inner speaks of, whenever it does? Conditions are not compared: outer must have none. */
static bool covers(const struct policy *p, const struct policy_rule *outer, const struct policy_rule *inner)
{
	return !outer->when.is_given && !outer->unless.is_given && (inner->verbs & ~outer->verbs) == 0 && covers_who(p, outer, inner) &&
	       covers_books(outer, inner);
}

/* Two that cover each other: the one that stands later can go. */
static bool is_first_of_equals(const struct policy *p, const struct policy_rule *r, const struct policy_rule *other)
{
	return r < other && covers(p, r, other) && covers(p, other, r) && covers_calls(r, other);
}

static void lint_covered(struct linter *l, const struct policy_rule *r)
{
	for (size_t i = 0; i < l->p->rule_count; i++) {
		const struct policy_rule *o = &l->p->rules[i];
		if (o == r || !covers(l->p, o, r)) continue;
		const char *other = SAY("rule %s (line %d)", o->id, o->line);
		if (r->effect == POLICY_ALLOW && o->effect == POLICY_DENY && !o->call_count) {
			add(l, LINT_ERROR, r->line, "never", SAY("rule %s never counts: %s denies all of it, always", r->id, other), "take one of the two out");
			return;
		}
		bool is_same = r->effect == o->effect && r->effect != POLICY_REQUIRE;
		bool has_all = r->effect == POLICY_DENY ? !o->call_count || (r->call_count && covers_calls(o, r)) : covers_calls(o, r);
		if (is_same && has_all && !is_first_of_equals(l->p, r, o)) {
			add(l, LINT_WARNING, r->line, "covered", SAY("rule %s changes nothing: %s says all of it already", r->id, other),
			    "take one of the two out");
			return;
		}
	}
}

static void lint_whole(struct linter *l)
{
	bool has_allow = false;
	for (size_t i = 0; i < l->p->rule_count; i++) has_allow = has_allow || l->p->rules[i].effect == POLICY_ALLOW;
	if (!has_allow)
		add(l, LINT_WARNING, 1, "allows-nothing", "no rule allows anything: nobody can run a book",
		    "add a rule with allow: what no rule allows is denied");
	if (l->p->rule_count && !l->p->test_count)
		add(l, LINT_INFO, 1, "no-tests", "the policy has no tests",
		    "say under tests: who must be able to do what, and who must not; `rung policy test` runs them");
}

static int by_line(const void *a, const void *b)
{
	const struct lint_finding *x = a, *y = b;
	int order = (x->line > y->line) - (x->line < y->line);
	return order ? order : strcmp(x->text, y->text);
}

void policy_lint(struct arena *a, const struct policy *p, const struct policy_book *books, size_t book_count, int64_t now_us, struct lint_finding **out,
                 size_t *count)
{
	static void (*const of_rules[])(struct linter *, const struct policy_rule *) = {lint_who,          lint_approvals,    lint_books,      lint_calls,
	                                                                                lint_denied_calls, lint_service_rule, lint_conditions, lint_covered};
	static void (*const of_policy[])(struct linter *) = {lint_groups, lint_elevations, lint_windows, lint_services, lint_whole};
	struct linter l = {.arena = a, .p = p, .books = books, .book_count = book_count, .now_us = now_us};
	for (size_t i = 0; i < sizeof of_policy / sizeof *of_policy; i++) of_policy[i](&l);
	for (size_t k = 0; k < p->rule_count; k++)
		for (size_t i = 0; i < sizeof of_rules / sizeof *of_rules; i++) of_rules[i](&l, &p->rules[k]);
	if (l.count) qsort(l.findings, l.count, sizeof *l.findings, by_line);
	*out = l.findings;
	*count = l.count;
}
