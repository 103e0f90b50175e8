#include "policy/policy_diff.h"
#include "policy/policy_diff_space.h"
#include "policy/policy_phrase.h"

#include <stdlib.h>
#include <string.h>

/* Two people of whom all rules of both policies say the same are one to ask about; so are books, calls and situations. What is asked about is each
 * combination of such classes that a rule speaks of which is not the same on both sides. */

enum { SITUATIONS_MOST = 1 << 14, CELLS_MOST = 100000 };

/* Rows of bytes (what each rule says of one thing), and for each thing the class of things with the same row. */
struct classes {
	size_t *of;    /* of each thing */
	size_t *first; /* of each class: a thing of it */
	unsigned char **row;
	size_t count;
};

struct transition {
	enum policy_outcome from, to;
	const char *before, *after, *because;
	const char *key; /* of the approvals on both sides */
};

/* One change, for sets of classes. */
struct cell {
	enum policy_verb verb;
	size_t transition;
	unsigned char *who, *books, *calls;
	unsigned char *situations; /* DIFF_IN and so on */
	size_t when;               /* index of the phrase, once it is said */
};

struct differ {
	struct diff_space s;
	struct arena *arena;
	struct error *e;
	size_t rule_count, situation_count;
	const struct policy_rule **rules; /* of both: first those before */
	bool *is_changed;                 /* of each rule */
	size_t *twin;                     /* of a deny before, the deny after with the same id and conditions; SIZE_MAX: none */
	struct classes who, books, calls;
	struct transition *transitions;
	size_t transition_count, transition_capacity;
	struct cell *cells;
	size_t cell_count, cell_capacity, asked;
	const char **phrases;
	size_t phrase_count, phrase_capacity;
};

static const struct policy *policy_of(const struct differ *x, size_t rule)
{
	return x->s.p[rule < x->s.p[DIFF_BEFORE]->rule_count ? DIFF_BEFORE : DIFF_AFTER];
}

/* ---- classes ---- */

static struct classes classify(const struct differ *x, unsigned char **rows, size_t n, size_t row_bytes)
{
	struct classes c = {.of = arena_alloc(x->arena, (n + 1) * sizeof *c.of),
	                    .first = arena_alloc(x->arena, (n + 1) * sizeof *c.first),
	                    .row = arena_alloc(x->arena, (n + 1) * sizeof *c.row)};
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;
		while (k < c.count && memcmp(c.row[k], rows[i], row_bytes) != 0) k++;
		if (k == c.count) c.first[k] = i, c.row[c.count++] = rows[i];
		c.of[i] = k;
	}
	return c;
}

static unsigned char **make_rows(const struct differ *x, size_t n, size_t row_bytes)
{
	unsigned char **rows = arena_alloc(x->arena, (n + 1) * sizeof *rows);
	for (size_t i = 0; i < n; i++) rows[i] = arena_alloc(x->arena, row_bytes + 1);
	return rows;
}

static bool may_take(const struct differ *x, int side, size_t elevation, const char *who)
{
	const struct policy_elevation *v = policy_elevation_find(x->s.p[side], x->s.elevations.id[elevation]);
	return v && policy_is_among(x->s.p[side], who, v->who, v->who_count);
}

/* What the rules say of each principal, which elevations they may take, and what they are: a service's usual trigger is another. */
static void classify_who(struct differ *x)
{
	size_t n = x->s.who.count, elevations = x->s.elevations.count, bytes = x->rule_count + DIFF_N * elevations + 1;
	unsigned char **rows = make_rows(x, n, bytes);
	for (size_t i = 0; i < n; i++) {
		const char *who = x->s.who.id[i];
		for (size_t r = 0; r < x->rule_count; r++)
			rows[i][r] = !x->rules[r]->who_count || policy_is_among(policy_of(x, r), who, x->rules[r]->who, x->rules[r]->who_count);
		for (size_t v = 0; v < elevations; v++)
			for (int side = 0; side < DIFF_N; side++) rows[i][x->rule_count + v * DIFF_N + (size_t)side] = may_take(x, side, v, who);
		rows[i][bytes - 1] = strncmp(who, "service:", 8) == 0;
	}
	x->who = classify(x, rows, n, bytes);
}

static void classify_books(struct differ *x)
{
	unsigned char **rows = make_rows(x, x->s.books.count, x->rule_count);
	for (size_t i = 0; i < x->s.books.count; i++)
		for (size_t r = 0; r < x->rule_count; r++) {
			const struct policy_rule *rule = x->rules[r];
			rows[i][r] = rule->book_count == 0;
			for (size_t k = 0; k < rule->book_count && !rows[i][r]; k++) rows[i][r] = policy_book_matches(rule->books[k], x->s.books.id[i]);
		}
	x->books = classify(x, rows, x->s.books.count, x->rule_count);
}

static bool rule_speaks_of_call(const struct differ *x, const struct policy_rule *r, const struct policy_call *c)
{
	if (!c->kind) return r->effect != POLICY_DENY || !r->call_count;
	for (size_t i = 0; i < r->call_count; i++)
		if (capability_allows(r->calls[i], c->kind, c->words, c->word_count, x->s.params)) return true;
	return r->effect != POLICY_ALLOW && !r->call_count;
}

static void classify_calls(struct differ *x)
{
	size_t bytes = x->rule_count + 1;
	unsigned char **rows = make_rows(x, x->s.calls.count, bytes);
	for (size_t i = 0; i < x->s.calls.count; i++) {
		for (size_t r = 0; r < x->rule_count; r++) rows[i][r] = rule_speaks_of_call(x, x->rules[r], &x->s.calls.call[i]);
		rows[i][x->rule_count] = i == 0;
	}
	x->calls = classify(x, rows, x->s.calls.count, bytes);
}

/* What each rule's conditions are for one principal: 0 do not hold, 1 may, 2 hold. */
static struct classes classify_situations(const struct differ *x, size_t who)
{
	unsigned char **rows = make_rows(x, x->situation_count, x->rule_count + 2);
	for (size_t i = 0; i < x->situation_count; i++) {
		struct diff_situation at = diff_situation_at(&x->s, i);
		const char *elevated[DIFF_N];
		struct policy_request q[DIFF_N];
		for (int side = 0; side < DIFF_N; side++) q[side] = diff_request(&x->s, side, who, VERB_RUN, 0, 0, &at, &elevated[side]);
		for (size_t r = 0; r < x->rule_count; r++) {
			const struct policy_request *mine = &q[r < x->s.p[DIFF_BEFORE]->rule_count ? DIFF_BEFORE : DIFF_AFTER];
			const struct policy_rule *rule = x->rules[r];
			int when = rule->when.is_given ? (int)policy_condition_holds(&rule->when, mine) : POLICY_YES;
			int unless = rule->unless.is_given ? POLICY_YES - (int)policy_condition_holds(&rule->unless, mine) : POLICY_YES;
			rows[i][r] = (unsigned char)(when < unless ? when : unless);
		}
		/* Of which verbs and calls it can be asked. */
		rows[i][x->rule_count] = at.risk == RISK_OF_NO_STEP;
		rows[i][x->rule_count + 1] = diff_is_asked(&at, true, false);
	}
	return classify(x, rows, x->situation_count, x->rule_count + 2);
}

/* ---- rules that are the same on both sides ---- */

/* Who may approve, by name: a group with another member is another one. */
static const char *approvals_key(const struct differ *x, const struct policy *p, const struct policy_rule *r)
{
	struct buf b;
	buf_init(&b, 1 << 20);
	buf_printf(&b, "%lld %lld", (long long)r->approvals, (long long)r->within_us);
	for (size_t i = 0; i < x->s.who.count; i++) buf_char(&b, policy_is_among(p, x->s.who.id[i], r->from, r->from_count) ? '1' : '0');
	const char *key = arena_strndup(x->arena, b.data, b.len);
	buf_clear(&b);
	return key;
}

static bool is_same_column(const struct classes *c, size_t i, size_t k)
{
	for (size_t n = 0; n < c->count; n++)
		if (c->row[n][i] != c->row[n][k]) return false;
	return true;
}

/* Do two rules, one of each side, say the same about everything that is asked? */
static bool is_same_rule(const struct differ *x, size_t i, size_t k, const struct classes *situations)
{
	const struct policy_rule *r = x->rules[i], *o = x->rules[k];
	if (r->effect != o->effect || r->verbs != o->verbs || !is_same_column(&x->who, i, k) || !is_same_column(&x->books, i, k)) return false;
	if (!is_same_column(&x->calls, i, k)) return false;
	/* Who may take an elevation can differ from person to person. */
	for (size_t w = 0; w < x->who.count; w++)
		if (!is_same_column(&situations[w], i, k)) return false;
	return r->effect != POLICY_REQUIRE || strcmp(approvals_key(x, policy_of(x, i), r), approvals_key(x, policy_of(x, k), o)) == 0;
}

static bool is_same_window(const struct policy_window *w, const struct policy_window *o)
{
	return w->count == o->count && memcmp(w->spans, o->spans, w->count * sizeof *w->spans) == 0;
}

/* Do two conditions say the same, word by word? */
static bool is_same_condition(const struct policy_condition *c, const struct policy_condition *o)
{
	if (c->is_given != o->is_given || c->risks != o->risks || c->triggers != o->triggers || c->targets_above != o->targets_above) return false;
	if (c->window_count != o->window_count || c->elevation_count != o->elevation_count) return false;
	for (size_t i = 0; i < c->window_count; i++)
		if (!is_same_window(c->windows[i], o->windows[i])) return false;
	for (size_t i = 0; i < c->elevation_count; i++)
		if (strcmp(c->elevations[i], o->elevations[i]) != 0) return false;
	return true;
}

static void find_twins(struct differ *x)
{
	size_t before = x->s.p[DIFF_BEFORE]->rule_count;
	for (size_t i = 0; i < before; i++) {
		x->twin[i] = SIZE_MAX;
		for (size_t k = before; k < x->rule_count && x->rules[i]->effect == POLICY_DENY; k++)
			if (x->rules[k]->effect == POLICY_DENY && strcmp(x->rules[i]->id, x->rules[k]->id) == 0 &&
			    is_same_condition(&x->rules[i]->when, &x->rules[k]->when) && is_same_condition(&x->rules[i]->unless, &x->rules[k]->unless))
				x->twin[i] = k;
	}
}

static void find_changed(struct differ *x, const struct classes *situations)
{
	size_t before = x->s.p[DIFF_BEFORE]->rule_count;
	for (size_t i = 0; i < x->rule_count; i++) x->is_changed[i] = true;
	for (size_t i = 0; i < before; i++)
		for (size_t k = before; k < x->rule_count && x->is_changed[i]; k++)
			if (x->is_changed[k] && is_same_rule(x, i, k, situations)) x->is_changed[i] = x->is_changed[k] = false;
}

/* ---- asking ---- */

static const char *outcome_words(const struct differ *x, int side, const struct policy_decision *d)
{
	static const char *const words[] = {"allowed", "denied", ""};
	if (d->outcome != POLICY_MUST_WAIT) return words[d->outcome];
	const char **all = arena_alloc(x->arena, d->require_count * sizeof *all);
	for (size_t i = 0; i < d->require_count; i++) all[i] = phrase_approvals(x->arena, x->s.p[side], d->requires[i]);
	return arena_printf(x->arena, "after %s", phrase_list(x->arena, all, d->require_count, 8, "and"));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What a decision is, so that two that are the same compare equal, whatever their rules are called. */
static const char *outcome_key(const struct differ *x, int side, const struct policy_decision *d)
{
	if (d->outcome != POLICY_MUST_WAIT) return policy_outcome_word(d->outcome);
	const char **all = arena_alloc(x->arena, d->require_count * sizeof *all);
	for (size_t i = 0; i < d->require_count; i++) all[i] = approvals_key(x, x->s.p[side], d->requires[i]);
	qsort(all, d->require_count, sizeof *all, by_text);
	return phrase_list(x->arena, all, d->require_count, d->require_count, NULL);
}

static const char *because(const struct differ *x, const struct policy_decision d[DIFF_N])
{
	if (d[DIFF_AFTER].rule) return phrase_rule(x->arena, x->s.p[DIFF_AFTER], d[DIFF_AFTER].rule);
	return arena_printf(x->arena, "no rule allows it, as %s did", phrase_rule(x->arena, x->s.p[DIFF_BEFORE], d[DIFF_BEFORE].rule));
}

static size_t transition_of(struct differ *x, const struct policy_decision d[DIFF_N], const char *const key[DIFF_N])
{
	const char *both = arena_printf(x->arena, "%s>%s>%s", key[DIFF_BEFORE], key[DIFF_AFTER], because(x, d));
	for (size_t i = 0; i < x->transition_count; i++)
		if (strcmp(x->transitions[i].key, both) == 0) return i;
	x->transitions = arena_grow(x->arena, x->transitions, x->transition_count, &x->transition_capacity, sizeof *x->transitions);
	x->transitions[x->transition_count] = (struct transition){.from = d[DIFF_BEFORE].outcome,
	                                                          .to = d[DIFF_AFTER].outcome,
	                                                          .before = outcome_words(x, DIFF_BEFORE, &d[DIFF_BEFORE]),
	                                                          .after = outcome_words(x, DIFF_AFTER, &d[DIFF_AFTER]),
	                                                          .because = because(x, d),
	                                                          .key = both};
	return x->transition_count++;
}

/* The cell of a change at one place, made when it is first needed: cells from `from` on are of that place. */
static struct cell *cell_of(struct differ *x, size_t from, enum policy_verb verb, size_t w, size_t b, size_t c, size_t transition)
{
	for (size_t i = from; i < x->cell_count; i++)
		if (x->cells[i].transition == transition) return &x->cells[i];
	x->cells = arena_grow(x->arena, x->cells, x->cell_count, &x->cell_capacity, sizeof *x->cells);
	struct cell *cell = &x->cells[x->cell_count++];
	*cell = (struct cell){.verb = verb,
	                      .transition = transition,
	                      .who = arena_alloc(x->arena, x->who.count),
	                      .books = arena_alloc(x->arena, x->books.count),
	                      .calls = arena_alloc(x->arena, x->calls.count),
	                      .situations = arena_alloc(x->arena, x->situation_count)};
	cell->who[w] = cell->books[b] = cell->calls[c] = 1;
	return cell;
}

/* Does a rule that is not the same on both sides speak of this in some situation? */
static bool is_touched(const struct differ *x, enum policy_verb verb, size_t w, size_t b, size_t c)
{
	for (size_t r = 0; r < x->rule_count; r++)
		if (x->is_changed[r] && (x->rules[r]->verbs & 1U << verb) && x->who.row[w][r] && x->books.row[b][r] && x->calls.row[c][r]) return true;
	return false;
}

/* Does the rule speak of it? situation: a row of classify_situations. */
static bool speaks(const struct differ *x, size_t r, enum policy_verb verb, size_t w, size_t b, size_t c, const unsigned char *situation)
{
	return (x->rules[r]->verbs & 1U << verb) && x->who.row[w][r] && x->books.row[b][r] && x->calls.row[c][r] && situation[r];
}

/* Does a deny that stands on both sides rule it out on both? Then it needs not to be told apart: what is newly allowed, is where that does not deny it. */
static bool is_denied_anyway(const struct differ *x, enum policy_verb verb, size_t w, size_t b, size_t c, const unsigned char *situation)
{
	for (size_t r = 0; r < x->s.p[DIFF_BEFORE]->rule_count; r++)
		if (x->twin[r] != SIZE_MAX && speaks(x, r, verb, w, b, c, situation) && speaks(x, x->twin[r], verb, w, b, c, situation)) return true;
	return false;
}

/* Puts a class of situations to both; gives the transition, or SIZE_MAX where nothing changes. */
static size_t ask_one(struct differ *x, enum policy_verb verb, size_t w, size_t b, size_t c, const struct diff_situation *at, struct arena *scratch)
{
	struct policy_decision d[DIFF_N];
	const char *key[DIFF_N];
	for (int side = 0; side < DIFF_N; side++) {
		const char *elevated;
		struct policy_request q = diff_request(&x->s, side, x->who.first[w], verb, x->books.first[b], x->calls.first[c], at, &elevated);
		d[side] = policy_decide(x->s.p[side], &q, scratch);
		key[side] = outcome_key(x, side, &d[side]);
	}
	x->asked++;
	return strcmp(key[DIFF_BEFORE], key[DIFF_AFTER]) == 0 ? SIZE_MAX : transition_of(x, d, key);
}

static void mark(const struct differ *x, struct cell *cell, const struct classes *situations, size_t s, unsigned char as)
{
	for (size_t i = 0; i < x->situation_count; i++)
		if (situations->of[i] == s) cell->situations[i] = as;
}

/* Asks about one place in all situations; cells are made where something changes. */
static void ask(struct differ *x, enum policy_verb verb, size_t w, size_t b, size_t c, const struct classes *situations)
{
	size_t from = x->cell_count;
	struct arena *scratch = arena_new();
	for (size_t s = 0; s < situations->count; s++) {
		struct diff_situation at = diff_situation_at(&x->s, situations->first[s]);
		if (!diff_is_asked(&at, verb == VERB_RUN, c != x->calls.of[0])) continue;
		size_t transition = ask_one(x, verb, w, b, c, &at, scratch);
		if (transition != SIZE_MAX) mark(x, cell_of(x, from, verb, w, b, c, transition), situations, s, DIFF_IN);
	}
	for (size_t s = 0; s < situations->count && from < x->cell_count; s++)
		for (size_t i = from; i < x->cell_count && is_denied_anyway(x, verb, w, b, c, situations->row[s]); i++)
			mark(x, &x->cells[i], situations, s, DIFF_EITHER);
	arena_free(scratch);
}

static enum err ask_all(struct differ *x, const struct classes *situations)
{
	for (size_t w = 0; w < x->who.count; w++)
		for (int verb = 0; verb < VERB_N; verb++)
			for (size_t b = 0; b < x->books.count; b++)
				for (size_t c = 0; c < x->calls.count; c++) {
					bool has_call = c != x->calls.of[0];
					if ((has_call && verb != VERB_RUN) || !is_touched(x, (enum policy_verb)verb, w, b, c)) continue;
					ask(x, (enum policy_verb)verb, w, b, c, &situations[w]);
					if (x->cell_count > CELLS_MOST)
						return error_set(x->e, ERR_TOO_BIG, "the policies differ in more than %d places: compare smaller steps",
						                 CELLS_MOST);
				}
	return ERR_OK;
}

/* ---- in which situations ---- */

static size_t phrase_index(struct differ *x, const char *text)
{
	for (size_t i = 0; i < x->phrase_count; i++)
		if (strcmp(x->phrases[i], text) == 0) return i;
	x->phrases = arena_grow(x->arena, x->phrases, x->phrase_count, &x->phrase_capacity, sizeof *x->phrases);
	x->phrases[x->phrase_count] = text;
	return x->phrase_count++;
}

static unsigned char *copy_set(const struct differ *x, const unsigned char *set, size_t n)
{
	unsigned char *out = arena_alloc(x->arena, n + 1);
	memcpy(out, set, n);
	return out;
}

/* A cell for each phrase that is needed to say when. */
static void say_when(struct differ *x)
{
	size_t count = x->cell_count;
	for (size_t i = 0; i < count; i++) {
		struct cell cell = x->cells[i];
		const char *when;
		bool is_first = true;
		while (diff_take_phrase(&x->s, cell.situations, cell.verb == VERB_RUN, !cell.calls[x->calls.of[0]], &when)) {
			cell.when = phrase_index(x, when);
			if (is_first) {
				x->cells[i].when = cell.when;
				is_first = false;
				continue;
			}
			x->cells = arena_grow(x->arena, x->cells, x->cell_count, &x->cell_capacity, sizeof *x->cells);
			struct cell *more = &x->cells[x->cell_count++];
			*more = cell;
			more->who = copy_set(x, cell.who, x->who.count);
			more->books = copy_set(x, cell.books, x->books.count);
			more->calls = copy_set(x, cell.calls, x->calls.count);
		}
	}
}

/* ---- the same change for several ---- */

enum set { SET_WHO, SET_BOOKS, SET_CALLS, SET_N };

struct merging {
	const struct differ *x;
	enum set set; /* that is left out of the comparison */
};

static unsigned char *set_of(const struct cell *c, int set)
{
	unsigned char *const sets[SET_N] = {c->who, c->books, c->calls};
	return sets[set];
}

static size_t set_bytes(const struct differ *x, int set)
{
	const size_t counts[SET_N] = {x->who.count, x->books.count, x->calls.count};
	return counts[set];
}

static int compare_cells(const void *a, const void *b, void *arg)
{
	const struct cell *c = a, *o = b;
	const struct merging *m = arg;
	if (c->verb != o->verb) return c->verb < o->verb ? -1 : 1;
	if (c->transition != o->transition) return c->transition < o->transition ? -1 : 1;
	if (c->when != o->when) return c->when < o->when ? -1 : 1;
	/* A start is never one of several calls. */
	size_t no_call = m->x->calls.of[0];
	int order = c->calls[no_call] - o->calls[no_call];
	for (int set = 0; set < SET_N && !order; set++)
		if (set != (int)m->set) order = memcmp(set_of(c, set), set_of(o, set), set_bytes(m->x, set));
	return order;
}

static void merge(struct differ *x, enum set set)
{
	struct merging m = {.x = x, .set = set};
	size_t kept = 0;
	if (x->cell_count < 2) return;
	qsort_r(x->cells, x->cell_count, sizeof *x->cells, compare_cells, &m);
	for (size_t i = 1; i < x->cell_count; i++) {
		struct cell *last = &x->cells[kept];
		if (compare_cells(last, &x->cells[i], &m) != 0) {
			x->cells[++kept] = x->cells[i];
			continue;
		}
		for (size_t k = 0; k < set_bytes(x, (int)set); k++) set_of(last, (int)set)[k] |= set_of(&x->cells[i], (int)set)[k];
	}
	x->cell_count = kept + 1;
}

/* ---- words ---- */

/* A set of classes as the set of what is in them. */
static unsigned char *members(const struct differ *x, const struct classes *c, const unsigned char *set, size_t n)
{
	unsigned char *out = arena_alloc(x->arena, n + 1);
	for (size_t i = 0; i < n; i++) out[i] = set[c->of[i]];
	return out;
}

static enum policy_change_kind kind_of(const struct transition *t)
{
	static const int freedom[] = {[POLICY_IS_DENIED] = 0, [POLICY_MUST_WAIT] = 1, [POLICY_IS_ALLOWED] = 2};
	if (t->from == t->to) return POLICY_CHANGED;
	return freedom[t->to] > freedom[t->from] ? POLICY_WIDENED : POLICY_NARROWED;
}

static int compare_changes(const void *a, const void *b)
{
	const struct policy_change *c = a, *o = b;
	if (c->kind != o->kind) return c->kind < o->kind ? -1 : 1;
	if (c->verb != o->verb) return c->verb < o->verb ? -1 : 1;
	if (c->to != o->to) return c->to < o->to ? -1 : 1; /* what is allowed before what waits */
	if (!c->calls != !o->calls) return c->calls ? 1 : -1;
	int order = strcmp(c->who, o->who);
	if (!order) order = strcmp(c->books, o->books);
	if (!order && c->calls) order = strcmp(c->calls, o->calls);
	return order ? order : strcmp(c->when, o->when);
}

static void say_all(struct differ *x, struct policy_changes *out)
{
	out->items = arena_alloc(x->arena, (x->cell_count + 1) * sizeof *out->items);
	for (size_t i = 0; i < x->cell_count; i++) {
		const struct cell *cell = &x->cells[i];
		const struct transition *t = &x->transitions[cell->transition];
		out->items[out->count++] = (struct policy_change){.kind = kind_of(t),
		                                                  .verb = cell->verb,
		                                                  .from = t->from,
		                                                  .to = t->to,
		                                                  .who = diff_who_words(&x->s, members(x, &x->who, cell->who, x->s.who.count)),
		                                                  .books = diff_books_words(&x->s, members(x, &x->books, cell->books, x->s.books.count)),
		                                                  .calls = diff_calls_words(&x->s, members(x, &x->calls, cell->calls, x->s.calls.count)),
		                                                  .when = x->phrases[cell->when],
		                                                  .before = t->before,
		                                                  .after = t->after,
		                                                  .because = t->because};
	}
	if (out->count) qsort(out->items, out->count, sizeof *out->items, compare_changes);
	out->asked = x->asked;
}

const char *policy_change_text(struct arena *a, const struct policy_change *c)
{
	const char *deed = c->calls ? arena_printf(a, "make %s in %s", c->calls, c->books) : arena_printf(a, "%s %s", phrase_verb(c->verb), c->books);
	const char *when = *c->when ? arena_printf(a, ", %s", c->when) : "", *how = "";
	const char *may = c->to == POLICY_IS_DENIED ? "may no longer" : c->kind == POLICY_WIDENED ? "may now" : "may";
	if (c->to == POLICY_MUST_WAIT) how = arena_printf(a, ", %s%s", c->kind == POLICY_NARROWED ? "only " : "", c->after);
	if (c->to == POLICY_IS_ALLOWED && c->from == POLICY_MUST_WAIT) how = ", without approval";
	return arena_printf(a, "%s %s %s%s%s (was %s): %s", c->who, may, deed, when, how, c->before, c->because);
}

/* ---- the whole ---- */

static enum err compare(struct differ *x, struct policy_changes *out)
{
	x->situation_count = diff_situation_count(&x->s);
	if (x->situation_count > SITUATIONS_MOST)
		return error_set(x->e, ERR_TOO_BIG,
		                 "the policies have too many windows, elevations and bounds on targets to be compared: %zu situations, at most %d",
		                 x->situation_count, SITUATIONS_MOST);
	classify_who(x);
	classify_books(x);
	classify_calls(x);
	struct classes *situations = arena_alloc(x->arena, (x->who.count + 1) * sizeof *situations);
	/* They are the same for all that may take the same elevations. */
	size_t tail = DIFF_N * x->s.elevations.count + 1;
	for (size_t w = 0; w < x->who.count; w++) {
		size_t k = 0;
		while (k < w && memcmp(x->who.row[k] + x->rule_count, x->who.row[w] + x->rule_count, tail) != 0) k++;
		situations[w] = k < w ? situations[k] : classify_situations(x, x->who.first[w]);
	}
	find_changed(x, situations);
	find_twins(x);
	enum err err = ask_all(x, situations);
	if (!err) say_when(x);
	for (int set = 0; set < SET_N && !err; set++) merge(x, (enum set)set);
	if (!err) say_all(x, out);
	return err;
}

enum err policy_diff(struct arena *a, const struct policy *before, const struct policy *after, const struct policy_book *books, size_t book_count,
                     int64_t now_us, struct policy_changes *out, struct error *e)
{
	struct differ x = {.s = {.arena = a, .p = {before, after}}, .arena = a, .e = e, .rule_count = before->rule_count + after->rule_count};
	*out = (struct policy_changes){0};
	x.rules = arena_alloc(a, (x.rule_count + 1) * sizeof *x.rules);
	x.is_changed = arena_alloc(a, (x.rule_count + 1) * sizeof *x.is_changed);
	x.twin = arena_alloc(a, (x.rule_count + 1) * sizeof *x.twin);
	for (size_t i = 0; i < before->rule_count; i++) x.rules[i] = &before->rules[i];
	for (size_t i = 0; i < after->rule_count; i++) x.rules[before->rule_count + i] = &after->rules[i];
	diff_space_fill(&x.s, books, book_count, now_us);
	enum err err = compare(&x, out);
	json_decref(x.s.params);
	return err;
}
