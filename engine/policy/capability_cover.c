#include "policy/capability_parts.h"

#include <stdlib.h>
#include <string.h>

/* Does a set of patterns cover another? The inner pattern is taken apart into its alternatives, and each of them, with its stars and parameters left as
 * symbols, must be matched by one of the set for every text that they can stand for. Where that cannot be seen the answer is no. */

enum { COMBINATIONS_MAX = 1024, SYMBOLS_MAX = CAPABILITY_BYTES_MAX + 2 };

enum symbol_kind { SYMBOL_BYTE, SYMBOL_STAR, SYMBOL_PARAM };

struct symbol {
	enum symbol_kind kind;
	char byte;
	const char *param;
};

/* One glob of the inner pattern with one alternative taken everywhere. */
struct sequence {
	enum part part;
	bool is_rest, is_only_star, is_only_param;
	size_t count;
	struct symbol *symbols;
};

/* Which alternative each pair of braces takes, counted in the order of the pattern. */
struct combination {
	size_t *choice, *limit, count;
};

static void add_bytes(struct sequence *q, const char *s)
{
	for (; *s; s++) q->symbols[q->count++] = (struct symbol){.kind = SYMBOL_BYTE, .byte = *s};
}

/* at: the number of the glob's first pair of braces; moved on. */
static void sequence_make(struct sequence *q, const struct glob *g, enum part part, const struct combination *c, size_t *at)
{
	q->part = part;
	q->count = 0;
	q->is_rest = g->is_rest;
	q->is_only_star = glob_is_only(g, PIECE_STAR);
	q->is_only_param = glob_is_only(g, PIECE_PARAM);
	for (size_t i = 0; i < g->count; i++) {
		const struct piece *p = &g->pieces[i];
		if (p->kind == PIECE_TEXT) add_bytes(q, p->text);
		if (p->kind == PIECE_CHOICE) add_bytes(q, p->choices[c->choice[(*at)++]]);
		if (p->kind == PIECE_STAR) q->symbols[q->count++] = (struct symbol){.kind = SYMBOL_STAR};
		if (p->kind == PIECE_PARAM) q->symbols[q->count++] = (struct symbol){.kind = SYMBOL_PARAM, .param = p->text};
	}
}

static bool is_byte(const struct sequence *q, size_t i, const char *set)
{
	return i < q->count && q->symbols[i].kind == SYMBOL_BYTE && strchr(set, q->symbols[i].byte);
}

/* Could a value begin at this byte, whatever stands for the symbols before it? */
static bool value_may_begin(const struct sequence *q, size_t i)
{
	if (i == 0 || q->symbols[i - 1].kind != SYMBOL_BYTE) return true;
	if (is_byte(q, i - 1, "=") || (*part_stops(q->part) && is_byte(q, i - 1, part_stops(q->part)))) return true;
	if (q->part < PARTS || !is_byte(q, 0, "-")) return false;
	for (size_t k = 0; k < i; k++)
		if (is_byte(q, k, "=")) return false;
	return true;
}

/* Could this byte be one that must be written out (capability_match.c, mark)? */
static bool is_written(const struct sequence *q, size_t i)
{
	if (q->part == PART_COMMAND || q->part == PART_ARGUMENT) return is_byte(q, i, ".") && ((i && is_byte(q, i - 1, ".")) || is_byte(q, i + 1, "."));
	if (q->part != PART_HOST) return false;
	size_t from = i;
	while (from && !is_byte(q, from - 1, ".")) from--;
	if (is_byte(q, from, "x") && is_byte(q, from + 1, "n") && is_byte(q, from + 2, "-") && is_byte(q, from + 3, "-")) return true;
	/* Part of an IPv6 address, or of the first number of one of IPv4. */
	for (size_t k = 0; k < q->count; k++)
		if (is_byte(q, k, ":")) return true;
	size_t to = 0;
	while (is_byte(q, to, "0123456789")) to++;
	return i < to && (to == q->count || is_byte(q, to, "."));
}

/* The ends reached so far: i says that the first i symbols are matched. */
struct cover {
	const struct sequence *q;
	const struct glob *outer;
	bool *now, *next;
};

static void cover_text(struct cover *v, const char *t)
{
	size_t n = strlen(t);
	for (size_t i = 0; i + n <= v->q->count; i++) {
		size_t k = 0;
		if (!v->now[i]) continue;
		while (k < n && v->q->symbols[i + k].kind == SYMBOL_BYTE && v->q->symbols[i + k].byte == t[k]) k++;
		if (k == n) v->next[i + n] = true;
	}
}

static bool is_inside_escape(const struct sequence *q, size_t end)
{
	return part_has_escapes(q->part) && ((end >= 1 && is_byte(q, end - 1, "%")) || (end >= 2 && is_byte(q, end - 2, "%")));
}

static bool star_takes(const struct cover *v, size_t i, bool is_free)
{
	const struct sequence *q = v->q;
	const char *stops = part_stops(q->part);
	switch (q->symbols[i].kind) {
	case SYMBOL_BYTE:
		return !(*stops && is_byte(q, i, stops)) && (is_free || !is_written(q, i));
	case SYMBOL_STAR:
		return is_free || !q->is_only_star || q->part < PARTS;
	case SYMBOL_PARAM:
		/* A parameter that is the whole host may have dots, one that is a whole argument may be "..". */
		return q->is_only_param ? q->part != PART_HOST && is_free : true;
	}
	return false;
}

static void cover_star(struct cover *v)
{
	const struct sequence *q = v->q;
	bool open = false, is_free = q->part != PART_HOST && glob_is_only(v->outer, PIECE_STAR);
	for (size_t i = 0; i < q->count; i++) {
		open = open || (v->now[i] && !(is_byte(q, i, "-") && value_may_begin(q, i)));
		open = open && star_takes(v, i, is_free);
		if (open && !is_inside_escape(q, i + 1)) v->next[i + 1] = true;
	}
}

static void cover_param(struct cover *v, const char *name)
{
	const struct sequence *q = v->q;
	for (size_t i = 0; i < q->count; i++) {
		bool is_same = v->now[i] && q->symbols[i].kind == SYMBOL_PARAM && strcmp(q->symbols[i].param, name) == 0;
		if (is_same && (!q->is_only_param || glob_is_only(v->outer, PIECE_PARAM))) v->next[i + 1] = true;
	}
}

static void cover_piece(struct cover *v, const struct piece *p)
{
	if (p->kind == PIECE_TEXT) cover_text(v, p->text);
	for (size_t i = 0; i < p->choice_count; i++) cover_text(v, p->choices[i]);
	if (p->kind == PIECE_STAR) cover_star(v);
	if (p->kind == PIECE_PARAM) cover_param(v, p->text);
}

static bool glob_covers(const struct glob *outer, const struct sequence *q)
{
	if (q->is_rest && !outer->is_rest) return false;
	bool flags[2 * (SYMBOLS_MAX + 1)];
	struct cover v = {.q = q, .outer = outer, .now = flags, .next = flags + SYMBOLS_MAX + 1};
	memset(v.now, false, q->count + 1);
	v.now[0] = true;
	for (size_t i = 0; i < outer->count; i++) {
		memset(v.next, false, q->count + 1);
		cover_piece(&v, &outer->pieces[i]);
		bool *swap = v.now;
		v.now = v.next, v.next = swap;
	}
	return outer->is_rest ? memchr(v.now, true, q->count + 1) != NULL : v.now[q->count];
}

struct covering {
	const struct capability *inner;
	struct combination combination;
	struct sequence parts[PARTS], *words;
	struct symbol *symbols;
};

static bool one_covers(const struct capability *outer, const struct covering *v)
{
	const struct capability *inner = v->inner;
	if (strcmp(outer->kind, inner->kind) != 0) return false;
	for (size_t i = 0; i < PARTS; i++) {
		bool is_any = outer->parts[i] && outer->parts[i]->is_rest && outer->parts[i]->count == 0;
		if (is_any || (!outer->parts[i] && !inner->parts[i])) continue;
		if (!outer->parts[i] || !inner->parts[i] || !glob_covers(outer->parts[i], &v->parts[i])) return false;
	}
	for (size_t i = 0; i < outer->count; i++) {
		if (outer->words[i].is_rest) return true;
		if (i >= inner->count || inner->words[i].is_rest || !glob_covers(&outer->words[i], &v->words[i])) return false;
	}
	return outer->count == inner->count;
}

static void combination_count(struct combination *c, const struct glob *g)
{
	for (size_t i = 0; g && i < g->count; i++)
		if (g->pieces[i].kind == PIECE_CHOICE) c->limit[c->count++] = g->pieces[i].choice_count;
}

static void sequences_make(struct covering *v)
{
	size_t at = 0, used = 0;
	for (size_t i = 0; i < PARTS; i++) {
		if (!v->inner->parts[i]) continue;
		v->parts[i].symbols = v->symbols + used;
		sequence_make(&v->parts[i], v->inner->parts[i], (enum part)i, &v->combination, &at);
		used += v->parts[i].count;
	}
	for (size_t i = 0; i < v->inner->count; i++) {
		v->words[i].symbols = v->symbols + used;
		sequence_make(&v->words[i], &v->inner->words[i], i ? PART_ARGUMENT : PART_COMMAND, &v->combination, &at);
		used += v->words[i].count;
	}
}

static bool next_combination(struct combination *c)
{
	for (size_t i = 0; i < c->count; i++) {
		if (++c->choice[i] < c->limit[i]) return true;
		c->choice[i] = 0;
	}
	return false;
}

static bool all_covered(struct covering *v, const struct capability *const *set, size_t count)
{
	size_t product = 1;
	for (size_t i = 0; i < PARTS; i++) combination_count(&v->combination, v->inner->parts[i]);
	for (size_t i = 0; i < v->inner->count; i++) combination_count(&v->combination, &v->inner->words[i]);
	for (size_t i = 0; i < v->combination.count && product <= COMBINATIONS_MAX; i++) product *= v->combination.limit[i];
	if (product > COMBINATIONS_MAX) return false;
	do {
		bool is_covered = false;
		sequences_make(v);
		for (size_t i = 0; i < count && !is_covered; i++) is_covered = set[i] && one_covers(set[i], v);
		if (!is_covered) return false;
	} while (next_combination(&v->combination));
	return true;
}

bool capability_covers(const struct capability *const *set, size_t count, const struct capability *inner)
{
	for (size_t i = 0; i < count; i++)
		if (set[i] && strcmp(set[i]->text, inner->text) == 0) return true;
	/* Each symbol and each pair of braces takes a byte of the pattern at least; what is normalised adds a scheme's port and a "/". */
	size_t most = strlen(inner->text) + 16;
	struct arena *a = arena_new();
	struct covering v = {.inner = inner};
	v.words = arena_alloc(a, inner->count * sizeof *v.words);
	v.symbols = arena_alloc(a, most * sizeof *v.symbols);
	v.combination.choice = arena_alloc(a, most * sizeof(size_t));
	v.combination.limit = arena_alloc(a, most * sizeof(size_t));
	bool covers = all_covered(&v, set, count);
	arena_free(a);
	return covers;
}
