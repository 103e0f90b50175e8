#include "sandbox/redact.h"
#include "base/arena.h"
#include "base/error.h"
#include "sandbox/redact_forms.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A thread is a partial match: which secret in which encoding, how many units of it have come, how much of a way of the next one, and how many bytes ago it
 * began. A state is the sorted set of threads after some input; two threads that differ only in where they began have the same future, so the longer one
 * stands for both. Everything of a thread fits 64 bits, the distance lowest, so that a set is an array of integers. */

enum {
	DISTANCE_BITS = 20, /* six bytes a byte of the longest value, at most */
	BREAK_BITS = 1,     /* something stood between: nothing more may before the next unit */
	OFFSET_BITS = 4,    /* into the way */
	WAY_BITS = 5,
	UNIT_BITS = 17,
	ENCODING_BITS = 3,
	SECRET_BITS = 10
};

struct thread {
	uint32_t secret, unit, way, offset, distance;
	enum redact_encoding encoding;
	bool is_after_break;
};

_Static_assert(1 << SECRET_BITS >= REDACT_SECRETS_MAX, "a thread names its secret");
_Static_assert(1 << WAY_BITS >= REDACT_WAYS_MAX, "a thread names its way");
_Static_assert(1 << UNIT_BITS > REDACT_VALUE_BYTES_MAX * 4 / 3, "a thread names its unit");
_Static_assert(SECRET_BITS + ENCODING_BITS + UNIT_BITS + WAY_BITS + OFFSET_BITS + BREAK_BITS + DISTANCE_BITS <= 64, "a thread is 64 bits");

struct secret {
	char *name;
	unsigned char *value;
	size_t n;
	size_t units[ENCODING_N];
};

/* A state of the automaton. What was completed on the way into it is in its set too, as threads at the last unit: it is another state without. */
struct state {
	uint64_t *threads;
	uint32_t count, reach; /* reach: bytes since the oldest thread that is not complete began */
	uint64_t hash;
};

/* next: the state after each byte; NEXT_UNKNOWN not made yet; with NEXT_HAS_HITS something is complete there. */
enum { STATES_MAX = 16384, TABLE_SLOTS = 2 * STATES_MAX, NEXT_UNKNOWN = 0xffff, NEXT_HAS_HITS = 0x8000, NO_SECRET = UINT32_MAX, PIECE_BYTES = 65536 };

struct redactor {
	int forms;
	struct secret *secrets;
	size_t secret_count;
	uint64_t *starts[256]; /* the threads that begin with a byte */
	size_t start_count[256], start_capacity[256];
	struct state *states; /* 0: nothing under way */
	uint16_t (*next)[256];
	size_t state_count, state_capacity, cache_bytes;
	uint16_t *table; /* hash table of states: number plus one */
	uint64_t *work;  /* the set being made */
	size_t work_count, work_capacity;
};

struct redact_hit {
	uint64_t from, to;
	uint32_t secret;
};

/* ---- threads ---- */

static uint64_t pack(const struct thread *t)
{
	uint64_t v = t->secret;
	v = v << ENCODING_BITS | (uint64_t)t->encoding;
	v = v << UNIT_BITS | t->unit;
	v = v << WAY_BITS | t->way;
	v = v << OFFSET_BITS | t->offset;
	v = v << BREAK_BITS | t->is_after_break;
	return v << DISTANCE_BITS | t->distance;
}

static uint32_t take(uint64_t *v, int bits)
{
	uint32_t field = (uint32_t)(*v & ((1ULL << bits) - 1));
	*v >>= bits;
	return field;
}

static struct thread unpack(uint64_t v)
{
	struct thread t;
	t.distance = take(&v, DISTANCE_BITS);
	t.is_after_break = take(&v, BREAK_BITS);
	t.offset = take(&v, OFFSET_BITS);
	t.way = take(&v, WAY_BITS);
	t.unit = take(&v, UNIT_BITS);
	t.encoding = (enum redact_encoding)take(&v, ENCODING_BITS);
	t.secret = take(&v, SECRET_BITS);
	return t;
}

static bool is_complete(const struct redactor *r, const struct thread *t)
{
	return t->unit == r->secrets[t->secret].units[t->encoding];
}

static void *grow(void *array, size_t count, size_t *capacity, size_t item_bytes)
{
	if (count < *capacity) return array;
	*capacity = *capacity ? 2 * *capacity : 16;
	return mem_realloc(array, *capacity * item_bytes);
}

static void add_work(struct redactor *r, uint64_t thread)
{
	r->work = grow(r->work, r->work_count, &r->work_capacity, sizeof *r->work);
	r->work[r->work_count++] = thread;
}

static bool fits(const struct redact_way *way, size_t offset, unsigned char c)
{
	return way->text[offset] == (char)c || (way->is_any_case && tolower((unsigned char)way->text[offset]) == tolower(c));
}

/* Most steps by far: the next byte of the value itself, or another one with which no way begins. False: the ways must be looked at. */
static bool step_plainly(struct redactor *r, struct thread t, unsigned char c)
{
	if (t.encoding != ENCODING_TEXT || t.offset > 0 || !(r->forms & FORM_PLAIN) || strchr(redact_escapes, c)) return false;
	if (r->secrets[t.secret].value[t.unit] == c) {
		t.unit++;
		t.is_after_break = false;
		add_work(r, pack(&t));
	}
	return true;
}

/* Where a thread is after one more byte: nowhere, or in one or more places. Those go into the work set. */
static void step(struct redactor *r, struct thread t, unsigned char c)
{
	const struct secret *s = &r->secrets[t.secret];
	struct redact_way ways[REDACT_WAYS_MAX];
	if (++t.distance >= 1U << DISTANCE_BITS || step_plainly(r, t, c)) return;
	/* The same ways in the same order for every byte of one: what may stand between is asked for as long as one is in the middle of it. */
	bool may_break = t.unit > 0 && !t.is_after_break;
	size_t n = redact_ways(s->value, s->n, t.encoding, t.unit, r->forms, may_break, ways);
	bool is_inside = t.offset > 0;
	for (size_t i = is_inside ? t.way : 0; i < (is_inside ? t.way + 1 : n); i++) {
		if (!fits(&ways[i], t.offset, c)) continue;
		struct thread to = t;
		if (t.offset + 1U < ways[i].len) {
			to.way = (uint32_t)i;
			to.offset = t.offset + 1;
		} else {
			to.unit += ways[i].advance;
			to.way = to.offset = 0;
			to.is_after_break = ways[i].advance == 0;
		}
		add_work(r, pack(&to));
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* Sorted; of those with the same future the one that began first. */
static void settle_work(struct redactor *r)
{
	size_t kept = 0;
	if (r->work_count) qsort(r->work, r->work_count, sizeof *r->work, compare);
	for (size_t i = 0; i < r->work_count; i++)
		if (i + 1 == r->work_count || r->work[i] >> DISTANCE_BITS != r->work[i + 1] >> DISTANCE_BITS) r->work[kept++] = r->work[i];
	r->work_count = kept;
}

/* ---- states ---- */

static void forget_states(struct redactor *r)
{
	for (size_t i = 0; i < r->state_count; i++) free(r->states[i].threads);
	memset(r->table, 0, TABLE_SLOTS * sizeof *r->table);
	r->state_count = r->cache_bytes = 0;
}

static uint64_t hash_of(const uint64_t *threads, size_t n)
{
	uint64_t h = n;
	for (size_t i = 0; i < n; i++) h = (h ^ threads[i]) * 0x9e3779b97f4a7c15ULL, h ^= h >> 29;
	return h;
}

static uint16_t state_add(struct redactor *r, uint64_t hash)
{
	if (r->state_count == r->state_capacity) {
		r->state_capacity = r->state_capacity ? 2 * r->state_capacity : 64;
		r->states = mem_realloc(r->states, r->state_capacity * sizeof *r->states);
		r->next = mem_realloc(r->next, r->state_capacity * sizeof *r->next);
	}
	struct state *s = &r->states[r->state_count];
	*s = (struct state){.threads = mem_alloc(r->work_count * sizeof *r->work + 1), .count = (uint32_t)r->work_count, .hash = hash};
	if (r->work_count) memcpy(s->threads, r->work, r->work_count * sizeof *r->work);
	for (size_t i = 0; i < r->work_count; i++) {
		struct thread t = unpack(r->work[i]);
		if (!is_complete(r, &t) && t.distance > s->reach) s->reach = t.distance;
	}
	memset(r->next[r->state_count], 0xff, sizeof *r->next);
	r->cache_bytes += sizeof *r->next + sizeof *s + r->work_count * sizeof *r->work;
	return (uint16_t)r->state_count++;
}

/* The state of the work set. Others may be forgotten for it: false then. */
static bool state_of_work(struct redactor *r, uint16_t *out)
{
	uint64_t hash = hash_of(r->work, r->work_count);
	size_t slot = hash % TABLE_SLOTS;
	for (; r->table[slot]; slot = (slot + 1) % TABLE_SLOTS) {
		const struct state *s = &r->states[r->table[slot] - 1];
		if (s->hash != hash || s->count != r->work_count || memcmp(s->threads, r->work, r->work_count * sizeof *r->work) != 0) continue;
		*out = (uint16_t)(r->table[slot] - 1);
		return true;
	}
	bool is_kept = r->state_count < STATES_MAX && r->cache_bytes < REDACT_CACHE_BYTES;
	if (!is_kept) {
		forget_states(r);
		slot = hash % TABLE_SLOTS;
	}
	*out = state_add(r, hash);
	r->table[slot] = (uint16_t)(*out + 1);
	return is_kept;
}

static bool has_hits(const struct redactor *r, const struct state *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct thread t = unpack(s->threads[i]);
		if (is_complete(r, &t)) return true;
	}
	return false;
}

/* Makes the transition that a byte needs, and goes it. */
static uint16_t make_next(struct redactor *r, uint16_t from, unsigned char c)
{
	const struct state *s = &r->states[from];
	uint16_t to;
	r->work_count = 0;
	for (size_t i = 0; i < s->count; i++) {
		struct thread t = unpack(s->threads[i]);
		if (!is_complete(r, &t)) step(r, t, c);
	}
	for (size_t i = 0; i < r->start_count[c]; i++) add_work(r, r->starts[c][i]);
	settle_work(r);
	bool is_kept = state_of_work(r, &to);
	uint16_t next = has_hits(r, &r->states[to]) ? to | NEXT_HAS_HITS : to;
	if (is_kept) r->next[from][c] = next;
	return next;
}

/* ---- the redactor ---- */

struct redactor *redactor_new(int forms)
{
	struct redactor *r = mem_zero(sizeof *r);
	r->forms = forms;
	r->table = mem_zero(TABLE_SLOTS * sizeof *r->table);
	return r;
}

void redactor_free(struct redactor *r)
{
	if (!r) return;
	forget_states(r);
	for (size_t i = 0; i < r->secret_count; i++) {
		explicit_bzero(r->secrets[i].value, r->secrets[i].n);
		free(r->secrets[i].value);
		free(r->secrets[i].name);
	}
	for (int c = 0; c < 256; c++) free(r->starts[c]);
	free(r->secrets);
	free(r->states);
	free(r->next);
	free(r->table);
	free(r->work);
	free(r);
}

/* Every first byte that a form of the secret can have. */
static void add_starts(struct redactor *r, uint32_t secret)
{
	for (int c = 0; c < 256; c++) {
		r->work_count = 0;
		for (int encoding = 0; encoding < ENCODING_N; encoding++)
			step(r, (struct thread){.secret = secret, .encoding = (enum redact_encoding)encoding}, (unsigned char)c);
		for (size_t i = 0; i < r->work_count; i++) {
			r->starts[c] = grow(r->starts[c], r->start_count[c], &r->start_capacity[c], sizeof *r->starts[c]);
			r->starts[c][r->start_count[c]++] = r->work[i];
		}
	}
}

bool redactor_add(struct redactor *r, const char *name, const void *value, size_t n)
{
	must(n >= REDACT_VALUE_BYTES_MIN && n <= REDACT_VALUE_BYTES_MAX);
	for (size_t i = 0; i < r->secret_count; i++)
		if (r->secrets[i].n == n && memcmp(r->secrets[i].value, value, n) == 0 && strcmp(r->secrets[i].name, name) == 0) return true;
	if (r->secret_count == REDACT_SECRETS_MAX) return false;
	r->secrets = mem_realloc(r->secrets, (r->secret_count + 1) * sizeof *r->secrets);
	struct secret *s = &r->secrets[r->secret_count++];
	*s = (struct secret){.name = mem_strdup(name), .value = memcpy(mem_alloc(n), value, n), .n = n};
	for (int encoding = 0; encoding < ENCODING_N; encoding++) s->units[encoding] = redact_units((enum redact_encoding)encoding, n);
	add_starts(r, (uint32_t)r->secret_count - 1);
	forget_states(r);
	return true;
}

size_t redactor_count(const struct redactor *r)
{
	return r->secret_count;
}

/* ---- a stream ---- */

void redact_begin(struct redact_stream *s, struct redactor *r)
{
	*s = (struct redact_stream){.redactor = r, .last_secret = NO_SECRET};
	buf_init(&s->held, SIZE_MAX / 2);
}

void redact_clear(struct redact_stream *s)
{
	if (s->held.data) explicit_bzero(s->held.data, s->held.cap);
	buf_clear(&s->held);
	free(s->threads);
	free(s->hits);
	*s = (struct redact_stream){0};
}

/* Kept by where they begin; of those that begin together the longest first. */
static void add_hit(struct redact_stream *s, struct redact_hit h)
{
	s->hits = grow(s->hits, s->hit_count, &s->hit_capacity, sizeof *s->hits);
	size_t at = s->hit_count++;
	for (; at > 0; at--) {
		const struct redact_hit *before = &s->hits[at - 1];
		if (before->from < h.from || (before->from == h.from && before->to >= h.to)) break;
		s->hits[at] = *before;
	}
	s->hits[at] = h;
}

static void add_hits(struct redact_stream *s, const struct state *state, uint64_t at)
{
	for (size_t i = 0; i < state->count; i++) {
		struct thread t = unpack(state->threads[i]);
		if (is_complete(s->redactor, &t)) add_hit(s, (struct redact_hit){.from = at - t.distance, .to = at, .secret = t.secret});
	}
}

/* The state in which the stream was left: of the automaton as it is now. */
static uint16_t state_enter(struct redact_stream *s)
{
	struct redactor *r = s->redactor;
	uint16_t state;
	r->work_count = 0;
	for (size_t i = 0; i < s->thread_count; i++) add_work(r, s->threads[i]);
	state_of_work(r, &state);
	return state;
}

static void state_leave(struct redact_stream *s, const struct state *state)
{
	if (s->thread_capacity < state->count) {
		s->thread_capacity = 2 * state->count;
		s->threads = mem_realloc(s->threads, s->thread_capacity * sizeof *s->threads);
	}
	s->thread_count = 0;
	/* What is complete has been noted. */
	for (size_t i = 0; i < state->count; i++) {
		struct thread t = unpack(state->threads[i]);
		if (!is_complete(s->redactor, &t)) s->threads[s->thread_count++] = state->threads[i];
	}
}

/* Goes over new bytes; gives how many bytes back the oldest partial match begins. */
static uint32_t scan(struct redact_stream *s, const unsigned char *data, size_t n)
{
	struct redactor *r = s->redactor;
	uint16_t state = state_enter(s);
	uint16_t(*next)[256] = r->next;
	for (size_t i = 0; i < n; i++) {
		uint16_t to = next[state][data[i]];
		if (to & NEXT_HAS_HITS) {
			if (to == NEXT_UNKNOWN) to = make_next(r, state, data[i]), next = r->next;
			if (to & NEXT_HAS_HITS) {
				to &= (uint16_t)~NEXT_HAS_HITS;
				add_hits(s, &r->states[to], s->at + i + 1);
			}
		}
		state = to;
	}
	s->at += n;
	state_leave(s, &r->states[state]);
	return r->states[state].reach;
}

static const char *held_at(const struct redact_stream *s, uint64_t at)
{
	return s->held.data + (at - s->sent);
}

/* Gives out everything before the oldest partial match: what is complete and begins before it is all known. Two matches of one secret that overlap have one
 * marker. */
static bool give_out(struct redact_stream *s, uint64_t until, struct buf *out)
{
	uint64_t at = s->sent;
	size_t i = 0;
	for (; i < s->hit_count && s->hits[i].from < until; i++) {
		const struct redact_hit *h = &s->hits[i];
		if (h->to <= at) continue;
		bool is_one = h->from < at && h->secret == s->last_secret;
		if (h->from > at) buf_add(out, held_at(s, at), h->from - at);
		if (!is_one) buf_printf(out, "[secret %s]", s->redactor->secrets[h->secret].name);
		s->last_secret = h->secret;
		at = h->to;
	}
	bool is_redacted = i > 0;
	if (i) memmove(s->hits, s->hits + i, (s->hit_count - i) * sizeof *s->hits);
	s->hit_count -= i;
	if (at < until) buf_add(out, held_at(s, at), until - at), at = until;
	buf_drop(&s->held, at - s->sent);
	s->sent = at;
	return is_redacted;
}

bool redact_feed(struct redact_stream *s, const void *data, size_t n, struct buf *out)
{
	bool is_redacted = false;
	if (s->redactor->secret_count == 0) {
		must(s->held.len == 0);
		s->sent = s->at += n;
		buf_add(out, data, n);
		return false;
	}
	for (size_t from = 0, piece; from < n; from += piece) {
		piece = n - from < PIECE_BYTES ? n - from : PIECE_BYTES;
		buf_add(&s->held, (const char *)data + from, piece);
		uint32_t reach = scan(s, (const unsigned char *)data + from, piece);
		is_redacted = give_out(s, s->at - reach, out) || is_redacted;
	}
	return is_redacted;
}

bool redact_end(struct redact_stream *s, struct buf *out)
{
	s->thread_count = 0;
	return give_out(s, s->at, out);
}

bool redact_text(struct redactor *r, const void *data, size_t n, struct buf *out)
{
	struct redact_stream s;
	redact_begin(&s, r);
	bool is_redacted = redact_feed(&s, data, n, out);
	is_redacted = redact_end(&s, out) || is_redacted;
	redact_clear(&s);
	return is_redacted;
}
