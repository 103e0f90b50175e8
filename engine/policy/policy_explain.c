#include "policy/policy_phrase.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Why a decision is what it is, for someone who did not write the policy: who may not do what, because of which line, what is missing, and whom to ask for
 * what. The first line is whole by itself: errors show it alone. */

enum { EXPLAINED_BYTES_MAX = 1 << 20, EXPLAINED_LINE_BYTES_MAX = 900, NEAR_SHOWN = 3, DENIES_SHOWN = 3, GRANTS_SHOWN = 3, PARTS_MAX = 16 };

struct explainer {
	struct arena *arena;
	const struct policy *p;
	const struct policy_request *q;
	const char *who, *deed;
	struct buf out;
};

static void say(struct explainer *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct explainer *x, const char *fmt, ...)
{
	char *text;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) die("out of memory while a decision is explained");
	/* Names and patterns are somebody's text: a line feed in one must not look like a line of ours. */
	for (char *s = text; *s; s++)
		if (*s == '\n') *s = ' ';
	if (x->out.len) buf_char(&x->out, '\n');
	buf_str(&x->out, text);
	free(text);
}

/* "." at the end of what an author wrote. */
static const char *without_stop(const struct explainer *x, const char *text)
{
	size_t n = strlen(text);
	while (n && strchr(". \n", text[n - 1])) n--;
	return arena_strndup(x->arena, text, n);
}

/* ---- what would lift a rule ---- */

static void say_elevation(struct explainer *x, const struct policy_elevation *v, const char *what)
{
	bool may = policy_is_among(x->p, x->q->who, v->who, v->who_count);
	const char *takers = phrase_who(x->arena, x->p, v->who, v->who_count), *can = may ? "" : arena_printf(x->arena, "; %s is not among them", x->who);
	say(x, "%s %s taken. Who may take it: %s%s. It holds for %s and is recorded with its reason: rung run %s --elevate %s --reason '...'", what, v->name,
	    takers, can, phrase_duration(x->arena, v->for_us), x->q->book, v->name);
}

/* The elevations with which the rule would not count. */
static void say_lifts(struct explainer *x, const struct policy_rule *r)
{
	for (size_t i = 0; i < r->unless.elevation_count; i++) {
		struct policy_request with = *x->q;
		with.elevated = &r->unless.elevations[i], with.elevated_count = 1;
		if (policy_condition_holds(&r->unless, &with) != POLICY_YES) continue;
		say_elevation(x, policy_elevation_find(x->p, r->unless.elevations[i]), "The rule does not count with");
	}
}

/* When the last of the windows that hold now ends; 0 where none does. */
static int64_t window_end(const struct policy_condition *c, int64_t now_us)
{
	int64_t end = 0;
	for (size_t i = 0; i < c->window_count; i++)
		for (size_t k = 0; k < c->windows[i]->count; k++) {
			const struct policy_span *s = &c->windows[i]->spans[k];
			if (now_us >= s->from_us && now_us < s->to_us && s->to_us > end) end = s->to_us;
		}
	return end;
}

/* ---- allowed ---- */

static const char *matching_book(const struct policy_rule *r, const char *book)
{
	for (size_t i = 0; i < r->book_count; i++)
		if (policy_book_matches(r->books[i], book)) return strcmp(r->books[i], "**") == 0 ? "every book" : r->books[i];
	return "every book";
}

static const char *matching_who(const struct explainer *x, const struct policy_rule *r)
{
	for (size_t i = 0; i < r->who_count; i++)
		if (policy_is_among(x->p, x->q->who, &r->who[i], 1)) return phrase_who(x->arena, x->p, &r->who[i], 1);
	return "everyone";
}

static bool grants(const struct explainer *x, const struct capability *c)
{
	return capability_allows(c, x->q->kind, x->q->words, x->q->word_count, x->q->params);
}

static const char *matching_grant(const struct explainer *x, const struct policy_rule *r)
{
	for (size_t i = 0; x->q->kind && i < r->call_count; i++)
		if (grants(x, r->calls[i])) return arena_printf(x->arena, ", and grants `%s`", capability_text(r->calls[i]));
	return "";
}

static bool is_any_granted(const struct explainer *x)
{
	for (size_t i = 0; i < x->p->rule_count; i++) {
		const struct policy_rule *r = &x->p->rules[i];
		if (r->effect == POLICY_ALLOW && r->call_count && policy_rule_matches(x->p, r, x->q)) return true;
	}
	return false;
}

/* What an elevation has put aside. */
static void say_lifted(struct explainer *x)
{
	struct policy_request without = *x->q;
	without.elevated_count = 0;
	for (size_t i = 0; x->q->elevated_count && i < x->p->rule_count; i++) {
		const struct policy_rule *r = &x->p->rules[i];
		if (r->effect == POLICY_ALLOW || policy_rule_matches(x->p, r, x->q) || !policy_rule_matches(x->p, r, &without)) continue;
		say(x, "With %s taken, %s does not count.", phrase_list(x->arena, (const char *const *)x->q->elevated, x->q->elevated_count, 4, "and"),
		    phrase_rule(x->arena, x->p, r));
	}
}

/* Does the deny speak of the request, if its call were that pattern? */
static bool would_deny(const struct explainer *x, const struct policy_rule *r, const char *pattern)
{
	struct policy_rule other = *r;
	struct capability *c;
	if (capability_parse(x->arena, pattern, &c, NULL)) return false;
	other.calls = (const struct capability *[]){c};
	other.call_count = 1;
	return policy_rule_matches(x->p, &other, x->q);
}

/* Denies that look as if they held the call, and do not. */
static void say_near_denies(struct explainer *x)
{
	for (size_t i = 0; x->q->kind && i < x->p->rule_count; i++) {
		const struct policy_rule *r = &x->p->rules[i];
		for (size_t k = 0; r->effect == POLICY_DENY && k < r->call_count; k++) {
			const char *left_out, *wider = capability_widened(x->arena, r->calls[k], &left_out);
			if (!wider || !would_deny(x, r, wider)) continue;
			say(x, "Mind that %s does not deny it: `%s` leaves out %s. `%s` would deny it.", phrase_rule(x->arena, x->p, r),
			    capability_text(r->calls[k]), left_out, wider);
		}
	}
}

static void explain_allow(struct explainer *x, const struct policy_decision *d)
{
	const struct policy_rule *r = d->rule;
	say(x, "%s may %s: %s is for %s and %s%s", x->who, x->deed, phrase_rule(x->arena, x->p, r), matching_who(x, r), matching_book(r, x->q->book),
	    matching_grant(x, r));
	if (r->why) say(x, "What the rule says: %s.", without_stop(x, r->why));
	if (r->when.is_given) say(x, "It counts %s.", phrase_condition(x->arena, &r->when));
	if (r->unless.is_given) say(x, "It does not count %s.", phrase_condition(x->arena, &r->unless));
	for (size_t i = 0; i < d->require_count; i++)
		say(x, "%s are there, as %s asks.", phrase_approvals(x->arena, x->p, d->requires[i]), phrase_rule(x->arena, x->p, d->requires[i]));
	say_lifted(x);
	say_near_denies(x);
	if (x->q->verb == VERB_RUN && !x->q->kind && !is_any_granted(x))
		say(x, "That is to start it and to go through its steps: no rule grants %s any call in it.", x->who);
}

/* ---- denied by a rule ---- */

static void say_deny_head(struct explainer *x, const struct policy_rule *r)
{
	int64_t end = window_end(&r->when, x->q->now_us);
	const char *until = end ? arena_printf(x->arena, " until %s", phrase_time(x->arena, end)) : "";
	if (r->why)
		say(x, "%s may not %s%s: %s (rule %s, %s:%d)", x->who, x->deed, until, without_stop(x, r->why), r->id, x->p->file, r->line);
	else
		say(x, "%s may not %s%s: %s denies it", x->who, x->deed, until, phrase_rule(x->arena, x->p, r));
}

static void say_unknown_targets(struct explainer *x, const struct policy_rule *r)
{
	if (x->q->targets == POLICY_TARGETS_UNKNOWN && (r->when.targets_above >= 0 || r->unless.targets_above >= 0))
		say(x, "How many targets the step touches is not known, so the rule counts. A step says it with targets=...");
}

static void say_other_denies(struct explainer *x, const struct policy_rule *named)
{
	const char *more[DENIES_SHOWN];
	size_t n = 0, all = 0;
	for (size_t i = 0; i < x->p->rule_count; i++) {
		const struct policy_rule *r = &x->p->rules[i];
		if (r == named || r->effect != POLICY_DENY || !policy_rule_matches(x->p, r, x->q)) continue;
		if (n < DENIES_SHOWN) more[n++] = phrase_rule(x->arena, x->p, r);
		all++;
	}
	const char *rest = all > n ? arena_printf(x->arena, ", and %zu more", all - n) : "";
	if (n) say(x, "Denied as well by %s%s.", phrase_list(x->arena, more, n, DENIES_SHOWN, "and"), rest);
}

static bool is_any_allowed(const struct explainer *x)
{
	for (size_t i = 0; i < x->p->rule_count; i++)
		if (x->p->rules[i].effect == POLICY_ALLOW && policy_rule_matches(x->p, &x->p->rules[i], x->q)) return true;
	return false;
}

static void explain_deny(struct explainer *x, const struct policy_rule *r)
{
	say_deny_head(x, r);
	say(x, "In full: %s.", phrase_rule_whole(x->arena, x->p, r));
	say_unknown_targets(x, r);
	say_lifts(x, r);
	say_other_denies(x, r);
	if (!is_any_allowed(x)) say(x, "And no rule of %s allows it, either.", x->p->file);
}

/* ---- waits ---- */

static void say_who_can(struct explainer *x, const struct policy_rule *r)
{
	size_t can = policy_count(x->p, r->from, r->from_count, x->q->who);
	if (can >= (size_t)r->approvals) return;
	const char *few = can == 0 ? "nobody" : arena_printf(x->arena, "only %zu", can);
	say(x, "That cannot come about: besides %s, %s could approve. Ask whoever keeps %s to name more people in %s.", x->who, few, x->p->file,
	    phrase_rule(x->arena, x->p, r));
}

static void explain_wait(struct explainer *x, const struct policy_decision *d)
{
	const struct policy_rule *r = d->rule;
	const char *needed = phrase_approvals(x->arena, x->p, r);
	if (r->why)
		say(x, "%s may %s after %s: %s (rule %s, %s:%d)", x->who, x->deed, needed, without_stop(x, r->why), r->id, x->p->file, r->line);
	else
		say(x, "%s may %s after %s: %s asks for that", x->who, x->deed, needed, phrase_rule(x->arena, x->p, r));
	for (size_t i = 0; i < d->require_count; i++) {
		bool is_met = false;
		for (size_t k = 0; k < x->q->met_count; k++) is_met = is_met || strcmp(x->q->met[k], d->requires[i] -> id) == 0;
		if (d->requires[i] != r && !is_met)
			say(x, "Also needed: %s, as %s asks.", phrase_approvals(x->arena, x->p, d->requires[i]), phrase_rule(x->arena, x->p, d->requires[i]));
	}
	say(x, "Each of them looks at what would run and agrees with: rung approve EXECUTION STEP --reason '...'");
	say(x, "An approval counts for %s. Nobody who has driven the execution can give one, nor the author of the book.",
	    phrase_duration(x->arena, r->within_us));
	say_unknown_targets(x, r);
	say_who_can(x, r);
	say_lifts(x, r);
}

/* ---- no rule allows it: which come near ---- */

enum missing { MISSES_VERB = 1, MISSES_WHO = 2, MISSES_BOOK = 4, MISSES_CALL = 8, MISSES_WHEN = 16, MISSES_UNLESS = 32 };

struct near {
	const struct policy_rule *rule;
	unsigned missing; /* bits of enum missing */
	int distance;
};

/* `sh systemctl`: the beginning that says what a call is about. */
static const char *call_subject(const struct explainer *x)
{
	return capability_exact(x->arena, x->q->kind, x->q->words, x->q->word_count ? 1 : 0);
}

static bool is_about(const char *subject, const struct capability *c)
{
	size_t n = strlen(subject);
	return strncmp(capability_text(c), subject, n) == 0 && (capability_text(c)[n] == 0 || capability_text(c)[n] == ' ');
}

static bool has_grant_about(const struct explainer *x, const struct policy_rule *r)
{
	const char *subject = call_subject(x);
	for (size_t i = 0; i < r->call_count; i++)
		if (is_about(subject, r->calls[i])) return true;
	return false;
}

static bool grants_call(const struct explainer *x, const struct policy_rule *r)
{
	for (size_t i = 0; x->q->kind && i < r->call_count; i++)
		if (grants(x, r->calls[i])) return true;
	return !x->q->kind;
}

static bool is_of_book(const struct policy_rule *r, const char *book)
{
	for (size_t i = 0; i < r->book_count; i++)
		if (policy_book_matches(r->books[i], book)) return true;
	return false;
}

static size_t page_length(const char *book)
{
	return strcspn(book, "#");
}

/* How far a book is from what a rule speaks of: the same page, the same folder, the whole of a workspace. */
static int book_distance(const struct policy_rule *r, const char *book)
{
	enum { SAME_PAGE = 2, FAR = 6, FOLDERS_MOST = 2 };
	int least = FAR;
	for (size_t i = 0; i < r->book_count; i++) {
		const char *g = r->books[i], *b = book;
		int folders = 0;
		if (page_length(g) == page_length(book) && strncmp(g, book, page_length(g)) == 0) return SAME_PAGE;
		for (; *g && *g == *b; g++, b++) folders += *g == '/';
		/* All runbooks stand in runbooks/: that says nothing yet. */
		folders = folders < 1 ? 0 : folders - 1 < FOLDERS_MOST ? folders - 1 : FOLDERS_MOST;
		if (FAR - folders < least) least = FAR - folders;
	}
	return least;
}

static struct near look(const struct explainer *x, const struct policy_rule *r)
{
	struct near n = {.rule = r};
	if (!(r->verbs & 1U << x->q->verb)) n.missing |= MISSES_VERB, n.distance += 8;
	if (!policy_is_among(x->p, x->q->who, r->who, r->who_count)) n.missing |= MISSES_WHO, n.distance += 4;
	if (!is_of_book(r, x->q->book)) n.missing |= MISSES_BOOK, n.distance += book_distance(r, x->q->book);
	if (!grants_call(x, r)) n.missing |= MISSES_CALL, n.distance += has_grant_about(x, r) ? 2 : 3;
	if (r->when.is_given && policy_condition_holds(&r->when, x->q) != POLICY_YES) n.missing |= MISSES_WHEN, n.distance += 2;
	if (r->unless.is_given && policy_condition_holds(&r->unless, x->q) != POLICY_NO) n.missing |= MISSES_UNLESS, n.distance += 2;
	return n;
}

/* The nearest rules, nearest first; of two that are as near, the one that stands first. What is much farther than the nearest only distracts. */
static size_t find_near(const struct explainer *x, struct near out[NEAR_SHOWN])
{
	enum { TOO_FAR = 11, MUCH_FARTHER = 2 };
	size_t n = 0;
	for (size_t i = 0; i < x->p->rule_count; i++) {
		if (x->p->rules[i].effect != POLICY_ALLOW) continue;
		struct near one = look(x, &x->p->rules[i]);
		size_t at = n;
		while (at > 0 && out[at - 1].distance > one.distance) at--;
		if (one.distance >= TOO_FAR || at == NEAR_SHOWN) continue;
		size_t kept = n < NEAR_SHOWN ? n : NEAR_SHOWN - 1;
		memmove(out + at + 1, out + at, (kept - at) * sizeof *out);
		out[at] = one;
		n = kept + 1;
	}
	while (n > 1 && out[n - 1].distance > out[0].distance + MUCH_FARTHER - 1) n--;
	return n;
}

/* `*` does not stand for --force: would the rule grant the call if its options were plain words? Gives the first of them. */
static const char *option_that_no_star_takes(const struct explainer *x, const struct policy_rule *r)
{
	const char *option = NULL, **words = arena_alloc(x->arena, (x->q->word_count + 1) * sizeof *words);
	for (size_t i = 0; i < x->q->word_count; i++) {
		words[i] = x->q->words[i];
		if (i == 0 || words[i][0] != '-') continue;
		if (!option) option = words[i];
		words[i] = arena_printf(x->arena, "x%s", words[i]);
	}
	for (size_t i = 0; option && i < r->call_count; i++)
		if (capability_allows(r->calls[i], x->q->kind, words, x->q->word_count, x->q->params)) return option;
	return NULL;
}

static const char *missing_call(const struct explainer *x, const struct policy_rule *r)
{
	const char *call = capability_exact(x->arena, x->q->kind, x->q->words, x->q->word_count), *subject = call_subject(x);
	const struct capability **about = arena_alloc(x->arena, (r->call_count + 1) * sizeof *about);
	size_t n = 0;
	for (size_t i = 0; i < r->call_count; i++)
		if (is_about(subject, r->calls[i])) about[n++] = r->calls[i];
	if (!r->call_count) return "grants no calls";
	const char *list = n ? phrase_calls(x->arena, about, n, GRANTS_SHOWN) : phrase_calls(x->arena, r->calls, r->call_count, GRANTS_SHOWN);
	const char *option = option_that_no_star_takes(x, r);
	if (option) return arena_printf(x->arena, "grants %s, not `%s`: * stands for no option such as %s", list, call, option);
	return arena_printf(x->arena, "grants %s, not `%s`", list, call);
}

/* When the next of the windows begins; INT64_MAX where none does. */
static int64_t window_begin(const struct policy_condition *c, int64_t now_us)
{
	int64_t next = INT64_MAX;
	for (size_t i = 0; i < c->window_count; i++)
		for (size_t k = 0; k < c->windows[i]->count; k++) {
			int64_t from = c->windows[i]->spans[k].from_us;
			if (from > now_us && from < next) next = from;
		}
	return next;
}

static const char *missing_window(const struct explainer *x, const struct policy_condition *c)
{
	int64_t next = window_begin(c, x->q->now_us);
	const char *begins = next == INT64_MAX ? "which is over" : arena_printf(x->arena, "which begins %s", phrase_time(x->arena, next));
	const struct policy_condition only = {.is_given = true, .windows = c->windows, .window_count = c->window_count, .targets_above = -1};
	return arena_printf(x->arena, "counts %s only, %s", phrase_condition(x->arena, &only), begins);
}

/* What of `when` does not hold, a phrase each. */
static size_t missing_conditions(const struct explainer *x, const struct policy_condition *c, const char **out)
{
	static const char *const risks[] = {"this is about no step", "this is a step that only reads", "this is a step that changes something",
	                                    "this is a destructive step"};
	static const char *const triggers[TRIGGER_N] = {"a person started this", "an alert started this", "a schedule started this",
	                                                "another execution started this"};
	const struct policy_request *q = x->q;
	const struct policy_condition risk = {.risks = c->risks, .targets_above = -1}, trigger = {.triggers = c->triggers, .targets_above = -1},
	                              window = {.windows = c->windows, .window_count = c->window_count, .targets_above = -1},
	                              grant = {.elevations = c->elevations, .elevation_count = c->elevation_count, .targets_above = -1},
	                              targets = {.targets_above = c->targets_above};
	size_t n = 0;
	if (policy_condition_holds(&risk, q) != POLICY_YES)
		out[n++] = arena_printf(x->arena, "counts %s only, and %s", phrase_condition(x->arena, &risk), risks[q->risk]);
	if (policy_condition_holds(&trigger, q) != POLICY_YES)
		out[n++] = arena_printf(x->arena, "counts %s only, and %s", phrase_condition(x->arena, &trigger), triggers[q->trigger]);
	if (policy_condition_holds(&window, q) != POLICY_YES) out[n++] = missing_window(x, c);
	if (policy_condition_holds(&grant, q) != POLICY_YES) out[n++] = arena_printf(x->arena, "counts %s only", phrase_condition(x->arena, &grant));
	if (policy_condition_holds(&targets, q) == POLICY_NO) out[n++] = arena_printf(x->arena, "counts %s only", phrase_condition(x->arena, &targets));
	if (policy_condition_holds(&targets, q) == POLICY_UNKNOWN)
		out[n++] = arena_printf(x->arena, "counts %s only, and how many the step touches is not known", phrase_condition(x->arena, &targets));
	return n;
}

/* "rule oncall-web (policy.yaml:8) is for group sre (ana, bo), not for cy". */
static const char *missing_phrase(const struct explainer *x, const struct near *n)
{
	const struct policy_rule *r = n->rule;
	const char *parts[PARTS_MAX], *who = phrase_who(x->arena, x->p, r->who, r->who_count);
	size_t count = 0;
	if (n->missing & MISSES_WHO) parts[count++] = arena_printf(x->arena, "is for %s, not for %s", who, x->who);
	if (n->missing & MISSES_VERB)
		parts[count++] = arena_printf(x->arena, "lets them %s it, not %s it", phrase_verbs(x->arena, r->verbs), phrase_verb(x->q->verb));
	if (n->missing & MISSES_BOOK) parts[count++] = arena_printf(x->arena, "speaks of %s, not of %s", phrase_books(x->arena, r), x->q->book);
	if (n->missing & MISSES_CALL) parts[count++] = missing_call(x, r);
	if (n->missing & MISSES_WHEN) count += missing_conditions(x, &r->when, parts + count);
	if (n->missing & MISSES_UNLESS) parts[count++] = arena_printf(x->arena, "does not count %s", phrase_condition(x->arena, &r->unless));
	const char *all = phrase_rule(x->arena, x->p, r);
	for (size_t i = 0; i < count; i++) all = arena_printf(x->arena, "%s%s %s", all, i ? "; it" : "", parts[i]);
	return all;
}

/* ---- whom to ask for what ---- */

/* A rule that allows exactly this. */
static void say_new_rule(struct explainer *x)
{
	const struct policy_request *q = x->q;
	const char *who = strchr(q->who, ':'), *grant = "";
	if (q->kind) grant = arena_printf(x->arena, ", grants: [%s]", phrase_yaml(x->arena, capability_exact(x->arena, q->kind, q->words, q->word_count)));
	bool is_new = strncmp(q->who, "service:", 8) == 0 && !policy_service_find(x->p, q->who + 8);
	if (is_new) say(x, "No service %s is named in %s: it needs a line under services:, %s: {}", q->who + 8, x->p->file, q->who + 8);
	say(x, "To allow it, ask whoever keeps %s for a rule such as this one, under rules:", x->p->file);
	say(x, "  - {id: %s-%s, allow: [%s], who: [%s], books: [%s]%s}", who ? who + 1 : "one", policy_verb_word(q->verb), policy_verb_word(q->verb),
	    phrase_yaml(x->arena, q->who), phrase_yaml(x->arena, q->book), grant);
}

/* "group sre (policy.yaml:2) or ": of the first group that the rule is for. */
static const char *group_to_join(const struct explainer *x, const struct policy_rule *r)
{
	for (size_t i = 0; i < r->who_count; i++) {
		const struct policy_group *g = r->who[i].kind == WHO_GROUP ? &x->p->groups[r->who[i].group] : NULL;
		if (g) return arena_printf(x->arena, "group %s (%s:%d) or to ", g->name, x->p->file, g->line);
	}
	return "";
}

/* Where the nearest rule lacks but the person or the call, what to add there. A book or a verb more would be one for everybody that the rule is for. */
static bool say_one_change(struct explainer *x, const struct near *n)
{
	const struct policy_rule *r = n->rule;
	const char *rule = phrase_rule(x->arena, x->p, r), *file = x->p->file, *add, *to;
	switch (n->missing) {
	case MISSES_CALL:
		add = phrase_yaml(x->arena, capability_exact(x->arena, x->q->kind, x->q->words, x->q->word_count)), to = "the grants";
		break;
	case MISSES_WHO:
		add = phrase_yaml(x->arena, x->q->who), to = arena_printf(x->arena, "%sthe who", group_to_join(x, r));
		break;
	default:
		return false;
	}
	say(x, "To allow it, ask whoever keeps %s to add %s to %s of %s.", file, add, to, rule);
	return true;
}

/* Where only an elevation is missing, who may take it. */
static bool say_elevations(struct explainer *x, const struct near *n)
{
	bool said = false;
	for (size_t i = 0; n->missing == MISSES_WHEN && i < n->rule->when.elevation_count; i++) {
		struct policy_request with = *x->q;
		with.elevated = &n->rule->when.elevations[i], with.elevated_count = 1;
		if (policy_condition_holds(&n->rule->when, &with) != POLICY_YES) continue;
		say_elevation(x, policy_elevation_find(x->p, n->rule->when.elevations[i]), "It is allowed with");
		said = true;
	}
	return said;
}

/* Where only the time is missing, when it comes. */
static bool say_when(struct explainer *x, const struct near *n)
{
	struct policy_request then = *x->q;
	then.now_us = window_begin(&n->rule->when, x->q->now_us);
	if (n->missing != MISSES_WHEN || then.now_us == INT64_MAX || policy_decide(x->p, &then, x->arena).outcome == POLICY_IS_DENIED) return false;
	say(x, "It is allowed from %s on.", phrase_time(x->arena, then.now_us));
	return true;
}

/* A call that no pattern can ever allow: what is wrong with it is what helps, no rule. */
static bool say_fault(struct explainer *x)
{
	const char *fault = NULL;
	if (x->q->kind) fault = capability_request_fault(capability_request_make(x->arena, x->q->kind, x->q->words, x->q->word_count));
	if (fault) say(x, "%s may not %s: no rule of %s allows it, and none can: %s", x->who, x->deed, x->p->file, fault);
	return fault;
}

static void explain_no_allow(struct explainer *x)
{
	if (say_fault(x)) return;
	struct near near[NEAR_SHOWN];
	size_t n = find_near(x, near);
	const char *nearest = n ? arena_printf(x->arena, "; %s", missing_phrase(x, &near[0])) : "";
	say(x, "%s may not %s: no rule of %s allows it%s", x->who, x->deed, x->p->file, nearest);
	for (size_t i = 1; i < n; i++) say(x, "Also near: %s.", missing_phrase(x, &near[i]));
	if (strncmp(x->q->book, "external/", 9) == 0) {
		say(x, "The book is outside of the workspace: only a rule for every book (books: [\"**\"]) speaks of it. Move it into the workspace to give "
		       "rights to it alone.");
		return;
	}
	if (n && (say_elevations(x, &near[0]) || say_when(x, &near[0]))) return;
	if (!n || !say_one_change(x, &near[0])) say_new_rule(x);
}

const char *policy_explain(const struct policy *p, const struct policy_request *q, struct arena *a)
{
	struct explainer x = {.arena = a, .p = p, .q = q, .who = phrase_principal(a, q->who), .deed = phrase_deed(a, q)};
	buf_init(&x.out, EXPLAINED_BYTES_MAX);
	struct policy_decision d = policy_decide(p, q, a);
	if (d.outcome == POLICY_IS_ALLOWED)
		explain_allow(&x, &d);
	else if (d.outcome == POLICY_MUST_WAIT)
		explain_wait(&x, &d);
	else if (d.rule)
		explain_deny(&x, d.rule);
	else
		explain_no_allow(&x);
	const char *text = arena_strndup(a, x.out.data, x.out.len);
	buf_clear(&x.out);
	return text;
}

const char *policy_explain_line(const struct policy *p, const struct policy_request *q, struct arena *a)
{
	struct buf b;
	buf_init(&b, EXPLAINED_LINE_BYTES_MAX);
	for (const char *at = policy_explain(p, q, a); *at; at += strcspn(at, "\n"), at += *at == '\n') {
		int n = (int)strcspn(at, "\n");
		if (b.len == 0)
			buf_printf(&b, "%.*s", n < EXPLAINED_LINE_BYTES_MAX ? n : EXPLAINED_LINE_BYTES_MAX, at);
		else
			buf_printf(&b, "%s %.*s", strchr(".:", b.data[b.len - 1]) ? "" : ".", n, at);
	}
	const char *line = arena_strndup(a, b.data, b.len);
	buf_clear(&b);
	return line;
}
