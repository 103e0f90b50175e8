#include "alert/binding.h"
#include "alert/parameter.h"
#include "base/clock.h"

#include <string.h>

static const char *const outcome_words[BINDING_OUTCOME_N] = {
    [BINDING_STARTS] = "starts",     [BINDING_JOINS] = "joins",     [BINDING_SUPPRESSED] = "suppressed",
    [BINDING_PROPOSED] = "proposed", [BINDING_UNBOUND] = "unbound", [BINDING_RESOLVES] = "resolves",
};
static const char *const rail_words[BINDING_RAIL_N] = {
    [BINDING_FREE] = "free",   [BINDING_MAINTENANCE] = "maintenance", [BINDING_COOLDOWN] = "cooldown",
    [BINDING_RATE] = "runs",   [BINDING_MAX_RUNNING] = "max_running", [BINDING_BREAKER] = "breaker",
    [BINDING_DOUBT] = "doubt", [BINDING_ACCOUNT] = "account",
};

const char *binding_outcome_word(enum binding_outcome o)
{
	must(o < BINDING_OUTCOME_N);
	return outcome_words[o];
}

const char *binding_rail_word(enum binding_rail r)
{
	must(r < BINDING_RAIL_N);
	return rail_words[r];
}

/* ---- which book ---- */

static const char *book_of(struct arena *a, const char *path, const char *anchor)
{
	return anchor ? arena_printf(a, "%s#%s", path, anchor) : path;
}

/* A binding whose matchers cannot be judged may be the one that is meant: it is taken, and a person looks at it. */
static bool choose_rule(struct arena *a, const struct alerts_file *f, const struct alert *al, struct binding_choice *out)
{
	for (size_t i = 0; i < f->binding_count; i++) {
		const struct alert_binding *b = &f->bindings[i];
		if (b->source && strcmp(b->source, al->source) != 0) continue;
		enum pattern_answer answer = binding_matches(b->matchers, b->matcher_count, al);
		if (answer == PATTERN_NO) continue;
		*out = (struct binding_choice){.route = BINDING_BY_RULE, .rule = b, .line = b->line, .book = b->playbook};
		out->key = arena_printf(a, "binding:%s", b->id);
		out->how = arena_printf(a, "the binding %s (%s:%d) matches", b->id, f->file, b->line);
		if (answer == PATTERN_OVER_LIMIT) out->doubt = "a regular expression of the binding takes more steps on this alert than one may";
		return true;
	}
	return false;
}

static void take_found(struct arena *a, const struct book_found *found, enum binding_route route, struct binding_choice *out)
{
	out->route = route;
	out->book = book_of(a, found->path, found->anchor);
	out->key = arena_printf(a, "book:%s", out->book);
	if (found->other_path) out->doubt = arena_printf(a, "%s is as near: bind the alert to one of them", book_of(a, found->other_path, found->other_anchor));
}

/* runbook_url before runbook; "" where neither is there. */
static bool choose_annotation(struct arena *a, const struct book_index *books, const struct alert *al, const char **failed, struct binding_choice *out)
{
	static const char *const names[] = {"runbook_url", "runbook"};
	struct book_found found;
	for (size_t i = 0; i < 2; i++) {
		const char *link = alert_annotation(al, names[i]);
		if (!link || !*link) continue;
		if (book_index_by_link(books, link, &found)) {
			take_found(a, &found, BINDING_BY_ANNOTATION, out);
			out->how = arena_printf(a, "no binding matches; its annotation %s leads to %s", names[i], out->book);
			return true;
		}
		*failed = ", its annotation leads to no page of the workspace";
	}
	/* What a source without annotations says of it (generic). */
	if (!*al->runbook) return false;
	if (book_index_by_link(books, al->runbook, &found)) {
		take_found(a, &found, BINDING_BY_ANNOTATION, out);
		out->how = arena_printf(a, "no binding matches; it names the runbook %s", out->book);
		return true;
	}
	if (!**failed) *failed = ", the runbook that it names is no page of the workspace";
	return false;
}

static void choose(struct arena *a, const struct alerts_file *f, const struct book_index *books, const struct alert *al, struct binding_choice *out)
{
	struct book_found found;
	const char *failed = "";
	if (choose_rule(a, f, al, out)) return;
	*out = (struct binding_choice){.route = BINDING_NONE, .rule = &f->defaults, .key = ""};
	if (choose_annotation(a, books, al, &failed, out)) return;
	if (*al->name && book_index_by_name(books, al->name, &found)) {
		take_found(a, &found, BINDING_BY_NAME, out);
		out->how = arena_printf(a, "no binding matches%s; %s is called like the alert, by %s", failed, out->book, book_name_kind_word(found.kind));
		return;
	}
	out->how = arena_printf(a, "no binding matches%s, and no book is called like the alert", failed);
}

void binding_choose(struct arena *a, const struct alerts_file *f, const struct book_index *books, const struct alert *al, struct binding_choice *out)
{
	choose(a, f, books, al, out);
	const char *parameter = out->doubt ? NULL : parameter_in_doubt(out->rule, al);
	if (parameter) out->doubt = arena_printf(a, "the regular expression of the parameter %s takes more steps on this alert than one may", parameter);
	if (!out->doubt && al->is_cut) out->doubt = "the alert has more or longer labels than are kept: what is matched against them proves nothing";
}

/* ---- whether it starts ---- */

/* What the steps below look at. */
struct question {
	struct arena *arena;
	const struct alerts_file *file;
	const struct alert *alert;
	const struct binding_choice *choice;
	const struct binding_state *state;
};

static const char *span_words(const struct question *q, int64_t us)
{
	struct buf b;
	buf_init(&b, 64);
	clock_duration_words(&b, us);
	const char *words = arena_strdup(q->arena, b.data);
	buf_clear(&b);
	return words;
}

static bool hold(struct binding_decision *out, enum binding_outcome outcome, enum binding_rail rail, int64_t again_us, const char *reason)
{
	out->outcome = outcome, out->rail = rail, out->again_us = again_us, out->reason = reason;
	return true;
}

static bool is_over(const struct question *q, struct binding_decision *out)
{
	return q->alert->state == ALERT_RESOLVED && hold(out, BINDING_RESOLVES, BINDING_FREE, 0, "the alert is over: nothing is started");
}

static bool is_running(const struct question *q, struct binding_decision *out)
{
	if (!q->state->running) return false;
	out->running = q->state->running;
	return hold(out, BINDING_JOINS, BINDING_FREE, 0, arena_printf(q->arena, "%s runs for this alert already", q->state->running));
}

/* A window whose matchers cannot be judged holds: a start that is not wanted does more harm than one that waits. */
static bool is_in_maintenance(const struct question *q, struct binding_decision *out)
{
	for (size_t i = 0; i < q->file->window_count; i++) {
		const struct alert_window *w = &q->file->windows[i];
		if (q->state->now_us < w->from_us || q->state->now_us >= w->to_us) continue;
		if (w->source && strcmp(w->source, q->alert->source) != 0) continue;
		if (binding_matches(w->matchers, w->matcher_count, q->alert) == PATTERN_NO) continue;
		out->line = w->line;
		return hold(out, BINDING_SUPPRESSED, BINDING_MAINTENANCE, w->to_us,
		            arena_printf(q->arena, "the maintenance window %s (%s:%d) holds%s%s", w->id, q->file->file, w->line, w->why ? ": " : "",
		                         w->why ? w->why : ""));
	}
	return false;
}

static bool is_unbound(const struct question *q, struct binding_decision *out)
{
	return q->choice->route == BINDING_NONE && hold(out, BINDING_UNBOUND, BINDING_FREE, 0, "nobody has said what to do");
}

static bool is_in_doubt(const struct question *q, struct binding_decision *out)
{
	return q->choice->doubt && hold(out, BINDING_PROPOSED, BINDING_DOUBT, 0, arena_printf(q->arena, "a person decides: %s", q->choice->doubt));
}

static bool has_no_account(const struct question *q, struct binding_decision *out)
{
	return !q->choice->rule->as && hold(out, BINDING_PROPOSED, BINDING_ACCOUNT, 0,
	                                    "a person decides: no service account is named under defaults: as: for alerts without a binding");
}

static bool is_cooling(const struct question *q, struct binding_decision *out)
{
	int64_t cooldown_us = q->choice->rule->guards.cooldown_us, until_us = q->state->ended_us + cooldown_us;
	if (!q->state->ended_us || q->state->now_us >= until_us) return false;
	return hold(out, BINDING_SUPPRESSED, BINDING_COOLDOWN, until_us,
	            arena_printf(q->arena, "cooldown: it last ran for this alert less than %s ago", span_words(q, cooldown_us)));
}

/* When fewer than most of them will lie in the span before now; 0: now. What lies in the future counts: the clock was set, and nobody knows better. */
static int64_t full_until(const int64_t *times_us, size_t count, int64_t most, int64_t span_us, int64_t now_us)
{
	if (!most || count < (size_t)most) return 0;
	int64_t until_us = times_us[count - (size_t)most] + span_us;
	return now_us < until_us ? until_us : 0;
}

static bool is_broken(const struct question *q, struct binding_decision *out)
{
	const struct alert_guards *g = &q->choice->rule->guards;
	int64_t until_us = full_until(q->state->failures_us, q->state->failure_count, g->breaker_count, g->breaker_us, q->state->now_us);
	if (!until_us) return false;
	return hold(out, BINDING_PROPOSED, BINDING_BREAKER, until_us,
	            arena_printf(q->arena, "the circuit breaker is open, a person decides: %lld executions failed within %s", (long long)g->breaker_count,
	                         span_words(q, g->breaker_us)));
}

static bool is_crowded(const struct question *q, struct binding_decision *out)
{
	int64_t most = q->choice->rule->guards.max_running;
	if (!most || q->state->running_count < most) return false;
	return hold(out, BINDING_SUPPRESSED, BINDING_MAX_RUNNING, 0,
	            arena_printf(q->arena, "max_running: %lld of it run already, for other alerts", (long long)q->state->running_count));
}

static bool is_too_often(const struct question *q, struct binding_decision *out)
{
	const struct alert_guards *g = &q->choice->rule->guards;
	int64_t until_us = full_until(q->state->starts_us, q->state->start_count, g->runs, g->runs_us, q->state->now_us);
	if (!until_us) return false;
	return hold(out, BINDING_SUPPRESSED, BINDING_RATE, until_us,
	            arena_printf(q->arena, "runs: it was started %lld times within %s", (long long)g->runs, span_words(q, g->runs_us)));
}

/* In this order; the first that holds decides. Joining starts nothing, so it goes before maintenance; cooldown goes before the breaker, so that an alert that
 * keeps firing pages once and not at each delivery. */
static bool (*const rails[])(const struct question *, struct binding_decision *) = {
    is_over, is_running, is_in_maintenance, is_unbound, is_cooling, is_in_doubt, has_no_account, is_broken, is_crowded, is_too_often,
};

void binding_decide(struct arena *a, const struct alerts_file *f, const struct alert *al, const struct binding_choice *choice,
                    const struct binding_state *state, struct binding_decision *out)
{
	const struct alert_binding *rule = choice->rule;
	struct question q = {a, f, al, choice, state};
	*out = (struct binding_decision){.outcome = BINDING_STARTS, .line = choice->line, .book = choice->book, .as = rule->as, .owner = rule->owner};
	out->escalation = rule->escalation;
	out->priority = rule->priority;
	out->resolves_within_us = rule->resolves_within_us;
	out->reason = "it starts";
	bool is_held = false;
	for (size_t i = 0; i < sizeof rails / sizeof *rails && !is_held; i++) is_held = rails[i](&q, out);
	if (out->outcome == BINDING_STARTS || out->outcome == BINDING_PROPOSED) parameter_values(a, rule, al, out);
	out->reason = arena_printf(a, "%s; %s", choice->how, out->reason);
}
