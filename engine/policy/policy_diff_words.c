#include "policy/policy_diff_space.h"
#include "policy/policy_phrase.h"

#include <string.h>

enum { SHOWN_MOST = 6 };

static bool is_whole(const unsigned char *set, size_t from, size_t n)
{
	for (size_t i = from; i < n; i++)
		if (!set[i]) return false;
	return n > from;
}

/* ---- who, books, calls ---- */

/* The group whose members are exactly the set, or NULL. */
static const char *group_words(const struct diff_space *s, const unsigned char *set)
{
	const struct policy *p = s->p[DIFF_AFTER];
	for (size_t g = 0; g < p->group_count; g++) {
		const struct policy_who group = {.kind = WHO_GROUP, .group = g};
		bool is_same = p->groups[g].count > 1;
		for (size_t i = 0; i < s->who.count && is_same; i++) is_same = policy_is_among(p, s->who.id[i], &group, 1) == (set[i] != 0);
		if (is_same) return phrase_who(s->arena, p, &group, 1);
	}
	return NULL;
}

static bool is_every(const struct diff_space *s, const unsigned char *set, const char *prefix)
{
	size_t n = strlen(prefix);
	for (size_t i = 0; i < s->who.count; i++)
		if ((strncmp(s->who.id[i], prefix, n) == 0) != (set[i] != 0)) return false;
	return true;
}

const char *diff_who_words(const struct diff_space *s, const unsigned char *set)
{
	const char **names = arena_alloc(s->arena, (s->who.count + 1) * sizeof *names), *group = group_words(s, set);
	size_t n = 0;
	if (is_whole(set, 0, s->who.count)) return "everyone";
	if (is_every(s, set, "user:")) return "every person";
	if (is_every(s, set, "service:")) return "every service";
	if (group) return group;
	/* "anyone else" stands first: it is what nobody may overlook. */
	for (size_t i = s->who.count; i-- > s->who.count - 2;)
		if (set[i]) names[n++] = s->who.shown[i];
	for (size_t i = 0; i < s->who.count - 2; i++)
		if (set[i]) names[n++] = s->who.shown[i];
	return phrase_list(s->arena, names, n, SHOWN_MOST, "and");
}

/* Is the i-th book the example of a glob, and are all other books that it matches in the set, too? */
static bool is_whole_glob(const struct diff_space *s, const unsigned char *set, size_t i)
{
	for (size_t k = 0; k < s->books.count; k++)
		if (!set[k] && policy_book_matches(s->books.shown[i], s->books.id[k])) return false;
	return true;
}

static bool is_glob(const struct diff_space *s, size_t i)
{
	return strcmp(s->books.id[i], s->books.shown[i]) != 0 && strchr(s->books.shown[i], '*');
}

/* Is a book said already with a glob that is in the set whole? */
static bool is_said(const struct diff_space *s, const unsigned char *set, size_t i)
{
	for (size_t k = 0; k < s->books.count; k++)
		if (k != i && set[k] && is_glob(s, k) && is_whole_glob(s, set, k) && policy_book_matches(s->books.shown[k], s->books.id[i]) &&
		    !(is_glob(s, i) && k > i && policy_book_matches(s->books.shown[i], s->books.id[k])))
			return true;
	return false;
}

const char *diff_books_words(const struct diff_space *s, const unsigned char *set)
{
	const char **names = arena_alloc(s->arena, (s->books.count + 1) * sizeof *names);
	size_t n = 0;
	if (is_whole(set, 0, s->books.count)) return "every book";
	for (size_t i = 0; i < s->books.count; i++) {
		if (!set[i] || is_said(s, set, i)) continue;
		bool is_part = is_glob(s, i) && !is_whole_glob(s, set, i);
		names[n++] = is_part ? arena_printf(s->arena, "other books of %s", s->books.shown[i]) : s->books.shown[i];
	}
	return phrase_list(s->arena, names, n, SHOWN_MOST, "and");
}

const char *diff_calls_words(const struct diff_space *s, const unsigned char *set)
{
	const char **names = arena_alloc(s->arena, (s->calls.count + 1) * sizeof *names);
	size_t n = 0, last = s->calls.count - 1;
	if (set[0]) return NULL;
	if (is_whole(set, 1, s->calls.count)) return "any call";
	if (set[last]) names[n++] = s->calls.shown[last];
	for (size_t i = 1; i < last; i++)
		if (set[i]) names[n++] = s->calls.shown[i];
	const char *all = phrase_list(s->arena, names, n, SHOWN_MOST, "and");
	return set[last] ? all : arena_printf(s->arena, "the call%s %s", n == 1 ? "" : "s", all);
}

/* ---- situations ---- */

enum part { PART_RISK, PART_TRIGGER, PART_TARGET, PART_MOMENT, PART_ELEVATION, PART_N };

static size_t part_count(const struct diff_space *s, enum part d)
{
	switch (d) {
	case PART_RISK:
		return DIFF_RISKS;
	case PART_TRIGGER:
		return s->trigger_count;
	case PART_TARGET:
		return s->target_count;
	case PART_MOMENT:
		return s->moments.count;
	case PART_ELEVATION:
	case PART_N:
		break;
	}
	return s->elevations.count;
}

static size_t part_of(const struct diff_situation *at, enum part d)
{
	switch (d) {
	case PART_RISK:
		return at->risk;
	case PART_TRIGGER:
		return at->trigger;
	case PART_TARGET:
		return at->target;
	case PART_MOMENT:
		return at->moment;
	case PART_ELEVATION:
	case PART_N:
		break;
	}
	return at->elevation;
}

/* By how much the number of a situation grows with the value of a part. */
static size_t stride(const struct diff_space *s, enum part d)
{
	size_t n = 1;
	for (int k = 0; k < (int)d; k++) n *= part_count(s, (enum part)k);
	return n;
}

struct phrasing {
	const struct diff_space *s;
	const unsigned char *set;
	size_t n;
	bool is_run, has_call;
};

static bool is_asked(const struct phrasing *x, const struct diff_situation *at)
{
	return diff_is_asked(at, x->is_run, x->has_call);
}

/* Are the situations of two values of a part the same ones in the set? Those that are not asked about, or may be either, are the same as any. */
static bool are_alike(const struct phrasing *x, enum part d, size_t v, size_t w)
{
	size_t up = stride(x->s, d) * (w - v); /* w > v */
	for (size_t i = 0; i < x->n; i++) {
		struct diff_situation at = diff_situation_at(x->s, i), other;
		if (part_of(&at, d) != v || !is_asked(x, &at)) continue;
		other = diff_situation_at(x->s, i + up);
		bool is_open = x->set[i] == DIFF_EITHER || x->set[i + up] == DIFF_EITHER;
		if (is_asked(x, &other) && !is_open && x->set[i] != x->set[i + up]) return false;
	}
	return true;
}

static const char *value_words(const struct diff_space *s, enum part d, size_t v)
{
	struct arena *a = s->arena;
	switch (d) {
	case PART_RISK:
		return v ? phrase_risk((enum policy_risk)v) : "the start";
	case PART_TRIGGER:
		return phrase_trigger(s->triggers[v]);
	case PART_TARGET:
		if (s->targets[v] == POLICY_TARGETS_UNKNOWN) return "an unknown number of targets";
		return s->targets[v] < 0 ? "steps that do not say how many" : arena_printf(a, "%lld targets", (long long)s->targets[v]);
	case PART_MOMENT:
		return v == 0 ? "now" : arena_printf(a, "in the window %s (%s)", s->moments.window[v], phrase_time(a, s->moments.at[v]));
	case PART_ELEVATION:
		return v == 0 ? "with no elevation" : arena_printf(a, "with %s taken", s->elevations.shown[v]);
	case PART_N:
		break;
	}
	return "";
}

/* Both ends of all spans of a window are the window. */
static const char *moments_words(const struct diff_space *s, const bool *in)
{
	const char **names = arena_alloc(s->arena, (s->moments.count + 1) * sizeof *names);
	size_t n = 0;
	for (size_t v = 0; v < s->moments.count; v++) {
		bool is_window = v > 0, is_first = true;
		for (size_t k = 1; k < s->moments.count && v > 0; k++) {
			if (strcmp(s->moments.window[k], s->moments.window[v]) != 0) continue;
			is_window = is_window && in[k];
			is_first = is_first && k >= v;
		}
		if (!in[v] || (is_window && !is_first)) continue;
		names[n++] = is_window ? arena_printf(s->arena, "in the window %s", s->moments.window[v]) : value_words(s, PART_MOMENT, v);
	}
	return phrase_list(s->arena, names, n, n, "and");
}

static const char *part_words(const struct diff_space *s, enum part d, const bool *in)
{
	const char **names = arena_alloc(s->arena, (part_count(s, d) + 1) * sizeof *names);
	size_t n = 0;
	if (d == PART_MOMENT) return moments_words(s, in);
	for (size_t v = 0; v < part_count(s, d); v++)
		if (in[v]) names[n++] = value_words(s, d, v);
	const char *all = phrase_list(s->arena, names, n, n, "and");
	return d == PART_ELEVATION ? all : arena_printf(s->arena, "for %s", all);
}

/* Which values of a part does the set hold? */
static void project(const struct phrasing *x, enum part d, bool *in)
{
	for (size_t v = 0; v < part_count(x->s, d); v++) in[v] = false;
	for (size_t i = 0; i < x->n; i++) {
		struct diff_situation at = diff_situation_at(x->s, i);
		if (x->set[i] == DIFF_IN && is_asked(x, &at)) in[part_of(&at, d)] = true;
	}
}

/* Leaves of the set those that are like its first: so that what remains is every combination of the values of each part. */
static void narrow(struct phrasing *x, unsigned char *piece, bool *in)
{
	x->set = piece;
	for (int d = PART_N - 1; d >= 0; d--) {
		size_t first = SIZE_MAX;
		project(x, (enum part)d, in);
		for (size_t v = 0; v < part_count(x->s, (enum part)d); v++) {
			if (!in[v]) continue;
			if (first == SIZE_MAX) first = v;
			if (first == v || are_alike(x, (enum part)d, first, v)) continue;
			for (size_t i = 0; i < x->n; i++) {
				struct diff_situation at = diff_situation_at(x->s, i);
				if (part_of(&at, (enum part)d) == v) piece[i] = 0;
			}
		}
	}
}

/* Would what is said of the set take in a situation that is not in it? So it can be where many may be either. */
static bool says_too_much(const struct phrasing *x, bool *in[PART_N])
{
	for (size_t i = 0; i < x->n; i++) {
		struct diff_situation at = diff_situation_at(x->s, i);
		bool is_said = is_asked(x, &at) && x->set[i] == DIFF_OUT;
		for (int d = 0; d < PART_N && is_said; d++) is_said = !in[d] || in[d][part_of(&at, (enum part)d)];
		if (is_said) return true;
	}
	return false;
}

/* One phrase for what remains of the set when it is narrowed; NULL where it would say too much. A part is only said where it matters. */
static const char *piece_words(struct phrasing *x, unsigned char *piece)
{
	static const enum part least_telling[PART_N] = {PART_TARGET, PART_MOMENT, PART_ELEVATION, PART_TRIGGER, PART_RISK};
	bool *in[PART_N];
	const char *parts[PART_N];
	size_t n = 0;
	narrow(x, piece, arena_alloc(x->s->arena, x->n + 1));
	for (int d = 0; d < PART_N; d++) {
		in[d] = arena_alloc(x->s->arena, part_count(x->s, (enum part)d));
		project(x, (enum part)d, in[d]);
	}
	if (says_too_much(x, in)) return NULL;
	for (int k = 0; k < PART_N; k++) {
		bool *kept = in[least_telling[k]];
		/* What needs an elevation says so, even where all else is denied anyway. */
		bool is_needed = least_telling[k] == PART_ELEVATION && !kept[0];
		in[least_telling[k]] = NULL;
		if (is_needed || says_too_much(x, in)) in[least_telling[k]] = kept;
	}
	for (int d = 0; d < PART_N; d++)
		if (in[d]) parts[n++] = part_words(x->s, (enum part)d, in[d]);
	return phrase_list(x->s->arena, parts, n, PART_N, NULL);
}

bool diff_take_phrase(const struct diff_space *s, unsigned char *set, bool is_run, bool has_call, const char **phrase)
{
	struct phrasing x = {.s = s, .set = set, .n = diff_situation_count(s), .is_run = is_run, .has_call = has_call};
	unsigned char *piece = arena_alloc(s->arena, x.n + 1);
	if (!memchr(set, DIFF_IN, x.n)) return false;
	memcpy(piece, set, x.n);
	*phrase = piece_words(&x, piece);
	if (!*phrase) {
		/* To the letter: what may be either is out. */
		for (size_t i = 0; i < x.n; i++) piece[i] = set[i] == DIFF_IN ? DIFF_IN : DIFF_OUT;
		*phrase = piece_words(&x, piece);
		must(*phrase);
	}
	for (size_t i = 0; i < x.n; i++)
		if (set[i] == DIFF_IN && piece[i] == DIFF_IN) set[i] = DIFF_EITHER;
	return true;
}
