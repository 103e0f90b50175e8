#include "policy/policy_phrase.h"
#include "base/clock.h"
#include "base/text.h"

#include <string.h>

enum { PHRASE_BYTES_MAX = 1 << 20, MEMBERS_SHOWN = 6, CALLS_SHOWN = 4 };

static const char *taken(struct arena *a, struct buf *b)
{
	const char *text = arena_strndup(a, b->data ? b->data : "", b->len);
	buf_clear(b);
	return text;
}

const char *phrase_list(struct arena *a, const char *const *items, size_t count, size_t most, const char *word)
{
	struct buf b;
	buf_init(&b, PHRASE_BYTES_MAX);
	/* One left out would take as much room as its name. */
	size_t shown = count > most + 1 ? most : count;
	for (size_t i = 0; i < shown; i++) {
		if (i) buf_printf(&b, i + 1 == count && word ? " %s " : ", ", word);
		buf_str(&b, items[i]);
	}
	if (shown < count) buf_printf(&b, " %s %zu more", word, count - shown);
	return taken(a, &b);
}

/* ---- who ---- */

const char *phrase_principal(struct arena *a, const char *who)
{
	if (strncmp(who, "user:", 5) == 0) return who + 5;
	if (strncmp(who, "service:", 8) == 0) return arena_printf(a, "the service %s", who + 8);
	return who;
}

static const char *phrase_group(struct arena *a, const struct policy_group *g)
{
	const char **names = arena_alloc(a, (g->count + 1) * sizeof *names);
	for (size_t i = 0; i < g->count; i++) names[i] = phrase_principal(a, g->members[i]);
	struct buf b;
	buf_init(&b, PHRASE_BYTES_MAX);
	size_t shown = g->count > MEMBERS_SHOWN + 1 ? MEMBERS_SHOWN : g->count;
	for (size_t i = 0; i < shown; i++) buf_printf(&b, "%s%s", i ? ", " : "", names[i]);
	if (shown < g->count) buf_printf(&b, " and %zu more", g->count - shown);
	return arena_printf(a, "group %s (%s)", g->name, g->count ? taken(a, &b) : "nobody is in it");
}

static const char *phrase_who_one(struct arena *a, const struct policy *p, const struct policy_who *w)
{
	switch (w->kind) {
	case WHO_PRINCIPAL:
		return phrase_principal(a, w->text);
	case WHO_GROUP:
		return phrase_group(a, &p->groups[w->group]);
	case WHO_ANY_USER:
		return "every person";
	case WHO_ANY_SERVICE:
		return "every service";
	case WHO_ANYONE:
		break;
	}
	return "everyone";
}

const char *phrase_who(struct arena *a, const struct policy *p, const struct policy_who *list, size_t count)
{
	if (!count) return "everyone";
	const char **items = arena_alloc(a, count * sizeof *items);
	for (size_t i = 0; i < count; i++) items[i] = phrase_who_one(a, p, &list[i]);
	return phrase_list(a, items, count, MEMBERS_SHOWN, "and");
}

/* ---- what ---- */

const char *phrase_verb(enum policy_verb v)
{
	static const char *const words[VERB_N] = {
	    "run",     "see other people's executions of", "stop other people's executions of", "say what became of calls in",
	    "approve", "respond to incidents of"};
	return words[v];
}

const char *phrase_risk(enum policy_risk r)
{
	static const char *const words[] = {"no step", "steps that only read", "steps that change something", "destructive steps"};
	return words[r];
}

const char *phrase_trigger(enum policy_trigger t)
{
	static const char *const words[TRIGGER_N] = {"what a person started", "what an alert started", "what a schedule started",
	                                             "what another execution started"};
	return words[t];
}

static const char *phrase_step(struct arena *a, const struct policy_request *q)
{
	static const char *const steps[] = {"a step of %s", "a step of %s that only reads", "a step of %s that changes something", "a destructive step of %s"};
	const char *step = arena_printf(a, steps[q->risk], q->book);
	if (q->targets < 0) return step;
	return arena_printf(a, "%s (%lld target%s)", step, (long long)q->targets, q->targets == 1 ? "" : "s");
}

const char *phrase_deed(struct arena *a, const struct policy_request *q)
{
	static const char *const triggers[TRIGGER_N] = {"", " (started by an alert)", " (started by a schedule)", " (started by another execution)"};
	bool is_step = q->risk != RISK_OF_NO_STEP || q->targets >= 0;
	const char *trigger = triggers[q->trigger];
	if (q->kind) {
		const char *call = capability_exact(a, q->kind, q->words, q->word_count);
		return arena_printf(a, "make the call `%s` in %s%s", call, is_step ? phrase_step(a, q) : q->book, trigger);
	}
	if (is_step && q->verb == VERB_RUN) return arena_printf(a, "take %s%s", phrase_step(a, q), trigger);
	return arena_printf(a, "%s %s%s", phrase_verb(q->verb), q->book, trigger);
}

const char *phrase_books(struct arena *a, const struct policy_rule *r)
{
	for (size_t i = 0; i < r->book_count; i++)
		if (strcmp(r->books[i], "**") == 0) return "every book";
	return r->book_count ? phrase_list(a, r->books, r->book_count, MEMBERS_SHOWN, "and") : "every book";
}

const char *phrase_calls(struct arena *a, const struct capability *const *calls, size_t count, size_t most)
{
	const char **items = arena_alloc(a, (count + 1) * sizeof *items);
	for (size_t i = 0; i < count; i++) items[i] = arena_printf(a, "`%s`", capability_text(calls[i]));
	return phrase_list(a, items, count, most, "and");
}

/* ---- conditions ---- */

static const char *phrase_bits(struct arena *a, unsigned bits, size_t n, const char *(*word)(size_t))
{
	const char *items[8];
	size_t count = 0;
	for (size_t i = 0; i < n; i++)
		if (bits & 1U << i) items[count++] = word(i);
	return arena_printf(a, "for %s", phrase_list(a, items, count, 8, "or"));
}

static const char *risk_of(size_t i)
{
	return phrase_risk((enum policy_risk)i);
}

static const char *trigger_of(size_t i)
{
	return phrase_trigger((enum policy_trigger)i);
}

const char *phrase_condition(struct arena *a, const struct policy_condition *c)
{
	const char *parts[5];
	size_t n = 0;
	if (c->risks) parts[n++] = phrase_bits(a, c->risks, 4, risk_of);
	if (c->triggers) parts[n++] = phrase_bits(a, c->triggers, TRIGGER_N, trigger_of);
	if (c->window_count) {
		const char **names = arena_alloc(a, c->window_count * sizeof *names);
		for (size_t i = 0; i < c->window_count; i++) names[i] = c->windows[i]->name;
		parts[n++] = arena_printf(a, "in the window %s", phrase_list(a, names, c->window_count, 4, "or"));
	}
	if (c->elevation_count) parts[n++] = arena_printf(a, "with %s taken", phrase_list(a, c->elevations, c->elevation_count, 4, "or"));
	if (c->targets_above >= 0) parts[n++] = arena_printf(a, "for more than %lld target%s", (long long)c->targets_above, c->targets_above == 1 ? "" : "s");
	return phrase_list(a, parts, n, 8, NULL);
}

/* ---- rules ---- */

const char *phrase_rule(struct arena *a, const struct policy *p, const struct policy_rule *r)
{
	return arena_printf(a, "rule %s (%s:%d)", r->id, p->file, r->line);
}

const char *phrase_approvals(struct arena *a, const struct policy *p, const struct policy_rule *r)
{
	return arena_printf(a, "%lld approval%s from %s", (long long)r->approvals, r->approvals == 1 ? "" : "s", phrase_who(a, p, r->from, r->from_count));
}

const char *phrase_verbs(struct arena *a, unsigned verbs)
{
	const char *items[VERB_N];
	size_t n = 0;
	for (int v = 0; v < VERB_N; v++)
		if (verbs & 1U << v) items[n++] = phrase_verb((enum policy_verb)v);
	return phrase_list(a, items, n, VERB_N, "and");
}

const char *phrase_rule_whole(struct arena *a, const struct policy *p, const struct policy_rule *r)
{
	const char *rule = phrase_rule(a, p, r), *who = phrase_who(a, p, r->who, r->who_count), *verbs = phrase_verbs(a, r->verbs);
	const char *when = r->when.is_given ? arena_printf(a, ", %s", phrase_condition(a, &r->when)) : "";
	const char *unless = r->unless.is_given ? arena_printf(a, ", but not %s", phrase_condition(a, &r->unless)) : "";
	const char *books = phrase_books(a, r), *calls = r->call_count ? phrase_calls(a, r->calls, r->call_count, CALLS_SHOWN) : "";
	switch (r->effect) {
	case POLICY_ALLOW:
		if (*calls) calls = arena_printf(a, "; it grants %s", calls);
		return arena_printf(a, "%s lets %s %s %s%s%s%s", rule, who, verbs, books, when, unless, calls);
	case POLICY_DENY:
		if (*calls) calls = arena_printf(a, " with the call%s %s", r->call_count == 1 ? "" : "s", calls);
		return arena_printf(a, "%s denies %s to %s %s%s%s%s", rule, who, verbs, books, calls, when, unless);
	case POLICY_REQUIRE:
		break;
	}
	if (r->who_count) who = arena_printf(a, " of %s", who);
	return arena_printf(a, "%s asks for %s before a step%s in %s%s%s", rule, phrase_approvals(a, p, r), r->who_count ? who : "", books, when, unless);
}

/* ---- times, and YAML ---- */

const char *phrase_time(struct arena *a, int64_t us)
{
	char text[CLOCK_RFC3339_BYTES];
	clock_rfc3339(text, us);
	return arena_printf(a, "%.10s %.5s UTC", text, text + 11);
}

/* In the largest unit that leaves nothing over: 15m is 15 min, not 15 min 0 s. */
const char *phrase_duration(struct arena *a, int64_t us)
{
	static const struct {
		int64_t seconds;
		const char *one, *many;
	} units[] = {{86400, "day", "days"}, {3600, "h", "h"}, {60, "min", "min"}};
	int64_t s = us / 1000000;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		int64_t n = s / units[i].seconds;
		if (n && s % units[i].seconds == 0) return arena_printf(a, "%lld %s", (long long)n, n == 1 ? units[i].one : units[i].many);
	}
	return arena_printf(a, "%lld s", (long long)s);
}

const char *phrase_yaml(struct arena *a, const char *text)
{
	struct buf b;
	buf_init(&b, PHRASE_BYTES_MAX);
	buf_char(&b, '"');
	for (const char *s = text; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\')
			buf_printf(&b, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_printf(&b, "\\x%02x", c);
		else
			buf_char(&b, *s);
	}
	buf_char(&b, '"');
	return taken(a, &b);
}
